"""Updates alone, one at a time: for measuring what they take."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from seq2see.data.examples import Examples
from seq2see.model import Seq2Seq
from seq2see.training.options import TrainingOptions
from seq2see.training.process_batches import ProcessBatch
from seq2see.training.state import DevEvaluation
from seq2see.training.trainer import Trainer

UNENDING = TrainingOptions(
    rate=1e-3,
    max_updates=10**9,
    evaluate_every=10**9,
    metric="loss",
    precision="float32",
    label_smoothing=0.0,
    schedule="constant",
)
"""Options with which an update is nothing but the loss, its gradient and Adam's step."""


CPU = torch.device("cpu")
"""Where updates are measured by default."""


def updates(
    network: Seq2Seq, examples: Examples, options: TrainingOptions = UNENDING, *, device: torch.device = CPU
) -> Iterator[ProcessBatch]:
    """The batch of each update of the trainer; nothing is evaluated or saved."""
    trainer = Trainer(
        network,
        examples,
        options,
        device=device,
        evaluate=lambda _: DevEvaluation({}, ()),
        save_best=lambda *_: None,
        save_checkpoint=lambda _: None,
        callback=lambda _: None,
    )
    for _, batch in trainer.batches.after():
        trainer._update(batch)
        yield batch
