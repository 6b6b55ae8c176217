"""The training loop; one update is in `Trainer._update`.

Everything that decides the next update is in `Trainer.state()`: weights, optimizer moments and `TrainingProgress`. The
order of the examples is a function of (seed, epoch, pool), BPE-dropout of (seed, epoch), and dropout masks of (seed,
update, part of the batch). So there is no random generator to save, and a resumed run continues bit for bit.

Several processes make the same updates side by side, each with its part of every batch (`World.parts`). They all
make the same decisions; only `is_first` saves and reports.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from types import MappingProxyType

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from seq2see.console import counted
from seq2see.data.batch import collate
from seq2see.data.examples import EpochExamples, Examples
from seq2see.data.sampler import BatchPosition
from seq2see.errors import UserError
from seq2see.model import Seq2Seq
from seq2see.training.averaging import EvaluatedModel
from seq2see.training.batch import to_tensors
from seq2see.training.events import INTERRUPTED, Callback, Evaluated, Finished, Updated
from seq2see.training.frozen import FrozenRows
from seq2see.training.objective import Objective
from seq2see.training.optimizer import optimizer_of
from seq2see.training.options import TrainingOptions
from seq2see.training.process_batches import ProcessBatch, ProcessBatches, dropout_seed
from seq2see.training.samples import DevAnswers
from seq2see.training.schedule import rate_share
from seq2see.training.setup import Setup
from seq2see.training.sharding import full_tensor, sharded_like, without_gradient_sync
from seq2see.training.state import (
    KEPT,
    DevEvaluation,
    EvaluationStopped,
    TrainingProgress,
    TrainingState,
    is_better,
    signed,
)
from seq2see.training.watch import (
    NUM_RISES,
    TRANSIENT,
    UNKNOWN_SETUP,
    EvaluationRecord,
    WarningIssued,
    diagnose,
    should_diagnose,
)
from seq2see.training.world import ALONE, World

REPORT_EVERY = 10
"""Updates between reports of the training loss."""

CLOCK_TICK = 1e-3
"""Seconds that are taken for updates between two ticks of a coarse clock."""

PERFECT_EVALUATIONS = 3
"""Consecutive evaluations without a mistake after which `stop_when_perfect` ends training."""

PLATEAU_PATIENCE = 2
"""Evaluations without improvement after which the `plateau` schedule halves the rate."""


class Trainer:
    """Trains a model on examples.

    `evaluate` evaluates the model on dev, `save_best` saves it, `save_checkpoint` saves a state to resume from. `stop`
    is called after each update, and `evaluate` may raise EvaluationStopped once it returned True; `stop_when_perfect`
    ends training when dev is repeatedly answered without a mistake. `epoch_examples` gives each epoch its own examples
    in place of `examples`; `workers` threads prepare batches ahead. `setup` is what the diagnostics take into account.
    `frozen` are rows of parameters, by name, that keep their values.
    Of `options` only max_epochs, batch_size or batch_tokens, optimizer (Adam), checkpoint_every, checkpoint_minutes,
    patience, ema, average and guided_attention may be None. All processes of the `world` evaluate; only rank 0 saves
    and calls `callback`.
    """

    def __init__(
        self,
        model: Seq2Seq,
        examples: Examples,
        options: TrainingOptions,
        *,
        device: torch.device,
        evaluate: Callable[[Seq2Seq], DevEvaluation],
        save_best: Callable[[Seq2Seq, TrainingProgress], None],
        save_checkpoint: Callable[[TrainingState], None],
        callback: Callback,
        stop: Callable[[], bool] = lambda: False,
        stop_when_perfect: bool = False,
        epoch_examples: EpochExamples | None = None,
        workers: int = 0,
        world: World = ALONE,
        setup: Setup = UNKNOWN_SETUP,
        frozen: Mapping[str, torch.Tensor] = MappingProxyType({}),
    ) -> None:
        assert options.rate
        assert options.max_updates
        assert options.evaluate_every
        assert options.metric
        assert options.precision != "auto"
        self.world = world
        self.model = model.to(device)
        is_averaged = options.ema is not None or options.average is not None
        is_sharded = options.shard and world.size > 1
        evaluated_model = copy.deepcopy(self.model) if is_averaged or is_sharded else self.model
        self.objective = world.join(
            Objective(self.model, options.label_smoothing, options.attention_losses), shard=options.shard
        )
        self.evaluated = EvaluatedModel(self.model, evaluated_model, options)
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
        self.callback = callback
        self.stop = stop
        self.stop_when_perfect = stop_when_perfect
        self.setup = setup
        self.answers = DevAnswers()
        self.progress = TrainingProgress()
        self._clock = self._saved_at = time.perf_counter()
        self._saved = 0
        self.batches = ProcessBatches(examples, options, world, epoch_examples=epoch_examples, workers=workers)
        self._warm_up_ddp()
        self.frozen = FrozenRows(self.model, frozen)
        self.optimizer = optimizer_of(self.model, options)

    def _warm_up_ddp(self) -> None:
        """Run DDP twice without effect, because it reorders its messages after the first gradients of a process.

        Otherwise the first update of a resumed run would add up in a different order than in an uninterrupted run.
        """
        if isinstance(self.objective, DistributedDataParallel):
            batch = to_tensors(collate(self.batches.examples, np.zeros(1, np.int64)), self.device)
            for _ in range(2):
                (self.objective(batch) * 0).backward()
            self.model.zero_grad(set_to_none=True)

    def run(self, *, evaluate_first: bool = False) -> Finished:
        """Train until the end or until stopped; the best model and the state have then been saved.

        With `evaluate_first` the model is also evaluated before the first update, and may remain the best.
        """
        start = BatchPosition(self.progress.epoch, self.progress.pool, self.progress.batch)
        with closing(self.batches.after(start, max(0, self.max_updates - self.progress.update))) as shares:
            return self._run(shares, evaluate_first)

    def _run(self, shares: Iterable[tuple[BatchPosition, ProcessBatch]], evaluate_first: bool) -> Finished:
        self._clock = self._saved_at = time.perf_counter()
        self._saved = self.progress.update
        try:
            reason = self._train(shares, evaluate_first)
        except EvaluationStopped:
            reason = INTERRUPTED
        if reason == INTERRUPTED:
            self._save_interrupted()
        finished = Finished(
            self.progress.update, reason, self.progress.best_update, self.progress.best, self.progress.seconds
        )
        self.callback(finished)
        return finished

    def _train(self, shares: Iterable[tuple[BatchPosition, ProcessBatch]], evaluate_first: bool) -> str:
        """Train to the end, which is then evaluated and saved, or until interrupted; the reason why training ended."""
        progress, reason = self.progress, "all updates done"
        if evaluate_first:
            self._evaluate(is_diagnosed=False)
        elif progress.update and self._is_due(progress.update) and progress.evaluated_at != progress.update:
            self._evaluate()  # which the run so far was stopped in
            self._saved = 0
            self._save_if_due()
        if progress.update and (ended := self._reason_to_stop()):
            reason, shares = ended, ()  # a resumed run that had already ended
        for place, batch in shares:
            progress.epoch, progress.pool, progress.batch = place
            self._update(batch)
            if self._is_due(progress.update):
                self._evaluate()
            self._save_if_due()
            ended = self._reason_to_stop()
            if ended and progress.update < self.max_updates:
                reason = ended
                break
        if reason == INTERRUPTED:
            return reason
        if progress.evaluated_at != progress.update:
            self._evaluate()
        if self._evaluate_mean() or self._saved != progress.update:
            self.save()
        return reason

    def _is_due(self, update: int) -> bool:
        """Whether the model is evaluated after this update."""
        return update % self.evaluate_every == 0 or update == self.max_updates

    def _save_if_due(self) -> None:
        if self.progress.update % self.checkpoint_every == 0 or self._has_waited():
            self.save()

    def _save_interrupted(self) -> None:
        """Save the state, and the model as it is if no better one was saved; evaluating it could take long."""
        if self._saved != self.progress.update:
            self.save()
        if not self.progress.best:
            model = self.evaluated.current()
            if self.world.is_first:
                self.save_best(model, self.progress)

    # --- one update -------------------------------------------------------------------------------------------

    def _update(self, batch: ProcessBatch) -> None:
        progress, began = self.progress, time.perf_counter()
        update = progress.update + 1
        rate = self.rate * progress.plateau_share * rate_share(self.options, update)
        self.optimizer.rate = rate
        self.model.train()
        loss = self._gradients(batch, update)
        self.frozen.without_gradient()
        norm = full_tensor(clip_grad_norm_(self.model.parameters(), self.options.clip)).item()
        self._require_finite(norm, "the gradient", update)
        self.optimizer.step()
        self.frozen.put_back()
        self.model.zero_grad()
        self.evaluated.follow(update)

        progress.update = update
        progress.batch += 1
        progress.window_loss += loss
        progress.window_tokens += batch.target_tokens
        progress.loss_since += loss
        progress.tokens_since += batch.target_tokens
        progress.window_seconds += time.perf_counter() - began
        if update % REPORT_EVERY == 0 or update == 1:
            self._report(rate, norm)

    def _gradients(self, batch: ProcessBatch, update: int) -> float:
        """Accumulate the gradient of the batch's mean loss per token; returns the batch's summed loss.

        Apart from rounding the result does not depend on the number of passes and processes.
        """
        world, num_passes = self.world, len(batch.passes)
        loss = 0.0
        for number, (arrays, counts) in enumerate(batch.passes):
            torch.manual_seed(dropout_seed(self.options.seed, update, world.rank * num_passes + number))
            tensors = to_tensors(arrays, self.device)
            with without_gradient_sync(self.objective, number < num_passes - 1):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bfloat16"):
                    summed = self.objective(tensors) * counts
                # DDP and FSDP2 average the gradients of the processes; the factor turns the mean into a sum.
                (summed * world.size / batch.target_tokens).backward()
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
        self.callback(
            Updated(
                progress.update,
                progress.epoch,
                progress.window_loss / progress.window_tokens,
                rate,
                norm,
                progress.window_tokens / max(progress.window_seconds, CLOCK_TICK),
                progress.seconds,
            )
        )
        progress.window_loss, progress.window_tokens, progress.window_seconds = 0.0, 0, 0.0

    def _evaluate(self, *, is_diagnosed: bool = True) -> None:
        evaluation = self.evaluate(self.evaluated.current())
        metrics, progress = evaluation.metrics, self.progress
        progress.evaluated_at = progress.update
        self._require_finite(metrics["loss"], "the loss on dev", progress.update)
        self.evaluated.keep(progress.update, metrics, self.metric)
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
        self._report_evaluation(evaluation, better)
        if is_diagnosed:
            self._diagnose(evaluation)

    def _save_best(self, metrics: dict[str, float]) -> None:
        self.progress.best, self.progress.best_update = metrics, self.progress.update
        if self.world.is_first:
            self.save_best(self.evaluated.model, self.progress)

    def _evaluate_mean(self) -> bool:
        """Evaluate the mean of the kept weights, and save it if it is the best; whether there was one."""
        progress = self.progress
        number = len(self.evaluated.kept)
        if number < 2 or progress.averaged_at == progress.update:
            return False
        evaluation = self.evaluate(self.evaluated.mean())
        progress.averaged_at = progress.update
        better = is_better(evaluation.metrics, progress.best, self.metric)
        if better:
            self._save_best(evaluation.metrics)
        self._tick()
        self._report_evaluation(evaluation, better, mean_of=number)
        return True

    def _report_evaluation(self, evaluation: DevEvaluation, better: bool, mean_of: int = 0) -> None:
        progress, found = self.progress, self.answers.compared(evaluation)
        number = len(found.answers)
        self.callback(
            Evaluated(
                *(progress.update, found.metrics, better, found.samples, progress.seconds, mean_of),
                *(number, found.num_wrong, found.num_changed),
            )
        )

    def _diagnose(self, evaluation: DevEvaluation) -> None:
        """Report each kind of problem once, and only when training is far enough."""
        progress, metrics = self.progress, evaluation.metrics
        score = signed(metrics, self.metric)
        point = EvaluationRecord(progress.loss_since / max(1, progress.tokens_since), metrics["loss"], score)
        progress.loss_since, progress.tokens_since = 0.0, 0
        progress.course = [*progress.course, list(point)][-NUM_RISES - 1 :]
        is_last = progress.update == self.max_updates or self._is_patience_over()
        if not is_last and not should_diagnose(self.options, progress.update):
            return
        course = [EvaluationRecord(*values) for values in progress.course]
        found = list(diagnose(evaluation.answers, evaluation.unknown, course, self.setup))
        before, progress.suspected = progress.suspected, [each.kind for each in found]
        for kind, message, advice in found:
            is_lasting = kind in before or kind not in TRANSIENT or is_last
            if is_lasting and kind not in progress.warned:
                progress.warned = [*progress.warned, kind]
                self.callback(WarningIssued(progress.update, kind, message, advice))

    def _reason_to_stop(self) -> str:
        if self.world.sum(self.stop())[0]:
            return INTERRUPTED
        if self._is_patience_over():
            return f"no improvement for {counted(self.progress.evaluations_without_better, 'evaluation')}"
        if self.stop_when_perfect and self.progress.evaluations_without_mistake >= PERFECT_EVALUATIONS:
            return f"dev without a mistake {PERFECT_EVALUATIONS} times in a row"
        return ""

    def _is_patience_over(self) -> bool:
        patience = self.options.patience
        return patience is not None and self.progress.evaluations_without_better >= patience

    def _tick(self) -> None:
        now = time.perf_counter()
        self.progress.seconds += now - self._clock
        self._clock = now

    def save(self) -> None:
        """Save the state as it is."""
        self._tick()
        state = self.state()
        if self.world.is_first:
            self.save_checkpoint(state)
        self._saved, self._saved_at = self.progress.update, time.perf_counter()

    def _has_waited(self) -> bool:
        """Whether the last checkpoint is older than `checkpoint_minutes`; this changes nothing else."""
        minutes = self.options.checkpoint_minutes
        if minutes is None:
            return False
        return self.world.from_first(time.perf_counter() - self._saved_at >= 60 * minutes)

    def state(self) -> TrainingState:
        """All that decides the updates to come, as whole tensors: any number of processes can resume it."""
        optimizer = {
            f"{key}.{name}": full_tensor(value)
            for name, parameter in self.model.named_parameters()
            # Sharded tensors are gathered one by one, so the order must be the same on all processes.
            for key, value in sorted(self.optimizer.state.get(parameter, {}).items())
        }
        model = {name: full_tensor(tensor) for name, tensor in self.model.tensors().items()}
        progress = asdict(self.progress) | {KEPT: dict(self.evaluated.dev_metrics)}
        return TrainingState(model, optimizer, progress, self.evaluated.state())

    def restore(self, state: TrainingState) -> None:
        """Restore a state that `state()` returned."""
        own = dict(self.model.named_parameters())
        self.model.load_tensors({n: sharded_like(tensor, own.get(n, tensor)) for n, tensor in state.model.items()})
        for name, parameter in own.items():
            self.optimizer.state[parameter] = {
                key.partition(".")[0]: sharded_like(value, parameter) if value.ndim else value.to(self.device)
                for key, value in state.optimizer.items()
                if key.partition(".")[2] == name
            }
        self.progress = state.progress_so_far()
        self.evaluated.restore(state)
