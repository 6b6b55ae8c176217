"""Temporary names: nothing but what bears one is removed, no link is followed, and no two processes share one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seq2see.errors import CheckpointError
from seq2see.storage import temporary
from seq2see.storage.files import write_file, write_folder
from seq2see.storage.temporary import (
    clean_leftovers,
    current_version,
    is_temporary,
    new_file,
    new_folder,
    temporary_name,
)

FILES = {"a.txt": b"a"}
NEIGHBORS = [f"{name}{ending}" for name in ("out", ".out") for ending in (".new", ".old", ".gone", ".tmp", ".part")]


def state_of(folder: Path, *, without: str) -> dict[str, str]:
    """Every path in the folder but those under this name, with its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.split(os.sep)[0] != without:
            found[name] = os.readlink(path) if path.is_symlink() else "" if path.is_dir() else path.read_text()
    return found


@pytest.fixture(params=["files", "folders", "links"])
def neighbors(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with files, folders or links under names that a program might use for itself."""
    place = tmp_path / "place"
    place.mkdir()
    (tmp_path / "victim").write_text("victim")
    for name in NEIGHBORS:
        match request.param:
            case "files":
                (place / name).write_text(name)
            case "folders":
                (place / name).mkdir()
                (place / name / "mine").write_text(name)
            case _:
                (place / name).symlink_to(tmp_path / "victim")
    return place


def test_what_stands_beside_an_output_stays(neighbors: Path) -> None:
    before = state_of(neighbors.parent, without="place/out"), state_of(neighbors, without="out")
    for text in (b"one", b"two"):
        write_file(neighbors / "out", text)
    assert (neighbors / "out").read_bytes() == b"two"
    (neighbors / "out").unlink()
    for text in (b"one", b"two"):
        write_folder(neighbors / "out", FILES | {"b.txt": text})
    assert (neighbors / "out" / "b.txt").read_bytes() == b"two"
    clean_leftovers(neighbors / "out")
    assert state_of(neighbors, without="out") == before[1]
    assert (neighbors.parent / "victim").read_text() == "victim"


def test_nothing_is_read_from_or_moved_to_a_folder_that_is_only_called_old(tmp_path: Path) -> None:
    write_folder(tmp_path / "out.old", FILES)
    assert current_version(tmp_path / "out") == tmp_path / "out"
    clean_leftovers(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out.old"]


def test_an_output_that_is_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim.txt").write_text("victim")
    (tmp_path / "file").symlink_to(tmp_path / "victim.txt")
    (tmp_path / "folder").symlink_to(tmp_path / "victim")
    write_file(tmp_path / "file", b"new")
    write_folder(tmp_path / "folder", FILES)
    assert (tmp_path / "victim.txt").read_text() == "victim"
    assert not list((tmp_path / "victim").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "victim", "victim.txt"]
    assert not (tmp_path / "file").is_symlink()
    assert not (tmp_path / "folder").is_symlink()


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="not a regular file"):
        write_file(tmp_path / "pipe", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_names_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    name = "é" * 127 + "x"
    for _ in range(2):
        write_file(tmp_path / name, b"x")
    (tmp_path / name).unlink()
    left = temporary_name(tmp_path / name, "new")
    left.mkdir()
    write_folder(tmp_path / name, FILES)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_a_killed_write_has_left_goes_with_the_next_write(tmp_path: Path) -> None:
    for path in (tmp_path / "out", tmp_path / "other"):
        temporary_name(path, "new").write_text("half")
        temporary_name(path, "gone").mkdir()
    write_file(tmp_path / "out", b"x")
    others = [temporary.read_name(path.name) for path in tmp_path.iterdir() if is_temporary(path)]
    assert {found.name for found in others if found} == {"other"}


def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    with new_file(tmp_path / "out") as file, new_folder(tmp_path / "out") as folder:
        code = (
            "import sys; from pathlib import Path; from seq2see.storage.files import write_file\n"
            "write_file(Path(sys.argv[1]), b'theirs')"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=True)
        assert file.exists()
        assert folder.exists()
        file.replace(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_processes_that_write_the_same_folder_leave_one_of_both(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from seq2see.storage.files import write_folder\n"
        "for _ in range(30): write_folder(Path(sys.argv[1]), {'a': sys.argv[2].encode(), 'b': sys.argv[2].encode()})"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    processes = [subprocess.Popen([*command, name]) for name in ("one", "two")]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a").read_text() == (tmp_path / "out" / "b").read_text()


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_that_another_process_writes_meanwhile_is_the_previous_one(
    can_exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, exchange, rename = tmp_path / "out", temporary.exchange, Path.rename
    tries = []

    def refused_at_first(one: Path, other: Path) -> bool:
        tries.append(one)
        return can_exchange and len(tries) > 1 and exchange(one, other)

    def overtaken(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        folder.mkdir()
        (folder / "theirs").touch()
        raise FileNotFoundError(path)

    monkeypatch.setattr(temporary, "exchange", refused_at_first)
    monkeypatch.setattr(Path, "rename", overtaken)
    write_folder(folder, FILES)
    assert len(tries) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "manifest.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_that_was_removed_while_its_lock_was_awaited_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter([tmp_path / "first", tmp_path / "second"])
    real = temporary.holding

    def removed_before(path: Path) -> object:
        if path.name == "first":
            path.unlink()
        return real(path)

    monkeypatch.setattr(temporary, "temporary_name", lambda path, role: next(names))
    monkeypatch.setattr(temporary, "holding", removed_before)
    with new_file(tmp_path / "out") as new:
        assert new.name == "second"


@pytest.mark.parametrize("can_exchange", [True, False])
def test_notes_in_a_folder_are_carried_over(
    can_exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(temporary, "exchange", lambda one, other: False)
    folder = tmp_path / "out"
    write_folder(folder, FILES | {"b.txt": b"b"})
    (folder / "notes.txt").write_text("mine")
    (folder / "drafts").mkdir()
    (folder / "drafts" / "one").write_text("mine too")
    (folder / "link").symlink_to("notes.txt")
    before = state_of(folder, without="manifest.json")
    write_folder(folder, FILES, names=["a.txt", "b.txt"])
    after = state_of(folder, without="manifest.json")
    assert after == {name: text for name, text in before.items() if name != "b.txt"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
