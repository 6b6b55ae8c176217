"""The verb that prepares a corpus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seq2see.commands.boxes import COMPUTING, MODEL, OUTPUT
from seq2see.commands.options import (
    AS_FOUND,
    Files,
    OutputFolder,
    RecipeOption,
    Settings,
    SkipBad,
    Table,
    parsed,
    require_files,
)
from seq2see.commands.training_request import training_request
from seq2see.console import say
from seq2see.errors import ConfigError
from seq2see.printable import quoted

UNSUPPORTED = (
    "data.train",
    "data.dev",
    "data.workers",
    "data.split_seed",
    "data.balance",
    "data.temperature",
    "data.also_source",
    "data.also_target",
)
"""Options of the data that a prepared corpus doesn't take."""


def prepare(
    *data: Path,
    out: Annotated[Path, OutputFolder, Parameter(group=OUTPUT)],
    dev: Files = None,
    model: Annotated[str | None, Parameter(group=MODEL)] = None,
    recipe: RecipeOption = None,
    set_: Settings = None,
    table: Table = AS_FOUND,
    workers: Annotated[int, Parameter(group=COMPUTING, help="Processes; 0 is one per core.")] = 0,
    skip_bad: SkipBad = False,
) -> int:
    """Prepare any number of pairs as a corpus on disk, from which `seq2see train` reads what it needs.

    The same command continues after an interruption, and does nothing if nothing has changed.

    Parameters
    ----------
    data
        One file of pairs, or two parallel files.
    out
        The folder of the corpus.
    dev
        Pairs to evaluate models on; by default a part of the data is set aside.
    model
        The architecture that it is for: a language model reads one column.
    """
    from seq2see.corpus import prepare_corpus
    from seq2see.doctor.quick import worst_findings_of_files

    chosen = parsed(set_)
    for key in chosen:
        if key.partition(".")[0] not in ("text", "data") or key in UNSUPPORTED:
            fix = "set options of the text (text.…) or data.dev_share here, and all others when training"
            raise ConfigError(f"{key} has no effect here", where="--set", fix=fix)
    require_files("--dev", dev)
    if workers < 0:
        raise ConfigError(
            f"must be at least 0, not {workers}", where="--workers", fix="give 1 or more, or leave it out"
        )
    own = {"data.dev": ("--dev", [str(path.absolute()) for path in dev])} if dev else {}
    config, given = training_request("prepare", data, model, set_, table, skip_bad=skip_bad, own=own, recipe=recipe)
    if refused := sorted(given & set(UNSUPPORTED) - {"data.train", "data.dev"}):
        what, where = f"{refused[0]} has no effect here", str(data[0]) if recipe is None else f"--recipe {recipe}"
        raise ConfigError(what, where=where, fix="remove it from the recipe")
    prepare_corpus(config, out, workers=workers or os.cpu_count() or 1)
    for line in worst_findings_of_files(list(map(Path, config.data.train)), config.data):
        say(line)
    flags = (("--recipe", recipe), ("--model", model))
    more = "".join(f" {flag} {quoted(value)}" for flag, value in flags if value is not None)
    say(f"train on it: seq2see train {quoted(out)}{more}")
    return 0
