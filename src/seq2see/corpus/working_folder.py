"""The working folder of a preparation: what was asked, and what is done of it.

CORPUS.preparing/                beside the corpus while it is made
CORPUS.preparing/asked.json      what was asked, and by which version of what is here
CORPUS.preparing/look.000000.json, count.…, encode.…, ids.…    the result of each part and pass
CORPUS.preparing/corpus, before  what is put together at the end, and what it takes the place of
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from seq2see.corpus import parts
from seq2see.errors import ConfigError
from seq2see.storage.files import NEW_SUFFIX, sibling, write_file
from seq2see.version import __version__

WORK = ".preparing"
ASKED = "asked.json"


def require_ours(work: Path) -> None:
    """ConfigError where something else is in the place of the working folder: it would be removed."""
    if not work.exists() or (work / ASKED).is_file():
        return
    begun = {sibling(work / ASKED, NEW_SUFFIX).name}
    if not work.is_dir() or any(path.name not in begun for path in work.iterdir()):
        fix = "move it elsewhere, or choose another --out"
        raise ConfigError("exists and holds nothing of a preparation", where=str(work), fix=fix)


def begin_work(work: Path, asked: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """The working folder, empty but for what the same preparation has left there."""
    # Results are told by the number of their part, and another version may find others.
    by = {"seq2see": __version__, "part_bytes": parts.PART_BYTES}
    content = json.dumps({**asked, **by}, indent=1, ensure_ascii=False).encode()
    path = work / ASKED
    # The names of the files are part of what the parts say, so here they count too.
    if path.exists() and path.read_bytes() == content:
        done = len(list(work.glob("*.json"))) - 1
        say(f"goes on with what is done: {done:,} results in {work}")
        return
    empty(work)
    write_file(path, content)


def remove_work(work: Path) -> None:
    """Remove the working folder; what can't be removed now is in nobody's way."""
    with suppress(OSError):
        empty(work)
        work.rmdir()


def empty(work: Path) -> None:
    """Remove what is in the working folder, last what says that it is one."""
    for path in sorted(work.iterdir(), key=lambda path: path.name == ASKED):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
