"""Training in NumPy with the models of `seq2see.scratch`: `--engine scratch`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import seq2see.scratch as scratch
from seq2see.blueprint import ARCHITECTURES, DEFAULT
from seq2see.config import Config, option
from seq2see.errors import ConfigError
from seq2see.run.fine_tune import FROM_OPTION
from seq2see.run.network_trainer import TrainingJob
from seq2see.run.plan import RunPlan
from seq2see.run.resume import RunContext
from seq2see.training import INTERRUPTED, Evaluated, Finished, TrainingProgress

FIXED: dict[str, Any] = {
    "data.workers": 0,
    "model.dropout": 0.0,
    "model.positions": "sinusoidal",
    "model.diagonal": False,
    "model.copy": False,
    "model.tags": "source",
    "training.coverage": 0.0,
    "training.guided_attention": 0.0,
    "training.sample_alignments": None,
    "text.bpe_dropout": 0.0,
    "training.schedule": "linear",
    "training.warmup": 0.1,
    "training.batch_tokens": None,
    "training.optimizer": "adam",
    "training.weight_decay": 0.0,
    "training.label_smoothing": 0.0,
    "training.checkpoint_every": None,
    "training.checkpoint_minutes": None,
    "training.keep_checkpoints": 2,
    "training.patience": None,
    "training.accumulate": 1,
    "training.ema": None,
    "training.average": None,
    "training.average_of": "last",
    "training.shard": False,
    "data.balance": None,
    "data.distortion": 0.0,
    "data.also_source": None,
    "data.also_target": None,
    "training.denoising_updates": None,
    "training.source_embeddings": None,
    "training.target_embeddings": None,
    "training.freeze_embeddings": False,
    "training.timeout": 300.0,
    "training.precision": "float32",
}
"""The only value that each of these options can have here."""

USE_TORCH = "leave it out, or train with --engine torch"


class ScratchTrainer:
    """Trains a `scratch.ScratchSeq2Seq` on the CPU in one process, from random initial values, without checkpoints."""

    def require_supported(
        self, config: Config, given: Collection[str], *, device: str, resume_flag: str, num_processes: int
    ) -> None:
        """ConfigError for an unsupported option."""
        if config.training.start_from:
            raise ConfigError("--engine scratch can't fine-tune a model", where=FROM_OPTION, fix=USE_TORCH)
        if device not in ("auto", "cpu"):
            raise ConfigError(f"must be cpu with --engine scratch, not {device}", where="--device", fix=USE_TORCH)
        if resume_flag:
            what = "--engine scratch writes no checkpoints to resume from"
            raise ConfigError(what, where=resume_flag, fix="train again with --force")
        if num_processes > 1:
            fix = "start it without torchrun, or train with --engine torch"
            raise ConfigError(f"trains in one process, not {num_processes}", where="--engine scratch", fix=fix)
        name = config.model.name
        if name in ARCHITECTURES and name not in scratch.ARCHITECTURES:
            what = f"--engine scratch has no {name}"
            fix = f"train with --engine torch, or choose one of: {', '.join(scratch.ARCHITECTURES)}"
            raise ConfigError(what, where="model.name", fix=fix)
        for key, value in FIXED.items():
            found = option(config, key)
            if key in given and found != value and (key, found) != ("training.precision", "auto"):
                allowed = "unset" if value is None else repr(value)
                what = f"must be {allowed} with --engine scratch, not {found!r}"
                raise ConfigError(what, where=key, fix=USE_TORCH)
        if config.training.metric not in (None, "exact_match", "loss"):
            what = f"must be exact_match or loss with --engine scratch, not {config.training.metric}"
            raise ConfigError(what, where="training.metric", fix=USE_TORCH)
        if config.model.activation == "swiglu":
            what = "must be relu or gelu with --engine scratch, not swiglu"
            raise ConfigError(what, where="model.activation", fix=USE_TORCH)

    def preset(self, config: Config) -> Config:
        """The configuration with the fixed values, and the default model and dropout; other options stay open."""
        if config.model.name is None:
            config = replace(config, model=replace(config.model, name=DEFAULT))
        for key, value in FIXED.items():
            section, _, name = key.partition(".")
            if option(config, key) is not None or key == "model.dropout":
                config = replace(config, **{section: replace(getattr(config, section), **{name: value})})
        return config

    def complete(self, plan: RunPlan, context: RunContext) -> RunPlan:
        """The plan with the fixed values in place of what was chosen from the data."""
        return replace(plan, config=self.preset(plan.config))

    def build(self, plan: RunPlan, context: RunContext) -> scratch.ScratchSeq2Seq:
        """The network of the plan's blueprint."""
        o, sizes = plan.blueprint, plan.sizes
        if sizes.fields:
            what = "--engine scratch reads sources of one field"
            raise ConfigError(what, where="text.source", fix="train with --engine torch, or on one column")
        return scratch.build(
            o.name,
            sizes.source,
            sizes.target,
            embedding=o.embedding,
            width=o.width,
            encoder_layers=o.encoder_layers,
            decoder_layers=o.decoder_layers,
            direction=o.direction,
            merge=o.merge,
            cell=o.cell,
            score=o.score,
            query=o.query,
            output=o.output,
            heads=o.heads,
            feed_forward=o.feed_forward,
            norm=o.norm,
            activation=o.activation,
            tie=o.tie,
            seed=plan.config.training.seed,
        )

    def description(self, plan: RunPlan, context: RunContext) -> str:
        """Always float32 on the CPU."""
        return "from scratch in NumPy"

    def run(self, network: scratch.ScratchSeq2Seq, job: TrainingJob) -> Finished:
        """Train all updates, or until interrupted."""
        plan, training = job.plan, job.plan.config.training
        assert training.max_updates and training.rate and training.batch_size and training.metric
        assert training.metric in ("exact_match", "loss")
        recipe = scratch.ScratchTrainingOptions(
            training.max_updates,
            rate=training.rate,
            batch_size=training.batch_size,
            clip=training.clip,
            evaluate_every=training.evaluate_every,
            seed=training.seed,
            metric=training.metric,
        )
        progress = TrainingProgress()

        def report(found: scratch.ProgressReport) -> None:
            progress.update, progress.seconds = found.update, found.seconds
            metrics = metrics_of(found.dev)
            if found.best:
                progress.best, progress.best_update = metrics, found.update
            job.callback(Evaluated(found.update, metrics, found.best, (), found.seconds))

        scratch.train(network, plan.examples, plan.dev_examples, recipe, callback=report, stop=job.stop)
        job.save_best(network.tensors(), progress)
        reason = "all updates done" if progress.update == recipe.updates else INTERRUPTED
        finished = Finished(progress.update, reason, progress.best_update, progress.best, progress.seconds)
        job.callback(finished)
        return finished


def metrics_of(found: scratch.DevScores) -> dict[str, float]:
    """Dev metrics under the names of `seq2see.training`."""
    metrics = {"loss": found.loss}
    return metrics if found.exact_match is None else {"exact_match": found.exact_match} | metrics
