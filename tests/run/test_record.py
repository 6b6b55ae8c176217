"""The files of a run: which are read again, and that no other file of the user's is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2see.config import make_config, read_toml
from seq2see.errors import ConfigError, UserError
from seq2see.packing import pack_run
from seq2see.pages import write_report
from seq2see.run.pairs import read_run_data
from seq2see.run.record import files_read, unchanged_config, write_record
from seq2see.run.train import train

SECRET = "secret\tpassword\n"


def edited(run: Path, old: str, new: str) -> None:
    path = run / "config.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def names_another_file(run: Path, path: Path) -> None:
    """What somebody does who wants to see lines of a file of yours."""
    path.write_text(SECRET * 20)
    config = read_toml(run / "config.toml")
    edited(run, config["data"]["train"][0], str(path))


def forges_the_hash(run: Path, path: Path) -> None:
    names_another_file(run, path)
    from seq2see.storage.files import hash_file

    record = json.loads((run / "files.json").read_text())
    (run / "files.json").write_text(json.dumps(record | {"config": hash_file(run / "config.toml")}))


def records_no_file(run: Path, path: Path) -> None:
    forges_the_hash(run, path)
    record = json.loads((run / "files.json").read_text())
    (run / "files.json").write_text(json.dumps(record | {"train": []}))


def records_something_else(run: Path, path: Path) -> None:
    forges_the_hash(run, path)
    record = json.loads((run / "files.json").read_text())
    (run / "files.json").write_text(json.dumps(record | {"train": [None], "dev": [None]}))


def has_no_record(run: Path, path: Path) -> None:
    names_another_file(run, path)
    (run / "files.json").unlink()


def has_a_damaged_record(run: Path, path: Path) -> None:
    names_another_file(run, path)
    (run / "files.json").write_text("[" * 100_000)


def names_a_pipe(run: Path, path: Path) -> None:
    forges_the_hash(run, path)
    path.unlink()
    os.mkfifo(path)


def has_a_pipe_as_record(run: Path, path: Path) -> None:
    names_another_file(run, path)
    (run / "files.json").unlink()
    os.mkfifo(run / "files.json")


HARMS: list[Callable[[Path, Path], None]] = [
    names_another_file,
    forges_the_hash,
    records_no_file,
    records_something_else,
    has_no_record,
    has_a_damaged_record,
    names_a_pipe,
    has_a_pipe_as_record,
]


@pytest.mark.parametrize("harm", HARMS)
def test_a_run_from_elsewhere_opens_no_file_of_the_users(
    harm: Callable[[Path, Path], None], tiny_run_copy: Path, tiny_pairs: Path, tmp_path: Path
) -> None:
    harm(tiny_run_copy, tmp_path / "secret.tsv")
    with pytest.raises(ConfigError, match="the data of the run can't be read") as caught:
        read_run_data(tiny_run_copy, has_source=True, fix="do this")
    assert caught.value.fix == "do this"
    assert files_read(tiny_run_copy) == []
    out = tmp_path / "out"
    with pytest.raises(UserError, match="can't be read"):
        write_report(tiny_run_copy, out.with_suffix(".html"), device="cpu")
    with pytest.raises(UserError, match="can't be read"):
        pack_run(tiny_run_copy, out.with_suffix(".seq2see"))
    write_report(tiny_run_copy, out.with_suffix(".html"), [tiny_pairs], device="cpu")
    page = out.with_suffix(".html").read_text()
    assert "password" not in page
    assert "the data of the run can" in page


@pytest.mark.parametrize("name", ["config.toml", "metrics.jsonl"])
def test_a_pipe_in_a_run_is_not_waited_for(name: str, tiny_run_copy: Path, tmp_path: Path) -> None:
    (tiny_run_copy / name).unlink()
    os.mkfifo(tiny_run_copy / name)
    with pytest.raises(UserError, match="not a regular file"):
        write_report(tiny_run_copy, tmp_path / "report.html", device="cpu")


def test_a_changed_file_of_pairs_is_not_what_the_run_was_trained_on(
    tiny_run_copy: Path, tiny_pairs: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copy(tiny_pairs, tmp_path / "own.tsv"))
    edited(tiny_run_copy, str(tiny_pairs), str(own))
    write_record(tiny_run_copy)
    assert files_read(tiny_run_copy) == [str(own)]
    own.write_text(own.read_text() + "new\twen\n")
    with pytest.raises(ConfigError, match="not the file that the run was trained on") as caught:
        unchanged_config(tiny_run_copy, fix="")
    assert caught.value.where == str(own)


def test_an_edited_configuration_is_recorded_when_the_run_is_resumed(tiny_run_copy: Path, tiny_pairs: Path) -> None:
    """As `--resume --allow-changes` permits."""
    edited(tiny_run_copy, "max_updates = 90", "max_updates = 92")
    with pytest.raises(ConfigError, match="changed after the training"):
        unchanged_config(tiny_run_copy, fix="")
    config = make_config({}, {"data.train": str(tiny_pairs)})
    with pytest.raises(ConfigError, match="92"):
        train(config, tiny_run_copy, device="cpu", resume=True)
    assert train(config, tiny_run_copy, device="cpu", resume=True, allow_changes=True).finished.update == 92
    assert unchanged_config(tiny_run_copy, fix="").training.max_updates == 92


def test_pairs_from_a_pipe_are_recorded_as_unknown(tiny_run_copy: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    edited(tiny_run_copy, str(tiny_pairs), str(tmp_path / "pipe"))
    write_record(tiny_run_copy)
    (tmp_path / "pipe").unlink()
    shutil.copy(tiny_pairs, tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not the file"):
        unchanged_config(tiny_run_copy, fix="")


def test_a_report_names_no_folder_of_its_maker(tiny_run: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    write_report(tiny_run, tmp_path / "report.html", [tiny_pairs], device="cpu")
    page = (tmp_path / "report.html").read_text()
    assert tiny_pairs.name in page
    assert str(tiny_pairs.parent) not in page
