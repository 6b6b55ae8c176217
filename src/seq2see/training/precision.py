"""The number format of training: what `auto` chooses, and where bfloat16 is unsupported."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch

from seq2see.errors import ConfigError
from seq2see.model import ARCHITECTURES, Blueprint, Seq2Seq
from seq2see.model.recurrent import LSTM

MIN_WIDTH, MIN_BLOCKS_WIDTH = 256, 128
"""From this width on, of models with LSTMs and of those with Transformer blocks alone, bfloat16 is 1.1 to 1.5 times
faster on processors with instructions for it; below it gains nothing (docs/scaling.md)."""
INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
"""Instruction sets with bfloat16 products; without them bfloat16 is slower than float32."""


def choose_precision(device: torch.device, blueprint: Blueprint) -> Literal["float32", "bfloat16"]:
    """The value of `auto`: bfloat16 on a CPU with instructions for it and from some width on, else float32.

    It depends only on machine and model, so the same command always gives the same model. On a GPU it is float32, since
    cuDNN's LSTM under autocast runs in float16, whose loss would need scaling. So it is for a GRU, for which oneDNN has
    no call in PyTorch.
    """
    least = MIN_WIDTH if ARCHITECTURES[blueprint.name].is_recurrent else MIN_BLOCKS_WIDTH
    is_suitable = blueprint.width >= least and blueprint.cell == "lstm"
    is_faster = device.type == "cpu" and is_suitable and has_instructions()
    return "bfloat16" if is_faster else "float32"


def has_instructions() -> bool:
    """Whether the processor has bfloat16 products; older versions of PyTorch can't tell."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in INSTRUCTIONS)


def require_precision(precision: str, device: torch.device, network: Seq2Seq) -> None:
    """ConfigError for bfloat16 if the network has LSTMs and the processor can't run them in it."""
    has_lstm = any(isinstance(part, LSTM) for part in network.modules())
    if precision == "bfloat16" and device.type == "cpu" and has_lstm and not can_train_lstm():
        what = "bfloat16 is unsupported for LSTMs on this processor"
        raise ConfigError(what, where="training.precision", fix="set training.precision=float32")


@lru_cache(maxsize=1)
def can_train_lstm() -> bool:
    """Whether PyTorch can run an LSTM in bfloat16 on this processor: tries a tiny one."""
    with torch.random.fork_rng(devices=[]):  # torch.nn.utils.skip_init would import torch.fx, and that sympy
        lstm = torch.nn.LSTM(32, 32)
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            lstm(torch.zeros(1, 1, 32))
    except RuntimeError:
        return False
    return True
