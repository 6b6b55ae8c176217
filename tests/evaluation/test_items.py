"""Pairs grouped into items, and items into slices."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2see.data import Pair
from seq2see.evaluation import Item, items_of
from seq2see.evaluation.items import slices_by_label, slices_by_length, slices_by_training

PAIRS = [Pair("a", "x", "t:1"), Pair("b", "y", "t:2"), Pair("a", "z", "t:3"), Pair("a", "x", "t:4")]


def test_pairs_with_the_same_source_are_one_item_with_several_references() -> None:
    assert items_of(PAIRS, ["n", "s", "n", "w"]) == [
        Item("a", ("x", "z"), (0, 2, 3), "t:1", ("n", "w")),
        Item("b", ("y",), (1,), "t:2", ("s",)),
    ]


def test_without_grouping_every_pair_is_an_item() -> None:
    items = items_of(PAIRS, group=False)
    assert [(item.source, item.references, item.rows) for item in items] == [
        ("a", ("x",), (0,)), ("b", ("y",), (1,)), ("a", ("z",), (2,)), ("a", ("x",), (3,)),
    ]  # fmt: skip


def test_texts_of_a_language_model_are_never_grouped() -> None:
    assert len(items_of([Pair("", "x", ""), Pair("", "x", "")])) == 2


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60))
def test_slices_by_length_contain_every_item_once(lengths: list[int]) -> None:
    parts = slices_by_length(lengths, "words")
    if parts:
        assert 2 <= len(parts) <= 4
        assert sorted(np.concatenate([part.rows for part in parts])) == list(range(len(lengths)))
        ends = [(min(lengths[row] for row in part.rows), max(lengths[row] for row in part.rows)) for part in parts]
        assert all(most < least for (_, most), (least, _) in pairwise(ends))
        for part, (least, most) in zip(parts, ends, strict=True):
            assert part.name == (f"{least} words" if least == most else f"{least}-{most} words")


def test_a_single_length_makes_no_slices() -> None:
    assert slices_by_length([4, 4, 4], "words") == []


def test_known_and_new_sources_are_separated_if_both_occur() -> None:
    known, new = slices_by_training([True, False, True])
    assert (known.name, known.rows.tolist(), new.name, new.rows.tolist()) == (
        "in the training data",
        [0, 2],
        "new",
        [1],
    )
    assert slices_by_training([True, True]) == slices_by_training([False]) == []


def test_the_largest_label_comes_first_and_an_item_can_have_two() -> None:
    parts = slices_by_label(items_of(PAIRS, ["n", "s", "s", "n"]), "region")
    assert [(part.by, part.name, part.rows.tolist()) for part in parts] == [
        ("region", "s", [0, 1]), ("region", "n", [0]),
    ]  # fmt: skip
