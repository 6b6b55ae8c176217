"""HTML, safely: every text is escaped here, and a page is one file with nothing from elsewhere and no scripts."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NewType

Markup = NewType("Markup", str)
"""Text that is HTML already. Only this module, and those that draw, make it of anything but literals."""

DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What would turn the text around it, too."""

STYLE = """
:root { color-scheme: light; --line: #767676; --soft: #f2f4f7; --ink: #1b1f24; --link: #0b5394 }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 64rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: #fff; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25 } h2 { font-size: 1.25rem; margin-top: 2.5rem } h3 { font-size: 1rem }
a { color: var(--link) } :focus-visible { outline: 3px solid #d55e00; outline-offset: 2px }
.skip { position: absolute; left: -100rem } .skip:focus { position: static }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; list-style: none }
.scroll { overflow-x: auto; max-width: 100% }
table { border-collapse: collapse; margin: .5rem 0 }
caption { text-align: left; font-weight: 600; padding: .25rem 0 }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem; border-bottom: 1px solid #d0d7de }
thead th { border-bottom: 2px solid var(--line) }
.scroll td, .scroll th { overflow-wrap: normal } .scroll tbody th { min-width: 9rem }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.note { color: #4d5661 } .text { white-space: pre-wrap; min-width: 8rem }
.alarm { border-left: .35rem solid #d55e00; padding-left: .8rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem } dt { font-weight: 600 } dd { margin: 0 }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; overflow-wrap: normal }
del { background: #ffe3d6; color: #8a2c00 } ins { background: #d7ebff; color: #003f73; text-decoration: underline }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1rem }
figure { margin: 0 } figcaption { font-weight: 600 } svg { width: 100%; height: auto; display: block }
.key { padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem }
.key svg { display: inline-block; width: 3rem; height: .8rem; margin-right: .5rem }
.heat td { padding: .1rem; min-width: 1.9rem; text-align: center; font-size: .75rem; border: 0 }
.scroll .heat th { min-width: 0; padding: .1rem .35rem; border: 0; white-space: nowrap }
.heat thead th { text-align: center }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .5rem } }
@media print { nav, .skip { display: none } .scroll { overflow: visible } }
"""


def escaped(text: str) -> Markup:
    """A text as text: nothing in it is taken for HTML; what can't be seen or turns its surroundings is named."""
    shown = "".join(
        f"⟨U+{ord(character):04X}⟩"
        if character in DIRECTION_MARKS or (unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n")
        else character
        for character in text
    )
    return Markup(html.escape(shown))


def element(tag: str, content: str | Iterable[Markup] = "", **attributes: str) -> Markup:
    """`<tag …>content</tag>`: a text is escaped, pieces of HTML come as a list of them.

    An attribute's name has `_` for `-`, and `class_` is class.
    """
    inner = escaped(content) if isinstance(content, str) else joined(content)
    return Markup(f"<{tag}{attributes_of(attributes)}>{inner}</{tag}>")


def attributes_of(attributes: dict[str, str]) -> str:
    """Attributes with a blank before each, escaped."""
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"' for name, value in attributes.items() if value
    )


def joined(parts: Iterable[Markup]) -> Markup:
    """Pieces of HTML one after the other."""
    return Markup("".join(parts))


def spoken(text: str, tag: str = "td", **attributes: str) -> Markup:
    """A text of the data, in whatever direction its script runs."""
    return element(tag, text, dir="auto", **attributes)


def paragraph(text: str, **attributes: str) -> Markup:
    """A paragraph of text."""
    return element("p", text, **attributes)


def section(name: str, title: str, content: Iterable[Markup]) -> Markup:
    """A part of the page that the navigation leads to."""
    heading = element("h2", title, id=f"{name}-title")
    return element("section", [heading, *content], id=name, aria_labelledby=f"{name}-title")


def table(
    head: Sequence[str], rows: Iterable[Sequence[Markup]], *, caption: str, numbers: Sequence[int] = ()
) -> Markup:
    """A table that scrolls by itself, with the keyboard too; the cells are made, the head is text."""
    cells = [
        element("th", title, scope="col", class_="number" if place in numbers else "")
        for place, title in enumerate(head)
    ]
    body = element("tbody", [element("tr", row) for row in rows])
    whole = element("table", [element("caption", caption), element("thead", [element("tr", cells)]), body])
    return scrolling([whole], caption)


def scrolling(content: Iterable[Markup], name: str) -> Markup:
    """What may be wider than the screen; it can be reached and scrolled with the keyboard."""
    return element("div", content, class_="scroll", tabindex="0", role="region", aria_label=name)


def definitions(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Names and what they stand for."""
    return element("dl", [part for name, value in pairs for part in (element("dt", name), spoken(value, "dd"))])


def document(title: str, sections: Sequence[tuple[str, str, Sequence[Markup]]], *, lead: Iterable[Markup]) -> str:
    """A whole page of sections, each (name, title, content); those without content are left out.

    The policy in its head forbids the browser to load anything at all, in case something did get through.
    """
    there = [(name, heading, content) for name, heading, content in sections if content]
    links = [element("li", [element("a", heading, href=f"#{name}")]) for name, heading, _ in there]
    head = [
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        ),
        element("title", title),
        Markup(f"<style>{STYLE}</style>"),
    ]
    main = element("main", [section(*each) for each in there], id="main", tabindex="-1")
    body = [
        element("a", "to the content", class_="skip", href="#main"),
        element("header", [element("h1", title), *lead]),
        element("nav", [element("ul", links)], aria_label="Parts of this page"),
        main,
    ]
    return f'<!DOCTYPE html>\n<html lang="en">\n{element("head", head)}\n{element("body", body)}\n</html>\n'
