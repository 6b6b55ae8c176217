"""The model that ships: RUN/model/, readable text and safetensors, nothing that can run code.

`write_packed` writes it as one file, or as a folder with smaller weights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from seq2see.blueprint import ARCHITECTURES, Blueprint, Field, Sizes, read_blueprint, require_tensors
from seq2see.data.source_record import NO_RECORD, SourceRecord
from seq2see.errors import CheckpointError, UserError
from seq2see.printable import quoted
from seq2see.storage.archive import SUFFIX, pack, read_packed
from seq2see.storage.files import (
    MANIFEST,
    hash_of,
    manifest_of,
    other_entries,
    read_file,
    read_folder,
    read_manifest,
    require_hash,
    write_file,
    write_folder,
)
from seq2see.storage.temporary import current_version
from seq2see.storage.weights import WEIGHTS, Weights, as_float32, as_weights, read_stored, shapes_of, write_weights
from seq2see.system_errors import require_possible, system_error
from seq2see.text import SPECIALS, Codec, Codecs, Fields, Tokenizer, Values

CONFIG, TENSORS, CARD, RECORD = "config.json", "model.safetensors", "README.md", "sources.hashes"
SOURCE_CODEC, TARGET_CODEC = "source.vocabulary.json", "target.vocabulary.json"
FORMAT = 1
MODEL_FILES = {
    CARD: 2**24,
    CONFIG: 2**20,
    MANIFEST: 2**20,
    RECORD: 2**32,
    SOURCE_CODEC: 2**26,
    TARGET_CODEC: 2**26,
    TENSORS: 2**34,
}
"""The files of a model, and the largest size that is read of each: far more than any has."""
MAX_LENGTH = 100_000
"""Tokens of the longest answer that a model may ask for by itself; the option max_length may ask for more."""
MAX_PENALTY = 100
"""The largest length penalty of a beam."""
COPY_AGAIN = "copy the model again from its source"


class SavedModel(NamedTuple):
    """The content of a model folder or a packed model; the tensors are float32, however they were stored."""

    config: dict[str, Any]
    tensors: dict[str, np.ndarray]
    source_codec: Codec | None
    target_codec: Codec
    card: str = ""
    origin: str = ""
    """The folder or file that it was read from, for errors."""
    record: SourceRecord = NO_RECORD
    """The sources that it was trained on, as hashes."""

    @property
    def blueprint(self) -> Blueprint:
        """What the network is built from. ConfigError if it is invalid, which it isn't in a model that was read."""
        return read_blueprint(self.config.get("model"))

    @property
    def sizes(self) -> Sizes:
        """What the network is built for."""
        return sizes_of((self.source_codec, self.target_codec))


def sizes_of(codecs: Codecs) -> Sizes:
    """What a model is built for: the sizes of the vocabularies, 0 for the source of a language model; fields."""
    source, target = codecs
    if source is None:
        return Sizes(0, len(target.vocabulary))
    parts = source.tokenizer.parts if isinstance(source.tokenizer, Fields) else ()
    return Sizes(len(source.vocabulary), len(target.vocabulary), tuple(map(field_of, parts)), copies_of(source, target))


def copies_of(source: Codec, target: Codec) -> tuple[int, ...]:
    """For each token of the source the target's token of the same text, 0 if there is none."""
    known = {token: number for number, token in enumerate(target.vocabulary.tokens, start=len(SPECIALS))}
    return (*(0 for _ in SPECIALS), *(known.get(token, 0) for token in source.vocabulary.tokens))


def field_of(tokenizer: Tokenizer) -> Field:
    """What a model reads of a field with this tokenizer."""
    if isinstance(tokenizer, Values):
        return Field(tokenizer.kind, tokenizer.width)
    return Field("tags" if tokenizer.name == "tags" else "text")


Locator: TypeAlias = Callable[[str], str]
"""Names a file of a model in errors: its path, or the packed model and the name in it."""


def save_model(
    folder: Path,
    *,
    config: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    source_codec: Codec | None,
    target_codec: Codec,
    card: str,
    record: SourceRecord = NO_RECORD,
) -> None:
    """Write a model folder: config.json, model.safetensors, a vocabulary per side, README.md, and the record if any."""
    saved = SavedModel(dict(config), dict(tensors), source_codec, target_codec, card, record=record)
    write_folder(folder, files_of(saved, "float32"), names=MODEL_FILES)


def write_packed(
    path: Path,
    saved: SavedModel,
    *,
    weights: str = "float32",
    card: str | None = None,
    editable_card: bool = False,
) -> int:
    """Write a model as one file if `path` ends in .seq2see, else as a folder; returns the number of bytes.

    `weights` are float32, float16 or int8: see `seq2see.storage.weights`. `card` is its README.md, by default the
    model's own; with `editable_card` a folder has no hash of it. A folder with other content is never replaced.
    ConfigError for unknown weights or values that they can't hold, CheckpointError if the path can't be written.
    """
    chosen = as_weights(weights)
    packed = saved._replace(config={**saved.config, "weights": chosen}, card=saved.card if card is None else card)
    files = files_of(packed, chosen)
    hashes = {name: hash_of(files[name]) for name in sorted(files)}
    if path.suffix == SUFFIX:
        content = pack({**files, MANIFEST: manifest_of(hashes)})
        write_file(path, content)
        return len(content)
    path = path.absolute()  # "." has no name to write a sibling of
    require_replaceable(path)
    if editable_card:
        del hashes[CARD]
    manifest = manifest_of(hashes)
    write_folder(path, files, manifest, names=MODEL_FILES)
    return sum(map(len, files.values())) + len(manifest)


def require_replaceable(folder: Path) -> None:
    """CheckpointError unless the folder is missing, empty, or a model and nothing else."""
    if all((folder / name).is_file() for name in (MANIFEST, CONFIG)):
        if others := other_entries(folder, MODEL_FILES):
            what = f"holds something that is no part of a model: {others[0].name}"
            raise CheckpointError(what, where=str(folder), fix="move it elsewhere, or choose another folder")
        return
    if folder.exists() and not (folder.is_dir() and not os.listdir(folder)):
        raise CheckpointError(
            "exists and is not a model",
            where=str(folder),
            fix=f"choose another folder, or a file whose name ends in {SUFFIX}",
        )


def files_of(saved: SavedModel, weights: Weights) -> dict[str, bytes]:
    """The files of a model folder by name, without the manifest."""
    return {
        CONFIG: json.dumps(saved.config, indent=1, ensure_ascii=False).encode() + b"\n",
        TENSORS: write_weights(saved.tensors, weights),
        **codec_files((saved.source_codec, saved.target_codec)),
        CARD: saved.card.encode(),
        **({} if saved.record == NO_RECORD else {RECORD: saved.record.to_bytes()}),
    }


def load_model(path: Path) -> SavedModel:
    """Read a model folder, the `model/` of a run, or a packed model; nothing in it is executed.

    Every file is read once, and its hash is checked before it is parsed. CheckpointError, naming the file, if one is
    missing, damaged or invalid.
    """
    require_possible(path, CheckpointError)
    try:
        if path.is_file():
            return load_packed(path)
        folder = find_model_folder(path)
        files = read_folder(folder, MODEL_FILES)
        if CARD not in files and (folder / CARD).is_file():  # one that may be edited has no hash
            files[CARD] = read_file(folder / CARD, MODEL_FILES[CARD])
        return parse_model(files, str(folder), lambda name: str(folder / name))
    except OSError as error:
        raise system_error(error, os.fsdecode(error.filename or path), "read", CheckpointError) from None


def load_packed(path: Path) -> SavedModel:
    """Read a packed model."""

    def locate(name: str) -> str:
        return f"{path}: {name}"

    files = read_packed(path, MODEL_FILES)
    hashes = read_manifest(files.pop(MANIFEST, b""), locate(MANIFEST))
    if hashes.keys() != files.keys():
        raise CheckpointError("doesn't match the files in the packed model", where=locate(MANIFEST), fix=COPY_AGAIN)
    for name, content in files.items():
        require_hash(hash_of(content), hashes[name], locate(name))
    return parse_model(files, str(path), locate)


def parse_model(files: Mapping[str, bytes], origin: str, locate: Locator) -> SavedModel:
    """The model in these files, whose hashes are correct. CheckpointError if they are invalid: hashes can be forged.

    Options, vocabularies and tensors are checked against each other before a tensor is converted, so what any engine
    makes of the model has the size of its files.
    """
    for name in (CONFIG, TARGET_CODEC, TENSORS):
        if name not in files:
            raise CheckpointError(f"lists no {name}: this is not a model", where=locate(MANIFEST), fix=COPY_AGAIN)
    config = read_config(files[CONFIG], locate(CONFIG))
    read = SavedModel(
        config,
        {},
        *read_codecs(files, locate),
        card=files.get(CARD, b"").decode(errors="replace"),
        origin=origin,
        record=SourceRecord.from_bytes(files[RECORD], where=locate(RECORD)) if RECORD in files else NO_RECORD,
    )
    require_source(read, locate)
    require_aligner(read, locate)
    stored = read_stored(files[TENSORS], config.get("weights", "float32"), where=locate(TENSORS))
    try:
        require_tensors(read.blueprint, read.sizes, shapes_of(stored))
    except UserError as error:
        raise no_model(error, locate(TENSORS)) from None
    return read._replace(tensors=as_float32(stored, where=locate(TENSORS)))


def require_source(read: SavedModel, locate: Locator) -> None:
    """CheckpointError unless there is a source vocabulary exactly if the architecture has a source."""
    name = read.blueprint.name
    if (read.source_codec is not None) != ARCHITECTURES[name].has_source:
        lists_none = f"lists no {SOURCE_CODEC}, which the model {name!r} needs"
        what = f"lists a {SOURCE_CODEC}, but the model {name!r} has no source" if read.source_codec else lists_none
        raise CheckpointError(what, where=locate(MANIFEST), fix=COPY_AGAIN)


def require_aligner(read: SavedModel, locate: Locator) -> None:
    """CheckpointError unless the target vocabulary has an alignment exactly if the model is a transducer."""
    is_transducer = ARCHITECTURES[read.blueprint.name].is_transducer
    if read.source_codec is not None and read.source_codec.aligner is not None:
        raise CheckpointError("has an alignment, which only targets have", where=locate(SOURCE_CODEC), fix=COPY_AGAIN)
    if (read.target_codec.aligner is not None) != is_transducer:
        has, lacks = "has an alignment, which only a transducer has", "has no alignment, which a transducer needs"
        raise CheckpointError(lacks if is_transducer else has, where=locate(TARGET_CODEC), fix=COPY_AGAIN)


def no_model(error: UserError, where: str) -> CheckpointError:
    """The error for options or tensors of no model."""
    place = f"{error.where}: " if error.where else ""
    fix = f"{COPY_AGAIN}, or use the version of seq2see that wrote it"
    return CheckpointError(f"holds no valid model: {place}{error.what}", where=where, fix=fix)


def read_config(content: bytes, where: str) -> dict[str, Any]:
    """The content of config.json, whose options are those of a model."""
    try:
        config = json.loads(content.decode())
        json.dumps(config, ensure_ascii=False).encode()  # half a surrogate pair couldn't be written again
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"is not JSON: {error}", where=where, fix=COPY_AGAIN) from None
    if not isinstance(config, dict) or type(config.get("format")) is not int:
        raise CheckpointError("is not the configuration of a model", where=where, fix=COPY_AGAIN)
    if config["format"] != FORMAT:
        raise CheckpointError(
            f"has format {config['format']}, this seq2see reads {FORMAT}",
            where=where,
            fix="use the version of seq2see that wrote it (it is named in the file)",
        )
    trained = config.get("trained", {})
    for key, fits in (
        ("model", isinstance(config.get("model"), dict)),
        ("max_length", type(config.get("max_length")) is int and 1 <= config["max_length"] <= MAX_LENGTH),
        ("length_penalty", is_penalty(config.get("length_penalty", 0.0))),
        ("no_repeat", type(config.get("no_repeat", 1)) is int and config.get("no_repeat", 1) >= 1),
        ("metric", isinstance(config.get("metric", ""), str)),
        ("weights", config.get("weights", "float32") in WEIGHTS),
        ("trained", isinstance(trained, dict) and type(trained.get("pairs", 0)) is int),
    ):
        if not fits:
            what = f"the value of {key!r} is invalid: {shortened(config.get(key))}"
            raise CheckpointError(what, where=where, fix=COPY_AGAIN)
    try:
        read_blueprint(config["model"])
    except UserError as error:
        raise no_model(error, where) from None
    return config


def is_penalty(value: object) -> bool:
    """Whether it may be a length penalty."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_PENALTY


def codec_files(codecs: Codecs) -> dict[str, bytes]:
    """One file per side by name; none for the source of a language model."""
    named = zip((SOURCE_CODEC, TARGET_CODEC), codecs, strict=True)
    return {name: codec.to_json() for name, codec in named if codec is not None}


def read_codecs(files: Mapping[str, bytes], locate: Locator) -> Codecs:
    """The codecs that `codec_files` wrote."""
    source, target = (
        Codec.from_json(files[name], where=locate(name)) if name in files else None
        for name in (SOURCE_CODEC, TARGET_CODEC)
    )
    assert target is not None
    return source, target


def find_model_folder(folder: Path) -> Path:
    """The model folder: `folder` itself, or the `model/` of a run."""
    folder = folder.absolute()  # "." has no name to look for siblings of
    for candidate in (folder, folder / "model"):
        path = current_version(candidate)
        if (path / MANIFEST).exists():
            return path
    fix = "give the folder that `seq2see train` made, or its model/ folder"
    if not folder.is_dir():
        kind = "file" if folder.suffix == SUFFIX else "folder"
        what = "is a file, not a run folder" if folder.exists() else f"there is no such {kind}"
        raise CheckpointError(what, where=str(folder), fix=fix)
    if any((folder / "checkpoints").glob("*")):
        what = "has no model yet: a run has one after its first evaluation"
        fix = f"if it isn't being trained, resume it: seq2see train {quoted(str(folder))} --resume"
        raise CheckpointError(what, where=str(folder), fix=fix)
    missing = (folder / "model" if (folder / "model").is_dir() else folder) / MANIFEST
    raise CheckpointError("is missing: this is not a complete seq2see run or model", where=str(missing), fix=fix)
