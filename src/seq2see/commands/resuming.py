"""A run that is resumed by its name alone: `seq2see train RUN --resume`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seq2see.errors import ConfigError
from seq2see.printable import quoted
from seq2see.run.folder import CONFIG


def of_named_run(data: Sequence[Path], out: Path | None, *, resume: bool) -> tuple[tuple[Path, ...], Path | None]:
    """The data and the folder of a run resumed by its name alone; else the same. ConfigError for a run as data."""
    if resume and not data and out is None:
        raise ConfigError("needs a run", where="--resume", fix="name it: seq2see train runs/NAME --resume")
    named = [out] if out is not None and not data else data if out is None else []
    if resume and len(named) == 1 and (config := named[0] / CONFIG).is_file():
        return (config,), named[0]
    for path in data:
        if (path / CONFIG).is_file():
            name = quoted(path)
            fix = f"resume it: seq2see train {name} --resume; or train on other pairs from it: --from {name}"
            raise ConfigError("is a run, not a file of pairs", where=str(path), fix=fix)
    return tuple(data), out
