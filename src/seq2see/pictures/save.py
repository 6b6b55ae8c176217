"""Attention written to a file in the format of its extension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2see.errors import ConfigError, DataError
from seq2see.pictures.attention import Attention, attention_of
from seq2see.pictures.heat_map import draw, require_matplotlib
from seq2see.pictures.html import as_html
from seq2see.pictures.svg import as_svg
from seq2see.pictures.tables import as_json, as_tsv
from seq2see.storage.files import require_place, write_file

if TYPE_CHECKING:
    from seq2see.inference.results import Prediction

FORMATS: dict[str, Callable[[Sequence[Attention]], str | bytes]] = {
    ".html": as_html,
    ".svg": as_svg,
    ".png": lambda attentions: draw(attentions, "png"),
    ".pdf": lambda attentions: draw(attentions, "pdf"),
    ".json": as_json,
    ".tsv": as_tsv,
}


def save_attention(attentions: Sequence[Attention], path: str | Path) -> None:
    """Write all of them to one file: .html, .svg, .png, .pdf, .json or .tsv.

    Only .png and .pdf need matplotlib. Raises UserError for another extension, a path that can't be written, and more
    than fits into one picture; an existing file is then left unchanged. Warns about symbols that no font has.
    """
    path = Path(path)
    require_writable(path)
    if not attentions:
        raise DataError("no texts were given", where=str(path), fix="give at least one")
    for each in attentions:
        attention_of(each.prediction)  # raises for an empty text
    content = FORMATS[path.suffix.lower()](attentions)
    write_file(path, content.encode() if isinstance(content, str) else content)


def save_heat_map(prediction: Prediction, path: str | Path) -> None:
    """Write the attention of one prediction, like `save_attention`."""
    attention_of(prediction)
    save_attention([Attention("".join(prediction.source_tokens[:-1]), prediction)], path)


def require_writable(path: Path) -> None:
    """UserError for an unsupported extension, a missing folder, or a missing package."""
    extension = path.suffix.lower()
    if extension not in FORMATS:
        *others, last = FORMATS
        raise ConfigError(
            f"unsupported format {extension}" if extension else "the file name has no extension",
            where=str(path),
            fix=f"use {', '.join(others)} or {last}",
        )
    require_place(path)
    if path.is_dir():
        raise ConfigError("is a folder", where=str(path), fix="name a file")
    if extension in (".png", ".pdf"):
        require_matplotlib()
