"""What is said of dev before training."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from seq2see.config import make_config
from seq2see.data import Pair
from seq2see.errors import DataError
from seq2see.run.planning import plan_run


def pairs(count: int, seed: int, *, is_swapped: bool = False) -> list[Pair]:
    """Words, and their letters in Greek."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        word = "".join(chance.choices("abcdefgh", k=chance.randint(3, 7)))
        both = word, " ".join(word.translate(str.maketrans("abcdefgh", "αβγδεζηθ")))
        found.append(Pair(*(both[::-1] if is_swapped else both), ""))
    return found


@pytest.mark.parametrize("is_swapped", [False, True])
def test_targets_of_dev_that_are_mostly_unknown_are_a_warning(is_swapped: bool) -> None:
    plan = plan_run(make_config({}, {}), pairs(100, 1), pairs(10, 2, is_swapped=is_swapped))
    assert any("are the columns of dev in the order of train?" in note for note in plan.notes) == is_swapped


@pytest.mark.parametrize("model", ["bidirectional", "transducer"])
def test_steps_of_a_transducer_are_no_known_tokens_of_dev(model: str) -> None:
    settings: dict[str, Any] = {"model.name": model}
    shares = plan_run(make_config({}, settings), pairs(100, 1), pairs(10, 2, is_swapped=True)).unknown_on_dev
    assert shares["target"] == 0.5  # each target is one unknown symbol; the end of the text is known


def test_errors_name_files_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pairs.tsv").write_text("a\tb\nc\n")
    for folder, name in ((tmp_path, "data/pairs.tsv"), (tmp_path / "data", "pairs.tsv")):
        monkeypatch.chdir(folder)
        with pytest.raises(DataError) as caught:
            plan_run(make_config({}, {"data.train": [name]}))
        assert str(caught.value).startswith(f"{name}: ")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(DataError, match=str(tmp_path / "data" / "pairs.tsv")):
        plan_run(make_config({}, {"data.train": [str(tmp_path / "data" / "pairs.tsv")]}))
