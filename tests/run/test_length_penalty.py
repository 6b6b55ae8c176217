"""The length penalty that is chosen on dev when training has ended."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import seq2see
from seq2see import Pair
from seq2see.config import make_config
from seq2see.errors import ConfigError
from seq2see.inference.results import Prediction
from seq2see.run import length_penalty
from seq2see.run.folder import stored_config
from seq2see.run.length_penalty import PENALTIES, Tried, keep_length_penalty, most_pairs, try_penalties
from seq2see.run.train import train
from seq2see.storage.saved_model import load_model
from seq2see.text import Codec, make_tokenizer

PAIRS = [Pair("a", "b")] * 80
CODEC = Codec.build(make_tokenizer("characters"), ["abc"])


class Scripted:
    """A model that answers this share of texts rightly, by length penalty."""

    target_codec = CODEC

    def __init__(self, right: dict[float, float]) -> None:
        self.right = right
        self.calls: list[tuple[int, float]] = []

    def predict(self, texts: Iterable[str], *, beam: int, length_penalty: float) -> list[Prediction]:
        number = len(list(texts))
        self.calls.append((beam, length_penalty))
        right = round(self.right.get(length_penalty, 0) * number)
        return [Prediction("b" if i < right else "a", [], [], 0.0, 0.0, None, True) for i in range(number)]


def tried(right: dict[float, float], metric: str = "exact_match", stop: Callable[[], bool] = lambda: False) -> Any:
    return try_penalties(Scripted(right), PAIRS, metric, stop)  # type: ignore[arg-type]


def test_the_best_on_dev_is_chosen() -> None:
    found = tried({0.0: 0.5, 0.4: 0.7, 1.0: 0.6})
    assert found.best == 0.4
    assert found.scores == pytest.approx({0.0: 0.5, 0.2: 0.0, 0.4: 0.7, 0.6: 0.0, 1.0: 0.6}, abs=0.02)
    assert tried({0.0: 0.5, 1.0: 0.7}, "chrf").best == 1.0


def test_of_equals_the_smallest_is_chosen_and_none_rather_than_any() -> None:
    assert tried(dict.fromkeys(PENALTIES, 0.5)).best == 0.0
    assert tried({0.0: 0.4, 0.6: 0.5, 1.0: 0.5}).best == 0.6


def test_a_run_that_is_to_stop_chooses_nothing() -> None:
    asked = iter([False, False, False, True])
    assert tried(dict.fromkeys(PENALTIES, 0.5), stop=lambda: next(asked)) is None


def test_a_beam_without_a_mistake_chooses_nothing() -> None:
    model = Scripted({0.0: 1.0, 1.0: 1.0})
    assert try_penalties(model, PAIRS, "exact_match", lambda: False) is None  # type: ignore[arg-type]
    assert {penalty for _, penalty in model.calls} == {0.0}
    assert tried({0.0: 0.9, 1.0: 1.0}).best == 1.0


def test_long_targets_are_answered_less_often() -> None:
    assert most_pairs(PAIRS, CODEC) == 200
    long = most_pairs([Pair("a", "abc" * 300)] * 80, CODEC)
    assert 1 <= long < 20


def test_one_line_says_what_was_chosen() -> None:
    assert "0.4" in (line := Tried("exact_match", {0.0: 0.5, 0.4: 0.75}).line())
    assert "75.00 %" in line
    assert "50.00 %" in line
    assert "none" in Tried("chrf", {0.0: 50.0, 0.4: 50.0}).line()


@pytest.fixture
def run_of(tmp_path: Path, tiny_settings: dict[str, Any]) -> Callable[..., tuple[Path, str]]:
    """Trains on made-up words of which enough are dev pairs; the folder, and what was said."""

    def run(folder: str = "run", **settings: Any) -> tuple[Path, str]:
        words = [f"{a}{b}{c}" for a in "abcde" for b in "abcde" for c in "abcde"]
        pairs = [Pair(word, word[::-1] * 2) for word in words]
        own = (
            tiny_settings
            | {"training.choose_length_penalty": True}
            | {key.replace("__", "."): value for key, value in settings.items()}
        )
        said = io.StringIO()
        config, place = make_config({}, own), tmp_path / folder
        train(config, place, pairs=pairs, dev_pairs=pairs[:60], device="cpu", console=Console(file=said, width=300))
        return place, said.getvalue()

    return run


@pytest.fixture
def best_is_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the answers, the largest penalty is the best."""
    monkeypatch.setattr(Tried, "best", property(lambda self: max(self.scores)))


@pytest.mark.usefixtures("best_is_last")
def test_it_is_kept_with_the_model_and_is_what_a_beam_ranks_by(run_of: Callable[..., tuple[Path, str]]) -> None:
    run, said = run_of(model__name="attention")
    assert json.loads((run / "model" / "config.json").read_text())["length_penalty"] == 1.0
    assert said.count("length penalty: 1,") == 1
    model = seq2see.load(run)
    assert model.length_penalty == 1.0
    assert model.predict(["abc"], beam=3) == model.predict(["abc"], beam=3, length_penalty=1.0)
    model.pack(run.parent / "packed.seq2see", data=[("abc", "cbacba")])
    assert seq2see.load(run.parent / "packed.seq2see").length_penalty == 1.0


@pytest.mark.usefixtures("best_is_last")
@pytest.mark.parametrize("name", ["language_model", "transducer"])
def test_models_for_which_it_means_nothing_keep_none(run_of: Callable[..., tuple[Path, str]], name: str) -> None:
    with pytest.raises(ConfigError, match="no effect"):
        run_of(model__name=name)
    more = {"training__metric": "loss", "training__choose_length_penalty": None}
    run, said = run_of(model__name=name, **more)
    assert "length penalty" not in said
    assert "length_penalty" not in load_model(run / "model").config


@pytest.mark.usefixtures("best_is_last")
@pytest.mark.parametrize(("metric", "chosen"), [("loss", 1.0), ("exact_match", 0.0)])
def test_by_default_it_is_chosen_where_the_loss_selects_the_model(
    run_of: Callable[..., tuple[Path, str]], metric: str, chosen: float
) -> None:
    more = {"training__metric": metric, "training__choose_length_penalty": None}
    run, said = run_of(model__name="attention", **more)
    assert seq2see.load(run).length_penalty == chosen
    assert ("length penalty" in said) == bool(chosen)
    assert stored_config(run).training.choose_length_penalty == bool(chosen)


@pytest.mark.usefixtures("best_is_last")
def test_a_few_dev_pairs_choose_nothing(run_of: Callable[..., tuple[Path, str]]) -> None:
    run, _ = run_of(model__name="attention")
    dev = [Pair("abc", "cbacba")]
    assert keep_length_penalty(run / "model", dev, "exact_match", device="cpu", stop=lambda: False) is None
    assert len(dev) < length_penalty.FEWEST_PAIRS


def test_a_model_that_had_one_loses_it_where_none_is_better(
    run_of: Callable[..., tuple[Path, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tried, "best", property(lambda self: 1.0))
    run, _ = run_of(model__name="attention")
    monkeypatch.setattr(Tried, "best", property(lambda self: 0.0))
    dev = [Pair("abc", "cbacba")] * 60
    keep_length_penalty(run / "model", dev, "exact_match", device="cpu", stop=lambda: False)
    assert seq2see.load(run).length_penalty == 0.0


def test_an_ensemble_has_the_mean_of_its_members(
    run_of: Callable[..., tuple[Path, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tried, "best", property(lambda self: 0.6))
    first, _ = run_of("first", model__name="attention")
    monkeypatch.setattr(Tried, "best", property(lambda self: 0.0))
    second, _ = run_of("second", model__name="plain")
    assert seq2see.load([first, second]).length_penalty == pytest.approx(0.3)
