"""Answers, token by token: the best one at each position, or one drawn at random.

All rows of a batch go side by side, and a row leaves as soon as it has ended. What a row gets does not depend on which
other rows are there.
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
    """What was generated for one row."""

    ids: list[int]
    """Without BOS; the last is EOS unless the maximum length came first."""
    log_prob: float
    """Of all ids together, in nats."""
    weights: Array | None
    """Where the decoder looked for each id [T S]; None for a model without attention."""


class Steps(Protocol):
    """What generation needs of a decoder: its layers, one position at a time, and its output layer."""

    def forward(self, tokens: Ids, state: State) -> tuple[Stream, State, object]:
        """See `decoders.Decoder`."""

    def logits(self, x: Array) -> Array:
        """Scores of every token [R T V], from what the layers made [R T W]."""


def greedy(log_probs: Array, rows: Ids, position: int) -> Ids:
    """The most probable id of each row, the lowest among equals."""
    return np.asarray(log_probs.argmax(-1))


class Sampler:
    """Draws each id from softmax(log_probs / temperature), a function of (seed, number of the row, position)."""

    def __init__(self, temperature: float = 1.0, seed: int = 0) -> None:
        if not 0 < temperature < float("inf"):
            raise ConfigError(
                f"a temperature of {temperature} is no temperature",
                where="temperature",
                fix="use a number above 0; near 0 is almost greedy, 1 samples from the model as it is",
            )
        if seed < 0:
            raise ConfigError(f"a seed of {seed} is out of range", where="seed", fix="use a whole number from 0 on")
        self.temperature = temperature
        self.seed = seed

    def __call__(self, log_probs: Array, rows: Ids, position: int) -> Ids:
        """The first id at which the sum of probabilities passes the row's random number in [0, 1)."""
        sharpened = (log_probs - log_probs.max(-1, keepdims=True)).astype(np.float64) / self.temperature
        reached = np.exp(sharpened).cumsum(-1)
        uniform = np.array([np.random.default_rng((self.seed, row, position)).random() for row in rows.tolist()])
        return np.asarray((reached <= uniform[:, None] * reached[:, -1:]).sum(-1))


def generate(
    decoder: Steps,
    state: State,
    rows: int,
    *,
    max_length: int,
    choose: Choose = greedy,
    first_row: int = 0,
) -> list[Answer]:
    """One answer a row, of `max_length` ids at most. Rows are counted from `first_row`, for whoever draws at random."""
    if max_length < 1:
        raise ConfigError(f"{max_length} is too small", where="max_length", fix="give a max_length of 1 or more")
    answers: list[list[int]] = [[] for _ in range(rows)]
    log_prob = np.zeros(rows)
    looked: list[list[Array]] = [[] for _ in range(rows)]
    live = np.arange(rows)
    ids: Ids = np.full(rows, BOS)
    for position in range(max_length):
        stream, state, _ = decoder.forward(ids[:, None], state)
        log_probs = log_softmax(decoder.logits(stream.x)[:, 0])
        allowed = log_probs.copy()
        allowed[:, NEVER_GENERATED] = -np.inf
        ids = choose(allowed, first_row + live, position)
        log_prob[live] += log_probs[np.arange(len(live)), ids]
        for place, (row, token) in enumerate(zip(live.tolist(), ids.tolist(), strict=True)):
            answers[row].append(token)
            if stream.weights is not None:
                looked[row].append(stream.weights[place, 0])
        going = np.flatnonzero(ids != EOS)
        if len(going) < len(live):
            live, ids = live[going], ids[going]
            state = map_state(lambda array: array[going], state)  # noqa: B023  # used at once
        if not len(live):
            break
    return [
        Answer(tokens, float(log_prob[row]), np.stack(looked[row]) if looked[row] else None)
        for row, tokens in enumerate(answers)
    ]


def log_softmax(logits: Array) -> Array:
    """Log-probabilities over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
