"""Attention as SVG, in the browser's own fonts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len

from seq2see.markup.colors import SHADES, shade
from seq2see.pictures.labels import CROSS, END_NOTE, Labels, labels_of, legible, truncated, widest
from seq2see.pictures.values import laid_out, panels_of

if TYPE_CHECKING:
    from seq2see.inference.results import Prediction
    from seq2see.pictures.attention import Attention, Weights

MARGIN = 12
LINE = 20
"""Height of a line of notes."""

FONTS = "system-ui, 'Noto Sans', 'Noto Sans CJK SC', 'DejaVu Sans', sans-serif"


class Canvas:
    """SVG elements, with the width and height they have taken so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.width = 0.0
        self.bottom = float(MARGIN)

    def text(self, x: float, y: float, text: str, *, size: float = 13, attributes: str = "") -> None:
        """A text that starts at x, with its baseline at y."""
        self.lines.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}"{attributes}>{escape(text)}</text>')

    def note(self, text: str) -> None:
        """A line of text below everything so far."""
        self.bottom += LINE
        self.text(MARGIN, self.bottom - 5, text)
        self.width = max(self.width, MARGIN + 8 * cell_len(text))

    def cells(self, x: float, y: float, size: float, labels: Labels, weights: Weights) -> None:
        """The cells of a heat map with its top left corner at (x, y)."""
        columns = len(labels.source)
        for row, (target, row_weights) in enumerate(zip(labels.target, weights.tolist(), strict=True)):
            for column, (source, weight) in enumerate(zip(labels.source, row_weights, strict=True)):
                left = x + size * (columns - 1 - column if labels.source_is_right_to_left else column)
                self.lines.append(
                    f'<rect x="{left:.1f}" y="{y + row * size:.1f}" width="{size:.1f}" height="{size:.1f}" '
                    f'fill="{SHADES[shade(weight)]}"><title>'
                    f"{escape(f'{target} attends to {source}: {weight:.4f}')}</title></rect>"
                )
        self.width = max(self.width, x + columns * size)


def as_svg(attentions: Sequence[Attention]) -> str:
    """An SVG file: the heat maps one below the other, weights as tooltips, heads as small multiples."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg_element(attentions)}\n'


def inline_svg(attention: Attention) -> str:
    """One heat map as an SVG element within HTML."""
    return svg_element([attention], numbered=False)


def svg_element(attentions: Sequence[Attention], *, numbered: bool = True) -> str:
    """The heat maps as one SVG element."""
    canvas = Canvas()
    for number, each in enumerate(attentions, start=1):
        _draw(canvas, f"{number}. " if numbered else "", each)
    width, height = canvas.width + MARGIN, canvas.bottom + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{FONTS}" fill="#1a1a1a" '
            'shape-rendering="crispEdges">',
            "<title>Attention</title>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *canvas.lines,
            "</svg>",
        ]
    )


def _draw(canvas: Canvas, number: str, attention: Attention) -> None:
    labels = labels_of(attention.prediction)
    backward = labels.source_is_right_to_left
    # Both texts are isolated, so that a right-to-left one doesn't reverse the arrow.
    canvas.note(f"{number}\u2068{legible(attention.source)}\u2069 → \u2068{legible(attention.prediction.text)}\u2069")
    cell = max(13.0, min(28.0, 640 / len(labels.source)))
    size = min(15.0, cell * 0.7)
    beside = 0.62 * size * widest(labels.target) + 8
    is_long = widest(labels.source) > 2
    above = (0.62 * size * widest(labels.source) if is_long else size) + 8
    left, top = MARGIN + (0 if backward else beside), canvas.bottom + above
    right, columns = left + cell * len(labels.source), len(labels.source)
    for column, label in enumerate(map(truncated, labels.source)):
        x = left + cell * (columns - column - 0.5 if backward else column + 0.5)
        if is_long:
            rotation = f' transform="rotate(-90 {x + size * 0.35:.1f} {top - 5:.1f})"'
            canvas.text(x + size * 0.35, top - 5, label, size=size, attributes=rotation)
        else:
            canvas.text(x, top - 5, label, size=size, attributes=' text-anchor="middle"')
    for row, label in enumerate(map(truncated, labels.target)):
        x, anchor = (right + 5, "start") if backward else (left - 5, "end")
        y = top + cell * (row + 0.5) + size * 0.35
        canvas.text(x, y, label, size=size, attributes=f' text-anchor="{anchor}"')
    canvas.cells(left, top, cell, labels, attention.weights)
    canvas.width = max(canvas.width, right + (beside if backward else 0))
    canvas.bottom = top + cell * len(labels.target) + 6
    for line in _notes(attention, labels):
        canvas.note(line)
    draw_values(canvas, attention.prediction)
    if attention.heads is not None:
        _draw_heads(canvas, attention, labels)
    canvas.bottom += LINE


def draw_values(canvas: Canvas, prediction: Prediction) -> None:
    """The attention over each picture and series of the source, token by token."""
    targets = labels_of(prediction).target
    for panels in panels_of(prediction):
        lines, right, canvas.bottom = laid_out(panels, targets, MARGIN, canvas.bottom)
        canvas.lines += lines
        canvas.width = max(canvas.width, right)


def _draw_heads(canvas: Canvas, attention: Attention, labels: Labels) -> None:
    """One row of small heat maps per layer, without labels: they are those of the large one."""
    cell = max(3.0, min(10.0, 180 / len(labels.source)))
    step = max(cell * len(labels.source), 110) + 14
    for _, heads in groupby(attention.each_head(CROSS), key=lambda head: head.layer):
        canvas.bottom += LINE + 4
        for position, head in enumerate(heads):
            x = MARGIN + position * step
            canvas.text(x, canvas.bottom - 4, head.title, size=12)
            canvas.cells(x, canvas.bottom, cell, labels, head.weights)
            canvas.width = max(canvas.width, x + step)
        canvas.bottom += cell * len(labels.target)


def _notes(attention: Attention, labels: Labels) -> Iterator[str]:
    what = "" if attention.heads is None else f"{attention.mean_title}; "
    yield f"{what}white is 0, the darkest blue 1"
    if labels.source_is_right_to_left:
        yield "columns run from right to left, like the source"
    if labels.has_end:
        yield END_NOTE
    if not attention.prediction.finished:
        yield "the prediction was cut off"
