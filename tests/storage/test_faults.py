"""A disk that fails at any call, and a process that dies at any call: afterwards there is the old state or the new.

Every call with which a save changes the disk is made to fail in turn. Run as a program, this file saves in processes
that end at one call after the other (`dies`): nothing of Python runs after that, as with `kill -9`.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from seq2see.blueprint import ModelOptions, Sizes, resolve, tensor_shapes
from seq2see.data.source_record import HashSet, SourceRecord
from seq2see.errors import CheckpointError
from seq2see.storage import temporary
from seq2see.storage.checkpoints import checkpoints, clean_checkpoints, load_checkpoint, save_checkpoint
from seq2see.storage.files import write_file
from seq2see.storage.saved_model import SavedModel, load_model, save_model, write_packed
from seq2see.storage.temporary import clean_leftovers, is_temporary
from seq2see.text import Codec, make_tokenizer

CALLS = ("mkdir", "open", "write", "fsync", "rename", "replace", "unlink", "rmdir")
CODEC = Codec.build(make_tokenizer("characters"), ["abcde"])


class Saving(NamedTuple):
    """One kind of saved content."""

    save: Callable[[Path, int], None]
    """The given state into a folder, over what is there."""
    load: Callable[[Path], int]
    """Which state is there; it fails for a mixture."""
    clean_leftovers: Callable[[Path], None]
    """What is done when a run is resumed."""
    before: tuple[int, ...] = (1,)
    """What had been saved before."""
    new: int = 2


def tensors_of(number: int) -> dict[str, np.ndarray]:
    return {name: np.full(50, number, np.float32) for name in ("a", "b")}


def number_of(tensors: dict[str, np.ndarray], other: object) -> int:
    (number,) = {*(value for tensor in tensors.values() for value in tensor.ravel().tolist()), float(str(other))}
    return int(number)


def save_update(folder: Path, number: int) -> None:
    save_checkpoint(folder, number, tensors_of(number), {"update": number}, (CODEC, CODEC))


def load_update(folder: Path) -> int:
    found = load_checkpoint(folder)
    assert found.codecs == (CODEC, CODEC)
    return number_of(found.tensors, found.progress["update"])


def save_same_update(folder: Path, number: int) -> None:
    """A run that fell back and comes past the same update again."""
    save_checkpoint(folder, 7, tensors_of(number), {"update": number}, (CODEC, CODEC))


def model(number: int) -> dict[str, Any]:
    blueprint, size = resolve(ModelOptions(name="plain", width=2)), len(CODEC.vocabulary)
    shapes = tensor_shapes(blueprint, Sizes(size, size))
    return {
        "config": {"format": 1, "model": asdict(blueprint), "max_length": number},
        "tensors": {name: np.full(shape, number, np.float32) for name, shape in shapes},
        "source_codec": CODEC,
        "target_codec": CODEC,
        "record": SourceRecord(HashSet.of_texts([str(number)])),
    }


def save_folder(folder: Path, number: int) -> None:
    save_model(folder / "model", **model(number), card=str(number))


def load_folder(folder: Path) -> int:
    found = load_model(folder / "model")
    assert found.card == str(found.config["max_length"])
    assert found.record.train.contains([found.card]) == [True]
    return number_of(found.tensors, found.card)


def save_packed(folder: Path, number: int) -> None:
    write_packed(folder / "m.seq2see", SavedModel(**model(number)), card=str(number))


def load_packed(folder: Path) -> int:
    found = load_model(folder / "m.seq2see")
    return number_of(found.tensors, found.card)


def save_text(folder: Path, number: int) -> None:
    write_file(folder / "config.toml", b"%d" % number * 100)


def load_text(folder: Path) -> int:
    (number,) = set((folder / "config.toml").read_text())
    return int(number)


SAVINGS = {
    "checkpoint": Saving(save_update, load_update, clean_checkpoints),
    "checkpoint, the oldest goes": Saving(save_update, load_update, clean_checkpoints, (1, 2), 3),
    "checkpoint again": Saving(save_same_update, load_update, clean_checkpoints),
    "model": Saving(save_folder, load_folder, lambda folder: clean_leftovers(folder / "model")),
    "packed": Saving(save_packed, load_packed, lambda folder: clean_leftovers(folder / "m.seq2see")),
    "file": Saving(save_text, load_text, lambda folder: clean_leftovers(folder / "config.toml")),
}


def failing(name: str, real: Callable[..., Any], fail: Callable[[str], str]) -> Callable[..., Any]:
    """`real`, before which `fail` is asked: it may raise, end the process, or have half of it done."""

    def call(*arguments: Any, **options: Any) -> Any:
        if name == "write" and fail(name) == "half":
            real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            return fail("after")
        if name != "write" and fail(name) == "half":
            try:
                real(*arguments, **options)
            finally:
                fail("after")
        return real(*arguments, **options)

    return call


class Disk:
    """Counts the calls that change the disk, and fails at some of them."""

    def __init__(self, error: Callable[[], None], *, at: int = 0, lasting: bool = False, half: bool = False) -> None:
        self.error, self.at, self.lasting, self.half = error, at, lasting, half
        self.calls: list[str] = []

    def fail(self, name: str) -> str:
        if name == "after":
            self.error()
        self.calls.append(name)
        number = len(self.calls)
        if number == self.at or (self.lasting and number > self.at > 0):
            if self.half:
                return "half"
            self.error()
        return ""

    def put_in(self, patch: Callable[[Any, str, Any], None]) -> None:
        for name in CALLS:
            patch(os, name, failing(name, getattr(os, name), self.fail))
        patch(temporary, "exchange", failing("exchange", temporary.exchange, self.fail))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls are what is tried here; the disk itself need not take part."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(params=[True, False], ids=["exchange", "two renames"])
def can_exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether two names can be exchanged in one step; not every file system can."""
    if not request.param:
        monkeypatch.setattr(temporary, "exchange", lambda one, other: False)
    return bool(request.param)


def raising(number: int) -> Callable[[], None]:
    def error() -> None:
        raise OSError(number, os.strerror(number))

    return error


def prepared(saving: Saving, folder: Path) -> Path:
    folder.mkdir()
    for number in saving.before:
        saving.save(folder, number)
    return folder


def num_calls(saving: Saving, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    disk = Disk(lambda: None)
    with monkeypatch.context() as patch:
        disk.put_in(patch.setattr)
        saving.save(prepared(saving, folder), saving.new)
    return len(disk.calls)


@pytest.mark.parametrize("half", [False, True], ids=["", "half done"])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["disk full", "broken disk"])
@pytest.mark.parametrize("kind", SAVINGS)
def test_an_error_at_any_call_leaves_the_old_or_the_new(
    kind: str,
    number: int,
    lasting: bool,
    half: bool,
    can_exchange: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saving = SAVINGS[kind]
    calls = num_calls(saving, tmp_path / "counted", monkeypatch)
    assert calls >= 6
    outcomes = set()
    for at in range(1, calls + 1):
        folder = prepared(saving, tmp_path / str(at))
        disk = Disk(raising(number), at=at, lasting=lasting, half=half)
        said = ""
        with monkeypatch.context() as patch:
            disk.put_in(patch.setattr)
            try:
                saving.save(folder, saving.new)
            except CheckpointError as error:
                said = str(error)
        found = saving.load(folder)
        assert found in (saving.before[-1], saving.new)
        outcomes.add(found)
        if said:
            assert os.strerror(number) in said
            assert "intact" in said if found != saving.new else True
        else:
            assert found == saving.new
        saving.clean_leftovers(folder)
        assert saving.load(folder) in (saving.before[-1], saving.new)
        saving.save(folder, saving.new + 1)
        assert saving.load(folder) == saving.new + 1
        check_nothing_stays(saving, folder)
    assert outcomes == {saving.before[-1], saving.new}


def check_nothing_stays(saving: Saving, folder: Path) -> None:
    saving.clean_leftovers(folder)
    assert not [path for path in folder.iterdir() if is_temporary(path)]
    if saving.load is load_update:
        assert len(checkpoints(folder)) <= 2


@pytest.mark.parametrize("half", ["before", "half done"])
@pytest.mark.parametrize("kind", SAVINGS)
def test_a_death_at_any_call_leaves_the_old_or_the_new(
    kind: str, half: str, can_exchange: bool, tmp_path: Path
) -> None:
    saving = SAVINGS[kind]
    command = [sys.executable, __file__, kind, half, str(tmp_path), "exchange" if can_exchange else "rename"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    deaths = int(done.stdout)
    assert deaths >= 6
    outcomes = set()
    for at in range(1, deaths + 1):
        folder = tmp_path / str(at)
        found = saving.load(folder)
        outcomes.add(found)
        saving.clean_leftovers(folder)
        assert saving.load(folder) == found
        saving.save(folder, saving.new + 1)
        assert saving.load(folder) == saving.new + 1
        check_nothing_stays(saving, folder)
    assert outcomes == {saving.before[-1], saving.new}


def dies(kind: str, half: bool, parent: Path) -> int:
    """Save in one process after the other, each ending at one call later; gives how many didn't come to their end."""
    saving = SAVINGS[kind]
    template = prepared(saving, parent / "template")
    at = 0
    while True:
        at += 1
        folder = Path(shutil.copytree(template, parent / str(at)))
        child = os.fork()
        if not child:
            Disk(lambda: os._exit(9), at=at, half=half).put_in(setattr)
            saving.save(folder, saving.new)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            return at - 1
        assert code == 9, code


def test_the_check_notices_a_folder_filled_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: files of a model written over each other, one by one."""

    def save_carelessly(folder: Path, number: int) -> None:
        fresh = folder / "fresh"
        save_folder(fresh, number)
        (folder / "model").mkdir(exist_ok=True)
        for path in (fresh / "model").iterdir():
            handle = os.open(folder / "model" / path.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(handle, path.read_bytes())
            os.close(handle)

    monkeypatch.setitem(SAVINGS, "careless", SAVINGS["model"]._replace(save=save_carelessly))
    with pytest.raises((AssertionError, CheckpointError, OSError)):
        test_an_error_at_any_call_leaves_the_old_or_the_new(
            "careless", errno.EIO, False, False, True, tmp_path, monkeypatch
        )


if __name__ == "__main__":
    os.fsync = lambda handle: None  # type: ignore[assignment]
    if sys.argv[4] == "rename":
        temporary.exchange = lambda one, other: False
    print(dies(sys.argv[1], sys.argv[2] != "before", Path(sys.argv[3])))
