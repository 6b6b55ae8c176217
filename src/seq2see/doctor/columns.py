"""Findings about whole columns: names of files, constants, swapped columns, case, and tags in several orders."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import combinations

import numpy as np
import numpy.typing as npt

from seq2see.data.header import BESIDE, FEATURES
from seq2see.data.layout import TAB
from seq2see.data.table import Format, TableFormat
from seq2see.data.unreadable import kinds_of, require_readable, usual_widths
from seq2see.data.values import located
from seq2see.doctor.characters import visible
from seq2see.doctor.pair_statistics import PairStatistics
from seq2see.doctor.raw_findings import RawFinding
from seq2see.doctor.report import Example, SeenValues
from seq2see.doctor.rows import Faults, PairSource
from seq2see.doctor.side_statistics import SideStatistics
from seq2see.errors import DataError
from seq2see.printable import quoted
from seq2see.text.fields import VALUE_UNITS, ValueUnit, fields_of

MOSTLY = 0.9
"""Share of the texts of a column that have to be names of files."""
NUM_EXAMPLES = 3
MIN_TEXTS = 20
"""Fewer texts say nothing about a column."""
MARGIN = 0.1
"""Swapped columns have this much more in common with the other column than with their own, both of them."""
ENOUGH = {"characters": 0.5, "words": 0.2}
"""What swapped columns have in common with the other column, at least."""
_MAY_BE_EMPTY = BESIDE - {*FEATURES}
"""Usual names of source columns that belong to another one and are often empty."""
MIN_LETTERS = 20
CASE_SHARE = 0.01
"""Share of the letters of a set that are in a case which the other set lacks, at least."""
SORT_TAGS = "python3 -c " + quoted(
    'import re, sys; [f.reconfigure(encoding="utf-8", newline="") for f in (sys.stdin, sys.stdout)]; '
    r'[print(re.sub(r"[^\t\r\n]+", lambda cell: re.sub(r"[^;|]+(?:([;|])[^;|]+)+", '
    r'lambda tags: tags[1].join(sorted(re.split("[;|]", tags[0]))), cell[0]), line), end="") for line in sys.stdin]'
)
"""Sorts the tags in each column of a table."""
_AS_FILES = (
    "leave out the others, and write sounds as arrays (.npy): if all are names of pictures, or all of arrays, "
    "the files are read (text.source=picture, text.source=vectors)"
)
WITHOUT_NUMBERS = "awk -F '\\t' -v OFS='\\t' '{ sub(/#[0-9]+[ ]*$/, \"\", $1); print }'"
"""Leaves out the number after the name of a file in the source, as in 1.jpg#0."""
_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?"
"""As in JSON."""
_NUMBERS = re.compile(rf" *{_NUMBER}(?: +{_NUMBER})* *")
AS_LISTS = 'awk -F \'\\t\' -v OFS=\'\\t\' \'{ gsub(/^ +| +$/, "", $1); gsub(/ +/, ", ", $1); $1 = "[" $1 "]"; print }\''
"""Makes a list in JSON of numbers divided by blanks in the source."""
SWAP = "awk -F '\\t' -v OFS='\\t' '{ print $2, $1 }'"


# --- of one set ------------------------------------------------------------------------------------------------------


def names_of_files(side: SideStatistics) -> str:
    """How many texts of a column are names of files, by extension; empty if it is not mostly such names."""
    count = side.extensions.total()
    if count < MOSTLY * len(side.lengths) or count < 2:
        return ""
    return ", ".join(f"{number:,} {extension}" for extension, number in side.extensions.most_common(4))


def is_series_of_decimals(side: SideStatistics) -> bool:
    """Whether all texts of a column are series of numbers, most of which have decimals.

    Whole numbers may be tokens, as in `3 1 2` that are to be sorted.
    """
    texts = [text for text in side.sample if text.strip()]
    if len(texts) < MIN_TEXTS or not all(map(_NUMBERS.fullmatch, texts)):
        return False
    numbers = [number for text in texts for number in text.split()]
    return len(numbers) >= 2 * len(texts) and 2 * sum("." in number for number in numbers) >= len(numbers)


def series_as_text(statistics: PairStatistics, units: Sequence[str]) -> Iterator[RawFinding]:
    """Source columns of series of numbers that would be read as texts."""
    for side, unit in zip(statistics.sides[:-1], units, strict=False):
        if unit not in VALUE_UNITS and is_series_of_decimals(side):
            program = AS_LISTS if len(statistics.sides) == 2 else ""
            rows = [(0, side.name), (1, side.name)]
            yield RawFinding("series-as-text", statistics, len(statistics), side.name, rows, program=program)


def with_installed(kinds: Mapping[int, ValueUnit]) -> dict[int, ValueUnit]:
    """The kinds of fields that can be read here: without Pillow, pictures can't."""
    return {at: kind for at, kind in kinds.items() if kind != "picture" or find_spec("PIL") is not None}


def widths_in(files: PairSource, kinds: Mapping[int, ValueUnit]) -> dict[int, int]:
    """The number of values that most vectors of each such field of the files have: see `usual_widths`."""
    folder = files.paths[0].parent
    blocks = files.blocks(Faults()) if "vectors" in kinds.values() else ()
    return usual_widths(kinds, (source for block in blocks for source in located(block.sources, folder)))


def unreadable(statistics: PairStatistics, units: Sequence[str]) -> Iterator[RawFinding]:
    """Pictures (where Pillow is installed) and series that can't be read, by the column that names them."""
    kinds = with_installed(kinds_of(units[:-1]))
    if not kinds:
        return
    counts = Counter[int]()
    examples: dict[int, list[Example]] = {at: [] for at in kinds}
    folder, widths = statistics.files.paths[0].parent, widths_in(statistics.files, kinds)
    for block in statistics.files.blocks(Faults()):
        for source, line in zip(located(block.sources, folder), block.lines.tolist(), strict=True):
            fields = fields_of(source)
            for at, kind in kinds.items():
                if not fields[at].strip():
                    continue
                try:
                    require_readable(kind, fields[at], origin := statistics.files.origin(line), widths.get(at))
                except DataError as error:
                    counts[at] += 1
                    if counts[at] <= NUM_EXAMPLES:
                        examples[at].append(Example(origin, fields[at], error.what))
    for at, count in counts.items():
        yield RawFinding("unreadable", statistics, count, statistics.sides[at].name, examples=examples[at])


def is_constant(side: SideStatistics) -> bool:
    """Whether all texts of a column are the same."""
    return len(side.hashes) >= MIN_TEXTS and bool((side.hashes == side.hashes[0]).all())


def of_files(statistics: PairStatistics, units: Sequence[str]) -> Iterator[RawFinding]:
    """Source columns of names of files that would be read as texts."""
    for side, unit in zip(statistics.sides[:-1], units, strict=False):
        if unit not in VALUE_UNITS and (found := names_of_files(side)):
            rows = [(0, side.name), (1, side.name)]
            remedy, program = _AS_FILES, ""
            if 2 * side.num_numbered > side.extensions.total():
                remedy, program = "leave out # and the number, which are no part of the names", WITHOUT_NUMBERS
            detail, count = f"{side.name}: {found}", side.extensions.total()
            yield RawFinding("file-names", statistics, count, detail, rows, remedy=remedy, program=program)


def are_merged(side: SideStatistics, sources: npt.NDArray[np.int64], lines: npt.NDArray[np.integer]) -> bool:
    """Whether a source column is empty in most rows, and the same sources recur there, in other lines.

    `sources` are hashes of whole sources. Columns such as the input of an instruction and the context of a question are
    none, since they may be empty.
    """
    if side.name.casefold().rpartition(".")[2] in _MAY_BE_EMPTY:  # a key in JSON may be of an object in an object
        return False
    empty = side.lengths == 0
    num = int(empty.sum())
    if len(empty) < MIN_TEXTS or not len(empty) / 2 < num < len(empty):
        return False
    num_of_lines = len(np.unique(np.stack([sources[empty], lines[empty].astype(np.int64)]), axis=1)[0])
    return 2 * len(np.unique(sources[empty])) <= num_of_lines


def merged_cells(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Source columns that are filled only at the start of several rows, as where cells were merged."""
    sources, lines = statistics.source.hashes, statistics.lines
    merged = [at for at, side in enumerate(statistics.fields) if are_merged(side, sources, lines)]
    for side in map(statistics.fields.__getitem__, merged):
        empty = np.flatnonzero(side.lengths == 0)
        detail, rows = f"{side.name}, of {len(statistics):,}", [(int(row), side.name) for row in empty[:NUM_EXAMPLES]]
        program = _filling_down(statistics.files.format, merged)
        yield RawFinding("merged-cells", statistics, len(empty), detail, rows, program=program)


def _filling_down(chosen: Format | None, columns: Sequence[int]) -> str:
    """The program that fills these source columns of a table down; empty where it has lines that are no rows."""
    if not isinstance(chosen, TableFormat) or chosen.layout.delimiter not in (TAB, ",", ";"):
        return ""
    layout = chosen.layout
    if layout.comments or layout.marks or layout.has_row_names:
        return ""
    quoting = "skipinitialspace=True" if layout.is_quoted else "quoting=csv.QUOTE_NONE, quotechar=None"
    places = ", ".join(str(chosen.source[at]) for at in columns)
    return "python3 -c " + quoted(
        'import csv, itertools, sys; [f.reconfigure(encoding="utf-8", newline="") for f in (sys.stdin, sys.stdout)]; '
        f"how = dict(delimiter={json.dumps(layout.delimiter)}, {quoting}); "
        'csv.writer(sys.stdout, lineterminator="\\n", **how).writerows(itertools.accumulate('
        "filter(None, csv.reader(sys.stdin, **how)), lambda above, row: "
        f'[cell.strip() or "".join(above[at : at + 1]) if at in ({places},) else cell for at, cell in enumerate(row)]))'
    )


def constant(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Columns in which all texts are the same; a source of one column is another finding."""
    sides = statistics.sides if len(statistics.sides) > 2 else statistics.sides[1:]
    for side in filter(is_constant, sides):
        yield RawFinding("constant", statistics, 1, side.name, [(0, side.name)])


def tag_orders(statistics: PairStatistics) -> Iterator[RawFinding]:
    """Columns in which the same tags are in several orders."""
    for side in statistics.sides:
        sets: dict[tuple[str, ...], list[str]] = {}
        for text in side.tag_lists():
            sets.setdefault(side.tags_of(text), []).append(text)
        several = [sorted(texts, key=lambda text: -side.tag_lists()[text]) for texts in sets.values() if len(texts) > 1]
        if several:
            count = sum(side.tag_lists()[text] for usual, *others in several for text in others)
            yield _of_tags(statistics, side, count, [(usual, other) for usual, other, *_ in several], statistics.name)


def _of_tags(
    statistics: PairStatistics, side: SideStatistics, count: int, both: Sequence[tuple[str, str]], elsewhere: str
) -> RawFinding:
    first, other = both[0]
    where = "" if elsewhere == statistics.name else f" in {elsewhere}"
    detail = f"{side.name}: {visible(other)}, and {visible(first)}{where}"
    examples = [
        Example(statistics.files.origin(side.first_list[text]), text, f"{side.name}: {first}")
        for first, text in both[:3]
    ]
    return RawFinding("tag-order", statistics, count, detail, examples=examples, program=SORT_TAGS)


# --- of a held-out set against the training set ----------------------------------------------------------------------


def seen_values(train: PairStatistics, held_out: PairStatistics) -> tuple[SeenValues, ...]:
    """How many values of the first source column, and of the others together, are in the training set."""
    if len(train.sides) != len(held_out.sides) or len(train.sides) < 3:
        return ()
    first, *others = train.sides[:-1]
    names = [first.name, others[0].name if len(others) == 1 else "the other source columns"]
    found = []
    for name, columns in zip(names, (slice(0, 1), slice(1, -1)), strict=True):
        own, known = (np.unique(_joined(each.sides[columns])) for each in (held_out, train))
        found.append(SeenValues(name, int(np.isin(own, known).sum()), len(own)))
    return tuple(found)


def _joined(sides: Sequence[SideStatistics]) -> npt.NDArray[np.uint64]:
    """A hash of the texts of several columns together."""
    hashes = np.zeros(len(sides[0].hashes), np.uint64)
    for side in sides:
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) ^ side.hashes.view(np.uint64)
    return hashes


def swapped(train: PairStatistics, held_out: PairStatistics) -> Iterator[RawFinding]:
    """Two columns that have the vocabulary of each other in the training set."""
    if min(len(train), len(held_out)) < MIN_TEXTS:
        return
    for first, second in combinations(range(len(train.sides)), 2):
        for unit in ENOUGH:
            known, own = ([shares(each.sides[at], unit) for at in (first, second)] for each in (train, held_out))
            straight = [in_common(own[at], known[at]) for at in (0, 1)]
            crossed = [in_common(own[at], known[1 - at]) for at in (0, 1)]
            if min(crossed) >= ENOUGH[unit] and all(
                there > here + MARGIN for there, here in zip(crossed, straight, strict=True)
            ):
                sides = [held_out.sides[at].name for at in (first, second)]
                detail = f"{sides[0]} and {sides[1]}, by their {unit}, as against {train.name}"
                program = SWAP if len(train.sides) == 2 else ""
                yield RawFinding("swapped", held_out, 2, detail, [(0, ""), (1, "")], program=program)
                break


def shares(side: SideStatistics, unit: str) -> Mapping[str, float]:
    """The relative frequency of each character, or of each word of a sample."""
    counts = Counter(side.characters())
    if unit == "words":
        counts = Counter(word for text in side.sample for word in text.split())
    counts.pop(" ", None)
    total = max(1, counts.total())
    return {symbol: count / total for symbol, count in counts.items()}


def in_common(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """1 for the same distribution, 0 for two without a common symbol: 1 - total variation distance."""
    return sum(min(share, other[symbol]) for symbol, share in one.items() if symbol in other)


def one_sided_case(train: PairStatistics, held_out: PairStatistics, units: Sequence[str]) -> Iterator[RawFinding]:
    """Columns with capitals, or small letters, in only one of the two sets."""
    for known, side, unit in zip(train.sides, held_out.sides, units, strict=True):
        if unit in VALUE_UNITS:
            continue
        (upper, lower), (upper_here, lower_here) = letters(known), letters(side)
        if min(upper + lower, upper_here + lower_here) < MIN_LETTERS:
            continue
        kinds = [("capitals", upper, upper_here), ("small letters", lower, lower_here)]
        for name, there, here in sorted(kinds, key=lambda kind: kind[1] > 0):  # what is new to the model first
            all_there, all_here = upper + lower, upper_here + lower_here
            only_here = there == 0 and here >= max(2, CASE_SHARE * all_here)
            only_there = here == 0 and there >= CASE_SHARE * all_there and there * all_here >= MIN_LETTERS * all_there
            if only_here or only_there:
                where = f"none in {train.name}" if only_here else f"{there:,} in {train.name}"
                fold = "train with text.case=fold, or " if side is not held_out.sides[-1] else ""
                yield RawFinding(
                    "case",
                    held_out,
                    here or there,
                    f"{side.name}: {f'{here:,}' if here else 'no'} {name}, {where}",
                    remedy=f"{fold}write both sets in one case",
                )
                break


def letters(side: SideStatistics) -> tuple[int, int]:
    """The number of upper-case and of lower-case letters."""
    counts = side.characters()
    return tuple(sum(count for letter, count in counts.items() if test(letter)) for test in (str.isupper, str.islower))  # type: ignore[return-value]


def tag_orders_against(train: PairStatistics, held_out: PairStatistics) -> Iterator[RawFinding]:
    """Columns whose tags are in another order than in the training set."""
    for known, side in zip(train.sides, held_out.sides, strict=True):
        usual = {known.tags_of(text): text for text in known.tag_lists()}
        others = [text for text in side.tag_lists() if text not in known.tag_lists() and side.tags_of(text) in usual]
        if others:
            count = sum(side.tag_lists()[text] for text in others)
            yield _of_tags(held_out, side, count, [(usual[side.tags_of(text)], text) for text in others], train.name)
