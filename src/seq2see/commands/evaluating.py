"""The verbs that judge: data before training, a run after it, a model before it ships."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seq2see.commands.options import Device, Engine, Run
from seq2see.commands.terminal import leading_runs
from seq2see.errors import ConfigError


def check(
    *data: Path,
    test: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    json: Annotated[bool, Parameter(help="Print one JSON object.")] = False,
    fix: bool = False,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    keep_duplicates: bool = False,
) -> int:
    """Look through data before training; exit code 1 where training would refuse them.

    Parameters
    ----------
    data
        A file of pairs, or two parallel ones; further files (.tsv, .jsonl) are held-out sets.
    test
        Held-out pairs: are any of them in the training pairs?
    fix
        Write a clean copy instead: only what is safe is changed, and it is said.
    output
        Where the clean copy goes.
    keep_duplicates
        With --fix: leave repeated pairs in.
    """
    from seq2see.doctor.command import run_check

    return run_check(data, test, as_json=json, fix=fix, output=output, keep_duplicates=keep_duplicates)


def evaluate(
    run: Run,
    /,
    *data: Path,
    metrics: Annotated[
        str | None, Parameter(help="By name, a comma between; what suits the targets where nothing is said.")
    ] = None,
    by: Annotated[str | None, Parameter(help="A further column to score apart: its number, name or JSON key.")] = None,
    errors: Annotated[Path | None, Parameter(help="Write the wrong answers there, the worst first.")] = None,
    ensemble: Annotated[bool, Parameter(help="Let several runs answer together as one.")] = False,
    group: Annotated[
        bool, Parameter(negative="--no-group", help="Lines with the same source are one item with several references.")
    ] = True,
    samples: Annotated[int, Parameter(help="Sets drawn for intervals and p-values.")] = 1000,
    seed: Annotated[int, Parameter(help="The same seed draws the same sets.")] = 0,
    json: Annotated[bool, Parameter(help="Print one JSON object.")] = False,
    beam: Annotated[int, Parameter(help="Hypotheses kept a text; 1 is greedy.")] = 1,
    batch_size: Annotated[int, Parameter(help="Pairs tried side by side; changes no figure.")] = 64,
    skip_bad: Annotated[bool, Parameter(help="Go on without the lines that can't be used.")] = False,
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Hold a model to the known targets of a test file: metrics with 95 % intervals, and loss in nats per target token.

    Several runs in front of the file are compared with the first. docs/evaluation.md says what each number means.
    """
    from json import dumps

    from seq2see.evaluation import EvaluationOptions, as_json, evaluate_runs, text_lines

    runs, files = leading_runs(run, tuple(map(str, data)))
    if not files:
        raise ConfigError(
            "no test data were given", where="seq2see evaluate", fix="name a file: seq2see evaluate RUN test.tsv"
        )
    request = EvaluationOptions(
        metrics=tuple(name for name in metrics.split(",") if name.strip()) if metrics is not None else None,
        by=by,
        group=group,
        beam=beam,
        batch_size=batch_size,
        samples=samples,
        seed=seed,
    )
    found = evaluate_runs(
        runs,
        [Path(file) for file in files],
        request,
        ensemble=ensemble,
        skip_bad=skip_bad,
        engine=engine,
        device=device,
        errors=errors,
    )
    if found.num_left_out:
        print(f"left out {found.num_left_out:,} lines that can't be used", file=sys.stderr)
    if errors is not None:
        print(f"wrong answers, the worst by {found.ranked_by} first: {errors}", file=sys.stderr)
    if json:
        print(dumps(as_json(found), ensure_ascii=False))
    else:
        print("\n".join(text_lines(found)))


def curves(
    run: Path,
    /,
    *runs: Path,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="A picture whose name ends in .png, .svg or .pdf.")
    ] = None,
    tensorboard: Annotated[
        Path | None, Parameter(help="A folder for TensorBoard to read, in place of a picture.")
    ] = None,
) -> None:
    """Draw the learning curves of runs, several over one another: losses, dev metric, rate and speed."""
    from seq2see.curves.plot import draw_curves
    from seq2see.curves.tensorboard import write_tensorboard

    place = output or tensorboard
    if place is None or (output and tensorboard):
        fix = "give one of the two: -o curves.png, or --tensorboard logs"
        raise ConfigError("where to is not said" if place is None else "two places were named", where="-o", fix=fix)
    write = draw_curves if output else write_tensorboard
    for line in write([run, *runs], place):
        print(f"note: {line}", file=sys.stderr)
    print(place)


def report(
    run: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o", help="The page, a file whose name ends in .html.")],
    test: Annotated[
        list[Path] | None,
        Parameter(consume_multiple=True, help="Pairs to score it on; else the run's own dev pairs."),
    ] = None,
    by: Annotated[str | None, Parameter(help="A further column of the test file to score apart.")] = None,
    beam: Annotated[int, Parameter(help="Hypotheses kept a text; 1 is greedy.")] = 1,
    skip_bad: Annotated[bool, Parameter(help="Go on without the lines that can't be used.")] = False,
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Write a run on one page: data, curves, scores, errors, attention, warnings, and what to try next."""
    from seq2see.evaluation import EvaluationOptions
    from seq2see.pages import write_report

    if test == [] or (by is not None and not test):
        fix = "name a test file: --test test.tsv"
        raise ConfigError("there is no test file", where="--by" if test is None else "--test", fix=fix)
    write_report(
        run, output, test or (), EvaluationOptions(by=by, beam=beam), skip_bad=skip_bad, engine=engine, device=device
    )
    print(output)


def pack(
    run: Run,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o", help="A file whose name ends in .seq2see, or a folder.")],
    weights: Annotated[
        Literal["float32", "float16", "int8"], Parameter(help="How numbers are stored; int8 has a quarter of the size.")
    ] = "float32",
    data: Annotated[
        list[Path] | None,
        Parameter(consume_multiple=True, help="Pairs to try it on; else the run's own dev pairs."),
    ] = None,
) -> None:
    """Make a model small for shipping, try whether it still says the same, and write that into its card.

    What comes out needs no PyTorch: seq2see predict model.seq2see "a text".
    """
    from seq2see.packing import pack_run

    packed = pack_run(run, output, weights=weights, data=data or ())
    for line in packed.parity.lines():
        print(line)
    print(f"{packed.path}: {packed.size / 1e6:.2f} MB, weights {weights}")
