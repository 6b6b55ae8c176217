"""Learned positions end somewhere: what is longer is named, before training as in use."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest

import seq2see
from seq2see import Pair
from seq2see.errors import ConfigError, DataError
from seq2see.inference.reading import UnansweredTextWarning

SETTINGS: dict[str, Any] = {
    "model.positions": "learned",
    "model.max_positions": 8,
    "model.heads": 2,
    "model.feed_forward": 16,
    "training.max_updates": 2,
    "training.evaluate_every": 1,
}
FITS, TOO_LONG = "abcdeab", "abcdeabc"  # EOS is the eighth


def train(folder: Path, settings: dict[str, Any], name: str, *, dev: list[str], lines: list[str]) -> seq2see.Model:
    (folder / "train.tsv").write_text("".join(line + "\n" for line in lines))
    (folder / "dev.tsv").write_text("".join(line + "\n" for line in dev))
    chosen = {key: value for key, value in settings.items() if key != "model.embedding"}
    return seq2see.train(
        folder / "train.tsv",
        dev=folder / "dev.tsv",
        model=name,
        out=folder / "run",
        settings=chosen | SETTINGS,
        device="cpu",
        quiet=True,
    )


@pytest.fixture
def model(tmp_path: Path, tiny_settings: dict[str, Any]) -> seq2see.Model:
    lines = [f"{FITS}\t{FITS}", "ab\tba", "c\tc"] * 4
    return train(tmp_path, tiny_settings, "transformer", dev=lines[:3], lines=lines)


@pytest.mark.parametrize(
    ("lines", "dev", "named"),
    [
        (["a\tb", f"{TOO_LONG}\tb"], ["a\tb"], "train.tsv:2"),
        (["a\tb", "b\ta", f"b\t{TOO_LONG}"], ["a\tb"], "train.tsv:3"),
        (["a\tb", "c\td"], ["a\tb", f"{TOO_LONG}\tb"], "dev.tsv:2"),
        (["a\tb", "c\td"], [f"b\t{TOO_LONG}"], "dev.tsv:1"),
    ],
)
def test_a_pair_that_is_too_long_is_named_before_training(
    lines: list[str], dev: list[str], named: str, tmp_path: Path, tiny_settings: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match="9 tokens with EOS, and the model has positions for 8") as caught:
        train(tmp_path, tiny_settings, "transformer", dev=dev, lines=lines)
    assert caught.value.where == str(tmp_path / named)
    assert "model.max_positions" in caught.value.fix
    assert "model.positions" in caught.value.fix
    assert not (tmp_path / "run").exists()


def test_a_language_models_text_that_is_too_long_is_named(tmp_path: Path, tiny_settings: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="has positions for 8") as caught:
        train(tmp_path, tiny_settings, "transformer_language_model", dev=["a"], lines=[FITS, TOO_LONG])
    assert caught.value.where.endswith("train.tsv:2")


def test_the_longest_that_fits_is_trained_on_answered_and_scored(model: seq2see.Model) -> None:
    (answer,) = model.predict(FITS, min_length=8, max_length=100)
    assert len(answer.target_tokens) == 8  # nor do answers go on where there are no positions
    (scored,) = model.score([Pair(FITS, FITS, "")])
    assert scored.num_tokens == 8


def test_more_than_there_are_positions_for_is_refused(model: seq2see.Model) -> None:
    with pytest.raises(ConfigError, match="at most the model's 8 positions"):
        model.predict(FITS, min_length=9, max_length=50)
    with pytest.raises(ConfigError, match="more than the longest answer has, 8"):
        model.predict(FITS, prefix="abcdeabcd", max_length=50)


def test_a_longer_text_is_named_in_use(model: seq2see.Model) -> None:
    for texts, number in (([TOO_LONG], 1), (["a", "", TOO_LONG, TOO_LONG], 3)):
        with pytest.raises(DataError, match=f"text {number}: 9 tokens") as caught:
            model.predict(texts, strict=True)
        assert "model.max_positions" in caught.value.fix
        with pytest.warns(UnansweredTextWarning, match=f"first: text {number}: 9 tokens"):
            answers = model.predict(texts)
        for text, answer in zip(texts, answers, strict=True):
            assert (answer.text, bool(answer.error), answer.finished) == ("", True, False) if text == TOO_LONG else True
        assert "model.max_positions" in answers[-1].error
    for pair in (Pair("a", TOO_LONG, "t.tsv:7"), Pair(TOO_LONG, "a", "t.tsv:7")):
        with pytest.raises(DataError, match=r"t\.tsv:7: 9 tokens"):
            model.score([Pair("a", "a", ""), pair], strict=True)
        with pytest.warns(UnansweredTextWarning, match=r"pairs without a score: 1 of 2 \(first: t\.tsv:7: 9 tokens"):
            fits, too_long = model.score([Pair("a", "a", ""), pair])
        assert fits == model.score([Pair("a", "a", "")])[0]
        assert math.isnan(too_long.log_prob)
        assert "9 tokens" in too_long.error
        with pytest.warns(UnansweredTextWarning):
            assert model.loss([Pair("a", "a", ""), pair]) == -fits.score
        with pytest.warns(UnansweredTextWarning), pytest.raises(DataError, match="no pairs that can be scored"):
            model.loss([pair])


@pytest.fixture
def runs(model: seq2see.Model, tmp_path: Path, tiny_settings: dict[str, Any]) -> list[Path]:
    """The run of `model`, and one on the same pairs that knows no limit."""
    few = {"training.max_updates": 2, "training.evaluate_every": 1}
    seq2see.train(
        tmp_path / "train.tsv",
        dev=tmp_path / "dev.tsv",
        model="attention",
        out=tmp_path / "other",
        settings=tiny_settings | few,
        device="cpu",
        quiet=True,
    )
    return [tmp_path / "run", tmp_path / "other"]


WAYS: list[dict[str, Any]] = [{}, {"beam": 3, "n_best": 3}, {"sample": True, "n_best": 2}]


@pytest.mark.parametrize("engine", ["torch", "numpy"])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_ensemble_stops_where_one_of_its_members_does(runs: list[Path], is_first: bool, engine: str) -> None:
    learned, other = runs
    alone = seq2see.load(other, engine=engine)
    assert alone.max_positions is None
    together = seq2see.load([learned, other] if is_first else [other, learned], engine=engine)
    assert together.max_positions == 8
    assert together.max_length <= 8
    endless: dict[str, Any] = {"min_length": 30, "max_length": 100}
    for way in WAYS:
        assert all(len(each.target_tokens) >= 30 for each in alone.predict(FITS, **endless, **way)[0].all)
        for answer in together.predict([FITS, "a"], **endless | {"min_length": 8}, **way):
            assert [len(each.target_tokens) for each in answer.all] == [8] * way.get("n_best", 1)
        (usual,) = together.predict(FITS, **way)
        assert all(len(each.target_tokens) <= 8 for each in usual.all)
    (scored,) = together.score([Pair(FITS, FITS, "")])
    assert scored.num_tokens == 8
    with pytest.raises(DataError, match="text 2: 9 tokens") as caught:
        together.predict(["a", TOO_LONG], strict=True)
    assert "model.max_positions" in caught.value.fix
    for pair in (Pair("a", TOO_LONG, "t.tsv:7"), Pair(TOO_LONG, "a", "t.tsv:7")):
        with pytest.raises(DataError, match=r"t\.tsv:7: 9 tokens"):
            together.score([pair], strict=True)


def test_an_ensemble_stops_at_the_least_of_several_limits(
    model: seq2see.Model, tmp_path: Path, tiny_settings: dict[str, Any]
) -> None:
    settings = {key: value for key, value in tiny_settings.items() if key != "model.embedding"} | SETTINGS
    for max_positions in (9, 20):
        seq2see.train(
            tmp_path / "train.tsv",
            dev=tmp_path / "dev.tsv",
            model="transformer",
            out=tmp_path / f"to-{max_positions}",
            settings=settings | {"model.max_positions": max_positions},
            device="cpu",
            quiet=True,
        )
    several = [tmp_path / "to-20", tmp_path / "run", tmp_path / "to-9"]
    for paths, least in ((several, 8), (several[::2], 9)):
        together = seq2see.load(paths, device="cpu")
        assert together.max_positions == least
        (answer,) = together.predict("ab", min_length=least, max_length=100)
        assert len(answer.target_tokens) == least


def test_a_prompt_leaves_room_for_a_token(tmp_path: Path, tiny_settings: dict[str, Any]) -> None:
    model = train(tmp_path, tiny_settings, "transformer_language_model", dev=["a"], lines=[FITS, "ab", "cde"] * 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for length in range(8):
            (answer,) = model.predict("a" * length, max_length=100, min_length=8)
            assert len(answer.target_tokens) == 8 - length
        with pytest.raises(DataError, match="text 1: 9 tokens"):
            model.predict("a" * 8, strict=True)
