"""A whole HTML page: one file with its style, without scripts, that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seq2see.markup import Markup, element

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
.warning { border-left: .35rem solid #d55e00; padding-left: .8rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem } dt { font-weight: 600 } dd { margin: 0 }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; overflow-wrap: normal }
del { background: #ffe3d6; color: #8a2c00 } ins { background: #d7ebff; color: #003f73; text-decoration: underline }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1rem }
figure { margin: 0 } figcaption { font-weight: 600 } svg { width: 100%; height: auto; display: block }
.legend { padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem }
.legend svg { display: inline-block; width: 3rem; height: .8rem; margin-right: .5rem }
.heat td { padding: .1rem; min-width: 1.9rem; text-align: center; font-size: .75rem; border: 0 }
.scroll .heat th { min-width: 0; padding: .1rem .35rem; border: 0; white-space: nowrap }
.heat thead th { text-align: center }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .5rem } }
@media print { nav, .skip { display: none } .scroll { overflow: visible } }
"""


def section(name: str, title: str, content: Iterable[Markup]) -> Markup:
    """A section with a heading, linked from the navigation."""
    heading = element("h2", title, id=f"{name}-title")
    return element("section", [heading, *content], id=name, aria_labelledby=f"{name}-title")


def document(title: str, sections: Sequence[tuple[str, str, Sequence[Markup]]], *, lead: Iterable[Markup]) -> str:
    """A complete page. `sections` are (id, title, content); those without content are left out.

    As a second line of defence, the content security policy forbids the browser to load anything.
    """
    present = [(name, heading, content) for name, heading, content in sections if content]
    links = [element("li", [element("a", heading, href=f"#{name}")]) for name, heading, _ in present]
    head = [
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        ),
        element("title", title),
        Markup(f"<style>{STYLE}</style>"),
    ]
    main = element("main", [section(*each) for each in present], id="main", tabindex="-1")
    body = [
        element("a", "Skip to content", class_="skip", href="#main"),
        element("header", [element("h1", title), *lead]),
        element("nav", [element("ul", links)], aria_label="Sections"),
        main,
    ]
    return f'<!DOCTYPE html>\n<html lang="en">\n{element("head", head)}\n{element("body", body)}\n</html>\n'
