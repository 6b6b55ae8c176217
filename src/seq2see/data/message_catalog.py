"""Message catalogs of gettext (.po) as lines of JSON."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from seq2see.errors import DataError

_START = re.compile(rb'(?:\xef\xbb\xbf)?(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*msg(?:id|ctxt)[ \t]+"')
_KEYWORD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[\d{1,3}\])?)\s+(".*")')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CHARSET = re.compile(rb"charset=([\w.:-]+)")
_BLANKS = {"n": "\n", "t": "\t", "r": "\r"}


def is_message_catalog(start: bytes) -> bool:
    """Whether a file that begins so is a catalog: comments, and then a message."""
    return _START.match(start) is not None


class _Message(NamedTuple):
    """The parts of a message by their keywords."""

    parts: dict[str, str]
    is_fuzzy: bool

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The message and its translation, and so the plural; not the head of the file, nor what has none."""
        source = self.parts.get("msgid", "")
        if not source or self.is_fuzzy:
            return
        forms = [text for name, text in self.parts.items() if name.startswith("msgstr")]
        sources = [source, *([self.parts["msgid_plural"]] if "msgid_plural" in self.parts else [])]
        for text, form in zip(sources, [*forms[:1], *forms[-1:]], strict=False):
            if text.strip() and form.strip():
                yield " ".join(text.split()), " ".join(form.split())


def catalog_lines(lines: Iterable[bytes], where: str) -> Iterator[bytes]:
    """A line per message with its translation: `source` and `target`.

    Messages that are fuzzy, obsolete or not translated are left out. DataError for a line that is none of a catalog.
    """
    encoding, parts, last, is_fuzzy = "utf-8", dict[str, str](), "", False
    for number, raw in enumerate(lines, start=1):
        if found := _CHARSET.search(raw) if not parts.get("msgid") and last == "msgstr" else None:
            encoding = _known(found[1].decode(), f"{where}:{number}")
        try:
            line = raw.removeprefix(codecs.BOM_UTF8).decode(encoding).strip()
        except UnicodeDecodeError as error:
            what = f"byte 0x{raw[error.start]:02X} is not {encoding.upper()}, which the head of the catalog names"
            raise DataError(what, where=f"{where}:{number}", fix="name the right charset there") from None
        is_next = not line or line.startswith(("#", "msgctxt", "msgid ")) or line.startswith('msgid"')
        if is_next and any(name.startswith("msgstr") for name in parts):
            yield from _as_json(_Message(parts, is_fuzzy))
            parts, last, is_fuzzy = {}, "", False
        if line.startswith("#"):
            is_fuzzy = is_fuzzy or (line.startswith("#,") and "fuzzy" in line)
        elif found_here := _KEYWORD.fullmatch(line):
            last, text = found_here[1], found_here[2]
            parts[last] = _unquoted(text)
        elif line.startswith('"') and line.endswith('"') and len(line) > 1 and last:
            parts[last] += _unquoted(line)
        elif line:
            what, fix = f"{line!r:.80} is no line of a message catalog", "check the file: msgfmt --check file.po"
            raise DataError(what, where=f"{where}:{number}", fix=fix)
    yield from _as_json(_Message(parts, is_fuzzy))


def _as_json(message: _Message) -> Iterator[bytes]:
    for source, target in message.pairs():
        yield json.dumps({"source": source, "target": target}, ensure_ascii=False).encode() + b"\n"


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: _BLANKS.get(found[1], found[1]), text[1:-1])


def _known(name: str, where: str) -> str:
    """The encoding; that of templates is UTF-8. DataError for an unknown one."""
    if name == "CHARSET":
        return "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise DataError(
            f"unknown charset {name!r:.80}", where=where, fix="convert the file: msgconv -t UTF-8"
        ) from None
