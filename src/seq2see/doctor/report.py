"""What the doctor says: findings, sizes, and what seq2see train would choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Example:
    """One place where it was found: `train.tsv:17`, the text there as it stands, and what is to be seen in it."""

    origin: str
    text: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """One kind of thing in one set of pairs.

    An error is what training refuses, a warning what most likely harms, a note what is good to know. `count` counts
    `unit`; `detail` has further figures; `remedy` is a command or what else to do.
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


@dataclass(frozen=True)
class SideSizes:
    """How large one side is. Lengths are in characters: least, median, 95 and 99 of 100, most."""

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
    """How large a set is, and what of it is in the training pairs too (None for these themselves)."""

    files: str
    pairs: int
    unusable: int
    source: SideSizes
    target: SideSizes
    shared: Mapping[str, int] | None = None


@dataclass(frozen=True)
class DataReport:
    """Everything found, most serious first, the sizes of each set, and what training would choose."""

    findings: tuple[Finding, ...]
    sets: tuple[SetSizes, ...]
    suggestion: tuple[str, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """0 where nothing prevents training, 1 where something does."""
        return int(any(finding.severity == "error" for finding in self.findings))

    def find(self, name: str, files: str | None = None) -> Finding | None:
        """The finding of that name, in these files or in the first that has it."""
        for finding in self.findings:
            if finding.name == name and files in (None, finding.files):
                return finding
        return None

    def as_dict(self) -> dict[str, Any]:
        """The report for machines: what `--json` prints."""
        return {
            "trainable": not self.exit_code,
            "findings": [asdict(finding) for finding in self.findings],
            "sets": [asdict(each) for each in self.sets],
            "suggestion": list(self.suggestion),
        }
