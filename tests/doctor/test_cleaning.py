"""The clean copy: all its faults are corrected, nothing else is changed, and the original is kept."""

from __future__ import annotations

import gzip
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.data import read_pairs
from seq2see.doctor import check, clean
from seq2see.doctor.cleaning import CHANGES, clean_text
from seq2see.errors import ConfigError, DataError, UserError

DIRTY = (
    "\ufeffone\t1\r\n"
    "caf\u0065\u0301  au\u00a0lait \t 2\n"
    "\n"
    "no target\n"
    "fo\u200bur\t4\x07\n"
    "one\t1\n"
    "\u00ad\tgone\n"
    "kept\u200e\tשלום\u200f\n"
    "می\u200cخواهم\t東京\u3000タワー\n"
    "x\ufeff\ty\x0bz\n"
    "&amp;\t“don’t” – Ã¼\n"
).encode() + b"bad \xff\t1\n\n"
CLEAN = (
    "one\t1\ncafé au lait\t2\nfour\t4\nkept\tשלום\u200f\nمی\u200cخواهم\t東京\u3000タワー\nx\ty z\n&amp;\t“don’t” – Ã¼\n"
)
CORRECTED = {*CHANGES, "duplicates", "blank-lines", "columns", "encoding", "empty-sides", "nul"}


def test_safe_changes_are_made_and_counted(tmp_path: Path) -> None:
    path, output = tmp_path / "pairs.tsv", tmp_path / "clean.tsv"
    path.write_bytes(DIRTY)
    cleaned = clean([path], output)
    assert output.read_bytes().decode() == CLEAN
    assert path.read_bytes() == DIRTY
    assert cleaned.pairs == 7
    assert cleaned.left_out == {"unusable": 3, "emptied": 1, "duplicates": 1}
    assert cleaned.changed == {
        "byte-order-mark-at-start": 1,
        "windows-line-ends": 1,
        "byte-order-mark-inside": 1,
        "control": 2,
        "invisible": 3,
        "unusual-spaces": 1,
        "not-nfc": 1,
        "doubled-blanks": 1,
        "space-around": 2,
    }
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".part")] == []
    assert not CORRECTED & {finding.name for finding in check(output).findings}
    again = clean([output], tmp_path / "again.tsv")
    assert not again.changed and not again.left_out
    assert (tmp_path / "again.tsv").read_bytes() == output.read_bytes()


def test_repeated_pairs_can_be_kept(tmp_path: Path) -> None:
    path, output = tmp_path / "pairs.tsv", tmp_path / "clean.tsv"
    path.write_text("a\tb\na \tb\n")
    assert clean([path], output, keep_duplicates=True).pairs == 2
    assert clean([path], output).pairs == 1


def test_other_formats_become_tsv(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"source": "a\\tb", "target": "c"}\n{"source": "d"}\n')
    cleaned = clean([tmp_path / "a.jsonl"], tmp_path / "clean.tsv.gz")
    assert gzip.decompress((tmp_path / "clean.tsv.gz").read_bytes()) == b"a b\tc\n"
    assert cleaned.left_out == {"unusable": 1}
    (tmp_path / "x.en").write_text("a\tz\nb \n")
    (tmp_path / "x.de").write_text("1\n2\n")
    clean([tmp_path / "x.en", tmp_path / "x.de"], tmp_path / "clean.tsv")
    assert (tmp_path / "clean.tsv").read_text() == "a z\t1\nb\t2\n"


def test_csv_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    """With a header, and quoted as its readers expect it."""
    (tmp_path / "a.tsv").write_text('one, two\t"1", 2 \nthree\t3\n')
    clean([tmp_path / "a.tsv"], tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == 'source,target\n"one, two","""1"", 2"\nthree,3\n'
    rows = 'lemma\ttag\tform\nab\tV;PST, old\tba\nde\tN;PL\te "d"\nfg\tN;SG\tgf\n'
    (tmp_path / "b.tsv").write_text(rows)
    clean([tmp_path / "b.tsv"], tmp_path / "b.csv.gz")
    written = gzip.decompress((tmp_path / "b.csv.gz").read_bytes()).decode()
    assert written == 'lemma,tag,form\nab,"V;PST, old",ba\nde,N;PL,"e ""d"""\nfg,N;SG,gf\n'
    clean([tmp_path / "b.csv.gz"], tmp_path / "again.tsv")
    assert (tmp_path / "again.tsv").read_text() == rows


@pytest.mark.parametrize(
    ("content", "output", "what"),
    [
        (b"a\tb\n", "pairs.tsv", "overwrite the original"),
        (b"a\tb\n", "link.tsv", "overwrite the original"),
        (b"a\tb\n", "clean.jsonl", "is TSV or CSV"),
        (b"a\tb\n", ".", "is a folder"),
        (b"a\tb\n", "pairs.tsv/clean.tsv", "can't be written"),
        (b"only one column\n", "clean.tsv", "only 0 of 1 lines are valid, so nothing was written"),
        (b"\n", "clean.tsv", "is empty"),
        ("a\tb\n".encode("utf-16-be"), "clean.tsv", "looks like UTF-16BE"),
        (b"a\tb\tc d\n", "clean.tsv", "which are source and target"),
        (gzip.compress(b"a\tb\n" * 99, mtime=0)[:-9], "clean.tsv", "truncated"),
    ],
)
def test_errors_write_nothing(content: bytes, output: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    (tmp_path / "link.tsv").symlink_to(path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=what):
        clean([path], tmp_path / output)
    assert sorted(tmp_path.rglob("*")) == before
    assert path.read_bytes() == content


def test_parallel_files_of_different_lengths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.en").write_text("a\nb\n")
    (tmp_path / "x.de").write_text("1\n")
    with pytest.raises(DataError, match="2 lines and 1 line\n"):
        clean([tmp_path / "x.en", tmp_path / "x.de"], tmp_path / "clean.tsv")
    with pytest.raises(ConfigError, match="found 2"):
        clean([tmp_path / "a.tsv", tmp_path / "b.tsv"], tmp_path / "clean.tsv")


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم", "क्\u200dष", "👩\u200d💻", "❤\ufe0f", "សួស្តី\u200bខ្មែរ", "東京\u3000タワー", "שלום\u200f!",
        "“don’t” – −1", "Ã¼ &amp; R&amp;D", "Pаris", "１２", "café",
    ],
)  # fmt: skip
def test_possibly_intended_characters_stay(text: str) -> None:
    changed: Counter[str] = Counter()
    assert clean_text(text, changed) == text
    assert not changed


HIDDEN = "\0\x07\x0b\x85\u00a0\u3000\u2028\u00ad\u200b\u200c\u200d\u200e\u202c\ufeff\u0301\u212b\u1100\u1161\ufffd"
PIECES = st.sampled_from([*"ab \t\n\r\t\ne", *HIDDEN, "é", "東", "ک", "क", "क्", "ש", "ក", "👩", "  "])
TEXTS = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=12))


@pytest.mark.parametrize(
    "text", ["\u0301\u0f71\u200c", "b\u0301\u202c\u094d\u200c", "x\u200d\u00adक", "a\u00ad\u0301 \u00ad "]
)
def test_cleaning_repeats_until_nothing_changes(text: str) -> None:
    """Marks change places under NFC, and then a joiner stands beside another one."""
    once = clean_text(text, Counter())
    assert clean_text(once, Counter()) == once
    assert unicodedata.is_normalized("NFC", once)


@given(TEXTS.map(lambda text: text.replace("\n", " ")))
def test_cleaning_is_idempotent(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    once = clean_text(text, Counter())
    changed: Counter[str] = Counter()
    assert clean_text(once, changed) == once
    assert not changed
    assert once == once.strip() and unicodedata.is_normalized("NFC", once) and "  " not in once


@pytest.mark.parametrize("ending", [".tsv", ".csv"])
@given(
    content=st.one_of(
        st.lists(PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode()), st.binary(max_size=40)
    )
)
def test_the_clean_copy_of_any_file_is_valid_for_training(
    ending: str, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    path, output, again = folder / "pairs.tsv", folder / f"clean{ending}", folder / f"again{ending}"
    path.write_bytes(content)
    try:
        cleaned = clean([path], output)
    except DataError:
        assert not output.exists()
        return
    assert len(read_pairs([output]).pairs) == cleaned.pairs
    report = check(output)
    assert not CORRECTED & {finding.name for finding in report.findings}
    second = clean([output], again)
    assert not second.changed and not second.left_out
    assert again.read_bytes() == output.read_bytes()


@given(content=st.lists(PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode()))
def test_the_check_refuses_what_reading_refuses(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "pairs.tsv"
    path.write_bytes(content)
    report = check(path)
    try:
        pairs = read_pairs([path]).pairs
    except DataError:
        assert report.exit_code == 1
        return
    assert report.sets[0].pairs == len(pairs)
    assert {finding.name for finding in report.findings if finding.severity == "error"} <= {"one-source"}
