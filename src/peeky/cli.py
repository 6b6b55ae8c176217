"""The `peeky` command: each verb is a thin function over the library, which is imported only when a verb needs it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from cyclopts import App, CycloptsError, Parameter

from peeky import __version__
from peeky.errors import ConfigError, DataError, UserError

EXIT_INTERRUPTED = 130
"""Exit code of a run that was stopped by Ctrl-C or SIGTERM; it can be resumed."""

DEMO_FOLDER = Path("runs/demo")

CHUNK = 2048
"""Lines answered at a time: enough to make batches of like lengths, few enough for any memory."""

app = App(
    name="peeky",
    help="Train sequence-to-sequence models on your own pairs, see where they look, and ship them.",
    version=__version__,
    help_epilogue="Every mistake ends with exit code 2 and one message; --trace shows where it came from.",
)

Format = Literal["text", "tsv", "jsonl"]
Alignments = Literal["pharaoh", "json"]
Engine = Annotated[
    Literal["auto", "torch", "numpy"],
    Parameter(help="What does the arithmetic; auto is torch where it is installed. The answers are the same."),
]
Device = Literal["auto", "cpu", "cuda", "mps"]
Run = Annotated[Path, Parameter(help="A run folder, a model/ folder, or a packed .peeky file.")]
Settings = Annotated[
    list[str] | None,
    Parameter(
        name="--set", negative="", consume_multiple=True, help="Options by name: training.rate=2e-3 model.width=128"
    ),
]


@app.command
def demo(*, out: Path = DEMO_FOLDER, device: Device = "auto") -> int:
    """Make up dates, learn to read them in about a minute, answer one, and show where the model looked.

    Parameters
    ----------
    out
        The run folder; what an earlier demo left in runs/demo is replaced.
    """
    from peeky.demo import run_demo

    return 0 if run_demo(out, device, force=out == DEMO_FOLDER) else EXIT_INTERRUPTED


@app.command
def train(
    *data: Path,
    dev: Annotated[list[Path] | None, Parameter(negative="", consume_multiple=True)] = None,
    model: str | None = None,
    out: Path | None = None,
    engine: Literal["torch", "scratch"] = "torch",
    device: Device = "auto",
    set_: Settings = None,
    skip_bad: Annotated[bool, Parameter(negative="")] = False,
    resume: Annotated[bool, Parameter(negative="")] = False,
    fallback_previous: Annotated[bool, Parameter(negative="")] = False,
    allow_changes: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Train a model on pairs: source TAB target a line, or JSONL, or two parallel files; or on a recipe.toml.

    Parameters
    ----------
    data
        One file of pairs, two parallel files, or a recipe (.toml).
    dev
        Pairs to try the model on; without it a part of the data is set aside.
    model
        The architecture: see `peeky models`.
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
    force
        Replace the run that is there.
    """
    from peeky.api import default_folder
    from peeky.config import given_keys, make_config, parse_setting, read_toml
    from peeky.run import train as train_run
    from peeky.training import INTERRUPTED

    chosen: dict[str, Any] = dict(parse_setting(setting) for setting in set_ or ())
    if not data:
        fix = "name a file, before any --dev or --set: peeky train pairs.tsv"
        raise ConfigError("no data were given", where="peeky train", fix=fix)
    if dev == []:
        raise ConfigError("no file follows it", where="--dev", fix="name the file of dev pairs, or leave --dev out")
    if model is not None and "model.name" in chosen:
        raise ConfigError("the model is named twice", where="--model, --set model.name", fix="give one of the two")
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
        force=force,
    )
    if trained.finished.reason == INTERRUPTED:
        if engine == "scratch":
            return EXIT_INTERRUPTED
        words = ["peeky", "train", *map(str, data), "--out", str(folder), "--resume"]
        print(f"go on with: {shlex.join(words)}", file=sys.stderr)
        return EXIT_INTERRUPTED
    print(f"try it: peeky predict {shlex.quote(str(folder))} {trained.example}", file=sys.stderr)
    return 0


@app.command
def predict(
    run: Run,
    /,
    *texts: str,
    input_: Annotated[
        Path | None, Parameter(name="--input", help="A file of texts, one a line (or JSONL with the key source).")
    ] = None,
    output: Annotated[Path | None, Parameter(help="Where the answers go; else to the terminal.")] = None,
    beam: Annotated[int, Parameter(help="Hypotheses kept a text; 1 is greedy.")] = 1,
    n_best: Annotated[int, Parameter(help="Answers a text: the best of a beam, or so many draws.")] = 1,
    length_penalty: Annotated[
        float, Parameter(help="Of a beam: above 0 favours longer answers; 0.6 to 1 is usual.")
    ] = 0.0,
    coverage_penalty: Annotated[float, Parameter(help="Of a beam: above 0 minds source tokens not looked at.")] = 0.0,
    batch_size: Annotated[int, Parameter(help="Texts answered side by side; changes no answer.")] = 64,
    sample: Annotated[bool, Parameter(negative="", help="Draw at random instead of taking the best.")] = False,
    temperature: Annotated[float, Parameter(help="Below 1: closer to the best; above: wilder.")] = 1.0,
    top_k: Annotated[int | None, Parameter(help="Draw from so many most probable tokens.")] = None,
    top_p: Annotated[float, Parameter(help="Draw from the most probable tokens that make up this share.")] = 1.0,
    min_p: Annotated[float, Parameter(help="Draw from tokens at least this share as probable as the best.")] = 0.0,
    seed: Annotated[int, Parameter(help="The same seed draws the same answers.")] = 0,
    min_length: Annotated[int | None, Parameter(help="Target tokens at least, the end counted.")] = None,
    max_length: Annotated[int | None, Parameter(help="Target tokens at most, the end counted.")] = None,
    min_ratio: Annotated[float | None, Parameter(help="Target tokens for each source token, at least.")] = None,
    max_ratio: Annotated[float | None, Parameter(help="Target tokens for each source token, at most.")] = None,
    prefix: Annotated[str, Parameter(help="How every answer begins.")] = "",
    forbid: Annotated[
        list[str] | None, Parameter(negative="", help="What no answer contains; may be repeated.")
    ] = None,
    contain: Annotated[
        list[str] | None, Parameter(negative="", help="What every answer contains; may be repeated.")
    ] = None,
    no_repeat: Annotated[int | None, Parameter(help="So many tokens in a row never come twice.")] = None,
    format_: Annotated[
        Format | None, Parameter(name="--format", help="text, or tsv (as with --n-best) or jsonl with scores.")
    ] = None,
    alignments: Annotated[Alignments | None, Parameter(help="Add where each token looked.")] = None,
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Answer texts: given here, in a file, or one a line on stdin; one answer a line, in the same order.

    A language model continues each text. Several runs in front of the texts answer together, as an ensemble.
    """
    from peeky.answers import line_writer
    from peeky.generation import Generation
    from peeky.loading import load

    runs, texts = leading_runs(run, texts)
    if texts and input_ is not None:
        raise ConfigError("texts were given both here and in a file", where="--input", fix="give one of the two")
    if output is not None and input_ is not None and output.absolute() == input_.absolute():
        raise ConfigError("the answers would overwrite the texts", where="--output", fix="name another file")
    options = Generation(
        beam=beam,
        n_best=n_best,
        batch_size=batch_size,
        length_penalty=length_penalty,
        coverage_penalty=coverage_penalty,
        sample=sample,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seed=seed,
        min_length=min_length,
        max_length=max_length,
        min_ratio=min_ratio,
        max_ratio=max_ratio,
        prefix=prefix,
        forbid=tuple(forbid or ()),
        contain=tuple(contain or ()),
        no_repeat=no_repeat,
    )
    lines_of = line_writer(format_ or ("tsv" if n_best > 1 else "text"), alignments, has_alternatives=n_best > 1)
    model = load(runs, engine=engine, device=device)
    if alignments and not model.looks:
        raise ConfigError(
            "this model has no attention, so there are no alignments", where="--alignments", fix="leave it out"
        )
    number = unfinished = missing = 0
    with texts_of(texts, input_) as (sources, at_once):
        chunks = model.stream(sources, options, chunk_size=at_once or CHUNK)
        with opened(output) as file:  # only now: what was refused overwrites nothing
            for answered in chunks:
                for source, prediction in answered:
                    number += 1
                    file.writelines(lines_of(number, source, prediction))
                    unfinished += not prediction.finished
                    missing += not prediction.finished and not prediction.target_tokens
                file.flush()
    if unfinished > missing:
        print(f"note: {unfinished - missing:,} answers were cut off (--max-length says where)", file=sys.stderr)
    if missing:
        print(f"note: {missing:,} texts have no answer that keeps to what was asked for", file=sys.stderr)


@app.command
def generate(
    run: Run,
    /,
    *runs: Path,
    prompt: Annotated[str, Parameter(help="What the text begins with.")] = "",
    count: Annotated[int, Parameter(help="How many texts.")] = 5,
    temperature: Annotated[float, Parameter(help="Below 1: closer to the best; above: wilder.")] = 1.0,
    top_k: Annotated[int | None, Parameter(help="Draw from so many most probable tokens.")] = None,
    top_p: Annotated[float, Parameter(help="Draw from the most probable tokens that make up this share.")] = 1.0,
    min_p: Annotated[float, Parameter(help="Draw from tokens at least this share as probable as the best.")] = 0.0,
    seed: Annotated[int, Parameter(help="The same seed draws the same texts.")] = 0,
    max_length: Annotated[int | None, Parameter(help="Tokens at most, the end counted.")] = None,
    format_: Annotated[Format, Parameter(name="--format", help="text, or tsv or jsonl with scores.")] = "text",
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Let a language model write: texts drawn at random, each going on from the prompt until it ends."""
    from peeky.answers import line_writer
    from peeky.generation import Generation
    from peeky.loading import load

    if count < 1:
        raise ConfigError(f"{count} texts are none", where="--count", fix="give 1 or more")
    options = Generation(
        n_best=count,
        sample=True,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seed=seed,
        max_length=max_length,
    )
    model = load([run, *runs], engine=engine, device=device)
    if model.source_codec is not None:
        raise ConfigError(
            f"{model.name} answers texts, it doesn't write freely", where=str(run), fix="use peeky predict"
        )
    [[(_, drawn)]] = model.stream([prompt], options)
    lines_of = line_writer(format_, None, has_alternatives=format_ != "text" and count > 1)
    answers = [drawn] if format_ != "text" else drawn.all
    sys.stdout.writelines(line for answer in answers for line in lines_of(1, prompt, answer))


@app.command
def score(
    run: Run,
    /,
    *data: Path,
    output: Annotated[Path | None, Parameter(help="Where the scores go; else to the terminal.")] = None,
    batch_size: Annotated[int, Parameter(help="Pairs scored side by side; changes no score.")] = 64,
    format_: Annotated[Format, Parameter(name="--format", help="text, or tsv or jsonl with more columns.")] = "text",
    skip_bad: Annotated[bool, Parameter(negative="", help="Go on without the lines that can't be used.")] = False,
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """How probable the targets of a file of pairs are: log-probability in nats, and the same per token; a line a pair.

    Several runs in front of the file score together, as an ensemble.
    """
    from peeky.answers import score_line
    from peeky.data import read_pairs
    from peeky.loading import load

    runs, files = leading_runs(run, tuple(map(str, data)))
    if not files:
        raise ConfigError("no pairs were given", where="peeky score", fix="name a file: peeky score RUN pairs.tsv")
    model = load(runs, engine=engine, device=device)
    columns: Literal["pairs", "target"] = "pairs" if model.source_codec else "target"
    found = read_pairs([Path(file) for file in files], columns=columns, skip_bad=skip_bad)
    if found.skipped:
        print(f"left out {found.skipped:,} lines that can't be used", file=sys.stderr)
    scores = model.score(found.pairs, batch_size=batch_size)
    with opened(output) as file:
        file.writelines(score_line(format_, number, each) for number, each in enumerate(scores, start=1))


@app.command
def evaluate(
    run: Run,
    /,
    *data: Path,
    metrics: Annotated[
        str | None, Parameter(help="By name, a comma between; what suits the targets where nothing is said.")
    ] = None,
    by: Annotated[str | None, Parameter(help="A further column to score apart: its number, name or JSON key.")] = None,
    errors: Annotated[Path | None, Parameter(help="Write the wrong answers there, the worst first.")] = None,
    ensemble: Annotated[bool, Parameter(negative="", help="Let several runs answer together as one.")] = False,
    group: Annotated[bool, Parameter(help="Lines with the same source are one item with several references.")] = True,
    samples: Annotated[int, Parameter(help="Sets drawn for intervals and p-values.")] = 1000,
    seed: Annotated[int, Parameter(help="The same seed draws the same sets.")] = 0,
    json: Annotated[bool, Parameter(negative="", help="Print one JSON object.")] = False,
    beam: Annotated[int, Parameter(help="Hypotheses kept a text; 1 is greedy.")] = 1,
    batch_size: Annotated[int, Parameter(help="Pairs tried side by side; changes no figure.")] = 64,
    skip_bad: Annotated[bool, Parameter(negative="", help="Go on without the lines that can't be used.")] = False,
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Hold a model to the known targets of a test file: metrics with 95 % intervals, and loss in nats per target token.

    Several runs in front of the file are compared with the first. docs/evaluation.md says what each number means.
    """
    from json import dumps

    from peeky.evaluation import Request, as_json, evaluate_runs, text_lines

    runs, files = leading_runs(run, tuple(map(str, data)))
    if not files:
        raise ConfigError(
            "no test data were given", where="peeky evaluate", fix="name a file: peeky evaluate RUN test.tsv"
        )
    request = Request(
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


@app.command
def pack(
    run: Run,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o", help="A file whose name ends in .peeky, or a folder.")],
    weights: Annotated[
        Literal["float32", "float16", "int8"], Parameter(help="How numbers are stored; int8 has a quarter of the size.")
    ] = "float32",
    data: Annotated[
        list[Path] | None,
        Parameter(negative="", consume_multiple=True, help="Pairs to try it on; else the run's own dev pairs."),
    ] = None,
) -> None:
    """Make a model small for shipping, try whether it still says the same, and write that into its card.

    What comes out needs no PyTorch: peeky predict model.peeky "a text".
    """
    from peeky.packing import pack_run

    packed = pack_run(run, output, weights=weights, data=data or ())
    for line in packed.parity.lines():
        print(line)
    print(f"{packed.path}: {packed.size / 1e6:.2f} MB, weights {weights}")


@app.command
def models(*, set_: Settings = None) -> None:
    """The ladder of architectures, a line each, with parameters at the current sizes."""
    from peeky.config import make_config, parse_setting
    from peeky.ladder import print_ladder

    chosen = dict(parse_setting(setting) for setting in set_ or ())
    options = make_config({}, chosen).model
    for key in chosen:
        if not key.startswith("model.") or key == "model.name":
            raise ConfigError(
                f"{key} changes nothing here", where="--set", fix="set sizes: model.width, model.layers, …"
            )
    print_ladder(options)


@app.command
def check(
    *data: Path,
    test: Annotated[list[Path] | None, Parameter(negative="", consume_multiple=True)] = None,
    json: Annotated[bool, Parameter(negative="", help="Print one JSON object.")] = False,
    fix: Annotated[bool, Parameter(negative="")] = False,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    keep_duplicates: Annotated[bool, Parameter(negative="")] = False,
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
    from peeky.doctor.command import run_check

    return run_check(data, test, as_json=json, fix=fix, output=output, keep_duplicates=keep_duplicates)


def leading_runs(run: Path, rest: tuple[str, ...]) -> tuple[list[Path], tuple[str, ...]]:
    """The runs of an ensemble, which stand before texts and files, and what follows them."""
    runs = [run]
    for word in rest:
        is_folder = any(os.path.exists(os.path.join(word, part)) for part in ("model", "manifest.json"))
        if not is_folder and not (word.endswith(".peeky") and os.path.isfile(word)):
            break
        runs.append(Path(word))
    return runs, rest[len(runs) - 1 :]


@contextmanager
def texts_of(texts: tuple[str, ...], path: Path | None) -> Iterator[tuple[Iterable[str], int | None]]:
    """The texts to answer, one after the other, and how many to answer at once where that matters.

    From a file they are read as they are needed, with a bar of progress where someone watches.
    """
    from peeky.data import iterate_sources, open_content

    if texts:
        yield texts, None
    elif path is not None:
        with open_content(path) as file, bar(file.share_read) as moved:
            yield (moved(pair.source) for pair in iterate_sources(file.stream, str(path))), None
    else:
        if sys.stdin.isatty():
            print("type a text and Enter; Ctrl-D ends", file=sys.stderr)
        yield (pair.source for pair in iterate_sources(sys.stdin.buffer)), 1 if sys.stdin.isatty() else None


@contextmanager
def bar(share: Callable[[], float]) -> Iterator[Callable[[str], str]]:
    """A bar of progress on stderr, moved by passing texts through; none where stderr is no terminal."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda text: text
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("answering", total=1.0)

        def moved(text: str) -> str:
            progress.update(task, completed=share())
            return text

        yield moved


@contextmanager
def opened(path: Path | None) -> Iterator[TextIO]:
    """A file to write answers to, or stdout."""
    if path is None:
        yield sys.stdout
        return
    try:
        file = path.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(f"can't be written: {error.strerror}", where=str(path), fix="choose another --output") from None
    with file:
        yield file


def main() -> None:
    """Run the command; a UserError becomes one message and exit code 2."""
    arguments = sys.argv[1:]
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    trace = "--trace" in options
    if trace:
        arguments.remove("--trace")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # as the files are, whatever the terminal's settings say
    show_warnings_plainly()
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone: nothing to say
        sys.exit(0)
    except ModuleNotFoundError as error:
        if trace or error.name not in ("torch", "jaxtyping"):
            raise
        print(f'peeky: this needs {error.name}\n  fix: pip install "peeky[train]"', file=sys.stderr)
        sys.exit(2)
    except (UserError, CycloptsError) as error:
        if trace:
            raise
        print(f"peeky: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def show_warnings_plainly() -> None:
    """Warnings are for the user, who has no use for our file names and line numbers."""
    import warnings

    def show(message: Warning | str, *_: object, **__: object) -> None:
        print(f"note: {message}", file=sys.stderr)

    warnings.showwarning = show
