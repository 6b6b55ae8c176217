"""Attention for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from seq2see.pictures.attention import attention_of
from seq2see.pictures.labels import labels_of

if TYPE_CHECKING:
    from seq2see.inference.results import Prediction

RAMP = " ░▒▓█"


def heat_lines(prediction: Prediction) -> list[Text]:
    """The attention of one prediction: one row per target token, one column per source token.

    Shades are relative to the largest weight of the row. Columns run from left to right in any script, since terminals
    differ in how they show right-to-left text.
    """
    weights = attention_of(prediction)
    source, target, _ = labels_of(prediction)
    cell = min(2, max(map(cell_len, source)))
    margin = max(map(cell_len, target)) + 1
    lines = [Text(" " * margin + " ".join(set_cell_size(token, cell) for token in source), style="bold")]
    for token, row in zip(target, weights, strict=True):
        shades = np.ceil(row / row.max() * (len(RAMP) - 1) - 0.5).astype(int)
        cells = (RAMP[shade] * cell for shade in shades)
        lines.append(Text(set_cell_size(token, margin), style="bold").append(" ".join(cells), style="cyan"))
    return lines
