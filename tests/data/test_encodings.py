"""The encodings of files that are not UTF-8: named with the text as it would read, on every way into the program."""

from __future__ import annotations

import gzip
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from seq2see.data import TableOptions, iterate_sources, open_content, read_pairs
from seq2see.data.encodings import candidates, unicode_form
from seq2see.doctor import check
from seq2see.errors import ConfigError, DataError

TEXTS = {
    "cp1251": "мороз\tm ə r o s\nснег\tsnʲek\nвода\tv ɐ d a\n",
    "koi8-r": "мороз\tm o r o s\nснег\ts n e g\nвода\tv o d a\n",
    "cp1252": "forêt\tf o r e\nnoël\tn o e l\n“garçon”\tg a r s o n\n",
    "cp1250": "źródło\tz r u d w o\npříliš\tp r i l i s\n",
    "cp932": "さくら\ts a k u r a\n東京タワー\ttokyo tower\n",
    "gb18030": "今天天气很好\tj i n\n我们去公园\tw o\n",
    "cp949": "바다가 보인다\tb a d a\n나무와 바람\tn a m u\n",
    "euc_jp": "さくらが咲く\ts a k u r a\n東京\tt o k y o\n",
    "cp1253": "θάλασσα\tth a l a s a\nδέντρο\td e n t r o\n",
    "cp1256": "مدرسة\tm d r s\nكتاب\tk t a b\n",
}
NAMES = {"koi8-r": "KOI8-R", "euc_jp": "EUC-JP"}


@pytest.mark.parametrize("encoding", TEXTS)
def test_the_encoding_is_the_first_candidate_and_shown_as_it_reads(encoding: str) -> None:
    text = "\n".join(line for line in TEXTS[encoding].splitlines() if encoding == "cp1251" or line)
    content = text.encode(encoding, "ignore")
    found = candidates(content)
    assert found[0].name == NAMES.get(encoding, encoding.upper())
    assert found[0].sample.split(" → ")[0] in text
    assert len({each.sample for each in found}) > 1 or len(found) == 1


@pytest.mark.parametrize("kind", ["", ".gz"])
@pytest.mark.parametrize("encoding", TEXTS)
def test_the_encoding_that_is_given_reads_the_text(encoding: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"it's a file.tsv{kind}"
    content = TEXTS[encoding].encode(encoding, "ignore")
    path.write_bytes(gzip.compress(content) if kind else content)
    finding = check(path).find("encoding")
    assert finding and "--encoding" in finding.remedy and any(each.startswith("as ") for each in finding.evidence)
    table = TableOptions(encoding=encoding)
    assert check(path, table=table).exit_code == 0
    pairs = read_pairs([path], table=table).pairs
    assert "".join(f"{pair.source}\t{pair.target}\n" for pair in pairs) == content.decode(encoding)
    with open_content(path, encoding) as file:
        assert file.stream.read().decode() == content.decode(encoding)


def test_a_file_in_utf_8_is_read_whatever_encoding_is_given(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\n" * 50_000 + "é\te\n", encoding="utf-8")
    assert read_pairs([path], table=TableOptions(encoding="cp1252")).pairs[-1].source == "é"
    with open_content(path, "cp1252") as file:
        assert file.stream.read().endswith("é\te\n".encode())


def test_a_wrong_encoding_is_answered_with_those_that_read(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_bytes(TEXTS["cp932"].encode("cp932", "ignore"))
    for read in (lambda: read_pairs([path], table=TableOptions(encoding="euc-jp")), lambda: opened(path, "euc-jp")):
        with pytest.raises(DataError, match=r"byte 1 of the file is not euc_jp\n  as CP932: さくら") as caught:
            read()
        assert caught.value.fix == "give the encoding that reads right: --encoding CP932"
    with pytest.raises(ConfigError, match="unknown encoding 'cp1521'") as unknown:
        read_pairs([path], table=TableOptions(encoding="cp1521"))
    assert unknown.value.fix == "did you mean 'cp1252'? (--encoding)"


def opened(path: Path, encoding: str) -> bytes:
    with open_content(path, encoding) as file:
        return file.stream.read()


def test_one_bad_line_in_a_good_file_is_named_and_the_file_not_converted(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes("é\te\nü\tu\nñ\tn\n".encode() + b"\xe9t\xe9\te t e\n")
    with pytest.raises(DataError) as caught:
        read_pairs([path])
    said = str(caught.value)
    assert f"{path}:4: byte 0xE9 is not UTF-8" in said
    assert "3 others are" in said and "as CP1252: été" in said and "iconv" not in said
    finding = check(path).find("encoding")
    assert finding and "iconv" not in finding.remedy and not finding.command


@pytest.mark.parametrize(
    "text", ["kat\tk a t\nvis\tv i s\n", "猫\tneko\n犬\tinu\n", "мороз\tмраз\nснег\tсняг\n", "😀\tsmile\nx\ty\n"]
)
@pytest.mark.parametrize("form", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_utf_16_and_32_are_read_by_their_mark_and_told_without_one(text: str, form: str, tmp_path: Path) -> None:
    name = form.upper().replace("-LE", "LE").replace("-BE", "BE")
    path = tmp_path / "pairs.tsv"
    path.write_bytes(text.encode(form))
    table = TableOptions()
    if not form.endswith(("16", "32")):
        with pytest.raises(DataError, match=f"looks like {name},") as caught:
            read_pairs([path])
        with pytest.raises(DataError) as streamed, open_content(path):
            pass
        assert str(streamed.value) == str(caught.value)
        finding = check(path).find("encoding")
        assert finding and finding.remedy == caught.value.fix == f"give it: --encoding {name}"
        table = TableOptions(encoding=name)
    pairs = read_pairs([path], table=table).pairs
    assert "".join(f"{pair.source}\t{pair.target}\n" for pair in pairs) == text
    assert check(path, table=table).exit_code == 0


@pytest.mark.parametrize(
    "content", [b"one\t1\nfo\0ur\t4\n", b"", b"\0", bytes(64), "naïve\0\n".encode(), b"\x7fELF\2\1\1\0\0\0"]
)
def test_what_is_not_utf_16(content: bytes) -> None:
    assert not unicode_form(content)


@pytest.mark.parametrize("form", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_utf_16_texts_are_read_from_a_stream(form: str) -> None:
    name = form.upper().replace("-LE", "LE").replace("-BE", "BE")
    content = "läuft\nvis\n".encode(form)
    if form != "utf-16":
        with pytest.raises(DataError, match=f"<stdin>:1: .*looks like {name},") as caught:
            list(iterate_sources(io.BytesIO(content)))
        assert caught.value.fix == f"give it: --encoding {name}"
    table = TableOptions(encoding=None if form == "utf-16" else name)
    assert [pair.source for pair in iterate_sources(io.BytesIO(content), table=table)] == ["läuft", "vis"]


def test_another_encoding_gets_the_same_answer_from_a_stream(tmp_path: Path) -> None:
    """Of a file, all lines are looked at."""
    content = "мороз\nснег\nвода\n".encode("cp1251")
    with pytest.raises(DataError, match=r"<stdin>:1: byte 0xEC is not UTF-8") as caught:
        list(iterate_sources(io.BytesIO(content)))
    assert caught.value.fix == "give the encoding that reads right: --encoding CP1251"
    sources = iterate_sources(io.BytesIO(content), table=TableOptions(encoding="cp1251"))
    assert [pair.source for pair in sources] == ["мороз", "снег", "вода"]
    path = tmp_path / "texts.txt"
    path.write_bytes(content)
    with path.open("rb") as stream, pytest.raises(DataError, match="3 of 3 lines are not UTF-8"):
        list(iterate_sources(stream, str(path)))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89S2SEE\n\x01" + bytes(40), "is a packed model"),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "is a spreadsheet"),
        (b"PK\x03\x04" + bytes(40), "is a zip archive"),
        (b"SQLite format 3\0", "is an SQLite database"),
        (b"\x01\0\0\0" * 20, "is not text"),
    ],
)
def test_files_that_are_not_text_are_named(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "dates.seq2see"
    path.write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        read_pairs([path])
    assert "UTF-8" not in caught.value.what and caught.value.fix
    assert check(path).exit_code == 1


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The end that is read, and the end that is written."""
    reading, writing = os.pipe()
    with open(reading, "rb") as read, open(writing, "wb", buffering=0) as written:
        yield read, written


JAPANESE = "猫\n犬\n家\n山\n東京タワー\nさくら\n".encode("cp932")


def test_lines_of_a_pipe_are_judged_together_and_that_is_said_once(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    stream, written = pipe
    written.write(b"abc\n" + JAPANESE * 5)
    written.close()
    refused: list[DataError] = []
    sources = [pair.source for pair in iterate_sources(stream, refuse=refused.append)]
    assert sources == ["abc", *[""] * 30]
    assert "30 of 31 lines are not UTF-8" in refused[0].what and "as CP932: " in refused[0].what
    assert refused[0].fix == "give the encoding that reads right: --encoding CP932"
    assert {error.fix for error in refused[1:]} == {"as said of <stdin>:2"}


def test_the_last_line_that_is_refused_of_a_pipe_has_a_fix(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    stream, written = pipe
    written.write(JAPANESE * 5)
    written.close()
    with pytest.raises(DataError, match=r"<stdin>:10: ") as caught:
        list(iterate_sources(stream, refuse=lambda error: None))
    assert caught.value.fix == "give the encoding that reads right: --encoding CP932"


@pytest.mark.parametrize("form", ["utf-16-le", "utf-16-be"])
def test_utf_16_in_a_pipe_is_refused_as_a_whole(form: str, pipe: tuple[BinaryIO, BinaryIO]) -> None:
    stream, written = pipe
    written.write("läuft\nvis\nboom\n".encode(form))
    written.close()
    refused: list[DataError] = []
    with pytest.raises(DataError, match=r"<stdin>:1: .*looks like UTF-16"):
        list(iterate_sources(stream, refuse=refused.append))
    assert not refused


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("東京タワー", r"give the encoding that reads right: --encoding [\w-]+(, [\w-]+)* or [\w-]+"),
        ("猫", r"if it reads right so, give this encoding: --encoding [\w-]+"),
    ],
)
def test_nothing_is_sure_about_a_single_line(text: str, fix: str, pipe: tuple[BinaryIO, BinaryIO]) -> None:
    stream, written = pipe
    written.write(f"{text}\n".encode("cp932"))
    written.close()
    with pytest.raises(DataError) as caught:
        list(iterate_sources(stream))
    assert re.fullmatch(fix, caught.value.fix)


def test_a_writer_that_waits_for_each_answer_gets_it(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    stream, written = pipe
    refused: list[DataError] = []
    sources = iterate_sources(stream, refuse=refused.append)
    for line, source in ((b"abc\n", "abc"), (b"no\xebl\n", ""), (b"de\n", "de"), (b"no\xebl\n", "")):
        written.write(line)
        assert next(sources).source == source
    assert [error.where for error in refused] == ["<stdin>:2", "<stdin>:4"]


@pytest.mark.parametrize("before", ["my house sleeps again today; ", "x\t", "x\ty\t", "a long text before it, " * 9])
def test_encodings_are_shown_where_they_differ(before: str) -> None:
    content = f"{before}mein Haus schläft wieder, und wieder, und wieder\n".encode("cp1252") * 3
    found = candidates(content)
    assert len(found) > 1
    assert len({each.sample for each in found}) == len(found)
    assert next(each.sample for each in found if each.name == "CP1252").count("schläft") == 1
    assert all(len(each.sample) < 70 for each in found)
