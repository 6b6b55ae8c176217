"""A prediction beside its reference, token by token: what is missing, what is too much."""

from __future__ import annotations

from collections.abc import Sequence

from seq2see.metrics.edits import levenshtein


def word_diff(reference: Sequence[str], prediction: Sequence[str], *, between: str) -> str:
    """The two as one line, as `git diff --word-diff` writes it.

    `[-a-]` is missing in the prediction, `{+b+}` is too much in it. Tokens in both stand as they are; `between` goes
    between tokens: nothing for characters, a blank for words.
    """
    pieces = []
    for kind, start, end, first, last in levenshtein("a diff").opcodes(reference, prediction):
        missing, extra = between.join(reference[start:end]), between.join(prediction[first:last])
        if kind == "equal":
            pieces.append(missing)
            continue
        changed = f"[-{missing}-]" if end > start else ""
        pieces.append(changed + (f"{{+{extra}+}}" if last > first else ""))
    return between.join(pieces)
