"""How the lines of a table are divided into columns: delimiter, number, quotation marks, comments, header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple

from seq2see.data.header import IDENTIFIERS, has_usual_names, is_header
from seq2see.data.options import TableOptions, whole_names
from seq2see.data.probabilities import PROBABILITIES, has_probabilities, split_entry

TAB = "\t"
SPACES = "  "
"""The delimiter of columns that are divided by two blanks or more, or by tabs."""
BLANKS = " "
"""The delimiter of columns that are divided by blanks or tabs, and have none inside."""
FIRST_BLANK = "first blank"
"""The delimiter of a pronouncing dictionary: blanks divide the word from the rest of the line."""
PADDED = "_"
"""The delimiter of halves of a fixed width, of which the second begins with it."""
DELIMITERS = (TAB, "|||", "=>", "->", "⇒", "→", "::", "|", ";", ",", "=", ":", PADDED, BLANKS, FIRST_BLANK, SPACES)
"""Those tried, the most telling first."""
_BLANK_DELIMITERS = (BLANKS, FIRST_BLANK, SPACES, PADDED, PROBABILITIES)
CSV_DELIMITERS = (TAB, "|", ";", ",")
"""Those of tables whose cells may be in quotation marks."""
_WORDS = {"tab": TAB, "\\t": TAB, "comma": ",", "semicolon": ";", "pipe": "|", "blanks": SPACES,
          "first-blank": FIRST_BLANK, "blank": BLANKS, "probabilities": PROBABILITIES}  # fmt: skip
"""What --delimiter calls those that are hard to type."""
_NAMES = {TAB: "TAB", ",": "commas", ";": "semicolons", BLANKS: "blanks", SPACES: "two or more blanks"}
_COMMENTS = ("#", ";;;", "//", "%")
_MOST, _FEW = 0.9, 4
"""The share of the lines that must have the same number of columns; of more than a few, one may have another."""
_NEARLY_ALL = 0.95
_MAX_SYMBOL = 4
"""Characters of a symbol of a pronouncing dictionary, with stress and length."""
_MAX_RECORD_LINES = 1_000
"""Lines over which one record of CSV goes, at most."""
_QUOTED = re.compile(r'"([^"]|"")*"')
_DOUBLED = re.compile(r'^".*[^"]""[^"].*"$|^"""[^"]|[^"]"""$')
"""A quotation mark within a quoted cell, beside other text."""
_COMMENT_AFTER = re.compile(r"\s#\s.*$")
"""A comment after the symbols of a pronouncing dictionary."""
CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""What the columns of CoNLL-U are called, which has no header."""
_RULE = re.compile(r"\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)+\|?|\|\s*:?-{2,}:?\s*\|")
"""The line below the header of a table in Markdown."""
_MOST_ABOVE = 50
"""Lines at whose end the header of such a table is found, at most."""
_WITH_EDGES = re.compile(r"\s*\|(.*)\|\s*", re.DOTALL)
"""A row of such a table."""
_ROW_NUMBER = re.compile(r"\d+(\.\d+)?")
"""As R numbers rows: 12.1 is the second of those that were made from row 12."""
_SAYS_DELIMITER = re.compile(r"sep=(.)", re.IGNORECASE)
"""The line above a table that tells a spreadsheet how it is divided."""
_MAY_FOLLOW_MARKS = ("=", ":", "::", BLANKS, FIRST_BLANK)
_FEW_MARKS, _MANY = 2, 9
"""So few different texts before one of these, in more rows than that, are marks such as Q and A, and no sources."""


class Layout(NamedTuple):
    """How the lines of a table are divided into columns."""

    delimiter: str = TAB
    """A string, blanks around it being ignored unless it is TAB, or SPACES, BLANKS, FIRST_BLANK, PADDED or
    PROBABILITIES."""
    num_columns: int = 2
    is_quoted: bool = False
    """Cells may be in quotation marks, as in CSV."""
    comments: tuple[str, ...] = ()
    """What lines begin with that are not part of the table."""
    header: tuple[str, ...] = ()
    """The cells of the first line, if they are the names of the columns."""
    marks: tuple[str, ...] = ()
    """Lines that only say how the table is divided, or stand above it."""
    has_row_names: bool = False
    """Whether rows begin with their own name or number, for which the header has no cell, as R writes tables."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns from the header, "" for row names; none without one."""
        return ("", *self.header) if self.has_row_names else self.header

    @property
    def is_dictionary(self) -> bool:
        """Whether a line is a word and its symbols, as in pronouncing dictionaries."""
        return self.delimiter in (FIRST_BLANK, PROBABILITIES)

    @property
    def is_conllu(self) -> bool:
        """Whether it is that of CoNLL-U, in which a line is a token and a blank line ends a sentence."""
        return self.delimiter == TAB and self.num_columns == len(CONLLU_COLUMNS) and "#" in self.comments

    def is_comment(self, line: str) -> bool:
        """Whether a line is a comment, or a mark."""
        return (bool(self.comments) and line.startswith(self.comments)) or line in self.marks

    def split(self, line: str) -> list[str]:
        """The cells of a line without quotation marks."""
        return split_cells(line, self.delimiter)

    def describe(self) -> str:
        """The layout in words."""
        if self.delimiter == FIRST_BLANK:
            words = "a pronouncing dictionary: a word, blanks, its symbols"
        elif self.delimiter == PROBABILITIES:
            words = "a pronouncing dictionary: a word, its symbols; the probabilities between them are left out"
        elif self.delimiter == PADDED:
            words = "padded halves, of which the second begins with _"
        elif self.is_conllu:
            words = "CoNLL-U"
        else:
            words = "1 column"
            if self.num_columns > 1:
                words = f"{self.num_columns} columns separated by {_NAMES.get(self.delimiter, self.delimiter)}"
        words += ", in quotation marks" if self.is_quoted else ""
        words += ", with a header" if self.header else ""
        words += " that leaves out column 1 (row names)" if self.has_row_names else ""
        return words + (f", with comments ({' '.join(self.comments)})" if self.comments else "")


def delimiter_called(name: str) -> str:
    """The delimiter that the option names."""
    return _WORDS.get(name.strip().lower() or name, name)


def delimiter_name(delimiter: str) -> str:
    """What the option calls this delimiter."""
    return next((name for name, each in _WORDS.items() if each == delimiter), delimiter)


def is_of_blanks(name: str) -> bool:
    """Whether the delimiter that is called so is one of blanks."""
    return delimiter_called(name) in _BLANK_DELIMITERS


def has_delimiter(lines: Sequence[str], name: str) -> bool:
    """Whether the delimiter that is called so divides all lines, or nearly all, into as many columns."""
    layout = layout_of(lines, TableOptions(delimiter=name))
    if layout is None or layout.num_columns < 2:
        return False
    table = [line for line in lines if line.strip() and not layout.is_comment(line)]
    num = sum(len(layout.split(line)) == layout.num_columns for line in table)
    return num >= _MOST * len(table)


def layout_of(
    lines: Sequence[str],
    options: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    wanted: Sequence[str] = (),
    *,
    is_sure: bool = False,
) -> Layout | None:
    """The layout of these lines, which have no line ends; None if most of them have no columns in common.

    A first line with all `wanted` names, in any case, is a header. Half of the lines suffice if it `is_sure` to be a
    table.
    """
    comments = tuple(_comments_in(lines) if options.comment is None else options.comment.split())
    filled = [line for line in lines if line.strip()]
    said = _SAYS_DELIMITER.fullmatch(filled[0].strip()) if filled else None
    markdown = _marks_of_markdown([line for line in filled if not (comments and line.startswith(comments))])
    marks = tuple(markdown if said is None else filled[:1])
    is_skipped = Layout(comments=comments, marks=marks).is_comment
    table = [line for line in filled if not is_skipped(line)]
    given = None if options.delimiter is None else delimiter_called(options.delimiter)
    if said is not None and given is None:
        given = said[1]
    if given is None and not (wanted or markdown or options.header == "yes") and has_probabilities(table):
        return Layout(PROBABILITIES, 2, comments=comments)
    if markdown and options.header == "auto":
        options = replace(options, header="yes")
    whole: list[tuple[str, bool, list[list[str]], int]] = []
    partial: list[tuple[str, bool, list[list[str]], int]] = []
    for delimiter in DELIMITERS if given is None else (given,):
        is_quoted = _can_be_quoted(table, delimiter, options)
        if is_quoted:
            rows = [cells for _, _, cells in records(filled, delimiter, is_skipped) if isinstance(cells, list)]
        else:
            rows = [split_cells(line, delimiter) for line in table]
        if not rows:
            return None
        num_columns, count = Counter(map(len, rows)).most_common(1)[0]
        found = (delimiter, is_quoted, rows, num_columns)
        if given is not None:
            partial.append(found)
            continue
        if num_columns < 2 or not _are_enough(count, len(rows), is_sure=is_sure):
            continue
        if _is_plausible(delimiter, [row for row in rows if len(row) == num_columns], table):
            is_whole = count == len(rows) and delimiter not in _BLANK_DELIMITERS
            (whole if is_whole else partial).append(found)
            if is_whole and delimiter not in CSV_DELIMITERS[1:]:
                break
    # A delimiter that divides all lines alike is preferred to one that divides most of them; of several in CSV, that
    # which leaves tags such as V;PST together, or that with more columns. Of those that divide most, one that divides
    # a header.
    if not (whole or partial):
        return None
    if whole:
        best = whole[0]
        if best[0] in CSV_DELIMITERS:
            best = max((each for each in whole if each[0] in CSV_DELIMITERS), key=itemgetter(3))
            set_off = [each for each in partial if each[0] == SPACES and {*map(len, each[2])} == {each[3]}]
            best = next((each for each in [*whole, *set_off] if _leaves_tags_together(each, best)), best)
    else:
        best = next((each for each in partial if _begins_with_header(each, options, wanted)), partial[0])
    delimiter, is_quoted, rows, num_columns = best
    own = [row for row in rows if len(row) == num_columns]
    all_quoted = is_quoted and all(line.startswith('"') for line in table)
    header = _header(rows[0], own, delimiter, options, wanted, all_quoted=all_quoted)
    has_row_names = bool(header) and have_row_names(rows[0], own, all_quoted=all_quoted)
    return Layout(delimiter, max(num_columns, len(header)), is_quoted, comments, tuple(header), marks, has_row_names)


def _leaves_tags_together(
    one: tuple[str, bool, list[list[str]], int], other: tuple[str, bool, list[list[str]], int]
) -> bool:
    """Whether the delimiter of the `other` division of these lines only divides tags in a column of this `one`.

    Either may seem to be inside a column of the other. Tags have fewer different parts than texts have, and a few lines
    hardly begin with them.
    """
    tags, texts = _only_column_with(other[0], one[2]), _only_column_with(one[0], other[2])
    if tags is None:
        return False
    if len(one[2]) <= _FEW:
        return one[3] > 2 and tags.place > 0 and (texts is None or texts.place == 0)
    num = len(set(tags.parts))
    return 2 * num <= len(tags.parts) and (texts is None or num < len(set(texts.parts)))


class _DividedColumn(NamedTuple):
    """The parts of all cells of a column."""

    place: int
    parts: list[str]


def _only_column_with(delimiter: str, rows: Sequence[Sequence[str]]) -> _DividedColumn | None:
    """The column that the delimiter divides into parts of one word; None if there are several, or none."""
    found = [at for at, column in enumerate(zip(*rows, strict=True)) if any(delimiter in cell for cell in column)]
    if len(found) != 1:
        return None
    parts = [part.strip() for row in rows for part in row[found[0]].split(delimiter)]
    return None if any(" " in part for part in parts) else _DividedColumn(found[0], parts)


def _marks_of_markdown(lines: Sequence[str]) -> list[str]:
    """The line below the header of a table in Markdown, and the text above the table; nothing if there is none.

    Below text, the header and nearly all lines that follow have as many cells as that line, and the text has none.
    """
    for at, line in enumerate(lines[:_MOST_ABOVE]):
        if at and _RULE.fullmatch(line.strip()):
            above, num = list(lines[: at - 1]), len(split_cells(line, "|"))
            rows = [lines[at - 1], *lines[at + 1 :]]
            num_alike = sum("|" in row and len(split_cells(row, "|")) == num for row in rows)
            is_table = num_alike >= _MOST * len(rows) and not any("|" in text for text in above)
            return [line, *above] if at == 1 or is_table else []
    return []


def _begins_with_header(
    found: tuple[str, bool, list[list[str]], int], options: TableOptions, wanted: Sequence[str]
) -> bool:
    """Whether the first row has as many columns as most rows, aside from the names of these, and their names."""
    delimiter, _, rows, num_columns = found
    own = [row for row in rows if len(row) == num_columns]
    has_all = len(rows[0]) == num_columns or have_row_names(rows[0], own)
    return has_all and bool(_header(rows[0], own, delimiter, options, wanted))


def _can_be_quoted(table: Sequence[str], delimiter: str, options: TableOptions) -> bool:
    """Whether cells may be in quotation marks, as it is given or found."""
    if len(delimiter) != 1 or options.quotes == "no" or delimiter in _BLANK_DELIMITERS:
        return False
    return options.quotes == "yes" or (delimiter in CSV_DELIMITERS and _is_quoted(table, delimiter))


def _are_enough(count: int, total: int, *, is_sure: bool) -> bool:
    """Whether `count` of `total` lines with the same number of columns are enough for a table."""
    if is_sure:
        return 2 * count > total
    return count >= _MOST * total or (total - count == 1 and count > _FEW)


def _is_plausible(delimiter: str, rows: Sequence[list[str]], table: Sequence[str]) -> bool:
    """Whether a delimiter that can also be text divides these lines."""
    if delimiter in (BLANKS, FIRST_BLANK, SPACES) and any("\t" in line.strip() for line in table):
        return False
    if delimiter == PADDED:
        return len({line.find("_") for line in table}) == 1 and all(line.count("_") == 1 for line in table)
    if delimiter == FIRST_BLANK:
        return _is_lexicon(rows, table)
    if delimiter in _MAY_FOLLOW_MARKS and len(rows) > _MANY and len({row[0] for row in rows}) <= _FEW_MARKS:
        return False
    return delimiter != BLANKS or len(rows[0]) == 2


def _header(
    first: Sequence[str],
    rows: Sequence[Sequence[str]],
    delimiter: str,
    options: TableOptions,
    wanted: Sequence[str],
    *,
    all_quoted: bool = False,
) -> Sequence[str]:
    """The first row if it has the names of the columns, else nothing."""
    if options.header != "auto":
        return first if options.header == "yes" else ()
    names = [name for name in wanted if not name.isdecimal()]
    cells = [cell.strip() for cell in first]
    if names and have_names(cells, whole_names(names, cells)):
        return cells
    if options.names and tuple(cells) == options.names:
        return cells
    if has_usual_names(cells):
        return cells
    if len(rows) < 2:
        return ()
    if have_row_names(first, rows, all_quoted=all_quoted):
        is_sure = all_quoted or [row[0].strip() for row in rows] == [str(at + 1) for at in range(len(rows))]
        return cells if is_sure or is_header(first, [row[1:] for row in rows]) else ()
    if len(first) != len(rows[0]):
        return ()
    # A first pair may be unusual too: it is left out only where a header is to be expected.
    is_expected = delimiter in CSV_DELIMITERS and (delimiter != TAB or len(first) > 2)
    others = rows[1:]
    if cells in ([cell.strip() for cell in row] for row in others):  # tables, perhaps, that were concatenated
        others = [row for row in dict.fromkeys(map(tuple, others)) if [cell.strip() for cell in row] != cells]
    return cells if is_expected and is_header(first, others) else ()


def have_row_names(first: Sequence[str], rows: Sequence[Sequence[str]], *, all_quoted: bool = False) -> bool:
    """Whether rows begin with a number or a name of their own, for which the header has no cell, as R writes tables.

    A cell more may also come from a delimiter at the end of the rows, from a last column without a name, and, where
    texts are not in quotation marks, from a delimiter inside a text. So the last column has to be filled, and the first
    one to be numbers, below two names in ascending order from 1 as R has them; or, below names that are not those of
    source and target, quoted texts that begin alike.
    """
    if len(first) < 2 or not rows or len(rows[0]) != len(first) + 1 or first[0].strip().casefold() in IDENTIFIERS:
        return False
    own = [row[0].strip() for row in rows]
    if not all(own) or len(set(own)) < len(own) or 2 * sum(bool(row[-1].strip()) for row in rows) <= len(rows):
        return False
    if all(map(_ROW_NUMBER.fullmatch, own)):
        numbers = list(map(float, own))
        return len(first) > 2 or (numbers[0] >= 1 and numbers == sorted(numbers))
    return all_quoted and not has_usual_names(first) and len({name[0] for name in own}) == 1


def have_names(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Whether these names are among the cells, perhaps in another case, such as Word for word."""
    return {name.casefold() for name in names} <= {cell.casefold() for cell in cells}


def split_cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line without quotation marks, without the blanks around them unless they are divided by TAB."""
    if delimiter == TAB:
        return line.split("\t")
    if delimiter == BLANKS:
        return line.split()
    if delimiter == FIRST_BLANK:
        cells = re.split(r"  +|\s*\t\s*", line.strip(), maxsplit=1)
        cells = cells if len(cells) == 2 else line.split(None, 1)
        return [*cells[:1], *(_COMMENT_AFTER.sub("", cell).strip() for cell in cells[1:])]
    if delimiter == PROBABILITIES:
        return split_entry(line)
    if delimiter == SPACES:
        return re.split(r"  +|\s*\t\s*", line.strip())
    if delimiter == PADDED:
        return [cell.strip() for cell in line.split("_", 1)]
    if delimiter == "|" and (found := _WITH_EDGES.fullmatch(line)):
        line = found[1]
    return [cell.strip() for cell in line.split(delimiter)]


def records(
    lines: Sequence[str], delimiter: str, is_skipped: Callable[[str], bool] = lambda line: False
) -> Iterator[tuple[int, int, list[str] | str]]:
    """The records of CSV: index of the first line, number of lines, and the cells, or what is wrong with the line.

    A line within a record is no comment, whatever it begins with.
    """
    index = 0
    while index < len(lines):
        if is_skipped(lines[index]):
            index += 1
            continue
        size, found = _record_at(lines, index, delimiter)
        yield index, size, found
        index += size


def _record_at(lines: Sequence[str], index: int, delimiter: str) -> tuple[int, list[str] | str]:
    """The number of lines of the record that begins here, and its cells; what is wrong with its first line, if so."""
    text = ""
    for size, line in enumerate(lines[index : index + _MAX_RECORD_LINES], start=1):
        text += line + "\n"
        if size > 1 and '"' not in line:
            continue
        try:
            cells = next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True), [])
        except csv.Error as error:
            if "unexpected end" in str(error):
                continue
            if "field larger" in str(error):
                return 1, "a cell has more than 131,072 characters"
            return 1, "text follows a closing quotation mark"
        return size, [clean_cell(cell) for cell in cells]
    return 1, "a quotation mark opens here and is never closed"


def is_open(text: str, delimiter: str) -> bool:
    """Whether a record of CSV goes on after these lines."""
    if '"' not in text:
        return False
    try:
        next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def clean_cell(cell: str) -> str:
    """The text of a cell in one line: line breaks and tabs become blanks, and those at the ends are left out."""
    return " ".join(cell.split()) if "\n" in cell or "\t" in cell or "\r" in cell else cell.strip()


def are_set_off(lines: Sequence[str]) -> bool:
    """Whether more than one blank is after the first word of nearly all lines, as in a pronouncing dictionary."""
    set_off = sum(re.match(r"\S+(  |\t| \t)", line.strip()) is not None for line in lines)
    return set_off >= _MOST * len(lines)


def _comments_in(lines: Sequence[str]) -> Iterator[str]:
    """What comments begin with, of which there are fewer than other lines; with a blank if words also begin so."""
    for prefix in _COMMENTS:
        found = [line for line in lines if line.startswith(prefix)]
        rests = [line.lstrip(prefix[0]) for line in found]
        with_blank = sum(not rest or rest[0].isspace() for rest in rests)
        if with_blank and 2 * len(found) < len(lines) and not any("\t" in line.strip() for line in found):
            yield prefix if with_blank == len(found) else f"{prefix} "


def _is_quoted(lines: Sequence[str], delimiter: str) -> bool:
    """Whether there are cells in quotation marks.

    In columns divided by TAB, a cell may also be a text that someone says. It is taken for CSV if all quotation marks
    are as a program writes them, and some could only be written so, or most lines have them.
    """
    marked = [line for line in lines if '"' in line]
    edge = re.escape(delimiter)
    if delimiter != TAB:
        return any(re.search(rf'(^|{edge}) *"([^"]|"")*("({edge}|$)|$)', line) for line in marked)
    num_certain = num_lines = 0
    for first, size, cells in records(lines, delimiter) if marked else ():
        if isinstance(cells, str):
            return False
        raw = [line.split("\t") for line in lines[first : first + size]]
        if size > 1 or len(raw[0]) > len(cells):
            if all(len(each) == 2 for each in raw):
                return False  # each line is a pair by itself
            num_certain += 1
            continue
        inside = [cell for cell in raw[0] if '"' in cell]
        if not all(map(_QUOTED.fullmatch, inside)):
            return False
        num_certain += any(_DOUBLED.search(cell) is not None for cell in inside)
        num_lines += len(inside) == len(raw[0]) and any(len(cell) > 2 for cell in inside)
    return bool(num_certain) or 2 * num_lines >= max(1, len(lines))


def _is_lexicon(rows: Sequence[Sequence[str]], lines: Sequence[str]) -> bool:
    """Whether the rest of each line is made of few short symbols, or set off by more than one blank."""
    if are_set_off(lines):
        return True
    symbols = Counter(symbol for _, rest in rows for symbol in rest.split())
    num_short = sum(count for symbol, count in symbols.items() if len(symbol) <= _MAX_SYMBOL)
    words = {word for word, _ in rows}
    return num_short >= _NEARLY_ALL * symbols.total() and 2 * len(words) > len(rows)
