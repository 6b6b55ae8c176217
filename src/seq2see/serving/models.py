"""The models of a service by name; a file that is replaced is loaded beside the old model, tried, and takes over.

What serves is a snapshot, which neither a damaged file nor a removed one can harm, and which all workers share.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

from seq2see.data.values import has_values
from seq2see.errors import CheckpointError, ConfigError, UserError, did_you_mean
from seq2see.inference.checking import as_json
from seq2see.inference.examples import examples_in
from seq2see.inference.loading import load, members_of
from seq2see.inference.predictor import Predictor
from seq2see.printable import quoted
from seq2see.serving.problems import ProblemError
from seq2see.serving.snapshots import Snapshot
from seq2see.storage.saved_model import find_model_folder
from seq2see.system_errors import reported
from seq2see.text import Codec, Fields, Values
from seq2see.text.fields import fields_of

Signature: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Of each file of a model: its name, time, size and inode, which differ once it is replaced."""

TRIAL = "a"
"""The text that a model has to answer before it serves."""


@dataclass(frozen=True)
class Served:
    """A model that is served."""

    name: str
    path: Path
    model: Predictor
    """The snapshot as this process has opened it: it reads texts, and the workers compute."""
    snapshot: Snapshot
    version: str
    """The first characters of the SHA-256 of its file, or of its manifest; of an ensemble, of all of them."""
    loaded: str
    """When, in UTC."""
    signature: Signature

    def facts(self) -> dict[str, Any]:
        """What it is, for those who use it."""
        model = self.model
        return {
            "name": self.name,
            "version": self.version,
            "loaded": self.loaded,
            "architecture": model.name,
            "parameters": model.num_parameters,
            "source": None if model.source_codec is None else codec_facts(model.source_codec),
            "target": codec_facts(model.target_codec),
            "has_attention": model.has_attention,
            "max_length": model.max_length,
            "examples": examples_in(model.card),
        }

    def require_readable(self, texts: Sequence[str], where: Callable[[int], str]) -> None:
        """ProblemError for a text that names a file; vectors are given as JSON."""
        codec = self.model.source_codec
        if codec is None or not has_values(codec) or not isinstance(codec.tokenizer, Fields):
            return
        for row, text in enumerate(texts):
            for part, cell in zip(codec.tokenizer.parts, fields_of(text), strict=False):
                if isinstance(part, Values) and cell.strip() and not cell.strip().startswith("["):
                    what = "must be vectors as JSON, since a request can't name a file"
                    raise ProblemError(422, what, where=where(row), fix="give a list such as [[0.1, 0.2], [0.3, 0.4]]")


def codec_facts(codec: Codec) -> dict[str, Any]:
    """How texts are split, and into how many different tokens."""
    return {"unit": codec.tokenizer.title, "tokens": len(codec.vocabulary)}


class Models:
    """All models of a service by name; `look` replaces those whose files were replaced."""

    def __init__(self, paths: Mapping[str, Path], engine: str, folder: Path) -> None:
        """Load all, with snapshots in this folder. CheckpointError, naming the file, for one that can't be served."""
        self.folder = folder
        self._engine = engine
        self._served = {name: self._load(name, path) for name, path in paths.items()}
        self._refused: dict[str, tuple[Signature, str]] = {}

    def _load(self, name: str, path: Path) -> Served:
        return load_served(name, path, self._engine, self.folder)

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))

    def find(self, name: object) -> Served:
        """The model of this name, or the only one. ProblemError 404 with the nearest name."""
        if name is None and len(self._served) == 1:
            return next(iter(self._served.values()))
        if name is None:
            fix = f"give one of: {', '.join(self._served)}"
            raise ProblemError(422, "is missing, and there are several models", where="$.model", fix=fix)
        if not isinstance(name, str):
            fix = f"give one of: {', '.join(self._served)}"
            raise ProblemError(422, f"must be a text, not {as_json(name):.80}", where="$.model", fix=fix)
        if name not in self._served:
            fix = did_you_mean(name, self._served)
            raise ProblemError(404, f"unknown model {name!r:.100}", where="$.model", fix=fix)
        return self._served[name]

    def refusal(self, name: str) -> str:
        """Why the present file of a model was refused; empty if it serves."""
        return self._refused.get(name, ((), ""))[1]

    def look(self, report: Callable[[str, Served | UserError], None]) -> None:
        """Load what was replaced since it was loaded or refused, and report each by name, the new model or the error.

        A file that changes again while it is read is left to the next look.
        """
        for name, old in list(self._served.items()):
            found = signature_of(old.path)
            if found in (old.signature, self._refused.get(name, (None, ""))[0]):
                if found == old.signature:
                    self._refused.pop(name, None)
                continue
            try:
                new = self._load(name, old.path)
            except UserError as error:
                if signature_of(old.path) == found:
                    self._refused[name] = (found, str(error))
                    report(name, error)
                continue
            if new.signature == found:
                self._served[name] = new
                self._refused.pop(name, None)
                report(name, new)


def load_served(name: str, path: Path, engine: str, folder: Path) -> Served:
    """Load a model, try it, and write its snapshot into this folder."""
    signature = signature_of(path)
    model = load(path, engine=engine, device="cpu")
    require_servable(model, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            has_numbers = model.source_codec is not None and has_values(model.source_codec)
            (answer,) = model.predict(["" if has_numbers else TRIAL], max_length=8)
        works = not math.isnan(answer.log_prob)
    except (ArithmeticError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"can't answer: {error}", where=str(path), fix="pack the model again") from error
    if not works:
        raise CheckpointError("answers with NaN", where=str(path), fix="pack the model again")
    with reported(path, "read", CheckpointError):
        files = [main_file(each).read_bytes() for each in model.paths]
    version = sha256(b"".join(files)).hexdigest()[:12]
    snapshot = Snapshot.of(model, name, folder)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Served(name, path, snapshot.open(), snapshot, version, now, signature)


def require_servable(model: Predictor, path: Path) -> None:
    """CheckpointError for a model whose sources are files."""
    codec = model.source_codec
    parts = codec.tokenizer.parts if codec is not None and isinstance(codec.tokenizer, Fields) else ()
    if any(isinstance(part, Values) and part.kind == "picture" for part in parts):
        what = "reads pictures from files, which a request can't name"
        raise CheckpointError(what, where=str(path), fix="serve a model of texts, or use it in Python")


def signature_of(path: Path) -> Signature:
    """Of the files of a model; empty while there are none."""
    try:
        members = [each if each.is_file() else find_model_folder(each) for each in members_of(path)]
        files = [file for each in members for file in (sorted(each.iterdir()) if each.is_dir() else [each])]
        stats = [(str(file), os.stat(file)) for file in files]
    except (OSError, UserError):
        return ()
    return tuple((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in stats)


def main_file(path: Path) -> Path:
    """The file whose hash stands for the model: a packed one, or the manifest, which has the hashes of all files."""
    return path if path.is_file() else find_model_folder(path) / "manifest.json"


def named(words: Sequence[str]) -> dict[str, Path]:
    """The paths of models by name: of `name=path`, or of a path, whose own name it is.

    ConfigError for two models with the same name.
    """
    found: dict[str, Path] = {}
    for word in words:
        if not word:
            raise ConfigError("is empty", where="RUN", fix="name a run: seq2see serve runs/mine")
        name, separator, rest = word.partition("=")
        if not separator or "/" in name or os.path.exists(word):
            path = Path(word)
            name = path.absolute().parent.name if path.name == "model" else path.name.removesuffix(".seq2see")
        else:
            path = Path(rest)
        if not name or not all(character.isalnum() or character in "._-" for character in name):
            what = f"must have a name of letters, digits, dots, hyphens and underscores, not {name!r}"
            raise ConfigError(what, where=word, fix=f"give one: {quoted(f'name={path}')}")
        if name in found:
            raise ConfigError(
                f"has the same name as {found[name]}", where=str(path), fix=f"give one: {quoted(f'other={path}')}"
            )
        found[name] = path
    return found
