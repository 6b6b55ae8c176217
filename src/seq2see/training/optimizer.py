"""The optimizer that the options name."""

from __future__ import annotations

from seq2see.model import Seq2Seq
from seq2see.training.adam import Adam
from seq2see.training.muon import Muon
from seq2see.training.options import TrainingOptions


def optimizer_of(model: Seq2Seq, options: TrainingOptions) -> Adam:
    """The optimizer of the model's parameters, at the peak rate."""
    assert options.rate
    if options.optimizer == "muon":
        is_half = options.precision == "bfloat16"
        return Muon(model, options.rate, weight_decay=options.weight_decay, in_bfloat16=is_half)
    is_decoupled = options.optimizer == "adamw"
    return Adam(model.parameters(), options.rate, weight_decay=options.weight_decay, decoupled=is_decoupled)
