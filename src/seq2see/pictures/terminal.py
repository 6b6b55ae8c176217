"""Where the model looks, for a terminal."""

from __future__ import annotations

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from seq2see.inference.results import Prediction
from seq2see.pictures.labels import labels_of
from seq2see.pictures.looked import attention_of

RAMP = " ░▒▓█"


def heat_lines(prediction: Prediction) -> list[Text]:
    """The attention of one prediction for a terminal: a row a target token, a column a source token.

    The darkest cell of a row is where it looked most; the others are shaded in proportion. Columns run from left to
    right, whatever the script: terminals differ in what they make of the other direction.
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
