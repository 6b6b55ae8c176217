"""Options that several verbs share, as the command line reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token, convert

from seq2see.commands.boxes import (
    COMPUTING,
    CONSTRAINTS,
    DATA,
    INPUT,
    MODEL,
    OUTPUT,
    SAMPLING,
    SCORES,
    SEARCH,
    TABLE,
    boxed,
)
from seq2see.data.digits import whole_number
from seq2see.data.options import Decision, TableOptions, columns_in  # noqa: F401 (as below)
from seq2see.errors import ConfigError
from seq2see.evaluation.options import MIN_SAMPLES, MOST_SAMPLES, EvaluationOptions  # noqa: F401 (as below)
from seq2see.inference.glossary import Glossary
from seq2see.inference.options import (  # noqa: F401 (the command line resolves inherited annotations in this module)
    MAX_COUNT,
    OF_BEAMS,
    OF_PHRASES,
    OF_SAMPLING,
    Alignments,
    BatchOptions,
    Beam,
    Count,
    Draws,
    EngineName,
    Format,
    GenerationOptions,
    Penalty,
    Probability,
    Ratio,
    Repeats,
    Risk,
    Temperature,
    Texts,
    TopP,
)


@dataclass(frozen=True)
@boxed(INPUT, "max_input_length", "strict")
@boxed(COMPUTING, "batch_size")
class BatchFlags(BatchOptions):
    """`BatchOptions`, each a flag of its own: names, types, defaults and help are those of the Python API."""


def read_glossary(kind: object, tokens: Sequence[Token]) -> Glossary | None:
    """The glossary of a file, whose name is the value of the flag."""
    from seq2see.commands.mistakes import read_as_found

    with read_as_found():
        return Glossary.of(tokens[0].value)


def read_columns(kind: object, tokens: Sequence[Token]) -> Any:
    """Names or numbers of columns, separated by commas."""
    return columns_in(",".join(token.value for token in tokens))


def read_names(kind: object, tokens: Sequence[Token]) -> Any:
    """The same of all columns, of which some may have no name."""
    return columns_in(",".join(token.value for token in tokens), keep_empty=True)


def read_output(kind: Any, tokens: Sequence[Token]) -> Any:
    """Where to write. ConfigError for an empty name, of which pathlib would make the working directory."""
    for token in tokens:
        if not token.value:
            fix = "name a file or folder; a variable of the shell may be empty"
            raise ConfigError("must not be empty", where=token.keyword or "the output", fix=fix)
    return convert(kind, tokens)


FromFile = Parameter(converter=read_glossary, n_tokens=1, accepts_keys=False)


@dataclass(frozen=True)
@boxed(INPUT, "max_input_length", "strict")
@boxed(COMPUTING, "batch_size")
@boxed(SEARCH, "beam", "n_best", *OF_BEAMS, "mbr", "mbr_samples")
@boxed(SAMPLING, "sample", *OF_SAMPLING)
@boxed(CONSTRAINTS, "min_length", "max_length", "min_ratio", "max_ratio", "prefix", "forbid", "contain", "no_repeat")
@boxed(CONSTRAINTS, "placeholders")
@boxed(OUTPUT, "top_tokens")
class GenerationFlags(GenerationOptions):
    """`GenerationOptions`, each a flag of its own."""

    glossary: Annotated[Glossary | None, FromFile, Parameter(group=CONSTRAINTS, show_default=False)] = None
    """File of terms and their translations, one pair per line: answers contain those of the terms in their texts."""


GREEDY = GenerationFlags()
Hidden = Parameter(show=False)
"""Refused with a reason, so that no help page offers it."""


@dataclass(frozen=True)
class SamplingFlags(GenerationFlags):
    """`GenerationFlags` for a language model that writes freely: it samples several texts by default."""

    n_best: Annotated[Draws, Parameter(name="--count", group=SAMPLING)] = 5
    """Number of texts."""
    sample: Annotated[bool, Hidden] = True
    """Always."""
    beam: Annotated[Beam, Hidden] = 1
    length_penalty: Annotated[Penalty | None, Hidden] = None
    coverage_penalty: Annotated[Penalty, Hidden] = 0.0
    beam_groups: Annotated[Beam, Hidden] = 1
    diversity: Annotated[Penalty, Hidden] = 0.5
    beam_steps: Annotated[bool, Hidden] = False
    contain: Annotated[Texts, Hidden] = ()
    placeholders: Annotated[str, Hidden] = ""
    glossary: Annotated[Glossary | None, FromFile, Hidden] = None

    def __post_init__(self) -> None:
        for name in ("beam", *OF_BEAMS, *OF_PHRASES):
            if getattr(self, name) != getattr(GREEDY, name):
                what = "conflicts with sampling, which is what this command does"
                raise ConfigError(what, where=name, fix="leave it out, or use seq2see predict")
        super().__post_init__()


@dataclass(frozen=True)
class ChatFlags(SamplingFlags):
    """`SamplingFlags` for a conversation: one reply, without repetitions, from the more probable tokens."""

    n_best: Annotated[Draws, Parameter(parse=False)] = 1
    batch_size: Annotated[Count, Parameter(parse=False)] = 1
    strict: Annotated[bool, Parameter(parse=False)] = False
    temperature: Annotated[Temperature, Parameter(group=SAMPLING)] = 0.7
    """Below 1 sharpens the distribution, above 1 flattens it."""
    top_p: Annotated[TopP, Parameter(group=SAMPLING)] = 0.9
    """Draw from the most probable tokens that together have this probability."""
    no_repeat: Annotated[Repeats | None, Parameter(group=CONSTRAINTS)] = 3
    """No n-gram of this length occurs twice in a reply; 0: any may."""


@dataclass(frozen=True)
@boxed(INPUT, "max_input_length", "strict")
@boxed(COMPUTING, "batch_size")
@boxed(SCORES, "metrics", "by", "samples", "seed")
@boxed(SEARCH, "beam", "length_penalty", "mbr")
class EvaluationFlags(EvaluationOptions):
    """`EvaluationOptions`, each a flag of its own, with one that switches grouping off."""

    group: Annotated[bool, Parameter(negative="--no-group", group=SCORES)] = True
    """Pairs with the same source are one item with several references."""


@dataclass(frozen=True)
class ComparisonFlags(EvaluationFlags):
    """`EvaluationFlags` without the seed of the bootstrap, which would be taken for that of the trainings."""

    seed: Annotated[int, Parameter(parse=False)] = 0


@dataclass(frozen=True)
@boxed(TABLE, "source", converter=read_columns)
@boxed(TABLE, "names", converter=read_names)
@boxed(TABLE, "target", "delimiter", "header", "quotes", "comment", "encoding")
class TableFlags(TableOptions):
    """`TableOptions`, each a flag of its own."""


@dataclass(frozen=True)
@boxed(TABLE, "source", converter=read_columns)
@boxed(TABLE, "names", converter=read_names)
@boxed(TABLE, "delimiter", "header", "quotes", "comment", "encoding")
class SourceTableFlags(TableFlags):
    """`TableFlags` for texts to answer, which have no target."""

    target: Annotated[str | None, Parameter(parse=False)] = None


Table = Annotated[TableFlags, Parameter(name="*")]
SourceTable = Annotated[SourceTableFlags, Parameter(name="*")]
AS_FOUND = TableFlags()
SOURCES_AS_FOUND = SourceTableFlags()
Scoring = Annotated[BatchFlags, Parameter(name="*")]
Generation = Annotated[GenerationFlags, Parameter(name="*")]
Sampling = Annotated[SamplingFlags, Parameter(name="*")]
Chatting = Annotated[ChatFlags, Parameter(name="*")]
Evaluation = Annotated[EvaluationFlags, Parameter(name="*")]
Comparison = Annotated[ComparisonFlags, Parameter(name="*")]

Engine = Annotated[
    EngineName,
    Parameter(
        group=COMPUTING,
        help="What computes: auto is NumPy on a CPU, torch on a GPU. The answers are the same, but for torch-bfloat16, "
        "which is faster for many texts and rounds.",
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    Parameter(group=COMPUTING, help="Where it computes; prediction uses a GPU only if named."),
]
Run = Annotated[Path, Parameter(help="A run folder, a model/ folder, or a packed .seq2see file.")]
Files = Annotated[list[Path] | None, Parameter(group=DATA, consume_multiple=True)]
OutputFile = Annotated[
    Path | None,
    Parameter(
        name=["--output", "-o"],
        converter=read_output,
        group=OUTPUT,
        help="The file of the answers; by default the terminal.",
    ),
]
OutputFolder = Parameter(name=["--out", "-o"], converter=read_output)
"""Of verbs that write a folder. Folders above it are made, as for every output."""
WIDTH_MM = 84.0
"""The default width of a figure: a column of a page with two."""
WidthOption = Annotated[
    float, Parameter(group=OUTPUT, help="The width of the picture in millimetres; its text has 8 points at any width.")
]
FormatOption = Annotated[
    Format | None,
    Parameter(
        name="--format",
        group=OUTPUT,
        help="text, or tsv (escaped by backslashes) or jsonl with scores; tsv with several answers.",
    ),
]
AlignmentsOption = Annotated[
    Alignments | None,
    Parameter(group=OUTPUT, help="Add the source position of largest attention to each target token."),
]
InputFile = Annotated[
    Path | None,
    Parameter(
        name="--input",
        group=INPUT,
        help="A file of texts, one per line, or a table with their columns, and prefix, contain, … of a line.",
    ),
]
Switch = Annotated[bool, Parameter(show_default=False)]
SkipBad = Annotated[Switch, Parameter(group=DATA, help="Skip invalid lines, and count them.")]
Json = Annotated[Switch, Parameter(group=OUTPUT, help="Print one JSON object.")]
TableFormat = Annotated[
    Literal["text", "latex", "csv"],
    Parameter(name="--format", group=OUTPUT, help="How scores are printed: text, LaTeX (a tabular of booktabs), CSV."),
]
RecipeOption = Annotated[
    str | None,
    Parameter(
        name="--recipe",
        group=MODEL,
        help="Settings for a usual use: translation, summary, questions, chat, captions, pronunciation, inflection, "
        "normalization, transliteration; or a file .toml, whose data are not read.",
    ),
]
Settings = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        group=MODEL,
        consume_multiple=True,
        help="Options by name: training.rate=2e-3 model.width=128; seq2see settings lists them.",
    ),
]


def sizes_in(text: str) -> list[int]:
    """Numbers of pairs, separated by commas. ConfigError for anything else."""
    sizes = [whole_number(word.strip()) for word in text.split(",") if word.strip()]
    found = [size for size in sizes if size is not None]
    if len(found) < len(sizes):
        raise ConfigError(f"takes whole numbers, not {text!r:.80}", where="--sizes", fix="use --sizes 100,300,900")
    return found


def width_in(width: float) -> float:
    """The width of a figure. ConfigError for one that no page has."""
    if not 20 <= width <= 1000:
        fix = "a column of a page with two has 84, a page 174"
        raise ConfigError(f"must be 20 to 1000 millimetres, not {width:g}", where="--width-mm", fix=fix)
    return width


def require_one_format(format_: str, *, json: bool) -> None:
    """ConfigError for two formats."""
    if json and format_ != "text":
        raise ConfigError(f"conflicts with --format {format_}", where="--json", fix="give one of the two")


def parsed(settings: list[str] | None) -> dict[str, Any]:
    """The settings of --set by their keys, the last of a key. ConfigError for one that isn't key=value."""
    from seq2see.config import parse_setting

    return dict(parse_setting(setting) for setting in settings or ())


def require_files(option: str, files: list[Path] | None) -> None:
    """ConfigError for an option of files that none follows."""
    if files == []:
        raise ConfigError("needs a file", where=option, fix=f"name a file of pairs, or leave {option} out")
