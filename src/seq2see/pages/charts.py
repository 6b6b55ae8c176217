"""Learning curves as SVG within a page, each with a text alternative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from seq2see.curves.history import History, Point
from seq2see.curves.plot import COLOURS, QUANTITIES, Quantity
from seq2see.markup import Markup, element

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 36
"""Margins for the axes."""
DASHES = ("", "7 4", "2 3", "9 3 2 3")
MOST_POINTS = 400
"""Of a curve; more can't be distinguished on a screen."""
TICKS = 5


class LineStyle(NamedTuple):
    """Indices of a run's colour and dash pattern."""

    colour: int
    dashes: int


def line_styles(kinds: Sequence[str]) -> list[LineStyle]:
    """One style per run: runs of the same kind share a colour and differ in their dashes."""
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    return [LineStyle(numbers[kind], kinds[:run].count(kind)) for run, kind in enumerate(kinds)]


def charts(histories: Sequence[History], kinds: Sequence[str] = ()) -> list[Markup]:
    """One chart per quantity, preceded by a legend if there are several runs.

    `kinds` names the model of each run, so that seeds of one model share a colour; by default all colours differ.
    """
    styles = line_styles(kinds) if kinds else [LineStyle(number, number) for number in range(len(histories))]
    drawn = [
        chart(quantity, histories, styles)
        for quantity in QUANTITIES
        if any(quantity.points(history) for history in histories)
    ]
    legend = []
    for style, history in zip(styles, histories, strict=True):
        swatch = element("svg", [line(style, "M0,5 L48,5")], viewBox="0 0 48 10", aria_hidden="true")
        legend.append(element("li", [swatch, element("span", history.name)]))
    return [
        *([element("ul", legend, class_="legend")] if len(legend) > 1 else []),
        element("div", drawn, class_="charts"),
    ]


def chart(quantity: Quantity, histories: Sequence[History], styles: Sequence[LineStyle]) -> Markup:
    """One quantity over the updates, one line per run; a ring marks the best checkpoint."""
    lines = [thinned(quantity.points(history)) for history in histories]
    values = [quantity.scale * point.value for points in lines for point in points]
    last = max(point.update for points in lines for point in points)
    across, up = ticks(0, last), ticks(min(values), max(values))
    low, high = min(up[0], *values), max(up[-1], *values)

    def x(update: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * update / max(last, across[-1])

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low or 1)

    parts = [element("title", description(quantity, histories))]
    for value in up:
        parts.append(rule(LEFT, y(value), WIDTH - RIGHT, y(value)))
        parts.append(label(short(value), LEFT - 6, y(value) + 4, "end"))
    for update in across:
        parts.append(label(short(update), x(update), HEIGHT - BOTTOM + 16, "middle"))
    parts.append(label("update", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, "middle"))
    for style, history, points in zip(styles, histories, lines, strict=True):
        positions = [(x(point.update), y(quantity.scale * point.value)) for point in points]
        if positions:
            parts.append(line(style, "M" + " L".join(f"{left:.1f},{top:.1f}" for left, top in positions)))
        if quantity.is_evaluation or len(positions) == 1:
            parts += [dot(style, *position, "1.8") for position in positions]
        best = [
            position for position, point in zip(positions, points, strict=True) if point.update == history.best_update
        ]
        if quantity.is_evaluation and best:
            parts.append(dot(style, *best[0], "5", ring=True))
    drawing = element(
        "svg", parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=description(quantity, histories)
    )
    unit = f", {quantity.unit}" if quantity.unit else ""
    return element("figure", [element("figcaption", quantity.title + unit), drawing])


def description(quantity: Quantity, histories: Sequence[History]) -> str:
    """The first and last value of each line, as text."""
    texts = []
    for history in histories:
        if points := quantity.points(history):
            first, last = points[0], points[-1]
            name = f"{history.name}: " if len(histories) > 1 else ""
            texts.append(
                f"{name}{short(quantity.scale * first.value)} at update {first.update:,}, "
                f"{short(quantity.scale * last.value)} at update {last.update:,}"
            )
    return f"{quantity.title}: {'; '.join(texts)}"


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most MOST_POINTS of them (plus the last)."""
    step = -(-len(points) // MOST_POINTS) or 1
    return [*points[:-1:step], *points[-1:]]


def ticks(low: float, high: float) -> list[float]:
    """Round numbers at equal distances that enclose the range."""
    if high <= low:
        return [low, low + (abs(low) or 1.0)]
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def short(value: float) -> str:
    """A compact number: 1.25, 0.004, 12k."""
    if abs(value) >= 10_000:
        return f"{value / 1000:,.4g}k"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def line(style: LineStyle, path: str) -> Markup:
    """The curve of a run."""
    colour, dashes = COLOURS[style.colour % len(COLOURS)], DASHES[style.dashes % len(DASHES)]
    return element("path", d=path, fill="none", stroke=colour, stroke_width="2", stroke_dasharray=dashes)


def dot(style: LineStyle, left: float, top: float, radius: str, *, ring: bool = False) -> Markup:
    """An evaluation; with `ring`, the mark of the best checkpoint."""
    colour = COLOURS[style.colour % len(COLOURS)]
    fill = "none" if ring else colour
    return element("circle", cx=f"{left:.1f}", cy=f"{top:.1f}", r=radius, fill=fill, stroke=colour)


def rule(left: float, top: float, right: float, bottom: float) -> Markup:
    """A grid line."""
    return element("line", x1=f"{left:.1f}", y1=f"{top:.1f}", x2=f"{right:.1f}", y2=f"{bottom:.1f}", stroke="#d0d7de")


def label(text: str, left: float, top: float, anchor: str) -> Markup:
    """An axis label."""
    return element("text", text, x=f"{left:.1f}", y=f"{top:.1f}", text_anchor=anchor, font_size="12", fill="#3d444d")
