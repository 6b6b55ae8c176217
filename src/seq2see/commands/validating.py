"""The verbs that train several models to judge or to choose settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seq2see.commands.boxes import MODEL, OUTPUT, RUN
from seq2see.commands.options import (
    AS_FOUND,
    EXIT_INTERRUPTED,
    Comparison,
    ComparisonFlags,
    Device,
    Json,
    OutputFolder,
    Settings,
    SkipBad,
    Table,
    training_request,
)
from seq2see.console import say, show, show_json


def cross(
    *data: Annotated[Path, Parameter(help="One file of pairs, two parallel files, or a recipe (.toml).")],
    out: Annotated[Path, OutputFolder, Parameter(group=OUTPUT, help="The folder of all runs and of errors.tsv.")],
    folds: Annotated[int, Parameter(group=RUN, help="Parts of the data, each predicted by a model of the others.")] = 5,
    model: Annotated[str | None, Parameter(group=MODEL, help="The architecture: see `seq2see models`.")] = None,
    set_: Settings = None,
    table: Table = AS_FOUND,
    skip_bad: SkipBad = False,
    options: Comparison = ComparisonFlags(),  # noqa: B008 (frozen)
    json: Json = False,
    device: Device = "auto",
) -> int:
    """Score a recipe by cross-validation: each part of the data is predicted by a model trained on the others.

    Pairs of one group (data.group; by default of one source) are in the same fold. The same command resumes after an
    interruption; finished trainings are not repeated.
    """
    from seq2see.comparison import cross_validate

    config, given = training_request("cross", data, model, set_, table, skip_bad=skip_bad)
    found = cross_validate(config, out, folds, given=given, request=options, device=device)
    if found is None:
        return EXIT_INTERRUPTED
    if json:
        show_json(found.to_json())
    else:
        show(found)
    say(f"wrong out-of-fold predictions: {found.errors}")
    return 0
