"""The list of architectures that `seq2see models` prints."""

from __future__ import annotations

import torch
from rich.table import Table

from seq2see.console import Terminal
from seq2see.model import ARCHITECTURES, DEFAULT, ModelOptions, Sizes, build, fitting, resolve

WIDE = 120

VOCABULARY = 64
"""Tokens per side for which parameters are counted: a typical number of characters."""


def print_ladder(options: ModelOptions) -> None:
    """One line per architecture: name, what it does, number of parameters at these sizes."""
    table = Table(box=None, pad_edge=False)
    table.add_column("model", style="bold")
    table.add_column("what it does")
    table.add_column("layers", justify="right")
    table.add_column("parameters", justify="right")
    for name, architecture in ARCHITECTURES.items():
        blueprint = resolve(fitting(options, name))
        with torch.device("meta"):
            network = build(blueprint, Sizes(VOCABULARY, VOCABULARY))
        count = sum(parameter.numel() for parameter in network.parameters())
        table.add_row(name, architecture.summary, blueprint.layers, f"{count:,}")
    console = Terminal()
    if not console.is_terminal:
        console = Terminal(width=WIDE)  # one line per row, for other programs
    console.print(table)
    blueprint = resolve(fitting(options, DEFAULT))
    if blueprint.tie == "none":
        embedding = f"embedding {blueprint.embedding} (in Transformers {blueprint.width})"
    else:
        embedding = "embedding as the output layer needs it"
    console.print(
        f"width {blueprint.width}, {embedding}, {VOCABULARY} tokens per side; "
        "other sizes: seq2see models --set model.width=512",
        style="dim",
        soft_wrap=True,
    )
