"""What is different about a run when it is taken up again: its options and its pairs, difference by difference."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.config import Config, option, option_names
from seq2see.data import Examples, Pair
from seq2see.data.shuffling import splitmix64
from seq2see.errors import CheckpointError, ConfigError

ROWS = 65_536
"""Pairs whose numbers are worked out at a time."""
PUT_BACK = "put the data back as they were, start a new run (--out), or go on with these (--allow-changes)"
FIXED = {
    "model": "the weights would no longer fit",
    "text": "the vocabularies may not change",
    "training.start_from": "a run starts once",
}
"""Options, and sections of them, that stay what they are, and why."""

FREE = frozenset(
    {
        "data.workers",
        "training.checkpoint_minutes",
        "training.keep_checkpoints",
        "training.shard",
        "training.timeout",
    }
)
"""Options that may be others when a run is taken up again: they change nothing that is learnt."""


class DataFingerprint(NamedTuple):
    """What is remembered of the pairs of a run: enough to know whether they are the same, and which are not."""

    train: npt.NDArray[np.uint32]
    dev: npt.NDArray[np.uint32]
    """A number a pair; equal pairs have equal ones, and others hardly ever."""
    digest: str
    """SHA-256 of all ids in their order: this decides, the numbers only tell what it is."""


def fingerprint(train: Examples, dev: Examples, *, corpus: str = "") -> DataFingerprint:
    """The trace of pairs as the model reads them; of a prepared `corpus` its own digest says all."""
    digest = hashlib.sha256(corpus.encode())
    for some in (dev,) if corpus else (train, dev):
        for array in (some.source_ids, some.source_offsets, some.target_ids, some.target_offsets):
            digest.update(array.tobytes())
    numbers = np.zeros(0, np.uint32) if corpus else pair_numbers(train)
    return DataFingerprint(numbers, pair_numbers(dev), digest.hexdigest())


def pair_numbers(examples: Examples) -> npt.NDArray[np.uint32]:
    """A number a pair, from its ids: worked out for some thousand pairs at a time, which keeps what is needed small."""
    numbers = np.zeros(len(examples), np.uint32)
    for first in range(0, len(examples), ROWS):
        rows = slice(first, first + ROWS)
        source = row_sums(examples.source_ids, examples.source_offsets[first : first + ROWS + 1])
        target = row_sums(examples.target_ids, examples.target_offsets[first : first + ROWS + 1])
        numbers[rows] = splitmix64(splitmix64(source) + target) >> np.uint64(32)
    return numbers


def row_sums(ids: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """The sum over each row of a number for each id at its position, modulo 2^64."""
    own = ids[offsets[0] : offsets[-1]].astype(np.uint64)
    positions = np.arange(len(own)) + offsets[0] - np.repeat(offsets[:-1], np.diff(offsets))
    sums = np.zeros(len(own) + 1, np.uint64)
    np.cumsum(splitmix64(own + (positions.astype(np.uint64) << np.uint64(32))), out=sums[1:])
    places = offsets - offsets[0]
    of_rows: npt.NDArray[np.uint64] = sums[places[1:]] - sums[places[:-1]]
    return of_rows


def pair_changes(before: DataFingerprint, now: DataFingerprint, train: Sequence[Pair], dev: Sequence[Pair]) -> str:
    """How the pairs differ from those of before, with the place of the first; nothing where they are the same."""
    if before.digest == now.digest:
        return ""
    if not (before.train.size and now.train.size):
        return "they are in a prepared corpus that is another one, or made anew since"
    pairs = [*train, *dev]
    numbers = np.concatenate([now.train, now.dev]).tolist()
    others = np.concatenate([before.train, before.dev]).tolist()
    missing = Counter(others) - Counter(numbers)
    surplus = Counter(numbers) - Counter(others)
    said = []
    if surplus:
        first = min(place_of(pairs, i) for i, number in enumerate(numbers) if number in surplus)
        said.append(f"{count_of(surplus.total(), 'pair')} new, the first {first[-1]}")
    if missing:
        gone = next(i for i, number in enumerate(others) if number in missing)
        side, place = ("train", gone) if gone < len(before.train) else ("dev", gone - len(before.train))
        said.append(f"{count_of(missing.total(), 'pair')} gone, the first was pair {place + 1:,} of {side}")
    if not said:
        moved = next((i for i, (one, other) in enumerate(zip(numbers, others, strict=True)) if one != other), 0)
        said.append(
            "the same pairs in another order, or divided otherwise into train and dev, "
            f"the first {place_of(pairs, moved)[-1]}"
        )
    return "; ".join(said)


def place_of(pairs: Sequence[Pair], index: int) -> tuple[str, int, str]:
    """File, line and both as text, in the order of which a person looks them up."""
    origin = pairs[index].origin or f"pair {index + 1}"
    path, _, line = origin.rpartition(":")
    return path, int(line) if line.isdigit() else index, origin


def count_of(count: int, name: str) -> str:
    """ "1 pair is", "2 pairs are"."""
    return f"{count:,} {name} is" if count == 1 else f"{count:,} {name}s are"


def require_same_pairs(changes: str, *, where: str) -> None:
    """Refuse to go on with other pairs."""
    if changes:
        what = f"the training or dev pairs are not those the run was started with: {changes}"
        raise CheckpointError(what, where=where, fix=PUT_BACK)


def option_changes(before: Config, now: Config) -> dict[str, tuple[Any, Any]]:
    """The dotted keys whose values differ, with both."""
    pairs = {key: (option(before, key), option(now, key)) for key in option_names(Config)}
    return {key: values for key, values in pairs.items() if values[0] != values[1]}


def require_same_options(changes: Mapping[str, tuple[Any, Any]], *, allow: bool) -> None:
    """Refuse to go on with other options, but for those that are free; with `allow` only those that can't change."""
    reasons = {key: FIXED.get(key) or FIXED.get(key.partition(".")[0]) for key in changes}
    fixed = [key for key in changes if reasons[key]]
    refused = fixed if allow else [key for key in changes if key not in FREE]
    if not refused:
        return
    told = []
    for key in refused:
        before, now = changes[key]
        name = "" if len(refused) == 1 else f"{key} "
        told.append(f"{name}is {now!r} now, the run was started with {before!r}{vocabulary_of(key)}")
    fix = "resume with the options the run was started with, or start a new run with --out"
    if fixed:
        fix += f" ({'; '.join(dict.fromkeys(str(reasons[key]) for key in fixed))})"
    else:
        fix += ", or go on with these (--allow-changes)"
    raise ConfigError("; ".join(told), where=", ".join(refused), fix=fix)


def vocabulary_of(key: str) -> str:
    """Which vocabulary an option decides on, to be said behind it."""
    section, _, name = key.partition(".")
    if section != "text":
        return ""
    sides = {"source": "the source vocabulary", "target": "the target vocabulary"}
    return f" (this decides on {sides.get(name, 'the vocabularies')})"
