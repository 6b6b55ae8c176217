"""A run folder is trained in by one at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seq2see.errors import ConfigError
from seq2see.storage import locks
from seq2see.storage.locks import locked

pytest.importorskip("fcntl", reason="this system has no such locks")


def test_a_second_waits_and_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    said: list[str] = []
    monkeypatch.setattr("seq2see.storage.locks.time.sleep", waited.append)
    with locked(tmp_path, said.append):
        with pytest.raises(ConfigError, match="another process is training in it"), locked(tmp_path, said.append):
            pass
        assert len(waited) == locks.MAX_WAIT_SECONDS
        assert said == [f"another process is training in {tmp_path}: waiting for it to end"]
    with locked(tmp_path, said.append):  # free again
        pass


def test_a_second_goes_on_when_the_first_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = locked(tmp_path, print)
    first.__enter__()
    monkeypatch.setattr("seq2see.storage.locks.time.sleep", lambda _: first.__exit__(None, None, None))
    with locked(tmp_path, print):
        pass


def test_a_folder_that_was_removed_meanwhile_is_made_and_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    first = locked(work, print)
    first.__enter__()

    def end(_: float) -> None:
        work.rmdir()
        first.__exit__(None, None, None)

    monkeypatch.setattr("seq2see.storage.locks.time.sleep", end)
    with locked(work, print):
        monkeypatch.setattr("seq2see.storage.locks.time.sleep", lambda _: None)
        with pytest.raises(ConfigError, match="another process"), locked(work, print):
            pass


def test_a_file_system_without_locks_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path, print), locked(tmp_path, print):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="can't be created"), locked(tmp_path / "file" / "run", print):
        pass
