"""What is said of dev before training."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from seq2see.config import make_config
from seq2see.data import Pair
from seq2see.errors import ConfigError, DataError
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


def test_the_order_of_columns_is_not_asked_of_dev_pairs_that_were_set_aside() -> None:
    names = [
        pair._replace(target=f"{pair.source} {pair.source[::-1]}{number}") for number, pair in enumerate(pairs(60, 3))
    ]
    plan = plan_run(make_config({}, {"text.target": "words", "text.min_count": 1}), names)
    [warning] = [note for note in plan.notes if note.startswith("warning: most tokens of the dev targets")]
    assert "order of train" not in warning and warning.endswith("text.target=characters")


@pytest.mark.parametrize("side", ["source", "target"])
def test_symbols_without_blanks_are_refused(side: str) -> None:
    """Each text would be a symbol of its own; labels are not."""
    unspaced = [(f"{at:03}", f"{at:04}") for at in range(40)]
    config = make_config({}, {f"text.{side}": "symbols"})
    with pytest.raises(ConfigError, match=f"nearly all {side}s have no blanks") as caught:
        plan_run(config, [Pair(*both, "") for both in unspaced])
    assert caught.value.fix is not None and f"text.{side}=characters" in caught.value.fix
    spaced = [(" ".join(source), " ".join(target)) for source, target in unspaced]
    labels = [(f"{source} {at}", "yes" if at % 3 else "no") for at, (source, _) in enumerate(unspaced)]
    for fine in (spaced, labels):
        plan_run(config, [Pair(*both, "") for both in fine])


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
