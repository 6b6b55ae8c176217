"""Predictions as lines of a file: plain text, tab-separated columns, or JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from json import dumps
from typing import TYPE_CHECKING, Any

from seq2see.data.lines import ESCAPES
from seq2see.errors import ConfigError
from seq2see.inference.options import Alignments, Format

if TYPE_CHECKING:
    from seq2see.inference.results import PairScore, Prediction


LOOKED_UP = "lexicon"
"""In the columns of log_prob and score of an answer that was looked up."""


def line_writer(
    format_: Format, alignments: Alignments | None, *, has_alternatives: bool
) -> Callable[[int, str, Prediction], Iterator[str]]:
    """A function from (number of the text, text, prediction) to lines; an n-best list has one line per answer.

    text: the answer. tsv: number of the text from 1, rank from 1, log_prob, score, answer. jsonl: one object per text
    with the same of every answer, and its tokens with their log-probabilities; one that was looked up has none of
    these, and says so: `lexicon` instead of figures, `"looked_up": true`. Alignments are a further column or key:
    `pharaoh` has pairs of source and target position from 0, without EOS; `json` has the tokens of both sides and all
    weights. In text and tsv a tab or line break of an answer is written \\t or \\n, and a backslash is doubled in tsv.
    """
    if format_ == "text" and has_alternatives:
        raise ConfigError(
            "text has one answer per line",
            where="--format text",
            fix="use --format tsv or --format jsonl for several answers",
        )

    def text(number: int, source: str, prediction: Prediction) -> Iterator[str]:
        answer = prediction.text.replace("\t", "\\t") if alignments else prediction.text
        columns = [answer.replace("\r", "\\r").replace("\n", "\\n"), *_alignment_column(prediction, alignments)]
        yield "\t".join(columns) + "\n"

    def tsv(number: int, source: str, prediction: Prediction) -> Iterator[str]:
        for rank, answer in enumerate(prediction.all, start=1):
            log_prob, score = (LOOKED_UP if answer.looked_up else f"{x:.6f}" for x in (answer.log_prob, answer.score))
            columns = [
                f"{number}\t{rank}\t{log_prob}\t{score}",
                answer.text.translate(ESCAPES),
                *_alignment_column(answer, alignments),
            ]
            yield "\t".join(columns) + "\n"

    def jsonl(number: int, source: str, prediction: Prediction) -> Iterator[str]:
        answers = [as_object(answer, alignments) for answer in prediction.all]
        yield dumps({"number": number, "source": source, "answers": answers}, ensure_ascii=False) + "\n"

    return {"text": text, "tsv": tsv, "jsonl": jsonl}[format_]


def score_line(format_: Format, number: int, score: PairScore) -> str:
    """One scored pair. text: log_prob and score; tsv: number, log_prob, score, tokens, how many of these are unknown.

    jsonl: the same by name, with the unknown tokens themselves, and why there is no score; a score of -inf or NaN is
    null, since JSON has neither.
    """
    match format_:
        case "text":
            return f"{score.log_prob:.6f}\t{score.score:.6f}\n"
        case "tsv":
            columns = f"{score.log_prob:.6f}\t{score.score:.6f}\t{score.num_tokens}\t{len(score.unknown)}"
            return f"{number}\t{columns}\n"
        case "jsonl":
            return dumps({"number": number, **score_object(score)}, ensure_ascii=False) + "\n"


def score_object(score: PairScore) -> dict[str, Any]:
    """One score as an object of JSON, as `jsonl` has it."""
    found: dict[str, Any] = score._asdict()
    if score.unknown or score.error:
        found |= {"log_prob": None, "score": None}
    if not score.unknown:
        del found["log_prob_of_others"]
    if not score.error:
        del found["error"]
    return found


def _alignment_column(prediction: Prediction, alignments: Alignments | None) -> list[str]:
    if alignments is None:
        return []
    if alignments == "pharaoh":
        return [pharaoh(prediction)]
    return [dumps(_attention(prediction), ensure_ascii=False)]


def as_object(answer: Prediction, alignments: Alignments | None) -> dict[str, Any]:
    """One answer as an object of JSON, as `jsonl` has it."""
    found = answer.to_dict()
    if not answer.target_tokens:
        found |= {"log_prob": None, "score": None}
    if alignments == "pharaoh":
        found["alignment"] = pharaoh(answer)
    elif alignments == "json":
        found["attention"] = _attention(answer)
    return found


def _attention(answer: Prediction) -> dict[str, Any]:
    weights = [] if answer.weights is None else [[round(float(w), 6) for w in row] for row in answer.weights]
    return {"source": answer.source_tokens, "target": answer.target_tokens, "weights": weights}


def pharaoh(prediction: Prediction) -> str:
    """The alignment in Pharaoh format: `0-0 1-2`, source and target position from 0."""
    return " ".join(f"{source}-{target}" for source, target in prediction.alignment())
