"""What the operating system refuses: one message, with a fix that fits the reason."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from seq2see.errors import CheckpointError, DataError, UserError
from seq2see.system_errors import absolute, reported, system_error

FIXES = {
    errno.ENOENT: "check the path",
    errno.EISDIR: "it is a folder",
    errno.EACCES: "ls -ld 'a b/pairs.tsv'",
    errno.EMFILE: "ulimit -n",
    errno.ENAMETOOLONG: "shorten it",
    errno.ELOOP: "symbolic link",
    errno.EIO: "check the disk",
    errno.ENXIO: "other end",
    errno.EPROTO: "check the path",
}
WRITING = {
    errno.ENOENT: "mkdir -p 'a b'",
    errno.EISDIR: "it is a folder: choose another --out",
    errno.EACCES: "ls -ld 'a b'",
    errno.ENOSPC: "free some disk space, or choose another --out",
    errno.EDQUOT: "free some disk space",
    errno.EFBIG: "ulimit -f",
    errno.EROFS: "can only be read: choose another --out",
    errno.EMFILE: "ulimit -n",
    errno.ENAMETOOLONG: "shorten it",
    errno.EBUSY: "another program",
}


@pytest.mark.parametrize(("number", "fix"), FIXES.items())
def test_reading_has_a_fix_for_each_reason(number: int, fix: str) -> None:
    error = system_error(OSError(number, os.strerror(number)), Path("a b/pairs.tsv"), "read", DataError)
    assert error.what == f"can't be read: {os.strerror(number)}"
    assert error.where == "a b/pairs.tsv"
    assert fix in error.fix
    assert ("ls -ld" in error.fix) == (number in (errno.EACCES, errno.ELOOP))


@pytest.mark.parametrize(("number", "fix"), WRITING.items())
def test_writing_has_a_fix_for_each_reason(number: int, fix: str) -> None:
    error = system_error(OSError(number, os.strerror(number)), "a b/m", "written", CheckpointError, option="--out")
    assert type(error) is CheckpointError
    assert fix in error.fix


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as caught, reported(tmp_path / "file" / "x" / "y", "read"):
        (tmp_path / "file" / "x" / "y").read_bytes()
    assert caught.value.fix == f"{tmp_path / 'file'} is not a folder: check the path"


def test_a_long_name_is_cut_in_the_message() -> None:
    with pytest.raises(DataError) as caught, reported("x" * 5000, "read"):
        Path("x" * 5000).read_bytes()
    assert len(str(caught.value)) < 400


def test_errors_of_our_own_pass_through() -> None:
    with pytest.raises(CheckpointError, match="is damaged"), reported("x", "read"):
        raise CheckpointError("is damaged")


def test_a_removed_working_directory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UserError, match="the working directory has been removed") as caught:
        absolute(Path("x"))
    assert "cd" in caught.value.fix
    assert absolute(tmp_path) == tmp_path
