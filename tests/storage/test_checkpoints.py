"""Checkpoints: the newest few are kept, and whatever happens to their bytes is noticed and named."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from seq2see.errors import CheckpointError
from seq2see.storage.checkpoints import (
    Checkpoint,
    checkpoints,
    clean_checkpoints,
    load_checkpoint,
    mark_damaged,
    save_checkpoint,
    sealed,
)
from seq2see.storage.files import MANIFEST, hash_of
from seq2see.storage.temporary import temporary_name
from seq2see.text import Codec, make_tokenizer

FILES = ("state.safetensors", "progress.json", "source.vocabulary.json", "target.vocabulary.json", MANIFEST)
CODECS = tuple(Codec.build(make_tokenizer("characters"), [text]) for text in ("ab", "cd"))


def save(folder: Path, update: int, **more: int) -> Path:
    tensors = {"w": np.full(3, update, np.float32), "b": np.arange(5, dtype=np.float32)}
    versions = {"seq2see": "1", "python": "3.11", "torch": "2.6"}
    save_checkpoint(folder, update, tensors, {"update": update}, CODECS, versions=versions, **more)  # type: ignore[arg-type]
    return folder / f"{update:08d}"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def is_of(checkpoint: Checkpoint, update: int) -> bool:
    return checkpoint.progress == {"update": update} and checkpoint.tensors["w"].tolist() == [update] * 3


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_few_are_kept_and_the_newest_is_loaded(tmp_path: Path, keep: int) -> None:
    updates = (2, 9, 10, 100, 10**8, 10**9)
    for number, update in enumerate(updates, start=1):
        save(tmp_path, update, keep=keep)
        assert is_of(load_checkpoint(tmp_path), update)
        assert [int(path.name) for path in checkpoints(tmp_path)] == list(updates[max(0, number - keep) : number])
        assert len(names(tmp_path)) == min(number, keep)


def test_the_manifest_has_name_size_hash_and_versions(tmp_path: Path) -> None:
    place = save(tmp_path, 5)
    manifest = json.loads((place / MANIFEST).read_text())
    assert manifest["written_by"] == {"seq2see": "1", "python": "3.11", "torch": "2.6"}
    assert names(place) == sorted(FILES)
    for name, entry in manifest["files"].items():
        whole = (place / name).read_bytes()
        assert entry == {"size": len(whole), "sha256": hash_of(whole)}


def test_the_codecs_of_a_checkpoint_are_those_it_was_saved_with(tmp_path: Path) -> None:
    for number, kept in enumerate((CODECS, (None, CODECS[1]), None)):
        save_checkpoint(tmp_path, number, {"w": np.zeros(3, np.float32)}, {"update": number}, kept)  # type: ignore[arg-type]
        assert load_checkpoint(tmp_path).codecs == kept


def test_no_checkpoint_is_said_so(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CheckpointError, match="no checkpoint") as caught:
            load_checkpoint(folder)
        assert "--force" in caught.value.fix


def test_what_killed_writes_leave_is_no_checkpoint_and_is_cleaned_away(tmp_path: Path) -> None:
    save(tmp_path, 5)
    shutil.copytree(tmp_path / "00000005", temporary_name(tmp_path / "00000006", "new"))
    shutil.copytree(tmp_path / "00000005", temporary_name(tmp_path / "00000002", "gone"))
    left = temporary_name(tmp_path / "00000004", "old")  # killed while it was replaced
    shutil.copytree(tmp_path / "00000005", left)
    others = ["00000004.old", "00000005.new", "00000007.gone", "notes.old"]
    for name in others:
        (tmp_path / name).mkdir()
    assert checkpoints(tmp_path) == [left, tmp_path / "00000005"]
    clean_checkpoints(tmp_path)
    assert names(tmp_path) == sorted(["00000004", "00000005", *others])
    assert is_of(load_checkpoint(tmp_path), 5)


# --- damage ---------------------------------------------------------------------------------------------------------


def test_a_thousand_flipped_bits_are_all_noticed(tmp_path: Path) -> None:
    place = save(tmp_path, 7)
    wholes = {name: (place / name).read_bytes() for name in FILES}
    bits = [(name, bit) for name, whole in wholes.items() for bit in range(8 * len(whole))]
    chosen = random.Random(1).sample(bits, 1000)
    assert {name for name, _ in chosen} == set(FILES)
    for name, bit in chosen:
        broken = bytearray(wholes[name])
        broken[bit // 8] ^= 1 << bit % 8
        (place / name).write_bytes(broken)
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(tmp_path)
        assert caught.value.where == str(place / name)
        (place / name).write_bytes(wholes[name])
    assert is_of(load_checkpoint(tmp_path), 7)


def test_two_hundred_truncations_are_all_noticed(tmp_path: Path) -> None:
    place = save(tmp_path, 7)
    wholes = {name: (place / name).read_bytes() for name in FILES}
    lengths = [(name, length) for name, whole in wholes.items() for length in range(len(whole))]
    for name, length in random.Random(2).sample(lengths, 200):
        (place / name).write_bytes(wholes[name][:length])
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(tmp_path)
        assert caught.value.where == str(place / name)
        (place / name).write_bytes(wholes[name])


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_or_is_longer_is_named(tmp_path: Path, name: str) -> None:
    place = save(tmp_path, 7)
    whole = (place / name).read_bytes()
    (place / name).write_bytes(whole + b"\n")
    with pytest.raises(CheckpointError, match="damaged") as caught:
        load_checkpoint(tmp_path)
    assert caught.value.where == str(place / name)
    (place / name).unlink()
    with pytest.raises(CheckpointError, match="is missing") as caught:
        load_checkpoint(tmp_path)
    assert caught.value.where == str(place / name)


def test_a_manifest_of_another_format_says_so(tmp_path: Path) -> None:
    place = save(tmp_path, 7)
    (place / MANIFEST).write_bytes(sealed({"format": 4}))
    with pytest.raises(CheckpointError, match="has format 4"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b"null", b"[" * 100_000, b'{"format": 3}', b"\xff"])
def test_a_manifest_of_another_shape_is_damaged(tmp_path: Path, manifest: bytes) -> None:
    place = save(tmp_path, 7)
    (place / MANIFEST).write_bytes(manifest)
    with pytest.raises(CheckpointError, match="damaged") as caught:
        load_checkpoint(tmp_path)
    assert caught.value.where == str(place / MANIFEST)


def test_what_is_no_state_behind_right_hashes_is_said_so(tmp_path: Path) -> None:
    place = save(tmp_path, 7)
    for name in ("state.safetensors", "progress.json"):
        manifest = json.loads((place / MANIFEST).read_text())
        (place / name).write_bytes(b"\xffno")
        manifest["files"][name] = {"size": 3, "sha256": hash_of(b"\xffno")}
        (place / MANIFEST).write_bytes(sealed({k: v for k, v in manifest.items() if k != "sha256"}))
        with pytest.raises(CheckpointError, match="invalid training state"):
            load_checkpoint(tmp_path)
        place = save(tmp_path, 7)


def damage(place: Path) -> str:
    path = place / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    return str(path)


def test_the_one_before_is_taken_only_if_asked_for_and_the_damage_is_told(tmp_path: Path) -> None:
    places = [save(tmp_path, update, keep=3) for update in (3, 6, 9)]
    assert load_checkpoint(tmp_path, fallback_previous=True).damaged == ()
    named = [damage(places[2])]
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path)
    assert caught.value.where == named[0]
    assert "update 6: --resume --fallback-previous" in caught.value.fix
    named.append(damage(places[1]))
    found = load_checkpoint(tmp_path, fallback_previous=True)
    assert is_of(found, 3)
    assert [error.where for error in found.damaged] == named
    mark_damaged(found)
    assert names(tmp_path) == ["00000003", "00000006.damaged", "00000009.damaged"]
    assert load_checkpoint(tmp_path).damaged == ()
    named.append(damage(places[0]))
    with pytest.raises(CheckpointError, match="no checkpoint is intact") as caught:
        load_checkpoint(tmp_path, fallback_previous=True)
    assert named[2] in caught.value.what
