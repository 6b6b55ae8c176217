"""When to stop before the end: signals, and a launcher that is no longer there."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SAME_SIGNAL = 2.0
"""Seconds within which two signals are one that came on two ways."""

PARENTS = {os.getpid(): os.getppid()}
"""Who started this process, asked before anything that takes long: the launcher may be killed while data are read."""


@contextmanager
def stop_on_signal(say: Callable[[str], None], *, is_launched: bool = False) -> Iterator[Callable[[], bool]]:
    """A function that says whether to stop: after the first Ctrl-C or SIGTERM; a second ends at once.

    A launcher passes on to its processes what they have heard themselves (`is_launched`): within a moment that is one.
    """
    asked: list[float] = []
    parent = PARENTS.get(os.getpid(), os.getppid())  # a fork of who imported this was started by another

    def ask(number: int, frame: object) -> None:
        if asked and is_launched and time.monotonic() - asked[0] < SAME_SIGNAL:
            return
        if asked:
            raise KeyboardInterrupt
        asked.append(time.monotonic())
        # A signal that comes while a line is being written: the streams can't be entered twice.
        with suppress(RuntimeError):
            say("stopping after this update; once more to stop at once")

    def is_asked() -> bool:
        if not asked and is_launched and os.getppid() != parent:
            # It may be started again at any moment: who is left over must not train on beside it.
            asked.append(time.monotonic())
            say("what has started this process is gone: stopping after this update")
        return bool(asked)

    if threading.current_thread() is not threading.main_thread():
        yield is_asked  # only the main thread can listen to signals
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield is_asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
