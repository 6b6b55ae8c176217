"""Whether the first line of a table is a header, told by how it differs from the rows below."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from seq2see.data.cells import are_numbers
from seq2see.data.digits import whole_number

USUAL = (
    ("source", "target"), ("src", "tgt"), ("src", "trg"), ("instruction", "output"), ("input", "output"),
    ("prompt", "completion"), ("prompt", "response"), ("question", "answer"), ("text", "summary"),
    ("document", "summary"), ("article", "summary"), ("word", "pronunciation"), ("word", "ipa"), ("word", "phones"),
    ("word", "phonemes"), ("word", "pron"), ("word", "transcription"),
    ("grapheme", "phoneme"), ("graphemes", "phonemes"), ("lemma", "form"),
    ("incorrect", "correct"), ("original", "corrected"), ("text", "label"), ("instruction", "response"),
    ("question", "answers"), ("question", "answers.text"), ("article", "highlights"),
    ("dialogue", "summary"), ("article", "abstract"), ("text", "headline"), ("text", "title"), ("article", "title"),
    ("body", "subject"), ("message", "reply"), ("message", "response"), ("context", "response"),
    ("image", "caption"), ("image", "text"), ("image", "formula"), ("image", "latex"), ("original", "normalized"),
    ("historical", "modern"),
)  # fmt: skip
"""Usual names of source and target among other columns."""
IDENTIFIERS = ("id", "idx", "index", "guid", "uid")
"""Usual names of a column that identifies a row."""
FEATURES = ("features", "feats", "tags", "tag", "msd", "morph", "morphology", "upos")
_STORIES = ("context", "story", "passage", "paragraph")
BEFORE = {"question": _STORIES, "message": ("history", "context")}
"""By usual names of sources, those of a column that belongs to the source, before it."""
AFTER = {"lemma": FEATURES, "instruction": ("input",)}
"""The same of a column after it."""
BESIDE = frozenset(name for beside in (BEFORE, AFTER) for names in beside.values() for name in names)
"""All of these."""
_KNOWN = BESIDE | {name for pair in USUAL for name in pair} | {"id", "language", "region", "year", "pos"}
MAX_ROWS = 1_000
"""Rows that the first one is compared with."""
_MIN_SURPRISE, _MAX_SURPRISE = 4.5, 6.0
"""What is required, in nats summed over the columns: more of long tables, where more is known of what is usual. Of the
rows of 39 public sets, 1 in 2,000 is that unusual; of 22 usual pairs of names above 300 rows of these, 96 % are."""
_LANGUAGE = re.compile(
    r"a[abefkmnrsvyz]|b[aegimnors]|c[aehorsuvy]|d[aevz]|e[elnostu]|f[afijory]|g[adlnuv]|h[aeiortuyz]|"
    r"i[adegikostu]|j[av]|k[agijklmnorsuvwy]|l[abginotuv]|m[ghiklnrsty]|n[abdeglnorvy]|o[cjmrs]|p[ailst]|q[u]|"
    r"r[mnouw]|s[acdegiklmnoqrstuvw]|t[aeghiklnorstwy]|u[gkrz]|v[eio]|w[ao]|x[h]|y[io]|z[ahu]"
)
"""The codes of ISO 639-1."""
_NUMBERED = re.compile(r"(.*\D)\d+")
_OPPOSITE = re.compile(r"(?:un|in|im|ir|il|non|dis|de|anti|ab|mis)[-_ ]?(\w{4,})")
_LEAST_ROWS = 5
"""Rows, at least, for a header to be told by how its two names belong together."""
_NAME = re.compile(r"[^\W\d_][\w.#()/-]*( [\w.#()/-]+){0,2}")
_MAX_NAME = 30
_NO_VALUE = ("na", "n/a", "n.a.", "nan", "none", "null", "unknown")
"""What stands in place of a number that is not known."""
_MAX_ALPHABET = 200


def usual_columns(names: Sequence[str]) -> tuple[tuple[int, ...], int] | None:
    """The columns of source and target among those with these names, in lower case; None if they have no usual ones."""
    for source, target in USUAL:
        if source in names and target in names:
            own = [
                names.index(found[0])
                for beside in (BEFORE.get(source, ()), (source,), AFTER.get(source, ()))
                if (found := [name for name in beside if name in names and name != target])
            ]
            return tuple(own), names.index(target)
    return None


def has_usual_names(cells: Sequence[str]) -> bool:
    """Whether two of these cells or more are what columns are usually called, and no two are the same.

    Two cells alone are so only as source and target: other two words, such as tag and text, may be a pair.
    """
    names = [cell.strip().strip("#\"'").strip().casefold() for cell in cells]
    if len(names) == 2:
        return tuple(names) in USUAL
    return sum(name in _KNOWN for name in names) > 1 and len(set(names)) == len(names)


def is_usual_name(cell: str) -> bool:
    """Whether this is what a column is usually called."""
    return cell.strip().strip("#\"'").strip().casefold() in _KNOWN


def is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether these cells are the names of the columns of `rows`, and not a row like these.

    Names are a word or a few, and differ from the cells below: in having one word, no digit, Latin letters, another
    case, letters or words that the column has nowhere else, or less in common than source and target have. Two names
    may also belong together in a way that is usual for names. In a table of three columns and more, whatever stands
    above numbers is a name, and so is what follows an empty cell above the numbers of the rows.
    """
    names = [cell.strip().strip("#\"'").strip() for cell in first]
    if not names[0] and all(names[1:]):
        return all(whole_number(row[0]) is not None for row in rows)
    if len({name.casefold() for name in names}) < len(names) and not _are_names_given_twice(names, rows):
        return False
    above = [name for at, name in enumerate(names) if are_numbers([row[at] for row in rows])] if len(names) > 2 else []
    if any(name.casefold() in _NO_VALUE for name in above):
        return False
    if above and all(any(map(str.isalpha, name)) for name in above):
        return True
    if not all(len(name) <= _MAX_NAME and _NAME.fullmatch(name) for name in names):
        return False
    rows = rows[:: 1 + len(rows) // MAX_ROWS]
    surprise = sum(surprise_in(name, [row[at] for row in rows]) for at, name in enumerate(names))
    if len(names) == 2:
        common = share_in_common(*names)
        surprise += _surprise(sum(share_in_common(*row) <= common for row in rows), len(rows))
        if len(rows) >= _LEAST_ROWS and are_names_of_two(names[0], names[1], rows):
            return True
    return surprise >= min(_MAX_SURPRISE, max(_MIN_SURPRISE, 1.7 * math.log(len(rows) + 2)))


def _are_names_given_twice(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether no row has the same text in the columns that have the same name, as lemma and form often have."""
    lower = [name.casefold() for name in names]
    same = [(lower.index(name), at) for at, name in enumerate(lower) if lower.index(name) < at]
    return len(names) > 2 and not any(row[one].strip() == row[other].strip() for row in rows for one, other in same)


def are_names_of_two(one: str, other: str, rows: Sequence[Sequence[str]]) -> bool:
    """Whether two cells belong together as names do and the cells of no other row do.

    Codes of languages, sentence1 and sentence2, x and y, formal and informal.
    """
    return any(
        is_so(one.casefold(), other.casefold()) and not any(is_alike(*map(str.casefold, row)) for row in rows)
        for is_so, is_alike in _OF_TWO
    )


def _are_letters(number: int, one: str, other: str) -> bool:
    return len(one) == len(other) == number and (one + other).isalpha()


def _are_numbered(one: str, other: str) -> bool:
    left, right = _NUMBERED.fullmatch(one), _NUMBERED.fullmatch(other)
    return left is not None and right is not None and left[1] == right[1]


def _are_opposites(one: str, other: str) -> bool:
    return any(
        (found := _OPPOSITE.fullmatch(longer)) is not None and found[1] == shorter
        for longer, shorter in ((one, other), (other, one))
    )


def surprise_in(name: str, column: Sequence[str]) -> float:
    """How unusual the name would be as a cell of this column, in nats, by its rarest property."""
    counts = [sum(map(test, column)) for test in _PROPERTIES if test(name)]
    for parts_of in (str.split, _letters):
        of_cells = [set(parts_of(cell)) for cell in column]
        cells_with = Counter(part for parts in of_cells for part in parts)
        is_small = parts_of is str.split or len(cells_with) <= _MAX_ALPHABET
        if is_small and any(part not in cells_with for part in parts_of(name)):
            counts.append(sum(any(cells_with[part] == 1 for part in parts) for parts in of_cells))
    return _surprise(min(counts, default=len(column)), len(column))


def share_in_common(one: str, other: str) -> float:
    """The letters that two texts have in common, as a share of both (Dice)."""
    left, right = Counter(one.casefold()), Counter(other.casefold())
    return 2 * (left & right).total() / max(1, left.total() + right.total())


def _surprise(count: int, total: int) -> float:
    """That of a property that `count` of `total` cells have."""
    return -math.log((count + 0.5) / (total + 1))


def _letters(text: str) -> list[str]:
    return [letter for letter in text if letter.isalpha()]


_OF_TWO: tuple[tuple[Callable[[str, str], bool], Callable[[str, str], bool]], ...] = (
    (lambda one, other: all(map(_LANGUAGE.fullmatch, (one, other))), lambda *row: _are_letters(2, *row)),
    (lambda one, other: (one, other) == ("x", "y"), lambda *row: _are_letters(1, *row)),
    (_are_numbered, _are_numbered),
    (_are_opposites, lambda one, other: one.endswith(other) or other.endswith(one)),
)
"""How two names belong together, and rows in which such cells would be nothing unusual."""
_PROPERTIES: tuple[Callable[[str], bool], ...] = (
    lambda cell: not any(map(str.isdigit, cell)),
    lambda cell: cell.isupper(),
    lambda cell: cell.islower(),
    lambda cell: cell[:1].isupper(),
    lambda cell: len(cell.split()) == 1 and len(cell) > 1,
    lambda cell: len(cell.split()) > 1,
    lambda cell: any("a" <= letter <= "z" for letter in cell.lower()),
    lambda cell: cell[-1:].isalpha(),
)
