"""Runs with a damaged log, which costs nothing, and with a forged training state or a manifest that can't be read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from rich.console import Console

import seq2see
from seq2see.config import make_config, read_toml
from seq2see.curves.history import read_history
from seq2see.errors import CheckpointError, UserError
from seq2see.run.train import Trained, train
from seq2see.storage.checkpoints import checkpoints, sealed_manifest
from seq2see.storage.files import MANIFEST


def resumed(run: Path, **settings: Any) -> tuple[str, Trained]:
    console = Console(file=io.StringIO(), width=300)
    config = make_config(read_toml(run / "config.toml"), settings)
    trained = train(config, run, resume=True, allow_changes=True, given=list(settings), device="cpu", console=console)
    return console.file.getvalue(), trained  # type: ignore[attr-defined]


def spoil(run: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path = run / "metrics.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


DAMAGE: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a flipped bit": lambda lines: [lines[0], bytes([lines[1][0] ^ 0x80]) + lines[1][1:], *lines[2:]],
    "not UTF-8": lambda lines: [lines[0], b"\xff\xfe\n", *lines[2:]],
    "nested": lambda lines: [lines[0], b"[" * 100_000 + b"\n", *lines[2:]],
    "a number too long": lambda lines: [lines[0], b'{"event": "update", "update": ' + b"9" * 5000 + b"}\n", *lines[2:]],
    "another event": lambda lines: [lines[0], b'{"event": ["update"], "update": "1"}\n', *lines[2:]],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_line_of_the_log_costs_only_that_line(damage: str, tiny_run_copy: Path) -> None:
    whole = (tiny_run_copy / "metrics.jsonl").read_bytes().splitlines()
    spoil(tiny_run_copy, DAMAGE[damage])
    history = read_history(tiny_run_copy)
    assert [problem.partition("metrics.jsonl")[2][:3] for problem in history.problems] == [":2:"]
    said, trained = resumed(tiny_run_copy, **{"training.max_updates": 92})
    assert trained.finished.update == 92
    assert f"note: {tiny_run_copy / 'metrics.jsonl'}: left out 1 damaged line (2)" in said
    kept = (tiny_run_copy / "metrics.jsonl").read_bytes().splitlines()
    assert kept[: len(whole) - 2] == [whole[0], *whole[2:-1]]
    assert read_history(tiny_run_copy).problems == []


def test_a_log_with_numbers_beyond_float_is_read_on(tiny_run_copy: Path) -> None:
    huge = b'"loss": 1' + b"0" * 400 + b', "was": '
    spoil(tiny_run_copy, lambda lines: [lines[0].replace(b'"loss": ', huge), *lines[1:]])
    spoil(
        tiny_run_copy,
        lambda lines: [*lines[:2], lines[2].replace(b'"update": ', b'"update": 1' + b"0" * 99), *lines[3:]],
    )
    history = read_history(tiny_run_copy)
    assert len(history.problems) == 2
    assert history.last_update == 90
    assert all(len(problem) < 300 for problem in history.problems)


def forge(run: Path, progress: Mapping[str, Any] | None = None, tensors: Mapping[str, Any] | None = None) -> None:
    """Change the newest checkpoint, with hashes that fit."""
    place = checkpoints(run / "checkpoints")[-1]
    listed = json.loads((place / MANIFEST).read_text())
    files = {name: (place / name).read_bytes() for name in listed["files"]}
    changed = json.loads(files["progress.json"]) | dict(progress or {})
    files["progress.json"] = json.dumps({k: v for k, v in changed.items() if v is not ...}).encode()
    arrays = safetensors.numpy.load(files["state.safetensors"]) | dict(tensors or {})
    arrays = {name: array for name, array in arrays.items() if array is not None}
    files["state.safetensors"] = safetensors.numpy.save(arrays)
    for name, content in files.items():
        (place / name).write_bytes(content)
    (place / MANIFEST).write_bytes(sealed_manifest(files, listed["written_by"]))


FORGED: dict[str, dict[str, Any]] = {
    "update of another type": {"update": "90"},
    "another update": {"update": 10**30},
    "negative epoch": {"epoch": -1},
    "best without loss": {"best": {"exact_match": 1.0}},
    "best of another type": {"best": [1]},
    "best update later": {"best_update": 10**6},
    "short records": {"course": [[1.0]]},
    "nested": {"warned": [[[]]]},
    "kept of another type": {"kept": [1, 2]},
    "kept by no number": {"kept": {"x": {"loss": 1.0}}},
    "kept without tensors": {"kept": {"30": {"loss": 1.0}}},
    "config of another type": {"config": [1]},
    "config with unknown keys": {"config": {"nothing": {"a": 1}}},
    "sections of another type": {"config": {"model": 3}},
    "max_length of another type": {"max_length": None},
    "max_length of no size": {"max_length": 2**40},
    "texts of another type": {"seen": {"longest": [1]}},
    "no processes": {"processes": 0},
    "threads of another type": {"threads": [1]},
    "pairs of another type": {"pairs": 7},
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_progress_is_an_invalid_training_state(name: str, tiny_run_copy: Path) -> None:
    forge(tiny_run_copy, FORGED[name])
    with pytest.raises(UserError) as caught:
        resumed(tiny_run_copy)
    assert len(str(caught.value)) < 800
    assert str(checkpoints(tiny_run_copy / "checkpoints")[-1].parent) in caught.value.where


TENSORS: dict[str, dict[str, Any]] = {
    "hashes of another type": {"pairs.train": np.zeros(3)},
    "hashes of another shape": {"pairs.dev": np.zeros((2, 2), np.uint32)},
    "no hashes": {"pairs.dev": None},
    "an unknown tensor": {"model.nothing": np.zeros(3, np.float32)},
    "an unknown moment": {"optimizer.exp_avg.nothing": np.zeros(3, np.float32)},
    "an average of another shape": {"averages.ema.decoder.output.bias": np.zeros((1, 1), np.float32)},
    "an average of nothing": {"averages.x": np.zeros(1, np.float32)},
    "a type that PyTorch lacks": {"model.nothing": np.zeros(3, np.uint16)},
}


@pytest.mark.parametrize("name", TENSORS)
def test_forged_tensors_are_an_invalid_training_state(name: str, tiny_run_copy: Path) -> None:
    forge(tiny_run_copy, tensors=TENSORS[name])
    with pytest.raises(CheckpointError, match=r"invalid training state|tensors of a different model"):
        resumed(tiny_run_copy)


@pytest.mark.parametrize("written_by", [[1], 3, "x", None])
def test_versions_of_another_type_are_damage(written_by: object, tiny_run_copy: Path) -> None:
    place = checkpoints(tiny_run_copy / "checkpoints")[-1]
    listed = json.loads((place / MANIFEST).read_text())
    files = {name: (place / name).read_bytes() for name in listed["files"]}
    text = sealed_manifest(files, {"seq2see": "1"})
    assert b'"seq2see": "1"' in text
    from seq2see.storage.checkpoints import sealed

    values = {name: value for name, value in json.loads(text).items() if name != "sha256"} | {"written_by": written_by}
    (place / MANIFEST).write_bytes(sealed(values))
    with pytest.raises(CheckpointError, match="damaged"):
        resumed(tiny_run_copy)


@pytest.mark.parametrize("name", ["model/manifest.json", "checkpoints/00000090/manifest.json", "config.toml"])
def test_a_folder_in_place_of_a_file_is_named(name: str, tiny_run_copy: Path) -> None:
    (tiny_run_copy / name).unlink()
    (tiny_run_copy / name).mkdir()
    with pytest.raises(UserError) as caught:
        seq2see.load(tiny_run_copy) if name.startswith("model") else resumed(tiny_run_copy)
    assert name.rpartition("/")[2] in caught.value.where
