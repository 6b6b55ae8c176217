"""Columns by name or number: chosen, remembered, and read again of files in other layouts."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from seq2see.data import Pair, TableOptions, iterate_rows, read_pairs
from seq2see.data.given import as_pairs
from seq2see.data.options import columns_read, known_columns, known_from
from seq2see.data.remembered import has_tags
from seq2see.errors import ConfigError, DataError

CSV = "nr,lemma,form,features\n1,zien,zag,V;PST\n2,zien,ziet,V;PRS\n"
KNOWN = TableOptions(source=("lemma", "features"), target="form", names=("nr", "lemma", "form", "features"))
PAIRS = [("zien\tV;PST", "zag"), ("zien\tV;PRS", "ziet")]


def read(folder: Path, content: str, name: str = "table.csv", **options: object) -> list[tuple[str, str | None]]:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return [pair[:2] for pair in read_pairs([path], **options).pairs]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "target"), [("lemma,features", "form"), ("2,4", "3"), ("2,features", "form"), (["lemma", "4"], "3")]
)
def test_columns_are_chosen_by_name_or_number(source: str | list[str], target: str, tmp_path: Path) -> None:
    assert read(tmp_path, CSV, table=TableOptions(source=source, target=target)) == PAIRS  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [
        CSV,
        CSV.replace(",", "\t"),
        "features;form;lemma\nV;PST\n".replace(";", "|").replace("V|PST", "V;PST|zag|zien\nV;PRS|ziet|zien"),
        CSV.partition("\n")[2],
        "zien\tzag\tV;PST\nzien\tziet\tV;PRS\n",
        '"lemma","form","features"\n"zien","zag","V;PST"\n"zien","ziet","V;PRS"\n',
    ],
)
def test_known_columns_are_found_in_other_layouts(content: str, tmp_path: Path) -> None:
    assert read(tmp_path, content, name="table", known=KNOWN) == PAIRS
    assert known_from(known_columns(KNOWN)) == KNOWN


WORDS = [f"{first}{second}D" for first in "ABC" for second in "ABEF"]


def joined(delimiter: str, *first: str) -> str:
    """A table of words and their letters."""
    return "".join(f"{line}\n" for line in [*first, *(f"{word}{delimiter}{' '.join(word)}" for word in WORDS)])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.csv", joined(",", "word,pronunciation")),
        ("test", joined(",", "word,pronunciation")),
        ("test.csv", joined(",")),
        ("test.txt", joined(";")),
        ("test.txt", joined(" ||| ")),
        ("test.tsv", joined("\t")),
        ("test.dict", joined("  ")),
    ],
)
@pytest.mark.parametrize("delimiter", ["first-blank", "blanks"])
def test_a_file_is_read_in_its_own_layout_and_not_in_that_of_the_training(
    name: str, content: str, delimiter: str, tmp_path: Path
) -> None:
    pairs = [(word, " ".join(word)) for word in WORDS]
    assert read(tmp_path, content, name, known=TableOptions(delimiter=delimiter)) == pairs
    if name.endswith(("csv", "tsv")):
        texts = iterate_rows(io.BytesIO(content.encode()), name, known=TableOptions(delimiter=delimiter))
        assert [row.source for row in texts] == WORDS


def test_the_layout_of_the_training_is_read_where_a_file_is_too_short_to_tell_its_own(tmp_path: Path) -> None:
    known = TableOptions(delimiter="first-blank")
    assert read(tmp_path, "a  X: Y\nb  Y: X\n", "test.dict", known=known) == [("a", "X: Y"), ("b", "Y: X")]


PROBABLE = "0.99 0.17 1.0 1.25"
"""Of one pronunciation, as MFA writes them."""


@pytest.mark.parametrize("separator", ["\t", "  "])
@pytest.mark.parametrize("every", [1, 2, 4])
def test_the_probabilities_of_a_dictionary_are_left_out(separator: str, every: int, tmp_path: Path) -> None:
    """Also where only some words have them: every word, every second, every fourth."""
    numbers = PROBABLE.split()
    rows = [[word, *([] if at % every else numbers), " ".join(word)] for at, word in enumerate(WORDS * 2)]
    content = "".join(separator.join(row) + "\n" for row in rows)
    pairs = [(word, " ".join(word)) for word in WORDS * 2]
    assert read(tmp_path, content, "mfa.dict") == pairs
    # A model that was trained on a dictionary without them knows its delimiter.
    assert read(tmp_path, content, "mfa.dict", known=TableOptions(delimiter="first-blank")) == pairs
    # And one that was trained on this reads dictionaries of others.
    known = TableOptions(delimiter="probabilities")
    for other in ("\t", "  "):
        assert (
            read(tmp_path, "".join(f"{word}{other}{' '.join(word)}\n" for word in WORDS), known=known)
            == pairs[: len(WORDS)]
        )


def test_numbers_elsewhere_are_no_probabilities(tmp_path: Path) -> None:
    several = [f"{word}\t{at}.5\t{' '.join(word)}" for at, word in enumerate(WORDS)]  # above 1
    plain = [f"{word}\t{' '.join(word)}" for word in WORDS]
    with pytest.raises(DataError, match="expected 2 columns, found 3"):
        read(tmp_path, "\n".join([*plain * 2, *several[1:], ""]))
    numbers = [f"0.{at} 0.{at + 1} {at}\t{at}" for at in range(1, 9)]
    assert read(tmp_path, "\n".join([*numbers, ""])) == [(line.split("\t")[0], line.split("\t")[1]) for line in numbers]


def test_a_probability_is_not_offered_as_the_target(tmp_path: Path) -> None:
    lines = [f"{word}\t{' '.join(word)}" for word in WORDS]
    lines[3] = f"{WORDS[3]}\t0.99\t0.17\t1.0\t1.0\t{' '.join(WORDS[3])}"
    (path := tmp_path / "mfa.tsv").write_text("\n".join([*lines, ""]))
    with pytest.raises(DataError, match="found 6") as caught:
        read_pairs([path])
    assert "--source 1 --target 2" not in str(caught.value) and "--delimiter probabilities" in str(caught.value)
    found = read_pairs([path], table=TableOptions(delimiter="probabilities"))
    assert found.pairs[3][:2] == (WORDS[3], " ".join(WORDS[3]))


def test_tags_with_the_delimiter_of_the_training_do_not_divide_a_table_of_another(tmp_path: Path) -> None:
    known = replace(KNOWN, delimiter="semicolon")
    assert read(tmp_path, CSV, known=known) == PAIRS
    assert read(tmp_path, "zien\tzag\tV;PST\nzien\tziet\tV;PRS\n", "test.tsv", known=known) == PAIRS


FORMS = [
    ("zien", "V;PST", "zag"), ("zien", "V;PRS;3", "ziet"), ("gaan", "V;PST", "ging"), ("gaan", "V;PRS;3", "gaat"),
    ("staan", "V;PST", "stond"), ("staan", "V;PRS;3", "staat"),
]  # fmt: skip


@pytest.mark.parametrize("header", ["", "lemma\ttags\tform\n"])
def test_tags_where_the_target_of_the_training_was_belong_to_the_source(header: str, tmp_path: Path) -> None:
    content = header + "".join("\t".join(form) + "\n" for form in FORMS)
    pairs = [(f"{lemma}\t{tags}", form) for lemma, tags, form in FORMS]
    known = TableOptions(source=("1", "3"), target="2")
    assert read(tmp_path, content, known=known, has_tags=True) == pairs
    # A model that answers tags reads them as its target.
    labels = TableOptions(source=("1", "3"), target="2")
    assert read(tmp_path, content, known=labels)[0] == ("zien\tzag", "V;PST")
    assert has_tags([source for source, _ in pairs])
    assert not has_tags([f"{lemma}\t{form}" for lemma, _, form in FORMS])
    assert not has_tags([tags for _, tags, _ in FORMS]) and not has_tags([])


@pytest.mark.parametrize("header", ["", "tags\tlemma\tform\n"])
@pytest.mark.parametrize("sign", [";", " "])
def test_tags_before_the_lemma_belong_to_the_source(header: str, sign: str, tmp_path: Path) -> None:
    forms = [(word, f"V{sign}{tag}", f"{word} {tag}".lower()) for word in WORDS for tag in ("PRS", "PST")]
    pairs = [(f"{lemma}\t{tags}", form) for lemma, tags, form in forms]
    content = header + "".join(f"{tags}\t{lemma}\t{form}\n" for lemma, tags, form in forms)
    known = TableOptions(source=("1", "3"), target="2")
    assert read(tmp_path, content, known=known, has_tags=True) == pairs
    named = TableOptions(source=("lemma", "tags"), target="form", names=("lemma", "form", "tags"))
    assert read(tmp_path, content, known=named, has_tags=True) == pairs
    # In the table of the training, the form may come before the lemma.
    content = "".join(f"{tags}\t{form}\t{lemma}\n" for lemma, tags, form in forms)
    known = TableOptions(source=("2", "3"), target="1")
    assert read(tmp_path, content, known=known, has_tags=True) == pairs


def test_whether_the_training_file_had_a_header_is_not_remembered(tmp_path: Path) -> None:
    known = known_from(known_columns(TableOptions(header="no", source=("1",), target="2")))
    assert read(tmp_path, "word,pronunciation\nABBA,A B B A\n", known=known) == [("ABBA", "A B B A")]


def test_a_file_without_the_known_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 columns, and no header that names them; known are 4 columns"):
        read(tmp_path, "zien\tzag\n", known=KNOWN)


def named(header: str, row: str) -> str:
    """A table with a header, long enough to tell it."""
    return "\n".join([header, *(row.format(n=number) for number in range(10, 20)), ""])


TWO = TableOptions(source=("lemma",), target="form", names=("lemma", "form"))


@pytest.mark.parametrize(
    ("known", "content", "lost", "source", "target"),
    [
        (TWO, named("word,form", "see{n},saw{n}"), "column lemma", ("word",), "form"),
        (TWO, named("freq,word,form", "{n},see{n},saw{n}"), "column lemma", ("word",), "form"),
        (TWO, named("id,lemmas,forms", "{n},see{n},saw{n}"), "columns lemma and form", ("lemmas",), "forms"),
        (KNOWN, named("word,features,form", "see{n},V;PST,saw{n}"), "column lemma", ("word", "features"), "form"),
    ],
)
def test_a_header_without_the_known_columns_is_refused_with_the_likely_ones(
    known: TableOptions, content: str, lost: str, source: tuple[str, ...], target: str, tmp_path: Path
) -> None:
    header = content.partition("\n")[0].replace(",", ", ")
    with pytest.raises(DataError, match=f"has no {lost}, which the model was trained on; found {header}") as caught:
        read(tmp_path, content, known=known)
    assert f"--source {','.join(source)} --target {target};" in caught.value.fix
    found = read(tmp_path, content, known=known, table=TableOptions(source=source, target=target))
    assert [pair[1] for pair in found] == [f"saw{number}" for number in range(10, 20)]
    assert read(tmp_path, content, known=known, may_rename=True) == found

    def texts(table: TableOptions = TableOptions()) -> list[str]:  # noqa: B008 (frozen)
        rows = iterate_rows(io.BytesIO(content.encode()), "table.csv", known=known, table=table)
        return [row.source for row in rows]

    with pytest.raises(DataError, match=f"has no .*{lost.split()[1]}.*; found {header}") as caught:
        texts()
    assert f"--source {','.join(source)};" in caught.value.fix
    assert texts(TableOptions(source=source)) == [pair[0] for pair in found]


def test_as_many_other_columns_are_offered_in_their_order(tmp_path: Path) -> None:
    sources = ("lemma", "features", "language")
    known = TableOptions(source=sources, target="form", names=(*sources, "form", "comment"))
    content = "word,tags,lang,inflected\nsee,V;PST,en,saw\n"
    with pytest.raises(DataError, match="has no columns lemma, features, language and form") as caught:
        read(tmp_path, content, known=known)
    assert "--source word,tags,lang --target inflected;" in caught.value.fix
    table = TableOptions(source=("word", "tags", "lang"), target="inflected")
    assert read(tmp_path, content, known=known, table=table) == [("see\tV;PST\ten", "saw")]


def test_where_no_columns_are_likely_those_that_are_needed_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column features") as caught:
        read(tmp_path, named("lemma,form", "see{n},saw{n}"), known=KNOWN)
    assert caught.value.fix == "give a table with lemma, features, form"
    with pytest.raises(DataError, match="no header that names them") as caught:
        read(tmp_path, "see\tsaw\ngo\twent\n", known=KNOWN)
    assert caught.value.fix == "give a table with the 3 columns that are read: lemma, features, form"
    with pytest.raises(DataError, match=r"no keys lemma and form, .*; found id, wort, laut") as caught:
        read(tmp_path, '{"id": "1", "wort": "a", "laut": "b"}\n' * 3, name="a.jsonl", known=TWO)
    assert "--source wort --target laut" in caught.value.fix


@pytest.mark.parametrize("name", ["<stdin>", "texts.txt", "texts.tsv", "texts.csv"])
@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_a_header_of_texts_in_another_case_is_refused_with_the_columns_in_their_order(
    name: str, delimiter: str
) -> None:
    known = TableOptions(source=("word", "pos"), target="pron", names=("word", "pos", "pron"))
    content = "POS,Word\nNOUN,abbia\n".replace(",", delimiter).encode()
    with pytest.raises(DataError, match=r"has no columns word and pos, .*; found POS, Word") as caught:
        list(iterate_rows(io.BytesIO(content), name, known=known))
    assert "--source Word,POS;" in caught.value.fix
    rows = iterate_rows(io.BytesIO(content), name, known=known, table=TableOptions(source=("Word", "POS")))
    assert [row.source for row in rows] == ["abbia\tNOUN"]


@pytest.mark.parametrize(
    ("known", "header", "name"),
    [
        (TableOptions(source=("word", "pos"), target="pron", names=("word", "pos", "pron")), "Wort,Art", "Wort,Art"),
        (TableOptions(source=("en",), target="de"), "wort,art", "wort"),
        (TableOptions(source=("en",), target="de"), "English", "English"),
    ],
)
def test_the_names_of_columns_are_offered_where_the_first_line_may_have_them(
    known: TableOptions, header: str, name: str
) -> None:
    content = f"{header}\n" + "ab ba,XY\n" * 3 if "," in header else f"{header}\nHello there\nBye you\n"
    with pytest.raises(DataError, match=r"no header|without a name") as caught:
        list(iterate_rows(io.BytesIO(content.encode()), "texts.csv", known=known))
    assert caught.value.fix.endswith(f": --source {name}")
    chosen = TableOptions(source=tuple(name.split(",")))
    found = [row.source for row in iterate_rows(io.BytesIO(content.encode()), "texts.csv", known=known, table=chosen)]
    assert len(found) == content.count("\n") - 1


@pytest.mark.parametrize("content", ["word\nsee\n", "see\ngo\n"])
def test_a_single_column_is_named_by_its_number_or_its_first_line(content: str) -> None:
    first, *others = content.split()

    def texts(table: TableOptions = TableOptions()) -> list[str]:  # noqa: B008 (frozen)
        rows = iterate_rows(io.BytesIO(content.encode()), "table.csv", known=TWO, table=table)
        return [row.source for row in rows]

    with pytest.raises(DataError, match="has one column without a name") as caught:
        texts()
    assert f"--source 1, or the name in its first line, if it is one: --source {first}" in caught.value.fix
    assert texts(TableOptions(source=("1",))) == [first, *others]
    assert texts(TableOptions(source=(first,))) == others


@pytest.mark.parametrize("table", [TableOptions(header="yes"), TableOptions(names=("x",))])
def test_a_table_with_one_column_has_no_pairs(table: TableOptions, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only one column") as caught:
        read(tmp_path, "x\na\nb\n", table=replace(table, delimiter="comma"))
    assert caught.value.fix == "give another --delimiter"


@pytest.mark.parametrize("name", ["<stdin>", "texts.txt"])
def test_texts_have_the_columns_of_the_model(name: str) -> None:
    def rows(content: str, **options: object) -> list[tuple[str, tuple[str, ...]]]:
        found = iterate_rows(io.BytesIO(content.encode()), name, known=KNOWN, **options)  # type: ignore[arg-type]
        return [(row.source, row.extra) for row in found]

    assert rows("zien\tV;PST\n\nzien\tV;PRS\n") == [("zien\tV;PST", ()), ("", ()), ("zien\tV;PRS", ())]
    assert rows(CSV) == [(source, ()) for source, _ in PAIRS]
    assert rows(CSV, extra=("form", "nr")) == [("zien\tV;PST", ("zag", "1")), ("zien\tV;PRS", ("ziet", "2"))]
    with pytest.raises(DataError, match="unknown column 'froms'"):
        rows(CSV, extra=("froms",))


def test_lines_of_text_stay_lines_of_text() -> None:
    known = TableOptions(source=("1",), target="2")
    content = b"Hello, world\n\nwhat, is\n"
    for each in (known, TableOptions()):
        found = [row.source for row in iterate_rows(io.BytesIO(content), "texts.txt", known=each)]
        assert found == ["Hello, world", "", "what, is"]


def test_a_source_of_a_program_may_have_several_columns() -> None:
    assert as_pairs([(("zien", "V;PST"), "zag")], has_source=True) == [Pair("zien\tV;PST", "zag", "pair 1")]
    with pytest.raises(DataError, match="is not a pair"):
        as_pairs([(("zi\ten", "V;PST"), "zag")], has_source=True)


def test_what_is_found_out_can_be_said(tmp_path: Path) -> None:
    content = "% a~b\nc~'d'\n"
    assert read(tmp_path, content, table=TableOptions(delimiter="~", comment="")) == [("% a", "b"), ("c", "'d'")]
    assert read(tmp_path, "x\ty\na\tb\n", table=TableOptions(header="yes")) == [("a", "b")]
    assert read(tmp_path, "word,ipa\na,b\n", table=TableOptions(header="no")) == [("word", "ipa"), ("a", "b")]
    assert read(tmp_path, '"a",b\n', table=TableOptions(quotes="no")) == [('"a"', "b")]
    assert read(tmp_path, "a~b\n~~\n".replace("~~", "c~d"), table=TableOptions(delimiter="~", quotes="yes"))
    assert read(tmp_path, "!x\na\tb\n", table=TableOptions(comment="! ##")) == [("a", "b")]


OWN = ("prefix", "contain", "forbid")


def sources_of(content: str, known: TableOptions = TableOptions(), name: str = "texts.txt") -> list[str]:  # noqa: B008
    return [row.source for row in iterate_rows(io.BytesIO(content.encode()), name, named=OWN, known=known)]


@pytest.mark.parametrize("name", ["<stdin>", "texts.txt"])
@pytest.mark.parametrize(
    "content",
    ["forbid it\n", "forbid me\nhello you\nmy world\n", "contain, say\nhello, you\n", "a source prefix\nb c d\n"],
)
def test_a_text_with_the_name_of_an_option_is_no_header(content: str, name: str) -> None:
    assert sources_of(content, name=name) == content.splitlines()


def test_a_first_row_of_fields_with_the_name_of_an_option_is_no_header() -> None:
    rows = "forbid\tV;PST\nsee\tV;PRS\n"
    known = TableOptions(source=("lemma", "features"), target="form", names=("lemma", "features", "form"))
    for each in (known, TableOptions(source=("1", "2"), target="3")):
        assert sources_of(rows, each) == rows.splitlines()
    assert sources_of("source\tprefix\nsee\ta\n", TableOptions(source=("1", "2"), target="3"))[0] == "source\tprefix"


def test_a_header_with_an_option_names_the_texts_as_the_model_or_as_usual() -> None:
    for header in ("text|forbid", "src|forbid", "source|forbid"):
        assert sources_of(f"{header}\na b|c\n") == ["a b"]


@pytest.mark.parametrize("name", ["<stdin>", "texts.txt", "texts.tsv"])
def test_a_table_of_sources_alone_may_have_a_header(name: str) -> None:
    known = TableOptions(source=("wort", "merkmale"), target="flexion", names=("wort", "merkmale", "flexion"))
    assert sources_of("wort\tmerkmale\nhaus\tN;PL\n", known, name) == ["haus\tN;PL"]
    assert sources_of("merkmale\twort\nN;PL\thaus\n", known, name) == ["haus\tN;PL"]


def test_a_single_column_of_sources_may_have_a_header() -> None:
    known = TableOptions(source=("wort",), target="laut", names=("wort", "laut"))
    for name in ("texts.tsv", "texts.csv"):
        assert sources_of("wort\nhaus\n", known, name) == ["haus"]
    assert sources_of('wort\nhaus\n"haus, alt"\n', known, "texts.csv") == ["haus", "haus, alt"]
    assert sources_of("wort;forbid\na b;c\n", known) == ["a b"]
    assert sources_of("wort\nhaus\n", known, "texts.txt") == ["wort", "haus"], "lines of text have no header"
    found = iterate_rows(io.BytesIO(b"x\na\n"), "texts.txt", table=TableOptions(delimiter="comma", header="yes"))
    assert [row.source for row in found] == ["a"]


@pytest.mark.parametrize("text", ["{n} May 1999", "1{n}:30", "to {n} = two", "{n} -> to"])
@pytest.mark.parametrize("name", ["texts.csv", "texts.tsv", "texts.txt"])
def test_texts_are_not_divided_where_pairs_would_be(text: str, name: str) -> None:
    texts = [text.format(n=number) for number in range(3, 30)]
    content = "".join(f"{text}\n" for text in texts)
    known = TableOptions(source=("raw",), target="iso", names=("raw", "iso"))
    assert sources_of(content, name=name) == texts
    headed = iterate_rows(io.BytesIO(f"raw\n{content}".encode()), name, known=known, table=TableOptions(header="yes"))
    assert [row.source for row in headed] == texts
    if name != "texts.txt":
        assert sources_of(f"raw\n{content}", known, name) == texts


def test_a_dictionary_to_answer_is_divided_for_a_model_of_dictionaries() -> None:
    content = "".join(f"{word}  {' '.join(word)}\n" for word in WORDS)
    for name in ("texts.csv", "texts.txt"):
        assert sources_of(content, TableOptions(delimiter="first-blank"), name) == WORDS
        assert sources_of(content, name=name) == content.splitlines()
        numbered = iterate_rows(io.BytesIO(content.encode()), name, table=TableOptions(source=("1",)))
        assert [row.source for row in numbered] == WORDS


@pytest.mark.parametrize("name", ["texts.csv", "texts.tsv", "texts.txt"])
@pytest.mark.parametrize("header", ["auto", "no", "yes"])
@pytest.mark.parametrize("known", [TableOptions(), TWO])
def test_a_list_of_words_is_one_column(known: TableOptions, header: Literal["auto", "no", "yes"], name: str) -> None:
    first = "lemma\n" if header == "yes" else ""
    if known.names and header == "auto":
        first, header = ("", "no") if name == "texts.txt" else ("lemma\n", "auto")
    content = f"{first}ciao\nchiesa\n".encode()
    rows = iterate_rows(io.BytesIO(content), name, known=known, table=TableOptions(header=header))
    assert [row.source for row in rows] == ["ciao", "chiesa"]


def test_commas_below_the_name_of_a_single_column_are_text() -> None:
    assert sources_of("lemma\nciao, bella\nsì, chiesa\n", TWO, "texts.csv") == ["ciao, bella", "sì, chiesa"]


def test_texts_in_quotation_marks_are_one_column_of_csv() -> None:
    assert sources_of('"ciao, bella"\n"chiesa"\n', name="texts.csv") == ["ciao, bella", "chiesa"]
    assert sources_of('"Ciao" disse\nchiesa\n', name="texts.csv") == ['"Ciao" disse', "chiesa"]


@pytest.mark.parametrize("name", ["<stdin>", "texts.txt"])
def test_a_text_that_is_called_as_the_column_is_said(name: str) -> None:
    said: list[str] = []
    rows = list(iterate_rows(io.BytesIO(b"lemma\nciao\n"), name, known=TWO, say=said.append))
    assert [row.source for row in rows] == ["lemma", "ciao"]
    assert said == [f"{name}: the first line is answered, too; if lemma is the name of the column: --header yes"]


@pytest.mark.parametrize("given", [("word, English", "tags"), ["word, English", "tags"]])
def test_a_name_in_a_list_may_have_a_comma(given: list[str]) -> None:
    assert TableOptions(source=given).source == ("word, English", "tags")  # type: ignore[arg-type]
    assert TableOptions(source="word, tags,").source == ("word", "tags")  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", ["word, English,tags", "word,English , tags", ["word, English", "tags"]])
def test_a_name_with_a_comma_is_one_name_where_a_column_has_it(asked: str | list[str], tmp_path: Path) -> None:
    table = TableOptions(source=asked, target="form")  # type: ignore[arg-type]
    content = '"word, English",tags,form\nsee,PST,saw\nsee,PRS,sees\n'
    pairs = [("see\tPST", "saw"), ("see\tPRS", "sees")]
    assert read(tmp_path, content, table=table) == pairs
    found = read_pairs([tmp_path / "table.csv"], table=table).format
    assert found is not None
    known = known_from(known_columns(TableOptions(**columns_read(found.chosen(), table))))
    assert known.source == ("word, English", "tags")
    assert read(tmp_path, content.replace(",PRS", ",V"), known=known) == [pairs[0], ("see\tV", "sees")]
    assert read(tmp_path, content.partition("\n")[2], known=known) == pairs
    rows = [dict(zip(("word, English", "tags", "form"), row.split(","), strict=True)) for row in content.split()[2:]]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    assert read(tmp_path, lines, name="table.jsonl", table=table) == pairs


def test_a_column_without_a_name_keeps_its_place(tmp_path: Path) -> None:
    content = ',"word, English","tags",form\n0,see,PST,saw\n1,go,PST,went\n'
    table = TableOptions(source=("word, English",), target="form")
    path = tmp_path / "table.csv"
    path.write_text(content)
    found = read_pairs([path], table=table).format
    assert found is not None
    known = known_from(known_columns(TableOptions(**found.chosen())))  # type: ignore[arg-type]
    assert known.names == ("", "word, English", "tags", "form")
    rows = content.partition("\n")[2]
    assert read(tmp_path, rows, known=known) == [("see", "saw"), ("go", "went")]
    assert TableOptions(names=",a,b").names == ("", "a", "b")  # type: ignore[arg-type]
    assert TableOptions(names="").names == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "pair"),
    [
        ([("en", "fr", f"a {n}", f"b {n}") for n in "vwxyz"], ("a v", "b v")),
        ([(str(n * n), f"a {n}", str(7 - n), f"b {n}") for n in range(5)], ("a 0", "b 0")),
        ([(f"a {n}", f"b {n}", f"0.5 -1e-{n} 2") for n in range(5)], ("a 0", "b 0")),
        ([(f"a {n}", f"b {n}", f"CC-BY 2.0 (France) Attribution: #{n}") for n in range(5)], ("a 0", "b 0")),
        ([(f"a {n}", f"b {n}", "V;PST") for n in range(2_100)], ("a 0\tV;PST", "b 0")),
        ([(f"http://a.en/{n}", f"https://a.de/{n}", f"a {n}", f"b {n}", f"1.{n}") for n in range(5)], ("a 0", "b 0")),
    ],
    ids=["the same in every line", "numbers", "scores", "origins", "sorted by tag", "addresses"],
)
def test_columns_that_are_no_text_are_left_out(
    rows: list[tuple[str, ...]], pair: tuple[str, str], tmp_path: Path
) -> None:
    content = "".join("\t".join(row) + "\n" for row in rows)
    assert read(tmp_path, content, name="pairs.tsv")[0] == pair


def test_addresses_are_not_proposed_as_texts(tmp_path: Path) -> None:
    rows = [(f"http://a.en/{n}", f"http://a.de/{n}", f"a {n}", f"b {n}", f"c {n}") for n in range(5)]
    with pytest.raises(DataError, match="which are source and target") as error:
        read(tmp_path, "".join("\t".join(row) + "\n" for row in rows), name="pairs.tsv")
    assert error.value.fix.startswith("choose by number: --source 3 --target 4, ")
    pairs = read(tmp_path, "".join("\t".join(row[1:3]) + "\n" for row in rows), name="two.tsv")
    assert pairs[0] == ("http://a.de/0", "a 0"), "a text may be an address"


@pytest.mark.parametrize(
    "rows",
    [
        [(f"translate: {n}", f"b {n}", f"c {n}") for n in range(5)],
        [(f"say it: {n}", f"schema {n}", f"SELECT * FROM {n}") for n in range(5)],
        [("de", f"zahl wort {n}", str(n * n)) for n in range(8)] + [("en", "number", "3")],
        [(str(n * n), f"words {n}", "de" if n % 2 else "en") for n in range(9)],
        [(f"a {n}", f"b {n}", f"c {n}") for n in range(5)],
        [*[("en", f"a {n}", f"b {n}") for n in range(4)], ("fr", "a", "b")],
    ],
)
def test_other_columns_have_to_be_chosen(rows: list[tuple[str, ...]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="which are source and target"):
        read(tmp_path, "".join("\t".join(row) + "\n" for row in rows), name="pairs.tsv")


def test_a_delimiter_is_not_empty() -> None:
    with pytest.raises(ConfigError, match="delimiter: must not be empty"):
        TableOptions(delimiter="")


def test_the_columns_that_are_suggested_are_neither_numbers_nor_dates_nor_labels(tmp_path: Path) -> None:
    words = enumerate("abcdefghijklmnopqrst", start=1)
    rows = [(str(at), f"{at}.11.2026", f"Wort {word}", "Duden" if at % 3 else "", word * 2) for at, word in words]
    content = "Nr.;Datum;Wort;Quelle;Laute\n" + "".join(";".join(row) + "\n" for row in rows)
    with pytest.raises(DataError) as caught:
        read(tmp_path, content)
    assert "--source Wort --target Laute, or several as source: --source Wort,Quelle --target Laute" in str(
        caught.value
    )


def test_only_options_that_there_are_for_texts_choose_other_columns(tmp_path: Path) -> None:
    said: list[str] = []
    list(iterate_rows(io.BytesIO(CSV.encode()), "table.csv", known=KNOWN, say=said.append))
    assert said[0].endswith("(choose others with --source)")
    (tmp_path / "table.csv").write_text(CSV, encoding="utf-8")
    found = read_pairs([tmp_path / "table.csv"], known=KNOWN).format
    assert found is not None and found.describe().endswith("(choose others with --source and --target)")


@pytest.mark.parametrize(
    ("content", "pair"),
    [
        ("title,text,label\n" + "".join(f"t{n},x {n},{n % 2}\n" for n in range(9)), ("x 0", "0")),
        ("image,text,label\n" + "".join(f"i{n}.png,x {n},{n % 2}\n" for n in range(9)), ("x 0", "0")),
        ("question,context,answer\n" + "".join(f"q {n},,a {n}\n" for n in range(9)), ("q 0", "a 0")),
        ("instruction,input,output\n" + "".join(f"say {n},x,a {n}\n" for n in range(9)), ("say 0\tx", "a 0")),
    ],
)
def test_usual_names_choose_columns(content: str, pair: tuple[str, str], tmp_path: Path) -> None:
    assert read(tmp_path, content)[0] == pair


@pytest.mark.parametrize(
    ("content", "pair"),
    [
        ("".join(f"walk{n}\tV;PST;3;SG\twalked{n}\n" for n in range(98)), ("walk0\tV;PST;3;SG", "walked0")),
        ("".join(f"rouge {n}, bleu, vert;red {n}\n" for n in range(98)), ("rouge 0, bleu, vert", "red 0")),
        ("source;target\n" + "".join(f"a, {n}, b;c {n}\n" for n in range(98)), ("a, 0, b", "c 0")),
    ],
)
def test_a_bad_line_does_not_change_the_delimiter(content: str, pair: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(content + "broken\n", encoding="utf-8")
    found = read_pairs([tmp_path / "pairs.txt"], skip_bad=True)
    assert (found.pairs[0][:2], found.skipped) == (pair, 1)


def test_numbers_of_columns_are_no_keys_of_objects(tmp_path: Path) -> None:
    """The recipe for questions has columns 1, 2 and 3."""
    asked = TableOptions(source=("1", "2"), target="3")
    row = {"id": "x", "context": "a", "question": "b", "answers": {"text": ["c", "d"]}}
    content = (json.dumps(row) + "\n") * 3
    assert read(tmp_path, content, name="squad.jsonl", table=asked)[0] == ("a\tb", "c")
    with pytest.raises(DataError, match="unknown key '1'"):
        read(tmp_path, content, name="squad.jsonl", table=TableOptions(source=("1",), target="3"))
    assert read(tmp_path, '["a", "b", "c"]\n' * 3, name="lists.jsonl", table=asked)[0] == ("a\tb", "c")
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, name="squad.jsonl", table=TableOptions(source=("answers.text",), target="question"))
    assert "--target answers.text.1" in str(caught.value)


def value_of(**keys: object) -> dict[str, object]:
    return keys


@pytest.mark.parametrize(
    ("values", "pair"),
    [
        ([value_of(meta={"source": "web"}, source=f"a {n}", target="b") for n in range(9)], ("a 0", "b")),
        ([value_of(label="x", meta={"text": "web"}, text=f"a {n}") for n in range(9)], ("a 0", "x")),
        ([value_of(lemma=f"a {n}", form="b", meta={"tag": "web"}) for n in range(9)], ("a 0", "b")),
        ([value_of(translation={"en": f"a {n}", "id": f"b {n}"}) for n in range(9)], ("a 0", "b 0")),
        ([value_of(en=f"a {n}", id=f"b {n}") for n in range(9)], ("a 0", "b 0")),
        ([value_of(id=f"x{n}", en=f"a {n}", de=f"b {n}") for n in range(9)], ("a 0", "b 0")),
        (
            [value_of(question=f"a {n}", answer="b", **({"context": "c"} if n == 8 else {})) for n in range(9)],
            ("a 0", "b"),
        ),
        ([value_of(instruction=f"a {n}", input="c" if n == 8 else "", output="b") for n in range(9)], ("a 0\t", "b")),
        (
            [value_of(id=f"x{n}", data={"input": f"a {n}", "output": "b", "note": "c"}) for n in range(9)],
            ("a 0", "b"),
        ),
        (
            [
                value_of(a={"b": {"c": {"question": f"a {n}", "context": "c", "answer": "b", "by": "d"}}})
                for n in range(9)
            ],
            ("c\ta 0", "b"),
        ),
        ([value_of(one={"src": f"a {n}", "by": "x"}, other={"tgt": "b", "by": "x"}) for n in range(9)], ("a 0", "b")),
    ],
)
def test_keys_are_chosen_by_their_own_names(
    values: list[dict[str, object]], pair: tuple[str, str], tmp_path: Path
) -> None:
    content = "".join(json.dumps(value) + "\n" for value in values)
    assert read(tmp_path, content, name="pairs.jsonl")[0] == pair


def test_a_nested_source_is_found_by_its_name() -> None:
    content = b'{"id": "x", "data": {"note": "c", "input": "a"}}\n'
    assert [row.source for row in iterate_rows(io.BytesIO(content), "texts.jsonl")] == ["a"]


@pytest.mark.parametrize(
    ("known", "line"),
    [
        (TWO, {"lemma": "zien"}),
        (TWO, {"lemma": "zien", "form": None}),
        (TWO, {"source": "zien", "prefix": "z"}),
        (TWO, {"text": "zien"}),
        (TWO, {"src": "zien"}),
        (TableOptions(source=("translation.en",), target="translation.nl"), {"translation": {"en": "zien"}}),
        (TableOptions(source=("translation.en",), target="translation.nl"), {"source": "zien"}),
    ],
)
def test_a_text_to_answer_in_json_needs_no_target(known: TableOptions, line: dict[str, object]) -> None:
    content = json.dumps(line).encode()
    assert [row.source for row in iterate_rows(io.BytesIO(content), "texts.jsonl", known=known)] == ["zien"]


def test_a_text_to_answer_in_json_without_any_of_its_keys_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(DataError, match=r"has no key lemma, .*; found wort") as caught:
        list(iterate_rows(io.BytesIO(b'{"wort": "zien"}\n'), "texts.jsonl", known=TWO))
    assert "--source wort;" in caught.value.fix
