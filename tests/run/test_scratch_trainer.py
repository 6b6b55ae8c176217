"""`engine="scratch"`: models trained in NumPy are saved and used like any others."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import seq2see
from seq2see.errors import ConfigError
from seq2see.scratch import ARCHITECTURES, DevScores

SETTINGS: dict[str, Any] = {
    "model.width": 32,
    "training.rate": 1e-2,
    "training.batch_size": 16,
    "training.max_updates": 2,
    "training.evaluate_every": 1,
}


def train(data: Path, out: Path, **settings: Any) -> seq2see.Model:
    return seq2see.train(data, out=out, engine="scratch", settings=SETTINGS | settings, device="cpu", quiet=True)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_can_be_trained(name: str, tiny_pairs: Path, tiny_text: Path, tmp_path: Path) -> None:
    data = tiny_text if "language" in name else tiny_pairs
    model = train(data, tmp_path / "r", **{"model.name": name})
    assert model.name == name
    answers = model.predict(["abc", "de"], max_length=9)
    again = seq2see.load(tmp_path / "r", engine="numpy").predict(["abc", "de"], max_length=9)
    assert [each.text for each in answers] == [each.text for each in again]


@pytest.mark.parametrize("name", ["transducer", "monotonic"])
def test_an_architecture_of_the_other_engine_alone_is_refused_with_those_of_this_one(
    name: str, tiny_pairs: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        train(tiny_pairs, tmp_path / "r", **{"model.name": name})
    assert (caught.value.where, caught.value.what) == ("model.name", f"--engine scratch has no {name}")
    assert caught.value.fix == f"train with --engine torch, or choose one of: {', '.join(ARCHITECTURES)}"


def test_it_learns_and_writes_a_normal_run_folder(tiny_pairs: Path, tmp_path: Path) -> None:
    run = tmp_path / "r"
    model = train(tiny_pairs, run, **{"training.max_updates": 150, "training.evaluate_every": 50})
    pairs = [seq2see.Pair(*line.split("\t"), "") for line in tiny_pairs.read_text().splitlines()]
    assert (model.evaluate(pairs).exact_match or 0) > 0.5
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [event["update"] for event in events if event["event"] == "evaluation"] == [50, 100, 150]
    assert events[-1]["event"] == "end"
    assert "trained on" in (run / "model" / "README.md").read_text()
    config = (run / "config.toml").read_text()
    assert "dropout = 0.0" in config
    assert "label_smoothing = 0.0" in config
    again = train(tiny_pairs, tmp_path / "s", **{"training.max_updates": 150, "training.evaluate_every": 50})
    assert again.loss(pairs) == model.loss(pairs)  # the same seed, the same model


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"model.dropout": 0.2}, "model.dropout"),
        ({"training.label_smoothing": 0.1}, "training.label_smoothing"),
        ({"training.schedule": "cosine"}, "training.schedule"),
        ({"training.precision": "bfloat16"}, "training.precision"),
        ({"training.batch_tokens": 100}, "training.batch_tokens"),
        ({"model.name": "transformer", "model.positions": "rotary"}, "model.positions"),
        ({"model.name": "transformer", "model.activation": "swiglu"}, "model.activation"),
    ],
)
def test_unsupported_options_are_refused(
    settings: dict[str, Any], named: str, tiny_pairs: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        train(tiny_pairs, tmp_path / "r", **settings)
    assert caught.value.where == named
    assert "torch" in caught.value.fix
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(("metric", "best_update"), [("exact_match", 1), ("loss", 2), (None, 1)])
def test_the_best_model_is_chosen_by_the_metric(
    metric: str | None, best_update: int, tiny_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact match is best at update 1, the loss at update 2."""
    found = iter([DevScores(0.5, 2.0), DevScores(0.4, 1.0), DevScores(0.3, 3.0)])
    monkeypatch.setattr(sys.modules["seq2see.scratch.train"], "evaluate", lambda *_: next(found))
    chosen = {"training.max_updates": 3} | ({"training.metric": metric} if metric else {})
    train(tiny_pairs, tmp_path / "r", **chosen)
    events = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert events[-1]["best_update"] == best_update
    assert [event["best"] for event in events if event["event"] == "evaluation"] == [True, best_update == 2, False]


def test_fixed_values_may_be_given(tiny_pairs: Path, tmp_path: Path) -> None:
    train(tiny_pairs, tmp_path / "r", **{"model.dropout": 0.0, "training.precision": "float32"})


def test_resuming_gpus_and_unknown_engines_are_refused(tiny_pairs: Path, tmp_path: Path) -> None:
    train(tiny_pairs, tmp_path / "r")
    with pytest.raises(ConfigError, match="writes no checkpoints"):
        seq2see.train(tiny_pairs, out=tmp_path / "r", engine="scratch", resume=True, quiet=True)
    with pytest.raises(ConfigError, match="must be cpu with --engine scratch, not cuda"):
        seq2see.train(tiny_pairs, out=tmp_path / "s", engine="scratch", device="cuda", quiet=True)
    with pytest.raises(ConfigError, match="did you mean 'scratch'"):
        seq2see.train(tiny_pairs, out=tmp_path / "s", engine="scrach", quiet=True)
