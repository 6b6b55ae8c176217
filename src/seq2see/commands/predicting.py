"""The verbs that use a trained model: predict, generate, score, align, attend."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from seq2see.commands.answering import answer, require_one_input, require_tokens_shown
from seq2see.commands.boxes import INPUT, OUTPUT
from seq2see.commands.named_files import require_no_files, texts_named
from seq2see.commands.options import (
    AS_FOUND,
    GREEDY,
    SOURCES_AS_FOUND,
    AlignmentsOption,
    BatchFlags,
    Device,
    Engine,
    FormatOption,
    Generation,
    InputFile,
    OutputFile,
    Run,
    Sampling,
    SamplingFlags,
    Scoring,
    SkipBad,
    SourceTable,
    Switch,
    Table,
    read_output,
)
from seq2see.commands.terminal import leading_runs, opened, requests_of, require_other
from seq2see.commands.unanswered import Unanswered, said_by_us
from seq2see.console import counted, say
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError
from seq2see.inference.options import AlignmentFormat, Format

if TYPE_CHECKING:
    from seq2see.data import Pair
    from seq2see.inference.predictor import Predictor

Asked = Annotated[
    str, Parameter(help="Texts, each one argument: quote those with blanks. Without any, or for -, stdin is read.")
]


def predict(
    run: Run,
    /,
    *texts: Asked,
    input_: InputFile = None,
    output: OutputFile = None,
    lexicon: Annotated[
        Path | None,
        Parameter(group=INPUT, help="A file of pairs: texts that it has are looked up, not computed."),
    ] = None,
    options: Generation = GREEDY,
    table: SourceTable = SOURCES_AS_FOUND,
    format_: FormatOption = None,
    alignments: AlignmentsOption = None,
    engine: Engine = "auto",
    device: Device = "auto",
) -> int:
    """Answer texts: arguments, a file, or stdin with one per line; one answer per line, in the same order.

    A language model continues each text. Several runs before the texts answer as an ensemble. Lines of JSONL may have
    constraints of their own: prefix, contain, forbid, min_length, max_length. A text that can't be answered, because it
    is too long or can't be read, gets an empty answer and a message, and the exit code is 2.
    """
    return answer(
        run,
        texts,
        input_=input_,
        output=output,
        lexicon=lexicon,
        options=options,
        table=table,
        format_=format_,
        alignments=alignments,
        engine=engine,
        device=device,
    )


def generate(
    run: Run,
    /,
    *runs: Annotated[Path, Parameter(help="Further runs, which write together as an ensemble.")],
    prompt: Annotated[str, Parameter(group=INPUT, show_default=False, help="The beginning of the text.")] = "",
    output: Annotated[OutputFile, Parameter(help="The file of the texts; by default the terminal.")] = None,
    options: Sampling = SamplingFlags(),  # noqa: B008 (frozen)
    format_: Annotated[
        Format, Parameter(name="--format", group=OUTPUT, help="text, or tsv or jsonl with scores.")
    ] = "text",
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Let a language model write: texts sampled at random, each continuing the prompt until it ends."""
    from seq2see.inference.formats import line_writer
    from seq2see.inference.loading import load

    require_other(output, ())
    model = load([run, *runs], engine=engine, device=device)
    if model.source_codec is not None:
        raise ConfigError(f"{model.name} is not a language model", where=str(run), fix="use seq2see predict")
    [(_, drawn)] = model.stream([prompt], replace(options, strict=True))
    require_tokens_shown(options, format_)
    lines_of = line_writer(format_, None, has_alternatives=format_ != "text" and options.n_best > 1)
    answers = [drawn] if format_ != "text" else drawn.all
    with opened(output) as file:
        file.writelines(line for answer in answers for line in lines_of(1, prompt, answer))


def score(
    run: Run,
    /,
    *data: Annotated[Path, Parameter(help="Further runs, then a file of pairs, or two parallel files.")],
    output: Annotated[OutputFile, Parameter(help="The file of the scores; by default the terminal.")] = None,
    options: Scoring = BatchFlags(),  # noqa: B008 (frozen)
    format_: Annotated[
        Format, Parameter(name="--format", group=OUTPUT, help="text, or tsv or jsonl with more columns.")
    ] = "text",
    table: Table = AS_FOUND,
    skip_bad: SkipBad = False,
    engine: Engine = "auto",
    device: Device = "auto",
) -> int:
    """Print the log-probability of each target of a file of pairs, in nats, and the same per token; one line per pair.

    Several runs before the file score as an ensemble. A pair that is too long has nan and a message, and the exit code
    is 2.
    """
    from seq2see.inference.formats import score_line
    from seq2see.inference.loading import load

    runs, files = leading_runs(run, tuple(map(str, data)))
    require_pairs("score", files, output)
    model = load(runs, engine=engine, device=device)
    pairs = given_pairs(model, files, table, skip_bad=skip_bad)
    unscored = Unanswered("score")
    with said_by_us():
        scores = model.score(pairs, **vars(options))
    with opened(output) as file:
        for number, (pair, each) in enumerate(zip(pairs, scores, strict=True), start=1):
            if each.error:
                unscored.add(pair.origin, each.error)
            file.write(score_line(format_, number, each))
    return unscored.exit_code(len(scores), "pairs")


def align(
    run: Run,
    /,
    *data: Annotated[Path, Parameter(help="A file of pairs, or two parallel files.")],
    output: Annotated[OutputFile, Parameter(help="The file of the alignments; by default the terminal.")] = None,
    options: Scoring = BatchFlags(),  # noqa: B008 (frozen)
    format_: Annotated[
        AlignmentFormat,
        Parameter(name="--format", group=OUTPUT, help="pharaoh: 0-0 1-2; tsv: a table of tokens; jsonl: with weights."),
    ] = "pharaoh",
    table: Table = AS_FOUND,
    skip_bad: SkipBad = False,
    engine: Engine = "auto",
    device: Device = "auto",
) -> int:
    """Align the targets of a file of pairs with their sources: the source token that each target token stands for.

    A model with attention aligns each target token with the source token of largest weight, a transducer by its most
    probable monotonic alignment. A pair that is too long has an empty line and a message, and the exit code is 2.
    """
    from seq2see.inference.aligning import align, alignment_lines
    from seq2see.inference.loading import load

    runs, files = leading_runs(run, tuple(map(str, data)))
    require_pairs("align", files, output)
    model = load(runs, engine=engine, device=device)
    if model.source_codec is None:
        raise ConfigError("unsupported by a language model, which has no source", where=str(run), fix="use another run")
    pairs = given_pairs(model, files, table, skip_bad=skip_bad)
    unaligned = Unanswered("alignment")
    with said_by_us():
        aligned = align(model, pairs, options)
    with opened(output) as file:
        for number, (pair, each) in enumerate(zip(pairs, aligned, strict=True), start=1):
            if each.error:
                unaligned.add(pair.origin, each.error)
            file.writelines(alignment_lines(format_, number, each))
    return unaligned.exit_code(len(aligned), "pairs")


def attend(
    run: Run,
    /,
    *texts: Asked,
    input_: InputFile = None,
    output: Annotated[
        Path | None,
        Parameter(
            alias="-o",
            converter=read_output,
            group=OUTPUT,
            help="A file .html, .svg, .png, .pdf, .json or .tsv; by default the terminal.",
        ),
    ] = None,
    heads: Annotated[Switch, Parameter(group=OUTPUT, help="Every head of every layer, beside their mean.")] = False,
    table: SourceTable = SOURCES_AS_FOUND,
    options: Generation = GREEDY,
    engine: Engine = "auto",
    device: Device = "auto",
) -> int:
    """Show the attention weights of each answer: as a page, a picture, or numbers.

    .html works in every browser and for every script; .png and .pdf need matplotlib. For alignments alone, in Pharaoh
    format: seq2see predict RUN "text" --alignments pharaoh
    """
    from seq2see.commands.attending import run_attend

    texts = texts_named(texts, input_)
    require_one_input(texts, input_, table)
    require_no_files(texts, "attend", [run])
    require_other(output, [input_])
    return run_attend(
        run,
        lambda refuse, longest_line, known: requests_of(
            texts,
            input_,
            to_terminal=output is None and sys.stdout.isatty(),
            refuse=refuse,
            longest_line=longest_line,
            table=table,
            known=known,
        ),
        output=output,
        heads=heads,
        options=options,
        engine=engine,
        device=device,
    )


def require_pairs(verb: str, files: Sequence[str], output: Path | None) -> None:
    """ConfigError without a file of pairs, or if the output is one of them."""
    if not files:
        fix = f"name a file: seq2see {verb} RUN pairs.tsv"
        raise ConfigError("no pairs were given", where=f"seq2see {verb}", fix=fix)
    require_other(output, map(Path, files))


def given_pairs(model: Predictor, files: Sequence[str], table: TableOptions, *, skip_bad: bool) -> list[Pair]:
    """The pairs of these files, in the columns that the model was trained on."""
    from seq2see.inference.pair_files import read_for

    found = read_for(model, [Path(file) for file in files], table=table, skip_bad=skip_bad)
    if found.format is not None and (said := found.format.describe()):
        say(f"{' '.join(files)}: {said}")
    if found.skipped:
        say(f"skipped {counted(found.skipped, 'invalid line')}")
    if found.unreadable:
        say(found.unreadable)
    return found.pairs
