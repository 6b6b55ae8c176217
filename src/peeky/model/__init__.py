"""Models: token ids in, scores of the next token out. Knows no text, no files and no configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peeky.lazy import lazily

if TYPE_CHECKING:
    from peeky.model.architectures import Sizes
    from peeky.model.options import Blueprint, ModelOptions
    from peeky.model.restored import read_blueprint, restore
    from peeky.model.rungs import (
        ARCHITECTURES,
        DEFAULT,
        Architecture,
        build,
        find,
        fitting,
        longest,
        resolve,
        to_options,
    )
    from peeky.model.seq2seq import Decoder, Seq2Seq
    from peeky.model.stream import DecoderState, Layer, Memory, Stream
    from peeky.model.tensors import Padded

__all__ = [
    "ARCHITECTURES",
    "DEFAULT",
    "Architecture",
    "Blueprint",
    "Decoder",
    "DecoderState",
    "Layer",
    "Memory",
    "ModelOptions",
    "Padded",
    "Seq2Seq",
    "Sizes",
    "Stream",
    "build",
    "find",
    "fitting",
    "longest",
    "read_blueprint",
    "resolve",
    "restore",
    "to_options",
]

__getattr__ = lazily(
    __name__,
    {
        "architectures": "Sizes",
        "options": "Blueprint ModelOptions",
        "restored": "read_blueprint restore",
        "rungs": "ARCHITECTURES DEFAULT Architecture build find fitting longest resolve to_options",
        "seq2seq": "Decoder Seq2Seq",
        "stream": "DecoderState Layer Memory Stream",
        "tensors": "Padded",
    },
)
