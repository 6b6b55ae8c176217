"""Seq2See trains sequence-to-sequence models on your own pairs, shows where they look, and ships them.

    import seq2see
    model = seq2see.train("pairs.tsv", out="runs/pairs")
    model = seq2see.load("runs/pairs")
    model.predict(["september 27, 1994"])[0].text

Importing seq2see doesn't import PyTorch, and neither does a model loaded for the CPU; `train`, `distill` and
`compare` do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.errors import CheckpointError, ConfigError, DataError, UserError
from seq2see.lazy import lazily
from seq2see.version import __version__

if TYPE_CHECKING:
    from seq2see.api.model import Model, attend, evaluate, load
    from seq2see.api.training import compare, cross_validate, distill, train, tune
    from seq2see.comparison import Comparison, CrossValidation
    from seq2see.data import Pair
    from seq2see.evaluation import EvaluationReport
    from seq2see.export.exporting import ExportedModel
    from seq2see.inference.options import GenerationOptions
    from seq2see.inference.results import PairScore, Prediction
    from seq2see.packing import PackedModel
    from seq2see.pictures.attention import Attention
    from seq2see.tuning import Tuning

__all__ = [
    "Attention",
    "CheckpointError",
    "Comparison",
    "ConfigError",
    "CrossValidation",
    "DataError",
    "EvaluationReport",
    "ExportedModel",
    "GenerationOptions",
    "Model",
    "PackedModel",
    "Pair",
    "PairScore",
    "Prediction",
    "Tuning",
    "UserError",
    "__version__",
    "attend",
    "compare",
    "cross_validate",
    "distill",
    "evaluate",
    "load",
    "train",
    "tune",
]

_find, __dir__ = lazily(
    __name__,
    {
        "api.model": "Model attend evaluate load",
        "api.training": "compare cross_validate distill train tune",
        "comparison": "Comparison CrossValidation",
        "data": "Pair",
        "export.exporting": "ExportedModel",
        "evaluation": "EvaluationReport",
        "inference.options": "GenerationOptions",
        "inference.results": "PairScore Prediction",
        "packing": "PackedModel",
        "pictures.attention": "Attention",
        "tuning": "Tuning",
    },
)


def __getattr__(name: str) -> object:
    try:
        return _find(name)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "jaxtyping"):
            raise
        raise UserError(f"seq2see.{name} needs {error.name}", fix='pip install "seq2see[train]"') from None
