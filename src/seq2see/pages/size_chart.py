"""The score over the number of training pairs, one line per recipe with a band over its seeds, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seq2see.curves.plot import COLORS
from seq2see.evaluation.sizes import SizeScores
from seq2see.markup import Markup, element, joined
from seq2see.metrics import Scale
from seq2see.pages.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    LineStyle,
    classes,
    dot,
    label,
    line,
    rule,
    short,
    ticks,
)

DPMM = 96 / 25.4
"""CSS pixels per millimetre."""
TEXT_POINTS = 8.0
"""Size of the text in a picture of any width."""


def size_chart(scores: Sequence[SizeScores], metric: str, scale: Scale) -> Markup:
    """The chart of a page."""
    unit = ", %" if scale.unit == "share" else ""
    caption = element("figcaption", f"{scale.title}{unit}, by number of training pairs")
    drawing = element(
        "svg",
        drawn(scores, metric, scale),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=description(scores, metric, scale),
    )
    return element("figure", [caption, legend(scores), drawing], class_="chart")


def legend(scores: Sequence[SizeScores]) -> Markup:
    """The recipes and their colors."""
    rows = []
    for number, recipe in enumerate(recipes_of(scores)):
        swatch = element("svg", [line(LineStyle(number, 0), "M0,5 L48,5")], viewBox="0 0 48 10", aria_hidden="true")
        rows.append(element("li", [swatch, element("span", recipe)]))
    return element("ul", rows, class_="legend")


def size_picture(scores: Sequence[SizeScores], metric: str, scale: Scale, width_mm: float) -> bytes:
    """The chart as an SVG file of this width; the text has 8 points at every width."""
    recipes = recipes_of(scores)
    pixels = TEXT_POINTS * 96 / 72 * WIDTH / (width_mm * DPMM)  # of text, in units of the drawing
    row = 1.4 * pixels
    names = []
    for number, recipe in enumerate(recipes):
        y = HEIGHT + row * (number + 0.5)
        names.append(line(LineStyle(number, 0), f"M{LEFT},{y:.1f} L{LEFT + 30},{y:.1f}"))
        names.append(label(recipe, LEFT + 36, y + 0.35 * pixels, "start"))
    title = element("text", f"{scale.title}{', %' if scale.unit == 'share' else ''}", x="2", y=f"{-0.5 * pixels:.1f}")
    style = [
        f"text{{font:{pixels:.2f}px sans-serif}}line{{stroke:#ddd}}",
        ".curve{fill:none;stroke-width:2}.band{opacity:.2}",
    ]
    style += [f".c{n}{{stroke:{color}}}.dot.c{n},.band.c{n}{{fill:{color}}}" for n, color in enumerate(COLORS)]
    height = HEIGHT + row * len(recipes) + 0.4 * row + 1.5 * pixels
    picture = element(
        "svg",
        [element("style", "".join(style)), title, *drawn(scores, metric, scale), *names],
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 {-1.5 * pixels:.1f} {WIDTH} {height:.1f}",
        width=f"{width_mm:g}mm",
        height=f"{width_mm * height / WIDTH:.2f}mm",
    )
    return str(joined([picture])).encode() + b"\n"


def recipes_of(scores: Sequence[SizeScores]) -> list[str]:
    """The recipes in their order."""
    return list(dict.fromkeys(each.recipe for each in scores))


def drawn(scores: Sequence[SizeScores], metric: str, scale: Scale) -> list[Markup]:
    """Axes, bands and lines; the number of pairs has a logarithmic axis."""
    factor = 100.0 if scale.unit == "share" else 1.0
    ends = [factor * value for each in scores for value in (*each.band(metric), each.mean(metric))]
    up = ticks(min(ends), max(ends))
    sizes = sorted({each.size for each in scores})
    first, last = math.log(sizes[0]), math.log(sizes[-1])

    def x(size: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log(size) - first) / (last - first or 1)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - up[0]) / (up[-1] - up[0])

    parts = []
    for value in up:
        parts += [rule(LEFT, y(value), WIDTH - RIGHT, y(value)), label(short(value), LEFT - 6, y(value) + 4, "end")]
    shown = -math.inf
    for size in sizes:
        if x(size) - shown >= 30:  # sizes that are close have no room for both
            parts.append(label(short(size), x(size), HEIGHT - BOTTOM + 16, "middle"))
            shown = x(size)
    parts.append(label("training pairs", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, "middle"))
    for number, recipe in enumerate(recipes_of(scores)):
        style = LineStyle(number, 0)
        own = [each for each in scores if each.recipe == recipe]
        low, high = ([(x(each.size), y(factor * each.band(metric)[end])) for each in own] for end in (0, 1))
        if any(each.spread(metric) for each in own):
            outline = " L".join(f"{left:.1f},{top:.1f}" for left, top in [*low, *reversed(high)])
            parts.append(element("path", class_=f"band {classes(style)}", d=f"M{outline} Z"))
        middle = [(x(each.size), y(factor * each.mean(metric))) for each in own]
        parts.append(line(style, "M" + " L".join(f"{left:.1f},{top:.1f}" for left, top in middle), recipe))
        parts += [dot(style, *place, "2.5") for place in middle]
    return parts


def description(scores: Sequence[SizeScores], metric: str, scale: Scale) -> str:
    """The chart as text."""
    factor = 100.0 if scale.unit == "share" else 1.0
    found = [f"{each.recipe} {short(factor * each.mean(metric))} at {each.size:,}" for each in scores]
    return f"{scale.title} by number of training pairs: {'; '.join(found)}"
