"""Training by `seq2see.scratch` in place of torch: the same run, the models written out in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import seq2see.scratch as scratch
from seq2see.config import Config, option
from seq2see.errors import ConfigError
from seq2see.model import Blueprint, Sizes
from seq2see.run.plan import RunPlan
from seq2see.training import INTERRUPTED, Evaluated, Finished, Listener, Progress

FIXED: dict[str, Any] = {
    "data.workers": 0,
    "model.dropout": 0.0,
    "model.positions": "sinusoidal",
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
    "training.timeout": 300.0,
    "training.precision": "float32",
}
"""What the models by hand have no other form of."""

SaveBest = Callable[[Mapping[str, "np.ndarray"], Progress], None]


def as_by_hand(config: Config, given: Collection[str]) -> Config:
    """The configuration with what can't be otherwise; ConfigError for what someone set to something else."""
    for key, value in FIXED.items():
        if key in given and option(config, key) not in (value, "auto" if key == "training.precision" else value):
            raise ConfigError(
                f"{option(config, key)!r} is nothing that the models by hand can do",
                where=key,
                fix=f"leave it out (it is {value!r} there), or train with --engine torch",
            )
    if config.model.activation == "swiglu":
        raise ConfigError(
            "'swiglu' is not there by hand",
            where="model.activation",
            fix="set relu or gelu, or train with --engine torch",
        )
    for key, value in FIXED.items():
        section, _, name = key.partition(".")
        if option(config, key) is not None:
            config = replace(config, **{section: replace(getattr(config, section), **{name: value})})
    return config


def network_of(o: Blueprint, sizes: Sizes, seed: int) -> scratch.ScratchSeq2Seq:
    """The model of a blueprint, its initial values drawn."""
    return scratch.build(
        o.name,
        sizes.source,
        sizes.target,
        embedding=o.embedding,
        width=o.width,
        layers=o.layers,
        direction=o.direction,
        merge=o.merge,
        score=o.score,
        heads=o.heads,
        feed_forward=o.feed_forward,
        norm=o.norm,
        activation=o.activation,
        tie=o.tie,
        seed=seed,
    )


def train_by_hand(
    plan: RunPlan, network: scratch.ScratchSeq2Seq, *, save_best: SaveBest, listen: Listener, stop: Callable[[], bool]
) -> Finished:
    """Train the network; the best model on dev has then been saved."""
    training = plan.config.training
    assert training.max_updates and training.rate and training.batch_size
    recipe = scratch.ScratchTrainingOptions(
        training.max_updates,
        rate=training.rate,
        batch_size=training.batch_size,
        clip=training.clip,
        evaluate_every=training.evaluate_every,
        seed=training.seed,
    )
    progress = Progress()

    def note(report: scratch.ProgressReport) -> None:
        progress.update, progress.seconds = report.update, report.seconds
        metrics = metrics_of(report.dev)
        if report.best:
            progress.best, progress.best_update = metrics, report.update
        listen(Evaluated(report.update, metrics, report.best, (), report.seconds))

    scratch.train(network, plan.examples, plan.dev_examples, recipe, callback=note, stop=stop)
    save_best(network.tensors(), progress)
    reason = "all updates done" if progress.update == recipe.updates else INTERRUPTED
    finished = Finished(progress.update, reason, progress.best_update, progress.best, progress.seconds)
    listen(finished)
    return finished


def metrics_of(found: scratch.DevScores) -> dict[str, float]:
    """By the names of `seq2see.training`."""
    metrics = {"loss": found.loss}
    return metrics if found.exact_match is None else {"exact_match": found.exact_match} | metrics
