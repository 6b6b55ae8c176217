"""Restoring a model from a stored blueprint and tensors, neither of which is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields

import msgspec
import torch
from torch import Tensor

from seq2see.errors import ConfigError
from seq2see.model.architectures import Sizes
from seq2see.model.options import Blueprint, ModelOptions
from seq2see.model.rungs import build, find, resolve, to_options
from seq2see.model.seq2seq import Seq2Seq


def read_blueprint(values: object) -> Blueprint:
    """The inverse of `asdict(blueprint)`. ConfigError for invalid values."""
    names = {item.name for item in fields(Blueprint)}
    if not isinstance(values, dict) or set(values) != names:
        differing = sorted(map(str, names ^ set(values))) if isinstance(values, dict) else sorted(names)
        raise ConfigError(f"missing or unknown options: {', '.join(differing)}", where="model")
    try:
        options = msgspec.convert(values, ModelOptions)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(str(error), where="model") from None
    open_options = [name for name, value in asdict(options).items() if value is None]
    if open_options:
        raise ConfigError("has no value", where=f"model.{open_options[0]}")
    blueprint = Blueprint(**asdict(options))
    find(blueprint.name)
    resolve(to_options(blueprint))
    return blueprint


def restore(o: Blueprint, sizes: Sizes, tensors: Mapping[str, Tensor]) -> Seq2Seq:
    """The model with these tensors. ValueError if their names or shapes don't fit, ConfigError as `build`.

    A blueprint much larger than its tensors is rejected before any memory is allocated. Torch's global generator is
    left unchanged.
    """
    total = sum(tensor.numel() for tensor in tensors.values())
    if o.layers > len(tensors) or max(_areas(o, sizes)) > total:
        raise ValueError("tensor names or shapes don't match the model")
    with torch.random.fork_rng(devices=[]):  # the initial values are discarded
        model = build(o, sizes)
    model.load_tensors(tensors)
    return model


def _areas(o: Blueprint, sizes: Sizes) -> list[int]:
    """Lower bounds on the number of values in a model of this blueprint; the true number is close to the largest."""
    used = to_options(o)
    return [
        4 * o.layers * o.width * o.width,  # an LSTM's recurrent matrix, or the four matrices of a block's attention
        o.embedding * o.width,
        (sizes.source + sizes.target) * o.embedding // 2,  # the tables may be tied
        sizes.target * o.width,
        o.layers * o.width * (used.feed_forward or 0),
        o.width * (used.max_positions or 0),
    ]
