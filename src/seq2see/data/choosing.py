"""Which format a file has, told from its first lines and the options, and which of its columns are read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from seq2see.data.advice import for_language_model
from seq2see.data.cells import (
    are_addresses,
    are_labels,
    are_numbers,
    are_origins,
    are_running_numbers,
    are_segments,
    are_tags,
    is_constant,
)
from seq2see.data.digits import whole_number
from seq2see.data.header import BESIDE, usual_columns
from seq2see.data.json_table import UnknownColumnError, is_json_text, json_format, same_column
from seq2see.data.layout import (
    CONLLU_COLUMNS,
    TAB,
    Layout,
    delimiter_called,
    delimiter_name,
    is_of_blanks,
    layout_of,
    records,
)
from seq2see.data.lines import Columns
from seq2see.data.options import TableOptions, whole_names
from seq2see.data.probabilities import PROBABILITIES
from seq2see.data.table import Format, TableFormat
from seq2see.data.text_lines import TextFormat
from seq2see.errors import DataError, did_you_mean
from seq2see.printable import listed, quoted
from seq2see.text.tokenizers import are_spaced_tags

MAX_LINES = 2_000
"""Lines that the format is told from."""
MAX_BYTES = 4_000_000
"""Bytes after which no further line is looked at for this."""
JSON_EXTENSIONS = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "JSON"),
    ".parquet": "Parquet",
    ".tmx": "TMX",
    **dict.fromkeys((".xliff", ".xlf"), "XLIFF"),
    **dict.fromkeys((".po", ".pot"), "gettext"),
}
"""Extensions of files that are read as one JSON value per line, and what the file is called.

The lines of all but the first two are made.
"""
TABLE_EXTENSIONS = (".csv", ".tsv")
"""Extensions of tables."""
_HALF = 0.5
_NUM_OWN: dict[Columns, int] = {"pairs": 2, "target": 1}
_MAX_SHOWN = 40
_NUMBERED_SOURCE = re.compile(r"source\.\d+")
"""What a clean copy calls several source columns without names."""


class ChoiceError(DataError):
    """Columns that could be paired in several ways, with those that are `likely`; none if there is no telling."""

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        fix: str = "",
        likely: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.likely = likely


def beginning(lines: Iterable[bytes]) -> list[str]:
    """The first lines as text, without their ends."""
    found, size = [], 0
    for line in itertools.islice(lines, MAX_LINES):
        found.append(line.removesuffix(b"\n").removesuffix(b"\r").decode(errors="replace"))
        size += len(line)
        if size > MAX_BYTES:
            break
    if found:
        found[0] = found[0].removeprefix("\ufeff")
    return found


def extension(path: Path) -> str:
    """The extension, without .gz."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def is_json(path: Path) -> bool:
    """Whether the extension is that of JSON, or of what is read as JSON."""
    return extension(path) in JSON_EXTENSIONS


def format_of(
    head: Sequence[str],
    options: TableOptions,
    where: str,
    *,
    columns: Columns = "pairs",
    extra: Sequence[str] = (),
    has_target: bool = True,
) -> Format:
    """The format of a file that begins with these lines, and the columns to read of it.

    `extra` are columns to read in addition, by name or number. DataError for a column that isn't there, and where
    several columns could be meant, with the options that choose some.
    """
    has_source = columns == "pairs"
    if not has_source:
        options = of_one_column(options, where)
    if is_json(Path(where)) or (options.delimiter is None and is_json_text(head)):
        found = json_format(
            head, options.source, options.target, extra, where=where, has_source=has_source, has_target=has_target
        )
        return found.of_kind(JSON_EXTENSIONS.get(extension(Path(where)), "JSON"), head)
    is_asked = bool(options.source or options.target is not None)
    if not has_source and not is_asked and not extra and not options.given().keys() - {"encoding", "names"}:
        from seq2see.data.text_columns import table_of_texts  # only here: most models have sources

        return table_of_texts(head, options, where) or TextFormat()
    wanted = (*options.source, *([options.target] if options.target and has_target else []), *extra)
    layout = _layout(head, options, where, wanted, needs_two=has_source and not is_asked and not extra)
    if options.delimiter is not None and layout.num_columns == 1 and has_source and has_target:
        raise _undivided(head, options, wanted, where)
    rows, names = rows_of(head, layout), names_of(layout, options)
    if have_more_cells(rows, names):  # the names are not those of the cells below, except perhaps of the first ones
        numbers = (*options.source, *([] if options.target is None else [options.target]), *extra)
        if len(names) > 1 and not (is_asked and all(map(str.isdecimal, numbers))):
            from seq2see.data.short_header import short_header_error  # only here: most headers are whole

            raise short_header_error(layout, names, rows, where, options)
        names = ()
    if not is_asked and not extra and layout.num_columns == 2 and has_source and not names:
        return TableFormat(layout) if has_target else TableFormat(layout, (0,), None)
    options = replace(options, source=whole_names(options.source, names or options.names))
    finder = _Finder(layout, names, options, rows, where, has_target=has_target)
    reason = ""
    source: tuple[int, ...]
    target: int | None
    if is_asked:
        source = tuple(map(finder.find, options.source)) if has_source else ()
        target = finder.find(options.target) if options.target is not None and has_target else None
        if has_target and options.target is None:
            target = finder.other(source)
        if has_source and not source:
            source = (finder.other((target,) if target is not None else ()),)
        if target in source:
            raise same_column(str(options.target), where)
    elif not has_source:
        from seq2see.data.text_columns import text_column

        source, target = (), 0 if extra else text_column(layout, names, rows, where)
    elif extra and layout.delimiter == TAB and not names:
        source, target = (0,), 1
    elif not has_target and layout.num_columns == 1:
        source, target = (0,), None
    else:
        others = [finder.find(each) for each in extra]
        source, target, reason = _chosen(layout, names, rows, where, others)
    if not has_target:
        target = None
    taken = (target,) if len(source) > 1 else (*source, target)
    own = tuple(finder.find_extra(each, taken) for each in extra)
    used = {*source, target, *own}
    filled = [at for at in range(layout.num_columns) if any(row[at].strip() for row in rows if at < len(row))]
    unused = tuple(at for at in filled if at not in used) if not (extra and not is_asked) else ()
    for at in used - {None} - set(own):
        if rows and at not in filled:
            called = TableFormat(layout, names=names).called(at or 0)
            raise UnknownColumnError(
                f"column {called} is empty", where=where, fix="choose others with --source and --target"
            )
    is_exact = bool(names) or layout.delimiter != TAB or not (is_asked or extra)
    return TableFormat(layout, source, target, own, names, is_exact, reason, unused)


def _layout(
    head: Sequence[str], options: TableOptions, where: str, wanted: Sequence[str], *, needs_two: bool
) -> Layout:
    """The layout of these lines: of a table source TAB target even where many lines are something else."""
    num_lines = sum(bool(line.strip()) for line in head)
    if any("\r" in line for line in head):
        return Layout()  # line ends of classic Mac OS, which are said of each line
    layout = layout_of(head, options, wanted, is_sure=extension(Path(where)) == ".csv")
    if layout is not None and (layout.delimiter == PROBABILITIES or (layout.delimiter, layout.num_columns) == (TAB, 2)):
        return layout
    num_pairs = sum(line.count("\t") == 1 and bool(line.strip()) for line in head)
    if options.delimiter in (None, "tab") and num_pairs > _HALF * num_lines:
        has_records = layout is not None and layout.delimiter == TAB and layout.is_quoted
        if not has_records:
            return Layout(comments=tuple((options.comment or "").split()))
    if layout is None and options.delimiter is not None:
        wanted = delimiter_called(options.delimiter)
        raise UnknownColumnError(f"no line has the delimiter {wanted!r}", where=where, fix="give another --delimiter")
    may_be_single = layout is None or (options.delimiter is None and is_of_blanks(delimiter_name(layout.delimiter)))
    if may_be_single and wanted and not needs_two and (single := _single_column(head, options, wanted, where)):
        return single
    if layout is None:
        num = max((line.count("\t") + 1 for line in head), default=1)
        return Layout(num_columns=2 if needs_two else num, comments=tuple((options.comment or "").split()))
    return layout


def _undivided(head: Sequence[str], options: TableOptions, wanted: Sequence[str], where: str) -> DataError:
    """The error for a delimiter that most lines do not have, with the one that they have."""
    found = layout_of(head, replace(options, delimiter=None), wanted, is_sure=extension(Path(where)) == ".csv")
    fix = "give another --delimiter"
    if found is not None and found.num_columns > 1:
        fix = f"leave --delimiter out: it has {found.describe()}"
    what = f"has only one column: most lines don't have the delimiter {delimiter_called(options.delimiter or '')!r}"
    return UnknownColumnError(what, where=where, fix=fix)


def _single_column(head: Sequence[str], options: TableOptions, wanted: Sequence[str], where: str) -> Layout | None:
    """The layout of one column under its name; None if the first line isn't that name."""
    is_csv = extension(Path(where)) == ".csv" and any(line.startswith('"') for line in head)
    found = layout_of(head, replace(options, delimiter="comma" if is_csv else "tab"), wanted)
    return found if found is not None and found.num_columns == 1 and set(found.header) == set(wanted) else None


def names_of(layout: Layout, options: TableOptions) -> tuple[str, ...]:
    """The names of the columns: those of the header, or those given for a table without one; empty if it has none."""
    if layout.header:
        return layout.names
    return options.names if len(options.names) == layout.num_columns else ()


def rows_of(head: Sequence[str], layout: Layout) -> list[list[str]]:
    """The cells of the first lines, without the header."""
    lines = [line for line in head if line.strip()]
    if layout.is_quoted:
        found = records(lines, layout.delimiter, layout.is_comment)
        rows = [cells for _, _, cells in found if isinstance(cells, list)]
    else:
        rows = [layout.split(line) for line in lines if not layout.is_comment(line)]
    return [row for row in rows[bool(layout.header) :] if len(row) == layout.num_columns]


class _Finder:
    """Finds columns by name or number. UnknownColumnError for one that isn't there."""

    def __init__(
        self,
        layout: Layout,
        names: tuple[str, ...],
        options: TableOptions,
        rows: Sequence[Sequence[str]],
        where: str,
        *,
        has_target: bool,
    ) -> None:
        self.layout, self.names, self.options, self.rows, self.where = layout, names, options, rows, where
        self.asked = [*options.source, *([options.target] if options.target else [])]
        self.has_target = has_target

    def find(self, name: str) -> int:
        """The column, counted from 0."""
        if self.names.count(name) > 1:
            what = _both_named(name, self.names)
            raise UnknownColumnError(what, where=self.where, fix="give a number instead")
        if name in self.names:
            return self.names.index(name)
        num = self.layout.num_columns
        if name.isdecimal() and (number := whole_number(name)) != 0:
            if number is None or number > num:
                fix = f"give 1 to {num}" + (f", or a name: {', '.join(self.names)}" if self.names else "")
                what = f"there is no column {name:.40}; found {num}"
                raise UnknownColumnError(what, where=self.where, fix=fix, is_missing=True)
            return number - 1
        if self.names:
            fix = did_you_mean(name, self.names)
            raise UnknownColumnError(f"unknown column {name!r}", where=self.where, fix=fix, names=self.names)
        if self.layout.is_conllu:
            if name.casefold() in CONLLU_COLUMNS:
                return CONLLU_COLUMNS.index(name.casefold())
            fix = did_you_mean(name.casefold(), CONLLU_COLUMNS)
            what = f"unknown column {name!r} of CoNLL-U"
            raise UnknownColumnError(what, where=self.where, fix=fix, names=CONLLU_COLUMNS)
        if name in self.options.names:  # of the table that a model was trained on, which had a header
            return self._position(name)
        first = ", ".join(f"{at} is {cell[:_MAX_SHOWN]!r}" for at, cell in enumerate(self._first(), start=1))
        what = f"unknown column {name!r}: there is no header"
        fix = f"give numbers ({first}), or the names of all columns with --names"
        if not self.has_target and num >= len(self.options.source):
            fix = self._numbers(len(self.options.source))
        raise UnknownColumnError(what, where=self.where, fix=fix)

    def _position(self, name: str) -> int:
        """The place of a known name in a table without a header that has the same columns, or only those asked for.

        Texts to answer may have those of the source alone, if it is said that there is no header.
        """
        known = [each for each in self.options.names if each in self.asked]
        if len(known) == self.layout.num_columns:
            return known.index(name)
        are_sources = not self.has_target and self.options.header == "no"
        if are_sources and len(self.options.source) == self.layout.num_columns:
            return self.options.source.index(name)
        num, num_here = len(self.options.names), self.layout.num_columns
        found = f"{num_here} columns, and no header that names them" if num_here > 1 else "one column without a name"
        are_known = f"known are {num} columns" if num > 1 else "known is one column"
        what = f"has {found}; {are_known}: {', '.join(self.options.names)}"
        raise UnknownColumnError(what, where=self.where, fix=self._numbers(max(1, len(self.options.source))))

    def _numbers(self, num_source: int) -> str:
        """How to name columns that have no names."""
        num, needed = self.layout.num_columns, num_source + self.has_target
        if num < needed:
            return f"give a table with the {needed} columns that are read: {', '.join(self.asked[:needed])}"
        numbers = ",".join(str(at + 1) for at in range(num_source))
        target = f" --target {needed}" if self.has_target else ""
        if num > 1:
            fix = f"give the numbers of the columns that are there, such as --source {numbers}{target}"
            names = self._first()[:num_source]
            if not self.has_target and names and not any("," in name for name in names):
                fix += f", or their names, if the first line has them: --source {quoted(','.join(names))}"
            return fix
        first = quoted(self._first()[0]) if self._first() else "NAME"
        return f"give its number: --source 1, or the name in its first line, if it is one: --source {first}"

    def _first(self) -> Sequence[str]:
        return self.rows[0] if self.rows else ()

    def other(self, taken: Sequence[int | None]) -> int:
        """The only column that is left. UnknownColumnError if there are several."""
        left = [at for at in range(self.layout.num_columns) if at not in taken]
        by_name = [at for at in left if at < len(self.names) and self.names[at] in ("source", "target", "form")]
        if self.layout.num_columns == 1:
            fix = f"name a table of two columns, or two parallel files; {for_language_model(self.where)}"
            raise UnknownColumnError("has only one column, where source and target are two", where=self.where, fix=fix)
        if len(left) != 1 and len(by_name) != 1:
            own, others = ",".join(map(quoted, self.asked)), [self._called(at) for at in left] or ["…"]
            source, target = (others[0], own) if self.options.target is not None else (own, others[0])
            fix = f"give both, such as --source {source} --target {target}"
            raise UnknownColumnError("one side is named, and the other could be any column", where=self.where, fix=fix)
        return (by_name if len(by_name) == 1 else left)[0]

    def _called(self, at: int) -> str:
        """What a column is called in an option."""
        return quoted(self.names[at] if at < len(self.names) else str(at + 1))

    def find_extra(self, name: str, taken: Sequence[int | None]) -> int:
        """A column in addition to those of the pair, or one of several that the source has, such as the language."""
        at = self.find(name)
        if at in taken:
            what = f"column {name} is source or target already"
            raise UnknownColumnError(what, where=self.where, fix="name another column")
        return at


def _chosen(
    layout: Layout, names: Sequence[str], rows: Sequence[Sequence[str]], where: str, others: Sequence[int] = ()
) -> tuple[tuple[int, ...], int, str]:
    """The columns of source and target, none of `others`, and why. ChoiceError where it isn't plain or possible."""
    if layout.is_conllu:
        fix = (
            "choose columns: --source form --target lemma, --source form,upos --target lemma (with its part of speech)"
        )
        what, likely = (
            "is CoNLL-U, whose columns can be paired in several ways",
            TableOptions(source=("form",), target="lemma"),
        )
        raise ChoiceError(what, where=where, fix=fix, likely=likely)
    if layout.num_columns < 2:
        raise ChoiceError("has only one column", where=where, fix="give another --delimiter")
    lower = [name.casefold().strip("#\"' ") for name in names]
    usual = usual_columns(lower)
    if usual and all(lower.count(lower[at]) == 1 for at in (*usual[0], usual[1])):
        filled = [at for at in usual[0] if lower[at] not in BESIDE or any(row[at].strip() for row in rows)]
        return tuple(filled), usual[1], ""
    if layout.num_columns == 2:
        return (0,), 1, ""
    sources = sorted(at for at, name in enumerate(lower) if _NUMBERED_SOURCE.fullmatch(name))
    if sources and "target" in lower:
        return tuple(sources), lower.index("target"), ""
    cells = [[row[at] for row in rows] for at in range(layout.num_columns)]
    passed_over = {*others, 0} if layout.has_row_names else {*others}
    used = [at for at, column in enumerate(cells) if at not in passed_over and any(cell.strip() for cell in column)]
    texts = [at for at in used if not (are_running_numbers(cells[at]) or is_constant(cells[at]))]
    tags = [at for at in texts if are_tags(cells[at]) or are_spaced_tags(cells[at], cells[texts[0]])]
    if len(texts) == 3 and len(tags) == 1 and tags[0] > texts[0]:
        lemma, form = (at for at in texts if at not in tags)
        return (lemma, tags[0]), form, f"column {tags[0] + 1} has tags, so it belongs to the source"
    if len(texts) > 3 and texts[2] in tags and are_segments(cells[texts[3]], cells[texts[1]]):
        lemma, form, features, parts = texts[:4]
        reason = (
            f"column {features + 1} has tags, so it belongs to the source; column {parts + 1} has the parts of forms"
        )
        return (lemma, features), form, reason
    left = [at for at in texts if not are_numbers(cells[at])]
    others_left = [at for at in left if not are_addresses(cells[at])]
    left = others_left if len(others_left) > 1 else left
    left = left[:2] + [at for at in left[2:] if not are_origins(cells[at])]
    if len(texts) > 2 and not any(are_labels(cells[at]) or are_tags(cells[at]) for at in left):
        texts = left
    if len(texts) == 2:
        return (texts[0],), texts[1], ""
    if others and not {0, 1} & set(others):
        return (0,), 1, "the first two columns beside those to read in addition"
    raise _several(layout, names, rows, where, left)


def have_more_cells(rows: Sequence[Sequence[str]], names: Sequence[str]) -> bool:
    """Whether most rows have text in more columns than there are names."""
    return bool(names) and 2 * sum(has_more(row, names) for row in rows) > len(rows)


def has_more(row: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a row has text in more columns than there are names."""
    return any(cell.strip() for cell in row[len(names) :])


def _both_named(name: str, names: Sequence[str]) -> str:
    """That several of the columns have this name."""
    places = [str(at + 1) for at, each in enumerate(names) if each == name]
    return f"columns {listed(places)} are {'both' if len(places) == 2 else 'all'} named {name!r}"


def of_one_column(options: TableOptions, where: str) -> TableOptions:
    """The options for a model without sources: whichever side is named is the column of its texts.

    DataError for several columns.
    """
    asked = list(dict.fromkeys([*options.source, *([] if options.target is None else [options.target])]))
    if len(asked) > 1:
        what = f"a language model reads one column, found {listed(asked)}"
        raise DataError(what, where=where, fix=f"name one: --target {quoted(asked[0])}")
    return replace(options, source=(), target=asked[0] if asked else None)


def shown_columns(layout: Layout, names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[bool, list[str]]:
    """Whether all columns can be chosen by their names, and a line for each with its first cell."""
    are_names = bool(names) and all(name and "," not in name and names.count(name) == 1 for name in names)
    columns = []
    for at in range(layout.num_columns):
        called = names[at] if are_names else f"{at + 1} ({names[at]})" if names and names[at] else str(at + 1)
        sample = rows[0][at] if rows else ""
        columns.append(f"  {called}: {sample[:_MAX_SHOWN]}")
    return are_names, columns


def _several(
    layout: Layout, names: Sequence[str], rows: Sequence[Sequence[str]], where: str, texts: Sequence[int]
) -> ChoiceError:
    """The error for columns that could be paired in several ways, which suggests some of those that are `texts`."""
    are_names, columns = shown_columns(layout, names, rows)
    labels = [at for at in texts if are_labels([row[at] for row in rows])]
    plain = [at for at in texts if at not in labels]
    numbers = [at for at in range(layout.num_columns) if rows and are_numbers([row[at] for row in rows])]
    likely = list(dict.fromkeys([*plain, *labels, *numbers, *range(layout.num_columns)]))[:3]
    if usual := usual_columns([name.casefold() for name in names]):
        likely = list(dict.fromkeys([usual[0][-1], usual[1], *likely]))[:3]
    elif likely[0] in labels and likely[1] in numbers:  # such as measurements, and what they are of
        likely[:2] = likely[1::-1]
    first, second, third = (quoted(names[at]) if are_names else str(at + 1) for at in likely)
    what = f"has {layout.describe()}; which are source and target?"
    if twice := next((name for name in names if names.count(name) > 1), ""):
        what = f"has {layout.describe()}; {_both_named(twice, names)}; which are source and target?"
    fix = f"choose by {'name' if are_names else 'number'}: --source {first} --target {second}"
    is_source = likely[2] in labels or likely[1] in labels
    own, answer = ((first, third), second) if is_source else ((first, second), third)
    fix += f", or several as source: --source {','.join(own)} --target {answer}"
    chosen = TableOptions(source=(first,), target=second)
    return ChoiceError("\n".join([what, *columns]), where=where, fix=fix, likely=chosen)
