"""The pages of a service: one to try the models at /, and the reference of its endpoints at /docs."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from seq2see.markup import Markup, definitions, document, element, paragraph, scrollable, table, text_element
from seq2see.markup.page import digest, policy, script, style
from seq2see.markup.page import resource as shared
from seq2see.serving.openapi import STATUS
from seq2see.version import __version__


def resource(name: str) -> str:
    """A file beside this module."""
    return files("seq2see.serving").joinpath(name).read_text(encoding="utf-8")


@cache
def try_style() -> str:
    """The style of all pages, and that of this one."""
    return style() + shared("answers.css") + shared("beam.css") + resource("page.css")


@cache
def try_scripts() -> tuple[str, str]:
    """The script of all pages, and that of this one, which uses it."""
    return script(), shared("answers.js") + shared("beam.js") + resource("page.js")


def try_policy() -> str:
    """The content security policy of the page at /: its own style and scripts, and requests to its own service."""
    scripts = " ".join(f"'{digest(each)}'" for each in try_scripts())
    return (
        f"default-src 'none'; style-src '{digest(try_style())}'; script-src {scripts}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def docs_policy() -> str:
    """That of the reference."""
    return f"{policy()}; frame-ancestors 'none'"


@cache
def try_page() -> str:
    """The page at /."""
    head = [
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        element("title", "Seq2See"),
        Markup(f"<style>{try_style()}</style>"),
    ]
    widths = [element("option", str(number), value=str(number)) for number in (1, 3, 5, 10)]
    seed = Markup('<input id="sample" type="number" min="0" inputmode="numeric" placeholder="no sampling">')
    prefix = Markup('<input id="prefix" dir="auto" autocomplete="off" spellcheck="false">')
    choices = [
        labeled("Model", Markup('<select id="model"></select>')),
        labeled("Beside it", Markup('<select id="other"></select>')),
        labeled("Beam", element("select", widths, id="beam")),
        labeled("Sample with seed", seed),
        labeled("Answer begins with", prefix),
    ]
    form = [
        labeled("Text", Markup('<textarea id="text" dir="auto" autofocus spellcheck="false"></textarea>')),
        Markup('<p id="examples" role="group" aria-label="Examples" hidden></p>'),
        element("div", choices, class_="choices"),
        Markup('<label hidden>API key<input id="key" type="password" autocomplete="off"></label>'),
    ]
    main = [
        element("form", form, id="form"),
        Markup('<p id="state" role="status"></p>'),
        element("h2", "Answers"),
        Markup(
            '<div class="sides"><h3 id="own-name" hidden></h3><ol id="answers" class="answers"></ol>'
            '<section id="beside" hidden><h3 id="beside-name"></h3><ol id="others"></ol></section></div>'
            '<div id="tokens"></div><div id="choices"></div>'
            '<section id="tree" aria-labelledby="tree-title" hidden><h2 id="tree-title">How the beam searched</h2>'
            '<div id="branches"></div></section>'
        ),
        Markup("<noscript><p>This page needs its script; the service itself doesn't: see /docs.</p></noscript>"),
    ]
    links = element("p", [element("a", "endpoints", href="docs"), Markup(" · "), element("a", "OpenAPI", href=OPENAPI)])
    skip = element("a", "Skip to the text", class_="skip", href="#text")
    header = element("header", [element("p", "Seq2See", class_="kind"), element("h1", "Try the models"), links])
    scripts = [Markup(f"<script>{each}</script>") for each in try_scripts()]
    body = [skip, header, element("main", main, id="main"), *scripts]
    return f'<!DOCTYPE html>\n<html lang="en">\n{element("head", head)}\n{element("body", body)}\n</html>\n'


OPENAPI = "openapi.json"


def labeled(name: str, field: Markup) -> Markup:
    """A field of the form with its name."""
    return element("label", [element("span", name), field])


def docs_page(described: dict[str, Any]) -> str:
    """The page at /docs, made from the OpenAPI document."""
    schemas = described["components"]["schemas"]
    sections: list[tuple[str, str, list[Markup]]] = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            parts = [paragraph(f"{operation['summary']}.")]
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                parts += [fields_table(resolved(schema, schemas)), example(path)]
            statuses = [(code, STATUS.get(int(code), "The answer.")) for code in operation["responses"]]
            parts += [element("h3", "Statuses"), definitions(statuses)]
            sections.append((operation["operationId"], f"{method.upper()} {path}", parts))
    lead = [paragraph(f"Seq2See {__version__}. The same as OpenAPI:"), element("a", OPENAPI, href=OPENAPI)]
    return document("Endpoints", sections, kind="Seq2See", lead=lead)


def resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference names."""
    found: dict[str, Any] = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def fields_table(schema: dict[str, Any]) -> Markup:
    """The keys of an object, what they take, and what they mean."""
    rows = [
        [
            element("th", name, scope="row"),
            text_element(takes(own)),
            text_element("" if "default" not in own else str(own["default"]).lower()),
            text_element(own.get("description", "")),
        ]
        for name, own in schema["properties"].items()
    ]
    return table(["key", "takes", "default", "meaning"], rows, caption="Keys of the body", kind="list")


def takes(schema: dict[str, Any]) -> str:
    """A type in words: "integer, 1 to 100"."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(takes, schema["anyOf"])))
    kind = schema.get("type", "")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if words == "array":
        return f"list of ({takes(schema['items'])})" if "items" in schema else "list"
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    bounds = [f"from {least}" if "minimum" in schema else f"above {least}"] if least is not None else []
    bounds += [f"up to {schema['maximum']}"] if "maximum" in schema else []
    return f"{words} {' '.join(bounds)}".strip()


def example(path: str) -> Markup:
    """A command that calls this endpoint."""
    body = '{"pairs": [{"source": "a text", "target": "its answer"}]}' if "score" in path else '{"texts": ["a text"]}'
    command = f"curl -H 'Content-Type: application/json' -d '{body}' http://127.0.0.1:8000{path}"
    return scrollable([element("pre", command)], f"Example of {path}")
