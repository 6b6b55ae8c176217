"""Where the model looks, as a picture."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from peeky.errors import UserError
from peeky.prediction import Prediction

RAMP = " ░▒▓█"
SHOWN = {"<eos>": "∎", " ": "␣", "\t": "⇥", "\n": "↵", "\r": "↵"}
FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Sans Arabic",
    "Unifont",
)
"""Fonts for scripts that matplotlib's own lacks, used where they are installed."""


class MissingGlyphWarning(UserWarning):
    """No installed font has some of the tokens' symbols; the picture shows boxes in their place."""


def heat_lines(prediction: Prediction) -> list[Text]:
    """The attention of one prediction for a terminal: a row a target token, a column a source token.

    The darkest cell of a row is where it looked most; the others are shaded in proportion.
    """
    weights = attention_of(prediction)
    source = [shown(token) for token in prediction.source_tokens]
    target = [shown(token) for token in prediction.target_tokens]
    cell = min(2, max(map(cell_len, source)))
    margin = max(map(cell_len, target)) + 1
    lines = [Text(" " * margin + " ".join(set_cell_size(token, cell) for token in source), style="bold")]
    for token, row in zip(target, weights, strict=True):
        shades = np.ceil(row / row.max() * (len(RAMP) - 1) - 0.5).astype(int)
        cells = (RAMP[shade] * cell for shade in shades)
        lines.append(Text(set_cell_size(token, margin), style="bold").append(" ".join(cells), style="cyan"))
    return lines


def save_heat_map(prediction: Prediction, path: str | Path) -> None:
    """The same as PNG, SVG or PDF, by the path's ending.

    Raises UserError where matplotlib is missing or the path can't be written; warns where no font has a symbol.
    """
    try:
        from matplotlib import font_manager
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("pictures need matplotlib", fix='pip install "peeky[plots]"') from None
    weights = attention_of(prediction)
    rows, columns = weights.shape
    figure = Figure(figsize=(1.6 + 0.32 * columns, 1.4 + 0.32 * rows), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(weights, cmap="Blues", vmin=0, aspect="equal")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    installed = {font.name for font in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in FONTS if name in installed)]
    for axis, tokens in ((axes.xaxis, prediction.source_tokens), (axes.yaxis, prediction.target_tokens)):
        # A tick a token, as it is: nothing in it is taken for a formula.
        axis.set_ticks(range(len(tokens)), [shown(token) for token in tokens], family=families, parse_math=False)
    if max(cell_len(shown(token)) for token in prediction.source_tokens) > 2:
        axes.tick_params(axis="x", labelrotation=90)
    axes.set_xlabel("source")
    axes.set_ylabel("target, as generated")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, label="attention weight")
    bar.outline.set_visible(False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            figure.savefig(path, dpi=150)
        except (OSError, ValueError) as error:
            fix = "give a path in a folder that exists, ending in .png, .svg or .pdf"
            raise UserError(f"the picture can't be written: {error}", where=str(path), fix=fix) from None
    if any("missing from font" in str(warning.message) for warning in caught):
        warnings.warn(
            "no installed font has some of the symbols; boxes stand for them (Debian has fonts-noto, fonts-noto-cjk)",
            MissingGlyphWarning,
            stacklevel=2,
        )


def attention_of(prediction: Prediction) -> np.ndarray:
    """The weights [T S]; UserError for a model that has none, or an empty text."""
    if not prediction.target_tokens:
        raise UserError("an empty text has no attention to show", fix="give a text")
    if prediction.weights is None:
        raise UserError("this model has no attention to show", fix="train one that looks: --model attention")
    return prediction.weights


def shown(token: str) -> str:
    """A token as it can be seen: a blank becomes an open box, EOS an end mark, what can't be printed its number."""
    return SHOWN.get(token) or "".join(
        character if character.isprintable() else SHOWN.get(character, f"U+{ord(character):04X}")
        for character in token.replace(" ", "␣")
    )
