"""A prepared corpus: pairs as ids in files that are mapped into memory, so that any number of them can be trained on.

CORPUS/corpus.json               what it was made of and how, name, size and hash of each file, and a hash of all that
CORPUS/source.ids.npy            int32, all sources one behind the other, each ended by EOS;  target.ids.npy likewise
CORPUS/source.offsets.npy        int64, where each begins, and where the last ends;  target.offsets.npy likewise
CORPUS/source.vocabulary.json    the codec;  target.vocabulary.json likewise
CORPUS/dev.jsonl                 the dev pairs as texts
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from seq2see.config import Config, option
from seq2see.data import Examples, Pair, Sequences
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.storage.checkpoints import sealed
from seq2see.storage.files import hash_file, hash_of
from seq2see.storage.saved_model import SOURCE_CODEC, TARGET_CODEC, read_codecs
from seq2see.text import Codecs
from seq2see.text.options import TextOptions

MANIFEST, DEV = "corpus.json", "dev.jsonl"
ARRAYS = ("source.ids.npy", "source.offsets.npy", "target.ids.npy", "target.offsets.npy")
FORMAT = 1
AGAIN = "prepare it again: seq2see prepare"
DECIDED = ("data.dev_share", "data.skip_bad")
"""What beside the text was decided when a corpus was prepared."""


@dataclass(frozen=True)
class Corpus:
    """A corpus that has been opened: every file is as it was written."""

    folder: Path
    examples: Examples
    """The arrays stay on the disk; what is read of them, the system keeps in memory as long as there is room."""
    codecs: Codecs
    text: TextOptions
    dev: list[Pair]
    facts: Mapping[str, Any]
    """The manifest."""
    digest: str
    """SHA-256 of the manifest, which has the hashes of all else."""
    maps: tuple[mmap.mmap, ...] = ()
    """The arrays' files as the system maps them."""

    def release(self) -> None:
        """Give back what was read of the files: the system counts it as memory of ours until someone needs the room.

        Nothing is lost by it: what is read next comes from the system's own cache, or from the disk.
        """
        for mapped in self.maps if hasattr(mmap, "MADV_DONTNEED") else ():
            mapped.madvise(mmap.MADV_DONTNEED)

    @property
    def has_source(self) -> bool:
        """False for one of a language model."""
        return self.codecs[0] is not None

    @property
    def longest(self) -> tuple[int, int]:
        """Ids of the longest source and target, EOS included."""
        source, target = self.facts["longest"]
        return source, target

    def unknown_shares(self) -> dict[str, float]:
        """By side, the share of the tokens that its vocabulary leaves out."""
        sides = ("source", "target") if self.has_source else ("target",)
        return {side: self.facts["unknown"][side] / max(1, self.facts["tokens"][side]) for side in sides}


@dataclass(frozen=True)
class CorpusPairs(Sequence[Pair]):
    """The training pairs of a corpus as texts, each made of its ids when asked for: rare tokens are lost."""

    corpus: Corpus

    def __len__(self) -> int:
        return len(self.corpus.examples)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...

    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        examples, (source_codec, target_codec) = self.corpus.examples, self.corpus.codecs
        source = source_codec.decode(examples.source(place)) if source_codec else ""
        return Pair(source, target_codec.decode(examples.target(place)), f"{self.corpus.folder}:{place + 1}")


def is_corpus(path: Path) -> bool:
    """Whether there is a prepared corpus, whole or not: one that has lost its manifest is told by its arrays."""
    return (path / MANIFEST).is_file() or all((path / name).is_file() for name in ARRAYS)


def open_corpus(folder: Path) -> Corpus:
    """The corpus, each file held to its hash. DataError that names the file that is missing or damaged."""
    facts, digest = read_manifest(folder)
    listed = facts["files"]
    with ThreadPoolExecutor(len(listed)) as pool:  # hashing leaves the interpreter to others
        for name, found in zip(listed, pool.map(lambda name: _looked_at(folder / name), listed), strict=True):
            if found != (listed[name]["size"], listed[name]["sha256"]):
                what = "is missing" if found is None else f"is damaged: its content is not what {MANIFEST} says of it"
                raise DataError(what, where=str(folder / name), fix=AGAIN)
    codec_files = {name: (folder / name).read_bytes() for name in (SOURCE_CODEC, TARGET_CODEC) if name in listed}
    try:
        codecs = read_codecs(codec_files, lambda name: str(folder / name))
        mapped = [np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in ARRAYS]
        # Texts may hold what else ends a line in Unicode.
        lines = (folder / DEV).read_text(encoding="utf-8").split("\n")
        dev = [Pair(*json.loads(line)) for line in lines if line]
        text = TextOptions(**facts["text"])
    except UserError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"holds no corpus: {error}", where=str(folder), fix=AGAIN) from None
    arrays = [np.asarray(array) for array in mapped]
    maps = tuple(array.base for array in mapped if isinstance(array.base, mmap.mmap))
    return Corpus(
        folder, Examples(Sequences(*arrays[:2]), Sequences(*arrays[2:])), codecs, text, dev, facts, digest, maps
    )


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """What the manifest says, and its hash. DataError where it differs from what was written in as little as a bit."""
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError("is missing", where=str(path), fix=AGAIN) from None
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}", where=str(path), fix=AGAIN) from None
    try:
        values = json.loads(content)
        number = values["format"]
        as_written = sealed({name: value for name, value in values.items() if name != "sha256"}) == content
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        number, as_written, values = FORMAT, False, {}
    if type(number) is int and number != FORMAT:
        raise DataError(f"has format {number}, this seq2see reads {FORMAT}", where=str(path), fix=AGAIN)
    if not as_written:
        raise DataError("is damaged", where=str(path), fix=AGAIN)
    return values, hash_of(content)


def _looked_at(path: Path) -> tuple[int, str] | None:
    """Size and hash of a file; None where there is none."""
    try:
        return path.stat().st_size, hash_file(path)
    except OSError:
        return None


def corpus_of(train: Sequence[str]) -> Corpus | None:
    """The corpus that the training data are, opened; None where they are files. DataError for several."""
    named = [Path(name) for name in train if is_corpus(Path(name))]
    if not named:
        return None
    if len(train) > 1:
        fix = "prepare all files as one corpus, or train on one"
        raise DataError("a prepared corpus is trained on alone", where=" ".join(train), fix=fix)
    return open_corpus(named[0])


def require_fitting(corpus: Corpus, config: Config, given: Collection[str], *, has_source: bool) -> None:
    """ConfigError for what was `given` and is otherwise in the corpus, or needs texts, which it doesn't hold."""
    where = str(corpus.folder)
    if corpus.has_source != has_source:
        kind = "pairs, and the model is a language model" if corpus.has_source else "texts without sources"
        fix = "prepare another with --model, or choose another model"
        raise ConfigError(f"the corpus is of {kind}", where=where, fix=fix)
    if config.text.bpe_dropout and "text.bpe_dropout" in given:
        raise ConfigError(
            "words can't be cut anew each epoch: a prepared corpus holds ids and no texts",
            where="text.bpe_dropout",
            fix="train on the files themselves, or leave text.bpe_dropout out",
        )
    if config.data.dev:
        raise ConfigError(
            "the corpus has dev pairs of its own",
            where="data.dev",
            fix="leave it out, or prepare another: seq2see prepare DATA --out OTHER --dev FILES",
        )
    for key in sorted(given):
        section, _, name = key.partition(".")
        if section != "text" and key not in DECIDED:
            continue
        before = getattr(corpus.text, name) if section == "text" else corpus.facts["asked"][key]
        now = option(config, key)
        if now is not None and now != before:
            raise ConfigError(
                f"is {now!r}, and the corpus was prepared with {before!r}",
                where=key,
                fix=f"leave it out, or prepare another: seq2see prepare DATA --out NEW --set {key}={str(now).lower()}",
            )
