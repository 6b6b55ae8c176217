"""The Markdown table of a results.json."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

NAMES = {"lstm": "LSTM with attention", "transformer": "Transformer"}
SHOWN = ("seq2see", "eole", "ctranslate2", "torch", "numpy")
"""Packages whose versions are shown; the file has all."""
PASSES = 3
"""Products per weight and token in training: forward, the gradients of inputs, and of weights."""


def lines(results: dict[str, Any]) -> Iterator[str]:
    """The machine, the versions, and a row per task."""
    machine, given = results["machine"], results["given"]
    flags = ", ".join(machine["flags"]) or "no flags known"
    yield f"- Machine: {machine['processor']} ({flags}), {machine['cores']} cores, load {machine['load']} at the start."
    yield f"- Work: {given['data']}, {given['pairs']:,} pairs, answers of {given['length']} tokens."
    yield f"- Threads: {results['threads']}."
    for name, installed in results["versions"].items():
        shown = ", ".join(f"{each} {installed[each]}" for each in SHOWN if each in installed)
        yield f"- Environment {name}: {shown}."
    yield ""
    peers = results["peers"]
    yield f"| work | {' | '.join(peers)} |"
    yield f"|---|{'---:|' * len(peers)}"
    for row in results["rows"]:
        if row["task"]["do"] != "product" and any("seconds" in cell for cell in row["cells"].values()):
            cells = (cell_of(row, row["cells"][peer], results) for peer in peers)
            yield f"| {name_of(row['task'])} | {' | '.join(cells)} |"
    yield ""
    yield (
        "Wall milliseconds, and CPU milliseconds in parentheses, per update or per text; medians of "
        f"{results['rounds']} rounds. Percentages: products of tokens with weights per CPU second, relative to a "
        "product of matrices in PyTorch in the same precision."
    )


def name_of(task: dict[str, Any]) -> str:
    """A row in words."""
    if task["do"] == "product":
        return f"product of matrices, {task['precision']}"
    precision = "default precision" if task["precision"] == "default" else task["precision"]
    if task["do"] == "train":
        return f"train {NAMES[task['model']]}, batch {task['batch']}, {precision}"
    search = "greedy" if task["beam"] == 1 else f"beam {task['beam']}"
    return f"answer {NAMES[task['model']]}, {search}, batch {task['batch']}, {precision}"


def cell_of(row: dict[str, Any], cell: dict[str, Any], results: dict[str, Any]) -> str:
    """Milliseconds, or why there are none."""
    if "reason" in cell:
        return f"– ({cell['reason'].replace('|', '/')})"
    wall, cpu = (1000 * median(cell[kind]) / row["amount"] for kind in ("seconds", "cpu_seconds"))
    said = f"{wall:.3g} ({cpu:.3g})"
    task = row["task"]
    if task["precision"] == "default":
        said += f" {cell['precision']}"
    ceiling = products_per_second(results, cell["precision"])
    if task["do"] == "train" and ceiling:
        rate = PASSES * task["batch"] * results["given"]["products_per_pair"][task["model"]] * 1000 / cpu
        said += f", {rate / ceiling:.0%}"
    return said


def products_per_second(results: dict[str, Any], precision: str) -> float | None:
    """Multiplications per CPU second of a product of matrices; None if none was measured in this precision."""
    for row in results["rows"]:
        if row["task"]["do"] == "product" and row["task"]["precision"] == precision:
            for cell in row["cells"].values():
                if "seconds" in cell:
                    return results["products_per_repetition"] * row["amount"] / median(cell["cpu_seconds"])
    return None
