"""Runs on several languages, told apart by a column."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import seq2see
from seq2see.config import make_config
from seq2see.errors import ConfigError
from seq2see.run.train import train
from seq2see.storage.saved_model import load_model

WORDS = [f"{one}{two}{three}" for one in "abc" for two in "dex" for three in "abcd"]
ROWS = [(word, "up", word.upper()) for word in WORDS] + [(word, "back", word[::-1]) for word in WORDS[::6]]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Words of two languages, with 36 and 6 of them."""
    path = tmp_path / "words.csv"
    path.write_text("word,language,answer\n" + "".join(",".join(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def given(tiny_settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Settings of a short run on the table."""
    columns = {"data.source": "word,language", "data.target": "answer", "data.balance": "language"}
    return tiny_settings | columns | {"model.name": "bidirectional"} | more


def test_the_shares_are_said_and_a_resumed_run_ends_the_same(
    table: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = given(tiny_settings, **{"training.schedule": "constant", "training.warmup": 0.0})
    settings |= {"training.max_updates": 12, "training.evaluate_every": 4, "data.dev": [str(table)]}
    said = io.StringIO()
    config = make_config({"data": {"train": [str(table)]}}, settings)
    train(config, tmp_path / "whole", device="cpu", console=Console(file=said, width=300))
    assert "balance: of each epoch, by language: up 60 % (of the data 86 %), back 40 % (of the data 14 %)" in (
        said.getvalue()
    )
    seq2see.train(table, out=tmp_path / "parts", settings=settings | {"training.max_updates": 4}, quiet=True)
    more = {"training.max_updates": 12}
    seq2see.train(table, out=tmp_path / "parts", settings=more, resume=True, allow_changes=True, quiet=True)
    one, other = (load_model(tmp_path / name / "model").tensors for name in ("whole", "parts"))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    seq2see.train(table, out=tmp_path / "plain", settings=settings | {"data.balance": None}, quiet=True)
    plain = load_model(tmp_path / "plain" / "model").tensors
    assert not all(np.array_equal(one[name], plain[name]) for name in one)


def test_one_model_answers_each_language_and_is_scored_by_it(
    table: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = given(tiny_settings, **{"training.max_updates": 150, "model.width": 48, "training.batch_size": 16})
    model = seq2see.train(table, dev=table, out=tmp_path / "run", settings=settings, quiet=True)
    answers = model.predict([("ada", "up"), ("ada", "back"), ("bda", "up"), ("bda", "back")])
    assert [answer.text for answer in answers] == ["ADA", "ada", "BDA", "adb"]
    rows = seq2see.evaluate(model, table, by="language").to_dicts()
    found = {row["slice"]: row for row in rows if row["by"] == "language" and row["metric"] == "exact_match"}
    assert {name: row["count"] for name, row in found.items()} == {"up": 36, "back": 6}
    assert min(row["value"] for row in found.values()) > 0.8


@pytest.mark.parametrize(
    ("more", "where", "what"),
    [
        ({"data.balance": "languge"}, "data.balance", "no column of the source"),
        ({"data.balance": 3}, "data.balance", "1 to 2"),
        ({"data.balance": None, "data.temperature": 2.0}, "data.temperature", "no effect without data.balance"),
        ({"data.source": "word", "data.balance": 1}, "data.balance", "only one"),
        ({"data.temperature": 0.5}, "data.temperature", ">= 1"),
    ],
)
def test_what_is_not_there_is_refused(
    more: dict[str, Any], where: str, what: str, table: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        seq2see.train(table, out=tmp_path / "run", settings=given(tiny_settings, **more), quiet=True)
    assert caught.value.where == where
    if more.get("data.balance") == 3:
        assert caught.value.fix == "give one of word and language"
    assert not (tmp_path / "run").exists()
