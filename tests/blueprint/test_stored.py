"""A stored blueprint is the one that was written, or is refused with the option's name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from seq2see.blueprint import ARCHITECTURES, MAX_LAYERS, ModelOptions, read_blueprint, resolve
from seq2see.blueprint.resolution import ADDED_LATER
from seq2see.errors import ConfigError

STORED = asdict(resolve(ModelOptions(name="transformer", width=8, heads=2)))

INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "a list as the name": ({"name": []}, "model.name"),
    "an unknown name": ({"name": "convolutional"}, "model.name"),
    "a width of 0": ({"width": 0}, "model.width"),
    "a width in quotes": ({"width": "8"}, "model.width"),
    "a width of 100 bits": ({"width": 2**100}, "model.width"),
    "a width of 40 bits": ({"width": 2**40}, "model.width"),
    "true layers": ({"encoder_layers": True}, "model.encoder_layers"),
    "too many layers": ({"decoder_layers": MAX_LAYERS + 1}, "model.decoder_layers"),
    "layers per side beside the layers of each": ({"layers": 4}, "model"),
    "more heads than values": ({"heads": 16}, "model.width"),
    "heads that leave a remainder": ({"heads": 3}, "model.width"),
    "an unknown activation": ({"activation": "os.system"}, "model.activation"),
    "activation in a table": ({"activation": {"relu": 1}}, "model.activation"),
    "unknown positions": ({"positions": "absolute"}, "model.positions"),
    "a huge number of positions": ({"positions": "learned", "max_positions": 2**62}, "model.max_positions"),
    "an unknown norm": ({"norm": None}, "model.norm"),
    "no dropout": ({"dropout": 1.0}, "model.dropout"),
    "an unknown option": ({"depth": 3}, "model"),
    "embedding other than width": ({"embedding": 9}, "model.embedding"),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_was_written_is_read(name: str) -> None:
    blueprint = resolve(ModelOptions(name=name, width=8))
    assert read_blueprint(asdict(blueprint)) == blueprint


@pytest.mark.parametrize("name", INVALID)
def test_what_no_model_has_is_refused_with_its_name(name: str) -> None:
    values, where = INVALID[name]
    with pytest.raises(ConfigError) as caught:
        read_blueprint(STORED | values)
    assert caught.value.where == where
    assert caught.value.fix


def test_a_number_out_of_range_says_the_range() -> None:
    with pytest.raises(ConfigError, match="invalid value 20000: expected int <= 1000"):
        read_blueprint(STORED | {"encoder_layers": 20_000})


def test_one_number_of_layers_of_an_older_version_is_that_of_both_sides() -> None:
    sides = ("encoder_layers", "decoder_layers")
    older = {key: value for key, value in STORED.items() if key not in sides} | {"layers": 4}
    assert read_blueprint(older) == resolve(ModelOptions(name="transformer", width=8, heads=2, layers=4))


def test_options_that_older_versions_had_not_are_as_they_were() -> None:
    older = {key: value for key, value in STORED.items() if key not in ADDED_LATER}
    assert read_blueprint(older) == read_blueprint(STORED)
    gnmt = asdict(resolve(ModelOptions(name="gnmt", width=8)))
    assert gnmt["query"] == "previous"
    assert read_blueprint({key: value for key, value in gnmt.items() if key not in ADDED_LATER}).query == "current"


def test_each_option_has_to_be_there() -> None:
    for name in STORED.keys() - ADDED_LATER:
        with pytest.raises(ConfigError, match="missing option") as caught:
            read_blueprint({key: value for key, value in STORED.items() if key != name})
        assert caught.value.where == f"model.{name}"
    for values in (None, [], "transformer"):
        with pytest.raises(ConfigError):
            read_blueprint(values)


def test_deep_and_long_values_are_shortened() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    for value in (deep, "x" * 100_000, list(range(100_000))):
        with pytest.raises(ConfigError) as caught:
            read_blueprint(STORED | {"score": value})
        assert len(str(caught.value)) < 300
