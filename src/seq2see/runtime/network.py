"""A trained model for step-by-step inference: `build`, `Network`, `State`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.blueprint import Blueprint, Field, Shape, Sizes, max_positions, require_tensors, starting_states
from seq2see.runtime.architectures import BUILDERS, EncoderDecoder
from seq2see.runtime.encoder import Padded
from seq2see.runtime.mixtures import HardMonotonic
from seq2see.runtime.readers import Attend, Pointer
from seq2see.runtime.recurrent import Recurrent
from seq2see.runtime.stream import Memory, Stream
from seq2see.runtime.tensors import Array, Tensors
from seq2see.runtime.transformer import CrossAttention
from seq2see.runtime.values import FieldValues
from seq2see.runtime.wiring import LayerStates, Stack


class State:
    """The decoder's state between two steps.

    The reading has one row per sentence, the carry one row per hypothesis; the hypotheses of a sentence are adjacent,
    and every sentence has equally many. So beam search never copies the source. A step overwrites its state.
    """

    __slots__ = ("carry", "position", "reading")

    def __init__(self, reading: LayerStates, carry: LayerStates, position: int = 0) -> None:
        self.reading = reading
        self.carry = carry
        self.position = position
        """The number of tokens read so far, the same for all rows."""

    def select(self, rows: NDArray[Any], sentences: NDArray[Any] | None = None) -> State:
        """The state of the selected rows, in that order; they belong to the selected sentences (None: all).

        Selected by sentences, the original state keeps its values and can be selected from again; else rows are moved
        in place, and it is consumed. The two may share workspace, so the log-probabilities of a step are valid until
        the next step of either.
        """
        if sentences is None:
            return State(self.reading, self.carry.moved(rows), self.position)
        return State(self.reading.select(sentences), self.carry.select(rows), self.position)


class Network:
    """An encoder and a decoder; made by `build`."""

    def __init__(self, parts: EncoderDecoder, *, max_positions: int | None, num_parameters: int) -> None:
        self.encoder = parts.encoder
        self.decoder = Stack(*parts.decoder)
        self.num_recurrent = sum(isinstance(layer, Recurrent) for layer in layers_in(self.decoder))
        """Recurrent layers of the decoder."""
        self.readers = list(find_readers(self.decoder))
        """The layers with attention to the source, bottom first."""
        self.max_positions = max_positions
        """The maximum number of tokens, including EOS, that it can read or write; None: no limit."""
        self.num_parameters = num_parameters
        """The number of learned values."""

    @property
    def has_attention(self) -> bool:
        """Whether the model has attention to the source."""
        return bool(self.readers)

    @property
    def shown_layer(self) -> int:
        """Index of the reader whose attention weights `step` returns."""
        return max(
            index
            for index, reader in enumerate(self.readers)
            if isinstance(reader, Attend | HardMonotonic) or reader.reports_weights
        )

    def start(
        self, source_ids: NDArray[Any], source_lengths: NDArray[Any], values: Sequence[FieldValues] = ()
    ) -> State:
        """The state before the first token, from source ids [B S] with padding at the end of each row.

        The ids of a language model are [B 0]. `values` are those of the source's vectors and pictures, by field.
        """
        return self.reading(self.encoder(Padded(np.asarray(source_ids), np.asarray(source_lengths), tuple(values))))

    def reading(self, memory: Memory) -> State:
        """The state before the first token, given what the encoder gives."""
        finals = starting_states(memory.finals, self.num_recurrent)
        return State(self.decoder.read(memory), self.decoder.start(memory, finals))

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State, Array | None]:
        """Log-probabilities [R V] of the token after each of `ids` [R], the next state, attention weights [R S].

        The given state is consumed. The log-probabilities may be modified, and are overwritten by the next step.
        """
        stream = Stream(ids, state.position)
        self.decoder.step(stream, state.carry, state.reading)
        state.position += 1
        return stream.x, state, stream.weights

    def step_by_head(self, ids: NDArray[Any], state: State) -> tuple[State, list[Array], list[Array]]:
        """A step that returns the next state and the weights of all heads, bottom first.

        They are [R H S] per layer with attention to the source, and [R H P] per self-attention to the P tokens read.
        """
        stream = Stream(ids, state.position, by_head=True)
        self.decoder.step(stream, state.carry, state.reading)
        state.position += 1
        return state, stream.heads or [], stream.self_heads or []

    def self_attention(
        self, source_ids: NDArray[Any], source_lengths: NDArray[Any], values: Sequence[FieldValues] = ()
    ) -> list[Array]:
        """The weights of all heads of the encoder's self-attentions [B H S S], bottom first; empty for LSTMs."""
        source = Padded(np.asarray(source_ids), np.asarray(source_lengths), tuple(values))
        return self.encoder.self_attention(source)


def build(
    blueprint: Blueprint, tensors: Mapping[str, Array], fields: Sequence[Field] = (), copies: Sequence[int] = ()
) -> Network:
    """The network of a blueprint with these tensors; `fields` are those of the source, if it has several.

    `copies` are those of `Sizes`, for a model that copies tokens of the source.

    It computes in the widest dtype among the tensors, at least float32. CheckpointError for a tensor that is missing,
    unknown or of the wrong shape.
    """
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    require_tensors(blueprint, sizes_of(shapes)._replace(fields=tuple(fields)), shapes)
    return Network(
        BUILDERS[blueprint.name](blueprint, Tensors(tensors, fields, copies)),
        max_positions=max_positions(blueprint),
        num_parameters=sum(tensor.size for tensor in tensors.values()),
    )


def sizes_of(shapes: Mapping[str, Shape]) -> Sizes:
    """The sizes of the vocabularies, from the tables of the tokens."""

    def rows(*names: str) -> int:
        return next((shapes[name][0] for name in names if shapes.get(name)), 0)

    source = "encoder.embedding.weight"
    return Sizes(rows(source), rows("decoder.embedding.weight", "decoder.output.bias", source))


def find_readers(layer: object) -> Iterator[Attend | CrossAttention | Pointer | HardMonotonic]:
    """The layers in `layer` (or itself) with attention to the source, bottom first."""
    for each in layers_in(layer):
        if isinstance(each, Attend | CrossAttention | HardMonotonic) or (
            isinstance(each, Pointer) and each.reports_weights
        ):
            yield each


def layers_in(layer: object) -> Iterator[object]:
    """The layer and those in it, bottom first."""
    yield layer
    for inner in [*getattr(layer, "layers", ()), *([layer.inner] if hasattr(layer, "inner") else [])]:
        yield from layers_in(inner)
