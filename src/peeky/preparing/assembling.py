"""The results of all parts put together as one corpus, whole or not at all."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from peeky.checkpoint import codec_files
from peeky.checkpoints import sealed
from peeky.corpus import DEV, MANIFEST
from peeky.data import Pair
from peeky.errors import CheckpointError
from peeky.preparing.parts import Part
from peeky.preparing.passes import ids_file
from peeky.storage import (
    FRESH,
    UNHARMED,
    beside,
    clean,
    confirm,
    flush_file,
    hash_file,
    put_in_place,
    reason_of,
    recover,
    write_flushed,
)
from peeky.text import Codecs

SIDES = ("source", "target")


def assemble(
    folder: Path, work: Path, parts: Sequence[Part], codecs: Codecs, dev: Sequence[Pair], facts: Mapping[str, Any]
) -> int:
    """Write the corpus in `folder`, in place of what is there; gives how many pairs there are to train on."""
    facts = dict(facts)
    pairs, tokens = facts.pop("in_part"), facts.pop("tokens_in_part")
    fresh = beside(folder, FRESH)
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        write_arrays(fresh, work, parts, pairs, tokens)
        lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in dev]
        for name, content in {**codec_files(codecs), DEV: "".join(lines).encode()}.items():
            write_flushed(fresh / name, content)
        files = {
            path.name: {"size": path.stat().st_size, "sha256": hash_file(path)} for path in sorted(fresh.iterdir())
        }
        values = {**facts, "pairs": sum(pairs), "dev_pairs": len(dev), "files": files}
        write_flushed(fresh / MANIFEST, sealed(values))
        put_in_place(folder)
    except OSError as error:
        with suppress(OSError):
            recover(folder)
        shutil.rmtree(fresh, ignore_errors=True)
        fix = f"free some space or choose another --out; {UNHARMED}, and the same command goes on"
        raise CheckpointError(f"can't be written: {reason_of(error)}", where=str(folder), fix=fix) from error
    confirm(folder)
    clean(folder)
    return sum(pairs)


def write_arrays(
    fresh: Path, work: Path, parts: Sequence[Part], pairs: Sequence[int], tokens: Sequence[Mapping[str, int]]
) -> None:
    """The ids one behind the other, and where each begins; no more than one part is in memory."""
    files: dict[str, BinaryIO] = {}
    for side in SIDES:
        files[f"{side}.ids"] = begin(fresh / f"{side}.ids.npy", np.int32, sum(each[side] for each in tokens))
        files[f"{side}.offsets"] = begin(fresh / f"{side}.offsets.npy", np.int64, sum(pairs) + 1)
        files[f"{side}.offsets"].write(np.zeros(1, np.int64).tobytes())
    reached = dict.fromkeys(SIDES, 0)
    for part, num_pairs, num_tokens in zip(parts, pairs, tokens, strict=True):
        with ids_file(work, part.number).open("rb") as file:
            for side in SIDES:
                files[f"{side}.ids"].write(file.read(4 * num_tokens[side]))
                lengths = np.frombuffer(file.read(8 * num_pairs), np.int64)
                files[f"{side}.offsets"].write((reached[side] + np.cumsum(lengths)).tobytes())
                reached[side] += num_tokens[side]
    for open_file in files.values():
        flush_file(open_file)


def begin(path: Path, kind: type[np.generic], count: int) -> BinaryIO:
    """A file of an array of so many numbers, open behind its header."""
    header = io.BytesIO()
    described = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(header, described)
    file = path.open("wb")
    file.write(header.getvalue())
    return file
