"""The verbs that train, and the list of what can be trained."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from seq2see.commands import EXIT_INTERRUPTED
from seq2see.commands.boxes import COMPUTING, DATA, MODEL, OUTPUT, RUN, SEARCH
from seq2see.commands.named_files import require_commas
from seq2see.commands.options import (
    AS_FOUND,
    WIDTH_MM,
    Comparison,
    ComparisonFlags,
    Device,
    Files,
    OutputFolder,
    RecipeOption,
    Run,
    Settings,
    SkipBad,
    Switch,
    Table,
    TableFormat,
    WidthOption,
    parsed,
    require_files,
    sizes_in,
    width_in,
)
from seq2see.commands.training_request import training_request
from seq2see.console import say, show
from seq2see.errors import ConfigError
from seq2see.inference.checking import require_type
from seq2see.printable import quoted
from seq2see.training.options import Seeds

DEMO_FOLDER = Path("runs/demo")
Flag = Annotated[Switch, Parameter(group=RUN)]


def demo(*, out: Annotated[Path, OutputFolder, Parameter(group=RUN)] = DEMO_FOLDER, device: Device = "auto") -> int:
    """Make up dates, learn to read them in about a minute, answer one, and show where the model looked.

    Parameters
    ----------
    out
        The run folder; an earlier demo in runs/demo is replaced.
    """
    from seq2see.commands.dates_demo import is_demo, run_demo

    return 0 if run_demo(out, device, force=out == DEMO_FOLDER and is_demo(out)) else EXIT_INTERRUPTED


def train(
    *data: Path,
    dev: Files = None,
    also_source: Annotated[Path | None, Parameter(group=DATA)] = None,
    also_target: Annotated[Path | None, Parameter(group=DATA)] = None,
    model: Annotated[str | None, Parameter(group=MODEL)] = None,
    recipe: RecipeOption = None,
    from_: Annotated[Path | None, Parameter(name="--from", group=MODEL)] = None,
    out: Annotated[Path | None, OutputFolder, Parameter(group=RUN)] = None,
    seeds: Annotated[int, Parameter(group=RUN)] = 1,
    engine: Annotated[Literal["torch", "scratch"], Parameter(group=COMPUTING)] = "torch",
    device: Device = "auto",
    set_: Settings = None,
    table: Table = AS_FOUND,
    skip_bad: SkipBad = False,
    resume: Flag = False,
    fallback_previous: Flag = False,
    allow_changes: Flag = False,
    auto_resume: Flag = False,
    force: Flag = False,
) -> int:
    """Train a model on pairs (a table: source TAB target, CSV, …; JSON; two parallel files), or on a recipe.toml.

    Parameters
    ----------
    data
        One file of pairs, two parallel files, or a recipe (.toml).
    dev
        Pairs to evaluate the model on during training; by default a part of the data is set aside.
    also_source
        Source texts without targets, one per line: the encoder first learns to restore them from noise.
    also_target
        Target texts without sources, one per line: the decoder first learns to restore them from noise.
    model
        The architecture: see `seq2see models`.
    from_
        A run, a model folder or a packed model to fine-tune; its vocabularies grow by the tokens of the new pairs.
    out
        The run folder; by default runs/NAME, by the name of the data.
    seeds
        Runs from this many consecutive seeds, in folders of the run folder, which answers as their ensemble.
    engine
        torch, or scratch: the models written by hand in NumPy, for those who want to see how they work.
    resume
        Resume the run in the folder from its newest checkpoint. A run named alone has its data: train RUN --resume.
    fallback_previous
        With --resume: if the newest checkpoint is damaged, resume from the newest intact one.
    allow_changes
        With --resume: accept changed pairs, and changed options of data and training; model and vocabularies are fixed.
    auto_resume
        Resume the run if there is one, else start it: for jobs that a scheduler restarts.
    force
        Replace the run in the folder.
    """
    from seq2see.commands.resuming import of_named_run
    from seq2see.console import Terminal, say_to
    from seq2see.inference.loading import MEMBER
    from seq2see.run.first_look import read_first
    from seq2see.run.folder import default_folder

    require_files("--dev", dev)
    data, out = of_named_run(data, out, resume=resume or auto_resume)
    if from_ is not None and resume:
        what = "conflicts with --resume, which continues from the run's own checkpoint"
        raise ConfigError(what, where="--from", fix="leave --from out, or start a new run with another --out")
    own: dict[str, tuple[str, Any]] = {}
    if dev:
        own["data.dev"] = ("--dev", [str(path.absolute()) for path in dev])
    for key, flag, path in (
        ("data.also_source", "--also-source", also_source),
        ("data.also_target", "--also-target", also_target),
    ):
        if path is not None:
            own[key] = (flag, str(path))
    if from_ is not None:
        own["training.start_from"] = ("--from", str(from_))
    config, given = training_request("train", data, model, set_, table, skip_bad=skip_bad, own=own, recipe=recipe)
    folder = out or default_folder(data[0])
    console = Terminal(stderr=True)
    is_resumed = resume or auto_resume or fallback_previous or allow_changes
    # Whether there is such a GPU, and what the other engine supports, is known only later, and said first.
    is_simple = engine == "torch" and device in ("auto", "cpu") and not is_resumed
    require_type("--seeds", seeds, Seeds)
    first = folder if seeds == 1 else folder / MEMBER.format(config.training.seed)
    read = read_first(config, first, say_to(console), force=force) if is_simple else None
    from seq2see.run.seeds import train_seeds  # imports PyTorch, which takes seconds
    from seq2see.run.train import train as train_run
    from seq2see.training import INTERRUPTED

    if seeds > 1:
        runs = train_seeds(
            config,
            folder,
            seeds,
            data=read,
            console=console,
            given=given,
            engine=engine,
            device=device,
            resume=resume,
            auto_resume=auto_resume,
            fallback_previous=fallback_previous,
            allow_changes=allow_changes,
            force=force,
        )
        if runs is None:
            words = ["seq2see", "train", *map(str, data), "--out", str(folder), "--seeds", str(seeds), "--resume"]
            say(f"resume with: {' '.join(map(quoted, words))}")
            return EXIT_INTERRUPTED
        say(f"try them together: seq2see evaluate {quoted(folder)} test.tsv")
        return 0
    trained = train_run(
        config,
        folder,
        data=read,
        console=console,
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
        words = [*launched_by(), "seq2see", "train", "--out", str(folder), "--resume"]
        say(f"resume with: {' '.join(map(quoted, words))}")
        return EXIT_INTERRUPTED
    say(f"try it: seq2see predict {quoted(folder)} {trained.example}")
    return 0


def launched_by() -> list[str]:
    """The words before the command if `torchrun` started it several times."""
    size = os.environ.get("WORLD_SIZE", "1")
    return [] if size == "1" else ["torchrun", "--nproc-per-node", os.environ.get("LOCAL_WORLD_SIZE", size), "-m"]


def compare(
    *models: Annotated[str, Parameter(help="Architectures (seq2see models lists them), or recipes.")],
    data: Annotated[list[Path], Parameter(group=DATA, consume_multiple=True, help="Pairs to train on.")],
    out: Annotated[Path, OutputFolder, Parameter(group=OUTPUT, help="The folder of all runs and of compare.html.")],
    dev: Annotated[Files, Parameter(help="Dev pairs; by default a part is set aside, the same for all.")] = None,
    test: Annotated[Files, Parameter(help="Pairs to score on; by default the dev pairs.")] = None,
    seeds: Annotated[int, Parameter(group=MODEL, help="Trainings of each model, from different seeds.")] = 1,
    sizes: Annotated[
        str | None,
        Parameter(group=DATA, help="Numbers of training pairs, as 100,300,900: scores by size, and sizes.svg."),
    ] = None,
    width_mm: WidthOption = WIDTH_MM,
    format_: TableFormat = "text",
    set_: Settings = None,
    table: Table = AS_FOUND,
    options: Comparison = ComparisonFlags(),  # noqa: B008 (frozen)
    device: Device = "auto",
) -> int:
    """Train several architectures, or recipes (.toml), on the same pairs, and compare them.

    The same command resumes after an interruption; finished trainings are not repeated.
    """
    from seq2see.comparison import compare as compare_models

    require_commas(options.metrics, models)
    require_files("--dev", dev)
    require_files("--test", test)
    found = compare_models(
        models,
        data,
        out,
        dev=dev or (),
        test=test or (),
        seeds=seeds,
        sizes=sizes_in(sizes or ""),
        width_mm=width_in(width_mm),
        settings=parsed(set_),
        table=table,
        request=options,
        device=device,
    )
    if found is None:
        return EXIT_INTERRUPTED
    show(found.to_csv() if format_ == "csv" else found.to_latex() if format_ == "latex" else found)
    say(f"everything on one page: {found.page}{f'; the picture alone: {found.picture}' if found.picture else ''}")
    return 0


def distill(
    run: Run,
    /,
    *runs: Annotated[Path, Parameter(help="Further runs, which answer together.")],
    out: Annotated[Path, OutputFolder, Parameter(group=OUTPUT, help="The run folder of the one model.")],
    sources: Annotated[
        Files, Parameter(help="Texts without targets, one per line, or tables with their columns, to be answered too.")
    ] = None,
    data: Annotated[Files, Parameter(help="The true pairs; by default those of the first run.")] = None,
    dev: Annotated[Files, Parameter(help="Dev pairs, with --data; by default as in the first run.")] = None,
    beam: Annotated[int, Parameter(group=SEARCH, help="Hypotheses kept per text; 1 is greedy search.")] = 5,
    set_: Settings = None,
    device: Device = "auto",
    force: Flag = False,
) -> int:
    """Train one model on the answers of several, and on their true pairs: nearly as good, and as fast as one.

    It is configured as the first run, unless --set says otherwise. The more texts there are to answer (--sources), the
    more it learns. The pairs that it is trained on are written to OUT-data.

    Parameters
    ----------
    force
        Replace the run in the folder, and its pairs.
    """
    from seq2see.inference.options import GenerationOptions
    from seq2see.run.distillation import distill as distill_runs
    from seq2see.training import INTERRUPTED

    for option, files in (("--sources", sources), ("--data", data), ("--dev", dev)):
        require_files(option, files)
    GenerationOptions(beam=beam)
    trained = distill_runs(
        [run, *runs],
        out,
        data=data or (),
        dev=dev or (),
        files=sources or (),
        beam=beam,
        settings=parsed(set_),
        device=device,
        force=force,
    )
    if trained.finished.reason == INTERRUPTED:
        words = ["seq2see", "train", f"{out}-data/train.jsonl", "--out", str(out), "--resume"]
        say(f"resume with: {' '.join(map(quoted, words))}")
        return EXIT_INTERRUPTED
    say(f"try it: seq2see predict {quoted(out)} {trained.example}")
    return 0


def models(*, set_: Settings = None) -> None:
    """List the architectures, one per line, with their numbers of parameters at the current sizes."""
    from seq2see.commands.ladder import print_ladder
    from seq2see.config import make_config

    chosen = parsed(set_)
    options = make_config({}, chosen).model
    for key in chosen:
        if not key.startswith("model.") or key == "model.name":
            fix = "set sizes: model.width, model.layers, …"
            raise ConfigError(f"{key} has no effect here", where="--set", fix=fix)
    print_ladder(options)


def settings(
    pattern: str | None = None,
    /,
    *,
    format_: Annotated[
        Literal["text", "json", "toml"],
        Parameter(name="--format", group=OUTPUT, help="text, json, or toml: a recipe with every setting in a comment."),
    ] = "text",
) -> None:
    """List the settings of a run, for --set and recipes: what each is and takes, and its default.

    A setting without a default is chosen from the data or the architecture, and printed by train.

    Parameters
    ----------
    pattern
        Only those whose name contains this, or matches it as a glob ("training.*"), or that other toolkits call so.
    """
    from seq2see.commands.setting_list import as_json, as_toml, matching, print_table

    found = matching(pattern)
    if format_ == "text":
        print_table(found)
    else:
        show((as_json if format_ == "json" else as_toml)(found))
