"""The packages that metrics need and the base install lacks: imported when they are used, and missed in plain words."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from seq2see.errors import UserError


def needed(module: str, what: str) -> ModuleType:
    """The module, or a UserError that says what needs it and how it is installed."""
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise UserError(
            f"{what} needs the package {package}, which is not installed", fix='pip install "seq2see[metrics]"'
        ) from None
