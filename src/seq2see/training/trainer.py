"""The training loop. One update fits on one screen: see `Trainer._update`.

Everything that decides the next update is in `Trainer.state()`: weights, optimizer moments and `Progress`. The order of
the examples is a function of (seed, epoch, pool), how their words are cut one of (seed, epoch), the dropout masks are
one of (seed, update, part of the batch), so there is no generator to save, and a resumed run goes on bit for bit.

Several processes go through the same updates side by side, each with its part of every batch (`World.parts`). What one
of them does here, all do; what is done once for all stands behind `is_first`.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from seq2see.data.batch import collate
from seq2see.data.examples import EpochExamples, Examples
from seq2see.data.sampler import BatchPosition
from seq2see.errors import UserError
from seq2see.model import Seq2Seq
from seq2see.training.averaging import Shown
from seq2see.training.batch import to_tensors
from seq2see.training.divided import divided_as, on_its_own, whole
from seq2see.training.events import INTERRUPTED, Evaluated, Finished, Listener, Updated
from seq2see.training.objective import Objective
from seq2see.training.options import TrainingOptions
from seq2see.training.schedule import rate_share
from seq2see.training.shares import Share, Shares, dropout_seed
from seq2see.training.state import KEPT, Evaluation, Progress, TrainingState, is_better
from seq2see.training.watch import PASSING, RISES, Point, Warned, is_time, watch
from seq2see.training.world import ALONE, World

REPORT_EVERY = 10
"""Updates between two reports of the training loss."""

PERFECT_EVALUATIONS = 3
"""Evaluations in a row without a mistake after which `stop_when_perfect` ends training."""

PLATEAU_PATIENCE = 2
"""Evaluations without a better one after which the `plateau` schedule halves the rate."""


class Trainer:
    """Trains a model on examples; told from outside how to evaluate, where to save, and when to stop.

    `evaluate` tries the model on dev, `save_best` keeps it, `save_checkpoint` keeps a state to resume from; `stop` is
    asked after each update, and `stop_when_perfect` ends training when dev has nothing left to teach. With
    `epoch_examples` each epoch has examples of its own in place of `examples`; `workers` threads put batches together
    ahead of the updates.
    Of `options` only max_epochs, batch_size or batch_tokens, checkpoint_every, checkpoint_minutes, patience, ema and
    average may be None. All processes of the `world` evaluate; the first alone saves and tells.
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
        epoch_examples: EpochExamples | None = None,
        workers: int = 0,
        world: World = ALONE,
    ) -> None:
        assert options.rate
        assert options.max_updates
        assert options.evaluate_every
        assert options.metric
        assert options.precision != "auto"
        self.world = world
        self.model = model.to(device)
        averages = options.ema is not None or options.average is not None
        is_divided = options.shard and world.size > 1
        shown = copy.deepcopy(self.model) if averages or is_divided else self.model
        self.objective = world.join(Objective(self.model, options.label_smoothing), shard=options.shard)
        self.shown = Shown(self.model, shown, options)
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
        self.shares = Shares(examples, options, world, epoch_examples=epoch_examples, workers=workers)
        self._settle()
        kind = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = kind(self.model.parameters(), self.rate, weight_decay=options.weight_decay, fused=True)

    def _settle(self) -> None:
        """Have DDP order its messages, which it does anew after the first gradients of a process's life.

        Else the first update of a resumed run would add up in another order than in a run that was never stopped.
        """
        if isinstance(self.objective, DistributedDataParallel):
            batch = to_tensors(collate(self.shares.examples, np.zeros(1, np.int64)), self.device)
            for _ in range(2):
                (self.objective(batch) * 0).backward()
            self.model.zero_grad(set_to_none=True)

    def run(self, *, tried_first: bool = False) -> Finished:
        """Train until something says stop; the best model has then been saved, and so has the state.

        With `tried_first` the model as it is before the first update is evaluated too, and may stay the best.
        """
        start = BatchPosition(self.progress.epoch, self.progress.pool, self.progress.batch)
        with closing(self.shares.after(start, max(0, self.max_updates - self.progress.update))) as shares:
            return self._run(shares, tried_first)

    def _run(self, shares: Iterable[tuple[BatchPosition, Share]], tried_first: bool) -> Finished:
        reason = "all updates done"
        self._clock = self._saved_at = time.perf_counter()
        if tried_first:
            self._evaluate(is_watched=False)
        saved = self.progress.update
        if self.progress.update and (ended := self._reason_to_stop()):
            reason, shares = ended, ()  # a resumed run that had come to its end
        for place, share in shares:
            self.progress.epoch, self.progress.pool, self.progress.batch = place
            self._update(share)
            update = self.progress.update
            if update % self.evaluate_every == 0 or update == self.max_updates:
                self._evaluate()
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
        if self.progress.evaluated_at != self.progress.update and (reason != INTERRUPTED or not self.progress.best):
            self._evaluate(is_watched=reason != INTERRUPTED)
        if reason != INTERRUPTED and self._try_mean():
            saved = 0
        if saved != self.progress.update and reason != INTERRUPTED:
            self._checkpoint()
        finished = Finished(
            self.progress.update, reason, self.progress.best_update, self.progress.best, self.progress.seconds
        )
        self.listen(finished)
        return finished

    # --- the whole update -------------------------------------------------------------------------------------------

    def _update(self, share: Share) -> None:
        progress, began = self.progress, time.perf_counter()
        update = progress.update + 1
        rate = self.rate * progress.plateau_share * rate_share(self.options, update)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

        self.model.train()
        loss = self._gradients(share, update)
        norm = whole(clip_grad_norm_(self.model.parameters(), self.options.clip)).item()
        self._require_finite(norm, "the gradient", update)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.shown.follow(update)

        progress.update = update
        progress.batch += 1
        progress.window_loss += loss
        progress.window_tokens += share.target_tokens
        progress.loss_since += loss
        progress.tokens_since += share.target_tokens
        progress.window_seconds += time.perf_counter() - began
        if update % REPORT_EVERY == 0 or update == 1:
            self._report(rate, norm)

    def _gradients(self, share: Share, update: int) -> float:
        """Leave the gradient of the batch's loss a token with the parameters; the batch's summed loss.

        The same numbers, but for rounding, in however many passes and on however many processes.
        """
        world, num_passes = self.world, len(share.passes)
        loss = 0.0
        for number, (arrays, counts) in enumerate(share.passes):
            torch.manual_seed(dropout_seed(self.options.seed, update, world.rank * num_passes + number))
            batch = to_tensors(arrays, self.device)
            with on_its_own(self.objective, number < num_passes - 1):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bfloat16"):
                    summed = self.objective(batch) * counts
                # Of the gradients of all processes the mean is taken: this makes it their sum.
                (summed * world.size / share.target_tokens).backward()
            loss += summed.item()
        return world.sum(loss)[0]

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
        evaluation = self.evaluate(self.shown.now())
        metrics, progress = evaluation.metrics, self.progress
        progress.evaluated_at = progress.update
        self._require_finite(metrics["loss"], "the loss on dev", progress.update)
        self.shown.keep(progress.update, metrics, self.metric)
        better = is_better(metrics, progress.best, self.metric)
        if better:
            progress.evaluations_without_better = 0
            self._save_best(metrics)
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

    def _save_best(self, metrics: dict[str, float]) -> None:
        self.progress.best, self.progress.best_update = metrics, self.progress.update
        if self.world.is_first:
            self.save_best(self.shown.model, self.progress)

    def _try_mean(self) -> bool:
        """Try the mean of the weights kept, and save it if it is the best; whether there was one to try."""
        progress = self.progress
        number = len(self.shown.kept)
        if number < 2 or progress.averaged_at == progress.update:
            return False
        evaluation = self.evaluate(self.shown.mean())
        progress.averaged_at = progress.update
        better = is_better(evaluation.metrics, progress.best, self.metric)
        if better:
            self._save_best(evaluation.metrics)
        self._tick()
        self.listen(
            Evaluated(progress.update, evaluation.metrics, better, evaluation.samples, progress.seconds, number)
        )
        return True

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
        if self.world.sum(self.stop())[0]:
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
        state = self.state()
        if self.world.is_first:
            self.save_checkpoint(state)
        self._saved_at = time.perf_counter()

    def _has_waited(self) -> bool:
        """Whether the last checkpoint is older than it should be; when one is written changes nothing else."""
        minutes = self.options.checkpoint_minutes
        if minutes is None:
            return False
        return self.world.from_first(time.perf_counter() - self._saved_at >= 60 * minutes)

    def state(self) -> TrainingState:
        """All that decides the updates to come, whole: it can be gone on from in another world."""
        optimizer = {
            f"{key}.{name}": whole(value)
            for name, parameter in self.model.named_parameters()
            # Divided tensors are gathered one by one: in the same order on all processes, whatever file they came from.
            for key, value in sorted(self.optimizer.state[parameter].items())
        }
        model = {name: whole(tensor) for name, tensor in self.model.tensors().items()}
        progress = asdict(self.progress) | {KEPT: dict(self.shown.tried)}
        return TrainingState(model, optimizer, progress, self.shown.state())

    def restore(self, state: TrainingState) -> None:
        """Go on from a state that `state()` gave."""
        own = dict(self.model.named_parameters())
        self.model.load_tensors({n: divided_as(tensor, own.get(n, tensor)) for n, tensor in state.model.items()})
        for name, parameter in own.items():
            self.optimizer.state[parameter] = {
                key.partition(".")[0]: divided_as(value, parameter) if value.ndim else value.to(self.device)
                for key, value in state.optimizer.items()
                if key.partition(".")[2] == name
            }
        self.progress = state.progress_so_far()
        self.shown.restore(state)
