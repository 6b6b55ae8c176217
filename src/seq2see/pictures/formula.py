r"""Answers that are mathematics in LaTeX, such as `\frac { 1 } { x }`, drawn as such by matplotlib."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable

MOST_CHARACTERS = 300
"""Of a formula that is drawn."""
DOTS_PER_INCH = 160
_BLANKS = re.compile(r"\s*([\^_{}])\s*")
"""Around what they mean nothing, but mathtext would not raise an exponent after one."""
_MARK = re.compile(r"\\[A-Za-z]+|[\^_]")


def are_formulas(texts: Iterable[str]) -> bool:
    """Whether some of these texts, which are of one kind, has a command of LaTeX, a superscript or a subscript."""
    return any(map(_MARK.search, texts))


def drawn_formula(text: str) -> str | None:
    """The formula as a PNG within a page; None without matplotlib, and for what its mathtext can't read."""
    if not text.strip() or len(text) > MOST_CHARACTERS or "$" in text or r"\hspace" in text:  # of any width
        return None
    try:
        from matplotlib.mathtext import math_to_image
    except ImportError:
        return None
    dense = _BLANKS.sub(r"\1", text)
    stream = io.BytesIO()
    try:
        math_to_image(f"${dense}$", stream, dpi=DOTS_PER_INCH, format="png")
    except (ValueError, RecursionError):  # an answer may be anything
        return None
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
