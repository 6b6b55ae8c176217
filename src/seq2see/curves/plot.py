"""`seq2see curves`: the course of one run, or of several over one another, as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2see.curves.history import History, Point, problem_lines, read_history
from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.storage.files import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
"""Those of Okabe & Ito (2008) that stand out on white: told apart by people with any kind of colour vision."""
DASHES = ("-", "--", "-.", ":")
"""Runs differ in these too, so that a picture in grey can be read."""
ENDINGS = (".png", ".svg", ".pdf")


class Panel(NamedTuple):
    """One of the pictures side by side."""

    title: str
    unit: str
    points: Callable[[History], list[Point]]
    scale: float = 1.0
    is_evaluation: bool = False
    """Whether each point was measured apart, so that it is marked."""


PANELS = (
    Panel("training loss", "nats per target token", lambda history: history.train_loss),
    Panel("dev loss", "nats per target token", lambda history: history.dev_loss, is_evaluation=True),
    Panel("dev exact match", "%", lambda history: history.exact_match, 100.0, is_evaluation=True),
    Panel("learning rate", "", lambda history: history.rate),
    Panel("speed", "target tokens a second", lambda history: history.speed),
)


def draw_curves(runs: Sequence[Path], out: Path) -> list[str]:
    """Write the curves of these runs as PNG, SVG or PDF, by the path's ending; what there is to say of their logs.

    Raises CheckpointError for a run without a log, ConfigError for another ending, and UserError without matplotlib.
    """
    if out.suffix.lower() not in ENDINGS:
        fix = f"end its name in {', '.join(ENDINGS)}"
        raise ConfigError(f"{out.suffix or 'a name without an ending'} is no kind of picture", where=str(out), fix=fix)
    histories = [read_history(run) for run in dict.fromkeys(runs)]
    if not any(panel.points(history) for panel in PANELS for history in histories):
        fix = "name a run whose log is whole"
        raise CheckpointError("there is nothing to draw but an end", where=histories[0].name, fix=fix)
    write_file(out, picture(histories, out.suffix.lower()[1:]))
    return list(problem_lines(histories))


def picture(histories: Sequence[History], kind: str) -> bytes:
    """The curves, a panel a quantity; the names of the runs stand below all panels."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
    except ImportError:
        raise UserError("pictures need matplotlib", fix='pip install "seq2see[plots]"') from None
    panels = [panel for panel in PANELS if any(panel.points(history) for history in histories)]
    figure = Figure(figsize=(10, 3 * -(-len(panels) // 2) + 0.25 * len(histories)), layout="constrained")
    all_axes: list[Axes] = list(figure.subplots(-(-len(panels) // 2), 2, squeeze=False).flat)
    for axes, panel in zip(all_axes, panels, strict=False):
        for number, history in enumerate(histories):
            draw(axes, panel, history, look(number))
        axes.set_title(panel.title, loc="left", fontsize="medium")
        axes.set_ylabel(panel.unit)
        axes.set_xlabel("update")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in all_axes[len(panels) :]:
        axes.set_visible(False)
    handles = [Line2D([], [], **look(number)) for number in range(len(histories))]
    legend = figure.legend(handles, [shown(history.name) for history in histories], loc="outside lower left")
    for text in legend.get_texts():
        text.set_parse_math(False)  # a folder's name is no formula
    content = BytesIO()
    figure.savefig(content, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return content.getvalue()


def draw(axes: Axes, panel: Panel, history: History, style: dict[str, Any]) -> None:
    """One line; evaluations are dots on it, and the best model's is a ring."""
    points = panel.points(history)
    updates, values = [point.update for point in points], [panel.scale * point.value for point in points]
    axes.plot(updates, values, **style, marker="." if panel.is_evaluation else "")
    if panel.is_evaluation and history.best_update in updates:
        best = values[updates.index(history.best_update)]
        axes.plot(history.best_update, best, "o", color=style["color"], fillstyle="none", markersize=9)


def look(number: int) -> dict[str, Any]:
    """Colour and dashes of a run's line."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.4}


def shown(name: str) -> str:
    """A run's name in the legend, where matplotlib would hide what begins with an underscore."""
    return f"./{name}" if name.startswith("_") else name
