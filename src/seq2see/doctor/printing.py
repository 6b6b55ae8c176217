"""Prints the report: the most serious findings first, invisible characters shown, no colors if piped."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from seq2see.console import Terminal, counted
from seq2see.doctor.characters import runs_right_to_left, visible
from seq2see.doctor.cleaning import CHANGES, LEFT_OUT, CleaningResult
from seq2see.doctor.report import DataReport, Example, Finding, SetSizes
from seq2see.printable import ISOLATES

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_MAX_SHOWN = 60
"""Maximum number of characters shown of each side."""

Styled = tuple[str, str]


def print_report(report: DataReport, console: Console | None = None) -> None:
    """Print the whole report, by default to stdout."""
    _print(_lines(report, console := console or Terminal(highlight=False, keep=ISOLATES)), console)


def print_cleaned(cleaned: CleaningResult, console: Console | None = None) -> None:
    """Print what was changed and left out."""
    _print(_lines_of_cleaned(cleaned), console or Terminal(highlight=False))


def _print(lines: Iterator[Styled], console: Console) -> None:
    for text, style in lines:
        console.print(Text(text, style=style), soft_wrap=True)


def _lines(report: DataReport, console: Console) -> Iterator[Styled]:
    for sizes in report.sets:
        yield from _lines_of_sizes(sizes)
    for finding in report.findings:
        yield "", ""
        yield from _lines_of_finding(finding, len(report.sets) > 1, isolate=console.is_terminal)
    if report.suggestion:
        yield "", ""
        yield "seq2see train would choose", "bold"
        for line in report.suggestion:
            yield f"  {line}", ""
    yield "", ""
    counts = {severity: sum(each.severity == severity for each in report.findings) for severity in _STYLES}
    summary = ", ".join(counted(count, severity) for severity, count in counts.items())
    verdict = "training would refuse these data" if report.exit_code else "ready for training"
    yield f"{summary}: {verdict}", "bold red" if report.exit_code else "bold green"


def _lines_of_sizes(sizes: SetSizes) -> Iterator[Styled]:
    unusable = f", {counted(sizes.unusable, 'invalid line')}" if sizes.unusable else ""
    yield f"{visible(sizes.files, max_characters=200)}: {counted(sizes.pairs, 'pair')}{unusable}", "bold"
    if sizes.format:
        yield f"  {visible(sizes.format, max_characters=400)}", ""
    if not sizes.pairs:
        return
    if sizes.fields:
        yield f"  source: {sizes.source.distinct:,} distinct, of {len(sizes.fields)} columns", ""
    for side in (*(sizes.fields or [sizes.source]), sizes.target):
        lengths = " · ".join(f"{value:,}" for value in side.lengths.values())
        yield (
            (
                f"  {side.name}: {side.distinct:,} distinct; {side.words:,} words, {side.characters:,} characters "
                f"({side.symbols:,} distinct, {side.script}); length {lengths} (min, median, 95 %, 99 %, max)"
            ),
            "",
        )
    if sizes.shared is not None:
        shared = ", ".join(f"{count:,} {name}" for name, count in sizes.shared.items())
        seen = [f"{each.seen:,} of {each.distinct:,} values of {each.name}" for each in sizes.seen]
        yield f"  also in the training set: {', '.join([shared, *seen])}", ""


def _lines_of_finding(finding: Finding, with_files: bool, *, isolate: bool) -> Iterator[Styled]:
    files = f" of {visible(finding.files, max_characters=200)}" if with_files else ""
    unit = finding.unit if finding.count != 1 else _SINGULAR.get(finding.unit, finding.unit.removesuffix("s"))
    detail = f" ({finding.detail})" if finding.detail else ""
    yield f"{finding.severity}  {finding.name}: {finding.count:,} {unit}{files}{detail}", _STYLES[finding.severity]
    yield f"  {finding.meaning}", ""
    for example in finding.examples:
        yield f"    {_example(example, isolate=isolate)}", "dim"
    for each in finding.evidence:
        yield f"  {visible(each, max_characters=200)}", ""
    if finding.remedy:
        yield f"  fix: {finding.remedy}", ""


_SINGULAR = {"pairs of files": "pair of files"}


def _example(example: Example, *, isolate: bool) -> str:
    sides = [visible(side, max_characters=_MAX_SHOWN) for side in example.text.split("\t")] if example.text else []
    if isolate:  # so that a terminal doesn't reorder the text beside it
        sides = [f"\u2068{side}\u2069" if runs_right_to_left(side) else side for side in sides]
    shown = " → ".join([" | ".join(sides[:-1]), sides[-1]] if len(sides) > 1 else sides)  # a source of several columns
    parts = (
        [visible(example.origin, max_characters=200) + ":"]
        if shown or example.detail
        else [visible(example.origin, max_characters=200)]
    )
    if shown:
        parts.append(shown)
    if example.detail:
        parts.append(
            f"({visible(example.detail, max_characters=160)})" if shown else visible(example.detail, max_characters=160)
        )
    return " ".join(parts)


def _lines_of_cleaned(cleaned: CleaningResult) -> Iterator[Styled]:
    yield f"{cleaned.path}: {counted(cleaned.pairs, 'pair')} written", "bold"
    if cleaned.format:
        yield f"  read as {visible(cleaned.format, max_characters=400)}", ""
    for name, count in cleaned.changed.items():
        yield f"  {count:>9,}  {CHANGES[name]}", ""
    for name, count in cleaned.left_out.items():
        yield f"  {count:>9,}  left out: {LEFT_OUT[name]}", ""
    if not cleaned.changed and not cleaned.left_out:
        yield "  no changes", ""
