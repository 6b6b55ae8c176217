"""A token-level diff of a prediction and its reference."""

from __future__ import annotations

from collections.abc import Sequence

from seq2see.metrics.edits import levenshtein


def word_diff(reference: Sequence[str], prediction: Sequence[str], *, between: str) -> str:
    """Both in one line, in the format of `git diff --word-diff`.

    `[-a-]` is missing in the prediction, `{+b+}` is not in the reference. `between` separates tokens: empty for
    characters, a blank for words.
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
