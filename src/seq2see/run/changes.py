"""What differs when a run is resumed: its options and its pairs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.config import Config, option, option_names
from seq2see.console import counted
from seq2see.data import Examples, Pair
from seq2see.data.digits import whole_number
from seq2see.data.shuffling import splitmix64
from seq2see.errors import CheckpointError, ConfigError

BLOCK_PAIRS = 65_536
"""Pairs whose hashes are calculated at a time, which limits the memory."""
FIX_PAIRS = (
    "restore the data, start a new run (--out, out=…), or resume with these pairs (--allow-changes, allow_changes=True)"
)
UNCHANGEABLE = {
    "model": "the weights would no longer fit",
    "text": "the vocabularies can't change",
    "data.also_source": "only a new run begins with a warm-up",
    "data.also_target": "only a new run begins with a warm-up",
    "training.denoising_updates": "only a new run begins with a warm-up",
    "training.start_from": "only a new run starts from a model",
    "training.source_embeddings": "only a new run starts from them",
    "training.target_embeddings": "only a new run starts from them",
    "training.freeze_embeddings": "only a new run starts from them",
}
"""Options and sections that can't be changed when a run is resumed, and why."""

NEUTRAL = frozenset(
    {
        "data.workers",
        "training.checkpoint_minutes",
        "training.choose_length_penalty",
        "training.keep_checkpoints",
        "training.shard",
        "training.timeout",
    }
)
"""Options that may always differ when a run is resumed: they don't change what is learned."""


class DataFingerprint(NamedTuple):
    """Hashes of the pairs of a run, which tell whether the pairs are the same, and which ones differ."""

    train: npt.NDArray[np.uint32]
    dev: npt.NDArray[np.uint32]
    """One hash per pair: equal for equal pairs, and rarely equal for others."""
    digest: str
    """SHA-256 of all ids in order. It decides whether the data are the same; the hashes locate a difference."""


def fingerprint(train: Examples, dev: Examples, *, corpus: str = "") -> DataFingerprint:
    """The fingerprint of the pairs as ids; the digest of a prepared `corpus` replaces that of `train`."""
    digest = hashlib.sha256(corpus.encode())
    for some in (dev,) if corpus else (train, dev):
        for array in (some.source_ids, some.source_offsets, some.target_ids, some.target_offsets):
            digest.update(array.tobytes())
    hashes = np.zeros(0, np.uint32) if corpus else pair_hashes(train)
    return DataFingerprint(hashes, pair_hashes(dev), digest.hexdigest())


def pair_hashes(examples: Examples) -> npt.NDArray[np.uint32]:
    """One hash per pair, from its ids."""
    hashes = np.zeros(len(examples), np.uint32)
    for first in range(0, len(examples), BLOCK_PAIRS):
        rows = slice(first, first + BLOCK_PAIRS)
        source = row_sums(examples.source_ids, examples.source_offsets[first : first + BLOCK_PAIRS + 1])
        target = row_sums(examples.target_ids, examples.target_offsets[first : first + BLOCK_PAIRS + 1])
        hashes[rows] = splitmix64(splitmix64(source) + target) >> np.uint64(32)
    return hashes


def row_sums(ids: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """For each row the sum of the hashes of its (id, position), modulo 2^64."""
    own = ids[offsets[0] : offsets[-1]].astype(np.uint64)
    positions = np.arange(len(own)) + offsets[0] - np.repeat(offsets[:-1], np.diff(offsets))
    sums = np.zeros(len(own) + 1, np.uint64)
    np.cumsum(splitmix64(own + (positions.astype(np.uint64) << np.uint64(32))), out=sums[1:])
    ends = offsets - offsets[0]
    of_rows: npt.NDArray[np.uint64] = sums[ends[1:]] - sums[ends[:-1]]
    return of_rows


def pair_changes(before: DataFingerprint, now: DataFingerprint, train: Sequence[Pair], dev: Sequence[Pair]) -> str:
    """How the pairs differ from those of before, with the place of the first difference; "" if they are the same."""
    if before.digest == now.digest:
        return ""
    if not (before.train.size and now.train.size):
        return "the prepared corpus is a different one, or was prepared again"
    pairs = [*train, *dev]
    hashes = np.concatenate([now.train, now.dev]).tolist()
    others = np.concatenate([before.train, before.dev]).tolist()
    missing = Counter(others) - Counter(hashes)
    surplus = Counter(hashes) - Counter(others)
    parts = []
    if surplus:
        first = min(origin_of(pairs, i) for i, number in enumerate(hashes) if number in surplus)
        parts.append(f"{count_of(surplus.total(), 'pair')} new, the first is {first[-1]}")
    if missing:
        gone = next(i for i, number in enumerate(others) if number in missing)
        side, place = ("train", gone) if gone < len(before.train) else ("dev", gone - len(before.train))
        parts.append(f"{count_of(missing.total(), 'pair')} gone, the first was pair {place + 1:,} of {side}")
    if not parts:
        moved = next((i for i, (one, other) in enumerate(zip(hashes, others, strict=True)) if one != other), 0)
        parts.append(
            "the same pairs in a different order, or split differently into train and dev, "
            f"the first is {origin_of(pairs, moved)[-1]}"
        )
    return "; ".join(parts)


def origin_of(pairs: Sequence[Pair], index: int) -> tuple[str, int, str]:
    """File, line, and both as text; sorts in reading order."""
    origin = pairs[index].origin or f"pair {index + 1}"
    path, _, line = origin.rpartition(":")
    number = whole_number(line)
    return path, index if number is None else number, origin


def count_of(count: int, name: str) -> str:
    """Such as "1 pair is" or "2 pairs are"."""
    return f"{counted(count, name)} {'is' if count == 1 else 'are'}"


def require_same_pairs(changes: str, *, where: str, also: str = "") -> None:
    """CheckpointError if there are changes; `also` is added to the fix."""
    if changes:
        what = f"the training or dev pairs differ from those that the run was started with: {changes}"
        raise CheckpointError(what, where=where, fix=f"{FIX_PAIRS}{also}")


def option_changes(before: Config, now: Config) -> dict[str, tuple[Any, Any]]:
    """The dotted keys whose values differ, with the old and the new value."""
    pairs = {key: (option(before, key), option(now, key)) for key in option_names(Config)}
    return {key: values for key, values in pairs.items() if values[0] != values[1]}


def require_same_options(changes: Mapping[str, tuple[Any, Any]], *, allow: bool) -> None:
    """ConfigError for changed options that are not `NEUTRAL`; with `allow`, only for those that can't be changed."""
    reasons = {key: UNCHANGEABLE.get(key) or UNCHANGEABLE.get(key.partition(".")[0]) for key in changes}
    fixed = [key for key in changes if reasons[key]]
    refused = fixed if allow else [key for key in changes if key not in NEUTRAL]
    if not refused:
        return
    parts = []
    for key in refused:
        before, now = changes[key]
        name = "" if len(refused) == 1 else f"{key} "
        parts.append(f"{name}is {now!r}, the run was started with {before!r}{affected_vocabulary(key)}")
    fix = "resume with the options the run was started with, or start a new run (--out, out=…)"
    if fixed:
        fix += f" ({'; '.join(dict.fromkeys(str(reasons[key]) for key in fixed))})"
    else:
        fix += ", or resume with the new ones (--allow-changes, allow_changes=True)"
    raise ConfigError("; ".join(parts), where=", ".join(refused), fix=fix)


def affected_vocabulary(key: str) -> str:
    """The vocabulary that an option of `text` affects, in brackets."""
    section, _, name = key.partition(".")
    if section != "text":
        return ""
    sides = {"source": "the source vocabulary", "target": "the target vocabulary"}
    return f" (it affects {sides.get(name, 'the vocabularies')})"
