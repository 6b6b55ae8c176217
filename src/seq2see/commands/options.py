"""Options that several verbs share, as the command line reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from msgspec import Meta  # noqa: F401 (as below)

from seq2see.errors import ConfigError
from seq2see.evaluation.options import MIN_SAMPLES, EvaluationOptions  # noqa: F401 (as below)
from seq2see.inference.options import (  # noqa: F401 (the command line resolves inherited annotations in this module)
    MAX_COUNT,
    Alignments,
    BatchOptions,
    Count,
    Format,
    GenerationOptions,
    Penalty,
    Probability,
    Ratio,
    Texts,
)

EXIT_INTERRUPTED = 130
"""Exit code of a run that was stopped by Ctrl-C or SIGTERM; it can be resumed."""

Generation = Annotated[GenerationOptions, Parameter(name="*")]
"""The options of a search, each a flag of its own: names, types, defaults and help are those of the Python API."""
GREEDY = GenerationOptions()


@dataclass(frozen=True)
class SamplingOptions(GenerationOptions):
    """`GenerationOptions` for a language model that writes freely: it samples several texts by default."""

    n_best: Annotated[Count, Parameter(name="--count")] = 5
    """Number of texts."""
    sample: Annotated[bool, Parameter(show=False)] = True
    """Always."""


Scoring = Annotated[BatchOptions, Parameter(name="*")]
Sampling = Annotated[SamplingOptions, Parameter(name="*")]


@dataclass(frozen=True)
class EvaluationFlags(EvaluationOptions):
    """`EvaluationOptions` with a flag that switches grouping off."""

    group: Annotated[bool, Parameter(negative="--no-group")] = True
    """Pairs with the same source are one item with several references."""


Evaluation = Annotated[EvaluationFlags, Parameter(name="*")]

Engine = Annotated[
    Literal["auto", "torch", "numpy"],
    Parameter(help="What computes: auto is NumPy on a CPU, torch on a GPU. The answers are the same."),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"], Parameter(help="Where it computes; prediction uses a GPU only if named.")
]
Run = Annotated[Path, Parameter(help="A run folder, a model/ folder, or a packed .seq2see file.")]
FormatOption = Annotated[
    Format | None, Parameter(name="--format", help="text, or tsv or jsonl with scores; tsv with several answers.")
]
AlignmentsOption = Annotated[
    Alignments | None, Parameter(help="Add the source position of largest attention to each target token.")
]
InputFile = Annotated[
    Path | None, Parameter(name="--input", help="A file of texts, one per line (or JSONL with the key source).")
]
SkipBad = Annotated[bool, Parameter(help="Skip invalid lines, and count them.")]
Settings = Annotated[
    list[str] | None,
    Parameter(name="--set", consume_multiple=True, help="Options by name: training.rate=2e-3 model.width=128"),
]


def parsed(settings: list[str] | None) -> dict[str, Any]:
    """The settings of --set by their keys, the last of a key. ConfigError for one that isn't key=value."""
    from seq2see.config import parse_setting

    return dict(parse_setting(setting) for setting in settings or ())


def merged(flags: Mapping[str, tuple[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The values of flags, each with what it is called, and of --set. ConfigError for a key that both give."""
    for key, (flag, _) in flags.items():
        if key in settings:
            fix = f"give one of the two: {flag} or --set {key}"
            raise ConfigError(f"is given twice, by {flag} too", where=f"--set {key}", fix=fix)
    return {key: value for key, (_, value) in flags.items()} | dict(settings)


def require_files(option: str, files: list[Path] | None) -> None:
    """ConfigError for an option of files that none follows."""
    if files == []:
        raise ConfigError("needs a file", where=option, fix=f"name a file of pairs, or leave {option} out")
