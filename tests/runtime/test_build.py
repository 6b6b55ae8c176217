"""Errors of `build`, and that it imports nothing of training."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from seq2see.errors import CheckpointError
from seq2see.runtime import build


@pytest.fixture
def saved(blueprint, new_model, exported):
    """A blueprint and its tensors."""
    o = blueprint("attention")
    return o, exported(new_model(o, dtype=torch.float32))


def test_a_missing_tensor_is_named(architecture, new_model, exported) -> None:
    tensors = exported(new_model(architecture))
    for name in tensors:
        others = {other: tensor for other, tensor in tensors.items() if other != name}
        with pytest.raises(CheckpointError, match="missing from") as caught:
            build(architecture, others)
        assert caught.value.where == name
        assert caught.value.fix


def test_a_tensor_of_the_wrong_shape_is_named(architecture, new_model, exported) -> None:
    tensors = exported(new_model(architecture))
    for name, tensor in tensors.items():
        # A vocabulary may have any size.
        wrong = np.concatenate([tensor, tensor], -1) if "embedding" in name else np.concatenate([tensor, tensor[-1:]])
        for other in (wrong, tensor[None]):
            with pytest.raises(CheckpointError, match="shape") as caught:
                build(architecture, tensors | {name: other})
            assert caught.value.where == name
            assert " × ".join(map(str, other.shape)) in caught.value.what


def test_an_unknown_tensor_is_named(saved) -> None:
    blueprint, tensors = saved
    with pytest.raises(CheckpointError, match="unknown tensor") as caught:
        build(blueprint, tensors | {"decoder.bridge.weight": np.zeros((2, 2), np.float32)})
    assert caught.value.where == "decoder.bridge.weight"


def test_integer_tensors_are_errors(saved) -> None:
    blueprint, tensors = saved
    with pytest.raises(CheckpointError, match="int8") as caught:
        build(blueprint, tensors | {"decoder.output.bias": np.zeros(11, np.int8)})
    assert caught.value.where == "decoder.output.bias"


def test_the_given_tensors_are_not_modified(architecture, new_model, exported, new_batch) -> None:
    model = new_model(architecture)
    tensors = exported(model)
    copies = {name: tensor.copy() for name, tensor in tensors.items()}
    for tensor in tensors.values():
        tensor.flags.writeable = False  # as safetensors may return them
    network = build(architecture, tensors)
    source = new_batch(model).source
    state = network.start(source.ids.numpy(), source.lengths.numpy())
    network.step(np.array([4, 5, 6, 7]), state)
    assert all(np.array_equal(tensor, copies[name]) for name, tensor in tensors.items())


def test_neither_torch_nor_jaxtyping_is_loaded() -> None:
    program = "import sys, seq2see.runtime; print(sorted({'torch', 'jaxtyping'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
