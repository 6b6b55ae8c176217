"""Greedy decoding and sampling, token by token.

All rows of a batch run in parallel, and a row is removed as soon as it has ended. A row's result is independent of the
other rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from seq2see.errors import ConfigError
from seq2see.scratch.arrays import Array, Ids, State, map_state
from seq2see.scratch.stream import Stream
from seq2see.text import BOS, EOS, PAD, UNK

NEVER_GENERATED = [PAD, UNK, BOS]

Choose: TypeAlias = Callable[[Array, Ids, int], Ids]
"""(log_probs [R V], row numbers [R], position) -> the next ids [R]."""


class Answer(NamedTuple):
    """The output generated for one row."""

    ids: list[int]
    """Without BOS; ends with EOS unless cut off at the maximum length."""
    log_prob: float
    """Summed over all ids, in nats."""
    weights: Array | None
    """The attention weights of each id [T S]; None for a model without attention."""


class StepDecoder(Protocol):
    """What generation needs of a decoder: a step through its layers, and its output layer."""

    def forward(self, tokens: Ids, state: State) -> tuple[Stream, State, object]:
        """See `seq2seq.Decoder`."""

    def logits(self, x: Array) -> Array:
        """Scores of every token [R T V], from the output layer's input [R T W]."""


def greedy(log_probs: Array, rows: Ids, position: int) -> Ids:
    """The most probable id of each row, the lowest among equals."""
    return np.asarray(log_probs.argmax(-1))


class Sampler:
    """Samples each id from softmax(log_probs / temperature), as a function of (seed, row number, position)."""

    def __init__(self, temperature: float = 1.0, seed: int = 0) -> None:
        if not 0 < temperature < float("inf"):
            raise ConfigError(
                f"must be a finite number above 0, not {temperature}",
                where="temperature",
                fix="use 1 to sample from the model's own distribution, or less for likelier tokens",
            )
        if seed < 0:
            raise ConfigError(f"must be at least 0, not {seed}", where="seed", fix="use a whole number from 0 on")
        self.temperature = temperature
        self.seed = seed

    def __call__(self, log_probs: Array, rows: Ids, position: int) -> Ids:
        """The first id at which the cumulative probability exceeds the row's random number in [0, 1)."""
        scaled = (log_probs - log_probs.max(-1, keepdims=True)).astype(np.float64) / self.temperature
        cumulative = np.exp(scaled).cumsum(-1)
        uniform = np.array([np.random.default_rng((self.seed, row, position)).random() for row in rows.tolist()])
        return np.asarray((cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1))


def generate(
    decoder: StepDecoder,
    state: State,
    rows: int,
    *,
    max_length: int,
    choose: Choose = greedy,
    first_row: int = 0,
) -> list[Answer]:
    """One answer of at most `max_length` ids per row. Row numbers, which seed the samples, count from `first_row`."""
    if max_length < 1:
        raise ConfigError(f"must be at least 1, not {max_length}", where="max_length", fix="set max_length=1 or more")
    answers: list[list[int]] = [[] for _ in range(rows)]
    log_prob = np.zeros(rows)
    weights: list[list[Array]] = [[] for _ in range(rows)]
    live = np.arange(rows)
    ids: Ids = np.full(rows, BOS)
    for position in range(max_length):
        stream, state, _ = decoder.forward(ids[:, None], state)
        log_probs = log_softmax(decoder.logits(stream.x)[:, 0])
        allowed = log_probs.copy()
        allowed[:, NEVER_GENERATED] = -np.inf
        ids = choose(allowed, first_row + live, position)
        log_prob[live] += log_probs[np.arange(len(live)), ids]
        for index, (row, token) in enumerate(zip(live.tolist(), ids.tolist(), strict=True)):
            answers[row].append(token)
            if stream.weights is not None:
                weights[row].append(stream.weights[index, 0])
        going = np.flatnonzero(ids != EOS)
        if len(going) < len(live):
            live, ids = live[going], ids[going]
            state = map_state(lambda array: array[going], state)  # noqa: B023  # used at once
        if not len(live):
            break
    return [
        Answer(tokens, float(log_prob[row]), np.stack(weights[row]) if weights[row] else None)
        for row, tokens in enumerate(answers)
    ]


def log_softmax(logits: Array) -> Array:
    """Log-probabilities over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
