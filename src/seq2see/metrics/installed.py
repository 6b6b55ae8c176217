"""Optional packages of the metrics, imported when they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from seq2see.errors import UserError


def require_package(module: str, what: str) -> ModuleType:
    """The module; UserError with `what` needs it and how to install it if it is missing."""
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise UserError(
            f"{what} needs the package {package}, which is not installed", fix='pip install "seq2see[metrics]"'
        ) from None
