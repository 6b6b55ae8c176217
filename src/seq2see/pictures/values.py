"""Attention over pictures and series, drawn where they are: a heat map over the picture, bars behind the series."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seq2see.blueprint import CELL
from seq2see.markup.colors import SHADES, shade
from seq2see.pictures.labels import labels_of, truncated

if TYPE_CHECKING:
    from seq2see.data.values import ValueSpan
    from seq2see.inference.results import Prediction
    from seq2see.pictures.attention import Weights

WIDEST = 240
"""Width of a panel; pictures are enlarged up to LARGEST_SCALE times."""
LARGEST_SCALE = 4.0
LARGEST = 480
"""Pixels of the longer side of an embedded picture."""
GAP, CAPTION = 12, 18
IN_A_ROW = 4
BARS = 60
"""Height of the panel of a series."""
LINES = ("#1b5e9b", "#b3541e", "#3d7a3d", "#7a3d7a")
"""Colors of the first values of a series; the others are not drawn."""
PALEST = 0.3
"""The shade of a bar of weight 0, whose height says the weight."""


class Panel(NamedTuple):
    """The drawing for one target token."""

    elements: str
    width: float
    height: float


def panels_of(prediction: Prediction) -> list[list[Panel]]:
    """One list of panels per picture or series of the source, with one panel per target token."""
    if prediction.weights is None:
        return []
    targets = labels_of(prediction).target
    found = []
    largest = prediction.weights.max(-1, initial=1e-9)  # in the whole source: a picture not looked at stays clear
    for span in prediction.source_values:
        own = prediction.weights[:, span.start : span.start + len(span.tokens)]
        if span.kind == "picture":
            image = data_uri(span)
            rows = zip(targets, own, largest.tolist(), strict=True)
            found.append([picture_panel(span, image, target, row, most) for target, row, most in rows])
        else:
            lines = curves(span)
            found.append([series_panel(span, lines, target, row) for target, row in zip(targets, own, strict=True)])
    return found


def data_uri(span: ValueSpan) -> str:
    """The picture as a PNG within a page."""
    from PIL import Image

    pixels = span.array[0] if len(span.array) == 1 else span.array.transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((LARGEST, LARGEST))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def curves(span: ValueSpan) -> str:
    """The first values of a series as lines, each from its least to its largest value."""
    values = span.array[:, : len(LINES)]
    least, most = values.min(0), values.max(0)
    heights = BARS * (1 - (values - least) / np.where(most > least, most - least, 1))
    step = WIDEST / len(values)
    lines = []
    for column, color in zip(heights.T.tolist(), LINES, strict=False):
        points = " ".join(f"{(place + 0.5) * step:.1f},{height:.1f}" for place, height in enumerate(column))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.2"/>')
    return "".join(lines)


def picture_panel(span: ValueSpan, image: str, target: str, weights: Weights, most: float) -> Panel:
    """The picture under its cells, which are the darker the more the token attends to them; `most` is drawn darkest."""
    rows, _ = span.shape
    _, pixel_height, pixel_width = span.array.shape
    scale = min(WIDEST / pixel_width, WIDEST / pixel_height, LARGEST_SCALE)
    width, height, cell = pixel_width * scale, pixel_height * scale, CELL * scale
    size = f'width="{width:.1f}" height="{height:.1f}"'
    elements = [f'<image href="{image}" {size} preserveAspectRatio="none"/>']
    for place, (name, weight) in enumerate(zip(span.tokens, weights.tolist(), strict=True)):
        column, row = divmod(place, rows)
        left, top = column * cell, row * cell
        elements.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{min(cell, width - left):.1f}" '
            f'height="{min(cell, height - top):.1f}" fill="{SHADES[-1]}" '
            f'fill-opacity="{0.75 * weight / most:.3f}">{tooltip(target, name, weight)}</rect>'
        )
    return Panel("".join(elements), width, height)


def series_panel(span: ValueSpan, lines: str, target: str, weights: Weights) -> Panel:
    """The values over time, with a bar behind each vector as high as its weight."""
    step = WIDEST / len(weights.T)
    bars = [
        f'<rect x="{place * step:.1f}" y="{BARS * (1 - weight):.1f}" width="{step:.1f}" height="{BARS * weight:.1f}" '
        f'fill="{SHADES[shade(max(weight, PALEST))]}">{tooltip(target, name, weight)}</rect>'
        for place, (name, weight) in enumerate(zip(span.tokens, weights.tolist(), strict=True))
    ]
    return Panel("".join([*bars, lines]), WIDEST, BARS)


def tooltip(target: str, place: str, weight: float) -> str:
    """The title of a cell."""
    return f"<title>{escape(f'{target} attends to {place}: {weight:.4f}')}</title>"


def laid_out(
    panels: Sequence[Panel], targets: Sequence[str], left: float, top: float
) -> tuple[list[str], float, float]:
    """The panels in rows, each under its target token: SVG elements, and their right and lower end."""
    lines: list[str] = []
    x, right, tallest = left, left, 0.0
    for number, (panel, target) in enumerate(zip(panels, targets, strict=True)):
        if number and number % IN_A_ROW == 0:
            x, top, tallest = left, top + tallest + CAPTION + GAP, 0.0
        lines.append(f'<text x="{x:.1f}" y="{top + CAPTION - 5:.1f}" font-size="13">{escape(truncated(target))}</text>')
        lines.append(f'<g transform="translate({x:.1f} {top + CAPTION:.1f})">{panel.elements}</g>')
        x += panel.width + GAP
        right, tallest = max(right, x), max(tallest, panel.height)
    return lines, right, top + CAPTION + tallest + GAP


def as_element(prediction: Prediction) -> str:
    """All panels as one SVG element for HTML; empty without pictures and series."""
    targets = labels_of(prediction).target
    lines: list[str] = []
    right = bottom = 0.0
    for panels in panels_of(prediction):
        drawn, end, bottom = laid_out(panels, targets, 0, bottom)
        lines += drawn
        right = max(right, end)
    if not lines:
        return ""
    size = f'width="{right:.0f}" height="{bottom:.0f}" viewBox="0 0 {right:.0f} {bottom:.0f}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" style="max-width: 100%; height: auto" '
    return f'{start}fill="currentColor"><title>Attention over the source</title>{"".join(lines)}</svg>'
