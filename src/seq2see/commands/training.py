"""The verbs that train, and the list of what can be trained."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from seq2see.commands.options import EXIT_INTERRUPTED, Device, Settings
from seq2see.errors import ConfigError

DEMO_FOLDER = Path("runs/demo")


def demo(*, out: Path = DEMO_FOLDER, device: Device = "auto") -> int:
    """Make up dates, learn to read them in about a minute, answer one, and show where the model looked.

    Parameters
    ----------
    out
        The run folder; what an earlier demo left in runs/demo is replaced.
    """
    from seq2see.commands.dates_demo import run_demo

    return 0 if run_demo(out, device, force=out == DEMO_FOLDER) else EXIT_INTERRUPTED


def train(
    *data: Path,
    dev: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    model: str | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    out: Path | None = None,
    engine: Literal["torch", "scratch"] = "torch",
    device: Device = "auto",
    set_: Settings = None,
    skip_bad: bool = False,
    resume: bool = False,
    fallback_previous: bool = False,
    allow_changes: bool = False,
    auto_resume: bool = False,
    force: bool = False,
) -> int:
    """Train a model on pairs: source TAB target a line, or JSONL, or two parallel files; or on a recipe.toml.

    Parameters
    ----------
    data
        One file of pairs, two parallel files, or a recipe (.toml).
    dev
        Pairs to try the model on; without it a part of the data is set aside.
    model
        The architecture: see `seq2see models`.
    from_
        A run, a model folder or a packed model to start from; its vocabularies grow by the tokens of the new pairs.
    out
        The run folder; runs/NAME of the data where nothing is said.
    engine
        torch, or scratch: the models written by hand in NumPy, for those who want to see how it is done.
    skip_bad
        Go on without the lines that can't be used.
    resume
        Go on with the run that is there.
    fallback_previous
        With --resume: where the newest checkpoint is damaged, go on from the newest that is intact.
    allow_changes
        With --resume: go on though pairs or options of data and training have changed; model and vocabularies may not.
    auto_resume
        Go on with the run if there is one, start it otherwise: for jobs that a scheduler starts again.
    force
        Replace the run that is there.
    """
    from seq2see.api import default_folder
    from seq2see.config import given_keys, make_config, parse_setting, read_toml
    from seq2see.run.train import train as train_run
    from seq2see.training import INTERRUPTED

    chosen: dict[str, Any] = dict(parse_setting(setting) for setting in set_ or ())
    if not data:
        fix = "name a file, before any --dev or --set: seq2see train pairs.tsv"
        raise ConfigError("no data were given", where="seq2see train", fix=fix)
    if dev == []:
        raise ConfigError("no file follows it", where="--dev", fix="name the file of dev pairs, or leave --dev out")
    if model is not None and "model.name" in chosen:
        raise ConfigError("the model is named twice", where="--model, --set model.name", fix="give one of the two")
    if from_ is not None and "training.start_from" in chosen:
        where = "--from, --set training.start_from"
        raise ConfigError("what to start from is named twice", where=where, fix="give one of the two")
    if from_ is not None and resume:
        what = "a run that is resumed goes on from its own checkpoint"
        raise ConfigError(what, where="--from --resume", fix="leave --from out, or start a new run with another --out")
    is_recipe = data[0].suffix == ".toml"
    if is_recipe and len(data) > 1:
        raise ConfigError(
            f"a recipe names its own data, {data[1]} is one too many", where=str(data[0]), fix="set data.train in it"
        )
    values = read_toml(data[0]) if is_recipe else {}
    settings: dict[str, Any] = {}
    if not is_recipe:
        settings["data.train"] = [str(path.absolute()) for path in data]
    if dev:
        settings["data.dev"] = [str(path.absolute()) for path in dev]
    if model is not None:
        settings["model.name"] = model
    if from_ is not None:
        settings["training.start_from"] = str(from_)
    if skip_bad:
        settings["data.skip_bad"] = True
    settings |= chosen
    config = make_config(values, settings, where=str(data[0]))
    folder = out or default_folder(data[0])
    given = given_keys(values, settings)
    trained = train_run(
        config,
        folder,
        given=given,
        engine=engine,
        device=device,
        resume=resume,
        fallback_previous=fallback_previous,
        allow_changes=allow_changes,
        auto_resume=auto_resume,
        force=force,
    )
    if os.environ.get("RANK", "0") != "0":
        return EXIT_INTERRUPTED if trained.finished.reason == INTERRUPTED else 0
    if trained.finished.reason == INTERRUPTED:
        if engine == "scratch":
            return EXIT_INTERRUPTED
        words = [*launched_by(), "seq2see", "train", *map(str, data), "--out", str(folder), "--resume"]
        print(f"go on with: {shlex.join(words)}", file=sys.stderr)
        return EXIT_INTERRUPTED
    print(f"try it: seq2see predict {shlex.quote(str(folder))} {trained.example}", file=sys.stderr)
    return 0


def launched_by() -> list[str]:
    """What stands before the command where `torchrun` has started it several times."""
    size = os.environ.get("WORLD_SIZE", "1")
    return [] if size == "1" else ["torchrun", "--nproc-per-node", os.environ.get("LOCAL_WORLD_SIZE", size), "-m"]


def compare(
    *models: str,
    data: Annotated[list[Path], Parameter(consume_multiple=True, help="Pairs to train on.")],
    out: Annotated[Path, Parameter(help="The folder of all runs and of compare.html.")],
    dev: Annotated[
        list[Path] | None,
        Parameter(consume_multiple=True, help="Dev pairs; else a part is set aside, the same for all."),
    ] = None,
    test: Annotated[
        list[Path] | None, Parameter(consume_multiple=True, help="Pairs to score on; else the dev pairs.")
    ] = None,
    seeds: Annotated[int, Parameter(help="Trainings of each model, from different seeds.")] = 1,
    set_: Settings = None,
    beam: Annotated[int, Parameter(help="Hypotheses kept a text; 1 is greedy.")] = 1,
    device: Device = "auto",
) -> int:
    """Train several architectures, or recipes (.toml), on the same pairs, and lay them side by side.

    The same command goes on after an interruption; what was trained to its end is not trained again.
    """
    from seq2see.compare import compare as compare_models
    from seq2see.config import parse_setting
    from seq2see.evaluation import Request, text_lines

    for option, files in (("--dev", dev), ("--test", test)):
        if files == []:
            raise ConfigError("no file follows it", where=option, fix=f"name a file of pairs, or leave {option} out")
    settings = dict(parse_setting(setting) for setting in set_ or ())
    found = compare_models(
        models,
        data,
        out,
        dev=dev or (),
        test=test or (),
        seeds=seeds,
        settings=settings,
        request=Request(beam=beam),
        device=device,
    )
    if found is None:
        return EXIT_INTERRUPTED
    print("\n".join(text_lines(found.evaluation)))
    print(f"all of it on one page: {found.page}", file=sys.stderr)
    return 0


def models(*, set_: Settings = None) -> None:
    """The ladder of architectures, a line each, with parameters at the current sizes."""
    from seq2see.commands.ladder import print_ladder
    from seq2see.config import make_config, parse_setting

    chosen = dict(parse_setting(setting) for setting in set_ or ())
    options = make_config({}, chosen).model
    for key in chosen:
        if not key.startswith("model.") or key == "model.name":
            raise ConfigError(
                f"{key} changes nothing here", where="--set", fix="set sizes: model.width, model.layers, …"
            )
    print_ladder(options)
