"""The model that ships: RUN/model/, readable text and safetensors, nothing that can run code.

`write_packed` makes one file of it, or a folder with smaller weights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from seq2see.errors import CheckpointError
from seq2see.storage.archive import SUFFIX, pack, read_packed
from seq2see.storage.files import (
    MANIFEST,
    hash_of,
    manifest_of,
    read_folder,
    read_manifest,
    require_hash,
    write_file,
    write_folder,
)
from seq2see.storage.weights import WEIGHTS, Weights, as_weights, read_weights, write_weights
from seq2see.text import Codec, Codecs

CONFIG, TENSORS, CARD = "config.json", "model.safetensors", "README.md"
SOURCE_CODEC, TARGET_CODEC = "source.vocabulary.json", "target.vocabulary.json"
MODEL_FILES = frozenset({CARD, CONFIG, MANIFEST, SOURCE_CODEC, TARGET_CODEC, TENSORS})
FORMAT = 1
AGAIN = "copy the model again from where it was made"


class SavedModel(NamedTuple):
    """What a model folder or a packed model holds; the tensors are float32, however they were stored."""

    config: dict[str, Any]
    tensors: dict[str, np.ndarray]
    source_codec: Codec | None
    target_codec: Codec
    card: str = ""
    origin: str = ""
    """The folder or the file that it was read from, to be named in errors."""


Place: TypeAlias = Callable[[str], str]
"""What a file of a model is called in an error, from its name: its path, or the packed model and its name in that."""


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
    saved = SavedModel(dict(config), dict(tensors), source_codec, target_codec, card)
    write_folder(folder, files_of(saved, "float32"))


def write_packed(path: Path, saved: SavedModel, *, weights: str = "float32", card: str | None = None) -> int:
    """Write a model as one file where `path` ends in .seq2see, else as a folder; gives how many bytes it has.

    `weights` are float32, float16 or int8: see `seq2see.storage.weights`. `card` is its README.md, by default the
    model's own. A folder that holds something else is never replaced. ConfigError for weights that there
    aren't or that can't hold the model's values, CheckpointError for a place that can't be written.
    """
    chosen = as_weights(weights)
    packed = saved._replace(config={**saved.config, "weights": chosen}, card=saved.card if card is None else card)
    files = files_of(packed, chosen)
    files[MANIFEST] = manifest_of({name: hash_of(files[name]) for name in sorted(files)})
    if path.suffix == SUFFIX:
        content = pack(files)
        write_file(path, content)
        return len(content)
    path = path.absolute()  # "." has no name to write another beside
    require_replaceable(path)
    write_folder(path, {name: content for name, content in files.items() if name != MANIFEST})
    return sum(map(len, files.values()))


def require_replaceable(folder: Path) -> None:
    """Raise CheckpointError unless there is nothing there, or a model."""
    if all((folder / name).is_file() for name in (MANIFEST, CONFIG)):
        return
    if folder.exists() and not (folder.is_dir() and not os.listdir(folder)):
        raise CheckpointError(
            "is there already and is no model",
            where=str(folder),
            fix=f"choose another folder, or a file whose name ends in {SUFFIX}",
        )


def files_of(saved: SavedModel, weights: Weights) -> dict[str, bytes]:
    """The content of the files of a model folder by name, but for the manifest."""
    return {
        CONFIG: json.dumps(saved.config, indent=1, ensure_ascii=False).encode() + b"\n",
        TENSORS: write_weights(saved.tensors, weights),
        **codec_files((saved.source_codec, saved.target_codec)),
        CARD: saved.card.encode(),
    }


def load_model(path: Path) -> SavedModel:
    """Read a model folder, the `model/` of a run, or a packed model; nothing in it is executed.

    Every file is read once, and its hash is checked before anything is made of it. CheckpointError, naming the file,
    for what is missing or damaged, and for what is no model although its hashes are right.
    """
    try:
        if path.is_file():
            return open_packed(path)
        folder = find_model_folder(path)
        return made_of(read_folder(folder, MODEL_FILES), str(folder), lambda name: str(folder / name))
    except OSError as error:
        what = f"can't be read: {error.strerror}"
        raise CheckpointError(what, where=str(error.filename or path), fix="check who may read it") from None


def open_packed(path: Path) -> SavedModel:
    """The model in one file."""

    def place(name: str) -> str:
        return f"{path}: {name}"

    files = read_packed(path, MODEL_FILES)
    hashes = read_manifest(files.pop(MANIFEST, b""), place(MANIFEST))
    if hashes.keys() != files.keys():
        raise CheckpointError("lists other files than there are", where=place(MANIFEST), fix=AGAIN)
    for name, content in files.items():
        require_hash(hash_of(content), hashes[name], place(name))
    return made_of(files, str(path), place)


def made_of(files: Mapping[str, bytes], origin: str, place: Place) -> SavedModel:
    """The model of these files, whose hashes are right. CheckpointError for what is none: anyone can reckon hashes."""
    for name in (CONFIG, TARGET_CODEC, TENSORS):
        if name not in files:
            raise CheckpointError(f"lists no {name}: this is no model", where=place(MANIFEST), fix=AGAIN)
    config = read_config(files[CONFIG], place(CONFIG))
    return SavedModel(
        config,
        read_weights(files[TENSORS], config.get("weights", "float32"), where=place(TENSORS)),
        *read_codecs(files, place),
        card=files.get(CARD, b"").decode(errors="replace"),
        origin=origin,
    )


def read_config(content: bytes, where: str) -> dict[str, Any]:
    """What config.json says; its "model" is whatever table it is, for those who build one to judge."""
    try:
        config = json.loads(content.decode())
        json.dumps(config, ensure_ascii=False).encode()  # half a surrogate pair could not be written again
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"is not JSON: {error}", where=where, fix=AGAIN) from None
    if not isinstance(config, dict) or type(config.get("format")) is not int:
        raise CheckpointError("is not the configuration of a model", where=where, fix=AGAIN)
    if config["format"] != FORMAT:
        raise CheckpointError(
            f"has format {config['format']}, this seq2see reads {FORMAT}",
            where=where,
            fix="use the version of seq2see that wrote it (it is named in the file)",
        )
    for key, fits in (
        ("model", isinstance(config.get("model"), dict)),
        ("max_length", type(config.get("max_length")) is int and 1 <= config["max_length"] < 2**31),
        ("weights", config.get("weights", "float32") in WEIGHTS),
    ):
        if not fits:
            raise CheckpointError(f"its {key!r} can't be {config.get(key)!r:.80}", where=where, fix=AGAIN)
    return config


def codec_files(codecs: Codecs) -> dict[str, bytes]:
    """A file a side by name; none for the source of a language model."""
    named = zip((SOURCE_CODEC, TARGET_CODEC), codecs, strict=True)
    return {name: codec.to_json() for name, codec in named if codec is not None}


def read_codecs(files: Mapping[str, bytes], place: Place) -> Codecs:
    """The codecs that `codec_files` made files of."""
    source, target = (
        Codec.from_json(files[name], where=place(name)) if name in files else None
        for name in (SOURCE_CODEC, TARGET_CODEC)
    )
    assert target is not None
    return source, target


def find_model_folder(folder: Path) -> Path:
    """The model folder that is meant: `folder` itself, or the `model/` of a run."""
    folder = folder.absolute()  # "." has no name to look for others beside
    for candidate in (folder, folder / "model"):
        for place in (candidate, candidate.parent / (candidate.name + ".old")):
            if (place / MANIFEST).exists():
                return place
    fix = "give the folder that `seq2see train` made, or its model/ folder"
    if not folder.is_dir():
        kind = "file" if folder.suffix == SUFFIX else "folder"
        what = "is a file, not a run folder" if folder.exists() else f"there is no such {kind}"
        raise CheckpointError(what, where=str(folder), fix=fix)
    missing = (folder / "model" if (folder / "model").is_dir() else folder) / MANIFEST
    raise CheckpointError("is missing: this is no seq2see run or model, or not all of it", where=str(missing), fix=fix)
