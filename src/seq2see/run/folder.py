"""The run folder: where one can be made, what is in it, and its stored configuration.

RUN/config.toml      every option of the run; itself a recipe
RUN/files.json       SHA-256 of config.toml and of the files that it names
RUN/metrics.jsonl    one line per event
RUN/model/           the best model: what ships
RUN/checkpoints/     what `--resume` resumes from
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from seq2see.blueprint import with_options_added_later
from seq2see.config import Config, make_config, option, read_toml, to_toml
from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.storage.checkpoints import checkpoints, clean_checkpoints, other_checkpoint_entries, update_of
from seq2see.storage.files import MANIFEST, other_entries, write_file
from seq2see.storage.saved_model import MODEL_FILES
from seq2see.storage.temporary import clean_leftovers, current_version, is_temporary, remove_folder
from seq2see.system_errors import reported, require_no_broken_link, require_possible

CONFIG, RECORD, METRICS = "config.toml", "files.json", "metrics.jsonl"
MODEL, CHECKPOINTS = "model", "checkpoints"


def require_free(folder: Path, *, force: bool) -> None:
    """ConfigError if the folder exists, unless forced; only a run is ever replaced, and nothing else that is in it."""
    require_possible(folder, ConfigError)
    require_no_broken_link(folder, ConfigError)
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        why = f"{existing} is a file" if not existing.is_dir() else f"{existing} can't be written to"
        raise ConfigError(f"can't be created: {why}", where=str(folder), fix="choose another folder (--out, out=…)")
    if existing != folder or all(map(is_initial, folder.iterdir())):
        return
    if not is_run(folder):
        raise ConfigError(
            "exists and is not a seq2see run", where=str(folder), fix="choose another folder (--out, out=…)"
        )
    if not force:
        raise ConfigError(
            "this run already exists",
            where=str(folder),
            fix="resume it (--resume, resume=True), replace it (--force, force=True), "
            "or choose another folder (--out, out=…)",
        )
    others = [*other_entries(folder / MODEL, MODEL_FILES), *other_checkpoint_entries(folder / CHECKPOINTS)]
    if others:
        what = f"holds something that is no part of the run: {others[0].relative_to(folder)}"
        fix = "move it out of the folders that --force replaces, or choose another folder (--out, out=…)"
        raise ConfigError(what, where=str(folder), fix=fix)


def is_within(path: Path, folder: Path) -> bool:
    """Whether the path is the folder or something in it, links resolved as far as they can be."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def is_initial(path: Path) -> bool:
    """Whether `make_run_folder` leaves this in an empty folder if it is killed."""
    is_empty_log = path.name == METRICS and not path.is_symlink() and path.is_file() and not path.stat().st_size
    return is_empty_log or is_temporary(path)


def is_run(folder: Path) -> bool:
    """Whether the folder holds the configuration and the log of a run."""
    if not ((folder / METRICS).is_file() and (folder / CONFIG).is_file()):
        return False
    try:
        make_config(read_toml(folder / CONFIG), {})
    except UserError:
        return False
    return True


def has_checkpoint(folder: Path) -> bool:
    """Whether the folder holds a run that can be resumed."""
    return is_run(folder) and bool(checkpoints(folder / CHECKPOINTS))


def has_finished(folder: Path) -> bool:
    """Whether a run came to its end."""
    try:
        return '"event": "end"' in (folder / METRICS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def make_run_folder(folder: Path, config: Config) -> None:
    """Make the run folder, with config.toml and an empty log; an old run in it is removed.

    The checkpoints of an old run are removed first and the configuration is written last, so that a kill at any moment
    leaves nothing that could be taken for another run.
    """
    with reported(folder, "created", ConfigError, option="--out"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (CHECKPOINTS, MODEL):
            clean_leftovers(folder / name)
            if (folder / name).exists():
                remove_folder(folder / name)
    write_file(folder / METRICS, b"")
    write_config(folder, config)


def write_config(folder: Path, config: Config) -> None:
    """Write config.toml."""
    write_file(folder / CONFIG, to_toml(config).encode(errors="surrogateescape"))


def clean_run(folder: Path) -> None:
    """Repair or remove what killed writes have left in a run; only the process that holds the lock may."""
    for name in (CONFIG, RECORD, METRICS, MODEL):
        clean_leftovers(folder / name)
    clean_checkpoints(folder / CHECKPOINTS)


@contextmanager
def naming_what_remains(run: Path) -> Iterator[None]:
    """Let the error of a save in this run say how to go on with what was saved before."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(error.what, where=error.where, fix=f"{error.fix}; {what_remains(run)}") from error


def what_remains(run: Path) -> str:
    """How to go on after an error: from the last checkpoint, else from the best model, else from the beginning."""
    if left := checkpoints(run / CHECKPOINTS):
        return f"then --resume resumes after update {update_of(left[-1]):,}, which is intact"
    if (current_version(run / MODEL) / MANIFEST).exists():
        words = ["seq2see", "train", str(run / CONFIG), "--from", str(run), "--out", f"{run}-continued"]
        return f"there is no checkpoint yet, but the best model so far: {shlex.join(words)}"
    return "then start again with --force"


def stored_config(folder: Path) -> Config:
    """The configuration that the run was started with."""
    path = folder / CONFIG
    if not path.exists():
        fix = "name the run (seq2see train runs/NAME --resume), or leave out --resume to start one"
        raise CheckpointError("there is no run to resume", where=str(folder), fix=fix)
    config = make_config(read_toml(path), {}, where=str(path))
    return replace(config, model=with_options_added_later(config.model))


def with_given_options(stored: Config, config: Config, given: Collection[str]) -> Config:
    """The stored configuration with those options of `config` that are `given`.

    `auto` keeps the value that was chosen when the run began.
    """
    for key in given:
        if option(config, key) in (None, "auto"):
            continue
        section, _, name = key.partition(".")
        part = replace(getattr(stored, section), **{name: option(config, key)})
        stored = replace(stored, **{section: part})
    return stored


def default_folder(data: str | Path) -> Path:
    """The run folder by default: runs/pairs for pairs.tsv.gz."""
    return Path("runs") / (Path(data).name.strip(".").partition(".")[0] or "run")
