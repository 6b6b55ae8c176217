"""Tables of every usual layout are read: by their look, or by what is said of them, on every way into the program."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from seq2see.corpus.parts import split_files
from seq2see.data import PairFile, TableOptions, iterate_rows, open_content, read_pairs
from seq2see.doctor import check, clean
from seq2see.doctor.rows import Faults, PairSource
from seq2see.errors import DataError

Pairs = list[tuple[str, str]]
PAIRS = [
    ("vos", "v ɔ s"), ("beer", "b eː r"), ("wolf", "w ɔ l f"), ("das", "d a s"), ("uil", "œy l"),
    ("hert", "h ɛ r t"), ("gems", "x ɛ m s"),
]  # fmt: skip
SUMS = [("71+118", "189"), ("510+223", "733"), ("4+6", "10")]


def joined(separator: str, rows: list[tuple[str, ...]] = list(PAIRS)) -> str:  # noqa: B006 (not changed)
    return "".join(separator.join(row) + "\n" for row in rows)


OTHERS = [("sour, sweet", "a b"), ("a\tb", "c"), ('say "x"', "d"), ("plain", "e f"), ("two\nlines", "g")]
UNIMORPH = [
    ("lopen", "liep", "V;PST;SG"), ("lopen", "loopt", "V;PRS;3;SG"), ("zien", "zag", "V;PST;SG"),
    ("zien", "ziet", "V;PRS;3;SG"), ("gaan", "ging", "V;PST;SG"), ("gaan", "gaat", "V;PRS;3;SG"),
]  # fmt: skip
SPOKEN = [('say "hi"', "h a i"), ("x", "k s")]
SERIES = [([[0.5, number], [-1.25, 3]], label) for number, (_, label) in enumerate(PAIRS)]
SERIES_PAIRS = [(json.dumps(series), label) for series, label in SERIES]
UNSPACED = [(word, phones.replace(" ", "")) for word, phones in PAIRS]
UNIMORPH_LINES = ["\t".join(row) for row in UNIMORPH]
INFLECTED = [(f"{lemma}\t{tags}", form) for lemma, form, tags in UNIMORPH]


def quoted(rows: list[tuple[str, ...]], separator: str = ",") -> str:
    return "".join(separator.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)


def token(number: int, form: str, lemma: str) -> str:
    return f"{number}\t{form}\t{lemma}\tNOUN\t_\t_\t0\troot\t_\t_\n"


def objects(source: str, target: str, **more: object) -> list[dict[str, object]]:
    return [{source: a, target: b, **more} for a, b in PAIRS]


def json_lines(values: list[dict[str, object]]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


# name of the file: its content, and the pairs in it
FILES: dict[str, tuple[str, Pairs]] = {
    "words.dict": (
        "# made by hand\n;;; two kinds of comments\n" + "".join(f"{a.upper()}  {b}\n" for a, b in PAIRS)
        + "VOS(2)  v o s\nVOS(3)  v o z # rare\n",
        [(a.upper(), b) for a, b in PAIRS] + [("VOS", "v o s"), ("VOS", "v o z")],
    ),
    "signs.dict": (
        ";;; symbols are words too\n# and this is none\n#HASH  h ɛ k j ə\n%PERCENT  p r o s ɛ n t\n"
        + joined("  "),
        [("#HASH", "h ɛ k j ə"), ("%PERCENT", "p r o s ɛ n t"), *PAIRS],
    ),
    "single blank.txt": (joined(" "), PAIRS),
    "two words.txt": (joined(" ", UNSPACED), UNSPACED),
    "comma.csv": (joined(","), PAIRS),
    "comma with header.csv": ("Wort,Laute\n" + joined(", "), PAIRS),
    "windows.csv": (joined(",").replace("\n", "\r\n"), PAIRS),
    "semicolon.csv": (joined(";"), PAIRS),
    "pipe.txt": (joined(" | "), PAIRS),
    "moses.txt": (joined(" ||| "), PAIRS),
    "colons.txt": (joined("::"), PAIRS),
    "arrow.txt": (joined("->"), PAIRS),
    "double arrow.txt": (joined(" => "), PAIRS),
    "equals.txt": (joined(" = "), PAIRS),
    "quoted.csv": (quoted(OTHERS), [(" ".join(a.split()), b) for a, b in OTHERS]),
    "excel.csv": ("\ufeff" + quoted(PAIRS, ";"), PAIRS),
    "commented.csv": ("# from somewhere\n" + quoted(PAIRS), PAIRS),
    "quoted header.csv": ('"source","target"\n' + quoted(PAIRS), PAIRS),
    "numbered.tsv": (joined("\t", [(str(number), a, b) for number, (a, b) in enumerate(PAIRS)]), PAIRS),
    "unimorph.tsv": ("\n".join([*UNIMORPH_LINES[:3], "", *UNIMORPH_LINES[3:]]), INFLECTED),
    "unimorph2.tsv": (joined("\t", [(lemma, tags, form) for lemma, form, tags in UNIMORPH]), INFLECTED),
    "trailing tab.tsv": ("".join(f"{a}\t{b}\t\n" for a, b in PAIRS), PAIRS),
    "keys.jsonl": (json_lines(objects("src", "tgt")), PAIRS),
    "more keys.jsonl": (json_lines(objects("word", "pronunciation", language="nl", number=3)), PAIRS),
    "own keys.jsonl": (json_lines(objects("woord", "klank")), PAIRS),
    "nested.jsonl": (json_lines([{"translation": {"nl": a, "ipa": b}} for a, b in PAIRS]), PAIRS),
    "lists.jsonl": ("".join(json.dumps(pair) + "\n" for pair in PAIRS), PAIRS),
    "series.tsv": (joined("\t", SERIES_PAIRS), SERIES_PAIRS),
    "series.csv": ("pen,text\n" + quoted(SERIES_PAIRS), SERIES_PAIRS),
    "series.jsonl": (json_lines([{"pen": series, "text": label} for series, label in SERIES]), SERIES_PAIRS),
    "series as source.jsonl": (
        json_lines([{"source": series, "target": label} for series, label in SERIES]), SERIES_PAIRS,
    ),
    "array.jsonl": (json.dumps(objects("source", "target"), indent=1), PAIRS),
    "array.json": (json.dumps(objects("input", "output")), PAIRS),
    "object.json": (json.dumps(dict(PAIRS), indent=2), PAIRS),
    "breaks.jsonl": (
        json_lines([{"src": f"{a}\n{a}", "tgt": b} for a, b in PAIRS]), [(f"{a} {a}", b) for a, b in PAIRS],
    ),
    "over lines.tsv": (
        joined("\t") + quoted([("two\nlines", "x y"), ("again", "o n\ne"), ('a "b"\n\nc', "d")], "\t") + joined("\t"),
        [*PAIRS, ("two lines", "x y"), ("again", "o n e"), ('a "b" c', "d"), *PAIRS],
    ),
    "quoted.tsv": (joined("\t") + quoted(SPOKEN, "\t"), PAIRS + SPOKEN),
    "padded.txt": ("".join(f"{a:7}_{b:4} \n" for a, b in SUMS), SUMS),
    "two blanks.txt": (joined("   ", [(f"een {a}", b) for a, b in PAIRS]), [(f"een {a}", b) for a, b in PAIRS]),
    "names.tsv": (
        joined("\t", [("form", "id", "lemma", "features"), *((f, "7", a, t) for a, f, t in UNIMORPH)]), INFLECTED,
    ),
    "R.tsv": (
        '"lemma"\t"form"\t"tags"\n' + quoted([(str(at), *row) for at, row in enumerate(UNIMORPH, 1)], "\t"), INFLECTED,
    ),
    "R without quotes.tsv": (
        joined("\t", [("word", "ipa"), *((str(at), *pair) for at, pair in enumerate(PAIRS, 1))]), PAIRS,
    ),
    "R, some rows.csv": (
        joined(",", [("lemma", "form", "tags"), *((f"{7 * at % 31}.1", a, f, t.replace(";", "|"))
                                                  for at, (a, f, t) in enumerate(UNIMORPH, 1))]),
        [(source.replace(";", "|"), form) for source, form in INFLECTED],
    ),
    "R, other names.tsv": (
        joined("\t", [("old", "new"), *((str(at), *pair) for at, pair in enumerate(PAIRS, 1))]), PAIRS,
    ),
    "R, named rows.tsv": (
        '"old"\t"new"\n' + quoted([(f"row {a}", a, b) for a, b in PAIRS], "\t"), PAIRS,
    ),
    "no first number.tsv": (  # the first line is no header: the numbers go on from it
        joined("\t", [("1", *PAIRS[0]), *((str(at), *pair) for at, pair in enumerate(PAIRS[1:], 2))]), PAIRS,
    ),
    "known header.tsv": ("source\ttarget\n" + joined("\t"), PAIRS),
    "swapped.csv": (joined(",", [("target", "source"), *((b, a) for a, b in PAIRS)]), PAIRS),
    "comments.tsv": ("## word, sounds\n" + joined("\t") + "# the end\n", PAIRS),
    "over many lines.csv": ('source,target\n"a\n\n\nb","c\nd"\n' + quoted(PAIRS), [("a b", "c d"), *PAIRS]),
    "inches.csv": (
        'size,name\n"5"" pipe","five"\n6"x,six\n' + quoted(PAIRS),
        [('5" pipe', "five"), ('6"x', "six"), *PAIRS],
    ),
    "one object.json": (json.dumps({"version": 2, "data": objects("source", "target")}, indent=1), PAIRS),
}  # fmt: skip


def sides(file: PairFile) -> Pairs:
    return [(pair.source, pair.target or "") for pair in file.pairs]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["file", "gzipped", "windows"])
def test_a_file_is_read_as_it_is(name: str, kind: str, tmp_path: Path) -> None:
    """By training, by the check and its clean copy, in parts as a prepared corpus is, and as texts to answer."""
    content, expected = FILES[name]
    path = tmp_path / (name + ".gz" if kind == "gzipped" else name)
    raw = (content.replace("\r", "").replace("\n", "\r\n") if kind == "windows" else content).encode()
    path.write_bytes(gzip.compress(raw) if kind == "gzipped" else raw)
    file = read_pairs([path])
    assert sides(file) == expected
    assert file.skipped == 0
    faults = Faults()
    found = list(PairSource((path,)).blocks(faults))
    assert [pair for block in found for pair in zip(block.sources, block.targets, strict=True)] == expected
    assert faults.unusable == 0
    lines = [int(line) for block in found for line in block.lines]
    assert lines == [int(pair.origin.rpartition(":")[2]) for pair in file.pairs]
    assert check(path).exit_code == 0
    clean([path], tmp_path / "clean.tsv", keep_duplicates=True)
    blanks = [(" ".join(a.split(" ")), b) for a, b in expected]
    assert sides(read_pairs([tmp_path / "clean.tsv"])) == blanks
    with open_content(path) as opened:
        lines_only = tmp_path / "lines"
        lines_only.write_bytes(opened.stream.read())
    for size in (1, 50):
        parts = split_files([path], [lines_only], size, file.format)
        assert [pair for part in parts for pair in part.read().pairs] == file.pairs
    known = TableOptions(**(file.format.chosen() if file.format else {}))
    if not name.endswith(".txt"):  # lines of text, unless a column is named
        with open_content(path) as opened:
            rows = list(iterate_rows(opened.stream, str(path), known=known))
        if len(rows) == len(expected):
            assert [row.source for row in rows] == [source for source, _ in expected]


@pytest.mark.parametrize("name", [name for name in FILES if name != "windows.csv"])  # it has an example per block
def test_blocks_of_the_check_change_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2see.doctor import rows

    path = tmp_path / name
    path.write_text(FILES[name][0], encoding="utf-8", newline="")
    whole = check(path)
    for size in (1, 30):
        monkeypatch.setattr(rows, "BLOCK_BYTES", size)
        assert check(path) == whole


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("again", ["source~target", "source~ target", " source ~target ", "\ufeffsource~ target"])
def test_a_header_in_the_middle_is_no_pair(again: str, delimiter: str, tmp_path: Path) -> None:
    again = again.replace("~", delimiter)
    rows = [f"number {at}{delimiter}n{at}\n" for at in range(2000)]
    rows[0] = f'"number, 0"{delimiter}n0\n' if delimiter == "," else rows[0]
    path = tmp_path / "table.csv"
    for at in (2, 1500):
        path.write_text(
            "".join([f"source{delimiter} target\n", *rows[:at], f"{again}\n", *rows[at:]]), encoding="utf-8"
        )
        found = read_pairs([path], skip_bad=True)
        assert (len(found.pairs), found.skipped) == (2000, 1)
        assert found.problems[0].what.startswith("the header again")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "lemma,features,form\n" + "zien,V;PST,zag\n" * 9 + "zien,V;PRS\n",
            "expected 3 columns (lemma, features, form), found 2: zien | V;PRS",
        ),
        (
            "word\tpronunciation\n" + "a\tb\n" * 9 + "c\td\te\n",
            "expected 2 columns (word, pronunciation), found 3: c | d | e",
        ),
        ("word\tpronunciation\n" + "a\tb\n" * 9 + "c\n", "expected 2 columns (word, pronunciation), found 1: c"),
        ("word,pronunciation\n" + "a,b\n" * 9 + "c,d,e" + "f" * 50 + "\n", f"found 3: c | d | e{'f' * 18}…"),
    ],
)
def test_a_line_with_another_number_of_columns_is_shown_with_their_names(
    content: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_pairs([path])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("names", "row", "numbers"),
    [
        ("lemma;tags;form", "{0};V;PST;{0}te", "--source 1,2,3 --target 4"),
        ("lemma;form;tags", "{0};{0}te;V;PST", "--source 1,3,4 --target 2"),
    ],
)
def test_a_header_with_fewer_names_than_columns_is_refused_with_fixes_that_work(
    names: str, row: str, numbers: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    words = [word for word, _ in PAIRS]
    content = "\n".join([names, *map(row.format, words), ""])
    path.write_text(content, encoding="utf-8")
    for columns in (TableOptions(), TableOptions(source=("lemma",), target="form")):
        with pytest.raises(DataError, match=r"the header has 3 names .*, and rows have 4 cells") as caught:
            read_pairs([path], table=columns)
        assert numbers in caught.value.fix
    _, source, _, target = numbers.split()
    by_number = read_pairs([path], table=TableOptions(source=tuple(source.split(",")), target=target))
    assert sides(by_number) == [(f"{word}\tV\tPST", f"{word}te") for word in words]
    quoted_tags = content.replace("V;PST", '"V;PST"')
    path.write_text(quoted_tags, encoding="utf-8")
    assert sides(read_pairs([path])) == [(f"{word}\tV;PST", f"{word}te") for word in words]
    path.write_text(content.replace("tags", "pos;tense"), encoding="utf-8")
    named = read_pairs([path], table=TableOptions(source=("lemma", "pos", "tense"), target="form"))
    assert sides(named) == sides(by_number)


def test_the_target_behind_divided_tags_is_offered_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("lemma;tags;form;note\n" + "".join(f"{a};V;PST;{a}te;rare\n" for a, _ in PAIRS), encoding="utf-8")
    with pytest.raises(DataError, match="--source 1,2,3,5 --target 4"):
        read_pairs([path])


def test_a_number_with_a_name_is_no_row_name(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id,lemma,form\n" + "".join(f"{at},a,b{at},c\n" for at in range(9)), encoding="utf-8")
    with pytest.raises(DataError, match=r"the header has 3 names \(id, lemma, form\), and rows have 4 cells"):
        read_pairs([path])


def test_empty_cells_beyond_the_header_are_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("word,ipa\n" + "".join(f"{a},{b},\n" for a, b in PAIRS), encoding="utf-8")
    assert sides(read_pairs([path])) == PAIRS


MORE = [(f"{at}", a, b) for at, (a, b) in enumerate(PAIRS)]


@pytest.mark.parametrize("name", ["table.csv", "table.tsv"])
@pytest.mark.parametrize("are_quoted", [False, True])
@pytest.mark.parametrize("names", [("source", "target"), ("word", "ipa"), ("question", "answer")])
def test_empty_cells_beyond_the_header_do_not_make_sources_row_names(
    names: tuple[str, str], are_quoted: bool, name: str, tmp_path: Path
) -> None:
    path, sign = tmp_path / name, "\t" if name.endswith(".tsv") else ","
    numbers = [(str(at), a) for at, (a, _) in enumerate(PAIRS)]
    decimals = [(f"{at}.1", a) for at, (a, _) in enumerate(PAIRS)]
    for pairs in (PAIRS, numbers, decimals):
        rows: list[tuple[str, ...]] = [(*pair, "a note" if at == 3 else "") for at, pair in enumerate(pairs)]
        for own in (rows, [(*pair, "") for pair in pairs]):
            path.write_text(quoted([names, *own], sign) if are_quoted else joined(sign, [names, *own]), "utf-8")
            assert sides(read_pairs([path])) == pairs


@pytest.mark.parametrize(
    ("names", "rows", "numbers"),
    [
        ("word ipa", [(a, b, f"n{at}") for at, a, b in MORE], ["1 2", "2 3"]),
        ("source target", [(f"{7 * int(at) % 31}", a, b) for at, a, b in MORE], ["2 3", "1 2"]),
        ("source target", [(a, b, at) for at, a, b in MORE], ["1 2"]),
        ("source target", [(a, b, f"see {a}" * (a != "vos")) for _, a, b in MORE], ["1 2"]),
        ("id source target", [(at, a, b, "0") for at, a, b in MORE], ["2 3"]),
        ("lemma form", UNIMORPH, ["1,3 2"]),
        ("lemma tags form", [(a, t, f, f"no. {at}") for at, (a, f, t) in enumerate(UNIMORPH)], ["1,2 3"]),
        ("lemma tags form", [(a, t[-2:], f, str(at)) for at, (a, f, t) in enumerate(UNIMORPH)], ["1,2 3"]),
    ],
)
@pytest.mark.parametrize("are_quoted", [False, True])
def test_where_the_names_can_stand_in_place_their_columns_are_offered(
    names: str, rows: list[tuple[str, ...]], numbers: list[str], are_quoted: bool, tmp_path: Path
) -> None:
    path = tmp_path / "table.tsv"
    rows = [tuple(names.split()), *rows]
    path.write_text(quoted(rows, "\t") if are_quoted else joined("\t", rows), encoding="utf-8")
    with pytest.raises(DataError, match=r"the header has . names .*, and rows have . cells \(.* \| [^|]+\)") as caught:
        read_pairs([path])
    offered = [" ".join(found) for found in re.findall(r"--source (\S+) --target (\d)", caught.value.fix)]
    assert offered == numbers
    assert "quotation marks" not in caught.value.fix
    for choice in offered:
        source, target = choice.split()
        columns = [*(int(each) - 1 for each in source.split(",")), int(target) - 1]
        chosen = [tuple(row[at] for at in columns) for row in rows[1:]]
        read = read_pairs([path], table=TableOptions(source=tuple(source.split(",")), target=target))
        assert sides(read) == [("\t".join(own), answer) for *own, answer in chosen]


@pytest.mark.parametrize(("names", "first"), [("source,target", 1), ("id,source,target", 2)])
def test_texts_with_the_delimiter_inside_may_be_put_together(names: str, first: int, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [f"see {a}, {a}!,{b}" if first == 1 else f"{at},see {a}, {a}!,{b}" for at, a, b in MORE]
    path.write_text("\n".join([names, *rows, ""]), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_pairs([path])
    one, two, three = first, first + 1, first + 2
    assert caught.value.fix == (
        f"choose columns by number: --source {one} --target {two}, or --source {one},{two} --target {three}; "
        "or add the names that are missing; or put each text with , inside in quotation marks"
    )
    read = read_pairs([path], table=TableOptions(source=(str(one), str(two)), target=str(three)))
    assert sides(read) == [(f"see {a}\t{a}!", b) for a, b in PAIRS]


def test_columns_that_are_asked_for_by_name_are_offered_by_number(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(joined(",", [("mine", "yours"), *((a, b, at) for at, a, b in MORE)]), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_pairs([path], table=TableOptions(source=("yours",), target="mine"))
    assert caught.value.fix.startswith("choose columns by number: --source 2 --target 1 --header yes; ")
    read = read_pairs([path], table=TableOptions(source=("2",), target="1", header="yes"))
    assert sides(read) == [(b, a) for a, b in PAIRS]


def test_a_table_of_r_tests_a_model_of_another_table(tmp_path: Path) -> None:
    (path := tmp_path / "test.tsv").write_text(FILES["R.tsv"][0], encoding="utf-8")
    known = TableOptions(source=("lemma", "tags"), target="form", names=("lemma", "tags", "form"))
    read = read_pairs([path], known=known)
    assert sides(read) == INFLECTED
    assert read.format and "with a header that leaves out column 1 (row names)" in read.format.describe()
    with path.open("rb") as stream:
        assert [row.source for row in iterate_rows(stream, str(path), known=known)] == [a for a, _ in INFLECTED]
