"""Attention drawn by matplotlib: on axes, and as PNG or PDF."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import regex  # type: ignore[import-untyped]
from rich.cells import cell_len

from seq2see.errors import UserError
from seq2see.markup.colors import SHADES
from seq2see.pictures.fonts import MissingGlyphWarning, choose_fonts, order_for
from seq2see.pictures.labels import CROSS, END, END_NOTE, Labels, labels_of, truncated, widest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from seq2see.pictures.attention import Attention, Weights

DPI = 150
MOST_INCHES, MOST_AREA = 200, 2500
"""Limits of a picture: matplotlib allows 2¹⁶ pixels per side, and drawing this area takes half a GB."""

JOINED = regex.compile(
    r"[\p{Arabic}\p{Hebrew}\p{Syriac}\p{Thaana}\p{Devanagari}\p{Bengali}\p{Gujarati}\p{Gurmukhi}\p{Oriya}\p{Tamil}"
    r"\p{Telugu}\p{Kannada}\p{Malayalam}\p{Sinhala}\p{Khmer}\p{Myanmar}\p{Tibetan}]{2}"
)
"""Scripts whose letters change shape or position beside each other."""


class UnjoinedLettersWarning(UserWarning):
    """This matplotlib has no text shaping: letters that join, or run from right to left, are drawn one by one."""


def require_matplotlib() -> None:
    """UserError if matplotlib isn't installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError(
            "plots and .png and .pdf files need matplotlib",
            fix='pip install "seq2see[plots]", or write .html or .svg, which need no package',
        ) from None


def plot(attention: Attention, ax: Axes | None = None) -> Axes:
    """Draw the mean heat map on the axes, by default those of a new pyplot figure with a color bar."""
    require_matplotlib()
    from matplotlib import pyplot

    mean = attention._replace(heads=None)
    labels, weights = labels_of(mean.prediction), mean.weights
    families = choose_fonts([*labels.source, *labels.target, END]).families
    axes = pyplot.subplots(figsize=size_of(mean), layout="constrained")[1] if ax is None else ax
    image = show(axes, weights, labels)
    label_axes(axes, labels, families)
    if ax is None:
        pyplot.colorbar(image, ax=axes, label="attention weight")
    return axes


def draw(attentions: Sequence[Attention], kind: str) -> bytes:
    """A picture as `png` or `pdf`: the texts one below the other, each with its heads as small multiples.

    Warns once about characters that no font has. UserError without matplotlib, and if the picture would be too large.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    sizes = [size_of(each) for each in attentions]
    width, height = max(size[0] for size in sizes), sum(size[1] for size in sizes)
    if height > MOST_INCHES or width > MOST_INCHES or width * height > MOST_AREA:
        raise UserError(
            f"the picture is too large: {width:.0f} × {height:.0f} inches", fix="give fewer texts, or write .html"
        )
    texts = {text for each in attentions for text in [*labels_of(each.prediction)[0], *labels_of(each.prediction)[1]]}
    families, missing = choose_fonts([*texts, END])
    figure = Figure(figsize=(width, height), layout="constrained")
    rows = figure.subfigures(len(attentions), 1, height_ratios=[size[1] for size in sizes], squeeze=False)
    for number, (row, each) in enumerate(zip(rows[:, 0], attentions, strict=True), start=1):
        fill(row, each, families, title=f"text {number}" if len(attentions) > 1 else "")
    return saved(figure, kind, missing, texts)


def cell_of(labels: Labels) -> float:
    """The side of a cell in inches: the more cells, the smaller."""
    return max(0.17, min(0.36, 8.5 / max(len(labels.source), len(labels.target))))


def size_of(attention: Attention) -> tuple[float, float]:
    """Width and height in inches, including labels, color bar and notes."""
    labels = labels_of(attention.prediction)
    cell = cell_of(labels)
    beside = 0.62 * cell * (widest(labels.target) if widest(labels.target) > 1 else 1.5)
    above = 0.62 * cell * widest(labels.source) if widest(labels.source) > 2 else cell
    width, height = beside + cell * len(labels.source) + 1.4, above + cell * len(labels.target) + 1.2
    if attention.heads is not None:
        layers, heads = attention.heads.shape[:2]
        small = small_cell(labels)
        width = max(width, heads * max(small * len(labels.source) + 0.2, 1.2))
        height += layers * (small * len(labels.target) + 0.35)
    return max(3.2, width), height


def small_cell(labels: Labels) -> float:
    """The side of a cell of a small multiple, in inches."""
    return max(0.03, min(0.12, 2.4 / max(len(labels.source), len(labels.target))))


def fill(row: SubFigure, attention: Attention, families: list[str], *, title: str) -> None:
    """Draw one text: the labeled weights, and below them every head without labels."""
    labels = labels_of(attention.prediction)
    above: Any = row
    if attention.heads is not None:
        layers, heads = attention.heads.shape[:2]
        small = layers * (small_cell(labels) * len(labels.target) + 0.35)
        above, below = row.subfigures(2, 1, height_ratios=[size_of(attention)[1] - small, small], squeeze=False)[:, 0]
        grid = below.subplots(layers, heads, squeeze=False)
        for axes, head in zip(grid.flat, attention.each_head(CROSS), strict=True):
            show(axes, head.weights, labels)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(head.title, fontsize=8, pad=2)
    axes = above.subplots()
    image = show(axes, attention.weights, labels)
    label_axes(axes, labels, families)
    notes = [title, "" if attention.heads is None else attention.mean_title]
    if any(notes):
        axes.set_title(", ".join(filter(None, notes)), fontsize=10, loc="left", parse_math=False)
    below_it = [END_NOTE] if labels.has_end else []
    below_it += [] if attention.prediction.finished else ["the prediction was cut off"]
    axes.text(
        0, -0.06 / size_of(attention)[1] - 0.01, "; ".join(below_it), transform=axes.transAxes, va="top", fontsize=8,
        family=families, color="#444444",
    )  # fmt: skip
    side = "left" if labels.source_is_right_to_left else "right"
    bar = above.colorbar(
        image,
        ax=axes,
        location=side,
        shrink=0.8,
        aspect=max(18, len(labels.target) * 0.6),
        pad=0.02,
        label="attention weight",
    )
    bar.outline.set_visible(False)


def show(axes: Axes, weights: Weights, labels: Labels) -> Any:
    """The cells, white to dark from 0 to 1; the first column is on the right for right-to-left sources."""
    from matplotlib.colors import ListedColormap

    image = axes.imshow(weights, cmap=ListedColormap(list(SHADES)), vmin=0, vmax=1, aspect="equal")
    if labels.source_is_right_to_left:
        axes.invert_xaxis()
    axes.spines[:].set_color("#bbbbbb")
    return image


def label_axes(axes: Axes, labels: Labels, families: list[str]) -> None:
    """One tick per token, as plain text: nothing is parsed as a formula."""
    size = min(12.0, cell_of(labels) * 72 * 0.62)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    if labels.source_is_right_to_left:
        axes.yaxis.tick_right()
        axes.yaxis.set_label_position("right")
    for axis, tokens in ((axes.xaxis, labels.source), (axes.yaxis, labels.target)):
        axis.set_ticks(range(len(tokens)), [truncated(token) for token in tokens], fontsize=size, parse_math=False)
        for tick, token in zip(axis.get_ticklabels(), tokens, strict=True):
            tick.set_fontfamily(order_for(token, families))
    axes.tick_params(length=0, pad=4)
    if max(map(cell_len, labels.source)) > 2:
        axes.tick_params(axis="x", labelrotation=90)
    else:
        axes.tick_params(axis="x", pad=7)  # space for descenders below the common baseline
        for tick in axes.get_xticklabels():
            tick.set_verticalalignment("baseline")
    axes.set_xlabel("source, from right to left" if labels.source_is_right_to_left else "source")
    axes.set_ylabel("target, as generated")


def saved(figure: Figure, kind: str, missing: str, texts: set[str]) -> bytes:
    """The file's content. matplotlib's many glyph warnings are replaced by one."""
    import matplotlib

    content = BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(content, format=kind, dpi=DPI, bbox_inches="tight")
    if missing or any("missing from" in str(warning.message) for warning in caught):
        named = f" ({' '.join(numbers(missing))})" if missing else ""
        warnings.warn(
            f"no installed font has some of the characters{named}; they are drawn as boxes. Install one (on Debian "
            "fonts-noto, fonts-noto-cjk), or write .html, which uses the browser's fonts",
            MissingGlyphWarning,
            stacklevel=5,
        )
    version = tuple(map(int, matplotlib.__version__.split(".")[:2]))
    if version < (3, 11) and any(JOINED.search(text) for text in texts):
        warnings.warn(
            f"matplotlib {matplotlib.__version__} can't join the letters of some scripts in the tokens: use 3.11 or "
            "newer, or write .html",
            UnjoinedLettersWarning,
            stacklevel=5,
        )
    return content.getvalue()


def numbers(symbols: str) -> Iterator[str]:
    """The first few characters by their code points."""
    yield from (f"U+{ord(symbol):04X}" for symbol in symbols[:5])
    if len(symbols) > 5:
        yield f"and {len(symbols) - 5} more"
