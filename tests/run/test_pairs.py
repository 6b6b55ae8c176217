"""The pairs of a run, read from the files of its options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seq2see.config import Config
from seq2see.data import Pair
from seq2see.data.options import DataOptions
from seq2see.errors import DataError
from seq2see.run.pairs import read_data


def write(path: Path, header: str) -> str:
    path.write_text(f"{header}\n" + "".join(f"{at},w{at}x,l{at}y\n" for at in range(9)), encoding="utf-8")
    return str(path)


def test_columns_that_a_run_stored_leave_dev_its_own_names(tmp_path: Path) -> None:
    train, dev = write(tmp_path / "train.csv", "id,word,ipa"), write(tmp_path / "dev.csv", "nr,source,target")
    config = Config(data=DataOptions(train=(train,), dev=(dev,)))
    first = read_data(config, None, None, has_source=True)
    stored = replace(config, data=replace(config.data, **first.columns))
    again = read_data(stored, None, None, has_source=True)
    assert (again.dev, again.columns) == (first.dev, first.columns)
    assert [pair.source for pair in again.dev] == [f"w{at}x" for at in range(9)]


def test_columns_that_are_given_are_those_of_dev_too(tmp_path: Path) -> None:
    train, dev = write(tmp_path / "train.csv", "id,word,ipa"), write(tmp_path / "dev.csv", "nr,source,target")
    data = DataOptions(train=(train,), dev=(dev,), source=("word",), target="ipa")
    with pytest.raises(DataError, match="unknown column 'word'"):
        read_data(Config(data=data), None, None, has_source=True)


def test_dev_may_have_its_tags_elsewhere(tmp_path: Path) -> None:
    """Also where the columns are those that a run has stored."""
    forms = [(f"{stem}en", f"{stem}{end}", tags) for stem in "abcde" for end, tags in (("t", "V;PRS"), ("de", "V;PST"))]
    orders = {"train.tsv": (0, 1, 2), "dev.tsv": (0, 2, 1)}
    for name, order in orders.items():
        lines = ["\t".join(form[at] for at in order) for form in forms]
        (tmp_path / name).write_text("\n".join([*lines, ""]), encoding="utf-8")
    config = Config(data=DataOptions(train=(str(tmp_path / "train.tsv"),), dev=(str(tmp_path / "dev.tsv"),)))
    first = read_data(config, None, None, has_source=True)
    assert [pair[:2] for pair in first.dev] == [pair[:2] for pair in first.train]
    again = read_data(replace(config, data=first.settled(config.data)), None, None, has_source=True)
    assert again.dev == first.dev


def test_dev_pairs_with_more_source_columns_are_refused_with_columns_for_both(tmp_path: Path) -> None:
    train, dev = tmp_path / "train.tsv", tmp_path / "dev.tsv"
    train.write_text("".join(f"w{at}x\tx{at}w\n" for at in range(9)))
    dev.write_text("".join(f"w{at}y\ty{at}w\tV;PST\n" for at in range(9)))
    data = DataOptions(train=(str(train),), dev=(str(dev),))
    with pytest.raises(DataError, match="the training pairs have 1 source column, found 2") as caught:
        read_data(Config(data=data), None, None, has_source=True)
    assert (caught.value.where, caught.value.fix) == (str(dev), "choose one as source: --source 1 --target 2")
    chosen = replace(data, source=("1",), target="2")
    assert read_data(Config(data=chosen), None, None, has_source=True).dev[0].source == "w0y"
    pairs = [Pair("ab", "ba"), Pair("abc", "cba")]
    with pytest.raises(DataError, match="the training pairs have 1 source column, found 2") as caught:
        read_data(Config(), pairs, [Pair("ab\tV;PST", "ba")], has_source=True)
    assert caught.value.where == "dev"
