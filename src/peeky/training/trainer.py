"""The training loop. One update fits on one screen: see `Trainer._update`.

Everything that decides the next update is in `Trainer.state()`: weights, optimizer moments and `Progress`. The order of
the examples and how their words are cut are functions of (seed, epoch), the dropout masks are one of (seed, update), so
there is no generator to save, and a resumed run goes on bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from peeky.data.batch import collate
from peeky.data.examples import Examples, Recut
from peeky.data.sampler import LengthBucketSampler
from peeky.errors import UserError
from peeky.model import Seq2Seq
from peeky.training.batch import to_tensors
from peeky.training.events import INTERRUPTED, Evaluated, Finished, Listener, Sample, Updated
from peeky.training.objective import batch_loss
from peeky.training.options import TrainingOptions
from peeky.training.schedule import rate_share
from peeky.training.watch import PASSING, RISES, Point, Tried, Warned, is_time, watch

REPORT_EVERY = 10
"""Updates between two reports of the training loss."""

PERFECT_EVALUATIONS = 3
"""Evaluations in a row without a mistake after which `stop_when_perfect` ends training."""

PLATEAU_PATIENCE = 2
"""Evaluations without a better one after which the `plateau` schedule halves the rate."""


@dataclass
class Progress:
    """How far training has come: all of its state that is not a tensor."""

    update: int = 0
    epoch: int = 0
    batch: int = 0
    """Batches of this epoch already used."""
    best: dict[str, float] = field(default_factory=dict)
    """Dev metrics of the best model so far."""
    best_update: int = 0
    evaluations_without_better: int = 0
    evaluations_without_mistake: int = 0
    plateau_share: float = 1.0
    window_loss: float = 0.0
    window_tokens: int = 0
    window_seconds: float = 0.0
    """Sums over the updates since the last report."""
    seconds: float = 0.0
    loss_since: float = 0.0
    tokens_since: int = 0
    """Sums over the updates since the last evaluation."""
    course: list[list[float]] = field(default_factory=list)
    """The last evaluations, each the values of a `Point`."""
    warned: list[str] = field(default_factory=list)
    """Kinds of what has been warned of."""
    suspected: list[str] = field(default_factory=list)
    """Kinds of what the last evaluation found."""


class TrainingState(NamedTuple):
    """All that a run needs to go on exactly where it was."""

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    progress: dict[str, Any]


class Evaluation(NamedTuple):
    """What trying the model on dev gave."""

    metrics: dict[str, float]
    samples: tuple[Sample, ...]
    tried: tuple[Tried, ...] = ()
    """All answers, to be watched; none of a language model."""
    unknown: Mapping[str, float] = MappingProxyType({})
    """By side, the share of dev's tokens that its vocabulary lacks."""


class Trainer:
    """Trains a model on examples; told from outside how to evaluate, where to save, and when to stop.

    `evaluate` tries the model on dev, `save_best` keeps it, `save_checkpoint` keeps a state to resume from; `stop` is
    asked after each update, and `stop_when_perfect` ends training when dev has nothing left to teach. `recut` gives
    each epoch examples of its own in place of `examples`. Of `options` only max_epochs, batch_tokens, checkpoint_every,
    checkpoint_minutes and patience may be None.
    """

    def __init__(
        self,
        model: Seq2Seq,
        examples: Examples,
        options: TrainingOptions,
        *,
        device: torch.device,
        evaluate: Callable[[Seq2Seq], Evaluation],
        save_best: Callable[[Seq2Seq, Progress], None],
        save_checkpoint: Callable[[TrainingState], None],
        listen: Listener,
        stop: Callable[[], bool] = lambda: False,
        stop_when_perfect: bool = False,
        recut: Recut | None = None,
    ) -> None:
        assert options.rate
        assert options.max_updates
        assert options.evaluate_every
        assert options.metric
        assert options.precision != "auto"
        self.model = model.to(device)
        self.examples = examples
        self.options = options
        self.rate: float = options.rate
        self.metric: str = options.metric
        self.max_updates: int = options.max_updates
        self.evaluate_every: int = options.evaluate_every
        self.checkpoint_every: int = options.checkpoint_every or options.evaluate_every
        self.device = device
        self.evaluate = evaluate
        self.save_best = save_best
        self.save_checkpoint = save_checkpoint
        self.listen = listen
        self.stop = stop
        self.stop_when_perfect = stop_when_perfect
        self.progress = Progress()
        self._clock = self._saved_at = time.perf_counter()
        self.recut = recut
        self.sampler = sampler_of(examples, options)
        kind = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = kind(self.model.parameters(), self.rate, weight_decay=options.weight_decay, fused=True)

    def run(self, *, tried_first: bool = False) -> Finished:
        """Train until something says stop; the best model has then been saved, and so has the state.

        With `tried_first` the model as it is before the first update is evaluated too, and may stay the best.
        """
        reason = "all updates done"
        self._clock = self._saved_at = time.perf_counter()
        if tried_first:
            self._evaluate(is_watched=False)
        saved = self.progress.update
        evaluated = saved if self.progress.best else 0  # a resumed run whose dev set is another one is tried on it
        batches = self._batches()
        if self.progress.update and (ended := self._reason_to_stop()):
            reason, batches = ended, iter(())  # a resumed run that had come to its end
        for indices in batches:
            self._update(indices)
            update = self.progress.update
            if update % self.evaluate_every == 0 or update == self.max_updates:
                self._evaluate()
                evaluated = update
            if update % self.checkpoint_every == 0 or self._has_waited():
                self._checkpoint()
                saved = update
            ended = self._reason_to_stop()
            if ended and update < self.max_updates:
                reason = ended
                break
        if reason == INTERRUPTED and saved != self.progress.update:
            # The checkpoint comes first: what follows must not change how a resumed run goes on.
            self._checkpoint()
        if evaluated != self.progress.update and (reason != INTERRUPTED or not self.progress.best):
            self._evaluate(is_watched=reason != INTERRUPTED)
        if saved != self.progress.update and reason != INTERRUPTED:
            self._checkpoint()
        finished = Finished(
            self.progress.update, reason, self.progress.best_update, self.progress.best, self.progress.seconds
        )
        self.listen(finished)
        return finished

    def _batches(self) -> Iterator[np.ndarray]:
        """The batches still to come, epoch after epoch, from where `progress` says."""
        while self.progress.epoch < (self.options.max_epochs or math.inf):
            if self.recut is not None and self.progress.update < self.max_updates:
                self.examples = self.recut(self.progress.epoch)
                self.sampler = sampler_of(self.examples, self.options)
            for indices in self.sampler.batches(self.progress.epoch)[self.progress.batch :]:
                if self.progress.update >= self.max_updates:
                    return
                yield indices
            self.progress.epoch += 1
            self.progress.batch = 0

    # --- the whole update -------------------------------------------------------------------------------------------

    def _update(self, indices: np.ndarray) -> None:
        progress, began = self.progress, time.perf_counter()
        update = progress.update + 1
        rate = self.rate * progress.plateau_share * rate_share(self.options, update)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(dropout_seed(self.options.seed, update))
        batch = to_tensors(collate(self.examples, indices), self.device)

        self.model.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bfloat16"):
            loss = batch_loss(self.model, batch, self.options.label_smoothing)
        (loss / batch.target_tokens).backward()  # type: ignore[no-untyped-call]
        norm = clip_grad_norm_(self.model.parameters(), self.options.clip).item()
        self._require_finite(norm, "the gradient", update)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

        progress.update = update
        progress.batch += 1
        progress.window_loss += loss.item()
        progress.window_tokens += batch.target_tokens
        progress.loss_since += loss.item()
        progress.tokens_since += batch.target_tokens
        progress.window_seconds += time.perf_counter() - began
        if update % REPORT_EVERY == 0 or update == 1:
            self._report(rate, norm)

    # ----------------------------------------------------------------------------------------------------------------

    def _require_finite(self, value: float, name: str, update: int) -> None:
        if not math.isfinite(value):
            raise UserError(
                f"{name} became {value} at update {update}",
                where="training",
                fix=f"lower the rate (--set training.rate={self.rate / 4:g}); the best model so far is kept",
            )

    def _report(self, rate: float, norm: float) -> None:
        progress = self.progress
        self._tick()
        self.listen(
            Updated(
                progress.update,
                progress.epoch,
                progress.window_loss / progress.window_tokens,
                rate,
                norm,
                progress.window_tokens / progress.window_seconds,
                progress.seconds,
            )
        )
        progress.window_loss, progress.window_tokens, progress.window_seconds = 0.0, 0, 0.0

    def _evaluate(self, *, is_watched: bool = True) -> None:
        evaluation = self.evaluate(self.model)
        metrics, progress = evaluation.metrics, self.progress
        self._require_finite(metrics["loss"], "the loss on dev", progress.update)
        better = is_better(metrics, progress.best, self.metric)
        if better:
            progress.best, progress.best_update, progress.evaluations_without_better = metrics, progress.update, 0
            self.save_best(self.model, progress)
        else:
            progress.evaluations_without_better += 1
            if self.options.schedule == "plateau" and progress.evaluations_without_better % PLATEAU_PATIENCE == 0:
                progress.plateau_share /= 2
        perfect = metrics.get("exact_match") == 1
        progress.evaluations_without_mistake = progress.evaluations_without_mistake + 1 if perfect else 0
        self._tick()
        self.listen(Evaluated(progress.update, metrics, better, evaluation.samples, progress.seconds))
        if is_watched:
            self._watch(evaluation)

    def _watch(self, evaluation: Evaluation) -> None:
        """Warn of what goes wrong, of each kind once; what training has still to learn is not wrong yet."""
        progress, metrics = self.progress, evaluation.metrics
        score = metrics["exact_match"] if self.metric == "exact_match" else -metrics["loss"]
        point = Point(progress.loss_since / max(1, progress.tokens_since), metrics["loss"], score)
        progress.loss_since, progress.tokens_since = 0.0, 0
        progress.course = [*progress.course, list(point)][-RISES - 1 :]
        if not is_time(self.options, progress.update):
            return
        course = [Point(*values) for values in progress.course]
        found = list(watch(evaluation.tried, evaluation.unknown, course))
        before, progress.suspected = progress.suspected, [each.kind for each in found]
        for kind, message, advice in found:
            is_lasting = kind in before or kind not in PASSING or progress.update == self.max_updates
            if is_lasting and kind not in progress.warned:
                progress.warned = [*progress.warned, kind]
                self.listen(Warned(progress.update, kind, message, advice))

    def _reason_to_stop(self) -> str:
        progress, patience = self.progress, self.options.patience
        if self.stop():
            return INTERRUPTED
        if patience and progress.evaluations_without_better >= patience:
            return f"no better for {patience} evaluations"
        if self.stop_when_perfect and progress.evaluations_without_mistake >= PERFECT_EVALUATIONS:
            return f"dev without a mistake {PERFECT_EVALUATIONS} times in a row"
        return ""

    def _tick(self) -> None:
        now = time.perf_counter()
        self.progress.seconds += now - self._clock
        self._clock = now

    def _checkpoint(self) -> None:
        self._tick()
        self.save_checkpoint(self.state())
        self._saved_at = time.perf_counter()

    def _has_waited(self) -> bool:
        """Whether the last checkpoint is older than it should be; when one is written changes nothing else."""
        minutes = self.options.checkpoint_minutes
        return minutes is not None and time.perf_counter() - self._saved_at >= 60 * minutes

    def state(self) -> TrainingState:
        """All that decides the updates to come."""
        optimizer = {
            f"{key}.{name}": value
            for name, parameter in self.model.named_parameters()
            for key, value in self.optimizer.state[parameter].items()
        }
        return TrainingState(self.model.tensors(), optimizer, asdict(self.progress))

    def restore(self, state: TrainingState) -> None:
        """Go on from a state that `state()` gave."""
        self.model.load_tensors(state.model)
        for name, parameter in self.model.named_parameters():
            keys = [key for key in state.optimizer if key.partition(".")[2] == name]
            self.optimizer.state[parameter] = {
                key.partition(".")[0]: state.optimizer[key].to(self.device) for key in keys
            }
        self.progress = Progress(**state.progress)


def sampler_of(examples: Examples, options: TrainingOptions) -> LengthBucketSampler:
    """The batches of these examples, as the options want them."""
    return LengthBucketSampler(
        examples.source_lengths,
        examples.target_lengths,
        batch_size=options.batch_size,
        batch_tokens=options.batch_tokens,
        seed=options.seed,
    )


def is_better(metrics: dict[str, float], best: dict[str, float], metric: str) -> bool:
    """Whether dev says so: a higher exact match, or a lower loss; equal exact matches are decided by the loss."""
    if not best or metric == "loss":
        return not best or metrics["loss"] < best["loss"]
    return (metrics["exact_match"], -metrics["loss"]) > (best["exact_match"], -best["loss"])


def dropout_seed(seed: int, update: int) -> int:
    """A seed of its own for each update."""
    return int(np.random.SeedSequence([seed % 2**64, update]).generate_state(1, np.uint64)[0] >> 1)
