"""Attention for other programs: dicts, JSON and tab-separated tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seq2see.data.lines import ESCAPES

if TYPE_CHECKING:
    from seq2see.pictures.attention import Attention, Weights


def as_json(attentions: Sequence[Attention]) -> str:
    """An object with a list of `texts`: tokens, weights, alignment, and the heads if requested.

    Weights round-trip: read as float32 they are exactly the model's. Alignments are (source, target) positions from 0,
    as in `seq2see predict --alignments pharaoh`.
    """
    texts = [{"number": number} | attention_dict(each) for number, each in enumerate(attentions, start=1)]
    return json.dumps({"texts": texts}, ensure_ascii=False) + "\n"


def as_tsv(attentions: Sequence[Attention]) -> str:
    """One table per text, separated by an empty line: a header of source tokens, then one row per target token.

    The first columns are the number of the text and the target token; with heads, layer and head (from 1) stand between
    them, and there are rows for every head instead of the mean. A tab, line break or backslash in a token is written
    \\t, \\n, \\\\.
    """
    tables = ["".join(_lines(number, each)) for number, each in enumerate(attentions, start=1)]
    return "\n".join(tables)


def attention_dict(attention: Attention) -> dict[str, Any]:
    """Tokens, weights, alignment and heads as plain lists."""
    prediction = attention.prediction
    found: dict[str, Any] = {
        "source": attention.source,
        "text": prediction.text,
        "finished": prediction.finished,
        "source_tokens": prediction.source_tokens,
        "target_tokens": prediction.target_tokens,
        "alignment": prediction.alignment(),
        "weights": _plain(attention.weights),
    }
    if attention.heads is not None:
        found["shown_layer"] = attention.shown_layer + 1
        found["heads"] = [[_plain(weights) for weights in layer] for layer in attention.heads]
    return found


def attention_dicts(attention: Attention) -> list[dict[str, Any]]:
    """One flat dict per target and source position (from 0); with heads, per layer, head and position."""
    prediction = attention.prediction
    return [
        {
            **head,
            "target_position": row,
            "source_position": column,
            "target_token": target,
            "source_token": source,
            "weight": weight,
        }
        for head, weights in _parts(attention)
        for row, (target, cells) in enumerate(zip(prediction.target_tokens, _plain(weights), strict=True))
        for column, (source, weight) in enumerate(zip(prediction.source_tokens, cells, strict=True))
    ]


def _parts(attention: Attention) -> list[tuple[dict[str, int], Weights]]:
    """The weights of every head with its numbers; without heads the mean."""
    if attention.heads is None:
        return [({}, attention.weights)]
    return [({"layer": each.layer, "head": each.head}, each.weights) for each in attention.each_head()]


def _lines(number: int, attention: Attention) -> Iterator[str]:
    prediction = attention.prediction
    source = [token.translate(ESCAPES) for token in prediction.source_tokens]
    target = [token.translate(ESCAPES) for token in prediction.target_tokens]
    parts = _parts(attention)
    yield "\t".join(["text", *parts[0][0], "target", *source]) + "\n"
    for head, weights in parts:
        for token, row in zip(target, _plain(weights), strict=True):
            yield "\t".join([str(number), *map(str, head.values()), token, *map(str, row)]) + "\n"


def _plain(weights: Weights) -> list[list[float]]:
    """The weights as floats with the fewest digits that identify them in their own precision."""
    return [[float(str(weight)) for weight in row] for row in weights]
