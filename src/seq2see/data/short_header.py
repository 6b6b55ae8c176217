"""The error for a table whose header has fewer names than its rows have cells, with the columns that may be meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from seq2see.data.cells import are_labels, are_numbers, are_tags, is_constant
from seq2see.data.choosing import ChoiceError, has_more
from seq2see.data.header import FEATURES, IDENTIFIERS, has_usual_names, usual_columns
from seq2see.data.layout import CSV_DELIMITERS, TAB, Layout
from seq2see.data.lines import shortened
from seq2see.data.options import TableOptions, flags_of


def short_header_error(
    layout: Layout, names: Sequence[str], rows: Sequence[Sequence[str]], where: str, asked: TableOptions
) -> ChoiceError:
    """The error for a header with fewer names than rows have cells, with the numbers of columns that may be meant."""
    choices, may_be_divided = _choices_below(layout, names, rows, asked)
    if not has_usual_names(names):
        choices = [replace(each, header="yes") for each in choices]
    shown = [", ".join(shortened(names)), " | ".join(shortened(next(row for row in rows if has_more(row, names))))]
    what = f"the header has {len(names)} names ({shown[0]}), and rows have {layout.num_columns} cells ({shown[1]})"
    fix = f"choose columns by number: {', or '.join(' '.join(flags_of(each)) for each in choices)}"
    fix += "; or add the names that are missing"
    if may_be_divided:
        fix += f"; or put each text with {layout.delimiter} inside in quotation marks"
    return ChoiceError(what, where=where, fix=fix, likely=choices[0])


def _choices_below(
    layout: Layout, names: Sequence[str], rows: Sequence[Sequence[str]], asked: TableOptions
) -> tuple[list[TableOptions], bool]:
    """The columns that may be meant by a header with fewer names than rows have cells, the likeliest first.

    And whether the delimiter may be inside texts: then the columns after it are further to the right than their names.
    Otherwise, a column without a name comes first, as the numbers of rows, or last, as numbers, tags or notes.
    """
    lower, num = [name.casefold() for name in names], layout.num_columns
    cells = [[row[at] for row in rows] for at in range(num)]
    filled = [at for at in range(num) if any(cell.strip() for cell in cells[at])]
    more = [at for at in filled if at >= len(names)]
    source, target = _named_columns(lower, asked)
    may_be_divided = layout.delimiter in CSV_DELIMITERS and layout.delimiter != TAB and not layout.is_quoted
    tags = [at for at, name in enumerate(lower) if name in FEATURES]
    are_divided = may_be_divided and tags and not are_tags(cells[tags[0]])
    if are_divided and not (tags[0] < target and all(are_numbers(cells[at]) for at in more)):
        after = target + num - len(names) if tags[0] < target else target
        return [_by_number([at for at in filled if at != after], after)], True
    are_more_tags = not tags and all(are_tags(cells[at]) for at in more)
    in_place = _by_number([*source, *(more if are_more_tags else [])], target)
    if any(_are_no_texts(cells[at]) for at in more):
        return [in_place], False
    has_identifiers = lower[0] in IDENTIFIERS
    after_first = _by_number([at + 1 for at in source], target + 1)
    if are_numbers(cells[0]) and not has_identifiers:
        return [after_first, in_place], False
    if may_be_divided:
        return [in_place, _by_number([at for at in filled[:-1] if at >= min(source)], filled[-1])], True
    may_be_names = len(set(cells[0])) == len(cells[0]) and all(cell.strip() for cell in cells[target + 1])
    return [in_place, after_first] if may_be_names and not has_identifiers else [in_place], False


def _named_columns(lower: Sequence[str], asked: TableOptions) -> tuple[Sequence[int], int]:
    """The columns of source and target that are asked for by these names, or else usual ones, or the first two."""
    own = [name.casefold() for name in asked.source]
    if own and asked.target and {*own, asked.target.casefold()} <= {*lower}:
        return [lower.index(name) for name in own], lower.index(asked.target.casefold())
    return usual_columns(lower) or ((0,), 1)


def _are_no_texts(column: Sequence[str]) -> bool:
    """Whether the cells are numbers, tags, labels or the same in all rows."""
    return are_numbers(column) or are_tags(column) or are_labels(column) or is_constant(column)


def _by_number(source: Iterable[int], target: int) -> TableOptions:
    """The options that choose these columns, which are counted from 0."""
    return TableOptions(source=tuple(str(at + 1) for at in source), target=str(target + 1))
