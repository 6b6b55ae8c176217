"""Findings by row numbers; a second pass over the files turns these into examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seq2see.doctor.finding_types import FINDING_TYPES
from seq2see.doctor.pair_statistics import PairStatistics
from seq2see.doctor.remedies import advised_remedy
from seq2see.doctor.report import Example, Finding


@dataclass(frozen=True)
class RawFinding:
    """A finding in one set; `rows` are rows of the set, counted from 0, each with a detail to show."""

    name: str
    statistics: PairStatistics
    count: int
    detail: str = ""
    rows: Sequence[tuple[int, str]] = ()
    examples: Sequence[Example] = ()
    remedy: str = ""
    program: str = ""
    """A program of the shell that mends the file."""


def complete(raw_findings: Sequence[RawFinding]) -> list[Finding]:
    """The findings with the texts of their rows, the most serious first."""
    order = list(FINDING_TYPES)
    rank = {"error": 0, "warning": 1, "note": 2}
    wanted: dict[int, set[int]] = {}
    owners = {id(raw.statistics): raw.statistics for raw in raw_findings}
    for raw in raw_findings:
        wanted.setdefault(id(raw.statistics), set()).update(row for row, _ in raw.rows)
    texts = {owner: statistics.texts(wanted[owner]) for owner, statistics in owners.items()}
    findings = []
    for raw in raw_findings:
        kind = FINDING_TYPES[raw.name]
        fetched = []
        for row, detail in raw.rows:
            text = texts[id(raw.statistics)].get(row)
            if text is not None:
                origin = raw.statistics.files.origin(text.line)
                fetched.append(Example(origin, f"{text.source}\t{text.target}", detail))
        advised = advised_remedy(raw.name, raw.statistics, raw.remedy, raw.program)
        findings.append(
            Finding(
                name=raw.name,
                severity=kind.severity,
                files=raw.statistics.name,
                count=raw.count,
                unit=kind.unit,
                meaning=kind.meaning,
                remedy=advised.text,
                detail=raw.detail,
                examples=(*raw.examples, *fetched),
                command=advised.command,
                evidence=advised.evidence,
            )
        )
    return sorted(findings, key=lambda finding: (rank[finding.severity], order.index(finding.name)))
