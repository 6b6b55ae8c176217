"""Models: from token ids to scores of the next token, independent of text, files and configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.blueprint import (
    ARCHITECTURES,
    DEFAULT,
    Architecture,
    Blueprint,
    ModelOptions,
    Sizes,
    find,
    fitting,
    max_positions,
    resolve,
    to_options,
)
from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.model.architectures import build
    from seq2see.model.restored import restore
    from seq2see.model.seq2seq import Decoder, Seq2Seq
    from seq2see.model.stream import DecoderState, Layer, Memory, Stream
    from seq2see.model.tensors import Padded

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
    "max_positions",
    "resolve",
    "restore",
    "to_options",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "architectures": "build",
        "restored": "restore",
        "seq2seq": "Decoder Seq2Seq",
        "stream": "DecoderState Layer Memory Stream",
        "tensors": "Padded",
    },
)
