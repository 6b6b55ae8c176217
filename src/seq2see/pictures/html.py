"""Attention as an HTML page: one self-contained file in the browser's fonts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from seq2see.pictures.colours import SHADES, shade
from seq2see.pictures.labels import CROSS, END_NOTE, Labels, is_right_to_left, labels_of, legible, truncated, widest

if TYPE_CHECKING:
    from seq2see.pictures.attention import Attention, Weights

STYLE = """
:root { color-scheme: light; }
body { margin: 1rem auto; padding: 0 1rem; max-width: 90rem; background: #fff; color: #1a1a1a;
  font: 1rem/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .25rem; overflow-wrap: anywhere; }
p { margin: .25rem 0; }
.scroll { overflow-x: auto; padding: .25rem; }
table { border-collapse: separate; border-spacing: 1px; }
table.heat { font-size: clamp(.7rem, calc(var(--cell) * .62), 1rem); }
caption { text-align: start; font-size: .8rem; color: #444; white-space: nowrap; }
th { font-weight: normal; padding: 0 .25rem; white-space: nowrap; line-height: 1.2; }
thead th { vertical-align: bottom; padding: .25rem 0; }
tbody th { text-align: end; position: sticky; inset-inline-start: 0; background: #fff; }
.long thead th > * { writing-mode: vertical-rl; }
td { width: var(--cell); min-width: var(--cell); height: var(--cell); padding: 0; }
td:focus { outline: 3px solid #d35400; outline-offset: -1px; }
td:hover { outline: 2px solid #d35400; }
tr:hover th, tr:focus-within th { font-weight: bold; }
.heads { display: grid; gap: .75rem; overflow-x: auto; padding: .25rem; justify-content: start; }
.heads table { border-spacing: 0; border: 1px solid #bbb; }
.heads figure { margin: 0; } .heads figcaption { font-size: .8rem; white-space: nowrap; }
.scale { display: inline-block; width: 8rem; height: .8rem; vertical-align: middle; border: 1px solid #bbb; }
output { display: block; min-height: 1.5em; overflow-wrap: anywhere; position: sticky; bottom: 0; background: #fff; }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.heat")) {
  const rows = [...table.tBodies[0].rows].map(row => [...row.querySelectorAll("td")]);
  const output = table.closest("section").querySelector("output");
  const forward = table.dir === "rtl" ? -1 : 1;
  const show = cell => { output.textContent = cell.title; };
  rows.forEach((row, y) => row.forEach((cell, x) => {
    if (x || y) cell.tabIndex = -1;
    cell.addEventListener("mouseenter", () => show(cell));
    cell.addEventListener("focus", () => {
      table.querySelectorAll('td[tabindex="0"]').forEach(other => { other.tabIndex = -1; });
      cell.tabIndex = 0;
      show(cell);
    });
    cell.addEventListener("keydown", event => {
      const last = row.length - 1;
      const position = { ArrowRight: [y, x + forward], ArrowLeft: [y, x - forward], ArrowDown: [y + 1, x],
        ArrowUp: [y - 1, x], Home: [y, 0], End: [y, last] }[event.key];
      const next = position && rows[position[0]] && rows[position[0]][position[1]];
      if (next) next.focus();
      if (position) event.preventDefault();
    });
  }));
}
"""


def as_html(attentions: Sequence[Attention]) -> str:
    """A page with one table per text, whose cells show their weight on hover, touch and keyboard focus.

    Texts are escaped, and the content security policy forbids the page to load anything. The columns of a right-to-left
    source run from right to left.
    """
    shades = "".join(f".s{number}{{background:{colour}}}" for number, colour in enumerate(SHADES))
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>Attention</title>\n<style>{STYLE}{shades}</style>\n</head>\n<body>",
            "<h1>Attention</h1>",
            "<p>One row per generated token, one column per source token. The darker a cell, the larger the attention "
            "weight. The arrow keys move between cells.</p>",
            *(_section(number, each) for number, each in enumerate(attentions, start=1)),
            f"<script>{SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )


def _section(number: int, attention: Attention) -> str:
    labels = labels_of(attention.prediction)
    columns = len(labels.source)
    stops = ", ".join(SHADES[index] for index in (0, 25, 50, 75, 100))
    notes = [
        f'0 <span class="scale" style="background:linear-gradient(to right, {stops})"></span> 1',
        *(["columns run from right to left, like the source"] if labels.source_is_right_to_left else []),
        *([END_NOTE] if labels.has_end else []),
        *([] if attention.prediction.finished else ["the prediction was cut off"]),
    ]
    title = "source" if attention.heads is None else attention.mean_title
    is_long = widest(labels.source) > 2
    table = [
        f'<div class="scroll"><table class="heat{" long" if is_long else ""}"{_direction(labels)} '
        f'style="--cell:{_cell(columns):.2f}rem"><caption>{escape(title)}</caption>',
        f"<thead><tr><td></td>{''.join(_header('col', label) for label in labels.source)}</tr></thead>",
        f"<tbody>\n{''.join(_rows(labels, attention.weights, is_main=True))}</tbody></table></div>",
    ]
    return "\n".join(
        [
            f"<section>\n<h2>{number}. {_isolated(attention.source)} → {_isolated(attention.prediction.text)}</h2>",
            f"<p>{'; '.join(notes)}</p>",
            *table,
            "<output>&nbsp;</output>",
            *_heads(attention, labels),
            "</section>",
        ]
    )


def _heads(attention: Attention, labels: Labels) -> Iterator[str]:
    """One row of small tables per layer, without labels: the tooltips of the cells name their tokens."""
    if attention.heads is None:
        return
    cell = max(0.25, min(0.8, 14 / len(labels.source)))
    style = f"--cell:{cell:.2f}rem;grid-template-columns:repeat({attention.heads.shape[1]}, max-content)"
    yield f'<div class="heads" style="{style}">'
    for head in attention.each_head(CROSS):
        yield (
            f'<figure><figcaption>{head.title}</figcaption><table class="head" aria-label="{head.title}"'
            f"{_direction(labels)}><tbody>\n{''.join(_rows(labels, head.weights))}</tbody></table></figure>"
        )
    yield "</div>"


def _rows(labels: Labels, weights: Weights, *, is_main: bool = False) -> Iterator[str]:
    for row, (target, row_weights) in enumerate(zip(labels.target, weights.tolist(), strict=True)):
        cells = [_header("row", target)] if is_main else []
        for column, (source, weight) in enumerate(zip(labels.source, row_weights, strict=True)):
            first = ' tabindex="0"' if is_main and row == column == 0 else ""
            title = escape(f"\u2068{target}\u2069 attends to \u2068{source}\u2069: {weight:.4f}")
            cells.append(f'<td class="s{shade(weight)}"{first} title="{title}"></td>')
        yield f"<tr>{''.join(cells)}</tr>\n"


def _header(scope: str, label: str) -> str:
    short = truncated(label)
    title = f' title="{escape(label)}"' if short != label else ""
    return f'<th scope="{scope}"{title}><bdi dir="auto">{escape(short)}</bdi></th>'


def _direction(labels: Labels) -> str:
    return ' dir="rtl"' if labels.source_is_right_to_left else ' dir="ltr"'


def _isolated(text: str) -> str:
    direction = "rtl" if is_right_to_left(text) else "ltr"
    return f'<bdi dir="{direction}">{escape(legible(text))}</bdi>'


def _cell(columns: int) -> float:
    """The width of a cell in rem: large for short texts, and long texts still fit a wide screen."""
    return max(1.1, min(2.2, 45 / columns))
