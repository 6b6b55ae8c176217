"""Where the model looked as a drawing: SVG that any browser shows, in the browser's own fonts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from rich.cells import cell_len

from seq2see.pictures.colours import SHADES, shade
from seq2see.pictures.labels import END_NOTE, Labels, cut, labels_of, legible, widest
from seq2see.pictures.looked import Attention, Weights

MARGIN = 12
LINE = 20
"""Height of a line of notes."""

FONTS = "system-ui, 'Noto Sans', 'Noto Sans CJK SC', 'DejaVu Sans', sans-serif"


class Drawn:
    """Lines of SVG, how wide they are, and how far down they come."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.width = 0.0
        self.bottom = float(MARGIN)

    def text(self, x: float, y: float, text: str, *, size: float = 13, more: str = "") -> None:
        """A text that begins at x, on the line y; it is its own surroundings as to direction."""
        self.lines.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}"{more}>{escape(text)}</text>')

    def note(self, text: str) -> None:
        """A line below what is there."""
        self.bottom += LINE
        self.text(MARGIN, self.bottom - 5, text)
        self.width = max(self.width, MARGIN + 8 * cell_len(text))

    def cells(self, x: float, y: float, size: float, labels: Labels, weights: Weights, darkest: float) -> None:
        """The rectangle of all cells, its upper left corner at (x, y)."""
        columns = len(labels.source)
        for row, (target, looked) in enumerate(zip(labels.target, weights.tolist(), strict=True)):
            for column, (source, weight) in enumerate(zip(labels.source, looked, strict=True)):
                place = columns - 1 - column if labels.source_is_right_to_left else column
                self.lines.append(
                    f'<rect x="{x + place * size:.1f}" y="{y + row * size:.1f}" width="{size:.1f}" height="{size:.1f}" '
                    f'fill="{SHADES[shade(weight, darkest)]}"><title>'
                    f"{escape(f'{target} looked at {source}: {weight:.4f}')}</title></rect>"
                )
        self.width = max(self.width, x + columns * size)


def as_svg(attentions: Sequence[Attention]) -> str:
    """All texts below each other, each cell with its weight as a tooltip, and heads as small multiples."""
    drawn = Drawn()
    for number, each in enumerate(attentions, start=1):
        _draw(drawn, number, each)
    width, height = drawn.width + MARGIN, drawn.bottom + MARGIN
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{FONTS}" fill="#1a1a1a" '
            'shape-rendering="crispEdges">',
            "<title>Where the model looked</title>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *drawn.lines,
            "</svg>\n",
        ]
    )


def _draw(drawn: Drawn, number: int, attention: Attention) -> None:
    labels, darkest = labels_of(attention.prediction), attention.darkest
    backward = labels.source_is_right_to_left
    # Each text is isolated, so that one from right to left doesn't turn the arrow round.
    drawn.note(f"{number}. \u2068{legible(attention.source)}\u2069 → \u2068{legible(attention.prediction.text)}\u2069")
    cell = max(13.0, min(28.0, 640 / len(labels.source)))
    size = min(15.0, cell * 0.7)
    beside = 0.62 * size * widest(labels.target) + 8
    is_long = widest(labels.source) > 2
    above = (0.62 * size * widest(labels.source) if is_long else size) + 8
    left, top = MARGIN + (0 if backward else beside), drawn.bottom + above
    right, columns = left + cell * len(labels.source), len(labels.source)
    for column, label in enumerate(map(cut, labels.source)):
        x = left + cell * (columns - column - 0.5 if backward else column + 0.5)
        if is_long:
            turned = f' transform="rotate(-90 {x + size * 0.35:.1f} {top - 5:.1f})"'
            drawn.text(x + size * 0.35, top - 5, label, size=size, more=turned)
        else:
            drawn.text(x, top - 5, label, size=size, more=' text-anchor="middle"')
    for row, label in enumerate(map(cut, labels.target)):
        x, anchor = (right + 5, "start") if backward else (left - 5, "end")
        drawn.text(x, top + cell * (row + 0.5) + size * 0.35, label, size=size, more=f' text-anchor="{anchor}"')
    drawn.cells(left, top, cell, labels, attention.weights, darkest)
    drawn.width = max(drawn.width, right + (beside if backward else 0))
    drawn.bottom = top + cell * len(labels.target) + 6
    for line in _notes(attention, labels):
        drawn.note(line)
    if attention.heads is not None:
        _draw_heads(drawn, attention, labels)
    drawn.bottom += LINE


def _draw_heads(drawn: Drawn, attention: Attention, labels: Labels) -> None:
    """A row of small panels a layer, without labels: they are those of the large one."""
    cell = max(3.0, min(10.0, 180 / len(labels.source)))
    apart = max(cell * len(labels.source), 110) + 14
    for _, panels in groupby(attention.panels(), key=lambda panel: panel.layer):
        drawn.bottom += LINE + 4
        for place, panel in enumerate(panels):
            x = MARGIN + place * apart
            drawn.text(x, drawn.bottom - 4, panel.title, size=12)
            drawn.cells(x, drawn.bottom, cell, labels, panel.weights, attention.darkest)
            drawn.width = max(drawn.width, x + apart)
        drawn.bottom += cell * len(labels.target)


def _notes(attention: Attention, labels: Labels) -> Iterator[str]:
    what = "" if attention.heads is None else f"{attention.mean_title}; "
    yield f"{what}white is 0, the darkest blue {attention.darkest:.2f}"
    if labels.source_is_right_to_left:
        yield "columns run from right to left, as the source is read"
    if labels.has_end:
        yield END_NOTE
    if not attention.prediction.finished:
        yield "the answer was cut off"
