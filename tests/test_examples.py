"""Every recipe in examples/ trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import seq2see
from seq2see.config import make_config, read_toml
from seq2see.run.train import train

EXAMPLES = Path(__file__).parent.parent / "examples"
RECIPES = sorted(EXAMPLES.glob("*.toml"))


def test_the_examples_exist() -> None:
    assert {"dates.toml", "additions.toml", "language_model.toml"} <= {path.name for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_an_example_trains_and_answers(path: Path, tmp_path: Path) -> None:
    """Two updates at a small width; everything else as in the recipe."""
    short: dict[str, Any] = {
        "training.max_updates": 2,
        "training.evaluate_every": 2,
        "data.dev_share": 0.005,
        "training.precision": "float32",
        "model.width": 32,
    }
    config = make_config(read_toml(path), short, where=str(path))
    assert all(Path(name).is_file() for name in config.data.train)
    trained = train(config, tmp_path / "run", device="cpu", console=Console(quiet=True))
    assert trained.finished.update == 2
    text = Path(config.data.train[0]).read_text(encoding="utf-8").splitlines()[0].partition("\t")[0]
    (answer,) = seq2see.load(tmp_path / "run", device="cpu").predict(text)
    assert answer.target_tokens


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_first_line_of_an_example_says_how_to_run_it(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert f"seq2see train examples/{path.name}" in first


@pytest.mark.slow
@pytest.mark.parametrize(("name", "right"), [("dates", 0.9), ("additions", 0.3)])
def test_an_example_learns_its_task(name: str, right: float, tmp_path: Path) -> None:
    config = make_config(read_toml(EXAMPLES / f"{name}.toml"), {}, where=name)
    trained = train(config, tmp_path / "run", device="cpu", console=Console(quiet=True))
    assert trained.finished.metrics["exact_match"] >= right
