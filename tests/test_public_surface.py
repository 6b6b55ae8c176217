"""What others may rely on: the public names are there and described, and a light start stays light."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import seq2see


def public_modules() -> list[str]:
    """Seq2See itself and each of its subpackages."""
    return ["seq2see", *(found.name for found in pkgutil.iter_modules(seq2see.__path__, "seq2see.") if found.ispkg)]


def describes_itself(thing: object) -> bool:
    """True for a class, function or module with a docstring of its own, and for values, which can't have one.

    A dataclass or NamedTuple without a docstring is given its signature as one: that doesn't count.
    """
    if not isinstance(thing, type | ModuleType) and not inspect.isroutine(thing):
        return True
    written = (vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__) or ""
    return bool(written.strip()) and not written.startswith(f"{getattr(thing, '__name__', '')}(")


def modules_loaded_by(*arguments: str) -> set[str]:
    """The names of all modules that a fresh interpreter imports."""
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    lines = [line for line in finished.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines}


def test_seq2see_has_its_main_names() -> None:
    assert {"UserError", "load", "train", "Model", "Prediction", "__version__"} <= set(seq2see.__all__)


@pytest.mark.parametrize("module_name", public_modules())
def test_every_public_name_is_there_and_described(module_name: str) -> None:
    module = importlib.import_module(module_name)
    assert module.__doc__, f"{module_name} has no docstring"
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names), f"{module_name}.__all__ names something twice"
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing, f"{module_name}.__all__ promises {missing}"
    silent = [name for name in names if not describes_itself(getattr(module, name))]
    assert not silent, f"in {module_name}, {silent} have no docstring"


def test_the_import_list_sees_torch_where_there_is_torch() -> None:
    """Without this, the two tests below could pass by looking at nothing."""
    assert "torch" in modules_loaded_by("-c", "import torch")


def test_importing_seq2see_loads_no_torch() -> None:
    loaded = modules_loaded_by("-c", "import seq2see")
    assert "seq2see" in loaded
    assert "torch" not in loaded


def test_help_loads_no_torch() -> None:
    loaded = modules_loaded_by("-m", "seq2see", "--help")
    assert "seq2see.cli" in loaded
    assert "torch" not in loaded
