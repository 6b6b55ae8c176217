"""Texts answered by a trained model, one line each: what `seq2see predict` does, without its parser."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seq2see.commands.named_files import require_no_files, texts_named
from seq2see.commands.terminal import leading_runs, opened, requests_of, require_other
from seq2see.commands.unanswered import Unanswered, said_by_us
from seq2see.console import say
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError, DataError
from seq2see.inference.options import LISTED, Alignments, Format, GenerationOptions
from seq2see.storage.files import is_stream

if TYPE_CHECKING:
    from seq2see.inference.requests import Request
    from seq2see.inference.results import Prediction

CHUNK = 2048
"""Lines answered together: enough to make batches of similar lengths, few enough for any memory."""


def answer(
    run: Path,
    texts: tuple[str, ...],
    *,
    input_: Path | None = None,
    output: Path | None = None,
    lexicon: Path | None = None,
    options: GenerationOptions = GenerationOptions(),  # noqa: B008 (frozen)
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    format_: Format | None = None,
    alignments: Alignments | None = None,
    engine: str = "auto",
    device: str = "auto",
) -> int:
    """Write the answers, and return the exit code: 2 if a text can't be answered."""
    from seq2see.inference.formats import line_writer
    from seq2see.inference.loading import load
    from seq2see.inference.predictor import stream_requests

    runs, texts = leading_runs(run, texts)
    texts = texts_named(texts, input_)
    require_one_input(texts, input_, table)
    require_no_files(texts, "predict", runs)
    glossary = options.glossary.path if options.glossary else None
    require_other(output, [input_, lexicon, glossary])
    has_alternatives = options.n_best > 1
    require_tokens_shown(options, format_)
    lines_of = line_writer(
        format_ or ("tsv" if has_alternatives else "text"), alignments, has_alternatives=has_alternatives
    )
    model = load(runs, engine=engine, device=device)
    if alignments and not model.has_attention:
        raise ConfigError("needs a model with attention", where="--alignments", fix="leave it out")
    known = None
    if lexicon is not None:
        from seq2see.commands.mistakes import read_as_found
        from seq2see.inference.lexicon import Lexicon

        with read_as_found():
            known = Lexicon.of_file(lexicon, model)
    number = unfinished = missing = num_known = 0
    strict, options = options.strict, replace(options, strict=False)
    unanswered = Unanswered("answer")
    with requests_of(
        texts,
        input_,
        to_terminal=output is None and sys.stdout.isatty(),
        refuse=None if strict else unanswered.refuse,
        longest_line=model.input_limits(options.max_input_length).line_bytes,
        table=table,
        known=model.table,
    ) as (requests, at_once):
        has_weights = alignments is not None
        # Whoever writes to a pipe may be waiting for each answer.
        is_live = not texts and (input_ is None or is_stream(input_))

        def computed(asked: Iterable[Request]) -> Iterator[tuple[str, Prediction]]:
            return stream_requests(model, asked, options, chunk_size=at_once or CHUNK, with_attention=has_weights)

        noted = unanswered.noting(requests)
        answered = known.before(computed, noted, options.n_best) if known else computed(noted)
        with opened(output) as file, said_by_us():  # only now: invalid options overwrite nothing
            for source, prediction in answered:
                number += 1
                num_known += prediction.looked_up
                place = unanswered.next_place()
                if prediction.error:
                    if strict:
                        what, _, fix = prediction.error.partition("; ")
                        raise DataError(what, where=place, fix=fix)
                    unanswered.add(place, prediction.error)
                else:
                    unfinished += not prediction.finished
                    missing += not prediction.finished and not prediction.target_tokens
                file.writelines(lines_of(number, source, prediction))
                if number % CHUNK == 0 or is_live:
                    file.flush()
    if known:
        say(f"looked up in {lexicon}: {num_known:,} of {number:,} texts")
    if unfinished > missing:
        say(f"note: answers cut off at the maximum length: {unfinished - missing:,}")
    if missing:
        say(f"note: texts without an answer that satisfies the options: {missing:,}")
    return unanswered.exit_code(number, "texts")


def require_tokens_shown(options: GenerationOptions, format_: Format | None) -> None:
    """ConfigError for tokens that are asked for where the format has none."""
    for name in LISTED:
        if getattr(options, name) and format_ != "jsonl":
            what, where = "needs --format jsonl, which has tokens", f"--{name.replace('_', '-')}"
            raise ConfigError(what, where=where, fix="add --format jsonl")


def require_one_input(texts: tuple[str, ...], path: Path | None, table: TableOptions) -> None:
    """ConfigError for texts both as arguments and in a file, and for columns of arguments."""
    if texts and (given := table.given()):
        fix = "leave it out, or give a file: --input table.csv"
        raise ConfigError(
            "is about a table, and texts were given as arguments", where=f"--{next(iter(given))}", fix=fix
        )
    if texts and path is not None:
        raise ConfigError("conflicts with texts as arguments", where="--input", fix="give one of the two")
