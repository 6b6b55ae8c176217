"""The verbs that ask a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seq2see.commands.options import Alignments, Device, Engine, Format, Run
from seq2see.commands.terminal import leading_runs, opened, require_other, texts_of
from seq2see.errors import ConfigError

CHUNK = 2048
"""Lines answered at a time: enough to make batches of like lengths, few enough for any memory."""


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
    from seq2see.inference.formats import line_writer
    from seq2see.inference.loading import load
    from seq2see.inference.options import GenerationOptions

    runs, texts = leading_runs(run, texts)
    if texts and input_ is not None:
        raise ConfigError("texts were given both here and in a file", where="--input", fix="give one of the two")
    require_other(output, [input_])
    options = GenerationOptions(
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
    if alignments and not model.has_attention:
        raise ConfigError(
            "this model has no attention, so there are no alignments", where="--alignments", fix="leave it out"
        )
    number = unfinished = missing = 0
    with texts_of(texts, input_, to_terminal=output is None and sys.stdout.isatty()) as (sources, at_once):
        chunks = model.stream(sources, options, chunk_size=at_once or CHUNK, looked=alignments is not None)
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
    from seq2see.inference.formats import line_writer
    from seq2see.inference.loading import load
    from seq2see.inference.options import GenerationOptions

    if count < 1:
        raise ConfigError(f"{count} texts are none", where="--count", fix="give 1 or more")
    options = GenerationOptions(
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
            f"{model.name} answers texts, it doesn't write freely", where=str(run), fix="use seq2see predict"
        )
    [[(_, drawn)]] = model.stream([prompt], options)
    lines_of = line_writer(format_, None, has_alternatives=format_ != "text" and count > 1)
    answers = [drawn] if format_ != "text" else drawn.all
    sys.stdout.writelines(line for answer in answers for line in lines_of(1, prompt, answer))


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
    from seq2see.data import read_pairs
    from seq2see.inference.formats import score_line
    from seq2see.inference.loading import load

    runs, files = leading_runs(run, tuple(map(str, data)))
    if not files:
        raise ConfigError("no pairs were given", where="seq2see score", fix="name a file: seq2see score RUN pairs.tsv")
    require_other(output, map(Path, files))
    model = load(runs, engine=engine, device=device)
    columns: Literal["pairs", "target"] = "pairs" if model.source_codec else "target"
    found = read_pairs([Path(file) for file in files], columns=columns, skip_bad=skip_bad)
    if found.skipped:
        print(f"left out {found.skipped:,} lines that can't be used", file=sys.stderr)
    scores = model.score(found.pairs, batch_size=batch_size)
    with opened(output) as file:
        file.writelines(score_line(format_, number, each) for number, each in enumerate(scores, start=1))


def attend(
    run: Run,
    /,
    *texts: str,
    input_: Annotated[Path | None, Parameter(name="--input", help="A file of texts, one a line (or JSONL).")] = None,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="A file .html, .svg, .png, .pdf, .json or .tsv; else the terminal.")
    ] = None,
    heads: Annotated[bool, Parameter(negative="", help="Every head of every layer too, not just a mean.")] = False,
    beam: Annotated[int, Parameter(help="Hypotheses kept a text; 1 is greedy.")] = 1,
    max_length: Annotated[int | None, Parameter(help="Target tokens at most, the end counted.")] = None,
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Show where the model looked while it answered: as a page, a picture, or numbers.

    .html works in every browser and for every script; .png and .pdf need matplotlib. Alignments alone, in the form of
    Pharaoh: seq2see predict RUN "text" --alignments pharaoh
    """
    from seq2see.pictures.command import run_attend

    if texts and input_ is not None:
        raise ConfigError("texts were given both here and in a file", where="--input", fix="give one of the two")
    require_other(output, [input_])
    run_attend(
        run,
        lambda: texts_of(texts, input_, to_terminal=output is None and sys.stdout.isatty()),
        output=output,
        heads=heads,
        beam=beam,
        max_length=max_length,
        engine=engine,
        device=device,
    )
