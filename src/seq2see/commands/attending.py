"""What `seq2see attend` does with its options."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from rich.text import Text

from seq2see.commands.unanswered import Unanswered, said_by_us
from seq2see.console import Terminal, say
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError, DataError
from seq2see.inference.loading import load
from seq2see.inference.options import LISTED, GenerationOptions
from seq2see.inference.predictor import stream_requests
from seq2see.inference.requests import Request
from seq2see.pictures.attention import Attention, attention_to, require_attention, without_attention
from seq2see.pictures.labels import END_NOTE, legible
from seq2see.pictures.save import require_writable, save_attention
from seq2see.pictures.terminal import heat_lines

Refuse = Callable[[DataError], None]
Sources = Callable[[Refuse | None, int, TableOptions], AbstractContextManager[tuple[Iterable[Request], object]]]


def run_attend(
    run: Path,
    sources: Sources,
    *,
    output: Path | None,
    heads: bool,
    options: GenerationOptions,
    engine: str,
    device: str,
) -> int:
    """Write the attention to a file or print it; returns the exit code, an error's if a text can't be answered.

    Raises UserError for invalid options before the model is loaded, and for a model without attention before the texts
    are read.
    """
    if output is not None:
        require_writable(output)
    elif heads:
        raise ConfigError("needs -o: the terminal shows only the mean", where="--heads", fix="add -o heads.html")
    model = load(run, engine=engine, device=device)
    for name in LISTED:
        if getattr(options, name):
            what, fix = "is not shown with attention", "use seq2see predict --format jsonl"
            raise ConfigError(what, where=f"--{name.replace('_', '-')}", fix=fix)
    require_attention(model, options.n_best, heads=heads)
    strict, options = options.strict, replace(options, strict=False)
    left_out = Unanswered("attention")
    errors: list[DataError] = []
    longest_line = model.input_limits(options.max_input_length).line_bytes
    found: list[Attention] = []
    number = 0
    with sources(None if strict else left_out.refuse, longest_line, model.table) as (requests, _), said_by_us():
        for text, prediction in stream_requests(model, left_out.noting(requests), options):
            number += 1
            place = left_out.next_place()
            if prediction.target_tokens:
                found.append(attention_to(model, text, prediction, heads=heads))
                continue
            error = without_attention(prediction, place)
            if strict:
                raise error
            errors.append(error)
    if not found:
        raise errors[0] if errors else DataError("no texts were given", where="attend", fix="give at least one")
    for error in errors:
        left_out.add(error.where, f"{error.what}; {error.fix}")
    cut_off = sum(not each.prediction.finished for each in found)
    if cut_off:
        say(f"note: {cut_off:,} of {len(found):,} predictions were cut off (see --max-length)")
    code = left_out.exit_code(number, "texts")
    if output is not None:
        save_attention(found, output)
        say(f"attention: {output}")
        return code
    console = Terminal(highlight=False)
    for each in found:
        console.print(Text(f"{legible(each.source)} → {legible(each.prediction.text)}", style="bold"), soft_wrap=True)
        for line in heat_lines(each.prediction):
            console.print(line, soft_wrap=True)
    console.print(Text(END_NOTE, style="dim"))
    return code
