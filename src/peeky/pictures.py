"""Where the model looks, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.text import Text

from peeky.errors import UserError
from peeky.predictor import Prediction

RAMP = " ░▒▓█"


def heat_lines(prediction: Prediction) -> list[Text]:
    """The attention of one prediction for a terminal: a row a target token, a column a source token.

    The darkest cell of a row is where it looked most; the others are shaded in proportion.
    """
    weights = attention_of(prediction)
    source = [shown(token) for token in prediction.source_tokens]
    target = [shown(token) for token in prediction.target_tokens]
    cell = max(map(len, source)) if max(map(len, source)) <= 2 else 2
    margin = max(map(len, target)) + 1
    lines = [Text(" " * margin + " ".join(token[:cell].ljust(cell) for token in source), style="bold")]
    for token, row in zip(target, weights, strict=True):
        shades = np.ceil(row / row.max() * (len(RAMP) - 1) - 0.5).astype(int)
        cells = (RAMP[shade] * cell for shade in shades)
        lines.append(Text(token.ljust(margin), style="bold").append(" ".join(cells), style="cyan"))
    return lines


def save_heat_map(prediction: Prediction, path: Path) -> None:
    """The same as PNG, SVG or PDF, by the path's ending; UserError where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        raise UserError("pictures need matplotlib", fix='pip install "peeky[plots]"') from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    weights = attention_of(prediction)
    rows, columns = weights.shape
    figure, axes = pyplot.subplots(figsize=(1.6 + 0.32 * columns, 1.4 + 0.32 * rows), layout="constrained")
    image = axes.imshow(weights, cmap="Blues", vmin=0, aspect="equal")
    axes.set_xticks(range(columns), [shown(token) for token in prediction.source_tokens])
    axes.set_yticks(range(rows), [shown(token) for token in prediction.target_tokens])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("source")
    axes.set_ylabel("target, as generated")
    axes.tick_params(length=0)
    if max(len(shown(token)) for token in prediction.source_tokens) > 2:
        axes.tick_params(axis="x", labelrotation=90)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, label="attention weight")
    bar.outline.set_visible(False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def attention_of(prediction: Prediction) -> np.ndarray:
    """The weights [T S]; UserError for a model that has none."""
    if prediction.weights is None:
        raise UserError("this model has no attention to show", fix="train one that looks: --model attention")
    return prediction.weights


def shown(token: str) -> str:
    """A token as it can be seen: a blank becomes an open box, EOS an end mark."""
    return {"<eos>": "∎"}.get(token, token.replace(" ", "␣"))
