"""A file by its ending, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from seq2see.errors import ConfigError, DataError, did_you_mean
from seq2see.inference.results import Prediction
from seq2see.pictures.drawing import as_svg
from seq2see.pictures.heat_map import draw, require_matplotlib
from seq2see.pictures.looked import Attention, attention_of
from seq2see.pictures.page import as_html
from seq2see.pictures.tables import as_json, as_tsv
from seq2see.storage.files import write_file

FORMATS: dict[str, Callable[[Sequence[Attention]], str | bytes]] = {
    ".html": as_html,
    ".svg": as_svg,
    ".png": lambda attentions: draw(attentions, "png"),
    ".pdf": lambda attentions: draw(attentions, "pdf"),
    ".json": as_json,
    ".tsv": as_tsv,
}


def save_attention(attentions: Sequence[Attention], path: str | Path) -> None:
    """All of them in one file: .html, .svg, .png, .pdf, .json or .tsv.

    Only .png and .pdf need matplotlib. Raises UserError for another ending, a path that can't be written, and for what
    one picture can't hold; what was there before is then unharmed. Warns where no font has a symbol.
    """
    path = Path(path)
    require_writable(path)
    if not attentions:
        raise DataError("there is nothing to show", where=str(path), fix="give at least one text")
    content = FORMATS[path.suffix.lower()](attentions)
    write_file(path, content.encode() if isinstance(content, str) else content)


def save_heat_map(prediction: Prediction, path: str | Path) -> None:
    """One prediction as a picture: as `save_attention`, by the path's ending."""
    attention_of(prediction)
    save_attention([Attention("".join(prediction.source_tokens[:-1]), prediction)], path)


def require_writable(path: Path) -> None:
    """UserError for a path whose ending says nothing, that has no folder, or that needs what isn't installed."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ConfigError(
            f"the ending says what is written, and {ending or 'no ending'} says nothing",
            where=str(path),
            fix=did_you_mean(ending, FORMATS),
        )
    if path.is_dir():
        raise ConfigError("is a folder", where=str(path), fix="name a file")
    if not path.parent.is_dir():
        raise ConfigError("its folder is not there", where=str(path), fix=f"make it: mkdir -p {path.parent}")
    if ending in (".png", ".pdf"):
        require_matplotlib()
