"""Models in files that processes map into their memory: however many use a model, its weights are there once."""

from __future__ import annotations

import mmap
import pickle
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from seq2see.errors import CheckpointError
from seq2see.inference.predictor import Predictor
from seq2see.system_errors import reported

ALIGNMENT = 64
"""Bytes; arrays begin at multiples of it, as NumPy places them."""


@dataclass(frozen=True)
class Snapshot:
    """A model as it was when it was loaded, whatever becomes of the files that it was loaded from.

    Its file goes with the object that `of` has returned; copies of this object are for other processes.
    """

    name: str
    path: Path
    parts: tuple[tuple[int, int], ...] = field(compare=False, repr=False)
    """The place and size in the file of the pickled model, and of each of its arrays."""

    @classmethod
    def of(cls, model: Predictor, name: str, folder: Path) -> Snapshot:
        """Write a model into a file of this folder. CheckpointError if there is no room."""
        arrays: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(model, protocol=5, buffer_callback=arrays.append)
        path, parts = folder / f"{name}-{uuid4().hex}", []
        with reported(path, "written", CheckpointError, also="TMPDIR names the folder"), path.open("wb") as file:
            for content in (memoryview(pickled), *(array.raw() for array in arrays)):
                file.write(bytes(-file.tell() % ALIGNMENT))
                parts.append((file.tell(), content.nbytes))
                file.write(content)
        snapshot = cls(name, path, tuple(parts))
        weakref.finalize(snapshot, remove, path)
        return snapshot

    def open(self) -> Predictor:
        """The model, whose arrays can't be written to."""
        with self.path.open("rb") as file:
            whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        pickled, *arrays = (whole[start : start + size] for start, size in self.parts)
        model: Predictor = pickle.loads(pickled, buffers=arrays)
        return model


def remove(path: Path) -> None:
    """Remove a file that may be gone already, and that some systems keep while it is mapped."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
