"""What `--help` adds to the options of a verb: the box that each is in, and examples."""

from __future__ import annotations

from collections.abc import Callable
from inspect import get_annotations
from typing import Annotated, Any, TypeVar, get_type_hints

from cyclopts import Group, Parameter

Options = TypeVar("Options", bound=type)

DATA = Group("Data", sort_key=1)
TABLE = Group("Columns of a table (detected by default)", sort_key=1.5)
MODEL = Group("Model and training", sort_key=2)
RUN = Group("Run folder", sort_key=3)
INPUT = Group("Input", sort_key=4)
SEARCH = Group("Search", sort_key=5)
SAMPLING = Group("Sampling", sort_key=6)
CONSTRAINTS = Group("Constraints on the answers", sort_key=7)
SCORES = Group("Scores", sort_key=8)
OUTPUT = Group("Output", sort_key=9)
LISTENING = Group("Service", sort_key=2)
LIMITS = Group("Limits", sort_key=3)
ACCESS = Group("Access", sort_key=4)
LOG = Group("Log", sort_key=5)
COMPUTING = Group("Computing", sort_key=10)

EXAMPLES = {
    "demo": ("seq2see demo",),
    "new": ("seq2see new translation english-french", "seq2see new pronunciation sounds"),
    "check": (
        "seq2see check pairs.tsv",
        "seq2see check train.tsv --test test.tsv",
        "seq2see check pairs.tsv --fix -o clean.tsv",
    ),
    "prepare": ("seq2see prepare pairs.tsv -o corpora/pairs",),
    "train": (
        "seq2see train pairs.tsv",
        "seq2see train train.tsv --dev dev.tsv -o runs/small --set model.width=128 training.max_updates=2000",
        "seq2see train pairs.tsv --recipe translation",
        "seq2see train pairs.tsv --resume",
        "seq2see train pairs.tsv --seeds 5 -o runs/seeds",
    ),
    "models": ("seq2see models", "seq2see models --set model.width=512"),
    "settings": ("seq2see settings", "seq2see settings rate", "seq2see settings --format toml > recipe.toml"),
    "compare": (
        "seq2see compare plain attention --data train.tsv --test test.tsv -o runs/compare",
        "seq2see compare attention --data train.tsv --seeds 3 -o runs/seeds",
    ),
    "cross": (
        "seq2see cross pairs.tsv --folds 5 -o runs/folds",
        "seq2see cross recipe.toml --folds 10 --metrics cer -o runs/folds",
    ),
    "tune": (
        "seq2see tune pairs.tsv --minutes 30 -o runs/tune",
        "seq2see tune train.tsv --dev dev.tsv --trials 40 --jobs 4 -o runs/tune --set training.max_updates=2000",
    ),
    "distill": (
        "seq2see distill runs/seeds -o runs/one",
        "seq2see distill runs/seeds --sources words.txt -o runs/small --set model.width=128",
    ),
    "predict": (
        'seq2see predict runs/pairs "a text"',
        "seq2see predict runs/pairs --input texts.txt -o answers.txt",
        "seq2see predict runs/pairs --beam 5 --n-best 3 < texts.txt",
        "seq2see predict runs/sounds --lexicon dictionary.tsv < words.txt",
    ),
    "generate": ("seq2see generate runs/lines --count 3 --prompt a",),
    "chat": ("seq2see chat runs/chat", "seq2see chat runs/chat --seed 7 --temperature 1 < messages.txt"),
    "score": ("seq2see score runs/pairs pairs.tsv -o scores.txt",),
    "align": (
        "seq2see align runs/sounds pairs.tsv > pairs.align",
        "seq2see align runs/sounds pairs.tsv --format tsv -o pairs.align.tsv",
    ),
    "attend": ('seq2see attend runs/pairs "a text"', 'seq2see attend runs/pairs "a text" -o attention.html'),
    "evaluate": (
        "seq2see evaluate runs/pairs test.tsv",
        "seq2see evaluate runs/pairs runs/small test.tsv --metrics exact_match,cer",
        "seq2see evaluate runs/pairs test.tsv --errors errors.tsv",
        "seq2see evaluate runs/pairs test.tsv --baseline lead-1 lookup",
    ),
    "curves": ("seq2see curves runs/pairs runs/small -o curves.png",),
    "report": ("seq2see report runs/pairs --test test.tsv -o report.html",),
    "pack": ("seq2see pack runs/pairs --weights int8 -o pairs.seq2see",),
    "export": ("seq2see export runs/pairs -o pairs.html", "seq2see export runs/pairs -o pairs.mjs"),
    "bench": ("seq2see bench runs/pairs", "seq2see bench pairs.seq2see --data pairs.tsv --threads 1 4"),
    "serve": (
        "seq2see serve runs/pairs",
        "seq2see serve dates.seq2see en=runs/english --port 9000 --workers 4",
        "seq2see serve runs/pairs --host 0.0.0.0 --api-key-file keys --log-format json",
    ),
    "completion": ("seq2see completion bash > ~/.local/share/bash-completion/completions/seq2see",),
}
"""By verb."""


def boxed(box: Group, *names: str, converter: Callable[..., Any] | None = None) -> Callable[[Options], Options]:
    """A decorator that puts fields which a dataclass inherits into a box of `--help`; all else stays as inherited.

    `converter` makes their values of the words of a command.
    """

    def annotate(options: Options) -> Options:
        inherited = get_type_hints(options, include_extras=True)
        boxes = {
            name: Annotated[
                inherited[name],
                Parameter(group=box, show_default=says_something(getattr(options, name)), converter=converter),
            ]
            for name in names
        }
        options.__annotations__ = get_annotations(options) | boxes
        return options

    return annotate


def says_something(default: object) -> bool:
    """Whether a help page shows this default: not that a switch is off, or that there is none."""
    return default is not False and default not in (None, (), "")


def epilogue(verb: str) -> str:
    """The end of a help page, in Markdown."""
    examples = "".join(f"- `{example}`\n" for example in EXAMPLES[verb])
    return f"Examples:\n\n{examples}\n{ERRORS}"


ERRORS = "Errors exit with code 2 and one message; --trace shows the traceback."
