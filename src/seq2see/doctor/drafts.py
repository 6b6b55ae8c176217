"""A finding before its examples are fetched: rows by number, which a second pass turns into texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seq2see.doctor.gather import Gathered
from seq2see.doctor.report import Example, Finding
from seq2see.doctor.wording import WORDINGS, remedy


@dataclass(frozen=True)
class Draft:
    """What was found in a set: how often, and where; `rows` are counted from 0, each with what is to be seen there."""

    name: str
    gathered: Gathered
    count: int
    detail: str = ""
    rows: Sequence[tuple[int, str]] = ()
    examples: Sequence[Example] = ()
    remedy: str = ""


def finish(drafts: Sequence[Draft]) -> list[Finding]:
    """The findings, most serious first, with the texts of their rows."""
    order = list(WORDINGS)
    rank = {"error": 0, "warning": 1, "note": 2}
    wanted: dict[int, set[int]] = {}
    owners = {id(draft.gathered): draft.gathered for draft in drafts}
    for draft in drafts:
        wanted.setdefault(id(draft.gathered), set()).update(row for row, _ in draft.rows)
    texts = {owner: gathered.texts(wanted[owner]) for owner, gathered in owners.items()}
    findings = []
    for draft in drafts:
        wording = WORDINGS[draft.name]
        fetched = []
        for row, detail in draft.rows:
            text = texts[id(draft.gathered)].get(row)
            if text is not None:
                origin = draft.gathered.files.origin(text.line)
                fetched.append(Example(origin, f"{text.source}\t{text.target}", detail))
        paths = draft.gathered.files.paths
        findings.append(
            Finding(
                name=draft.name,
                severity=wording.severity,
                files=draft.gathered.name,
                count=draft.count,
                unit=wording.unit,
                meaning=wording.meaning,
                remedy=remedy(draft.name, paths, draft.remedy),
                detail=draft.detail,
                examples=(*draft.examples, *fetched),
            )
        )
    return sorted(findings, key=lambda finding: (rank[finding.severity], order.index(finding.name)))
