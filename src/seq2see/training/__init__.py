"""Training: examples and a model in, a better model out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.training.batch import TensorBatch, to_tensors
    from seq2see.training.events import INTERRUPTED, Evaluated, Event, Finished, Listener, Sample, Updated
    from seq2see.training.memory import FEWEST_UPDATES, largest_batch, most_useful
    from seq2see.training.objective import batch_loss, target_log_probs
    from seq2see.training.options import TrainingOptions
    from seq2see.training.precision import choose_precision, require_precision
    from seq2see.training.schedule import rate_share
    from seq2see.training.shares import sampler_of
    from seq2see.training.state import KEPT, Evaluation, Progress, TrainingState
    from seq2see.training.trainer import Trainer
    from seq2see.training.watch import DevAnswer, Warned
    from seq2see.training.world import ALONE, World, joined

__all__ = [
    "ALONE",
    "FEWEST_UPDATES",
    "INTERRUPTED",
    "KEPT",
    "DevAnswer",
    "Evaluated",
    "Evaluation",
    "Event",
    "Finished",
    "Listener",
    "Progress",
    "Sample",
    "TensorBatch",
    "Trainer",
    "TrainingOptions",
    "TrainingState",
    "Updated",
    "Warned",
    "World",
    "batch_loss",
    "choose_precision",
    "joined",
    "largest_batch",
    "most_useful",
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
        "events": "INTERRUPTED Evaluated Event Finished Listener Sample Updated",
        "memory": "FEWEST_UPDATES largest_batch most_useful",
        "objective": "batch_loss target_log_probs",
        "options": "TrainingOptions",
        "precision": "choose_precision require_precision",
        "schedule": "rate_share",
        "shares": "sampler_of",
        "state": "KEPT Evaluation Progress TrainingState",
        "trainer": "Trainer",
        "watch": "DevAnswer Warned",
        "world": "ALONE World joined",
    },
)
