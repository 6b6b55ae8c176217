"""A stored blueprint and the shapes of stored tensors, neither of which is trusted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from reprlib import repr as shortened
from typing import Any

import msgspec

from seq2see.blueprint.architectures import DEPTH_OPTIONS, find
from seq2see.blueprint.options import Blueprint, ModelOptions, Sizes
from seq2see.blueprint.resolution import ADDED_LATER, require_sizes, resolve, to_options
from seq2see.blueprint.shapes import Shape, tensor_shapes
from seq2see.errors import CheckpointError, ConfigError

ANOTHER_VERSION = "read the model with the version of Seq2See that wrote it"
ANOTHER_MODEL = "configuration and weights belong to different models: use the files of one model"


def read_blueprint(values: object) -> Blueprint:
    """The inverse of `asdict(blueprint)`. ConfigError for invalid values, naming the first."""
    if not isinstance(values, dict):
        raise ConfigError("must be a table", where="model", fix=ANOTHER_VERSION)
    values = of_any_version(values)
    names = [item.name for item in fields(Blueprint)]
    for name in names:
        if values.get(name) is None:
            raise ConfigError("missing option", where=f"model.{name}", fix=ANOTHER_VERSION)
    for name in values:
        if name not in names:
            raise ConfigError(f"unknown option {shortened(name)}", where="model", fix=ANOTHER_VERSION)
    if isinstance(values["name"], str):
        find(values["name"])
    try:
        options = msgspec.convert(values, ModelOptions)
    except (msgspec.ValidationError, ValueError) as error:
        place = re.search(r"\$\.(\w+)", str(error))
        # Numbers beyond 64 bits have no place in the error.
        name = place[1] if place else next((key for key in names if is_huge(values[key])), "")
        expected = str(error).partition(" - at ")[0].replace("`", "").replace(" | null", "")
        why = f": {expected[0].lower()}{expected[1:]}" if expected.startswith("Expected ") else ""
        what = f"invalid value {shortened(values[name])}{why}" if name else "invalid value"
        raise ConfigError(what, where=f"model.{name}" if name else "model", fix=ANOTHER_VERSION) from None
    blueprint = Blueprint(**{name: getattr(options, name) for name in names})
    resolve(to_options(blueprint))
    return blueprint


def of_any_version(values: dict[str, Any]) -> dict[str, Any]:
    """The values, with those of options that older versions didn't have."""
    values = ADDED_LATER | values
    if "layers" in values and not values.keys() & DEPTH_OPTIONS:
        both = dict.fromkeys(("encoder_layers", "decoder_layers"), values["layers"])
        values = {key: value for key, value in values.items() if key != "layers"} | both
    return values


def is_huge(value: object) -> bool:
    """Whether it is an integer of more than 64 bits."""
    return isinstance(value, int) and value.bit_length() > 63


def require_tensors(o: Blueprint, sizes: Sizes, found: Mapping[str, Shape]) -> None:
    """CheckpointError, naming the first, for a tensor that is missing, unknown, or of another shape than the model's.

    Takes time in proportion to the tensors found, however large a model the blueprint describes.
    """
    require_sizes(o, sizes)
    known = set()
    for name, shape in tensor_shapes(o, sizes):
        if name not in found:
            raise CheckpointError(f"missing from the {len(found):,} tensors", where=name, fix=ANOTHER_MODEL)
        if found[name] != shape:
            what = f"must have shape {written(shape)}, not {written(found[name])}"
            raise CheckpointError(what, where=name, fix=ANOTHER_MODEL)
        known.add(name)
    if unknown := found.keys() - known:
        more = f" (and {len(unknown) - 1:,} more)" if len(unknown) > 1 else ""
        raise CheckpointError(f"unknown tensor{more}", where=min(unknown), fix=ANOTHER_MODEL)


def written(shape: Shape) -> str:
    """A shape in words."""
    return " × ".join(map(str, shape)) or "scalar"
