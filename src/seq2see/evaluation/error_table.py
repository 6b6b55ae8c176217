"""A table of the wrong predictions, worst first, each with its nearest reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seq2see.data.lines import ESCAPES
from seq2see.errors import ConfigError, DataError
from seq2see.evaluation.report import EvaluationReport
from seq2see.metrics import METRICS, SPELLING, Measured, levenshtein, metrics_for, nearest, word_diff
from seq2see.storage.files import require_place, write_file

HEADER = ("score", "source", "prediction", "reference", "diff")


class WrongPrediction(NamedTuple):
    """A prediction that is none of its references, and the nearest of them."""

    score: float
    """Of the ranking metric."""
    source: str
    prediction: str
    reference: str
    separator: str
    """Between the tokens of a diff: empty for spelling, else a space."""

    def tokens(self, text: str) -> Sequence[str]:
        """The tokens of a diff."""
        return text.split() if self.separator else text


def ranking_of(report: EvaluationReport, unit: str) -> Measured:
    """The metric that predictions are ranked by: the report's first that is meaningful for single items."""
    for measured in report.measured.values():
        if measured.scale.ranks_items and measured.scale.name != "loss":
            return measured
    names = metrics_for(
        unit, (text for known in report.outputs.references for text in known), [item.source for item in report.items]
    )
    name = next((name for name in names if name not in ("exact_match", "bleu")), "cer")
    assert report.outputs.predictions is not None
    return METRICS[name](report.outputs.predictions, report.outputs.references)


def error_lines(report: EvaluationReport, unit: str) -> Iterator[str]:
    """A header, then one line per wrong prediction: score, source, prediction, nearest reference, and their diff.

    `unit` is the tokenizer of the targets: the diff is by character for spelling, else by word or symbol. Tabs and
    line breaks within a text are written \\t and \\n, a backslash is doubled.
    """
    yield "\t".join(HEADER) + "\n"
    for wrong in wrong_predictions(report, unit):
        diff = word_diff(wrong.tokens(wrong.reference), wrong.tokens(wrong.prediction), between=wrong.separator)
        texts = (wrong.source, wrong.prediction, wrong.reference, diff)
        yield "\t".join([f"{wrong.score:.4f}", *(text.translate(ESCAPES) for text in texts)]) + "\n"


def wrong_predictions(report: EvaluationReport, unit: str) -> Iterator[WrongPrediction]:
    """All wrong predictions, worst first."""
    assert report.outputs.predictions is not None
    is_spelling = unit in SPELLING
    split: Callable[[str], Sequence[str]] = str if is_spelling else str.split
    distance = levenshtein("the error table").distance
    measured = ranking_of(report, unit)
    sign = 1 if measured.scale.higher_is_better else -1
    scores = measured.per_item.tolist()
    for index in sorted(wrong_items(report), key=lambda index: sign * scores[index]):
        prediction, references = report.outputs.predictions[index], report.outputs.references[index]
        best = nearest(split(prediction), [split(reference) for reference in references], distance).reference
        source = report.items[index].source
        yield WrongPrediction(scores[index], source, prediction, references[best], "" if is_spelling else " ")


def require_writable(path: Path, files: Sequence[Path]) -> None:
    """Raise, before any work, if the table can't be written or would overwrite a test file."""
    require_place(path)
    if path.exists() and any(file.exists() and path.samefile(file) for file in files):
        raise ConfigError("would overwrite the test file", where="--errors", fix="name another file")
    if path.is_dir():
        raise DataError("is a folder", where=f"--errors {path}", fix="name a file")


def write_errors(path: Path, report: EvaluationReport, unit: str) -> None:
    """Write the table to a file atomically. Raises CheckpointError if it can't be written."""
    write_file(path, "".join(error_lines(report, unit)).encode("utf-8", "backslashreplace"))


def wrong_items(report: EvaluationReport) -> list[int]:
    """Indices of the items whose prediction is none of their references."""
    assert report.outputs.predictions is not None
    both = zip(report.outputs.predictions, report.outputs.references, strict=True)
    return [index for index, (prediction, references) in enumerate(both) if prediction not in references]
