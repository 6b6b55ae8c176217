"""The run folder: what may become one, what is in it, and how a run is taken up again.

RUN/config.toml      what was trained on what, nothing left open; itself a recipe
RUN/metrics.jsonl    one line an event
RUN/model/           the best model: what ships
RUN/checkpoints/     what `--resume` goes on from
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from peeky.config import Config, make_config, option, read_toml, to_toml
from peeky.data import Examples, Pair
from peeky.errors import CheckpointError, ConfigError, UserError
from peeky.text import Codecs

CONFIG, METRICS, MODEL, CHECKPOINTS = "config.toml", "metrics.jsonl", "model", "checkpoints"


def require_free(folder: Path, *, force: bool) -> None:
    """Refuse a folder that exists, unless forced; what isn't a run is never replaced."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise ConfigError("no run folder can be made there", where=str(folder), fix="choose another folder with --out")
    if existing != folder or not any(folder.iterdir()):
        return
    if not is_run(folder):
        raise ConfigError("exists and is not a peeky run", where=str(folder), fix="choose another folder with --out")
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


def prepare(folder: Path, config: Config) -> None:
    """Make the run folder, empty but for config.toml."""
    try:
        for name in (MODEL, CHECKPOINTS):
            shutil.rmtree(folder / name, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(to_toml(config), encoding="utf-8")
    except OSError as error:
        fix = "choose another folder with --out"
        raise ConfigError(f"can't be made: {error.strerror}", where=str(folder), fix=fix) from None


def stored_config(folder: Path) -> Config:
    """The configuration that the run was started with."""
    path = folder / CONFIG
    if not path.exists():
        raise CheckpointError("there is no run to resume", where=str(folder), fix="leave out --resume to start one")
    return make_config(read_toml(path), {}, where=str(path))


def require_same(config: Config, stored: Config, given: Collection[str]) -> None:
    """Refuse to resume with an option that was `given` and is not what the run was started with."""
    for key in given:
        if option(config, key) != option(stored, key):
            raise ConfigError(
                f"is {option(config, key)!r} now, the run was started with {option(stored, key)!r}",
                where=key,
                fix="resume with the options the run was started with, or start a new run with --out",
            )


def fingerprint(examples: Examples, codecs: Codecs, dev: Sequence[Pair]) -> str:
    """A hash of all that gives the weights and the order of training their meaning: ids, vocabularies, dev pairs."""
    digest = hashlib.sha256()
    for array in (examples.source_ids, examples.source_offsets, examples.target_ids, examples.target_offsets):
        digest.update(array.tobytes())
    told = [codec and codec.to_dict() for codec in codecs], [(pair.source, pair.target) for pair in dev]
    digest.update(json.dumps(told).encode())
    return digest.hexdigest()
