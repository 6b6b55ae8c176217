"""The verbs that train several models to judge or to choose settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seq2see.commands import EXIT_INTERRUPTED
from seq2see.commands.boxes import COMPUTING, MODEL, OUTPUT, RUN
from seq2see.commands.named_files import require_commas
from seq2see.commands.options import (
    AS_FOUND,
    Comparison,
    ComparisonFlags,
    Device,
    Files,
    Json,
    OutputFolder,
    RecipeOption,
    Settings,
    SkipBad,
    Table,
    require_files,
)
from seq2see.commands.training_request import training_request
from seq2see.console import say, show, show_json
from seq2see.printable import quoted


def cross(
    *data: Annotated[Path, Parameter(help="One file of pairs, two parallel files, or a recipe (.toml).")],
    out: Annotated[Path, OutputFolder, Parameter(group=OUTPUT, help="The folder of all runs and of errors.tsv.")],
    folds: Annotated[int, Parameter(group=RUN, help="Parts of the data, each predicted by a model of the others.")] = 5,
    model: Annotated[str | None, Parameter(group=MODEL, help="The architecture: see `seq2see models`.")] = None,
    recipe: RecipeOption = None,
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

    require_commas(options.metrics, map(str, data))
    config, given = training_request("cross", data, model, set_, table, skip_bad=skip_bad, recipe=recipe)
    found = cross_validate(config, out, folds, given=given, request=options, device=device)
    if found is None:
        return EXIT_INTERRUPTED
    if json:
        show_json(found.to_json())
    else:
        show(found)
    say(f"wrong out-of-fold predictions: {found.errors}")
    return 0


def tune(
    *data: Annotated[Path, Parameter(help="One file of pairs, two parallel files, or a recipe (.toml).")],
    out: Annotated[Path, OutputFolder, Parameter(group=OUTPUT, help="The folder of the trials and of best.toml.")],
    dev: Annotated[Files, Parameter(help="Dev pairs, which judge the trials; by default a part is set aside.")] = None,
    trials: Annotated[
        int | None, Parameter(group=RUN, help="Trials in all; by default 30, or as many as --minutes allow.")
    ] = None,
    minutes: Annotated[
        float | None, Parameter(group=RUN, help="After this time no more trials are started; those that run end.")
    ] = None,
    jobs: Annotated[int, Parameter(group=COMPUTING, help="Trials at the same time, each in a process of its own.")] = 1,
    model: Annotated[str | None, Parameter(group=MODEL, help="The architecture; by default it is tuned too.")] = None,
    recipe: RecipeOption = None,
    set_: Settings = None,
    table: Table = AS_FOUND,
    skip_bad: SkipBad = False,
    device: Device = "auto",
) -> int:
    """Try settings on dev and write the best as a recipe for train; what is set by --set is not tuned.

    The same command goes on after an interruption, and with a larger budget it adds trials. docs/tuning.md says what is
    tuned and why.
    """
    from seq2see.tuning import Budget
    from seq2see.tuning import tune as tune_settings

    require_files("--dev", dev)
    own = {"data.dev": ("--dev", [str(path.absolute()) for path in dev])} if dev else {}
    config, given = training_request("tune", data, model, set_, table, skip_bad=skip_bad, own=own, recipe=recipe)
    budget = Budget(trials, minutes)
    found = tune_settings(config, out, given=given, budget=budget, jobs=jobs, device=device)
    if found is None:
        return EXIT_INTERRUPTED
    show(found)
    say(f"train it: seq2see train {quoted(found.recipe)} --out …; the run of the best trial: {found.run}")
    return 0
