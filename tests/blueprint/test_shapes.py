"""The shapes that a blueprint promises are those of the model that is built from it."""

from __future__ import annotations

import importlib.util
from itertools import islice
from pathlib import Path

import pytest

from seq2see.blueprint import ARCHITECTURES, Blueprint, ModelOptions, Sizes, require_tensors, resolve, tensor_shapes
from seq2see.errors import CheckpointError, ConfigError
from seq2see.model import build

_laws = importlib.util.spec_from_file_location("laws", Path(__file__).parent.parent / "laws" / "conftest.py")
assert _laws is not None and _laws.loader is not None
_module = importlib.util.module_from_spec(_laws)
_laws.loader.exec_module(_module)
variant, architecture = _module.variant, _module.architecture

MORE = {
    "gnmt of 4 layers": ModelOptions(name="gnmt", width=6, layers=4, score="additive"),
    "residual, one direction": ModelOptions(name="residual", width=6, direction="forward", score="general"),
    "input feeding of 2 layers": ModelOptions(name="input_feeding", width=6, layers=2, score="general"),
    "learned positions on one side": ModelOptions(name="transformer_lstm", width=8, positions="learned"),
    "learned positions and swiglu": ModelOptions(
        name="lstm_transformer", width=8, positions="learned", activation="swiglu", tie="none", max_positions=9
    ),
}


def sizes_for(o: Blueprint) -> Sizes:
    source = 11 if ARCHITECTURES[o.name].has_source else 0
    return Sizes(source, 11 if o.tie == "all" else 13, _module.fields_of(o))


def require_promised(o: Blueprint) -> None:
    sizes = sizes_for(o)
    built = {name: tuple(tensor.shape) for name, tensor in build(o, sizes).tensors().items()}
    assert dict(tensor_shapes(o, sizes)) == built
    require_tensors(o, sizes, built)


def test_they_are_those_of_every_variant(variant: Blueprint) -> None:
    require_promised(variant)


@pytest.mark.parametrize("name", MORE)
def test_they_are_those_of_other_combinations(name: str) -> None:
    require_promised(resolve(MORE[name]))


def test_each_tensor_that_is_missing_wrong_or_unknown_is_named(architecture: Blueprint) -> None:
    sizes = sizes_for(architecture)
    shapes = dict(tensor_shapes(architecture, sizes))
    for name, shape in shapes.items():
        others = {other: own for other, own in shapes.items() if other != name}
        with pytest.raises(CheckpointError, match="missing from") as caught:
            require_tensors(architecture, sizes, others)
        assert caught.value.where == name
        for wrong in ((*shape, 1), shape[1:], (shape[0] + 1, *shape[1:])):
            with pytest.raises(CheckpointError, match="must have shape") as caught:
                require_tensors(architecture, sizes, shapes | {name: wrong})
            assert caught.value.where == name
    with pytest.raises(CheckpointError, match=r"unknown tensor \(and 1 more\)") as caught:
        require_tensors(architecture, sizes, shapes | {"a": (1,), "b": (2,)})
    assert caught.value.where == "a"


def test_a_blueprint_of_any_size_is_compared_in_no_time() -> None:
    """Tensors are promised one by one: the first that is missing ends it."""
    huge = resolve(ModelOptions(name="transformer", width=1_000_000, layers=1_000))
    with pytest.raises(CheckpointError, match="missing from the 0 tensors"):
        require_tensors(huge, Sizes(10**9, 10**9), {})
    assert len(list(islice(tensor_shapes(huge, Sizes(1, 1)), 50))) == 50


def test_one_table_for_two_vocabularies_is_refused() -> None:
    o = resolve(ModelOptions(name="transformer", width=8, tie="all"))
    with pytest.raises(ConfigError, match="joint vocabulary"):
        require_tensors(o, Sizes(11, 12), {})
