"""Learning curves as SVG within a page, each with a text alternative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from seq2see.curves.history import History, Point
from seq2see.curves.plot import COLORS, DASHES, Quantity, quantities_of
from seq2see.evaluation import RunsReport
from seq2see.markup import Markup, element

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 10, 36
"""Margins for the axes; on the right there is space for half of the last label."""
MOST_POINTS = 400
"""Of a curve; more can't be distinguished on a screen."""
TICKS = 5
LONGEST_NAME = 24
"""Characters of a run's name beside its row; a longer one is truncated."""


class LineStyle(NamedTuple):
    """Indices of a run's color and dash pattern."""

    color: int
    dashes: int


def line_styles(kinds: Sequence[str]) -> list[LineStyle]:
    """One style per run: runs of the same kind share a color and differ in their dashes."""
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    return [LineStyle(numbers[kind], kinds[:run].count(kind)) for run, kind in enumerate(kinds)]


def charts(histories: Sequence[History], kinds: Sequence[str] = ()) -> list[Markup]:
    """One chart per quantity, preceded by a legend if there are several runs.

    `kinds` names the model of each run, so that seeds of one model share a color; by default all colors differ.
    """
    styles = line_styles(kinds) if kinds else [LineStyle(number, number) for number in range(len(histories))]
    drawn = [chart(quantity, histories, styles) for quantity in quantities_of(histories)]
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
            name = history.name if len(histories) > 1 else ""
            parts.append(line(style, "M" + " L".join(f"{left:.1f},{top:.1f}" for left, top in positions), name))
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
    numbers = {
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": HEIGHT - BOTTOM,
        "from": low,
        "to": high,
        "last": max(last, across[-1]),
    }
    data = {f"data_{name}": f"{number:.8g}" for name, number in numbers.items()}  # for the values on hover
    return element("figure", [element("figcaption", quantity.title + unit), drawing], class_="chart", **data)


def ranges(evaluation: RunsReport, kinds: Sequence[str]) -> Markup:
    """The first metric of each run with its 95 % interval, one row per run."""
    name, measured = next(iter(evaluation.reports[0].measured.items()))
    factor = 100.0 if measured.scale.unit == "share" else 1.0
    found = [report.scores[name] for report in evaluation.reports]
    values = [tuple(factor * value for value in (each.value, each.interval.low, each.interval.high)) for each in found]
    across = ticks(min(low for _, low, _ in values), max(high for _, _, high in values))
    names = [run if len(run) <= LONGEST_NAME else f"{run[: LONGEST_NAME - 1]}…" for run in evaluation.runs]
    width, row_height, left = 420, 24, 16 + 7 * max(map(len, names))
    height = TOP + row_height * len(found) + BOTTOM

    def x(value: float) -> float:
        return left + (width - left - RIGHT) * (value - across[0]) / (across[-1] - across[0])

    parts = []
    for tick in across:
        parts.append(rule(x(tick), TOP, x(tick), height - BOTTOM))
        parts.append(label(short(tick), x(tick), height - BOTTOM + 16, "middle"))
    texts = []
    for row, (run, style, (value, low, high)) in enumerate(zip(names, line_styles(kinds), values, strict=True)):
        y = TOP + row_height * (row + 0.5)
        parts.append(label(run, left - 8, y + 4, "end"))
        parts.append(line(LineStyle(style.color, 0), f"M{x(low):.1f},{y:.1f} L{x(high):.1f},{y:.1f}"))
        parts.append(dot(style, x(value), y, "5"))
        texts.append(f"{run} {short(value)} [{short(low)}, {short(high)}]")
    unit = {"share": ", %", "nats": ", nats"}.get(measured.scale.unit, "")
    title = f"{measured.scale.title}{unit}, with 95 % intervals"
    description = f"{title}: {'; '.join(texts)}"
    drawing = element("svg", parts, viewBox=f"0 0 {width} {height}", role="img", aria_label=description)
    return element("figure", [element("figcaption", title), drawing], class_="chart ranges")


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


def line(style: LineStyle, path: str, name: str = "") -> Markup:
    """The curve of a run."""
    return element("path", class_=f"curve {classes(style)} d{style.dashes % len(DASHES)}", d=path, data_name=name)


def classes(style: LineStyle) -> str:
    """The class of a run's color."""
    return f"c{style.color % len(COLORS)}"


def dot(style: LineStyle, left: float, top: float, radius: str, *, ring: bool = False) -> Markup:
    """An evaluation; with `ring`, the mark of the best checkpoint."""
    kind = f"{'ring' if ring else 'dot'} {classes(style)}"
    return element("circle", class_=kind, cx=f"{left:.1f}", cy=f"{top:.1f}", r=radius)


def rule(left: float, top: float, right: float, bottom: float) -> Markup:
    """A grid line."""
    return element("line", x1=f"{left:.1f}", y1=f"{top:.1f}", x2=f"{right:.1f}", y2=f"{bottom:.1f}")


def label(text: str, left: float, top: float, anchor: str) -> Markup:
    """An axis label."""
    return element("text", text, x=f"{left:.1f}", y=f"{top:.1f}", text_anchor=anchor)
