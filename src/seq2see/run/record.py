"""RUN/files.json: the SHA-256 of the run's config.toml and of the files that it names.

A run folder may come from somebody else, and its configuration may name any file of this machine. So the files are read
again only if their content is what the run was trained on; whoever made the folder then knows it anyway.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seq2see.config import DATA_PATHS, TRAINING_PATHS, Config, make_config, option, read_toml
from seq2see.corpus.corpus import MANIFEST, is_corpus
from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.run.folder import CONFIG, RECORD
from seq2see.storage.files import hash_file, read_file, write_file

FORMAT = 1
MAX_BYTES = 2**20
SIDES = ("train", "dev")
OTHERS = ("data.also_source", "data.also_target", "training.source_embeddings", "training.target_embeddings")
"""Further options that name files."""


def write_record(run: Path) -> None:
    """Record the run's configuration and files as they are."""
    config = make_config(read_toml(run / CONFIG), {})
    hashes = {side: [content_hash(Path(name)) for name in getattr(config.data, side)] for side in SIDES}
    values = {"format": FORMAT, "config": hash_file(run / CONFIG), **hashes}
    if others := other_files(config):
        values["others"] = hashes_before(run) or {key: content_hash(Path(name)) for key, name in others.items()}
    write_file(run / RECORD, json.dumps(values, indent=1).encode() + b"\n")


def hashes_before(run: Path) -> Any:
    """The hashes of the other files that a run began with; none for a new run."""
    try:
        return json.loads(read_file(run / RECORD, MAX_BYTES)).get("others")
    except (OSError, ValueError, AttributeError, RecursionError, CheckpointError):
        return None


def other_files(config: Config) -> dict[str, str]:
    """The files that a new run begins with beside its pairs, by their options."""
    return {key: path for key in OTHERS if (path := option(config, key)) is not None}


def content_hash(path: Path) -> str | None:
    """The SHA-256 of a file, or of the manifest of a prepared corpus; None for what can't be read twice, as a pipe."""
    if is_corpus(path):
        path = path / MANIFEST
    return hash_file(path) if path.is_file() else None


def unchanged_config(run: Path, *, fix: str) -> Config:
    """The run's configuration. ConfigError, with this `fix`, unless it and the files that it names are as recorded."""
    config = make_config(read_toml(run / CONFIG), {}, where=str(run / CONFIG))
    record = read_record(run, fix=fix)
    if record["config"] != hash_file(run / CONFIG):
        raise unreadable("it was changed after the training", run / CONFIG, fix)
    for side in SIDES:
        names: Sequence[str] = getattr(config.data, side)
        if len(names) != len(record[side]):
            raise unreadable("it is damaged", run / RECORD, fix)
        for name, recorded in zip(names, record[side], strict=True):
            path = Path(name)
            if not path.exists():
                raise unreadable("no such file", path, fix)
            if recorded is None or content_hash(path) != recorded:
                raise unreadable("it is not the file that the run was trained on", path, fix)
    return config


def unreadable(why: str, path: Path, fix: str) -> ConfigError:
    """The error for pairs that aren't read again."""
    return ConfigError(f"the data of the run can't be read: {why}", where=str(path), fix=fix)


def files_read(run: Path) -> list[str]:
    """The files of pairs that are read again for this run, if they are as recorded; else none."""
    try:
        config = unchanged_config(run, fix="")
    except UserError:
        return []
    return [*config.data.train, *config.data.dev]


def without_folders(config: Config) -> Config:
    """The configuration with the names of files alone: where they are on its maker's machine is nobody's business."""

    def names(paths: Sequence[str]) -> tuple[str, ...]:
        return tuple(Path(path).name for path in paths)

    data = replace(config.data, train=names(config.data.train), dev=names(config.data.dev))
    own: dict[str, Any] = {n: Path(path).name for n in DATA_PATHS if (path := getattr(config.data, n))}
    given: dict[str, Any] = {n: Path(path).name for n in TRAINING_PATHS if (path := getattr(config.training, n))}
    return replace(config, data=replace(data, **own), training=replace(config.training, **given))


def read_record(run: Path, *, fix: str) -> dict[str, Any]:
    """The content of the record. ConfigError, with this `fix`, if there is none or it is invalid."""
    path = run / RECORD
    if not path.exists():
        raise unreadable("it is missing, so the files that the run was trained on are unknown", path, fix)
    try:
        values = json.loads(read_file(path, MAX_BYTES))
        if values["format"] == FORMAT and all(isinstance(values[side], list) for side in SIDES):
            return {key: values[key] for key in ("config", *SIDES)}
    except (ValueError, KeyError, TypeError, RecursionError, CheckpointError):
        pass
    raise unreadable("it is damaged", path, fix)
