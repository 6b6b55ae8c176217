"""Checkpoints to resume training from: RUN/checkpoints/<update>/, each written completely or not at all.

A checkpoint is a folder with the weights, the optimizer's moments and the progress of training. Its manifest has the
name, size and SHA-256 of each file, the versions of the software, and a SHA-256 of itself. The newest few are kept, so
that an older one can be used if the newest is damaged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from seq2see.errors import CheckpointError
from seq2see.storage.files import (
    MANIFEST,
    hash_of,
    other_entries,
    require_file,
    require_hash,
    write_folder,
)
from seq2see.storage.saved_model import SOURCE_CODEC, TARGET_CODEC, codec_files, read_codecs
from seq2see.storage.temporary import clean_leftovers, current_version, read_name, remove_folder
from seq2see.system_errors import system_error
from seq2see.text import Codecs

STATE, PROGRESS = "state.safetensors", "progress.json"
FILES = frozenset({STATE, PROGRESS, SOURCE_CODEC, TARGET_CODEC})
FORMAT = 3
DAMAGED_SUFFIX = ".damaged"
"""Added to the name of a damaged checkpoint that was skipped."""
NUM_KEPT = 2
"""Number of checkpoints kept by default."""
TRAIN_AGAIN = "train again with --force"


class Checkpoint(NamedTuple):
    """All that training needs to resume, verified byte by byte."""

    tensors: dict[str, np.ndarray]
    progress: dict[str, Any]
    codecs: Codecs | None
    """Kept because a unigram vocabulary, learned again, may come out another."""
    versions: dict[str, str]
    """Of what wrote it: seq2see, python, torch."""
    folder: Path
    damaged: tuple[CheckpointError, ...] = ()
    """The errors of newer checkpoints that were skipped."""


def save_checkpoint(
    folder: Path,
    update: int,
    tensors: Mapping[str, np.ndarray],
    progress: Mapping[str, Any],
    codecs: Codecs | None = None,
    *,
    versions: Mapping[str, str] | None = None,
    keep: int = NUM_KEPT,
) -> None:
    """Write `folder/<update>/`, then remove all but the newest `keep` checkpoints. CheckpointError if that fails."""
    files = {
        STATE: safetensors.numpy.save(dict(tensors)),
        PROGRESS: json.dumps(progress, indent=1).encode() + b"\n",
        **({} if codecs is None else codec_files(codecs)),
    }
    place = folder / f"{update:08d}"
    write_folder(place, files, sealed_manifest(files, versions or {}), names=FILES)
    others = [path for path in checkpoints(folder) if path != place]
    for older in others[: max(0, len(others) + 1 - keep)]:
        with suppress(OSError):  # the new one is safe; removing the old is tried again next time
            remove_folder(older)


def load_checkpoint(folder: Path, *, fallback_previous: bool = False) -> Checkpoint:
    """The newest checkpoint. CheckpointError, naming the file, if it is damaged or there is none.

    With `fallback_previous`, the newest intact one; the errors of those after it are in `damaged`.
    """
    found = checkpoints(folder)
    if not found:
        raise CheckpointError("holds no checkpoint to resume from", where=str(folder), fix=TRAIN_AGAIN)
    damaged: list[CheckpointError] = []
    for place in reversed(found):
        try:
            return read_checkpoint(place)._replace(damaged=tuple(damaged))
        except CheckpointError as error:
            damaged.append(error)
            if not fallback_previous:
                break
    first = damaged[0]
    if fallback_previous:
        raise CheckpointError(
            "no checkpoint is intact: " + "; ".join(f"{error.where} {error.what}" for error in damaged),
            where=str(folder),
            fix=f"copy the run again from its source, or {TRAIN_AGAIN}",
        )
    fix = f"{first.fix}, or {TRAIN_AGAIN}"
    if len(found) > 1:
        fix = f"resume from the previous one, of update {update_of(found[-2]):,}: --resume --fallback-previous"
    raise CheckpointError(first.what, where=first.where, fix=fix)


def read_checkpoint(place: Path) -> Checkpoint:
    """One checkpoint; each file is read once, and its hash checked before it is parsed."""
    try:
        versions, files = read_sealed(place)
    except OSError as error:
        raise system_error(error, os.fsdecode(error.filename or place), "read", CheckpointError) from None
    try:
        tensors = safetensors.numpy.load(files[STATE])
        progress = json.loads(files[PROGRESS])
        if not isinstance(progress, dict):
            raise ValueError(f"{PROGRESS} is no table")
        codecs = read_codecs(files, lambda name: str(place / name)) if TARGET_CODEC in files else None
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"holds an invalid training state: {error}", where=str(place), fix=TRAIN_AGAIN) from None
    return Checkpoint(tensors, progress, codecs, versions, place)


def mark_damaged(checkpoint: Checkpoint) -> None:
    """Rename the checkpoints that are newer than this one: training will write them again."""
    for newer in checkpoints(checkpoint.folder.parent):
        if update_of(newer) > update_of(checkpoint.folder):
            aside = newer.with_name(f"{update_of(newer):08d}{DAMAGED_SUFFIX}")
            try:
                if aside.is_dir():  # of the same update, from an earlier time
                    remove_folder(aside)
                newer.rename(aside)
            except OSError as error:
                raise system_error(error, newer, "renamed", CheckpointError, also="or remove it") from error


def clean_checkpoints(folder: Path) -> None:
    """Remove what killed writes have left; only the writer may call it."""
    for name in {_output_name(path) for path in folder.glob(".*")}:
        if name.isdigit():
            clean_leftovers(folder / name)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first, each under the name where its current version is."""
    names = {_output_name(path) for path in folder.glob("*")}
    found = (current_version(folder / name) for name in names if name.isdigit())
    return sorted((path for path in found if path.exists()), key=update_of)


def other_checkpoint_entries(folder: Path) -> list[Path]:
    """What is in the folder, or in one of its checkpoints, that isn't part of a checkpoint."""
    own = [path for path in folder.glob("*") if path.name.removesuffix(DAMAGED_SUFFIX).isdigit()]
    inside = (other_entries(path, {*FILES, MANIFEST}) for path in sorted(own))
    return [*other_entries(folder, {path.name for path in own}), *chain.from_iterable(inside)]


def update_of(place: Path) -> int:
    """The update after which it was written."""
    return int(_output_name(place))


def _output_name(path: Path) -> str:
    temporary = read_name(path.name)
    return temporary.name if temporary else path.name


# --- its manifest ---------------------------------------------------------------------------------------------------


def sealed_manifest(files: Mapping[str, bytes], versions: Mapping[str, str]) -> bytes:
    """The manifest: name, size and hash of each file, the versions, and a hash of all that."""
    listed = {name: {"size": len(files[name]), "sha256": hash_of(files[name])} for name in sorted(files)}
    return sealed({"format": FORMAT, "written_by": dict(versions), "files": listed})


def sealed(values: Mapping[str, Any]) -> bytes:
    """The values as JSON, with the hash of them as the last value."""
    seal = hash_of(json.dumps(values).encode())
    return json.dumps({**values, "sha256": seal}, indent=1).encode() + b"\n"


def read_sealed(place: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """The versions and the content of the files. CheckpointError if a single bit differs."""
    path = place / MANIFEST
    require_file(path)
    content = path.read_bytes()
    number, listed, versions, as_written = FORMAT, {}, {}, False
    try:
        values = json.loads(content)
        number = values["format"]
        as_written = sealed({name: value for name, value in values.items() if name != "sha256"}) == content
        listed = {name: (int(entry["size"]), str(entry["sha256"])) for name, entry in values["files"].items()}
        versions = {str(name): str(version) for name, version in dict(values["written_by"]).items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        as_written = False
    if type(number) is int and number != FORMAT:
        fix = "use the version of seq2see that wrote it"
        raise CheckpointError(f"has format {number}, this seq2see reads {FORMAT}", where=str(path), fix=fix)
    if not as_written or not listed.keys() <= FILES or not listed.keys() >= {STATE, PROGRESS}:
        raise CheckpointError("is damaged", where=str(path), fix="copy the run again from its source")
    files = {}
    for name, (size, expected) in listed.items():
        require_file(place / name)
        files[name] = (place / name).read_bytes()
        if len(files[name]) != size:
            what = f"is damaged: it has {len(files[name]):,} bytes instead of {size:,}"
            raise CheckpointError(what, where=str(place / name), fix="copy the run again from its source")
        require_hash(hash_of(files[name]), expected, str(place / name))
    return versions, files
