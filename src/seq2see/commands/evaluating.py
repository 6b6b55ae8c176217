"""The verbs that examine: data before training, a run after it, a model before it ships."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seq2see.commands.boxes import COMPUTING, OUTPUT, SCORES, SEARCH
from seq2see.commands.named_files import require_commas
from seq2see.commands.options import (
    AS_FOUND,
    Device,
    Engine,
    Evaluation,
    EvaluationFlags,
    Files,
    Json,
    OutputFile,
    RecipeOption,
    Run,
    SkipBad,
    Switch,
    Table,
    TableFormat,
    read_output,
    require_files,
    require_one_format,
    width_in,
)
from seq2see.commands.terminal import leading_runs, require_kept
from seq2see.commands.training_request import training_request
from seq2see.console import counted, say, show, show_json
from seq2see.errors import ConfigError
from seq2see.evaluation.options import EvaluationOptions


def check(
    *data: Path,
    test: Files = None,
    json: Json = False,
    fix: Annotated[Switch, Parameter(group=OUTPUT)] = False,
    output: Annotated[OutputFile, Parameter(help="The file of the clean copy, .tsv or .csv.")] = None,
    keep_duplicates: Annotated[Switch, Parameter(group=OUTPUT)] = False,
    recipe: RecipeOption = None,
    table: Table = AS_FOUND,
) -> int:
    """Check data before training; the exit code is 1 if training would refuse them.

    Parameters
    ----------
    data
        A file of pairs, or two parallel files; further files (.tsv, .csv, .jsonl, …) are held-out sets.
    test
        Held-out pairs, which are compared with the training pairs.
    fix
        Write a clean copy: only safe changes are made, and each is listed.
    keep_duplicates
        With --fix: keep repeated pairs.
    """
    from seq2see.doctor.check import Recipe
    from seq2see.doctor.command import run_check

    given = None
    if recipe is not None:
        given = Recipe(recipe, training_request("check", data, None, None, table, recipe=recipe)[0])
    return run_check(
        data, test, as_json=json, fix=fix, output=output, keep_duplicates=keep_duplicates, table=table, recipe=given
    )


def evaluate(
    run: Run,
    /,
    *data: Annotated[Path, Parameter(help="Further runs, then a test file, or two parallel files.")],
    options: Evaluation = EvaluationFlags(),  # noqa: B008 (frozen)
    errors: Annotated[
        Path | None,
        Parameter(converter=read_output, group=OUTPUT, help="Write the wrong predictions to this file, worst first."),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        Parameter(
            group=SCORES,
            consume_multiple=True,
            help="What needs no model, beside it: copy (the source), lead-1 to lead-3 (its first sentences), lookup "
            "(the target of the same source in training, or the most frequent one).",
        ),
    ] = None,
    ensemble: Annotated[Switch, Parameter(group=SEARCH, help="Several runs answer together, as one model.")] = False,
    json: Json = False,
    format_: TableFormat = "text",
    table: Table = AS_FOUND,
    skip_bad: SkipBad = False,
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Evaluate a model on a test file: metrics with 95 % intervals, and the loss in nats per target token.

    Several runs before the file are compared with the first. docs/evaluation.md says what each number means.
    """
    from seq2see.evaluation import as_json, csv_text, evaluate_runs, latex_text

    require_one_format(format_, json=json)
    require_commas(options.metrics, (str(run), *map(str, data)))
    runs, files = leading_runs(run, tuple(map(str, data)))
    if not files:
        raise ConfigError(
            "no test data were given", where="seq2see evaluate", fix="name a file: seq2see evaluate RUN test.tsv"
        )
    found = evaluate_runs(
        runs,
        [Path(file) for file in files],
        options,
        table=table,
        ensemble=ensemble,
        skip_bad=skip_bad,
        engine=engine,
        device=device,
        errors=errors,
        baselines=baseline or (),
        say=say,
    )
    if found.num_left_out:
        say(f"skipped {counted(found.num_left_out, 'invalid line')}")
    if errors is not None:
        say(f"wrong predictions, the worst by {found.ranked_by} first: {errors}")
    if json:
        show_json(as_json(found))
    else:
        show(csv_text(found.to_dicts()) if format_ == "csv" else latex_text(found) if format_ == "latex" else found)


def curves(
    run: Annotated[Path, Parameter(help="A run folder.")],
    /,
    *runs: Annotated[Path, Parameter(help="Further runs, in the same picture.")],
    output: Annotated[OutputFile, Parameter(help="A picture: .png, .svg or .pdf.")] = None,
    width_mm: Annotated[
        float | None, Parameter(group=OUTPUT, help="The width of the picture in millimetres, with text of 8 points.")
    ] = None,
    tensorboard: Annotated[
        Path | None,
        Parameter(converter=read_output, group=OUTPUT, help="A folder of TensorBoard events, instead of a picture."),
    ] = None,
) -> None:
    """Draw the learning curves of one or several runs in one picture: losses, dev metric, learning rate and speed."""
    from seq2see.curves.plot import draw_curves
    from seq2see.curves.tensorboard import write_tensorboard

    place = output or tensorboard
    if place is None or (output and tensorboard):
        fix = "give one of the two: -o curves.png, or --tensorboard logs"
        raise ConfigError("is needed" if place is None else "conflicts with --tensorboard", where="-o", fix=fix)
    if width_mm is not None and tensorboard:
        raise ConfigError("has no effect on TensorBoard events", where="--width-mm", fix="leave it out")
    width = None if width_mm is None else width_in(width_mm)
    lines = draw_curves([run, *runs], place, width) if output else write_tensorboard([run, *runs], place)
    for line in lines:
        say(f"note: {line}")
    show(place)


def report(
    run: Annotated[Path, Parameter(help="A run folder.")],
    /,
    *,
    output: Annotated[
        Path,
        Parameter(alias="-o", converter=read_output, group=OUTPUT, help="The page, a file whose name ends in .html."),
    ],
    test: Annotated[Files, Parameter(help="Pairs to evaluate on; by default the run's own dev pairs.")] = None,
    by: Annotated[
        str | None,
        Parameter(group=SCORES, help="A label column of the test file to score separately; or length, or seen."),
    ] = None,
    beam: Annotated[int, Parameter(group=SEARCH, help="Hypotheses kept per text; 1 is greedy search.")] = 1,
    table: Table = AS_FOUND,
    skip_bad: SkipBad = False,
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Write one page about a run: data, curves, scores, errors, attention, warnings, and what to try next."""
    from seq2see.pages import write_report

    require_files("--test", test)
    if table.given() and not test:
        raise ConfigError("need a test file", where="options of a table", fix="name one: --test test.csv")
    options = EvaluationOptions(by=by, beam=beam)
    if options.label is not None and not test:
        raise ConfigError("needs a test file", where="--by", fix="name one: --test test.tsv")
    require_kept(test or (), output)
    say_files_of(run)
    write_report(run, output, test or (), options, table=table, skip_bad=skip_bad, engine=engine, device=device)
    show(output)


def pack(
    run: Run,
    /,
    *,
    output: Annotated[
        Path,
        Parameter(
            alias="-o", converter=read_output, group=OUTPUT, help="A file whose name ends in .seq2see, or a folder."
        ),
    ],
    weights: Annotated[
        Literal["float32", "float16", "int8"],
        Parameter(group=OUTPUT, help="How numbers are stored; int8 takes a quarter."),
    ] = "float32",
    data: Annotated[Files, Parameter(help="Pairs to check it on; by default the run's own dev pairs.")] = None,
    hashes: Annotated[
        bool,
        Parameter(
            negative="--no-hashes",
            group=OUTPUT,
            help="Keep hashes of the training sources: evaluate can tell seen from new ones, and so can anyone else.",
        ),
    ] = True,
) -> None:
    """Store a model compactly for shipping, compare it with the original, and write the result into its card.

    A packed model needs no PyTorch: seq2see predict model.seq2see "a text".
    """
    from seq2see.inference.loading import members_of
    from seq2see.packing import pack_runs

    require_files("--data", data)
    require_kept(data or (), output)
    if not data:
        say_files_of(members_of(run)[0])
    for packed in pack_runs(run, output, weights=weights, data=data or (), hashes=hashes):
        for line in packed.lines():
            show(line)
        show(f"{packed.path}: {packed.size / 1e6:.2f} MB, weights {weights}")


def export(
    run: Run,
    /,
    *,
    output: Annotated[
        Path,
        Parameter(
            alias="-o",
            converter=read_output,
            group=OUTPUT,
            help="A file whose name ends in .html (a page that works offline), .js or .mjs (an ES module), "
            ".c (one C99 file, with its header), .wasm (that, built by clang, with an ES module), "
            ".json (the operations alone); a folder whose name ends in .onnx "
            "(graphs for ONNX Runtime) or .ctranslate2 (a Transformer for CTranslate2).",
        ),
    ],
    weights: Annotated[
        Literal["float32", "float16", "int8"] | None,
        Parameter(
            group=OUTPUT,
            help="How numbers are stored; by default int8 for browsers and C (.html, .js, .mjs, .c, .wasm), and "
            "float32 for other programs (.onnx, .ctranslate2).",
        ),
    ] = None,
    separate_weights: Annotated[
        Switch,
        Parameter(
            negative="",
            group=OUTPUT,
            help="Of .c: the weights in a file NAME.weights, which the C code reads and checks.",
        ),
    ] = False,
    no_wasm: Annotated[
        Switch,
        Parameter(
            negative="",
            group=OUTPUT,
            help="Of .html: compute in JavaScript also where clang and lld are installed. By default they build "
            "WebAssembly, which is several times faster.",
        ),
    ] = False,
    data: Annotated[Files, Parameter(help="Pairs to check it on; by default the run's own dev pairs.")] = None,
) -> None:
    """Write a model for where Python is not, and compare its answers with those in Python.

    A page and a module hold everything: text goes in, text comes out, without a network.
    """
    from seq2see.export import export_run

    require_files("--data", data)
    require_kept(data or (), output)
    if not data:
        say_files_of(run)
    exported = export_run(
        run, output, weights=weights, data=data or (), separate_weights=separate_weights, wasm=not no_wasm
    )
    for line in exported.lines():
        show(line)
    show(f"{exported.path}: {exported.size / 1e6:.2f} MB, weights {exported.weights}")


def say_files_of(run: Path) -> None:
    """Print which files of pairs are read again for this run: they are named in the run folder, not in the command."""
    from seq2see.run.record import files_read

    if files := files_read(run):
        say(f"reading the pairs of the run: {', '.join(files)}")


def bench(
    run: Run,
    /,
    *,
    data: Annotated[Files, Parameter(help="Pairs to measure with; by default the run's own dev pairs.")] = None,
    threads: Annotated[
        list[int], Parameter(group=COMPUTING, consume_multiple=True, help="Numbers of threads to compare.")
    ] = [1, 2],  # noqa: B006 (never changed)
    seconds: Annotated[float, Parameter(group=COMPUTING, help="For each kind of work.")] = 3.0,
) -> None:
    """Measure how fast a model answers and trains on this machine, and say what is fastest here.

    Source and target tokens per second with each engine and number of threads, and as a share of what this machine
    makes of one large matrix product, measured in the same process.
    """
    from seq2see.benchmark import bench_run, lines

    require_files("--data", data)
    for line in lines(bench_run(run, data or (), threads=threads, seconds=seconds)):
        show(line)
