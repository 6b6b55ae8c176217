"""Catalogs of gettext as pairs."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from seq2see.data import read_pairs
from seq2see.data.files import open_content
from seq2see.data.message_catalog import is_message_catalog
from seq2see.errors import DataError

HEAD = '# Translations.\nmsgid ""\nmsgstr ""\n"Language: de\\n"\n"Content-Type: text/plain; charset={}\\n"\n\n'
BODY = r"""#: src/a.c:1
#, c-format
msgid "Open %s"
msgstr "%s öffnen"

#, fuzzy
msgid "Quit"
msgstr "Schließen"

#. a note
msgctxt "menu"
msgid ""
"Save \"as\"\n"
"again"
msgstr "Speichern "
"unter"
msgid "file"
msgid_plural "%d files"
msgstr[0] "Datei"
msgstr[1] "%d Dateien"

msgid "untranslated"
msgstr ""

#~ msgid "old"
#~ msgstr "alt"
"""
PAIRS = [
    ("Open %s", "%s öffnen"), ('Save "as" again', "Speichern unter"), ("file", "Datei"), ("%d files", "%d Dateien"),
]  # fmt: skip


def pairs(path: Path) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in read_pairs([path]).pairs]


@pytest.mark.parametrize("charset", ["UTF-8", "ISO-8859-1", "CHARSET"])
def test_messages_and_their_translations_are_pairs(charset: str, tmp_path: Path) -> None:
    path = tmp_path / "de.po"
    path.write_bytes((HEAD.format(charset) + BODY).encode("utf-8" if charset == "CHARSET" else charset))
    assert pairs(path) == PAIRS
    with open_content(path) as opened:
        assert len(opened.stream.read().splitlines()) == len(PAIRS)
    packed = tmp_path / "de.po.gz"
    packed.write_bytes(gzip.compress(path.read_bytes().replace(b"\n", b"\r\n")))
    assert pairs(packed) == PAIRS


def test_a_line_that_is_none_of_a_catalog_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "de.po"
    path.write_text(HEAD.format("UTF-8") + 'msgid "a"\nmsgstr "b\n')
    with pytest.raises(DataError, match=r"no line of a message catalog") as caught:
        pairs(path)
    assert caught.value.where == f"{path}:8"


@pytest.mark.parametrize(
    ("charset", "message"), [("klingon", "unknown charset 'klingon'"), ("ASCII", "byte 0xC3 is not ASCII")]
)
def test_a_wrong_charset_has_its_place(charset: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "de.po"
    path.write_text(HEAD.format(charset) + BODY, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        pairs(path)
    assert message in caught.value.what
    assert caught.value.where.startswith(f"{path}:")


def test_what_a_catalog_begins_with() -> None:
    assert all(map(is_message_catalog, (b'msgid ""\n', b'\xef\xbb\xbf# a\r\n\r\n#, fuzzy\nmsgid "a"', b'msgctxt "a"')))
    assert not any(map(is_message_catalog, (b"msgid\tmsgstr\n", b"# a\na\tb\n", b"", b'a\nmsgid "a"')))
