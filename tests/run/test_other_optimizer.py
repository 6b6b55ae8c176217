"""A run is resumed, or its model fine-tuned, with another optimizer than it began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seq2see
from seq2see.errors import ConfigError
from seq2see.storage.checkpoints import load_checkpoint

UPDATES = 4


def moments(run: Path) -> dict[str, np.ndarray]:
    """The optimizer's tensors in the newest checkpoint."""
    tensors = load_checkpoint(run / "checkpoints").tensors
    return {key.removeprefix("optimizer."): array for key, array in tensors.items() if key.startswith("optimizer.")}


def without_second_moment(run: Path) -> set[str]:
    """The parameters that Muon updates."""
    found = moments(run)
    names = {key.partition(".")[2] for key in found if key.startswith("exp_avg.")}
    return {name for name in names if f"exp_avg_sq.{name}" not in found}


@pytest.fixture
def muon_run(tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path) -> Path:
    more = {"training.optimizer": "muon", "training.max_updates": UPDATES}
    seq2see.train(tiny_pairs, out=tmp_path / "muon", settings=tiny_settings | more, quiet=True)
    return tmp_path / "muon"


def test_resuming_with_another_optimizer_is_asked_for(muon_run: Path, tiny_pairs: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.optimizer"):
        seq2see.train(tiny_pairs, out=muon_run, settings={"training.optimizer": "adam"}, resume=True, quiet=True)


@pytest.mark.parametrize(("course", "restarted"), [(["muon", "adam"], True), (["adam", "muon"], False)])
def test_a_run_is_resumed_with_another_optimizer(
    course: list[str], restarted: bool, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    """Adam has moments of its own, so it starts anew where there were none; Muon takes Adam's first moment."""
    found = []
    for number, optimizer in enumerate(course, 1):
        more = {"training.optimizer": optimizer, "training.max_updates": number * UPDATES}
        how = {"resume": True, "allow_changes": True} if number > 1 else {}
        settings = (tiny_settings if number == 1 else {}) | more
        seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True, **how)
        found.append(without_second_moment(tmp_path / "run"))
    assert [bool(names) for names in found] == [name == "muon" for name in course]
    own = found[course.index("muon")]
    steps = {key.partition(".")[2]: float(step) for key, step in moments(tmp_path / "run").items() if "step." in key}
    assert all(steps[name] == (UPDATES if restarted and name in own else 2 * UPDATES) for name in steps)


@pytest.mark.parametrize("asked", [None, "muon", "adam"])
def test_fine_tuning_a_model_that_muon_trained(
    asked: str | None, muon_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its optimizer goes on, unless another is asked for."""
    pairs = [("abß", "ßba"), ("eßa", "aße"), ("ad", "da")] * 6
    more = {"training.start_from": str(muon_run), "training.max_updates": UPDATES}
    optimizer = asked or "muon"
    seq2see.train(pairs, out=tmp_path / "new", settings=more | ({"training.optimizer": asked} if asked else {}))
    said = "; adam starts without those of the matrices that muon updated"
    assert (said in capsys.readouterr().err.replace("\n", " ")) == (optimizer == "adam")
    own = without_second_moment(muon_run)
    restarted = own if optimizer == "adam" else set()
    found = moments(tmp_path / "new")
    steps = {key.partition(".")[2]: float(step) for key, step in found.items() if key.startswith("step.")}
    assert steps == {name: UPDATES if name in restarted else 2 * UPDATES for name in steps}
    assert without_second_moment(tmp_path / "new") == (
        without_second_moment(muon_run) if optimizer == "muon" else set()
    )
    assert all(np.isfinite(array).all() for array in moments(tmp_path / "new").values())
