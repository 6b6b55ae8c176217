"""Where the model looked, for other programs: JSON and tab-separated columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from seq2see.inference.formats import ESCAPES
from seq2see.pictures.looked import Attention, Weights


def as_json(attentions: Sequence[Attention]) -> str:
    """An object with a list of `texts`: tokens, weights, alignment, and the heads where they were asked for.

    Weights are written so that reading them as float32 gives the very numbers of the model. Alignments are pairs of
    places from 0, source first, as in `seq2see predict --alignments pharaoh`.
    """
    texts = [_as_object(number, each) for number, each in enumerate(attentions, start=1)]
    return json.dumps({"texts": texts}, ensure_ascii=False) + "\n"


def as_tsv(attentions: Sequence[Attention]) -> str:
    """A table a text, an empty line between: a row a target token, a column a source token, which the first row names.

    In front stand the number of the text and the target token; where heads were asked for, layer and head too, from 1,
    in place of the mean. A tab, line break or backslash in a token is written \\t, \\n, \\\\.
    """
    tables = ["".join(_rows(number, each)) for number, each in enumerate(attentions, start=1)]
    return "\n".join(tables)


def _as_object(number: int, attention: Attention) -> dict[str, Any]:
    answer = attention.prediction
    found: dict[str, Any] = {
        "number": number,
        "source": attention.source,
        "text": answer.text,
        "finished": answer.finished,
        "source_tokens": answer.source_tokens,
        "target_tokens": answer.target_tokens,
        "alignment": answer.alignment(),
        "weights": _plain(attention.weights),
    }
    if attention.heads is not None:
        found["shown_layer"] = attention.shown_layer + 1
        found["heads"] = [[_plain(weights) for weights in layer] for layer in attention.heads]
    return found


def _rows(number: int, attention: Attention) -> Iterator[str]:
    answer = attention.prediction
    source = [token.translate(ESCAPES) for token in answer.source_tokens]
    target = [token.translate(ESCAPES) for token in answer.target_tokens]
    by_head = ["layer", "head"] if attention.heads is not None else []
    yield "\t".join(["text", *by_head, "target", *source]) + "\n"
    if attention.heads is None:
        parts: list[tuple[list[str], Weights]] = [([], attention.weights)]
    else:
        parts = [([str(panel.layer), str(panel.head)], panel.weights) for panel in attention.panels()]
    for places, weights in parts:
        for token, row in zip(target, _plain(weights), strict=True):
            yield "\t".join([str(number), *places, token, *map(str, row)]) + "\n"


def _plain(weights: Weights) -> list[list[float]]:
    """The numbers with as few digits as say exactly which they are, in the format that they have."""
    return [[float(str(weight)) for weight in row] for row in weights]
