"""The working folder of a preparation: the request, and the results so far.

CORPUS.preparing/                beside the corpus during the preparation
CORPUS.preparing/asked.json      the request, and the version of seq2see
CORPUS.preparing/scan.000000.json, count.…, encode.…, ids.…    the result of each pass for each part
CORPUS.preparing/corpus, before  the corpus while it is assembled, and the corpus that it replaces
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from seq2see.corpus import parts
from seq2see.errors import CheckpointError, ConfigError
from seq2see.storage.files import read_file, write_file
from seq2see.storage.temporary import is_temporary
from seq2see.version import __version__

WORK = ".preparing"
ASKED, BY = "asked.json", "seq2see"
OURS = re.compile(
    r"(asked|codecs|(source|target)\.vocabulary)\.json|(scan|count|encode|ids)\.\d+(\.json)?|text\.\d+|corpus|before"
)
"""The names of all that is in a working folder."""
MAX_REQUEST_BYTES = 2**26
RESULTS = 3
"""The format of the results of the passes."""


def require_ours(work: Path) -> None:
    """ConfigError if the folder exists and is not a working folder, or holds anything else: it would be deleted."""
    if not os.path.lexists(work):
        return
    others = work.is_symlink() or not work.is_dir() or [path for path in work.iterdir() if not is_ours(path)]
    if others or not (is_request(work / ASKED) or all(map(is_temporary, work.iterdir()))):
        fix = "move it elsewhere, or choose another --out"
        raise ConfigError("exists and is not a working folder of seq2see prepare", where=str(work), fix=fix)


def is_ours(path: Path) -> bool:
    """Whether a file or folder has the name of something in a working folder."""
    return OURS.fullmatch(path.name) is not None or is_temporary(path)


def is_request(path: Path) -> bool:
    """Whether the file holds a request, as `open_work` writes it."""
    try:
        values = json.loads(read_file(path, MAX_REQUEST_BYTES))
    except (OSError, ValueError, RecursionError, CheckpointError):
        return False
    return isinstance(values, dict) and BY in values


def open_work(work: Path, request: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Create the working folder, or resume from it if the request is the same; otherwise empty it."""
    # Results are identified by the number of their part, and another version may compute different ones.
    by = {BY: __version__, "results": RESULTS, "part_bytes": parts.PART_BYTES}
    content = json.dumps({**request, **by}, indent=1).encode()
    path = work / ASKED
    # The results contain the names of the files, so here these must be equal too.
    if path.exists() and path.read_bytes() == content:
        done = len(list(work.glob("*.json"))) - 1
        say(f"resuming: {done:,} results found in {work}")
        return
    empty(work)
    write_file(path, content)


def remove_work(work: Path) -> None:
    """Remove the working folder, as far as possible."""
    with suppress(OSError):
        empty(work)
        work.rmdir()


def empty(work: Path) -> None:
    """Remove the content of the working folder; the file that identifies it comes last."""
    for path in sorted(work.iterdir(), key=lambda path: path.name == ASKED):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
