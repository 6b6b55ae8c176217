"""Updates of this package's trainer, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch

from seq2see.data import Examples
from seq2see.model import ModelOptions, Sizes, build, resolve
from seq2see.training import DevEvaluation, Trainer, TrainingOptions


def updates(
    examples: Examples,
    options: ModelOptions,
    sizes: Sizes,
    batch_size: int,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Iterator[None]:
    """Train, and stop after each update."""
    trainer = Trainer(
        build(resolve(options), sizes),
        examples,
        TrainingOptions(
            rate=1e-3,
            max_updates=10**9,
            batch_size=batch_size,
            evaluate_every=10**9,
            metric="loss",
            precision=precision,
            label_smoothing=0.0,
            schedule="constant",
        ),
        device=torch.device("cpu"),
        evaluate=lambda _: DevEvaluation({}, ()),
        save_best=lambda *_: None,
        save_checkpoint=lambda _: None,
        callback=lambda _: None,
    )
    for _, batch in trainer.batches.after():
        trainer._update(batch)
        yield
