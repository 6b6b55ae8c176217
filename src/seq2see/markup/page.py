"""A whole HTML page: one file with its style and its script, which loads nothing from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from seq2see.markup.colors import heat_rules
from seq2see.markup.elements import Markup, element


@cache
def style() -> str:
    """The one stylesheet: page.css, and a color per weight."""
    return resource("page.css") + heat_rules()


@cache
def script() -> str:
    """The one script: elements.js and page.js."""
    return resource("elements.js") + resource("page.js")


def resource(name: str) -> str:
    """A file beside this module."""
    return files("seq2see.markup").joinpath(name).read_text(encoding="utf-8")


def policy() -> str:
    """The content security policy: nothing is loaded, and only our own style and script are used.

    So that it can be this strict, pages have no style attributes and no event handlers. Pictures are data: URIs.
    """
    return (
        f"default-src 'none'; img-src data:; style-src '{digest(style())}'; script-src '{digest(script())}'; "
        "base-uri 'none'; form-action 'none'"
    )


def digest(text: str) -> str:
    """The hash by which a policy allows an inline style or script."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def section(name: str, title: str | Sequence[Markup], content: Iterable[Markup]) -> Markup:
    """A section with a heading, linked from the navigation."""
    heading = element("h2", title, id=f"{name}-title")
    return element("section", [heading, *content], id=name, aria_labelledby=f"{name}-title")


def document(
    title: str,
    sections: Sequence[tuple[str, str | Sequence[Markup], Sequence[Markup]]],
    *,
    kind: str = "",
    lead: Iterable[Markup] = (),
) -> str:
    """A complete page. `sections` are (id, title, content); those without content are left out.

    `kind` says above the title what sort of page it is.
    """
    present = [each for each in sections if each[2]]
    links = [element("li", [element("a", heading, href=f"#{name}")]) for name, heading, _ in present]
    head = [
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy()}">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        element("title", f"{kind}: {title}" if kind else title),
        Markup(f"<style>{style()}</style>"),
    ]
    navigation = [element("nav", [element("ul", links)], aria_label="Sections")] if len(present) > 1 else []
    heading = [element("p", kind, class_="kind")] if kind else []
    body = [
        element("a", "Skip to content", class_="skip", href="#main"),
        element("header", [*heading, element("h1", title, dir="auto"), *lead]),
        *navigation,
        element("main", [section(*each) for each in present], id="main", tabindex="-1"),
        Markup(f"<script>{script()}</script>"),
    ]
    return f'<!DOCTYPE html>\n<html lang="en">\n{element("head", head)}\n{element("body", body)}\n</html>\n'
