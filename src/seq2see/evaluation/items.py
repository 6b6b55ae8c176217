"""Test pairs grouped into items (a source with all its references), and slices of items scored separately."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2see.data import Pair

LENGTH = "length"
"""The value of `by` that asks for slices by the length of the source."""
IN_TRAINING, IN_DEV, NEW = "in the training data", "in the dev data", "new"
_QUARTERS = (0.25, 0.5, 0.75)


class Item(NamedTuple):
    """One source with its references; for a language model one text."""

    source: str
    references: tuple[str, ...]
    """Distinct, in file order."""
    rows: tuple[int, ...]
    """Indices of its pairs."""
    origin: str
    """File and line of the first pair: `test.tsv:17`."""
    labels: tuple[str, ...]
    """Distinct values of the label column."""


class Slice(NamedTuple):
    """A subset of the items that is also scored separately."""

    by: str
    """What defines the slices: `source`, `seen`, `length`, or a column."""
    name: str
    rows: NDArray[np.intp]
    """Indices of its items."""


def items_of(
    pairs: Sequence[Pair], labels: Sequence[str] = (), *, group: bool = True, keys: Sequence[Hashable] | None = None
) -> list[Item]:
    """One item per source, in file order. Without `group`, or without sources, one item per pair.

    `keys`, one per pair, take the place of the sources: pairs with the same key are one item.
    """
    rows_of: dict[tuple[Hashable, int], list[int]] = {}
    for row, pair in enumerate(pairs):
        key = pair.source if keys is None else keys[row]
        rows_of.setdefault((key, 0 if group and pair.source else row + 1), []).append(row)
    return [
        Item(
            pairs[rows[0]].source,
            tuple(dict.fromkeys(pairs[row].target or "" for row in rows)),
            tuple(rows),
            pairs[rows[0]].origin,
            tuple(dict.fromkeys(labels[row] for row in rows)) if labels else (),
        )
        for rows in rows_of.values()
    ]


def slices_by_length(lengths: Sequence[int], unit: str, *, fewest: int = 2) -> list[Slice]:
    """Four slices of about equal size, from short to long; fewer if many items have the same length."""
    counted = np.asarray(lengths)
    borders = np.unique(np.quantile(counted, _QUARTERS, method="lower"))
    which = np.digitize(counted, borders, right=True)
    slices = []
    for number in np.unique(which):
        rows = np.flatnonzero(which == number)
        least, most = counted[rows].min(), counted[rows].max()
        slices.append(Slice(LENGTH, f"{least} {unit}" if least == most else f"{least}-{most} {unit}", rows))
    return slices if len(slices) >= fewest else []


def slices_by_training(
    is_known: Sequence[bool], was_dev: Sequence[bool] = (), by: str = "source", *, fewest: int = 2
) -> list[Slice]:
    """Items in the training data, other items in the dev data, and new items; no slices if there are too few."""
    known = np.asarray(is_known, dtype=bool)
    dev = np.asarray(was_dev or [False] * len(known), dtype=bool) & ~known
    parts = {IN_TRAINING: known, IN_DEV: dev, NEW: ~known & ~dev}
    slices = [Slice(by, name, np.flatnonzero(rows)) for name, rows in parts.items() if rows.any()]
    return slices if len(slices) >= fewest else []


def slices_by_label(items: Sequence[Item], column: str) -> list[Slice]:
    """One slice per label, the largest first. An item with several labels is in several slices."""
    rows: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        for label in item.labels:
            rows.setdefault(label, []).append(index)
    ordered = sorted(rows.items(), key=lambda each: -len(each[1]))
    return [Slice(column, label, np.array(indices, dtype=np.intp)) for label, indices in ordered]
