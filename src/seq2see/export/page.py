"""The target HTML: one page that works from disk without a network, with the model inside."""

from __future__ import annotations

import re
from functools import cache

from seq2see.export.bundle import Bundle
from seq2see.export.javascript import data, resource, runtime
from seq2see.markup import Markup, element
from seq2see.markup.colours import heat_rules
from seq2see.markup.page import digest
from seq2see.text import Fields

BEAMS = (1, 3, 5, 10)


@cache
def script() -> str:
    """The runtime and the page's own script, without comments and indentation."""
    lines = (line.strip() for line in f"{runtime()}\n{resource('page.js')}".splitlines())
    return "\n".join(line for line in lines if line and not re.match(r"//|/\*\*.*\*/$", line))


@cache
def style() -> str:
    """The stylesheet, and a color per weight."""
    return "\n".join(line.strip() for line in resource("page.css").splitlines()) + heat_rules()


def page(bundle: Bundle) -> str:
    """The page of a model."""
    name = str(bundle.facts["name"])
    fields = field_names(bundle)
    if fields is not None:
        bundle = bundle._replace(facts={**bundle.facts, "fields": fields})
    policy = (
        f"default-src 'none'; img-src data:; style-src '{digest(style())}'; script-src '{digest(script())}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head = [
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        Markup('<link rel="icon" href="data:,">'),
        element("title", name),
        Markup(f"<style>{style()}</style>"),
    ]
    options = [element("option", str(beam), value=str(beam), **selected(beam)) for beam in BEAMS]
    body = [
        element("header", [element("h1", name, dir="auto"), element("button", "Theme", id="theme", type="button")]),
        element(
            "main",
            [
                element("div", "", id="inputs"),
                element(
                    "div",
                    [
                        element("output", "", id="answer", dir="auto", aria_live="polite"),
                        element("div", "", id="problem", role="alert"),
                    ],
                    id="result",
                ),
                element("div", [*beam_choice(options), element("span", "", id="time", class_="soft")], class_="row"),
                element(
                    "section",
                    [element("h2", "Answers and their probabilities"), element("ol", "", id="others")],
                    id="rest",
                    hidden="hidden",
                ),
                element(
                    "section",
                    [
                        element("h2", "Tokens and attention"),
                        element("p", HINT, id="hint", class_="soft"),
                        element("div", "", id="source", class_="tokens", role="group", aria_label="Tokens of the text"),
                        element(
                            "div", "", id="target", class_="tokens", role="group", aria_label="Tokens of the answer"
                        ),
                        element(
                            "div",
                            [element("table", "", id="grid")],
                            id="scroll",
                            class_="scroll",
                            tabindex="0",
                            role="group",
                            aria_label="Attention",
                        ),
                    ],
                    id="attention",
                    hidden="hidden",
                ),
            ],
        ),
        element("footer", [element("dl", "", id="facts")]),
        Markup(f'<script type="application/json" id="model">{data(bundle)}</script>'),
        Markup(f"<script>{script()}</script>"),
    ]
    return f'<!DOCTYPE html>\n<html lang="en">\n{element("head", head)}\n{element("body", body)}\n</html>\n'


HINT = "Point at a token of the answer, or go there with Tab and the arrow keys: the text is shaded by its weights."


def beam_choice(options: list[Markup]) -> list[Markup]:
    """The choice of the beam."""
    return [Markup('<label for="beam">Beam</label>'), element("select", options, id="beam")]


def selected(beam: int) -> dict[str, str]:
    """The attribute of the beam that is chosen at first."""
    return {"selected": "selected"} if beam == 5 else {}


def field_names(bundle: Bundle) -> list[str] | None:
    """What the boxes of a source of several fields are called; None for one text."""
    codec = bundle.source_codec
    if codec is None or not isinstance(codec.tokenizer, Fields):
        return None
    return [part.title.capitalize() for part in codec.tokenizer.parts]
