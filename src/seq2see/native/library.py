"""The shared library of an exported C file, by ctypes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from seq2see.errors import CheckpointError, ConfigError, DataError, UserError
from seq2see.native.results import NativePrediction
from seq2see.usual_names import name_here

BUILD = "cc -O3 -march=native -shared -fPIC NAME.c -lm -o NAME.so"
NO_WEIGHTS, BAD_OPTION = -7, -5
MAX_BEAM, MAX_LENGTH = 64, 1_000_000
OPTIONS = ("beam", "n_best", "length_penalty", "min_length", "max_length")
ERRORS: dict[int, tuple[type[UserError], str, str]] = {
    -1: (UserError, "not enough memory", "use a smaller beam or a shorter text"),
    -3: (DataError, "the text is too long for this model", "shorten it"),
    -4: (
        DataError,
        "the text has another number of fields than the model, or all of them are empty",
        "separate the fields by TAB, as in the training pairs, and fill one",
    ),
    -6: (CheckpointError, "the library was changed", "export and build it again"),
}
"""By the number that `seq2see_predict` returns: what is wrong, and a fix."""


class _Options(ctypes.Structure):
    """seq2see_options."""

    _fields_: ClassVar = [
        ("beam", ctypes.c_int),
        ("n_best", ctypes.c_int),
        ("length_penalty", ctypes.c_double),
        ("min_length", ctypes.c_int),
        ("max_length", ctypes.c_int),
    ]


class _Answer(ctypes.Structure):
    """seq2see_answer."""

    _fields_: ClassVar = [
        ("text", ctypes.c_char_p),
        ("log_prob", ctypes.c_double),
        ("score", ctypes.c_double),
        ("finished", ctypes.c_int),
        ("num_tokens", ctypes.c_size_t),
        ("tokens", ctypes.POINTER(ctypes.c_int32)),
        ("token_log_probs", ctypes.POINTER(ctypes.c_double)),
        ("weights", ctypes.POINTER(ctypes.c_float)),
    ]


class _Answers(ctypes.Structure):
    """seq2see_answers."""

    _fields_: ClassVar = [
        ("count", ctypes.c_size_t),
        ("answers", ctypes.POINTER(_Answer)),
        ("num_source", ctypes.c_size_t),
        ("source", ctypes.POINTER(ctypes.c_int32)),
    ]


def load(path: str | os.PathLike[str], *, weights: str | os.PathLike[str] | None = None) -> NativeModel:
    """The model in a shared library, built from an exported C file: `cc -O3 -shared -fPIC NAME.c -lm -o NAME.so`.

    `weights` is the file of the weights, if it was exported with `--separate-weights`. CheckpointError for what isn't
    such a library, or for weights that aren't its own.
    """
    return NativeModel(path, weights)


class NativeModel:
    """A model in C. Threads may share it; it computes without Python's lock."""

    def __init__(self, path: str | os.PathLike[str], weights: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path)
        self._library = open_library(self.path)
        self._handle = ctypes.c_void_p()
        own = None if weights is None else os.fsencode(weights)
        error = self._library.seq2see_open(own, ctypes.byref(self._handle))
        if error:
            raise refused(error, self.path, weights)

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._library.seq2see_close(handle)

    def predict(
        self,
        texts: str | Iterable[str | Sequence[str]],
        *,
        beam: int = 1,
        n_best: int = 1,
        length_penalty: float | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        **unknown: Any,
    ) -> list[NativePrediction]:
        """The answer to each text, greedily or by beam search; the options are those of `seq2see.Model.predict`.

        A text of several fields has a TAB between them, or is a tuple or list of them: `[("walk", "V;PST")]`.
        `length_penalty` and `max_length` are by default the model's own. DataError for a text that it can't read,
        ConfigError for an option out of range, and for an `unknown` one, with its name here.
        """
        for name in unknown:
            raise ConfigError(f"unknown option {name!r}", where="predict", fix=name_here(name, OPTIONS))
        most = MAX_LENGTH if max_length is None else max_length
        require("beam", beam, 1, MAX_BEAM)
        require("n_best", n_best, 1, beam)
        require("max_length", most, 1, MAX_LENGTH)
        require("min_length", 1 if min_length is None else min_length, 1, most)
        require("length_penalty", length_penalty or 0, 0, MAX_LENGTH, float)
        own = 0.0 if length_penalty is None else length_penalty or -1.0  # in C 0 is the default, and below 0 is none
        options = _Options(beam, n_best, own, min_length or 0, max_length or 0)
        return [self._answered(whole(text), options) for text in ([texts] if isinstance(texts, str) else texts)]

    def _answered(self, text: str, options: _Options) -> NativePrediction:
        """The answer to a text."""
        found = ctypes.POINTER(_Answers)()
        error = self._library.seq2see_predict(self._handle, encoded(text), ctypes.byref(options), ctypes.byref(found))
        if error:
            kind, what, fix = ERRORS[error]
            raise kind(what, where=text[:60], fix=fix)
        try:
            answers = found.contents
            names = self._library.seq2see_source_token
            source = tuple(names(each).decode() for each in answers.source[: answers.num_source])
            best, *others = (self._read(answers.answers[i], source) for i in range(answers.count))
        finally:
            self._library.seq2see_free(found)
        return best._replace(alternatives=tuple(others))

    def _read(self, answer: _Answer, source: tuple[str, ...]) -> NativePrediction:
        """An answer as Python values."""
        number, width = answer.num_tokens, len(source)
        rows = answer.weights[: number * width] if answer.weights else ()
        return NativePrediction(
            answer.text.decode(),
            source,
            tuple(self._library.seq2see_token(each).decode() for each in answer.tokens[:number]),
            answer.log_prob,
            answer.score,
            tuple(tuple(rows[i * width : (i + 1) * width]) for i in range(number)) if answer.weights else None,
            bool(answer.finished),
            tuple(answer.token_log_probs[:number]),
        )


def open_library(path: Path) -> Any:
    """The library, its functions declared. CheckpointError if it is none of an exported model."""
    fix = f"build it from the exported C file: {BUILD}"
    if not path.is_file():
        raise CheckpointError("no such file" if not path.exists() else "is no file", where=str(path), fix=fix)
    try:
        library = ctypes.CDLL(str(path.absolute()))  # without a folder, it would be looked for elsewhere
        library.seq2see_open.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)]
        library.seq2see_close.argtypes = [ctypes.c_void_p]
        library.seq2see_predict.argtypes = [
            *(ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(_Options)),
            ctypes.POINTER(ctypes.POINTER(_Answers)),
        ]
        library.seq2see_free.argtypes = [ctypes.POINTER(_Answers)]
        for name in ("seq2see_source_token", "seq2see_token"):
            getattr(library, name).argtypes = [ctypes.c_int32]
            getattr(library, name).restype = ctypes.c_char_p
        library.seq2see_close.restype = library.seq2see_free.restype = None
    except (OSError, AttributeError) as error:
        what = "is no library of an exported model for this machine"
        raise CheckpointError(f"{what}: {error}", where=str(path), fix=fix) from None
    return library


def refused(error: int, path: Path, weights: str | os.PathLike[str] | None) -> UserError:
    """Why a model can't be opened."""
    if error == BAD_OPTION:
        fix = f'leave weights out: load("{path}")'
        return ConfigError("the weights are in the library", where=str(path), fix=fix)
    if error == NO_WEIGHTS and weights is None:
        fix = f'give it: load("{path}", weights="{path.with_suffix(".weights")}")'
        return ConfigError("its weights are in a file of their own", where=str(path), fix=fix)
    if error == NO_WEIGHTS:
        return CheckpointError("can't be read", where=str(weights), fix="give the file of weights of the export")
    if weights is not None and error != -1:
        what = f"is not the file of the weights of {path.name}, or it was cut or changed"
        return CheckpointError(what, where=str(weights), fix="export the model again, and build the library from it")
    return UserError(ERRORS[-1][1], where=str(path), fix="end other programs, or export with weights of int8")


def require(name: str, value: float, least: int, most: int, kind: type = int) -> None:
    """ConfigError for an option out of range."""
    if not (isinstance(value, (int, kind)) and least <= value <= most):
        what = f"{name} must be {least} to {most:,}, not {value!r}"
        raise ConfigError(what, where="predict", fix=f"give a number from {least} to {most:,}")


def whole(text: str | Sequence[str]) -> str:
    """The text of one field, or of several, with a TAB between them. ConfigError for anything else."""
    if isinstance(text, str):
        return text
    fields = text if isinstance(text, tuple | list) else []
    if fields and all(isinstance(field, str) and "\t" not in field for field in fields):
        return "\t".join(fields)
    what = f"a text must be a str, or a tuple of its fields without TAB, not {text!r:.80}"
    raise ConfigError(what, where="predict", fix="give a str, or several")


def encoded(text: str) -> bytes:
    """UTF-8. DataError for what can't be given to C."""
    if "\0" in text:
        raise DataError("the text has a NUL character", where=text[:60], fix="remove it")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise DataError("the text has half of a surrogate pair", where=text[:60], fix="read it as UTF-8") from None
