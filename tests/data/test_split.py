from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.data import Pair, split_dev
from seq2see.data.groups import Grouping
from seq2see.data.split import folds_of
from seq2see.errors import DataError


def pairs_of(sources: list[str]) -> list[Pair]:
    return [Pair(source, f"target {number}", f"train.tsv:{number}") for number, source in enumerate(sources, 1)]


@given(
    sources=st.lists(st.text(alphabet="abcdef", min_size=1, max_size=2), min_size=2).filter(
        lambda some: len({*some}) > 1
    ),
    seed=st.integers(0, 5),
    share=st.floats(0, 1),
    most=st.integers(1, 50),
)
def test_the_split(sources: list[str], seed: int, share: float, most: int) -> None:
    pairs = pairs_of(sources)
    train, dev = split_dev(pairs, seed=seed, share=share, max_pairs=most)
    assert train
    assert dev
    assert not {pair.source for pair in train} & {pair.source for pair in dev}
    place = pairs.index
    assert sorted(train + dev, key=place) == pairs
    assert train == sorted(train, key=place)
    assert dev == sorted(dev, key=place)
    assert (train, dev) == split_dev(pairs, seed=seed, share=share, max_pairs=most)
    goal = max(1, min(most, round(share * len(pairs))))
    assert len(dev) <= goal or len({pair.source for pair in dev}) == 1


def test_the_share() -> None:
    pairs = pairs_of([str(number) for number in range(20_000)])
    assert len(split_dev(pairs[:1000], seed=1)[1]) == 100
    assert len(split_dev(pairs, seed=1)[1]) == 1000
    assert split_dev(pairs, seed=1)[1] != split_dev(pairs, seed=2)[1]


def test_a_language_model_is_split_by_targets() -> None:
    pairs = [Pair("", target, "") for target in "abcabcabc"]
    train, dev = split_dev(pairs, seed=1, share=0.3)
    assert len(dev) == 3
    assert len({pair.target for pair in dev}) == 1
    assert len(train) == 6


def test_one_source_cannot_be_split() -> None:
    with pytest.raises(DataError, match="at least 2 different sources, found 1"):
        split_dev(pairs_of(["a", "a"]), seed=1)
    with pytest.raises(DataError):
        split_dev([], seed=1)


def test_every_process_makes_the_same_split() -> None:
    code = (
        "from seq2see.data import Pair, split_dev\n"
        "print([p.source for p in split_dev([Pair(str(n), '', '') for n in range(50)], seed=3)[1]])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("seed", range(40))
def test_one_source_in_two_unicode_forms_is_one_source(seed: int) -> None:
    forms = [Pair("caf\u00e9", "a", "1"), Pair("cafe\u0301", "b", "2"), Pair(" caf\u00e9", "c", "3")]
    others = [Pair(f"x{number}", "y", "") for number in range(6)]
    _, dev = split_dev([*forms, *others], seed=seed, share=0.4)
    assert len({pair in dev for pair in forms}) == 1


@given(
    sources=st.lists(st.text(alphabet="abcdef", min_size=1, max_size=2), min_size=1, max_size=60),
    number=st.integers(2, 5),
    seed=st.integers(0, 5),
)
def test_folds_part_the_pairs_by_source(sources: list[str], number: int, seed: int) -> None:
    pairs = pairs_of(sources)
    if len(set(sources)) < number:
        with pytest.raises(DataError, match=f"{number} folds need at least {number} different sources"):
            folds_of(pairs, number, seed=seed)
        return
    folds = folds_of(pairs, number, seed=seed)
    assert sorted(row for fold in folds for row in fold) == list(range(len(pairs)))
    assert all(fold == sorted(fold) and fold for fold in folds)
    held = [{pairs[row].source for row in fold} for fold in folds]
    assert sum(map(len, held)) == len(set(sources))
    assert folds == folds_of(pairs, number, seed=seed)
    largest = max(sources.count(source) for source in sources)
    assert max(map(len, folds)) - min(map(len, folds)) <= largest


def test_folds_of_sources_that_occur_once_are_equal_and_depend_on_the_seed() -> None:
    pairs = pairs_of([str(number) for number in range(103)])
    folds = folds_of(pairs, 5, seed=1)
    assert sorted(map(len, folds)) == [20, 20, 21, 21, 21]
    assert folds != folds_of(pairs, 5, seed=2)


def test_folds_by_the_first_field_keep_it_together() -> None:
    pairs = pairs_of([f"{lemma}\t{tag}" for lemma in "abcd" for tag in "xyz"])
    for fold in folds_of(pairs, 2, seed=1, grouping=Grouping(1)):
        lemmas = [pairs[row].source[0] for row in fold]
        assert len(lemmas) == 6 and {lemmas.count(lemma) for lemma in lemmas} == {3}
