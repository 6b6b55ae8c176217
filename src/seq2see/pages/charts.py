"""Learning curves as SVG within a page, each with its figures in words for those who don't see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from seq2see.curves.history import History, Point
from seq2see.curves.plot import COLOURS, PANELS, Panel
from seq2see.pages.markup import Markup, element

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 36
"""Room around the lines, for the axes."""
DASHES = ("", "7 4", "2 3", "9 3 2 3")
MOST_POINTS = 400
"""Of a line; more can't be told apart on a screen."""
TICKS = 5


class Look(NamedTuple):
    """Colour and dashes of a run, by their numbers."""

    colour: int
    dashes: int


def looks_of(kinds: Sequence[str]) -> list[Look]:
    """A look a run: runs of one kind have one colour, and differ in their dashes."""
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    return [Look(numbers[kind], kinds[:place].count(kind)) for place, kind in enumerate(kinds)]


def charts(histories: Sequence[History], kinds: Sequence[str] = ()) -> list[Markup]:
    """A chart a quantity, and above them which line is which run, where there are several.

    `kinds` are what runs share that differ in their seed alone; each run is its own where nothing is said.
    """
    looks = looks_of(kinds) if kinds else [Look(number, number) for number in range(len(histories))]
    drawn = [chart(panel, histories, looks) for panel in PANELS if any(panel.points(history) for history in histories)]
    key = []
    for look, history in zip(looks, histories, strict=True):
        swatch = element("svg", [line(look, "M0,5 L48,5")], viewBox="0 0 48 10", aria_hidden="true")
        key.append(element("li", [swatch, element("span", history.name)]))
    return [*([element("ul", key, class_="key")] if len(key) > 1 else []), element("div", drawn, class_="charts")]


def chart(panel: Panel, histories: Sequence[History], looks: Sequence[Look]) -> Markup:
    """One quantity over the updates, a line a run; a ring marks the model that was kept."""
    lines = [thinned(panel.points(history)) for history in histories]
    values = [panel.scale * point.value for points in lines for point in points]
    last = max(point.update for points in lines for point in points)
    across, up = ticks(0, last), ticks(min(values), max(values))
    low, high = min(up[0], *values), max(up[-1], *values)

    def x(update: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * update / max(last, across[-1])

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low or 1)

    parts = [element("title", words(panel, histories))]
    for value in up:
        parts.append(rule(LEFT, y(value), WIDTH - RIGHT, y(value)))
        parts.append(label(short(value), LEFT - 6, y(value) + 4, "end"))
    for update in across:
        parts.append(label(short(update), x(update), HEIGHT - BOTTOM + 16, "middle"))
    parts.append(label("update", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, "middle"))
    for look, history, points in zip(looks, histories, lines, strict=True):
        places = [(x(point.update), y(panel.scale * point.value)) for point in points]
        if places:
            parts.append(line(look, "M" + " L".join(f"{left:.1f},{top:.1f}" for left, top in places)))
        if panel.is_evaluation or len(places) == 1:
            parts += [dot(look, *place, "1.8") for place in places]
        best = [place for place, point in zip(places, points, strict=True) if point.update == history.best_update]
        if panel.is_evaluation and best:
            parts.append(dot(look, *best[0], "5", ring=True))
    drawing = element("svg", parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=words(panel, histories))
    unit = f", {panel.unit}" if panel.unit else ""
    return element("figure", [element("figcaption", panel.title + unit), drawing])


def words(panel: Panel, histories: Sequence[History]) -> str:
    """The course of each line in words."""
    said = []
    for history in histories:
        if points := panel.points(history):
            first, last = points[0], points[-1]
            name = f"{history.name}: " if len(histories) > 1 else ""
            said.append(
                f"{name}{short(panel.scale * first.value)} at update {first.update:,}, "
                f"{short(panel.scale * last.value)} at update {last.update:,}"
            )
    return f"{panel.title}: {'; '.join(said)}"


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most MOST_POINTS of them, the last kept."""
    step = -(-len(points) // MOST_POINTS) or 1
    return [*points[:-1:step], *points[-1:]]


def ticks(low: float, high: float) -> list[float]:
    """Some round numbers that enclose what lies between the two."""
    if high <= low:
        return [low, low + (abs(low) or 1.0)]
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def short(value: float) -> str:
    """A number in few signs: 1.25, 0.004, 12k."""
    if abs(value) >= 10_000:
        return f"{value / 1000:,.4g}k"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def line(look: Look, path: str) -> Markup:
    """The line of a run."""
    colour, dashes = COLOURS[look.colour % len(COLOURS)], DASHES[look.dashes % len(DASHES)]
    return element("path", d=path, fill="none", stroke=colour, stroke_width="2", stroke_dasharray=dashes)


def dot(look: Look, left: float, top: float, radius: str, *, ring: bool = False) -> Markup:
    """A measured point; a ring around it where the model was kept."""
    colour = COLOURS[look.colour % len(COLOURS)]
    fill = "none" if ring else colour
    return element("circle", cx=f"{left:.1f}", cy=f"{top:.1f}", r=radius, fill=fill, stroke=colour)


def rule(left: float, top: float, right: float, bottom: float) -> Markup:
    """A line of the grid."""
    return element("line", x1=f"{left:.1f}", y1=f"{top:.1f}", x2=f"{right:.1f}", y2=f"{bottom:.1f}", stroke="#d0d7de")


def label(text: str, left: float, top: float, anchor: str) -> Markup:
    """A number at an axis."""
    return element("text", text, x=f"{left:.1f}", y=f"{top:.1f}", text_anchor=anchor, font_size="12", fill="#3d444d")
