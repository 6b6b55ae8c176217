"""Options that several verbs share, as the command line reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

EXIT_INTERRUPTED = 130
"""Exit code of a run that was stopped by Ctrl-C or SIGTERM; it can be resumed."""

Format = Literal["text", "tsv", "jsonl"]
Alignments = Literal["pharaoh", "json"]
Engine = Annotated[
    Literal["auto", "torch", "numpy"],
    Parameter(help="What does the arithmetic; auto is torch where it is installed. The answers are the same."),
]
Device = Literal["auto", "cpu", "cuda", "mps"]
Run = Annotated[Path, Parameter(help="A run folder, a model/ folder, or a packed .seq2see file.")]
Settings = Annotated[
    list[str] | None,
    Parameter(
        name="--set", negative="", consume_multiple=True, help="Options by name: training.rate=2e-3 model.width=128"
    ),
]
