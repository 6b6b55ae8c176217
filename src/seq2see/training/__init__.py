"""Training: the loop, its options, and the processes that run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.training.batch import TensorBatch, to_tensors
    from seq2see.training.events import INTERRUPTED, Callback, Evaluated, Event, Finished, Sample, Updated
    from seq2see.training.memory import MIN_UPDATES_PER_EPOCH, largest_batch, max_useful_tokens
    from seq2see.training.objective import batch_loss, target_log_probs
    from seq2see.training.options import TrainingOptions
    from seq2see.training.precision import choose_precision, require_precision
    from seq2see.training.process_batches import sampler_of
    from seq2see.training.schedule import rate_share
    from seq2see.training.state import KEPT, DevEvaluation, EvaluationStopped, TrainingProgress, TrainingState
    from seq2see.training.trainer import Trainer
    from seq2see.training.watch import DevAnswer, WarningIssued
    from seq2see.training.world import ALONE, World, joined, num_processes

__all__ = [
    "ALONE",
    "INTERRUPTED",
    "KEPT",
    "MIN_UPDATES_PER_EPOCH",
    "Callback",
    "DevAnswer",
    "DevEvaluation",
    "Evaluated",
    "EvaluationStopped",
    "Event",
    "Finished",
    "Sample",
    "TensorBatch",
    "Trainer",
    "TrainingOptions",
    "TrainingProgress",
    "TrainingState",
    "Updated",
    "WarningIssued",
    "World",
    "batch_loss",
    "choose_precision",
    "joined",
    "largest_batch",
    "max_useful_tokens",
    "num_processes",
    "rate_share",
    "require_precision",
    "sampler_of",
    "target_log_probs",
    "to_tensors",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "batch": "TensorBatch to_tensors",
        "events": "INTERRUPTED Evaluated Event Finished Callback Sample Updated",
        "memory": "MIN_UPDATES_PER_EPOCH largest_batch max_useful_tokens",
        "objective": "batch_loss target_log_probs",
        "options": "TrainingOptions",
        "precision": "choose_precision require_precision",
        "schedule": "rate_share",
        "process_batches": "sampler_of",
        "state": "KEPT DevEvaluation EvaluationStopped TrainingProgress TrainingState",
        "trainer": "Trainer",
        "watch": "DevAnswer WarningIssued",
        "world": "ALONE World joined num_processes",
    },
)
