"""The verb that prepares a corpus."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from seq2see.commands.options import Settings
from seq2see.errors import ConfigError


def prepare(
    *data: Path,
    out: Path,
    dev: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    model: str | None = None,
    set_: Settings = None,
    workers: Annotated[int, Parameter(help="Processes; as many as there are cores where nothing is said.")] = 0,
    skip_bad: Annotated[bool, Parameter(help="Go on without the lines that can't be used.")] = False,
) -> int:
    """Prepare pairs of any number as a corpus that `seq2see train` reads from the disk as it needs them.

    The same command goes on after an interruption, and does nothing where nothing has changed.

    Parameters
    ----------
    data
        One file of pairs, or two parallel files.
    out
        The folder of the corpus.
    dev
        Pairs to try models on; without it a part of the data is set aside.
    model
        The architecture that it is for: a language model reads one column.
    """
    from seq2see.config import make_config, parse_setting
    from seq2see.corpus import prepare_corpus

    settings: dict[str, Any] = dict(parse_setting(setting) for setting in set_ or ())
    for key in settings:
        if key.partition(".")[0] not in ("text", "data") or key in ("data.train", "data.dev", "data.workers"):
            fix = "set options of the text here (text.…) or data.dev_share; all others when training"
            raise ConfigError(f"{key} changes nothing here", where="--set", fix=fix)
    if dev == []:
        raise ConfigError("no file follows it", where="--dev", fix="name the file of dev pairs, or leave --dev out")
    if workers < 0:
        raise ConfigError(f"{workers} is no number of processes", where="--workers", fix="give 1 or more")
    settings["data.train"] = [str(path.absolute()) for path in data]
    settings["data.dev"] = [str(path.absolute()) for path in dev or ()]
    if model is not None:
        settings["model.name"] = model
    if skip_bad:
        settings["data.skip_bad"] = True
    prepare_corpus(make_config({}, settings), out, workers=workers or os.cpu_count() or 1)
    more = "" if model is None else f" --model {shlex.quote(model)}"
    print(f"train on it: seq2see train {shlex.quote(str(out))}{more}", file=sys.stderr)
    return 0
