"""Seq2See trains sequence-to-sequence models on your own pairs, shows where they look, and ships them.

    import seq2see
    model = seq2see.train("pairs.tsv", out="runs/pairs")
    model = seq2see.load("runs/pairs")
    model.predict(["september 27, 1994"])[0].text

Importing seq2see does not import torch; `train` does, and `load` where PyTorch is installed and nobody asked for NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.errors import UserError
from seq2see.lazy import lazily
from seq2see.version import __version__

if TYPE_CHECKING:
    from seq2see.api import Model, train
    from seq2see.data import Pair
    from seq2see.inference.loading import load
    from seq2see.inference.results import Prediction
    from seq2see.pictures import attend

__all__ = ["Model", "Pair", "Prediction", "UserError", "__version__", "attend", "load", "train"]

_find = lazily(
    __name__,
    {
        "data": "Pair",
        "inference.results": "Prediction",
        "inference.loading": "load",
        "pictures": "attend",
        "api": "Model train",
    },
)


def __getattr__(name: str) -> object:
    try:
        return _find(name)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "jaxtyping"):
            raise
        raise UserError(f"seq2see.{name} needs {error.name}", fix='pip install "seq2see[train]"') from None
