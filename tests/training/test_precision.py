"""Which precision a run takes by itself, and what is refused."""

from __future__ import annotations

import pytest
import torch

from seq2see.errors import ConfigError
from seq2see.model import ARCHITECTURES, ModelOptions, Sizes, build, resolve
from seq2see.training import choose_precision, precision, require_precision

CPU = torch.device("cpu")


def choose(width=256, name="attention", device=CPU, cell=None):
    return choose_precision(device, resolve(ModelOptions(name=name, width=width, cell=cell)))


def with_capabilities(monkeypatch, **found):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(
    ("width", "found", "chosen"),
    [
        (256, {"avx512_bf16": True, "amx_bf16": False}, "bfloat16"),
        (512, {"avx512_bf16": False, "amx_bf16": True}, "bfloat16"),
        (64, {"avx512_bf16": True, "amx_bf16": True}, "float32"),
        (256, {"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, "float32"),
        (512, {}, "float32"),
    ],
)
def test_the_processor_and_the_width_decide(name, width, found, chosen, monkeypatch):
    with_capabilities(monkeypatch, **found)
    assert choose(width, name) == chosen


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_of_transformers_alone_a_width_of_128_is_enough(name, monkeypatch):
    with_capabilities(monkeypatch, avx512_bf16=True)
    assert choose(124, name) == "float32"
    expected = "bfloat16" if name in ("transformer", "transformer_language_model") else "float32"
    assert choose(128, name) == expected


def test_a_gru_trains_in_float32(monkeypatch):
    with_capabilities(monkeypatch, avx512_bf16=True)
    assert choose(cell="gru") == "float32"


def test_no_clock_decides(monkeypatch):
    with_capabilities(monkeypatch, avx512_bf16=True)
    for clock in ("time.perf_counter", "time.monotonic", "time.time", "time.process_time"):
        monkeypatch.setattr(clock, None)
    assert {choose() for _ in range(20)} == {"bfloat16"}


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_only_the_cpu_chooses_bfloat16_by_itself(device, monkeypatch):
    with_capabilities(monkeypatch, amx_bf16=True)
    assert choose(device=torch.device(device)) == "float32"


def test_an_older_pytorch_that_does_not_tell_trains_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose() == "float32"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_lstms_in_bfloat16_are_refused_where_the_processor_has_none(name, monkeypatch):
    monkeypatch.setattr(precision, "can_train_lstm", lambda: False)
    blueprint = resolve(ModelOptions(name=name, width=16, heads=2 if ARCHITECTURES[name].has_blocks else None))
    with torch.device("meta"):
        network = build(blueprint, Sizes(20, 20))
    require_precision("float32", CPU, network)
    require_precision("bfloat16", torch.device("cuda"), network)
    if name in ("transformer", "transformer_language_model"):
        require_precision("bfloat16", CPU, network)
        return
    with pytest.raises(ConfigError, match="unsupported for LSTMs") as caught:
        require_precision("bfloat16", CPU, network)
    assert caught.value.fix == "set training.precision=float32"


def test_the_processor_is_believed_when_it_says_that_it_can():
    """What `can_train_lstm` says of this machine is what happens."""
    lstm = torch.nn.LSTM(32, 64, batch_first=True)
    x = torch.randn(3, 5, 32)
    if precision.can_train_lstm():
        with torch.autocast("cpu", torch.bfloat16):
            lstm(x)[0].float().sum().backward()
    else:
        with torch.autocast("cpu", torch.bfloat16), pytest.raises(RuntimeError, match="LSTM"):
            lstm(x)
