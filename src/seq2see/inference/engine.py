"""The interface between a predictor and a trained network, and its implementation in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from seq2see.data.batch import Batch, Padded
from seq2see.runtime import Network, build
from seq2see.runtime.values import FieldValues
from seq2see.search import State
from seq2see.storage.saved_model import SavedModel
from seq2see.text import BOS

Array = npt.NDArray[np.floating[Any]]
Ids = npt.NDArray[np.int64]


def without_false_warnings() -> np.errstate:
    """A context without warnings of invalid values, which OpenBLAS can report falsely (numpy/numpy#24067)."""
    return np.errstate(invalid="ignore")


class Heads(NamedTuple):
    """The attention weights of every head, bottom layer first; each row sums to 1 and is 0 at padding."""

    cross: Array
    """To the source: [layers B heads T S]."""
    encoder: Array | None
    """Of the encoder's self-attention: [layers B heads S S]; None without one."""
    decoder: Array | None
    """Of the decoder's self-attention to the tokens before: [layers B heads T T]; None without one.

    Row t belongs to the t-th target token, like that of `cross`; column 0 is BOS, column p the target token p - 1."""


class Engine(Protocol):
    """A network as a search uses it. A state belongs to the engine that made it."""

    @property
    def name(self) -> str:
        """What it is called as an option."""
        ...

    @property
    def has_attention(self) -> bool:
        """Whether there is attention to show."""
        ...

    @property
    def max_positions(self) -> int | None:
        """The largest length of a text, EOS counted, for learned positions; None if there is no limit."""
        ...

    @property
    def num_parameters(self) -> int:
        """The number of parameters."""
        ...

    def start(self, source: Padded, read: Ids) -> State:
        """The state [B] of a decoder that has the sources and has read these ids [B P], BOS included."""
        ...

    def step(self, ids: Ids, state: Any) -> tuple[Array, Any, Array | None]:
        """See `seq2see.search.Step`."""
        ...

    def target_log_probs(self, batch: Batch) -> Array:
        """log p of each real target token given those before it, EOS included, row after row [N], in nats."""
        ...

    @property
    def shown_layer(self) -> int:
        """The layer, from 0 among those with cross-attention, whose mean over heads `step` gives as weights."""
        ...

    def heads(self, batch: Batch) -> Heads:
        """The attention weights of every head at each target token.

        Only for a network that `has_attention`. The targets are read with teacher forcing; there is no search.
        """
        ...


class NumpyEngine:
    """A network of `seq2see.runtime`, which needs nothing but NumPy."""

    name: ClassVar[str] = "numpy"

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def has_attention(self) -> bool:
        """See `Engine`."""
        return self.network.has_attention

    @property
    def max_positions(self) -> int | None:
        """See `Engine`."""
        return self.network.max_positions

    @property
    def num_parameters(self) -> int:
        """See `Engine`."""
        return self.network.num_parameters

    def start(self, source: Padded, read: Ids) -> State:
        """See `Engine`."""
        with without_false_warnings():
            state = self.network.start(*as_read(source))
            for ids in read.T:
                _, state, _ = self.network.step(ids, state)
        return state

    def step(self, ids: Ids, state: Any) -> tuple[Array, Any, Array | None]:
        """See `seq2see.search.Step`."""
        with without_false_warnings():
            return self.network.step(ids, state)

    def target_log_probs(self, batch: Batch) -> Array:
        """See `Engine`: step by step, the targets given."""
        source, target = batch
        state = self.start(source, np.empty((len(target.ids), 0), np.int64))
        found = np.zeros(target.ids.shape)
        before = np.full(len(target.ids), BOS)
        for position, ids in enumerate(target.ids.T):
            log_probs, state, _ = self.step(before, state)
            found[:, position] = log_probs[np.arange(len(ids)), ids]
            before = ids
        return found[target.mask]

    @property
    def shown_layer(self) -> int:
        """See `Engine`."""
        return self.network.shown_layer

    def heads(self, batch: Batch) -> Heads:
        """See `Engine`: one step per target token."""
        state: Any = self.start(batch.source, batch.decoder_input[:, :0])
        cross, own = [], []
        length = batch.decoder_input.shape[1]
        for position, ids in enumerate(batch.decoder_input.T, start=1):
            with without_false_warnings():
                state, to_source, to_itself = self.network.step_by_head(ids, state)
            cross.append(np.stack(to_source))
            own.append([np.pad(each, [(0, 0), (0, 0), (0, length - position)]) for each in to_itself])
        decoder = np.stack([np.stack(each) for each in own], 3) if own[0] else None
        with without_false_warnings():
            encoder = stacked(self.network.self_attention(*as_read(batch.source)))
        return Heads(np.stack(cross, 3), encoder, decoder)


def as_read(source: Padded) -> tuple[Ids, Ids, list[FieldValues]]:
    """A batch of sources as a network of `seq2see.runtime` takes it."""
    return source.ids, source.lengths, [FieldValues(*values) for values in source.values]


def stacked(layers: Sequence[Array]) -> Array | None:
    """The weights of all layers in one array; None without layers."""
    return np.stack(layers) if layers else None


def make_numpy_engine(saved: SavedModel) -> NumpyEngine:
    """The engine of a saved model."""
    with without_false_warnings():
        return NumpyEngine(build(saved.blueprint, saved.tensors, saved.sizes.fields, saved.sizes.copies))
