"""Answers in LaTeX are drawn as formulas; nothing else is, and nothing that an answer can be stops a page."""

from __future__ import annotations

import base64
import sys

import pytest

from seq2see.pictures.formula import are_formulas, drawn_formula


@pytest.mark.parametrize("text", [r"\frac { 1 } { x }", "x ^ { 2 }", r"\sqrt [ 3 ] { x }", "1 5 4 + 1 3"])
def test_a_formula_is_drawn(text: str) -> None:
    pytest.importorskip("matplotlib")
    drawn = drawn_formula(text)
    assert drawn is not None
    kind, _, content = drawn.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content).startswith(b"\x89PNG")
    assert drawn == drawn_formula(text)


def test_blanks_between_tokens_mean_nothing() -> None:
    pytest.importorskip("matplotlib")
    for spaced, dense in (("x ^ { 2 }", "x^{2}"), (r"\sum _ { i = 1 } ^ { n } x", r"\sum_{i=1}^{n}x")):
        assert drawn_formula(spaced) == drawn_formula(dense)
    assert drawn_formula("x ^ 2") != drawn_formula("x 2")


@pytest.mark.parametrize(
    "text", ["", " ", r"\frac { 1", "^" * 300, "{" * 300, "x" * 301, "a $ b", r"\hspace{100000} x", r"\unknown", "\x00"]
)
def test_what_is_none_is_not_drawn(text: str) -> None:
    pytest.importorskip("matplotlib")
    assert drawn_formula(text) is None


def test_without_matplotlib_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.mathtext", None)
    assert drawn_formula("x ^ 2") is None


def test_formulas_are_told_from_words() -> None:
    assert are_formulas(["1 + 2", r"\alpha"])
    assert are_formulas(["x _ 1"])
    assert not are_formulas(["a dog runs", "1 + 2"])
