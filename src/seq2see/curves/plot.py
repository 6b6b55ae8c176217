"""`seq2see curves`: the learning curves of one or several runs, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2see.curves.history import History, Point, problem_lines, read_history
from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.metrics import SCALES
from seq2see.printable import one_line
from seq2see.storage.files import require_place, write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
"""Okabe & Ito (2008), those with enough contrast on white: distinguishable with any color vision."""
DASHES = ("-", "--", "-.", ":")
"""Runs differ in these too, so that they can be distinguished in gray."""
EXTENSIONS = (".png", ".svg", ".pdf")
USUAL_WIDTH_MM = 254.0
NARROW_MM = 120.0
"""Below this width panels have no room beside one another."""
TEXT_POINTS = 8.0


class Quantity(NamedTuple):
    """A logged quantity, plotted on axes of its own."""

    title: str
    unit: str
    points: Callable[[History], list[Point]]
    scale: float = 1.0
    is_evaluation: bool = False
    """Whether it is measured only at evaluations, whose points are marked."""


QUANTITIES = (
    Quantity("training loss", "nats per target token", lambda history: history.train_loss),
    Quantity("dev loss", "nats per target token", lambda history: history.dev_loss, is_evaluation=True),
    Quantity("dev exact match", "%", lambda history: history.exact_match, 100.0, is_evaluation=True),
    Quantity("learning rate", "", lambda history: history.rate),
    Quantity("speed", "target tokens per second", lambda history: history.speed),
)


def quantities_of(histories: Sequence[History]) -> list[Quantity]:
    """The quantities that any of these runs has logged, and the dev metrics that selected their best models."""
    found = [each for each in QUANTITIES if any(each.points(history) for history in histories)]
    names = dict.fromkeys(name for history in histories for name in history.others)
    place = 1 + max((number for number, each in enumerate(found) if each.is_evaluation), default=-1)
    return [*found[:place], *map(dev_quantity, sorted(names)), *found[place:]]


def dev_quantity(metric: str) -> Quantity:
    """A metric on dev."""
    scale = SCALES[metric]
    factor, unit = (100.0, "%") if scale.unit == "share" else (1.0, "")
    return Quantity(
        f"dev {scale.title}", unit, lambda history: history.others.get(metric, []), factor, is_evaluation=True
    )


def draw_curves(runs: Sequence[Path], out: Path, width_mm: float | None = None) -> list[str]:
    """Write the curves of these runs as PNG, SVG or PDF, by extension. Returns messages about skipped log lines.

    A picture of a given width has text of 8 points, and one panel per row if it is narrow.

    Raises CheckpointError for a run without a log, ConfigError for another extension, and UserError without matplotlib.
    """
    if out.suffix.lower() not in EXTENSIONS:
        what = f"unsupported format {out.suffix}" if out.suffix else "the file name has no extension"
        raise ConfigError(what, where=str(out), fix="use .png, .svg or .pdf")
    require_place(out)
    histories = [read_history(run) for run in dict.fromkeys(runs)]
    if not quantities_of(histories):
        raise CheckpointError("the log has nothing to plot", where=histories[0].name, fix="name another run")
    write_file(out, picture(histories, out.suffix.lower()[1:], width_mm))
    return list(problem_lines(histories))


def picture(histories: Sequence[History], kind: str, width_mm: float | None = None) -> bytes:
    """The curves, one panel per quantity, with a common legend."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
    except ImportError:
        raise UserError("plots need matplotlib", fix='pip install "seq2see[plots]"') from None
    quantities = quantities_of(histories)
    width = USUAL_WIDTH_MM if width_mm is None else width_mm
    columns = 1 if width < NARROW_MM else 2
    rows = -(-len(quantities) // columns)
    with rc_context({} if width_mm is None else {"font.size": TEXT_POINTS}):
        size = (width / 25.4, (0.3 * USUAL_WIDTH_MM if width_mm is None else 0.6 * width / columns) / 25.4 * rows)
        figure = Figure(figsize=(size[0], size[1] + 0.25 * len(histories)), layout="constrained")
        all_axes: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, quantity in zip(all_axes, quantities, strict=False):
            for number, history in enumerate(histories):
                draw(axes, quantity, history, line_style(number))
            axes.set_title(quantity.title, loc="left", fontsize="medium")
            axes.set_ylabel(quantity.unit)
            axes.set_xlabel("update")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in all_axes[len(quantities) :]:
            axes.set_visible(False)
        handles = [Line2D([], [], **line_style(number)) for number in range(len(histories))]
        legend = figure.legend(handles, [legend_name(history.name) for history in histories], loc="outside lower left")
        for text in legend.get_texts():
            text.set_parse_math(False)  # a folder name may have dollar signs
        content = BytesIO()
        figure.savefig(content, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return content.getvalue()


def draw(axes: Axes, quantity: Quantity, history: History, style: dict[str, Any]) -> None:
    """One curve; evaluations are dots, and a ring marks the best checkpoint."""
    points = quantity.points(history)
    updates, values = [point.update for point in points], [quantity.scale * point.value for point in points]
    axes.plot(updates, values, **style, marker="." if quantity.is_evaluation else "")
    if quantity.is_evaluation and history.best_update in updates:
        best = values[updates.index(history.best_update)]
        axes.plot(history.best_update, best, "o", color=style["color"], fillstyle="none", markersize=9)


def line_style(number: int) -> dict[str, Any]:
    """Color and dashes of the n-th run."""
    return {"color": COLORS[number % len(COLORS)], "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.4}


def legend_name(name: str) -> str:
    """A run's name in the legend; matplotlib hides labels that begin with an underscore."""
    return one_line(f"./{name}" if name.startswith("_") else name)
