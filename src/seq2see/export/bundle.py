"""What every target takes of a model."""

from __future__ import annotations

from typing import Any, NamedTuple

from seq2see.blueprint import Blueprint
from seq2see.errors import ConfigError
from seq2see.inference.examples import examples_in
from seq2see.inference.predictor import Predictor
from seq2see.program import Programs, trace
from seq2see.storage.saved_model import SavedModel
from seq2see.storage.weights import Weights, shapes_of, write_weights
from seq2see.text import Codec, Fields, Protected, Tokenizer


class Bundle(NamedTuple):
    """A model as any target can run it. It has no record of its training sources."""

    blueprint: Blueprint
    programs: Programs
    weights: bytes
    """A safetensors file, as in a packed model."""
    format: Weights
    """How numbers are stored in it."""
    source_codec: Codec | None
    target_codec: Codec
    limits: dict[str, int | None]
    """Of lengths in tokens: `maxLength` of answers by default, `maxInput`, and `maxPositions` of learned positions."""
    length_penalty: float
    """What a beam ranks with by default."""
    facts: dict[str, Any]
    """What the model is, to be shown."""

    def checked(self) -> list[str]:
        """What was found when it was compared with the original; empty before that."""
        return list(self.facts.get("checked", ()))

    def values(self) -> dict[str, Any]:
        """Everything but the programs and the weights, as plain values."""
        source = None if self.source_codec is None else codec_values(self.source_codec)
        target = codec_values(self.target_codec)
        return {"source": source, "target": target, **self.limits, "lengthPenalty": self.length_penalty, **self.facts}


def codec_values(codec: Codec) -> dict[str, Any]:
    """A codec as plain values, without what only training needs."""
    values = codec.to_dict()
    if "alignment" in values:
        values["alignment"] = True
    return values


def bundle_of(saved: SavedModel, model: Predictor, weights: Weights, *, name: str) -> Bundle:
    """The bundle of a model. ConfigError for what programs or targets don't support."""
    for codec in (saved.source_codec, saved.target_codec):
        if codec is not None:
            require_supported(codec.tokenizer)
    shapes = shapes_of(saved.tensors)
    limits = model.input_limits()
    facts = {
        "name": name,
        "architecture": saved.blueprint.name,
        "parameters": model.num_parameters,
        "examples": examples_in(saved.card),
    }
    return Bundle(
        saved.blueprint,
        trace(saved.blueprint, shapes, saved.sizes.fields, saved.sizes.copies),
        write_weights(saved.tensors, weights),
        weights,
        saved.source_codec,
        saved.target_codec,
        {"maxLength": model.max_length, "maxInput": limits.tokens, "maxPositions": limits.positions},
        model.length_penalty,
        facts,
    )


def require_supported(tokenizer: Tokenizer) -> None:
    """ConfigError for a tokenizer that the targets don't have."""
    for part in tokenizer.parts if isinstance(tokenizer, Fields) else (tokenizer,):
        if isinstance(part, Protected):
            what = "unsupported for text.protect, whose regular expressions are those of Python"
            raise ConfigError(what, where="export", fix="ship such a model with seq2see pack")
