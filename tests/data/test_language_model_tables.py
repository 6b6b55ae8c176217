"""Texts for a language model in tables: the column that has them is read, and there is only one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from seq2see.data import TableOptions, iterate_rows, read_pairs
from seq2see.errors import DataError

TEXTS = [f"the {color}, {size} tree was {age}" for color in ("red", "blue") for size in ("big", "low") for age in "abc"]
CSV = "".join(f'{n},"{text}"\n' for n, text in enumerate(TEXTS))
TSV = "".join(f"{n}\t{text}\n" for n, text in enumerate(TEXTS))
QUOTED = "".join(f'"{text}"\n' for text in TEXTS)
JSON = "".join(json.dumps({"id": str(n), "by": "me", "body": text}) + "\n" for n, text in enumerate(TEXTS))


def read(folder: Path, content: str, name: str, **options: object) -> list[str | None]:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return [pair.target for pair in read_pairs([path], columns="target", **options).pairs]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("texts.csv", "id,text\n" + CSV),
        ("texts.csv", ",Satz\n" + CSV),
        ("texts.csv", CSV),
        ("texts.csv", "text\n" + QUOTED),
        ("texts.csv", "Satz\n" + QUOTED),
        ("texts.csv", QUOTED),
        ("texts.tsv", "id\ttext\n" + TSV),
        ("texts.txt", TSV),
        ("texts.jsonl", JSON),
        ("texts.txt", "".join(f"{text}\n" for text in TEXTS)),
    ],
)
def test_the_only_column_of_texts_is_read(name: str, content: str, tmp_path: Path) -> None:
    assert read(tmp_path, content, name) == TEXTS


def test_a_csv_file_of_plain_lines_is_read_line_by_line(tmp_path: Path) -> None:
    lines = [text.replace(",", "") for text in TEXTS]
    content = "".join(f"{line}\n" for line in lines)
    assert read(tmp_path, content, "texts.csv") == lines
    assert read(tmp_path, "text\n" + content, "texts.csv") == lines
    mixed = [*lines, "a, b, c, and d", '"so," he said', "x, y"]
    assert read(tmp_path, "".join(f"{line}\n" for line in mixed), "texts.csv") == mixed


@pytest.mark.parametrize(("name", "content"), [("texts.csv", "id,text\n" + CSV), ("texts.tsv", "id\ttext\n" + TSV)])
def test_either_side_names_the_column(name: str, content: str, tmp_path: Path) -> None:
    for options in (
        TableOptions(source="text"),
        TableOptions(target="text"),
        TableOptions(source="text", target="text"),
    ):
        assert read(tmp_path, content, name, table=options) == TEXTS
    assert read(tmp_path, content, name, table=TableOptions(source="id")) == [str(n) for n in range(len(TEXTS))]
    with pytest.raises(DataError, match="a language model reads one column, found text and id") as error:
        read(tmp_path, content, name, table=TableOptions(source="text", target="id"))
    assert error.value.fix == "name one: --target text"


@pytest.mark.parametrize(
    ("name", "content", "fix"),
    [
        ("texts.tsv", "".join(f"{text}\t{text} b\n" for text in TEXTS), "choose by number: --target 1"),
        (
            "texts.csv",
            "id,raw,mended\n" + "".join(f'{n},"{text}","{text} b"\n' for n, text in enumerate(TEXTS)),
            "choose by name: --target raw; if each line is a text, give the file the ending .txt",
        ),
        (
            "texts.jsonl",
            "".join(json.dumps({"raw": text, "mended": f"{text} b"}) + "\n" for text in TEXTS),
            "choose another: --target raw",
        ),
    ],
)
def test_of_several_columns_one_is_offered(name: str, content: str, fix: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, content, name)
    assert error.value.fix == fix
    target = fix.split("--target ")[1].partition(";")[0]
    assert read(tmp_path, content, name, table=TableOptions(target=target)) == TEXTS


def test_the_column_is_found_again_and_its_texts_can_be_gone_on_with(tmp_path: Path) -> None:
    read(tmp_path, "id,text\n" + CSV, "texts.csv")
    found = read_pairs([tmp_path / "texts.csv"], columns="target").format
    assert found is not None
    assert found.describe().endswith("text as target; left out: id (choose another with --target)")
    known = TableOptions(**found.chosen())  # type: ignore[arg-type]
    for name, content in (("b.csv", "text\n" + QUOTED), ("b.tsv", "id\ttext\n" + TSV), ("b.csv", "id,text\n" + CSV)):
        assert read(tmp_path, content, name, known=known) == TEXTS
        rows = iterate_rows(io.BytesIO(content.encode()), name, known=known)
        assert [row.source for row in rows] == TEXTS
    read(tmp_path, "text\n" + QUOTED, "texts.csv")
    single = read_pairs([tmp_path / "texts.csv"], columns="target").format
    assert single is not None
    assert single.describe() == "1 column, in quotation marks, with a header; text as target"
    lines = "text\n" + "".join(f"tree {n}\n" for n in range(9))  # divided by blanks, too
    assert read(tmp_path, lines, "b.csv", known=known)[0] == "tree 0"
