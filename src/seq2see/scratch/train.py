"""The training loop, and evaluation on dev."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal, NamedTuple

import numpy as np

from seq2see.data.batch import collate
from seq2see.data.examples import Examples
from seq2see.data.sampler import LengthBucketSampler
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.scratch.arrays import Array
from seq2see.scratch.optimizers import Adam, clip_by_norm
from seq2see.scratch.seq2seq import ScratchSeq2Seq
from seq2see.text import UNK


@dataclass(frozen=True)
class ScratchTrainingOptions:
    """Options of the training loop, named as in `seq2see.training.TrainingOptions`."""

    updates: int
    rate: float = 4e-3
    """Peak learning rate of Adam: linear warm-up over the first tenth of the updates, then linear decay to zero."""
    batch_size: int = 128
    clip: float = 1.0
    """Maximum norm of the gradient."""
    evaluate_every: int | None = None
    """Updates between evaluations on dev; default: a sixteenth of all updates."""
    seed: int = 1
    metric: Literal["exact_match", "loss"] = "exact_match"
    """What decides which model is best on dev; exact match needs a source."""

    def __post_init__(self) -> None:
        for name in ("updates", "rate", "batch_size", "clip", "evaluate_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(
                    f"must be above 0, not {value}", where=f"training.{name}", fix="give a number above 0"
                )

    def rate_at(self, update: int) -> float:
        """The learning rate of update 1, 2, … `updates`."""
        warmup = max(1, round(self.updates / 10))
        return self.rate * min(update / warmup, (self.updates + 1 - update) / (self.updates + 1 - warmup))


class DevScores(NamedTuple):
    """Scores on examples whose targets are known."""

    exact_match: float | None
    """Share of exactly correct answers, 0..1; None for a language model."""
    loss: float
    """Nats per target token, under teacher forcing; tokens that are not in the vocabulary are left out."""


class ProgressReport(NamedTuple):
    """Training progress since the previous report."""

    update: int
    loss: float
    """Training loss in nats per target token, the mean over the updates since the previous report."""
    dev: DevScores
    best: bool
    """Whether this is the best model on dev so far."""
    seconds: float
    """Since training began."""


def train(
    model: ScratchSeq2Seq,
    examples: Examples,
    dev: Examples,
    options: ScratchTrainingOptions,
    *,
    callback: Callable[[ProgressReport], None] = lambda report: None,
    stop: Callable[[], bool] = lambda: False,
) -> DevScores:
    """Train `model`, restore the weights that scored best on `dev`, and return those scores.

    `callback` gets a report after each evaluation; `stop` is called after each update and ends training if True.
    UserError if the gradient becomes NaN or infinite.
    """
    adam = Adam(model)
    every = options.evaluate_every or -(-options.updates // 16)
    best: DevScores | None = None
    tensors: dict[str, Array] = {}
    losses: list[float] = []
    started = time.perf_counter()
    for update, indices in enumerate(batches(examples, options), start=1):
        source, target = collate(examples, indices)
        model.zero_gradients()
        loss, cache = model.forward(source, target)
        model.backward(cache)
        norm = clip_by_norm(model, options.clip)
        if not math.isfinite(norm):
            fix = f"lower the rate (training.rate={options.rate / 4:g})"
            raise UserError(f"the gradient became {norm} at update {update}", where="training", fix=fix)
        adam.update(options.rate_at(update))
        losses.append(loss)
        ended = update == options.updates or stop()
        if ended or update % every == 0:
            scores = evaluate(model, dev)
            is_best = best is None or rank(scores, options.metric) > rank(best, options.metric)
            if is_best:
                best, tensors = scores, model.tensors()
            callback(ProgressReport(update, sum(losses) / len(losses), scores, is_best, time.perf_counter() - started))
            losses.clear()
        if ended:
            break
    assert best is not None
    model.load(tensors)
    return best


def batches(examples: Examples, options: ScratchTrainingOptions) -> Iterator[np.ndarray]:
    """An endless stream of batches of similar length, reshuffled every epoch."""
    require_pairs(examples, "data.train")
    sampler = LengthBucketSampler(
        examples.source_offsets,
        examples.target_offsets,
        batch_size=options.batch_size,
        batch_tokens=None,
        seed=options.seed,
    )
    for epoch in count():
        yield from sampler.batches(epoch)


def evaluate(model: ScratchSeq2Seq, examples: Examples, *, batch_size: int = 256) -> DevScores:
    """Exact match of greedy decoding, and the loss over tokens in the vocabulary; only that for a language model.

    Of examples with the same source, one answer is right if it is the target of any.
    """
    require_pairs(examples, "data.dev")
    order = np.lexsort((examples.target_lengths, examples.source_lengths))
    max_length = int(examples.target_lengths.max()) * 3 // 2 + 10
    loss, num_known = 0.0, 0
    is_right: dict[tuple[int, ...], bool] = {}
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        source, target = collate(examples, indices)
        known = target.mask & (target.ids != UNK)
        mean, _ = model.softmax_with_loss.forward(model.logits(source, target)[known], target.ids[known])
        loss, num_known = loss + mean * int(known.sum()), num_known + int(known.sum())
        if source.lengths.any():
            answers = model.generate(source, max_length=max_length)
            for answer, index in zip(answers, indices, strict=True):
                asked, right = tuple(examples.source(index).tolist()), answer.ids == examples.target(index).tolist()
                is_right[asked] = is_right.get(asked, False) or right
    has_source = bool(examples.source_lengths.any())
    return DevScores(sum(is_right.values()) / len(is_right) if has_source else None, loss / num_known)


def require_pairs(examples: Examples, where: str) -> None:
    """DataError if there are no examples."""
    if not len(examples):
        raise DataError("there are no pairs", where=where, fix="give a file with at least one pair")


def rank(scores: DevScores, metric: str) -> tuple[float, float]:
    """Larger is better: more exact matches and then a lower loss, or a lower loss alone if `metric` is loss."""
    exact_match = 0.0 if metric == "loss" else scores.exact_match or 0.0
    return exact_match, -scores.loss
