"""Sphinx configuration: the pages of docs/ and the reference of every public name. Build: scripts/docs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any

from sphinx.pycode import ModuleAnalyzer

import seq2see

project = "Seq2See"
author = "The Seq2See authors"
copyright = "The Seq2See authors, Apache-2.0"  # noqa: A001
version = release = seq2see.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "Seq2See"
html_theme_options = {"navigation_with_keys": True}
html_copy_source = False
html_show_sphinx = False

autodoc_default_options = {"members": True, "imported-members": True, "undoc-members": True, "no-value": True}
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 100
default_role = "literal"  # single backticks in docstrings are code

nitpicky = True
# Types in signatures that have no page: those of other packages, and those inside of modules.
nitpick_ignore_regex = [("py:(class|obj|data)", ".*")]
suppress_warnings = ["ref.python"]  # a type named without its module, which two modules have


def public_packages() -> list[str]:
    """seq2see and its subpackages that have public names."""
    found = [each.name for each in pkgutil.iter_modules(seq2see.__path__, "seq2see.") if each.ispkg]
    return ["seq2see", *(name for name in found if getattr(importlib.import_module(name), "__all__", []))]


def is_value(item: object) -> bool:
    """Whether it is a constant or a type alias, which `automodule` leaves out where it is imported."""
    return not (isinstance(item, type) or inspect.isroutine(item))


def load_public_names() -> dict[int, str]:
    """Where each public object is documented, by its id: in the first package that has it.

    Names that are imported on first use are resolved on the way: autodoc sees only what a module holds.
    """
    homes: dict[int, str] = {}
    for package in public_packages():
        module = importlib.import_module(package)
        for name in module.__all__:
            item = getattr(module, name)
            setattr(module, name, item)
            if not is_value(item):
                homes.setdefault(id(item), package)
    return homes


HOMES = load_public_names()


def skip_reexports(app: Any, what: str, name: str, item: object, skip: bool, options: object) -> bool | None:
    """Document a name that two packages have only once; the other page refers to it."""
    package = app.env.docname.rpartition("/")[2]
    home = HOMES.get(id(item), package)
    return True if what == "module" and home.rpartition(".")[2] != package else None


def refer_to_reexports(app: Any, what: str, name: str, module: Any, options: object, lines: list[str]) -> None:
    """Name at the top of a page what is documented on another."""
    if what == "module":
        others = [(HOMES.get(id(getattr(module, each)), name), each) for each in getattr(module, "__all__", [])]
        links = [f":py:obj:`{home}.{each}`" for home, each in others if home != name]
        lines += ["", "Also here: " + ", ".join(links) + "."] if links else []


def add_values(app: Any, page: str, source: list[str]) -> None:
    """Put the constants and type aliases of a package at the end of its page."""
    package = page.removeprefix("api/")
    package = package if package == "seq2see" else f"seq2see.{package}"
    if page.startswith("api/") and package in public_packages():
        module = importlib.import_module(package)
        values = [name for name in module.__all__ if is_value(getattr(module, name))]
        lines = [f".. autodata:: {package}.{name}" for name in values]
        source[0] += "\n```{eval-rst}\n" + "\n\n".join(lines) + "\n```\n" if lines else ""


def describe_values(app: Any, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Take the description of a constant from the module that defines it, not from its type."""
    if what == "data":
        package, _, last = name.rpartition(".")
        lines[:] = next((docs[last] for docs in value_docs(package) if last in docs), [])


@cache
def value_docs(package: str) -> list[dict[str, list[str]]]:
    """The docstrings below the assignments of each module of a package."""
    found = []
    for each in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        is_run = each.name.endswith("__main__")  # it would start the command
        docs = {} if each.ispkg or is_run else ModuleAnalyzer.for_module(each.name).find_attr_docs()
        found.append({name: lines for (scope, name), lines in docs.items() if not scope})
    return found


def setup(app: Any) -> None:
    """Connect these to Sphinx."""
    app.connect("source-read", add_values)
    app.connect("autodoc-process-docstring", describe_values)
    app.connect("autodoc-skip-member", skip_reexports)
    app.connect("autodoc-process-docstring", refer_to_reexports)
