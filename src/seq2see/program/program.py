"""A model as programs: lists of operations in static single assignment, which any target can run.

    prepare(saved weights) ─▶ prepared                    once
    encode(ids [B S], lengths [B], prepared) ─▶ readings, first carry
    step(ids [B*K], carry, readings, prepared) ─▶ log_probs, weights, carry

A reading has one row per sentence and stays the same; a carry has one row per hypothesis along the axis whose size is
B*K, and a search selects its rows between two steps. `step` also depends on P, the number of steps before it.
"""

from __future__ import annotations

from typing import NamedTuple

from seq2see.program.operations import Operation, Type


class Program(NamedTuple):
    """Values are numbered: first the inputs, then the result of each operation, in their order."""

    inputs: tuple[tuple[str, Type], ...]
    operations: tuple[Operation, ...]
    outputs: tuple[tuple[str, int], ...]
    """The name of each, and the number of its value."""

    def type(self, value: int) -> Type:
        """The type of a value."""
        if value < len(self.inputs):
            return self.inputs[value][1]
        return self.operations[value - len(self.inputs)].type


class Programs(NamedTuple):
    """The three programs of a model."""

    prepare: Program
    encode: Program
    step: Program

    @property
    def has_source(self) -> bool:
        """Whether there is anything to encode; a language model has no source."""
        return any(name == IDS for name, _ in self.encode.inputs)

    @property
    def has_attention(self) -> bool:
        """Whether a step gives attention weights."""
        return any(name == WEIGHTS for name, _ in self.step.outputs)


IDS, LENGTHS, LOG_PROBS, WEIGHTS = "ids", "lengths", "log_probs", "weights"
CARRY, READING, PREPARED = "carry.", "reading.", "prepared."
"""The names of inputs and outputs, or what they begin with."""
