"""TMX and XLIFF as pairs."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest

import seq2see
from seq2see.data import iterate_rows, read_pairs
from seq2see.data.files import open_content
from seq2see.data.options import TableOptions
from seq2see.doctor import check

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


def units(*texts: tuple[str, str | None]) -> str:
    """XLIFF of these sources and targets."""
    made = "".join(
        f"<trans-unit><source>{one}</source>{'' if other is None else f'<target>{other}</target>'}</trans-unit>"
        for one, other in texts
    )
    return f'<?xml version="1.0"?>\n<xliff><file><body>{made}</body></file></xliff>'


def test_units_without_a_translation_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "page.xlf"
    path.write_text(units(("a dog", "ein Hund"), ("a cat", None), ("a fox", " "), ("a cow", "eine Kuh")))
    found = read_pairs([path])
    assert [tuple(pair) for pair in found.pairs] == [
        ("a dog", "ein Hund", f"{path}:1"),
        ("a cow", "eine Kuh", f"{path}:4"),
    ]
    assert found.skipped == 0
    assert found.format is not None
    assert found.format.describe().endswith("; 2 units without a translation left out")
    assert found.format.chosen() == {}
    assert not [finding for finding in check(path).findings if finding.severity == "error"]
    with open_content(path) as opened:
        texts = [row.source for row in iterate_rows(opened.stream, str(path))]
    assert texts == ["a dog", "a cat", "a fox", "a cow"], "they are there to be translated"


def test_a_memory_of_three_languages_has_units_without_one(tmp_path: Path) -> None:
    path = tmp_path / "memory.tmx"
    path.write_text(tmx(), encoding="utf-8")
    options = TableOptions(source=("de-DE",), target="fr")
    assert len(read_pairs([path], table=options).pairs) == sum(bool(french) for _, _, french in UNITS)
    with pytest.raises(seq2see.DataError, match="the key 'source' is missing"):
        read_pairs([path])


def test_a_file_without_any_translation_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "page.xlf"
    path.write_text(units(("a dog", None), ("a cat", "")))
    with pytest.raises(seq2see.DataError, match="no unit has a source and a target") as error:
        read_pairs([path])
    [finding] = check(path).findings
    assert (finding.detail, finding.remedy) == (error.value.what, error.value.fix)


def test_a_memory_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "memory.tmx"
    path.write_text(tmx(), encoding="utf-8")
    chosen = read_pairs([path], table=TableOptions(source=("en-US",), target="de-DE"), skip_bad=True).format
    assert chosen is not None
    assert chosen.describe() == (
        "TMX; en-US as source, de-DE as target; left out: fr (choose others with --source and --target)"
    )
