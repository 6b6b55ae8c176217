"""What `seq2see attend` does with its options."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from rich.text import Text

from seq2see.console import Terminal, say
from seq2see.errors import ConfigError
from seq2see.inference.loading import load
from seq2see.inference.options import GenerationOptions
from seq2see.pictures.attention import attend, no_attention
from seq2see.pictures.labels import END_NOTE, legible
from seq2see.pictures.save import require_writable, save_attention
from seq2see.pictures.terminal import heat_lines

Sources = Callable[[], AbstractContextManager[tuple[Iterable[str], object]]]


def run_attend(
    run: Path,
    sources: Sources,
    *,
    output: Path | None,
    heads: bool,
    options: GenerationOptions,
    engine: str,
    device: str,
) -> None:
    """Write the attention to a file or print it.

    Raises UserError for invalid options before the model is loaded, and for a model without attention before the texts
    are read.
    """
    if output is not None:
        require_writable(output)
    elif heads:
        raise ConfigError("needs -o: the terminal shows only the mean", where="--heads", fix="add -o heads.html")
    model = load(run, engine=engine, device=device)
    if not model.has_attention:
        raise no_attention()
    with sources() as (texts, _):
        found = attend(model, list(texts), options=options, heads=heads)
    cut_off = sum(not each.prediction.finished for each in found)
    if cut_off:
        say(f"note: {cut_off:,} of {len(found):,} predictions were cut off (see --max-length)")
    if output is not None:
        save_attention(found, output)
        say(f"attention: {output}")
        return
    console = Terminal(highlight=False)
    for each in found:
        console.print(Text(f"{legible(each.source)} → {legible(each.prediction.text)}", style="bold"), soft_wrap=True)
        for line in heat_lines(each.prediction):
            console.print(line, soft_wrap=True)
    console.print(Text(END_NOTE, style="dim"))
