"""The two recurrent networks by name, and what holds one of them."""

from __future__ import annotations

from seq2see.scratch.gru import GRU
from seq2see.scratch.lstm import LSTM
from seq2see.scratch.module import Module

CELLS: dict[str, type[LSTM] | type[GRU]] = {"lstm": LSTM, "gru": GRU}
"""Recurrent networks by name, which is also that of their tensors."""


class Cell(Module):
    """Holds one of `CELLS` under its name."""

    def __init__(self, cell: str, input_width: int, width: int) -> None:
        self.cell = cell
        setattr(self, cell, CELLS[cell](input_width, width))

    @property
    def network(self) -> LSTM | GRU:
        """The LSTM or GRU."""
        network: LSTM | GRU = getattr(self, self.cell)
        return network
