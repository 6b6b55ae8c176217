"""A model made again from what was stored of it, which may have been written by anyone."""

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
    """The blueprint that `asdict` made plain values of. ConfigError for anything else, and for what can't be built."""
    names = {item.name for item in fields(Blueprint)}
    if not isinstance(values, dict) or set(values) != names:
        differing = sorted(map(str, names ^ set(values))) if isinstance(values, dict) else sorted(names)
        raise ConfigError(f"a model has to have each of its options: {', '.join(differing)}", where="model")
    try:
        options = msgspec.convert(values, ModelOptions)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(str(error), where="model") from None
    open_options = [name for name, value in asdict(options).items() if value is None]
    if open_options:
        raise ConfigError("is left open", where=f"model.{open_options[0]}")
    blueprint = Blueprint(**asdict(options))
    find(blueprint.name)
    resolve(to_options(blueprint))
    return blueprint


def restore(o: Blueprint, sizes: Sizes, tensors: Mapping[str, Tensor]) -> Seq2Seq:
    """The model whose tensors these are. ValueError if they are another model's, ConfigError as `build`.

    A blueprint of sizes far beyond the tensors is refused before anything of these sizes is made. No random numbers of
    the caller's are used up.
    """
    total = sum(tensor.numel() for tensor in tensors.values())
    if o.layers > len(tensors) or max(_areas(o, sizes)) > total:
        raise ValueError("names and shapes are those of another model")
    with torch.random.fork_rng(devices=[]):  # initial values are drawn and thrown away
        model = build(o, sizes)
    model.load_tensors(tensors)
    return model


def _areas(o: Blueprint, sizes: Sizes) -> list[int]:
    """Numbers of values that no model of the blueprint has fewer of; and none has many times more than the largest."""
    used = to_options(o)
    return [
        4 * o.layers * o.width * o.width,  # of an LSTM the recurrent matrix; of a block the four of its attention
        o.embedding * o.width,
        (sizes.source + sizes.target) * o.embedding // 2,  # the two tables may be one
        sizes.target * o.width,
        o.layers * o.width * (used.feed_forward or 0),
        o.width * (used.max_positions or 0),
    ]
