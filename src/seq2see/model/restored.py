"""Restoring a model from a blueprint and stored tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from seq2see.blueprint import Blueprint, Sizes, require_tensors
from seq2see.model.architectures import build
from seq2see.model.seq2seq import Seq2Seq


def restore(o: Blueprint, sizes: Sizes, tensors: Mapping[str, Tensor]) -> Seq2Seq:
    """The model with these tensors. CheckpointError if they aren't those of such a model, before anything is made.

    Torch's global generator is left unchanged.
    """
    require_tensors(o, sizes, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    with torch.random.fork_rng(devices=[]):  # the initial values are discarded
        model = build(o, sizes)
    model.load_tensors(tensors)
    return model
