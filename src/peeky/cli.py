"""The `peeky` command: each verb is a thin function over the library, which is imported only when a verb needs it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

from cyclopts import App, CycloptsError, Parameter

from peeky import __version__
from peeky.errors import ConfigError, DataError, UserError

if TYPE_CHECKING:
    from peeky.data import Pair

EXIT_INTERRUPTED = 130
"""Exit code of a run that was stopped by Ctrl-C or SIGTERM; it can be resumed."""

DEMO_FOLDER = Path("runs/demo")

CHUNK = 1024
"""Lines answered at a time."""

app = App(
    name="peeky",
    help="Train sequence-to-sequence models on your own pairs, see where they look, and ship them.",
    version=__version__,
    help_epilogue="Every mistake ends with exit code 2 and one message; --trace shows where it came from.",
)

Device = Literal["auto", "cpu", "cuda", "mps"]
Run = Annotated[Path, Parameter(help="A run folder, or a model/ folder.")]
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
    device: Device = "auto",
    set_: Settings = None,
    skip_bad: Annotated[bool, Parameter(negative="")] = False,
    resume: Annotated[bool, Parameter(negative="")] = False,
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
    skip_bad
        Go on without the lines that can't be used.
    resume
        Go on with the run that is there.
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
    trained = train_run(config, folder, given=given, device=device, resume=resume, force=force)
    if trained.finished.reason == INTERRUPTED:
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
    batch_size: Annotated[int, Parameter(help="Texts answered side by side; changes no answer.")] = 128,
    sample: Annotated[bool, Parameter(negative="", help="Draw at random instead of taking the best.")] = False,
    temperature: Annotated[float, Parameter(help="Below 1: closer to the best; above: wilder.")] = 1.0,
    seed: Annotated[int, Parameter(help="The same seed draws the same answers.")] = 0,
    max_length: Annotated[int | None, Parameter(help="Hard maximum in target tokens.")] = None,
    device: Device = "auto",
) -> None:
    """Answer texts: given here, in a file, or one a line on stdin; one answer a line, in the same order.

    A language model continues each text.
    """
    from peeky.data import Pair, iterate_sources, read_sources
    from peeky.predictor import Generation, load

    if texts and input_ is not None:
        raise ConfigError("texts were given both here and in a file", where="--input", fix="give one of the two")
    options = Generation(beam, batch_size, sample, temperature, seed, max_length)
    model = load(run, device=device)
    sources: Iterable[Pair]
    if texts:
        sources = [Pair(text, None, f"text {number}") for number, text in enumerate(texts, start=1)]
    elif input_ is not None:
        sources = read_sources(input_)
    else:
        if sys.stdin.isatty():
            print("type a text and Enter; Ctrl-D ends", file=sys.stderr)
        sources = iterate_sources(sys.stdin.buffer)
    size = 1 if not texts and input_ is None and sys.stdin.isatty() else CHUNK
    if output is not None and input_ is not None and output.absolute() == input_.absolute():
        raise ConfigError("the answers would overwrite the texts", where="--output", fix="name another file")
    unfinished = 0
    with opened(output) as file:
        for predictions in model.stream((pair.source for pair in sources), options, chunk_size=size):
            file.writelines(prediction.text + "\n" for prediction in predictions)
            file.flush()
            unfinished += sum(not prediction.finished for prediction in predictions)
    if unfinished:
        print(f"note: {unfinished:,} answers were cut off at the maximum length (--max-length)", file=sys.stderr)


@app.command
def evaluate(
    run: Run,
    /,
    *data: Path,
    json: Annotated[bool, Parameter(negative="", help="Print one JSON object.")] = False,
    beam: Annotated[int, Parameter(help="Hypotheses kept a text; 1 is greedy.")] = 1,
    batch_size: Annotated[int, Parameter(help="Pairs tried side by side; changes no figure.")] = 128,
    skip_bad: Annotated[bool, Parameter(negative="", help="Go on without the lines that can't be used.")] = False,
    device: Device = "auto",
) -> None:
    """Hold a model to the known targets of a test file: exact match, and loss in nats per target token."""
    from peeky.data import read_pairs
    from peeky.predictor import load

    if not data:
        raise ConfigError(
            "no test data were given", where="peeky evaluate", fix="name a file: peeky evaluate RUN test.tsv"
        )
    model = load(run, device=device)
    columns: Literal["pairs", "target"] = "pairs" if model.source_codec else "target"
    found = read_pairs(data, columns=columns, skip_bad=skip_bad)
    if found.skipped:
        print(f"left out {found.skipped:,} lines that can't be used", file=sys.stderr)
    scores = model.evaluate(found.pairs, beam=beam, batch_size=batch_size)
    if json:
        from json import dumps

        print(dumps({"count": scores.count, "exact_match": scores.exact_match, "loss": scores.loss}))
    else:
        print(f"count        {scores.count:>10,}")
        if scores.exact_match is not None:
            print(f"exact match  {100 * scores.exact_match:>10.2f} %")
        print(f"loss         {scores.loss:>10.4f} nats per target token")


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
