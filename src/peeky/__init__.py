"""Peeky trains sequence-to-sequence models on your own pairs, shows where they look, and ships them.

    import peeky
    model = peeky.train("pairs.tsv", out="runs/pairs")
    model = peeky.load("runs/pairs")
    model.predict(["september 27, 1994"])[0].text

Importing peeky does not import torch; `train` does, and `load` where PyTorch is installed and nobody asked for NumPy.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from peeky.errors import UserError
from peeky.lazy import lazily

if TYPE_CHECKING:
    from peeky.api import train
    from peeky.data import Pair
    from peeky.loading import load
    from peeky.pictures import attend
    from peeky.prediction import Prediction
    from peeky.predictor import Model

__version__ = version("peeky")
__all__ = ["Model", "Pair", "Prediction", "UserError", "__version__", "attend", "load", "train"]

_find = lazily(
    __name__,
    {
        "predictor": "Model",
        "data": "Pair",
        "prediction": "Prediction",
        "loading": "load",
        "pictures": "attend",
        "api": "train",
    },
)


def __getattr__(name: str) -> object:
    try:
        return _find(name)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "jaxtyping"):
            raise
        raise UserError(f"peeky.{name} needs {error.name}", fix='pip install "peeky[train]"') from None
