"""Attention for other programs: dicts, JSON and tab-separated tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seq2see.data.lines import ESCAPES
from seq2see.pictures.labels import CROSS, DECODER, ENCODER

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

    The first columns are the number of the text and the target token. With heads, the kind of attention (`cross`,
    `encoder` or `decoder`), layer and head (from 1) stand between them, and there are rows for every head instead of
    the mean: a table per kind, since their columns differ. A tab, line break or backslash in a token is written
    \\t, \\n, \\\\.
    """
    tables = [table for number, each in enumerate(attentions, start=1) for table in _tables(number, each)]
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
        found["heads"] = _plain_heads(attention.heads)
    if attention.encoder_heads is not None:
        found["encoder_heads"] = _plain_heads(attention.encoder_heads)
    if attention.decoder_heads is not None:
        found["decoder_input"] = attention.decoder_input
        found["decoder_heads"] = _plain_heads(attention.decoder_heads)
    return found


def attention_dicts(attention: Attention) -> list[dict[str, Any]]:
    """One flat dict per target and source position (from 0); with heads, per kind, layer, head and position.

    In self-attention the rows and columns are both of the source, or both of the target.
    """
    return [
        {
            **head,
            "target_position": row,
            "source_position": column,
            "target_token": target,
            "source_token": source,
            "weight": weight,
        }
        for kind in (CROSS, ENCODER, DECODER)
        for head, weights in _parts(attention, kind)
        for (targets, sources) in [attention.tokens_of(kind)]
        for row, (target, cells) in enumerate(zip(targets, _plain(weights), strict=True))
        for column, (source, weight) in enumerate(zip(sources, cells, strict=True))
    ]


def _parts(attention: Attention, kind: str) -> list[tuple[dict[str, Any], Weights]]:
    """The weights of every head of a kind with its numbers; without heads the mean."""
    if attention.heads is None:
        return [({}, attention.weights)] if kind == CROSS else []
    return [
        ({"attention": kind, "layer": each.layer, "head": each.head}, each.weights)
        for each in attention.each_head(kind)
    ]


def _tables(number: int, attention: Attention) -> Iterator[str]:
    """One table per kind of attention."""
    for kind in (CROSS, ENCODER, DECODER):
        rows, columns = ([token.translate(ESCAPES) for token in tokens] for tokens in attention.tokens_of(kind))
        if parts := _parts(attention, kind):
            lines = [["text", *parts[0][0], "target", *columns]]
            lines += [
                [str(number), *map(str, head.values()), token, *map(str, row)]
                for head, weights in parts
                for token, row in zip(rows, _plain(weights), strict=True)
            ]
            yield "".join("\t".join(line) + "\n" for line in lines)


def _plain_heads(layers: Weights) -> list[list[list[list[float]]]]:
    return [[_plain(weights) for weights in layer] for layer in layers]


def _plain(weights: Weights) -> list[list[float]]:
    """The weights as floats with the fewest digits that identify them in their own precision."""
    return [[float(str(weight)) for weight in row] for row in weights]
