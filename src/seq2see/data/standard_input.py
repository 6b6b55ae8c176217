"""Standard input as a file. It can be read only once, so what came is kept for those that read a file again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

STDIN_FILE = Path("/dev/stdin")
"""What standard input is called where a file is named; the command takes - for it."""
_KEPT: list[tuple[BinaryIO, bytes]] = []


def content_of_stdin() -> bytes:
    """All of it, however often it is asked for."""
    if not is_stdin_read():
        _KEPT[:] = [(sys.stdin.buffer, sys.stdin.buffer.read())]
    return _KEPT[0][1]


def is_stdin_read() -> bool:
    """Whether it has been read as a file, so that nothing of it is left as a stream."""
    return bool(_KEPT) and _KEPT[0][0] is sys.stdin.buffer
