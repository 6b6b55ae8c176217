"""The options of one architecture, reset where another has no use for them."""

from __future__ import annotations

from typing import Any

import pytest

from seq2see.blueprint import ARCHITECTURES, ModelOptions, fitting, resolve


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(
    "options",
    [
        {"layers": 1},
        {"encoder_layers": 6, "decoder_layers": 1},
        {"encoder_layers": 1},
        {"layers": 1, "encoder_layers": 3},
        {"layers": 3, "decoder_layers": 1},
        {"cell": "gru", "copy": True, "diagonal": True, "query": "current", "output": "direct"},
        {"output": "direct", "tie": "all", "embedding": 64},
        {"direction": "backward", "merge": "sum", "score": "dot", "heads": 2, "positions": "learned"},
    ],
    ids=str,
)
def test_whatever_is_asked_of_all_fits_each(name: str, options: dict[str, Any]) -> None:
    resolve(fitting(ModelOptions(**options), name))


@pytest.mark.parametrize(
    ("name", "options", "sides"),
    [
        ("stacked", {"encoder_layers": 6, "decoder_layers": 1}, (6, 1)),
        ("stacked", {"layers": 1, "encoder_layers": 6}, (6, 1)),
        ("stacked", {"layers": 1}, (2, 2)),
        ("gnmt", {"encoder_layers": 6, "decoder_layers": 1}, (6, 4)),
        ("gnmt", {"layers": 3, "decoder_layers": 1}, (3, 3)),
        ("gnmt", {"layers": 1, "encoder_layers": 3}, (3, 4)),
        ("residual", {"encoder_layers": 1, "decoder_layers": 2}, (1, 2)),
    ],
)
def test_only_too_few_layers_are_reset(name: str, options: dict[str, Any], sides: tuple[int, int]) -> None:
    o = resolve(fitting(ModelOptions(**options), name))
    assert (o.encoder_layers, o.decoder_layers) == sides
