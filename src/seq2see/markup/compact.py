"""Scripts and stylesheets without comments and without the white space that they can do without."""

from __future__ import annotations

import re

_JAVASCRIPT = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<space>\s+)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)
    |(?P<word>[\w$\#]+)
    |(?P<slash>/)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_EXPRESSION = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
"""A regular expression."""


def compact_script(script: str) -> str:
    """JavaScript of which every statement ends with a semicolon, and no template holds another."""
    parts: list[str] = []
    place, is_apart = 0, False
    while place < len(script):
        found = _JAVASCRIPT.match(script, place)
        assert found is not None
        kind, own = found.lastgroup, found.group()
        before = parts[-1] if parts else ""
        if kind == "slash" and (not before or before[-1] in "(,=:[!&|?{};<>+-" or before == "return"):
            expression = _EXPRESSION.match(script, place)
            assert expression is not None, script[place : place + 40]
            own = expression.group()
        assert own[0] != "`" or own.count("${") <= own.count("}"), f"a template in a template: {own}"
        place += len(own)
        if kind in ("comment", "space"):
            is_apart = True
            continue
        if (
            is_apart
            and before
            and ((is_word(before[-1]) and is_word(own[0])) or (before[-1] == own[0] and own in "+-"))
        ):
            parts.append(" ")
        parts.append(own)
        is_apart = False
    return "".join(parts)


def is_word(character: str) -> bool:
    """Whether two of these in a row would be one word."""
    return character.isalnum() or character in "_$#"


def compact_style(style: str) -> str:
    """CSS without strings that hold braces or comments."""
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    style = re.sub(r"\s+", " ", style)
    return re.sub(r" ?([{};,>]) ?", r"\1", style).replace(": ", ":").replace(";}", "}").strip()
