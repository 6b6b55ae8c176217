"""Assembles the results of all parts into one corpus, atomically."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from seq2see.corpus.corpus import DEV, MANIFEST, is_corpus
from seq2see.corpus.parts import FilePart
from seq2see.corpus.passes import ids_file
from seq2see.data import Pair
from seq2see.data.source_record import FieldRecord, HashSet, SourceRecord
from seq2see.errors import CheckpointError
from seq2see.storage.checkpoints import sealed
from seq2see.storage.files import UNHARMED, confirm, flush, flush_file, hash_file, write_flushed
from seq2see.storage.saved_model import RECORD, codec_files
from seq2see.system_errors import system_error
from seq2see.text import Codecs

SIDES = ("source", "target")
MADE, BEFORE = "corpus", "before"
"""In the working folder: the corpus being assembled, and the corpus that it replaces."""


def assemble(
    folder: Path, work: Path, parts: Sequence[FilePart], codecs: Codecs, dev: Sequence[Pair], facts: Mapping[str, Any]
) -> int:
    """Write the corpus to `folder`, replacing the one there; returns the number of training pairs."""
    facts = dict(facts)
    pairs, tokens, hashes = (facts.pop(name) for name in ("in_part", "tokens_in_part", "hashes_in_part"))
    field = facts.pop("grouped_by")
    fresh = work / MADE
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        record = write_arrays(fresh, work, parts, pairs, tokens, hashes, field)
        lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in dev]
        dev_lines = "".join(lines).encode(errors="surrogatepass")  # origins are paths, which may be any bytes
        for name, content in {**codec_files(codecs), DEV: dev_lines, RECORD: record.to_bytes()}.items():
            write_flushed(fresh / name, content)
        files = {
            path.name: {"size": path.stat().st_size, "sha256": hash_file(path)} for path in sorted(fresh.iterdir())
        }
        values = {**facts, "pairs": sum(pairs), "dev_pairs": len(dev), "files": files}
        write_flushed(fresh / MANIFEST, sealed(values))
        put_in_place(folder, work)
    except OSError as error:
        with suppress(OSError):
            recover(folder, work)
        shutil.rmtree(fresh, ignore_errors=True)
        also = f"{UNHARMED}, and the same command resumes"
        raise system_error(error, folder, "written", CheckpointError, option="--out", also=also) from error
    confirm(folder)
    return sum(pairs)


def put_in_place(folder: Path, work: Path) -> None:
    """Move the new corpus into place, and the old one to the working folder. Raises OSError."""
    before = work / BEFORE
    shutil.rmtree(before, ignore_errors=True)
    flush(work / MADE)
    if folder.exists():
        folder.rename(before)
    (work / MADE).rename(folder)


def recover(folder: Path, work: Path) -> None:
    """If `put_in_place` was interrupted between its two renames, move the old corpus back."""
    before = work / BEFORE
    if not folder.exists() and is_corpus(before):
        before.rename(folder)


def write_arrays(
    fresh: Path,
    work: Path,
    parts: Sequence[FilePart],
    pairs: Sequence[int],
    tokens: Sequence[Mapping[str, int]],
    hashes: Sequence[Sequence[int]],
    field: int,
) -> SourceRecord:
    """Write the ids of all parts, concatenated, and their offsets; only one part is in memory at a time.

    Returns the record of the sources, whose hashes are in memory together.
    """
    gathered = [np.zeros(sum(counts), np.uint64) for counts in zip(*hashes, strict=True)]
    filled = [0] * len(gathered)
    with ExitStack() as opened:
        files: dict[str, BinaryIO] = {}
        for side in SIDES:
            for name, kind, count in (
                ("ids", np.int32, sum(each[side] for each in tokens)),
                ("offsets", np.int64, sum(pairs) + 1),
            ):
                files[f"{side}.{name}"] = opened.enter_context(begin(fresh / f"{side}.{name}.npy", kind, count))
            files[f"{side}.offsets"].write(np.zeros(1, np.int64).tobytes())
        reached = dict.fromkeys(SIDES, 0)
        for part, num_pairs, num_tokens, own in zip(parts, pairs, tokens, hashes, strict=True):
            path = ids_file(work, part.number)
            require_size(path, sum(4 * num_tokens[side] + 8 * num_pairs for side in SIDES) + 8 * sum(own))
            with path.open("rb") as file:
                for side in SIDES:
                    files[f"{side}.ids"].write(file.read(4 * num_tokens[side]))
                    lengths = np.frombuffer(file.read(8 * num_pairs), np.int64)
                    files[f"{side}.offsets"].write((reached[side] + np.cumsum(lengths)).tobytes())
                    reached[side] += num_tokens[side]
                for index, count in enumerate(own):
                    start, filled[index] = filled[index], filled[index] + count
                    gathered[index][start : filled[index]] = np.frombuffer(file.read(8 * count), np.uint64)
        for each in files.values():
            flush_file(each)
    sources, *fields = map(HashSet.of, gathered)
    return SourceRecord(sources, fields=FieldRecord(field, *fields) if fields else None)


def require_size(path: Path, expected: int) -> None:
    """CheckpointError if a file does not have the size that was written."""
    size = path.stat().st_size if path.exists() else 0
    if size != expected:
        fix = f"remove {path.parent} and prepare again"
        raise CheckpointError(f"is damaged: expected {expected:,} bytes, found {size:,}", where=str(path), fix=fix)


def begin(path: Path, kind: type[np.generic], count: int) -> BinaryIO:
    """An open `.npy` file of an array of `count` numbers, positioned after the header."""
    header = io.BytesIO()
    described = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(header, described)
    file = path.open("wb")
    file.write(header.getvalue())
    return file
