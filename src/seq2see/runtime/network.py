"""A trained model, ready to be stepped: `build`, `Network`, `State`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from seq2see.errors import CheckpointError, did_you_mean
from seq2see.runtime.architectures import ARCHITECTURES, Halves, Plan
from seq2see.runtime.encoder import Padded
from seq2see.runtime.readers import Attend
from seq2see.runtime.stream import Stream
from seq2see.runtime.tensors import Array, Tensors
from seq2see.runtime.transformer import CrossAttention
from seq2see.runtime.wiring import Parts, Stack


class State:
    """All that a decoder knows between two steps.

    The reading has a row a sentence, the carry a row a hypothesis; the hypotheses of a sentence are neighbours, and
    every sentence has as many. So a beam copies nothing of the source. A step writes into the state it is given.
    """

    __slots__ = ("carry", "reading")

    def __init__(self, reading: Parts, carry: Parts) -> None:
        self.reading = reading
        self.carry = carry

    def select(self, rows: NDArray[Any], sentences: NDArray[Any] | None = None) -> State:
        """The state of the chosen rows, in that order; they belong to the chosen sentences (None: all there are).

        The state chosen from keeps its numbers, and may be chosen from again; memory to work in the two may share, so
        that the log-probabilities of a step last until the next step of either.
        """
        return State(self.reading if sentences is None else self.reading.select(sentences), self.carry.select(rows))


class Network:
    """An encoder and a decoder; `build` makes it."""

    def __init__(self, halves: Halves, *, max_positions: int | None, num_parameters: int) -> None:
        self.encoder = halves.encoder
        self.decoder = Stack(*halves.decoder)
        self.readers = list(readers_in(self.decoder))
        """The layers that look at the source, bottom first."""
        self.max_positions = max_positions
        """The most tokens, EOS counted, that it can read or write; None where there is no limit."""
        self.num_parameters = num_parameters
        """How many numbers were learnt."""

    @property
    def has_attention(self) -> bool:
        """Whether there is attention to show."""
        return bool(self.readers)

    @property
    def shown_layer(self) -> int:
        """Which of the readers, from 0, says in `step` where it looked."""
        return max(place for place, reader in enumerate(self.readers) if isinstance(reader, Attend) or reader.shows)

    def start(self, source_ids: NDArray[Any], source_lengths: NDArray[Any]) -> State:
        """The state before the first token: source ids [B S], whose real tokens are the first ones of each row.

        A language model reads no source; its ids are [B 0].
        """
        memory = self.encoder(Padded(np.asarray(source_ids), np.asarray(source_lengths)))
        return State(self.decoder.read(memory), self.decoder.start(memory, iter(memory.finals)))

    def step(self, ids: NDArray[Any], state: State) -> tuple[Array, State, Array | None]:
        """The log-probabilities [R V] of the token after each of `ids` [R], the next state, where it looked [R S].

        The state given is used up. The log-probabilities are the caller's until the next step, which writes over them.
        """
        stream = Stream(ids)
        self.decoder.step(stream, state.carry, state.reading)
        return stream.x, state, stream.weights

    def look(self, ids: NDArray[Any], state: State) -> tuple[State, list[Array]]:
        """A step that asks every head where it looked: the next state, and of each reader [R H S], bottom first."""
        heads: list[Array] = []
        self.decoder.step(Stream(ids, heads), state.carry, state.reading)
        return state, heads


def build(config: Mapping[str, Any], tensors: Mapping[str, Array]) -> Network:
    """The network that `config`, the model's part of a saved configuration, describes, with these learnt tensors.

    It reckons in the widest format among the tensors, float32 at least. CheckpointError for a tensor that is missing,
    of another shape or nobody's, and for a configuration of another version.
    """
    plan = plan_of(config)
    named = Tensors(tensors)
    halves = ARCHITECTURES[plan.name](plan, named)
    named.require_all_taken()
    limited = plan.has_blocks and plan.positions == "learned"
    return Network(
        halves,
        max_positions=plan.max_positions if limited else None,
        num_parameters=sum(tensor.size for tensor in tensors.values()),
    )


def plan_of(config: Mapping[str, Any]) -> Plan:
    """What is needed of the configuration; CheckpointError for what it lacks, or what there is no network for."""
    missing = [field.name for field in fields(Plan) if field.name not in config]
    fix = "read the folder with the version of Seq2See that wrote it"
    if missing:
        raise CheckpointError(f"the configuration says nothing of {missing[0]!r}", where="model", fix=fix)
    if config["name"] not in ARCHITECTURES:
        near = did_you_mean(str(config["name"]), ARCHITECTURES)
        raise CheckpointError(f"there is no model {config['name']!r}", where="model.name", fix=f"{fix} ({near})")
    try:
        return msgspec.convert({field.name: config[field.name] for field in fields(Plan)}, Plan)
    except (msgspec.ValidationError, ValueError) as error:
        raise CheckpointError(f"the configuration is none: {error}", where="model", fix=fix) from None


def readers_in(layer: object) -> Iterator[Attend | CrossAttention]:
    """The layers that look at the source: it, or layers in it, bottom first."""
    if isinstance(layer, Attend | CrossAttention):
        yield layer
    for inner in [*getattr(layer, "layers", ()), *([layer.inner] if hasattr(layer, "inner") else [])]:
        yield from readers_in(inner)
