"""TMX and XLIFF as pairs."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest

import seq2see
from seq2see.data import read_pairs
from seq2see.data.files import open_content
from seq2see.data.options import TableOptions

UNITS = [("the dog & co", "der Hund", "le chien"), ("a cat", "eine Katze", ""), ("two foxes", "zwei Füchse", "renards")]


def tmx(encoding: str = "UTF-8") -> str:
    """A memory of English, German and, not in every unit, French."""
    units = ""
    for english, german, french in UNITS:
        formatted = english.replace("&", "&amp;").replace(
            "dog", '<bpt i="1">&lt;b&gt;</bpt>dog<ept i="1">&lt;/b&gt;</ept>'
        )
        texts = {"en-US": formatted, "de-DE": german} | ({"fr": french} if french else {})
        units += "<tu>" + "".join(f'<tuv xml:lang="{k}"><seg>{v}</seg></tuv>' for k, v in texts.items()) + "</tu>\n"
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'
    return f'{head}<tmx version="1.4"><header srclang="de-de"/><body>\n{units}</body></tmx>\n'


def pairs(path: Path, *columns: str) -> list[tuple[str, str]]:
    options = TableOptions(source=columns[:1], target=columns[1]) if columns else TableOptions()
    return [(pair.source, pair.target) for pair in read_pairs([path], table=options, skip_bad=True).pairs]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1"])
def test_two_languages_are_chosen_and_codes_of_formatting_left_out(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "memory.tmx"
    path.write_bytes(tmx(encoding).encode(encoding))
    assert pairs(path, "en-US", "de-DE") == [(english, german) for english, german, _ in UNITS]
    assert pairs(path, "de-DE", "fr") == [(german, french) for _, german, french in UNITS if french]


def test_the_language_of_the_source_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "memory.tmx.gz"
    path.write_bytes(gzip.compress(tmx().encode()))
    with open_content(path) as opened:
        assert opened.stream.readline() == b'{"de-DE": "der Hund", "en-US": "the dog & co", "fr": "le chien"}\n'


@pytest.mark.parametrize(
    "unit",
    [
        '<trans-unit id="1"><source>a <g id="1">dog</g> <x id="2"/>here</source><target>ein Hund</target>'
        "<alt-trans><source>no</source><target>nein</target></alt-trans></trans-unit>",
        '<unit id="1"><segment><source>a <pc id="1">dog</pc> <ph id="2"/>here</source><target>ein\n Hund</target>'
        "</segment></unit>",
    ],
)
def test_xliff_has_sources_and_targets(unit: str, tmp_path: Path) -> None:
    path = tmp_path / "page.xlf"
    body = f'<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2"><file><body>{unit}</body></file></xliff>'
    path.write_text(f'<?xml version="1.0"?>\n{body}')
    assert pairs(path) == [("a dog here", "ein Hund")]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (tmx()[:300], "the XML is damaged: "),
        (tmx("nothing"), "the XML is damaged: unknown encoding"),
        (tmx().replace("a cat", "<hi>" * 50_000 + "</hi>" * 50_000), "the XML is nested too deeply"),
        ('<?xml version="1.0"?><words><w>a</w></words>\n', "is XML, and no table"),
        ("<!DOCTYPE html>\n<p>a</p>\n", "is HTML, and no table"),
    ],
    ids=["cut", "encoding", "deep", "other", "page"],
)
def test_other_xml_is_refused(content: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "memory.tmx"
    path.write_text(content)
    with pytest.raises(seq2see.DataError, match=what):
        read_pairs([path])


def test_entities_do_not_fill_the_memory(tmp_path: Path) -> None:
    names = "abcdefghi"
    entities = "".join(f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in pairwise(names))
    path = tmp_path / "memory.tmx"
    path.write_text(
        f'<?xml version="1.0"?><!DOCTYPE tmx [<!ENTITY a "{"a" * 40}">{entities}]>'
        '<tmx><body><tu><tuv xml:lang="en"><seg>&i;</seg></tuv></tu></body></tmx>'
    )
    with pytest.raises(seq2see.DataError, match="damaged"):
        read_pairs([path])


def test_a_memory_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "memory.tmx"
    path.write_text(tmx(), encoding="utf-8")
    chosen = read_pairs([path], table=TableOptions(source=("en-US",), target="de-DE"), skip_bad=True).format
    assert chosen is not None
    assert chosen.describe() == (
        "TMX; en-US as source, de-DE as target; left out: fr (choose others with --source and --target)"
    )
