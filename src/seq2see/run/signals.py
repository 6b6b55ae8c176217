"""When to stop early: after a signal, or when the launcher has died."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SAME_SIGNAL_SECONDS = 2.0
"""Two signals within this time count as one that arrived twice."""

PARENT_OF = {os.getpid(): os.getppid()}
"""The parent of this process, recorded at import: the launcher may be killed while the data are read."""


@contextmanager
def stop_on_signal(say: Callable[[str], None], *, is_launched: bool = False) -> Iterator[Callable[[], bool]]:
    """A function that says whether to stop: true after the first Ctrl-C or SIGTERM. A second signal ends the process.

    So does the first, if the function was never called: then there is no update yet that could be saved. With
    `is_launched` it doesn't, and a second signal within moments is ignored: launchers pass on signals that also reach
    the processes directly.
    """
    signals_at: list[float] = []
    has_begun = is_said = False
    parent = PARENT_OF.get(os.getpid(), os.getppid())  # a forked process has another parent

    def tell() -> None:
        nonlocal is_said
        # RuntimeError: the signal came while a line was being written, and the stream is not reentrant.
        with suppress(RuntimeError):
            say("stopping after this update; repeat to stop at once")
            is_said = True

    def handle(number: int, frame: object) -> None:
        if signals_at and is_launched and time.monotonic() - signals_at[0] < SAME_SIGNAL_SECONDS:
            return
        if signals_at or not (has_begun or is_launched):
            raise KeyboardInterrupt
        signals_at.append(time.monotonic())
        tell()

    def should_stop() -> bool:
        nonlocal has_begun, is_said
        has_begun = True
        if not signals_at and is_launched and os.getppid() != parent:
            # The job may be started again at any moment; this process must not train beside it.
            signals_at.append(time.monotonic())
            say("the launcher has died: stopping after this update")
            is_said = True
        if signals_at and not is_said:
            tell()
        return bool(signals_at)

    if threading.current_thread() is not threading.main_thread():
        yield should_stop  # only the main thread can handle signals
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield should_stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
