"""Errors survive pickling and copying, and are caught as what they are."""

from __future__ import annotations

import copy
import importlib
import inspect
import multiprocessing
import pickle
import pkgutil
from concurrent.futures import ProcessPoolExecutor

import pytest

import seq2see
from seq2see.data.choosing import ChoiceError
from seq2see.data.files import NotTextError
from seq2see.data.json_table import UnknownColumnError
from seq2see.data.lines import Line, LineError
from seq2see.errors import CheckpointError, ConfigError, DataError, UserError, WorldError
from seq2see.training.state import EvaluationStopped
from seq2see.tuning.trial import PrunedError

KINDS = [
    *(UserError, DataError, NotTextError, ChoiceError, UnknownColumnError),
    *(ConfigError, CheckpointError, WorldError),
]


def fail(kind: type[UserError]) -> None:
    """What a worker process does."""
    error = kind("is 0", where="training.rate", fix="give a number above 0")
    error.is_said = True
    raise error


def require_complete(error: BaseException, kind: type[UserError]) -> None:
    assert type(error) is kind
    assert isinstance(error, UserError)
    assert (error.what, error.where, error.fix) == ("is 0", "training.rate", "give a number above 0")
    assert error.is_said
    assert str(error) == "training.rate: is 0\n  fix: give a number above 0"


def test_every_error_of_the_package_is_tested_here() -> None:
    names = [
        module.name
        for module in pkgutil.walk_packages(seq2see.__path__, "seq2see.")
        # The service turns its own errors into responses.
        if "__main__" not in module.name and not module.name.startswith("seq2see.serving.")
    ]
    defined = {
        value
        for name in names
        for value in vars(importlib.import_module(name)).values()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__.startswith("seq2see.")
    }
    assert {kind for kind in defined if not issubclass(kind, Warning)} == {
        *(*KINDS, LineError),
        *(EvaluationStopped, PrunedError),  # which end a computation, and are no errors of the user
    }
    for kind in defined:
        if issubclass(kind, Warning):
            assert str(pickle.loads(pickle.dumps(kind("said")))) == "said"


@pytest.mark.parametrize("kind", KINDS)
def test_pickling_and_copying_keep_all_of_an_error(kind: type[UserError]) -> None:
    with pytest.raises(kind) as caught:
        fail(kind)
    for copied in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value), copy.deepcopy(caught.value)):
        require_complete(copied, kind)


def test_errors_raised_in_worker_processes_arrive_whole() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        for kind in KINDS:
            error = executor.submit(fail, kind).exception(timeout=60)
            assert error is not None
            require_complete(error, kind)
    with context.Pool(1) as pool:
        for kind in KINDS:
            with pytest.raises(kind) as caught:
                pool.apply_async(fail, (kind,)).get(timeout=60)
            require_complete(caught.value, kind)


def test_invalid_options_and_data_are_value_errors() -> None:
    assert issubclass(ConfigError, ValueError)
    assert issubclass(DataError, ValueError)
    assert not issubclass(CheckpointError, ValueError)


def test_an_error_of_a_line_survives_pickling() -> None:
    error = LineError(Line(b"a", "train.tsv", 17, 0), "found 1 column", "separate the columns by a TAB", "columns")
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.origin, copied.what, copied.fix) == (
        "train.tsv:17",
        "found 1 column",
        "separate the columns by a TAB",
    )
