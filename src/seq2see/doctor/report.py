"""The doctor's report: findings, sizes, and what seq2see train would choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Example:
    """An example of a finding: file and line (`train.tsv:17`), the text there, and a detail."""

    origin: str
    text: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """One type of problem in one set of pairs.

    An error prevents training, a warning most likely harms it, a note is information. `count` is the number of `unit`;
    `detail` contains further figures; `remedy` is a command or other advice; `command` is its command alone, for a
    POSIX shell in the working directory, if there is one; `evidence` are lines from which it was concluded.
    """

    name: str
    severity: Severity
    files: str
    count: int
    unit: str
    meaning: str
    remedy: str
    detail: str = ""
    examples: tuple[Example, ...] = ()
    command: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class SideSizes:
    """The size of one side. Lengths are in characters: minimum, median, 95th and 99th percentile, maximum."""

    characters: int
    words: int
    distinct: int
    symbols: int
    lengths: Mapping[str, int]
    script: str
    unit: str = ""
    reason: str = ""


@dataclass(frozen=True)
class SetSizes:
    """The size of a set, and its overlap with the training set (None for the training set itself)."""

    files: str
    pairs: int
    unusable: int
    source: SideSizes
    target: SideSizes
    shared: Mapping[str, int] | None = None
    format: str = ""
    """How a file that is not source TAB target is read."""


@dataclass(frozen=True)
class DataReport:
    """All findings, the most serious first, the sizes of each set, and what training would choose."""

    findings: tuple[Finding, ...]
    sets: tuple[SetSizes, ...]
    suggestion: tuple[str, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """1 if there is an error, else 0."""
        return int(any(finding.severity == "error" for finding in self.findings))

    def find(self, name: str, files: str | None = None) -> Finding | None:
        """The finding of this name, in these files or in the first set that has it; None if there is none."""
        for finding in self.findings:
            if finding.name == name and files in (None, finding.files):
                return finding
        return None

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON, as `--json` prints it."""
        return {
            "trainable": not self.exit_code,
            "findings": [asdict(finding) for finding in self.findings],
            "sets": [asdict(each) for each in self.sets],
            "suggestion": list(self.suggestion),
        }
