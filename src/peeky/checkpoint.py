"""Folders that are written whole or not at all, and read only if they are as they were written.

A run holds two kinds: `model/`, which is what ships (readable text and safetensors, nothing that can run code), and
`checkpoints/<update>/`, which holds all that training needs to go on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from peeky.errors import CheckpointError
from peeky.text import Codec, Codecs

MANIFEST = "manifest.json"
SOURCE_CODEC, TARGET_CODEC = "source.vocabulary.json", "target.vocabulary.json"
FORMAT = 1


class SavedModel(NamedTuple):
    """What a model folder holds."""

    config: dict[str, Any]
    tensors: dict[str, np.ndarray]
    source_codec: Codec | None
    target_codec: Codec


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make `folder` anew: filled beside its place, hashed, flushed to disk, then moved there in one step."""
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    recover(folder)
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        fill(fresh)
        hashes = {path.name: hash_file(path) for path in sorted(fresh.iterdir())}
        (fresh / MANIFEST).write_text(
            json.dumps({"format": FORMAT, "sha256": hashes}, indent=1) + "\n", encoding="utf-8"
        )
        for path in [*fresh.iterdir(), fresh]:
            flush(path)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as error:
        recover(folder)
        raise CheckpointError(
            f"can't be written: {error.strerror}",
            where=str(folder),
            fix="free some space or choose another --out; what was there before is unharmed",
        ) from error
    flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Undo half a `write_folder` that was killed between its two renames: the previous folder is still whole.

    Only who writes may do this: to a reader, a writer at work between the two looks just the same.
    """
    old = folder.with_name(folder.name + ".old")
    if not folder.exists() and old.exists():
        old.rename(folder)


def verify_folder(folder: Path) -> None:
    """Raise CheckpointError, naming the file, unless every file is as it was written."""
    manifest = folder / MANIFEST
    try:
        hashes = json.loads(manifest.read_text(encoding="utf-8"))["sha256"]
        items = [(str(name), str(value)) for name, value in hashes.items()]
    except FileNotFoundError:
        raise CheckpointError(
            "is missing", where=str(manifest), fix="give the folder of a peeky run or its model/ folder"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(
            "is damaged", where=str(manifest), fix="copy the folder again from where it came"
        ) from None
    for name, expected in items:
        path = folder / name
        if not path.is_file():
            raise CheckpointError("is missing", where=str(path), fix="copy the folder again, with all its files")
        if hash_file(path) != expected:
            raise CheckpointError(
                "is damaged: its content is not what was written",
                where=str(path),
                fix="copy the folder again from where it came",
            )


def save_model(
    folder: Path,
    *,
    config: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    source_codec: Codec | None,
    target_codec: Codec,
    card: str,
) -> None:
    """Write what ships: config.json, model.safetensors, a vocabulary a side, and a card to read."""

    def fill(fresh: Path) -> None:
        (fresh / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (fresh / "model.safetensors").write_bytes(safetensors.numpy.save(dict(tensors), {"format": "pt"}))
        write_codecs(fresh, (source_codec, target_codec))
        (fresh / "README.md").write_text(card, encoding="utf-8")

    write_folder(folder, fill)


def write_codecs(folder: Path, codecs: Codecs) -> None:
    """Write a file a side; none for the source of a language model."""
    for codec, name in zip(codecs, (SOURCE_CODEC, TARGET_CODEC), strict=True):
        if codec is not None:
            codec.save(folder / name)


def read_codecs(folder: Path) -> Codecs:
    """What `write_codecs` wrote."""
    source = folder / SOURCE_CODEC
    return Codec.load(source) if source.exists() else None, Codec.load(folder / TARGET_CODEC)


def load_model(folder: Path) -> SavedModel:
    """Read a model folder, or the `model/` of a run; nothing in it is executed."""
    try:
        return read_model(folder)
    except OSError as error:
        what = f"can't be read: {error.strerror}"
        raise CheckpointError(what, where=str(error.filename or folder), fix="check who may read it") from None


def read_model(folder: Path) -> SavedModel:
    """As `load_model`, but for what the system says of a file that can't be opened."""
    folder = find_model_folder(folder)
    verify_folder(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("format") != FORMAT:
        raise CheckpointError(
            f"has format {config.get('format')}, this peeky reads {FORMAT}",
            where=str(folder / "config.json"),
            fix="use the version of peeky that wrote it (it is named in the file)",
        )
    return SavedModel(config, safetensors.numpy.load_file(folder / "model.safetensors"), *read_codecs(folder))


def find_model_folder(folder: Path) -> Path:
    """The model folder that is meant: `folder` itself, or the `model/` of a run."""
    folder = folder.absolute()  # "." has no name to look for others beside
    for candidate in (folder, folder / "model"):
        for place in (candidate, candidate.parent / (candidate.name + ".old")):
            if (place / MANIFEST).exists():
                return place
    fix = "give the folder that `peeky train` made, or its model/ folder"
    if not folder.is_dir():
        what = "is a file, not a run folder" if folder.exists() else "there is no such folder"
        raise CheckpointError(what, where=str(folder), fix=fix)
    missing = (folder / "model" if (folder / "model").is_dir() else folder) / MANIFEST
    raise CheckpointError("is missing: this is no peeky run or model, or not all of it", where=str(missing), fix=fix)


def save_checkpoint(
    folder: Path,
    update: int,
    tensors: Mapping[str, np.ndarray],
    progress: Mapping[str, Any],
    codecs: Codecs | None = None,
) -> None:
    """Write `folder/<update>/`, then remove the older ones.

    The codecs are kept in it because a unigram vocabulary, learnt again, may come out another.
    """

    def fill(fresh: Path) -> None:
        (fresh / "state.safetensors").write_bytes(safetensors.numpy.save(dict(tensors)))
        (fresh / "progress.json").write_text(json.dumps(progress, indent=1) + "\n", encoding="utf-8")
        if codecs is not None:
            write_codecs(fresh, codecs)

    write_folder(folder / f"{update:08d}", fill)
    for older in checkpoints(folder)[:-1]:
        shutil.rmtree(older)


def load_checkpoint(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The newest checkpoint: its tensors and its progress."""
    newest = newest_checkpoint(folder)
    progress = json.loads((newest / "progress.json").read_text(encoding="utf-8"))
    return safetensors.numpy.load_file(newest / "state.safetensors"), progress


def load_codecs(folder: Path) -> Codecs | None:
    """The codecs of the newest checkpoint; None for one from before there were any in it."""
    newest = newest_checkpoint(folder)
    return read_codecs(newest) if (newest / TARGET_CODEC).exists() else None


def newest_checkpoint(folder: Path) -> Path:
    """The one to go on from, every file in it as it was written. Raises CheckpointError where there is none."""
    found = checkpoints(folder)
    if not found:
        raise CheckpointError("holds no checkpoint to resume from", where=str(folder), fix="train again with --force")
    verify_folder(found[-1])
    return found[-1]


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("*") if path.name.isdigit())


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Have the system write a file or a folder's entries to the disk now (Windows does so for folders by itself)."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
