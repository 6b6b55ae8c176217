"""The public API: every public name exists and has a docstring, and importing seq2see stays light."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import seq2see


def public_modules() -> list[str]:
    """Seq2See itself and each of its subpackages."""
    return ["seq2see", *(found.name for found in pkgutil.iter_modules(seq2see.__path__, "seq2see.") if found.ispkg)]


def has_docstring(item: object) -> bool:
    """Whether a class, function or module has a docstring of its own; True for values, which can't have one.

    Python gives a dataclass or NamedTuple without a docstring its signature as one, which doesn't count.
    """
    if not isinstance(item, type | ModuleType) and not inspect.isroutine(item):
        return True
    written = (vars(item).get("__doc__") if isinstance(item, type) else item.__doc__) or ""
    return bool(written.strip()) and not written.startswith(f"{getattr(item, '__name__', '')}(")


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
def test_every_public_name_exists_and_has_a_docstring(module_name: str) -> None:
    module = importlib.import_module(module_name)
    assert module.__doc__, f"{module_name} has no docstring"
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names), f"{module_name}.__all__ has duplicates"
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing, f"{module_name}.__all__ has undefined names: {missing}"
    undocumented = [name for name in names if not has_docstring(getattr(module, name))]
    assert not undocumented, f"in {module_name}, {undocumented} have no docstring"


def test_the_import_list_contains_torch_if_it_is_imported() -> None:
    """Negative control of the two tests below."""
    assert "torch" in modules_loaded_by("-c", "import torch")


def test_importing_seq2see_loads_no_torch() -> None:
    loaded = modules_loaded_by("-c", "import seq2see")
    assert "seq2see" in loaded
    assert "torch" not in loaded


def test_help_loads_no_torch() -> None:
    loaded = modules_loaded_by("-m", "seq2see", "--help")
    assert "seq2see.commands.application" in loaded
    assert "torch" not in loaded


HEAVY = "torch rich regex cyclopts seq2see.doctor seq2see.run seq2see.packing seq2see.pictures seq2see.metrics numpy.ma"
"""What an answer doesn't need: importing it takes as long as answering, or longer."""
MOST_MODULES = 98
"""Modules of Seq2See that an answer imports; a new one on its way needs a reason."""


def test_an_answer_loads_nothing_that_it_does_not_need(tiny_run: Path) -> None:
    words = ("-m", "seq2see", "predict", str(tiny_run), "abc")
    loaded = modules_loaded_by(*words)
    assert "seq2see.runtime" in loaded
    assert loaded.isdisjoint(HEAVY.split())
    assert "seq2see.data.reading" not in loaded
    own = sorted(name for name in loaded if name.startswith("seq2see"))
    assert len(own) <= MOST_MODULES, own
    assert {"cyclopts", "rich"} <= modules_loaded_by("-m", "seq2see", "predict", "--help")
    assert "cyclopts" in modules_loaded_by(*words, "--beam", "2")


def test_an_answer_in_a_program_loads_no_more_than_it_needs(tiny_run: Path) -> None:
    program = f"import seq2see; print(seq2see.load({str(tiny_run)!r}).predict(['abc']))"
    loaded = modules_loaded_by("-c", program)
    assert "seq2see.runtime" in loaded
    assert loaded.isdisjoint(HEAVY.split())
