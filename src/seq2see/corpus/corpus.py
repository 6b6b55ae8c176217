"""A prepared corpus: pairs as ids in memory-mapped files, so that it may be larger than memory.

CORPUS/corpus.json               manifest: sources, options, name, size and hash of each file, and a hash of all that
CORPUS/source.ids.npy            int32, all sources concatenated, each with EOS at the end;  same for target.ids.npy
CORPUS/source.offsets.npy        int64, the start of each source, and the end of the last;  same for target.offsets.npy
CORPUS/source.vocabulary.json    the codec;  same for target.vocabulary.json
CORPUS/sources.hashes                  hashes of the sources
CORPUS/dev.jsonl                 the dev pairs as texts
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, overload

import numpy as np

from seq2see.config import Config, option
from seq2see.data import Examples, Pair, Sequences
from seq2see.data.options import TableOptions
from seq2see.data.source_record import NO_RECORD, SourceRecord
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.storage.checkpoints import sealed
from seq2see.storage.files import MANIFEST_LIMIT, hash_file, hash_of, read_file
from seq2see.storage.saved_model import RECORD, SOURCE_CODEC, TARGET_CODEC, read_codecs
from seq2see.system_errors import reported, require_possible
from seq2see.text import Codecs
from seq2see.text.options import TextOptions

MANIFEST, DEV = "corpus.json", "dev.jsonl"
ARRAYS = ("source.ids.npy", "source.offsets.npy", "target.ids.npy", "target.offsets.npy")
CORPUS_FILES = frozenset({MANIFEST, DEV, RECORD, SOURCE_CODEC, TARGET_CODEC, *ARRAYS})
FORMAT = 1
TABLE_OPTIONS = tuple(each.name for each in fields(TableOptions))
AGAIN = "prepare it again: seq2see prepare"
DECIDED = ("data.dev_share", "data.group", "data.skip_bad", "data.longest")
"""Options other than text.* that are fixed when a corpus is prepared."""


@dataclass(frozen=True)
class Corpus:
    """An open corpus whose files have been verified."""

    folder: Path
    examples: Examples
    """Memory-mapped; the operating system caches the pages that were read."""
    codecs: Codecs
    text: TextOptions
    dev: list[Pair]
    facts: Mapping[str, Any]
    """The manifest."""
    digest: str
    """SHA-256 of the manifest, which contains the hashes of all other files."""
    record: SourceRecord = NO_RECORD
    """The sources of the training pairs, as hashes; unknown for a corpus prepared before there was such a record."""
    maps: tuple[mmap.mmap, ...] = ()
    """The memory maps of the arrays."""

    def release(self) -> None:
        """Release the mapped pages, which otherwise count as memory of this process.

        They stay in the page cache of the operating system, from which they are mapped again when read.
        """
        for mapped in self.maps if hasattr(mmap, "MADV_DONTNEED") else ():
            mapped.madvise(mmap.MADV_DONTNEED)

    @property
    def has_source(self) -> bool:
        """False for a corpus of a language model."""
        return self.codecs[0] is not None

    @property
    def max_lengths(self) -> tuple[int, int]:
        """The length of the longest source and target in ids, EOS included."""
        source, target = self.facts["longest"]
        return source, target

    @property
    def num_cut(self) -> int:
        """How many sources were cut (text.truncate); 0 for a corpus prepared before they were counted."""
        return int(self.facts.get("cut", 0))

    def unknown_shares(self) -> dict[str, float]:
        """The share of unknown tokens per side."""
        sides = ("source", "target") if self.has_source else ("target",)
        return {side: self.facts["unknown"][side] / max(1, self.facts["tokens"][side]) for side in sides}


@dataclass(frozen=True)
class CorpusPairs(Sequence[Pair]):
    """The training pairs of a corpus as texts, decoded from the ids on access: unknown tokens are lost."""

    corpus: Corpus

    def __len__(self) -> int:
        return len(self.corpus.examples)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...

    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        examples, (source_codec, target_codec) = self.corpus.examples, self.corpus.codecs
        source = source_codec.decode(examples.source(row)) if source_codec else ""
        return Pair(source, target_codec.decode(examples.target(row)), f"{self.corpus.folder}:{row + 1}")


def is_corpus(path: Path) -> bool:
    """Whether the folder is a prepared corpus, even a damaged one: without a manifest, its arrays identify it."""
    return (path / MANIFEST).is_file() or all((path / name).is_file() for name in ARRAYS)


def open_corpus(folder: Path) -> Corpus:
    """Open the corpus and verify the hash of each file. DataError names the missing or damaged file."""
    facts, digest = read_manifest(folder)
    listed = facts["files"]
    with ThreadPoolExecutor(len(listed)) as pool:  # hashing releases the GIL
        for name, found in zip(listed, pool.map(lambda name: _size_and_hash(folder / name), listed), strict=True):
            if found != (listed[name]["size"], listed[name]["sha256"]):
                what = "is missing" if found is None else f"is damaged: size or hash differs from {MANIFEST}"
                raise DataError(what, where=str(folder / name), fix=AGAIN)
    codec_files = {name: (folder / name).read_bytes() for name in (SOURCE_CODEC, TARGET_CODEC) if name in listed}
    try:
        codecs = read_codecs(codec_files, lambda name: str(folder / name))
        mapped = [np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in ARRAYS]
        # Texts may contain other line separators of Unicode, at which splitlines() would split.
        lines = (folder / DEV).read_bytes().split(b"\n")
        dev = [Pair(*json.loads(line)) for line in lines if line]
        if not all(isinstance(part, str) for pair in dev for part in pair):
            raise TypeError(f"{DEV} has something else than texts")
        units = facts["text"]["source"]  # one for each field is a list in JSON
        text = TextOptions(**facts["text"] | {"source": tuple(units) if isinstance(units, list) else units})
        record = NO_RECORD
        if RECORD in listed:
            record = SourceRecord.from_bytes((folder / RECORD).read_bytes(), where=str(folder / RECORD))
    except UserError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"is not a valid corpus: {error}", where=str(folder), fix=AGAIN) from None
    arrays = [np.asarray(array) for array in mapped]
    maps = tuple(array.base for array in mapped if isinstance(array.base, mmap.mmap))
    examples = Examples(Sequences(arrays[0], arrays[1]), Sequences(arrays[2], arrays[3]))
    return Corpus(folder, examples, codecs, text, dev, facts, digest, record, maps)


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """The content of the manifest, and its hash. DataError if it is missing, damaged or of another format."""
    path = folder / MANIFEST
    with reported(path, "read", also=AGAIN):
        content = read_file(path, MANIFEST_LIMIT) if path.exists() else None
    if content is None:
        raise DataError("is missing", where=str(path), fix=AGAIN)
    try:
        values = json.loads(content)
        number = values["format"]
        as_written = sealed({name: value for name, value in values.items() if name != "sha256"}) == content
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        number, as_written, values = FORMAT, False, {}
    if type(number) is int and number != FORMAT:
        raise DataError(f"has format {number}, expected {FORMAT}", where=str(path), fix=AGAIN)
    if not as_written:
        raise DataError("is damaged", where=str(path), fix=AGAIN)
    return values, hash_of(content)


def _size_and_hash(path: Path) -> tuple[int, str] | None:
    """Size and hash of a file; None if it is missing."""
    try:
        return path.stat().st_size, hash_file(path)
    except OSError:
        return None


def corpus_of(train: Sequence[str]) -> Corpus | None:
    """The corpus that the training data name, opened; None if they are files of pairs. DataError for several paths."""
    for name in train:
        require_possible(Path(name))
    named = [Path(name) for name in train if is_corpus(Path(name))]
    if not named:
        return None
    if len(train) > 1:
        fix = "prepare all files as one corpus, or name only one"
        raise DataError("a prepared corpus can't be combined with other training data", where=" ".join(train), fix=fix)
    return open_corpus(named[0])


def require_fitting(corpus: Corpus, config: Config, given: Collection[str], *, has_source: bool) -> None:
    """ConfigError if an option that was `given` conflicts with the corpus, or needs texts, which a corpus lacks."""
    where = str(corpus.folder)
    if corpus.has_source != has_source:
        found = "pairs, and the model is a language model" if corpus.has_source else "texts without sources"
        fix = "prepare another corpus with --model, or choose another model"
        raise ConfigError(f"the corpus consists of {found}", where=where, fix=fix)
    if config.text.bpe_dropout and "text.bpe_dropout" in given:
        raise ConfigError(
            "BPE-dropout is not supported with a prepared corpus, which contains ids but no texts",
            where="text.bpe_dropout",
            fix="train on the original files, or remove text.bpe_dropout",
        )
    if config.data.dev or "data.split_seed" in given:
        raise ConfigError(
            "the corpus already contains dev pairs",
            where="data.dev" if config.data.dev else "data.split_seed",
            fix="remove it, or prepare another corpus: seq2see prepare DATA --out OTHER --dev FILES",
        )
    for key in sorted(given):
        section, _, name = key.partition(".")
        is_of_table = section == "data" and name in TABLE_OPTIONS
        if section != "text" and key not in DECIDED and not is_of_table:
            continue
        before = getattr(corpus.text, name) if section == "text" else corpus.facts["asked"].get(key)
        if key == "data.group" and before is None:
            before = corpus.facts.get("group") or None
        now = option(config, key)
        if is_of_table:
            before = corpus.facts.get("columns", {}).get(name)
            now = list(now) if isinstance(now, tuple) else now
        if now is not None and now != before:
            raise ConfigError(
                f"is {now!r}, but the corpus was prepared with {before!r}",
                where=key,
                fix=f"leave it out, or prepare another: seq2see prepare DATA --out NEW --set {key}={str(now).lower()}",
            )
