"""The run folder: what may become one, what is in it, and how a run is taken up again.

RUN/config.toml      what was trained on what, nothing left open; itself a recipe
RUN/metrics.jsonl    one line an event
RUN/model/           the best model: what ships
RUN/checkpoints/     what `--resume` goes on from
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from seq2see.config import Config, make_config, option, read_toml, to_toml
from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.storage.checkpoints import checkpoints, clean_checkpoints
from seq2see.storage.files import FRESH, beside, clean, remove_folder, write_file

CONFIG, METRICS, MODEL, CHECKPOINTS = "config.toml", "metrics.jsonl", "model", "checkpoints"
JUST_BEGUN = {METRICS, beside(Path(METRICS), FRESH).name, beside(Path(CONFIG), FRESH).name}
"""What `prepare`, killed, may leave in a folder that was empty."""


def require_free(folder: Path, *, force: bool) -> None:
    """Refuse a folder that exists, unless forced; what isn't a run is never replaced."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise ConfigError("no run folder can be made there", where=str(folder), fix="choose another folder with --out")
    if existing != folder or not any(path.name not in JUST_BEGUN for path in folder.iterdir()):
        return
    if not is_run(folder):
        raise ConfigError("exists and is not a seq2see run", where=str(folder), fix="choose another folder with --out")
    if not force:
        raise ConfigError(
            "this run exists already",
            where=str(folder),
            fix="go on with it (--resume), replace it (--force), or choose another folder (--out)",
        )


def is_run(folder: Path) -> bool:
    """Whether a configuration and a log of ours lie in the folder."""
    if not (folder / METRICS).is_file():
        return False
    try:
        make_config(read_toml(folder / CONFIG), {})
    except UserError:
        return False
    return True


def has_checkpoint(folder: Path) -> bool:
    """Whether there is something in the folder that a run could go on from."""
    return is_run(folder) and bool(checkpoints(folder / CHECKPOINTS))


def has_ended(folder: Path) -> bool:
    """Whether a run came to its end: it is no longer one that was only begun."""
    try:
        return '"event": "end"' in (folder / METRICS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def prepare(folder: Path, config: Config) -> None:
    """Make the run folder, empty but for config.toml and a log without events.

    In an order in which a kill leaves nothing that could be taken for another run: first what an old one would be
    resumed from is removed, and the configuration comes last.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (CHECKPOINTS, MODEL):
            clean(folder / name)
            if (folder / name).exists():
                remove_folder(folder / name)
    except OSError as error:
        fix = "choose another folder with --out"
        raise ConfigError(f"can't be made: {error.strerror}", where=str(folder), fix=fix) from None
    write_file(folder / METRICS, b"")
    write_config(folder, config)


def write_config(folder: Path, config: Config) -> None:
    """Write config.toml."""
    write_file(folder / CONFIG, to_toml(config).encode())


def clean_run(folder: Path) -> None:
    """Put right what kills have left half done in a run; only who goes on with it may."""
    for name in (CONFIG, METRICS, MODEL):
        clean(folder / name)
    clean_checkpoints(folder / CHECKPOINTS)


def stored_config(folder: Path) -> Config:
    """The configuration that the run was started with."""
    path = folder / CONFIG
    if not path.exists():
        raise CheckpointError("there is no run to resume", where=str(folder), fix="leave out --resume to start one")
    return make_config(read_toml(path), {}, where=str(path))


def set_options(stored: Config, config: Config, given: Collection[str]) -> Config:
    """The stored configuration with those options of `config` that someone has `given`.

    A value that leaves the choice open (`auto`) was chosen when the run began, and stays what it was.
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
