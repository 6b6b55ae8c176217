"""Settings chosen by trials on dev: `seq2see tune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.tuning.result import Trial, Tuning
    from seq2see.tuning.space import Setting, space_of
    from seq2see.tuning.trials import Budget, tune

__all__ = ["Budget", "Setting", "Trial", "Tuning", "space_of", "tune"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "result": "Trial Tuning",
        "space": "Setting space_of",
        "trials": "Budget tune",
    },
)
