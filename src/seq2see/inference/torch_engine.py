"""The engine in PyTorch."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from seq2see.data.batch import Batch, Padded
from seq2see.errors import ConfigError, did_you_mean
from seq2see.inference.engine import Array, Heads, Ids, stacked
from seq2see.model import DecoderState, Seq2Seq, max_positions, restore
from seq2see.model.encoder import Encoder
from seq2see.model.mixtures import HardMonotonic
from seq2see.model.readers import Attend, Pointer
from seq2see.model.recurrent import GRU, LSTM
from seq2see.model.tensors import at_least_float32
from seq2see.model.transformer import CrossAttention
from seq2see.storage.saved_model import SavedModel
from seq2see.training import target_log_probs, to_tensors
from seq2see.training.batch import padded_tensors
from seq2see.training.precision import has_instructions


@dataclass(frozen=True)
class TorchState:
    """A decoder's state whose rows are selected by NumPy arrays."""

    own: DecoderState
    device: torch.device

    @torch.inference_mode()
    def select(self, rows: Ids, sentences: Ids | None = None) -> TorchState:
        """See `seq2see.search.State`."""
        chosen = None if sentences is None else torch.from_numpy(sentences).to(self.device)
        return TorchState(self.own.select(torch.from_numpy(rows).to(self.device), chosen), self.device)


class TorchEngine:
    """A network of `seq2see.model`, on the device where its weights are. See `seq2see.inference.engine.Engine`.

    With `bfloat16`, products are computed in that format, as in training: the network's weights are converted, and
    log-probabilities have an error of some hundredths.
    """

    def __init__(self, network: Seq2Seq, *, max_positions: int | None = None, bfloat16: bool = False) -> None:
        self.num_parameters = sum(parameter.numel() for parameter in network.parameters())
        """The number of parameters."""
        self.network = network
        self.max_positions = max_positions
        self.bfloat16 = bfloat16
        if bfloat16:
            convert_weights(network)

    @property
    def name(self) -> str:
        """See `Engine`."""
        return "torch-bfloat16" if self.bfloat16 else "torch"

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.network.decoder.output.weight.device

    @property
    def has_attention(self) -> bool:
        """Whether there is attention to show."""
        return bool(self.readers)

    @property
    def readers(self) -> list[Attend | CrossAttention | Pointer | HardMonotonic]:
        """The layers with attention over the source, bottom first."""
        kinds = Attend | CrossAttention | Pointer | HardMonotonic
        return [part for part in self.network.decoder.modules() if isinstance(part, kinds)]

    @property
    def shown_layer(self) -> int:
        """Which of them gives the weights of `step`."""
        return max(
            height
            for height, part in enumerate(self.readers)
            if not isinstance(part, CrossAttention) or part.reports_weights
        )

    def _precision(self) -> AbstractContextManager[object]:
        """The context in which everything is computed."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.bfloat16 else nullcontext()

    @torch.inference_mode()
    def start(self, source: Padded, read: Ids) -> TorchState:
        """The state of a decoder that has the sources and has read these ids."""
        self.network.eval()
        with self._precision():
            state = self.network.decoder.start(self.network.encode(padded_tensors(source, self.device)))
            if read.shape[1]:
                _, state, _ = self.network.decoder(torch.from_numpy(read).to(self.device), state)
        return TorchState(state, self.device)

    @torch.inference_mode()
    def step(self, ids: Ids, state: TorchState) -> tuple[Array, TorchState, Array | None]:
        """One more token of each row."""
        with self._precision():
            logits, own, weights = self.network.decoder(torch.from_numpy(ids).to(state.device)[:, None], state.own)
        log_probs = at_least_float32(logits[:, 0]).log_softmax(-1)
        return to_numpy(log_probs), TorchState(own, state.device), None if weights is None else to_numpy(weights[:, 0])

    @torch.inference_mode()
    def target_log_probs(self, batch: Batch) -> Array:
        """log p of each real target token, all positions in parallel."""
        self.network.eval()
        with self._precision():
            log_probs: Array = to_numpy(target_log_probs(self.network, to_tensors(batch, self.device)))
        return log_probs

    @torch.inference_mode()
    def heads(self, batch: Batch) -> Heads:
        """The weights of each head, all positions in parallel."""
        self.network.eval()
        known = to_tensors(batch, self.device)
        with self._precision():
            state = self.network.decoder.start(self.network.encode(known.source))
            stream, _ = self.network.decoder.states(known.decoder_input, state, by_head=True)
            assert stream.heads, "the decoder has attention"
            assert isinstance(self.network.encoder, Encoder), "it attends to a source"
            encoder = self.network.encoder.self_attention(known.source)
        cross, own, decoder = ([*map(to_numpy, each)] for each in (stream.heads, encoder, stream.self_heads or ()))
        return Heads(np.stack(cross), stacked(own), stacked(decoder))


def make_torch_engine(saved: SavedModel, device: torch.device, *, bfloat16: bool = False) -> TorchEngine:
    """The engine of a saved model. ConfigError for bfloat16 on MPS, or a processor without instructions for it."""
    if bfloat16 and (device.type == "mps" or (device.type == "cpu" and not has_instructions())):
        what = "bfloat16 needs CUDA, or a processor on which PyTorch finds instructions for it (AVX-512 BF16 or AMX)"
        raise ConfigError(what, where="engine", fix="use --engine torch or numpy")
    tensors = {name: torch.from_numpy(tensor) for name, tensor in saved.tensors.items()}
    network = restore(saved.blueprint, saved.sizes, tensors)
    return TorchEngine(network.to(device).eval(), max_positions=max_positions(saved.blueprint), bfloat16=bfloat16)


def convert_weights(network: Seq2Seq) -> None:
    """Give all linear and recurrent layers weights of their own in bfloat16.

    Autocast would convert them at every step. A table of embeddings that an output layer shares stays as it is.
    """
    for part in network.modules():
        if isinstance(part, nn.Linear | LSTM | GRU):
            for name, parameter in list(part.named_parameters(recurse=False)):
                setattr(part, name, nn.Parameter(parameter.detach().to(torch.bfloat16), requires_grad=False))


def to_numpy(tensor: torch.Tensor) -> Any:
    """A tensor as an array on the CPU, in float32 or wider."""
    return at_least_float32(tensor).cpu().numpy()


def find_device(name: str) -> torch.device:
    """`auto` is CUDA or MPS if available, else the CPU. ConfigError for a device that this machine lacks."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if name not in available:
        raise ConfigError(f"unknown device {name!r}", where="device", fix=did_you_mean(name, ["auto", *available]))
    if not available[name]:
        raise ConfigError(
            f"{name} is unavailable on this machine, or in this build of PyTorch",
            where="device",
            fix='use --device cpu (device="cpu")',
        )
    return torch.device(name)
