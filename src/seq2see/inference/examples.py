"""Texts to try a model on."""

from __future__ import annotations

import ast
import re
from contextlib import suppress

from seq2see.printable import has_surrogates

MOST_EXAMPLES = 10
_CALL = re.compile(r"\.predict\((\[.*?\])\)")


def examples_in(card: str) -> list[str]:
    """The texts of the calls of `predict` in a model card, as examples of what the model reads."""
    found = []
    for call in _CALL.findall(card):
        with suppress(ValueError, SyntaxError):  # somebody has written another card
            texts = ast.literal_eval(call)
            found += [text for text in texts if isinstance(text, str) and text.strip() and not has_surrogates(text)]
    return found[:MOST_EXAMPLES]
