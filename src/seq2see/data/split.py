"""Sets dev pairs aside from the training pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from seq2see.data.groups import BY_SOURCE, Grouping, draw_of
from seq2see.data.pairs import Pair
from seq2see.errors import DataError

NUM_CANDIDATES = 4000
"""Only this many groups, those with the lowest draws, are candidates for dev, so that not all need to be in memory."""

DEV_PAIRS = 1000
"""Maximum number of dev pairs to evaluate on."""


def split_dev(
    pairs: Sequence[Pair], *, seed: int, share: float = 0.1, max_pairs: int = 1000, grouping: Grouping = BY_SOURCE
) -> tuple[list[Pair], list[Pair]]:
    """Training and dev pairs, each in the order of the file.

    All pairs of a group, by default those with the same source (for a language model: target) up to Unicode
    normalization, stay together. The order in which groups are set aside depends only on the seed and on each group.
    Raises DataError for fewer than two groups.
    """
    keys = list(map(grouping.key, pairs))
    counts = Counter(keys)
    draws = {key: draw_of(key, seed) for key in counts}
    set_aside = choose_dev(
        {draws[key]: count for key, count in counts.items()},
        len(pairs),
        share=share,
        max_pairs=max_pairs,
        name=grouping.name,
    )
    halves: tuple[list[Pair], list[Pair]] = ([], [])
    for pair, key in zip(pairs, keys, strict=True):
        halves[draws[key] in set_aside].append(pair)
    return halves


def choose_dev(
    counts: Mapping[bytes, int], num_pairs: int, *, share: float, max_pairs: int, name: str = "sources"
) -> set[bytes]:
    """The draws of the groups to set aside; only the lowest NUM_CANDIDATES draws matter. `name` is what they are."""
    if len(counts) < 2:
        fix = "add pairs with other sources, or give a file of dev pairs"
        if name != "sources":
            fix = f"{fix}, or choose another field: data.group"
        raise DataError(f"dev pairs need at least 2 different {name}, found {len(counts)}", fix=fix)
    order = sorted(counts)[:NUM_CANDIDATES]
    set_aside: set[bytes] = set()
    left = max(1, min(max_pairs, round(share * num_pairs)))
    for draw in order:
        if counts[draw] <= left:
            set_aside.add(draw)
            left -= counts[draw]
    if not set_aside:  # every group has too many pairs
        set_aside.add(min(order, key=counts.__getitem__))
    elif len(set_aside) == len(counts):
        set_aside.remove(order[-1])
    return set_aside


def sample_evenly(pairs: Sequence[Pair], max_pairs: int) -> Sequence[Pair]:
    """At most `max_pairs` pairs, evenly spaced over the list, since files are often sorted."""
    return pairs if len(pairs) <= max_pairs else [pairs[i * len(pairs) // max_pairs] for i in range(max_pairs)]


def nested_rows(pairs: Sequence[Pair], size: int, *, seed: int, grouping: Grouping = BY_SOURCE) -> list[int]:
    """The rows of `size` pairs, in file order; those of a larger size contain those of a smaller one.

    Which groups come first depends only on the seed and on each group; the last group may be cut.
    """
    draws = [grouping.draw(pair, seed) for pair in pairs]
    return sorted(sorted(range(len(pairs)), key=lambda row: (draws[row], row))[:size])


def folds_of(pairs: Sequence[Pair], number: int, *, seed: int, grouping: Grouping = BY_SOURCE) -> list[list[int]]:
    """The rows of each fold, in file order: every pair is in one, and all pairs of a group are in the same.

    Folds are as equal in size as the groups allow: the largest group goes first, each to the smallest fold so far, as
    in scikit-learn's GroupKFold. The order of equally large groups depends only on the seed and on each group.
    DataError for fewer groups than folds.
    """
    rows: dict[str, list[int]] = {}
    for row, pair in enumerate(pairs):
        rows.setdefault(grouping.key(pair), []).append(row)
    if len(rows) < number:
        what = f"{number} folds need at least {number} different {grouping.name}, found {len(rows)}"
        raise DataError(what, fix="use fewer folds, or add pairs")
    folds: list[list[int]] = [[] for _ in range(number)]
    for key in sorted(rows, key=lambda key: (-len(rows[key]), draw_of(key, seed))):
        min(folds, key=len).extend(rows[key])
    return [sorted(fold) for fold in folds]
