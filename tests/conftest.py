"""What every test shares: checked shapes, one thread, fixed seeds, and the way to the real data."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# Before anything imports the model, so that every call in the tests has its shapes checked.
install_import_hook("peeky.model", "beartype.beartype")

settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")


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
def peeky_data() -> Path:
    """The folder of real data sets."""
    folder = os.environ.get("PEEKY_DATA")
    if not folder:
        pytest.skip("PEEKY_DATA is not set: no real data to test on")
    if not Path(folder).is_dir():
        pytest.skip(f"PEEKY_DATA is {folder}, which is not a folder")
    return Path(folder)
