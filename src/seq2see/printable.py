"""Text from files, models and names, so that a terminal shows it and does nothing else."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 without TAB and line feed: escape sequences begin with one of these
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # direction marks, which reorder the text around them
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff]"  # surrogates, which stand for bytes of a name that isn't UTF-8, or for nothing
)
SURROGATES = re.compile("[\ud800-\udfff]")
ISOLATES = "\u2066\u2067\u2068\u2069"
"""The direction marks that only affect the text between them."""


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with escapes (`\x1b`, `\u202e`) for all that a terminal would act on; line ends and TABs stay.

    A byte of a name that isn't UTF-8 is shown as that byte, `\xff`. `keep` are characters that stay too.
    """
    return UNPRINTABLE.sub(lambda found: found[0] if found[0] in keep else escape(found[0]), text)


def one_line(text: str) -> str:
    r"""`printable`, with `\n` and `\t` escaped too: for names."""
    return printable(text).replace("\n", r"\n").replace("\t", r"\t")


def quoted(word: object) -> str:
    r"""A word for a command line to copy: quoted if needed, and as `$'a\xff'` if it can't be printed."""
    text = str(word)
    if text == one_line(text):
        return shlex.quote(text)
    plain = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{one_line(plain)}'"


def listed(words: Iterable[str]) -> str:
    """Words as a sentence lists them: `a, b and c`."""
    *others, last = [*words] or [""]
    return f"{', '.join(others)} and {last}" if others else last


def has_surrogates(text: str) -> bool:
    """Whether the text has surrogates, so that it can't be written as UTF-8: bytes that aren't, or halves of a pair."""
    return SURROGATES.search(text) is not None


def markdown_code(text: str) -> str:
    """A name as code in Markdown: shown as it is, whatever it contains."""
    shown = one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def escape(character: str) -> str:
    r"""The escape of a character in Python and in the shell: `\r`, `\x1b`, `\u202e`, `\xff` for a byte."""
    code = ord(character)
    if character == "\r":
        return r"\r"
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that isn't UTF-8
        return rf"\x{code - 0xDC00:02x}"
    return rf"\x{code:02x}" if code < 0x80 else rf"\u{code:04x}"
