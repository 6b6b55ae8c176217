"""Files that are not text: what they are, and how to get pairs out of them."""

from __future__ import annotations

import re
import tomllib
from typing import NamedTuple

from seq2see.data.advice import Advice, piped, quoted_path


class _Format(NamedTuple):
    start: bytes
    what: str
    fix: str
    program: str = ""
    """Decompresses the standard input."""


_SAVE_AS_TEXT = "save or export it as a table in text, such as CSV"
_FORMATS = (
    _Format(b"BZh", "is compressed with bzip2", "decompress it", "bzip2 -dc"),
    _Format(b"\xfd7zXZ\0", "is compressed with xz", "decompress it", "xz -dc"),
    _Format(b"\x28\xb5\x2f\xfd", "is compressed with Zstandard", "decompress it", "zstd -dc"),
    _Format(b"7z\xbc\xaf\x27\x1c", "is a 7z archive", "extract it and name a file of it"),
    _Format(b"SQLite format 3\0", "is an SQLite database", _SAVE_AS_TEXT),
    _Format(b"%PDF-", "is a PDF", _SAVE_AS_TEXT),
    _Format(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a document of an old Microsoft Office", _SAVE_AS_TEXT),
    *(
        _Format(start, "is a pickle of Python", _SAVE_AS_TEXT)
        for start in (b"\x80\x03", b"\x80\x04\x95", b"\x80\x05\x95")
    ),
    _Format(b"\x93NUMPY", "is an array of NumPy", _SAVE_AS_TEXT),
    _Format(b"\x89HDF\r\n", "is in HDF5", _SAVE_AS_TEXT),
    _Format(b"ARROW1", "is in Arrow's format", "save it as Parquet, CSV or JSON Lines"),
    _Format(b"\x89PNG", "is a picture", "name a file of text"),
    _Format(b"\xff\xd8\xff", "is a picture", "name a file of text"),
)
_SUBTITLES = re.compile(rb"(?:WEBVTT|\d+\r?\n[\d:]+[,.]\d{3} --> )")
_EXPORT = "export its pairs as a table in text, such as CSV"
_PRAAT = b'File type = "ooTextFile'
_STANDARD_FORMAT = re.compile(rb"\\(?:_sh|lx|ref|id|tx)\b[^\n]*\n(?:\s*\\\w+\b[^\n]*\n){2}")
"""The beginning of a dictionary or of glossed texts as Toolbox writes them."""
_MARKUP = {b"<?xml": "XML", b"<!doctype html": "HTML", b"<html": "HTML", b"<table": "HTML",
           **dict.fromkeys((b"<doc", b"<srcset", b"<refset", b"<tstset", b"<mteval"), "SGML")}  # fmt: skip
_PACKED_MODEL = b"\x89S2SEE\n"
_ZIP = b"PK\x03\x04"
_DOCUMENTS = (b"[Content_Types].xml", b"xl/", b"word/", b"mimetypeapplication/vnd.oasis")


def _recipe_advice(start: bytes, path: str) -> Advice | None:
    """The advice for a recipe where pairs are expected."""
    try:
        values = tomllib.loads(start.decode())
    except ValueError:
        return None
    data = values.get("data")
    train = data.get("train") if isinstance(data, dict) else None
    named = " ".join(quoted_path(str(each)) for each in ([train] if isinstance(train, str) else train or []))
    use = f"seq2see train {quoted_path(path)}" if named else f"seq2see train pairs.tsv --recipe {quoted_path(path)}"
    fix = f"name the files of pairs themselves{f': {named}' if named else ''}; to train with the recipe: {use}"
    return Advice("is a recipe, and has no pairs", fix)


def known_format(start: bytes, path: str) -> Advice | None:
    """The advice for a file that begins like one of a known format that is not text; None for others."""
    if start.startswith(_PACKED_MODEL):
        name = quoted_path(path)
        fix = f"ask it: seq2see predict {name} TEXT; train it further on pairs: seq2see train PAIRS --from {name}"
        return Advice("is a packed model, and no text", fix)
    if path.endswith(".toml") and (advice := _recipe_advice(start, path)):
        return advice
    if path.endswith((".yaml", ".yml")) and b"\t" not in start:
        return Advice("is a configuration in YAML, and has no pairs", "name the files of pairs themselves")
    if start.startswith(_ZIP):
        if any(mark in start for mark in _DOCUMENTS):
            return Advice("is a spreadsheet or another document, and no text", _SAVE_AS_TEXT)
        return Advice("is a zip archive, and no text", "extract it and name a file of it")
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0].lower()
    if kind := next((kind for mark, kind in _MARKUP.items() if first.startswith(mark) and b"\t" not in first), ""):
        return Advice(f"is {kind}, and no table", f"{_EXPORT}, or as TMX or XLIFF")
    if _SUBTITLES.match(start.removeprefix(b"\xef\xbb\xbf")):
        fix = "align its lines with those of a translation, and write both as source TAB target"
        return Advice("has subtitles, and no pairs", fix)
    if start.startswith(_PRAAT):
        return Advice("is a TextGrid or another file of Praat, and no table", _EXPORT)
    if _STANDARD_FORMAT.match(start.removeprefix(b"\xef\xbb\xbf")):
        what = r"has markers such as \lx at the beginning of each line, as Toolbox writes them (SFM), and is no table"
        return Advice(what, f"{_EXPORT}, with a column for each marker")
    for each in _FORMATS:
        if start.startswith(each.start):
            command = piped(path, each.program, ".txt" if "." not in path else "") if each.program else ""
            return Advice(f"{each.what}, and no text", each.fix, command)
    return None
