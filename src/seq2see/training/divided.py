"""Modules and tensors that are divided among processes, or copied to each, as far as training has to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def on_its_own(module: nn.Module, wanted: bool) -> Iterator[None]:
    """Inside, with `wanted`, gradients stay those of this process: more are to come before they are shared."""
    if isinstance(module, DistributedDataParallel):
        with module.no_sync() if wanted else nullcontext():
            yield
        return
    share: Any = getattr(module, "set_requires_gradient_sync", None)  # of FSDP, whose import takes seconds
    if share is not None:
        share(not wanted)
    yield


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that may be divided; all processes have to ask."""
    gathered: Any = getattr(tensor, "full_tensor", None)
    return tensor if gathered is None else gathered()


def own_part(tensor: Tensor) -> Tensor:
    """What this process has of a tensor that may be divided: the same memory."""
    local: Any = getattr(tensor, "to_local", None)
    return tensor if local is None else local()


def divided_as(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, divided as the other is."""
    tensor = tensor.to(other.device)
    if not hasattr(other, "to_local"):
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(other, DTensor)
    return distribute_tensor(tensor, other.device_mesh, other.placements, src_data_rank=None)
