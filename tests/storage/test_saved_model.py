"""Folders are there whole or not at all, and whatever happens to their bytes is noticed and named."""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import seq2see
from seq2see.errors import CheckpointError
from seq2see.storage.archive import MAGIC
from seq2see.storage.checkpoints import load_checkpoint, save_checkpoint
from seq2see.storage.files import MANIFEST, read_folder, write_folder
from seq2see.storage.saved_model import SavedModel, load_model, save_model, write_packed
from seq2see.storage.temporary import temporary_name
from seq2see.text import Codec, make_tokenizer


def files(text: str) -> dict[str, bytes]:
    return {"a.txt": text.encode(), "b.txt": text.encode() * 100}


def content(folder: Path) -> str:
    read_folder(folder, {"a.txt": 1_000, "b.txt": 1_000})
    text = (folder / "a.txt").read_text()
    assert (folder / "b.txt").read_text() == text * 100
    return text


def damage_model(folder: Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        load_model(folder)
    return caught.value


# --- whole or not at all --------------------------------------------------------------------------------------------


def test_a_folder_is_written_and_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"
    for text in ("one", "two"):
        write_folder(folder, files(text))
        assert content(folder) == text
        assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("place", ["", "model"])
def test_a_model_killed_between_the_renames_loads_again(
    tiny_run_copy: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny_run_copy / "model").rename(temporary_name(tiny_run_copy / "model", "old"))
    assert seq2see.load(tiny_run_copy / place, device="cpu").predict("abc")[0].finished in (True, False)


def test_a_place_that_cannot_be_written_is_a_checkpoint_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError) as caught:
        write_folder(tmp_path / "file" / "model", files("x"))
    assert str(tmp_path / "file") in caught.value.where


def test_a_full_disk_is_a_checkpoint_error(tmp_path: Path) -> None:
    """A limit on the size of files does to safetensors what a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    save_checkpoint(tmp_path, 1, {"w": np.zeros(10, np.float32)}, {"update": 1})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with pytest.raises(CheckpointError, match="can't be written"):
            save_checkpoint(tmp_path, 2, {"w": np.zeros(100_000, np.float32)}, {"update": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert load_checkpoint(tmp_path).progress == {"update": 1}


# --- damage ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, small: SavedModel) -> Path:
    """The folder of a small model."""
    save_model(
        tmp_path / "m",
        config=small.config,
        tensors=small.tensors,
        source_codec=small.source_codec,
        target_codec=small.target_codec,
        card=small.card,
    )
    return tmp_path / "m"


FILES = (
    "README.md",
    "config.json",
    MANIFEST,
    "model.safetensors",
    "source.vocabulary.json",
    "target.vocabulary.json",
)


def test_a_model_comes_back_as_it_was(folder: Path, small: SavedModel) -> None:
    saved = load_model(folder)
    assert {name: tensor.tolist() for name, tensor in saved.tensors.items()} == {
        name: tensor.tolist() for name, tensor in small.tensors.items()
    }
    assert saved.source_codec == saved.target_codec
    assert saved.source_codec is not None
    assert saved.source_codec.decode(saved.source_codec.encode("äbc")) == "äbc"
    assert saved.config["max_length"] == 9
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_flipped_bits_are_noticed_and_the_file_is_named(folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    chance = random.Random(name)
    places = chance.sample(range(8 * len(whole)), min(120, 8 * len(whole)))
    for bit in places:
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        if name == MANIFEST:  # a flip in a hash: either file may be the damaged one
            assert MANIFEST in str(damage_model(folder))
        else:
            assert damage_model(folder).where == str(path)


@pytest.mark.parametrize("name", FILES)
def test_cut_files_are_noticed_and_named(folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    for length in {0, 1, len(whole) // 2, len(whole) - 2, len(whole) - 1}:
        path.write_bytes(whole[:length])
        assert damage_model(folder).where == str(path)
    path.write_bytes(whole + b"\n\n" if name != MANIFEST else whole + b"}")
    assert damage_model(folder).where == str(path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    error = damage_model(folder)
    assert error.where == str(folder / name)
    assert "is missing" in error.what
    assert error.fix


@pytest.mark.parametrize(
    "manifest",
    [
        "[]",
        "{}",
        "null",
        '{"sha256": 3}',
        '{"sha256": ["a"]}',
        '{"sha256": {"config.json": null}}',
        "9" * 9,
        '{\n "format": true,\n "sha256": {}\n}\n',
        '{\n "format": 1,\n "sha256": {\n  "config.json": 3\n }\n}\n',
        '{\n "format": 1,\n "sha256": {}\n}',
        '{"format": 1, "sha256": {}}\n',
        '{\n "format": 1,\n "sha256": {},\n "more": 1\n}\n',
        '{\n "format": 1,\n "format": 1,\n "sha256": {}\n}\n',
    ],
)
def test_a_manifest_of_another_shape_is_damaged(folder: Path, manifest: str) -> None:
    (folder / MANIFEST).write_text(manifest)
    assert str(folder) in damage_model(folder).where


def test_a_manifest_nested_without_end_is_damaged(folder: Path) -> None:
    (folder / MANIFEST).write_text("[" * 100_000)
    assert damage_model(folder).where == str(folder / MANIFEST)


def test_a_model_of_another_format_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    codec = Codec.build(make_tokenizer("characters"), ["ab"])
    save_model(folder, config={"format": 99}, tensors={}, source_codec=None, target_codec=codec, card="")
    error = damage_model(folder)
    assert "format 99" in error.what
    assert error.where == str(folder / "config.json")


# --- what never ends or is too large ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_only_regular_files_are_read(folder: Path, name: str) -> None:
    """Opening a pipe would wait for a writer, reading a device would have no end."""
    for what in ("pipe", "device", "folder"):
        (folder / name).rename(folder / "aside")
        if what == "pipe":
            os.mkfifo(folder / name)
        elif what == "device":
            (folder / name).symlink_to("/dev/zero")
        else:
            (folder / name).mkdir()
        assert damage_model(folder).where == str(folder / name)
        (folder / name).rmdir() if what == "folder" else (folder / name).unlink()
        (folder / "aside").rename(folder / name)
    load_model(folder)


def test_a_packed_model_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.seq2see")
    (tmp_path / "device.seq2see").symlink_to("/dev/zero")
    for name in ("pipe.seq2see", "device.seq2see"):
        assert damage_model(tmp_path / name).where == str(tmp_path / name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_larger_than_any_is_not_read(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(2**40)
    error = damage_model(folder)
    assert "must have at most" in error.what
    assert error.where == str(folder / name)


def test_a_packed_model_larger_than_any_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.seq2see"
    with path.open("wb") as file:
        file.write(MAGIC)
        file.truncate(2**40)
    assert "must have at most" in damage_model(path).what


def test_a_source_vocabulary_is_there_exactly_if_there_is_a_source(
    tmp_path: Path, small_model_of: Callable[[str], SavedModel]
) -> None:
    for name, change in (("plain", "lists no source.vocabulary.json"), ("language_model", "but the model")):
        own = small_model_of(name)
        source = own.target_codec if own.source_codec is None else None
        write_packed(tmp_path / "m.seq2see", own._replace(source_codec=source))
        error = damage_model(tmp_path / "m.seq2see")
        assert change in error.what
        assert name in error.what


# --- what is not a model --------------------------------------------------------------------------------------------


def test_what_is_no_model_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "pytorch_model.bin").write_bytes(b"x")
    (tmp_path / "file").write_text("x")
    missing = damage_model(tmp_path / "nowhere")
    assert "no such folder" in missing.what
    assert missing.where == str(tmp_path / "nowhere")
    for name in ("empty", "foreign", "file"):
        error = damage_model(tmp_path / name)
        assert str(tmp_path / name) in error.where
        assert "folder" in error.fix


def test_a_run_without_a_model_yet_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    assert "is missing" in damage_model(tmp_path).what


def test_a_model_folder_works_alone_and_anywhere(tiny_run: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(tiny_run / "model", tmp_path / "elsewhere" / "shipped"))
    texts = ["abc", "de", "eddc"]
    expected = seq2see.load(tiny_run, device="cpu").predict(texts)
    found = seq2see.load(moved, device="cpu").predict(texts)
    assert [p.text for p in found] == [p.text for p in expected]
    assert [p.log_prob for p in found] == [p.log_prob for p in expected]


def test_a_run_holds_nothing_that_can_run_code(tiny_run: Path) -> None:
    endings = {path.suffix for path in tiny_run.rglob("*") if path.is_file()}
    assert endings == {".toml", ".jsonl", ".json", ".safetensors", ".md", ".hashes"}


def test_loading_never_unpickles(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    import torch

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    seq2see.load(tiny_run, device="cpu")
    load_checkpoint(tiny_run / "checkpoints")


def test_a_real_kill_at_any_moment_leaves_a_whole_folder(tmp_path: Path) -> None:
    """SIGKILL while a process does nothing but replace a folder."""
    code = (
        "import sys; from pathlib import Path; from seq2see.storage.files import write_folder\n"
        "print('ready', flush=True)\n"
        "for number in range(10**6):\n"
        "    text = b'%07d' % number; write_folder(Path(sys.argv[1]), {'a.txt': text, 'b.txt': text * 100})\n"
    )
    folder = tmp_path / "model"
    write_folder(folder, files("old"))
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    process.kill()
    process.communicate()
    assert content(folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    assert set(manifest["sha256"]) == {"a.txt", "b.txt"}
