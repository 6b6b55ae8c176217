"""Findings about characters: rare and unseen symbols, inconsistent variants of a character, and mixed scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from seq2see.doctor import characters
from seq2see.doctor.pair_statistics import PairStatistics
from seq2see.doctor.raw_findings import RawFinding
from seq2see.doctor.report import Example
from seq2see.doctor.side_statistics import SideStatistics
from seq2see.printable import quoted
from seq2see.text.choice import are_unspaced
from seq2see.text.fields import VALUE_UNITS
from seq2see.text.tokenizers import tags_in

_NUM_EXAMPLES = 3
_RARE_COUNT = 2
_NUM_NAMED = 8
_LEAST_LOOK_ALIKES = 2
"""Occurrences of each of two characters that look alike: a single one is an error, or something else."""


def faults(statistics: PairStatistics) -> Iterator[RawFinding]:
    """The faults of single lines and texts."""
    found = statistics.faults
    for name, count in found.counts.items():
        yield RawFinding(name, statistics, count, examples=found.examples[name], remedy=found.remedies.get(name, ""))
    for mark in statistics.marks.found():
        examples = [Example(statistics.files.origin(line), text) for line, text in mark.examples]
        yield RawFinding(mark.name, statistics, mark.num_pairs, mark.detail, examples=examples, program=mark.program)
    for name in dict.fromkeys(name for side in statistics.sides for name in side.found):
        counts = {side.name: side.found[name] for side in statistics.sides if side.found[name]}
        parts = [", ".join(f"{count:,} in {side}" for side, count in counts.items())]
        details: Counter[str] = Counter()
        for side in statistics.sides:
            details.update(side.details.get(name, {}))
        if details:
            parts.append(", ".join(f"{what} ({count:,})" for what, count in details.most_common(_NUM_NAMED)))
        examples = [
            Example(statistics.files.origin(line), text, f"{side.name}: {detail}" if detail else side.name)
            for side in statistics.sides
            for line, text, detail in side.examples.get(name, [])
        ]
        yield RawFinding(name, statistics, sum(counts.values()), "; ".join(parts), examples=examples[:_NUM_EXAMPLES])


def unspaced(statistics: PairStatistics, units: Sequence[str]) -> Iterator[RawFinding]:
    """Sides of the unit symbols whose texts have none between blanks."""
    own = {"target": units[-1]} if statistics.fields else {"source": units[0], "target": units[-1]}
    for name, unit in own.items():
        side = statistics.target if name == "target" else statistics.source
        if unit == "symbols" and are_unspaced(side.sample):
            fix = f"write the symbols with blanks between them, or train with --set text.{name}=characters"
            yield RawFinding("unspaced-symbols", statistics, 1, name, [(0, name), (1, name)], remedy=fix)


def rare(statistics: PairStatistics, units: Sequence[str]) -> Iterator[RawFinding]:
    """Symbols that occur once or twice in the training set; one finding per side."""
    for side, unit in zip(statistics.sides, units, strict=True):
        if unit in VALUE_UNITS:
            continue
        counts, first, is_token = _symbols(side, unit)
        rare_symbols = [symbol for symbol, count in counts.items() if count <= _RARE_COUNT]
        if rare_symbols:
            yield _of_symbols("rare-symbols", statistics, side, rare_symbols, first, is_token, f"of {len(counts):,}")


def unseen(train: PairStatistics, held_out: PairStatistics, units: Sequence[str]) -> Iterator[RawFinding]:
    """Symbols of a held-out set that do not occur in the training set; one finding per side."""
    for known, side, unit in zip(train.sides, held_out.sides, units, strict=True):
        if unit in VALUE_UNITS:
            continue
        seen, _, is_token = _symbols(known, unit)
        if (
            is_token and side.tokens is None
        ):  # too many tokens for symbols, nearly all unseen: compare characters instead
            seen, _, is_token = _symbols(known, "characters")
        counts, first, _ = _symbols(side, unit if is_token else "characters")
        new = [symbol for symbol in counts if symbol not in seen]
        if new:
            yield _of_symbols("unseen-symbols", held_out, side, new, first, is_token, f"not in {train.name}")


def _symbols(side: SideStatistics, unit: str) -> tuple[Mapping[str, int], Mapping[str, tuple[int, str]], bool]:
    """The frequency and first occurrence of each symbol; True if symbols are tokens between blanks, or tags."""
    if unit == "tags" and side.tokens is not None:
        counts: Counter[str] = Counter()
        first: dict[str, tuple[int, str]] = {}
        for text, count in side.tokens.items():
            for tag in tags_in(text):
                counts[tag] += count
                first.setdefault(tag, side.first_token[text])
        return counts, first, True
    if unit == "symbols" and side.tokens is not None:
        return side.tokens, side.first_token, True
    return side.characters(), side.first, False


def _of_symbols(
    name: str,
    statistics: PairStatistics,
    side: SideStatistics,
    symbols: list[str],
    first: Mapping[str, tuple[int, str]],
    is_token: bool,
    relation: str,
) -> RawFinding:
    symbols = sorted(symbols)
    shown = [characters.visible(symbol) if is_token else characters.named(symbol) for symbol in symbols]
    more = f" and {len(symbols) - _NUM_NAMED} more" if len(symbols) > _NUM_NAMED else ""
    examples = [
        Example(statistics.files.origin(first[symbol][0]), first[symbol][1], f"{side.name}: {what}")
        for symbol, what in list(zip(symbols, shown, strict=True))[:_NUM_EXAMPLES]
    ]
    detail = f"{side.name}: {', '.join(shown[:_NUM_NAMED])}{more}, {relation}"
    return RawFinding(name, statistics, len(symbols), detail, examples=examples)


def inconsistent_variants(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Characters with several variants on one side: digits, quotation marks, hyphens, full-width letters."""
    for side in statistics.sides:
        counts = side.characters()
        digits: dict[str, list[str]] = {}
        for character in counts:
            family = characters.digit_family(character)
            if family is not None:
                digits.setdefault(family, []).append(character)
        yield from _variants("digits", statistics, side, counts, digits)
        # Accents and primes have a meaning of their own beside quotation marks; straight and curly are spellings.
        quotes = {variant: list(characters.QUOTES[variant]) for variant in ("straight", "curly")}
        yield from _variants("quotes", statistics, side, counts, quotes)
        yield from _variants(
            "hyphens", statistics, side, counts, {variant: [c] for variant, c in characters.HYPHENS.items()}
        )
        wide = [character for character in characters.WIDE if character in counts]
        twins = [characters.NARROW[characters.WIDE.index(character)] for character in wide]
        yield from _variants("full-width", statistics, side, counts, {"full-width": wide, "ordinary": twins})


def look_alikes(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Phonetic symbols beside characters that look like them; one finding per side."""
    for side in statistics.sides:
        counts = side.characters()
        both = {
            symbol: other
            for symbol, other in characters.PHONETIC.items()
            if min(counts.get(symbol, 0), counts.get(other, 0)) >= _LEAST_LOOK_ALIKES
        }
        if not both:
            continue
        shown = [
            f"{counts[each]:,} {characters.named(each)}, and {counts[other]:,} {characters.named(other)}"
            for each, other in both.items()
        ]
        firsts = sorted(side.first[other] + (other,) for other in both.values())
        examples = [
            Example(statistics.files.origin(line), text, f"{side.name}: {characters.named(other)}")
            for line, text, other in firsts
        ]
        column = 2 if side is statistics.target else 1
        changes = "; ".join(f'gsub(/{other}/, "{symbol}", ${column})' for symbol, other in both.items())
        yield RawFinding(
            "look-alikes",
            statistics,
            sum(counts[other] for other in both.values()),
            f"{side.name}: {'; '.join(shown)}",
            examples=examples[:_NUM_EXAMPLES],
            program=f"awk -F'\\t' -v OFS='\\t' {quoted(f'{{{changes}}} 1')}",
        )


def _variants(
    name: str,
    statistics: PairStatistics,
    side: SideStatistics,
    counts: Mapping[str, int],
    variants: Mapping[str, list[str]],
) -> Iterator[RawFinding]:
    """A finding if several variants occur; the count is that of all but the most frequent one."""
    found = {variant: sum(counts.get(each, 0) for each in members) for variant, members in variants.items()}
    order = sorted((variant for variant in found if found[variant]), key=lambda variant: -found[variant])
    if len(order) < 2:
        return
    examples = []
    for variant in order[1:]:
        occurrences = [(side.first[each], each) for each in variants[variant] if each in counts]
        (line, text), character = min(occurrences)
        shown = f"{side.name}: {characters.named(character)}"
        examples.append(Example(statistics.files.origin(line), text, shown))
    detail = f"{side.name}: " + ", ".join(f"{found[variant]:,} {variant}" for variant in order)
    count = sum(found[variant] for variant in order[1:])
    yield RawFinding(name, statistics, count, detail, examples=examples[:_NUM_EXAMPLES])


def mixed_scripts(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Texts whose letters are mostly in another script than those of the side."""
    for side in statistics.sides:
        scripts = side.scripts
        amounts = np.bincount(scripts[scripts != characters.NO_SCRIPT])
        if np.count_nonzero(amounts) < 2:
            continue
        main = int(amounts.argmax())
        other = (scripts != main) & (scripts != characters.NO_SCRIPT)
        named = {characters.script_name(int(variant)): int(amounts[variant]) for variant in np.flatnonzero(amounts)}
        order = sorted(named, key=lambda name: -named[name])
        detail = f"{side.name}: " + ", ".join(f"{named[name]:,} {name}" for name in order)
        rows = [(int(row), side.name) for row in np.flatnonzero(other)[:_NUM_EXAMPLES]]
        yield RawFinding("scripts", statistics, int(other.sum()), detail, rows)
