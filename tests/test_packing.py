"""`seq2see pack`: the comparison before and after is correct, and is written into the card."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import seq2see
from seq2see import Pair, packing
from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.packing import pack_run
from seq2see.storage.saved_model import SavedModel, load_model
from seq2see.storage.weights import WEIGHTS


def pairs_of(path: Path) -> list[Pair]:
    return [Pair(*line.split("\t"), "") for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_parity_report_is_correct(weights: str, tiny_run: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.seq2see"
    packed = pack_run(tiny_run, out, weights=weights, data=[tiny_pairs])
    assert packed.size == out.stat().st_size
    parity, pairs = packed.parity, pairs_of(tiny_pairs)
    before, after = seq2see.load(tiny_run, engine="torch", device="cpu"), seq2see.load(out, engine="numpy")
    sources = [pair.source for pair in pairs]
    answers = [[answer.target_tokens for answer in model.predict(sources)] for model in (before, after)]
    assert parity.count == 120
    assert parity.same == sum(one == other for one, other in zip(*answers, strict=True))
    right = [model.evaluate(pairs, group=False).exact_match for model in (before, after)]
    assert parity.exact_match == tuple(right)
    assert parity.loss == pytest.approx((before.loss(pairs), after.loss(pairs)), abs=1e-9)
    scores = [model.score(pairs) for model in (before, after)]
    largest = max(abs(one.log_prob - other.log_prob) for one, other in zip(*scores, strict=True))
    assert parity.largest_difference == pytest.approx(largest, abs=1e-9)
    assert (parity.largest_difference < 1e-4) == (weights == "float32")
    if weights == "float32":
        assert parity.same == 120
    card = load_model(out).card
    assert card.startswith(load_model(tiny_run).card.rstrip())
    assert f"- weights: {weights}" in card
    assert all(f"- {line}" in card for line in parity.lines())


def test_changed_weights_are_detected(
    tiny_run: Path, tiny_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The packed weights themselves are compared, so that a damaged tensor is noticed."""
    read = packing.read_weights

    def broken(*arguments: object, **named: object) -> dict[str, np.ndarray]:
        return {name: tensor * 0.5 for name, tensor in read(*arguments, **named).items()}  # type: ignore[arg-type]

    monkeypatch.setattr(packing, "read_weights", broken)
    parity = pack_run(tiny_run, tmp_path / "m.seq2see", data=[tiny_pairs]).parity
    assert parity.same is not None
    assert parity.same < 60
    assert parity.largest_difference > 0.1


def test_the_dev_pairs_of_the_run_are_the_default(tiny_run: Path, tmp_path: Path) -> None:
    assert pack_run(tiny_run, tmp_path / "folder").parity.count == 12  # a tenth of the pairs, as in training
    assert seq2see.load(tmp_path / "folder").predict("abc")


@pytest.mark.parametrize("name", ["dates.onnx", "m.zip", "m.Seq2See"])
def test_an_ending_of_another_format_is_refused_and_writes_nothing(name: str, tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unsupported format") as caught:
        pack_run(tiny_run, tmp_path / name)
    assert ".seq2see for one file" in caught.value.fix
    assert not any(tmp_path.iterdir())


def test_a_folder_may_have_a_version_in_its_name(tiny_run: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    assert pack_run(tiny_run, tmp_path / "dates-1.2", data=[tiny_pairs]).path.is_dir()


def test_a_language_model_is_compared_by_its_scores(tiny_language_run: Path, tmp_path: Path) -> None:
    parity = pack_run(tiny_language_run, tmp_path / "m.seq2see", weights="int8").parity
    assert (parity.same, parity.exact_match) == (None, None)
    assert parity.loss[0] == pytest.approx(parity.loss[1], rel=0.05)
    assert not any("exact match" in line for line in parity.lines())


def test_packing_twice_leaves_one_section_in_the_card(tiny_run: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    pack_run(tiny_run, tmp_path / "a.seq2see", data=[tiny_pairs])
    pack_run(tmp_path / "a.seq2see", tmp_path / "b.seq2see", weights="int8", data=[tiny_pairs])
    card = load_model(tmp_path / "b.seq2see").card
    assert card.count(packing.HEADING) == 1
    assert "weights: int8" in card


def test_errors_name_the_cause(tiny_run_copy: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be one of: float32, float16, int8"):
        pack_run(tiny_run_copy, tmp_path / "m.seq2see", weights="int7")
    with pytest.raises(ConfigError, match="is the model that would be packed"):
        pack_run(tiny_run_copy, tiny_run_copy / "model", data=[tiny_pairs])
    with pytest.raises(ConfigError, match="is the model that would be packed"):
        pack_run(tiny_run_copy, tiny_run_copy / "checkpoints" / ".." / "model", weights="int8", data=[tiny_pairs])
    pack_run(tiny_run_copy, tmp_path / "own.seq2see", data=[tiny_pairs])
    with pytest.raises(ConfigError, match="is the model that would be packed"):
        pack_run(tmp_path / "own.seq2see", tmp_path / "own.seq2see", weights="int8", data=[tiny_pairs])
    with pytest.raises(CheckpointError, match="there is no such folder"):
        pack_run(tmp_path / "nowhere", tmp_path / "m.seq2see")
    with pytest.raises(UserError, match="no such file"):
        pack_run(tiny_run_copy, tmp_path / "m.seq2see", data=[tmp_path / "nowhere.tsv"])
    shutil.copytree(tiny_run_copy / "model", tmp_path / "alone")
    with pytest.raises(ConfigError, match="its dev pairs are unknown") as caught:
        pack_run(tmp_path / "alone", tmp_path / "m.seq2see")
    assert "--data" in caught.value.fix
    config = tiny_run_copy / "config.toml"
    config.write_text(config.read_text().replace("pairs.tsv", "gone.tsv"))
    with pytest.raises(ConfigError, match="data of the run can't be read") as caught:
        pack_run(tiny_run_copy, tmp_path / "m.seq2see")
    assert "--data" in caught.value.fix
    assert not (tmp_path / "m.seq2see").exists()
    assert isinstance(load_model(tiny_run_copy), SavedModel)
