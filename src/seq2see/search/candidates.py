"""The best continuations of each sentence at one step of a beam search.

Letters: B sentences still searched, K hypotheses of each, R = B·K rows, V vocabulary, C candidates of each sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seq2see.search.constraints import Progress, allocate
from seq2see.search.contract import IMPOSSIBLE, Array, Ids
from seq2see.search.finished import take_along

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Candidates(NamedTuple):
    """Continuations of each sentence at one step."""

    log_probs: Float[Array, "B C"]
    ids: Int[Ids, "B C"]
    rows: Int[Ids, "B C"]
    """The row of the step that each one continues."""

    def take(self, order: Int[Ids, "B N"]) -> Candidates:
        """The candidates of each sentence in the given order."""
        return Candidates(*(take_along(part, order) for part in self))


def best_candidates(
    log_probs: Float[Array, "B K"],
    next_log_probs: Float[Array, "R V"],
    num: int,
    progress: Progress | None,
    eos: int,
) -> Candidates:
    """The `num` best continuations of each sentence (or all, if there are fewer), best first.

    They are among the `num` best of each row, so only those are summed, in float64.
    """
    if progress is None:
        candidates = _continue(log_probs, *_best_of_rows(next_log_probs, num))
        order = (-candidates.log_probs).argsort(1, kind="stable")
        return candidates.take(order[:, :num])
    next_log_probs[~progress.complete, eos] = IMPOSSIBLE
    candidates = _continue(
        log_probs, *_with_ids(next_log_probs, *_best_of_rows(next_log_probs, num), progress.next_ids)
    )
    after = progress.after(candidates.rows.ravel(), candidates.ids.ravel())
    order = allocate(candidates.log_probs, after.num_met.reshape(candidates.ids.shape))
    return candidates.take(order[:, :num])


_BLOCK = 64


def _best_of_rows(log_probs: Float[Array, "R V"], num: int) -> tuple[Float[Array, "R N"], Int[Ids, "R N"]]:
    """The log_probs and ids of the `num` best of each row, best first, ties by lower id.

    In a large vocabulary they are all in the `num` blocks of ids with the largest maxima (or in the incomplete last
    block). Maxima are much faster than sorting, so only these blocks are searched.
    """
    num_ids = log_probs.shape[1]
    num_blocks = num_ids // _BLOCK
    if num_blocks < 8 * num:
        return _sorted_best(log_probs, num)
    whole = num_blocks * _BLOCK
    blocks = _largest(log_probs[:, :whole].reshape(-1, num_blocks, _BLOCK).max(2), num)
    within = (blocks[:, :, None] * _BLOCK + np.arange(_BLOCK)).reshape(len(blocks), -1)
    rest = np.broadcast_to(np.arange(whole, num_ids), (len(blocks), num_ids - whole))
    ids = np.concatenate([within, rest], 1)
    best, indices = _sorted_best(take_along(log_probs, ids), num)
    return best, take_along(ids, indices)


def _sorted_best(values: Float[Array, "R X"], num: int) -> tuple[Float[Array, "R N"], Int[Ids, "R N"]]:
    """The `num` largest values of each row (or all), largest first, and their indices."""
    indices = _largest(values, num)
    best = take_along(values, indices)
    order = (-best).argsort(1, kind="stable")
    return take_along(best, order), take_along(indices, order)


def _largest(values: Float[Array, "R X"], num: int) -> Int[Ids, "R N"]:
    """The indices of the `num` largest values of each row, in ascending order."""
    size = values.shape[1]
    if num >= size:
        return np.broadcast_to(np.arange(size), values.shape)
    indices = values.argpartition(size - num, 1)[:, size - num :]
    indices.sort(1)
    return indices


def _with_ids(
    log_probs: Float[Array, "R V"],
    best: Float[Array, "R N"],
    ids: Int[Ids, "R N"],
    more: Int[Ids, "R P"],
) -> tuple[Float[Array, "R N+P"], Int[Ids, "R N+P"]]:
    """Candidates with further ids; those that are -1 or duplicates become impossible."""
    num_best, num_more = ids.shape[1], more.shape[1]
    same = more[:, :, None] == np.concatenate([ids, more], 1)[:, None]  # [R P N+P]
    earlier = np.arange(num_best + num_more) < num_best + np.arange(num_more)[:, None]
    invalid = (same & earlier).any(-1) | (more < 0)
    more = np.maximum(more, 0)
    others = np.where(invalid, IMPOSSIBLE, take_along(log_probs, more))
    return np.concatenate([best, others], 1), np.concatenate([ids, more], 1)


def _continue(log_probs: Float[Array, "B K"], next_log_probs: Float[Array, "R C"], ids: Int[Ids, "R C"]) -> Candidates:
    """Each row continued with each of its ids."""
    num_sentences, num_hypotheses = log_probs.shape
    totals = log_probs[:, :, None] + next_log_probs.reshape(num_sentences, num_hypotheses, -1).astype(np.float64)
    rows = np.broadcast_to(np.arange(num_sentences * num_hypotheses)[:, None], ids.shape)
    parts: Any = (totals, ids, rows)
    return Candidates(*(part.reshape(num_sentences, -1) for part in parts))
