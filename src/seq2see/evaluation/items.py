"""Test pairs to items, each a source with all that may be answered to it; items to the parts that are scored apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2see.data import Pair

IN_TRAINING, NEW = "in the training data", "new"
_QUARTERS = (0.25, 0.5, 0.75)


class Item(NamedTuple):
    """What is asked once: of a language model a text, else a source with its references."""

    source: str
    references: tuple[str, ...]
    """Each once, in the order of the file."""
    rows: tuple[int, ...]
    """The places of its pairs, from 0."""
    origin: str
    """Where the first of them stands: `test.tsv:17`."""
    labels: tuple[str, ...]
    """What the further column says of them, each once."""


class Part(NamedTuple):
    """Some of the items, which are scored apart too."""

    by: str
    """What the items are told apart by: `source`, `length`, or a column."""
    name: str
    rows: NDArray[np.intp]
    """The places of its items, from 0."""


def items_of(pairs: Sequence[Pair], labels: Sequence[str] = (), *, group: bool = True) -> list[Item]:
    """One item a source, in the order of the file; with `group` off, or without sources, one a pair."""
    places: dict[tuple[str, int], list[int]] = {}
    for row, pair in enumerate(pairs):
        places.setdefault((pair.source, 0 if group and pair.source else row + 1), []).append(row)
    return [
        Item(
            source,
            tuple(dict.fromkeys(pairs[row].target or "" for row in rows)),
            tuple(rows),
            pairs[rows[0]].origin,
            tuple(dict.fromkeys(labels[row] for row in rows)) if labels else (),
        )
        for (source, _), rows in places.items()
    ]


def parts_by_length(lengths: Sequence[int], unit: str) -> list[Part]:
    """Four parts of about the same size, from short to long; fewer where many items are of one length."""
    counted = np.asarray(lengths)
    borders = np.unique(np.quantile(counted, _QUARTERS, method="lower"))
    which = np.digitize(counted, borders, right=True)
    parts = []
    for number in np.unique(which):
        rows = np.flatnonzero(which == number)
        least, most = counted[rows].min(), counted[rows].max()
        parts.append(Part("length", f"{least} {unit}" if least == most else f"{least}-{most} {unit}", rows))
    return parts if len(parts) > 1 else []


def parts_by_training(is_known: Sequence[bool]) -> list[Part]:
    """Items that the training data have and those that they don't; nothing where all are of one kind."""
    known = np.asarray(is_known, dtype=bool)
    parts = [Part("source", IN_TRAINING, np.flatnonzero(known)), Part("source", NEW, np.flatnonzero(~known))]
    return parts if known.any() and not known.all() else []


def parts_by_label(items: Sequence[Item], column: str) -> list[Part]:
    """A part a label, the largest first; an item with several labels is in several parts."""
    rows: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        for label in item.labels:
            rows.setdefault(label, []).append(place)
    ordered = sorted(rows.items(), key=lambda each: -len(each[1]))
    return [Part(column, label, np.array(places, dtype=np.intp)) for label, places in ordered]
