"""The models of the laws as NumPy networks: same variants, random weights, batches of different lengths."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seq2see.model import Blueprint, Seq2Seq
from seq2see.runtime import Network, build

_laws = importlib.util.spec_from_file_location("laws", Path(__file__).parent.parent / "laws" / "conftest.py")
assert _laws is not None and _laws.loader is not None
_module = importlib.util.module_from_spec(_laws)
_laws.loader.exec_module(_module)
variant, architecture, blueprint = _module.variant, _module.architecture, _module.blueprint
new_model, new_batch = _module.new_model, _module.new_batch


@pytest.fixture
def exported() -> Callable[[Seq2Seq], dict[str, np.ndarray]]:
    """The tensors as they are saved."""
    return lambda model: {name: tensor.numpy().copy() for name, tensor in model.tensors().items()}


@pytest.fixture
def network_of(exported) -> Callable[[Blueprint, Seq2Seq], Network]:
    """The same model in NumPy."""
    return lambda blueprint, model: build(
        blueprint, exported(model), _module.fields_of(blueprint), _module.copies_of(blueprint)
    )
