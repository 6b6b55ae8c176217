"""Modules and tensors that may be sharded (FSDP2) or replicated (DDP) among processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def without_gradient_sync(module: nn.Module, wanted: bool) -> Iterator[None]:
    """If `wanted`, gradients stay local inside the block, because more are added before they are synchronized."""
    if isinstance(module, DistributedDataParallel):
        with module.no_sync() if wanted else nullcontext():
            yield
        return
    set_sync: Any = getattr(module, "set_requires_gradient_sync", None)  # FSDP; importing its class takes seconds
    if set_sync is not None:
        set_sync(not wanted)
    yield


def full_tensor(tensor: Tensor) -> Tensor:
    """The full tensor of one that may be sharded; all processes have to call it."""
    gathered: Any = getattr(tensor, "full_tensor", None)
    return tensor if gathered is None else gathered()


def local_shard(tensor: Tensor) -> Tensor:
    """This process's shard of a tensor that may be sharded; shares its memory."""
    local: Any = getattr(tensor, "to_local", None)
    return tensor if local is None else local()


def sharded_like(tensor: Tensor, other: Tensor) -> Tensor:
    """A full tensor, sharded as `other` is."""
    tensor = tensor.to(other.device)
    if not hasattr(other, "to_local"):
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(other, DTensor)
    return distribute_tensor(tensor, other.device_mesh, other.placements, src_data_rank=None)
