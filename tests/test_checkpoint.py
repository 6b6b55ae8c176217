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
from typing import Any

import numpy as np
import pytest

import peeky
from peeky.checkpoint import (
    checkpoints,
    find_model_folder,
    load_checkpoint,
    load_codecs,
    load_model,
    save_checkpoint,
    save_model,
)
from peeky.errors import CheckpointError
from peeky.storage import MANIFEST, verify_folder, write_folder
from peeky.text import Codec, make_tokenizer


def filler(text: str) -> Callable[[Path], None]:
    def fill(fresh: Path) -> None:
        (fresh / "a.txt").write_text(text)
        (fresh / "b.txt").write_text(text * 100)

    return fill


def content(folder: Path) -> str:
    verify_folder(folder)
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
        write_folder(folder, filler(text))
        assert content(folder) == text
        assert [path.name for path in folder.parent.iterdir()] == ["model"]


class Killed(BaseException):
    """The process ends here."""


def fail_at(number: int, what: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """`what`, which fails when it is called for the given time."""
    calls = iter(range(1, 1000))

    def failing(*arguments: Any) -> Any:
        if next(calls) == number:
            raise error
        return what(*arguments)

    return failing


@pytest.mark.parametrize("kind", ["killed", "disk full"])
@pytest.mark.parametrize("step", ["fill", *(f"fsync {n}" for n in range(1, 6)), "rename 1", "rename 2"])
def test_what_was_there_outlives_any_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, kind: str
) -> None:
    folder = tmp_path / "model"
    write_folder(folder, filler("old"))
    error: BaseException = Killed() if kind == "killed" else OSError(28, "No space left on device")
    fill = filler("new")
    what, _, number = step.partition(" ")
    with monkeypatch.context() as patch:
        if what == "fill":

            def fill(fresh: Path) -> None:
                (fresh / "a.txt").write_text("ne")
                raise error

        elif what == "fsync":
            patch.setattr(os, "fsync", fail_at(int(number), os.fsync, error))
        else:
            patch.setattr(Path, "rename", fail_at(int(number), Path.rename, error))
        expected = Killed if kind == "killed" else CheckpointError
        if step == "fsync 5":  # the folder above, after all is in its place
            expected = type(error)  # type: ignore[assignment]
        with pytest.raises(expected) as caught:
            write_folder(folder, fill)
    if isinstance(caught.value, CheckpointError):
        assert "No space left" in caught.value.what
        assert caught.value.where == str(folder)
    assert content(find_model_folder(folder)) == ("new" if step == "fsync 5" else "old")
    write_folder(folder, filler("newer"))  # leftovers are in nobody's way
    assert content(folder) == "newer"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_kill_between_the_renames_costs_nothing_even_if_writing_comes_before_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    write_folder(folder, filler("old"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail_at(2, Path.rename, Killed()))
        with pytest.raises(Killed):
            write_folder(folder, filler("new"))
    assert not folder.exists()

    def refuse(fresh: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(CheckpointError):
        write_folder(folder, refuse)
    assert content(folder) == "old"


@pytest.mark.parametrize("place", ["", "model"])
def test_a_model_killed_between_the_renames_loads_again(
    tiny_run_copy: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny_run_copy / "model").rename(tiny_run_copy / "model.old")
    assert peeky.load(tiny_run_copy / place, device="cpu").predict("abc")[0].finished in (True, False)


def test_a_place_that_cannot_be_written_is_a_checkpoint_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError) as caught:
        write_folder(tmp_path / "file" / "model", filler("x"))
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
    assert load_checkpoint(tmp_path)[1] == {"update": 1}


# --- damage ---------------------------------------------------------------------------------------------------------


def small_model(folder: Path) -> Path:
    codec = Codec.build(make_tokenizer("characters"), ["abcäö"])
    save_model(
        folder,
        config={"format": 1, "model": {"name": "plain"}, "max_length": 9},
        tensors={"w": np.arange(24, dtype=np.float32).reshape(4, 6), "b": np.zeros(3, np.float32)},
        source_codec=codec,
        target_codec=codec,
        card="# A model\n",
    )
    return folder


FILES = (
    "README.md",
    "config.json",
    MANIFEST,
    "model.safetensors",
    "source.vocabulary.json",
    "target.vocabulary.json",
)


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    saved = load_model(small_model(tmp_path / "m"))
    assert saved.tensors["w"].tolist() == np.arange(24.0).reshape(4, 6).tolist()
    assert saved.source_codec == saved.target_codec
    assert saved.source_codec is not None
    assert saved.source_codec.decode(saved.source_codec.encode("äbc")) == "äbc"
    assert saved.config["max_length"] == 9
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_flipped_bits_are_noticed_and_the_file_is_named(tmp_path: Path, name: str) -> None:
    folder = small_model(tmp_path / "m")
    path = folder / name
    whole = path.read_bytes()
    chance = random.Random(name)
    places = chance.sample(range(8 * len(whole)), min(120, 8 * len(whole)))
    for bit in places:
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        if name == MANIFEST:  # a flip in a hash: which of the two files is damaged nobody can know
            assert MANIFEST in str(damage_model(folder))
        else:
            assert damage_model(folder).where == str(path)


@pytest.mark.parametrize("name", FILES)
def test_cut_files_are_noticed_and_named(tmp_path: Path, name: str) -> None:
    folder = small_model(tmp_path / "m")
    path = folder / name
    whole = path.read_bytes()
    for length in {0, 1, len(whole) // 2, len(whole) - 2, len(whole) - 1}:
        path.write_bytes(whole[:length])
        assert damage_model(folder).where == str(path)
    path.write_bytes(whole + b"\n\n" if name != MANIFEST else whole + b"}")
    assert damage_model(folder).where == str(path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_named(tmp_path: Path, name: str) -> None:
    folder = small_model(tmp_path / "m")
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
def test_a_manifest_of_another_shape_is_damaged(tmp_path: Path, manifest: str) -> None:
    folder = small_model(tmp_path / "m")
    (folder / MANIFEST).write_text(manifest)
    assert str(folder) in damage_model(folder).where


def test_a_manifest_nested_without_end_is_damaged(tmp_path: Path) -> None:
    folder = small_model(tmp_path / "m")
    (folder / MANIFEST).write_text("[" * 100_000)
    assert damage_model(folder).where == str(folder / MANIFEST)


def test_a_model_of_another_format_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    codec = Codec.build(make_tokenizer("characters"), ["ab"])
    save_model(folder, config={"format": 99}, tensors={}, source_codec=None, target_codec=codec, card="")
    error = damage_model(folder)
    assert "format 99" in error.what
    assert error.where == str(folder / "config.json")


@pytest.mark.parametrize("name", ["state.safetensors", "progress.json", MANIFEST])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, name: str) -> None:
    save_checkpoint(tmp_path, 7, {"w": np.ones(9, np.float32)}, {"update": 7})
    path = tmp_path / "00000007" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path)
    assert caught.value.where == str(path)
    path.unlink()
    with pytest.raises(CheckpointError, match="is missing") as caught:
        load_checkpoint(tmp_path)
    assert caught.value.where == str(path)


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
    expected = peeky.load(tiny_run, device="cpu").predict(texts)
    found = peeky.load(moved, device="cpu").predict(texts)
    assert [p.text for p in found] == [p.text for p in expected]
    assert [p.log_prob for p in found] == [p.log_prob for p in expected]


def test_a_run_holds_nothing_that_can_run_code(tiny_run: Path) -> None:
    endings = {path.suffix for path in tiny_run.rglob("*") if path.is_file()}
    assert endings == {".toml", ".jsonl", ".json", ".safetensors", ".md"}


def test_loading_never_unpickles(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    import torch

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    peeky.load(tiny_run, device="cpu")
    load_checkpoint(tiny_run / "checkpoints")


# --- checkpoints ----------------------------------------------------------------------------------------------------


def test_only_the_newest_checkpoint_is_kept_and_loaded(tmp_path: Path) -> None:
    for update in (2, 9, 10, 100):
        save_checkpoint(tmp_path, update, {"w": np.full(3, update, np.float32)}, {"update": update})
        tensors, progress = load_checkpoint(tmp_path)
        assert progress == {"update": update}
        assert tensors["w"].tolist() == [update] * 3
        assert [path.name for path in checkpoints(tmp_path)] == [f"{update:08d}"]


def test_a_checkpoint_half_written_is_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, 5, {"w": np.zeros(3, np.float32)}, {"update": 5})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_at(2, os.fsync, Killed()))
        with pytest.raises(Killed):
            save_checkpoint(tmp_path, 6, {"w": np.ones(3, np.float32)}, {"update": 6})
    assert load_checkpoint(tmp_path)[1] == {"update": 5}
    save_checkpoint(tmp_path, 6, {"w": np.ones(3, np.float32)}, {"update": 6})
    assert load_checkpoint(tmp_path)[1] == {"update": 6}
    assert [path.name for path in tmp_path.iterdir()] == ["00000006"]


def test_the_codecs_of_a_checkpoint_are_those_it_was_saved_with(tmp_path: Path) -> None:
    codecs = tuple(Codec.build(make_tokenizer("characters"), [text]) for text in ("ab", "cd"))
    for number, kept in enumerate((codecs, (None, codecs[1]), None)):
        save_checkpoint(tmp_path, number, {"w": np.zeros(3, np.float32)}, {"update": number}, kept)  # type: ignore[arg-type]
        assert load_codecs(tmp_path) == kept
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_codecs(tmp_path / "nowhere")
    (checkpoint,) = checkpoints(tmp_path)
    (checkpoint / "progress.json").write_text("{}")
    with pytest.raises(CheckpointError, match="damaged"):
        load_codecs(tmp_path)


def test_no_checkpoint_is_said_so(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CheckpointError, match="no checkpoint") as caught:
            load_checkpoint(folder)
        assert "--force" in caught.value.fix


def test_a_real_kill_at_any_moment_leaves_a_whole_folder(tmp_path: Path) -> None:
    """SIGKILL while a process does nothing but replace a folder."""
    code = (
        "import sys; from pathlib import Path; from peeky.storage import write_folder\n"
        "def fill(fresh):\n"
        "    (fresh / 'a.txt').write_text(text); (fresh / 'b.txt').write_text(text * 100)\n"
        "print('ready', flush=True)\n"
        "for number in range(10**6):\n"
        "    text = f'{number:07d}'; write_folder(Path(sys.argv[1]), fill)\n"
    )
    folder = tmp_path / "model"
    write_folder(folder, filler("old"))
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
