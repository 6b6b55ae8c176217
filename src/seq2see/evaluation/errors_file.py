"""The wrong answers as a table to read, the worst first, each beside the reference that comes nearest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seq2see.errors import ConfigError, DataError
from seq2see.evaluation.report import Report
from seq2see.inference.formats import ESCAPES
from seq2see.metrics import METRICS, Measured, levenshtein, metrics_for, nearest, word_diff

HEADER = ("score", "source", "prediction", "reference", "diff")


def ranking_of(report: Report, unit: str) -> Measured:
    """By what the answers are ranked: the first of the report's metrics that can tell single items apart."""
    for measured in report.measured.values():
        if measured.scale.ranks_items and measured.scale.name != "loss":
            return measured
    name = next(name for name in metrics_for(unit) if name not in ("exact_match", "bleu"))
    assert report.answers.predictions is not None
    return METRICS[name](report.answers.predictions, report.answers.references)


def error_lines(report: Report, unit: str) -> Iterator[str]:
    """A header, then a line a wrong answer: its score, source, prediction, nearest reference and their diff.

    `unit` is what targets are made of: the diff is by character for spelling, by word or symbol for the rest. A tab or
    line break within a text is written \\t or \\n, and a backslash is doubled.
    """
    yield "\t".join(HEADER) + "\n"
    for wrong in wrong_answers(report, unit):
        diff = word_diff(wrong.cut(wrong.reference), wrong.cut(wrong.prediction), between=wrong.between)
        texts = (wrong.source, wrong.prediction, wrong.reference, diff)
        yield "\t".join([f"{wrong.score:.4f}", *(text.translate(ESCAPES) for text in texts)]) + "\n"


class Wrong(NamedTuple):
    """A wrong answer beside the reference that comes nearest."""

    score: float
    """Of the metric that ranks."""
    source: str
    prediction: str
    reference: str
    between: str
    """What stands between the tokens of a diff: nothing for spelling, else a blank."""

    def cut(self, text: str) -> Sequence[str]:
        """The tokens of a diff."""
        return text.split() if self.between else text


def wrong_answers(report: Report, unit: str) -> Iterator[Wrong]:
    """All of them, the worst first; `unit` is what targets are made of."""
    assert report.answers.predictions is not None
    is_spelling = unit in ("characters", "graphemes", "bytes")
    split: Callable[[str], Sequence[str]] = str if is_spelling else str.split
    distance = levenshtein("the table of errors").distance
    measured = ranking_of(report, unit)
    sign = 1 if measured.scale.higher_is_better else -1
    scores = measured.per_item.tolist()
    for place in sorted(wrong_items(report), key=lambda place: sign * scores[place]):
        prediction, references = report.answers.predictions[place], report.answers.references[place]
        best = nearest(split(prediction), [split(reference) for reference in references], distance).reference
        source = report.items[place].source
        yield Wrong(scores[place], source, prediction, references[best], "" if is_spelling else " ")


def require_place(path: Path, files: Sequence[Path]) -> None:
    """Refuse, before any work, a table that can't be written or that would overwrite the test file."""
    if path.exists() and any(file.exists() and path.samefile(file) for file in files):
        raise ConfigError("the errors would overwrite the test file", where="--errors", fix="name another file")
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "this is a folder" if path.is_dir() else "there is no folder to put it in"
        raise DataError(what, where=f"--errors {path}", fix="name a file in a folder that is there")


def write_errors(path: Path, report: Report, unit: str) -> None:
    """The table as a file. Raises DataError where it can't be written."""
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(error_lines(report, unit))
    except OSError as error:
        raise DataError(f"can't be written: {error.strerror}", where=str(path), fix="choose another --errors") from None


def wrong_items(report: Report) -> list[int]:
    """The places of the items whose prediction is none of their references."""
    assert report.answers.predictions is not None
    both = zip(report.answers.predictions, report.answers.references, strict=True)
    return [place for place, (prediction, references) in enumerate(both) if prediction not in references]
