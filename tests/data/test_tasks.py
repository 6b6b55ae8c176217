from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

import seq2see.data
import seq2see.text
from seq2see.data import Pair, additions, copies, dates, reversals
from seq2see.errors import ConfigError

TASKS = [dates, additions, copies, reversals]


@pytest.mark.parametrize("task", TASKS)
def test_pairs_are_distinct_and_determined_by_the_seed(task: Callable[[int, int], list[Pair]]) -> None:
    pairs = task(2000, 1)
    assert len({pair.source for pair in pairs}) == len(pairs) == 2000
    assert pairs == task(2000, 1)
    assert pairs != task(2000, 2)
    assert pairs[0].origin == f"{task.__name__}:1"
    assert task(0, 1) == []
    with pytest.raises(ConfigError, match="must be 0 to"):
        task(-1, 1)
    with pytest.raises(ConfigError, match="must be 0 to"):
        task(10**9, 1)


def test_targets_follow_from_sources() -> None:
    for source, target, _ in additions(500, 1):
        left, right = source.split("+")
        assert target == str(int(left) + int(right))
    assert all(source == target for source, target, _ in copies(500, 1))
    assert all(source == (target or "")[::-1] for source, target, _ in reversals(500, 1))


def test_dates_are_dates() -> None:
    pairs = dates(3000, 1)
    years = {datetime.date.fromisoformat(pair.target or "").year for pair in pairs}
    assert years == set(range(1970, 2070))
    for source, target, _ in pairs:
        day = datetime.date.fromisoformat(target or "")
        assert str(day.day) in source
        assert f"{day.year % 100:02}" in source


@pytest.mark.parametrize("module", [seq2see.data, seq2see.text])
def test_public_names_exist(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(getattr(module, name) is not None for name in names)
    with pytest.raises(AttributeError):
        getattr(seq2see.data, "nothing")  # noqa: B009
