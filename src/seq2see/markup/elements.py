"""HTML elements built safely: every text is escaped here."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NewType

Markup = NewType("Markup", str)
"""HTML. Elsewhere only literals and finished drawings are turned into it directly."""

DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional control characters, which would also affect the surrounding text."""


def escaped(text: str) -> Markup:
    """Text as HTML. Control characters and direction marks are shown by their code point: ⟨U+202E⟩."""
    visible = "".join(
        f"⟨U+{ord(character):04X}⟩"
        if character in DIRECTION_MARKS or (unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n")
        else character
        for character in text
    )
    return Markup(html.escape(visible))


def element(tag: str, content: str | Iterable[Markup] = "", **attributes: str) -> Markup:
    """`<tag …>content</tag>`: a string is escaped, an iterable of Markup is inserted as it is.

    In attribute names `_` becomes `-`, and `class_` becomes `class`; empty attributes are left out.
    """
    inner = escaped(content) if isinstance(content, str) else joined(content)
    return Markup(f"<{tag}{attributes_of(attributes)}>{inner}</{tag}>")


def attributes_of(attributes: dict[str, str]) -> str:
    """Escaped attributes, each preceded by a space."""
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"' for name, value in attributes.items() if value
    )


def joined(parts: Iterable[Markup]) -> Markup:
    """The concatenation of the parts."""
    return Markup("".join(parts))


def text_element(text: str, tag: str = "td", **attributes: str) -> Markup:
    """An element for text from the data, whose direction follows its script."""
    return element(tag, text, dir="auto", **attributes)


def paragraph(text: str, **attributes: str) -> Markup:
    """A paragraph of text."""
    return element("p", text, **attributes)


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Markup]],
    *,
    caption: str,
    numbers: Sequence[int] = (),
    kind: str = "",
) -> Markup:
    """A scrollable table. `rows` hold finished cells; `numbers` are the indices of the numeric columns.

    `kind` is a class or several: in `sortable` and `filterable` tables the script adds sorting and a filter, those of
    kind `list` become one block per row on a narrow screen.
    """
    cells = [
        element("th", title, scope="col", class_="number" if column in numbers else "")
        for column, title in enumerate(head)
    ]
    body = element("tbody", [element("tr", row) for row in rows])
    parts = [element("caption", caption), element("thead", [element("tr", cells)]), body]
    return scrollable([element("table", parts, class_=kind)], caption)


def heat_table(
    columns: Iterable[Markup],
    rows: Iterable[tuple[Markup, Sequence[Markup]]],
    *,
    caption: str,
    verb: str,
    kinds: Sequence[str] = (),
    right_to_left: bool = False,
) -> Markup:
    """A table of shaded cells: headers of the columns, and of each row its header and cells.

    The script names the cell under the pointer: row, `verb`, column. The caption stands above the table, so that it
    doesn't widen the cells; `kinds` are further classes.
    """
    parts = [
        element("caption", caption, class_="unseen"),
        element("thead", [element("tr", [element("td"), *columns])]),
        element("tbody", [element("tr", [header, *cells]) for header, cells in rows]),
    ]
    direction = "rtl" if right_to_left else "ltr"
    whole = element("table", parts, class_=" ".join(["heat", *kinds]), dir=direction, data_verb=verb)
    return joined([paragraph(caption, class_="caption", aria_hidden="true"), scrollable([whole], caption)])


def tiles(facts: Iterable[tuple[str, str, str]]) -> Markup:
    """The main figures of a page: name, value, and a note below it."""
    return element(
        "dl",
        [
            element("div", [element("dt", name), element("dd", value), *([element("dd", note)] if note else [])])
            for name, value, note in facts
        ],
        class_="tiles",
    )


def scrollable(content: Iterable[Markup], name: str) -> Markup:
    """A box for wide content that can be focused and scrolled with the keyboard."""
    return element("div", content, class_="scroll", tabindex="0", role="group", aria_label=name)


def side_by_side(*parts: Iterable[Markup]) -> Markup:
    """The parts beside one another as far as they fit."""
    return element("div", [element("div", part) for part in parts], class_="side-by-side")


def definitions(pairs: Iterable[tuple[str, str]]) -> Markup:
    """A list of names and their values."""
    return element(
        "dl",
        [part for name, value in pairs for part in (element("dt", name), text_element(value, "dd"))],
        class_="facts",
    )
