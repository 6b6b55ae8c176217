"""What every test shares: checked shapes, one thread, fixed seeds, and the way to the real data."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# Before anything imports the model, so that every call in the tests has its shapes checked.
install_import_hook("seq2see.model", "beartype.beartype")

settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")

PATIENCE = 300_000
"""Milliseconds that a page may take on a busy machine."""


@pytest.fixture(autouse=True)
def _same_every_time() -> None:
    """One thread and fixed seeds; torch only where the test has imported it already."""
    random.seed(0)
    np.random.seed(0)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)  # The tests run in two processes, and sums differ with the number of threads.
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def seq2see_data() -> Path:
    """The folder of real data sets."""
    folder = os.environ.get("SEQ2SEE_DATA")
    if not folder:
        pytest.skip("SEQ2SEE_DATA is not set: no real data to test on")
    if not Path(folder).is_dir():
        pytest.skip(f"SEQ2SEE_DATA is {folder}, which is not a folder")
    return Path(folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright isn't installed: pip install -e '.[browser]'")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=PATIENCE)
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> Callable[[Any], list[str]]:
    """What axe-core finds wrong with a page for people who can't see it, or not all of it."""
    folders = [Path(folder) for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder]
    found = next((path for folder in folders if (path := folder / "axe-core" / "axe.min.js").is_file()), None)
    if found is None:
        pytest.skip("there is no axe-core: npm install axe-core, and name its node_modules in NODE_PATH")
    script = found.read_text(encoding="utf-8")

    def violations(page: Any) -> list[str]:
        page.evaluate(script)
        rules = page.evaluate("axe.run().then(found => found.violations)")
        return [f"{rule['id']}: {node['html'][:200]}" for rule in rules for node in rule["nodes"]]

    return violations


@pytest.fixture
def lstm_in_bfloat16() -> None:
    """Skips where PyTorch has no LSTM of bfloat16 for this processor."""
    from seq2see.training.precision import can_train_lstm

    if not can_train_lstm():
        pytest.skip("this processor has no LSTM in bfloat16")


# --- the upper half of the house: tiny runs, trained once a process -------------------------------------------------

TINY: dict[str, Any] = {
    "model.width": 16,
    "model.embedding": 8,
    "model.dropout": 0.1,
    "training.rate": 1e-2,
    "training.batch_size": 16,
    "training.max_updates": 6,
    "training.evaluate_every": 2,
    "training.precision": "float32",  # `auto` measures the machine, and two measurements need not agree
}
"""Settings of a run that takes a tenth of a second."""


@pytest.fixture(scope="session")
def tiny_settings() -> dict[str, Any]:
    """Settings of a run that takes a tenth of a second: for `seq2see.train(settings=…)` and `make_config`."""
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny_flags() -> list[str]:
    """The same for the command line."""
    return ["--set", *(f"{key}={value}" for key, value in TINY.items())]


@pytest.fixture(scope="session")
def tiny_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 pairs: letters of a small alphabet, and the same from the back."""
    chance = random.Random(3)
    sources = {"".join(chance.choices("abcde", k=chance.randint(2, 5))): None for _ in range(150)}
    path = tmp_path_factory.mktemp("data") / "pairs.tsv"
    path.write_text("".join(f"{source}\t{source[::-1]}\n" for source in list(sources)[:120]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_text(tiny_pairs: Path) -> Path:
    """The same sources as text for a language model."""
    path = tiny_pairs.with_name("text.txt")
    lines = tiny_pairs.read_text(encoding="utf-8").splitlines()
    path.write_text("".join(line.partition("\t")[0] + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path) -> Path:
    """A run of `bidirectional` that has learned a little; look at it, don't write into it."""
    return train_tiny(tiny_pairs, tmp_path_factory.mktemp("runs") / "tiny", **{"training.max_updates": 90})


@pytest.fixture(scope="session")
def tiny_language_run(tmp_path_factory: pytest.TempPathFactory, tiny_text: Path) -> Path:
    """A run of `language_model`."""
    more = {"model.name": "language_model", "training.max_updates": 90}
    return train_tiny(tiny_text, tmp_path_factory.mktemp("runs") / "language", **more)


@pytest.fixture
def tiny_run_copy(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of `tiny_run` to do harm to."""
    return Path(shutil.copytree(tiny_run, tmp_path / "copy"))


def train_tiny(data: Path, out: Path, **settings: Any) -> Path:
    """Train with TINY and these settings, quietly."""
    import torch

    import seq2see

    torch.set_num_threads(1)  # A session's fixtures come before `_same_every_time`.
    updates = int(settings.get("training.max_updates", TINY["training.max_updates"]))
    every = {"training.evaluate_every": max(1, updates // 3)}
    seq2see.train(data, out=out, settings=TINY | every | settings, device="cpu", quiet=True)
    return out
