"""The target HTML: one page that works from disk without a network, with the model inside."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from seq2see.errors import ConfigError
from seq2see.export.bundle import Bundle
from seq2see.export.c_wasm import missing, wasm
from seq2see.export.javascript import data, resource, runtime
from seq2see.markup import Markup, definitions, element
from seq2see.markup.compact import compact_script, compact_style
from seq2see.markup.page import digest
from seq2see.markup.page import resource as shared
from seq2see.text import Fields, Tags
from seq2see.version import __version__

BEAMS = (1, 3, 5, 10)
CHOSEN_BEAM = 5


IN_WASM = ("base64.js", "options.js", "wasm.js", "wasm_page.js")
"""What calls WebAssembly."""


class Computing(NamedTuple):
    """What a page computes in."""

    wasm: bytes | None
    """The model in WebAssembly, or None for JavaScript."""
    why: str
    """One line for whoever writes the page."""


def computing(bundle: Bundle, *, wanted: bool = True) -> Computing:
    """WebAssembly, which is several times faster, if it is wanted and can be built here."""
    if not wanted:
        return Computing(None, "the page computes in JavaScript, as --no-wasm (wasm=False) says")
    slowly = "the page computes in JavaScript, several times slower than in WebAssembly"
    if missing():
        return Computing(None, f"{slowly}, which needs {missing()}: apt-get install clang lld, and export again")
    try:
        why = "since clang is installed (--no-wasm: in JavaScript, several times slower)"
        return Computing(wasm(bundle), f"the page computes in WebAssembly, {why}")
    except ConfigError as error:
        return Computing(None, f"{slowly}, which can't be built: {error.what}")


@cache
def scripts(in_wasm: bool) -> tuple[str, str]:
    """The model's script, of which a worker is made, and the page's."""
    page = (shared("elements.js"), shared("answers.js"), resource("page.js"))
    model = "\n".join(map(resource, IN_WASM)) if in_wasm else runtime()
    return compact_script(f"{model}\n{resource('worker.js')}"), compact_script("\n".join(page))


@cache
def style() -> str:
    """The stylesheet."""
    return compact_style(resource("page.css") + shared("answers.css"))


def policy(in_wasm: bool) -> str:
    """The content security policy: nothing is loaded, and only the page's own style and scripts are used."""
    allowed = [f"'{digest(each)}'" for each in scripts(in_wasm)] + ["'wasm-unsafe-eval'"] * in_wasm
    return (
        f"default-src 'none'; img-src data:; style-src '{digest(style())}'; script-src {' '.join(allowed)}; "
        "worker-src blob:; base-uri 'none'; form-action 'none'"
    )


def page(bundle: Bundle, module: bytes | None = None) -> str:
    """The page of a model, which computes in the WebAssembly of this module, or else in JavaScript."""
    in_wasm = module is not None
    name = str(bundle.facts["name"])
    head = [
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy(in_wasm)}">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        Markup('<link rel="icon" href="data:,">'),
        element("title", name),
        Markup(f"<style>{style()}</style>"),
    ]
    of_model, of_page = scripts(in_wasm)
    held = data(bundle) if module is None else json.dumps({"wasm": b64encode(module).decode()})
    body = [
        element("header", [element("h1", name, dir="auto")]),
        element("main", [*inputs(bundle), *RESULT]),
        element("footer", facts(bundle, in_wasm)),
        Markup(f'<script type="application/json" id="model">{held}</script>'),
        Markup(f'<script id="runtime">{of_model}</script>'),
        Markup(f'<script type="module">{of_page}</script>'),
        Markup("<noscript><p>The model runs in this page's script, which is switched off.</p></noscript>"),
    ]
    return f'<!DOCTYPE html>\n<html lang="en">\n{element("head", head)}\n{element("body", body)}\n</html>\n'


def inputs(bundle: Bundle) -> Iterator[Markup]:
    """A box for each field of the text, texts to try, and the choice of the beam."""
    for place, name in enumerate(field_names(bundle)):
        focus = {"autofocus": "autofocus"} if not place else {}
        box = element("textarea", dir="auto", rows="1", spellcheck="false", autocapitalize="off", **focus)
        yield element("label", [element("span", name), box])
    examples = [element("button", text, type="button", dir="auto") for text in bundle.facts.get("examples", ())]
    lead = [element("span", "Try", class_="soft")] if examples else []
    options = [
        element("option", str(beam), value=str(beam), **({"selected": "selected"} if beam == CHOSEN_BEAM else {}))
        for beam in BEAMS
    ]
    beam = element("label", [element("span", "Beam"), element("select", options, id="beam")])
    group = element("div", [*lead, *examples], id="examples", role="group", aria_label="Examples")
    yield element("div", [group, beam], class_="row")


RESULT = (
    Markup(
        '<div id="result"><output id="answer" dir="auto" aria-live="polite"></output>'
        '<div id="problem" role="alert"></div>'
        '<div class="row soft"><span id="share"></span><span id="time"></span></div></div>'
    ),
    Markup('<section id="rest" hidden><h2>Best answers</h2><ol id="answers" class="answers"></ol></section>'),
    Markup('<section id="where" hidden><h2 id="heading"></h2><div id="bands"></div></section>'),
)


def facts(bundle: Bundle, in_wasm: bool) -> Iterator[Markup]:
    """What the model is, and what was found when it was checked."""
    known = bundle.facts
    yield definitions(
        [
            ("model", f"{known['architecture']}, {known['parameters']:,} parameters"),
            ("network", "none: the model is in this file, and what you type stays on this device"),
            ("computed in", "WebAssembly" if in_wasm else "JavaScript"),
            ("made with", f"Seq2See {__version__}"),
        ]
    )
    if bundle.checked():
        items = element("ul", [element("li", line) for line in bundle.checked()])
        yield element("details", [element("summary", "Checked when it was exported"), items])


def field_names(bundle: Bundle) -> list[str]:
    """What the boxes are called: one, or one for each field of the source."""
    codec = bundle.source_codec
    if codec is None:
        return ["Text to continue"]
    if not isinstance(codec.tokenizer, Fields):
        return ["Text"]
    kinds = ["Tags" if isinstance(part, Tags) else "Text" for part in codec.tokenizer.parts]
    return [f"{kind} {place}" if kinds.count(kind) > 1 else kind for place, kind in enumerate(kinds, 1)]
