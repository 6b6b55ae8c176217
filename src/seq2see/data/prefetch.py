"""Prefetching with threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

_JOBS_PER_WORKER = 2


def prefetch(work: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Generator[Result, None, None]:
    """The results of `work` for all jobs, in order, computed ahead by `workers` threads, or on demand if that is 0.

    At most two jobs per thread are queued. An exception of a job is raised in place of its result. The threads end with
    the iterator: close it if you leave it early.
    """
    if not workers:
        yield from map(work, jobs)
        return
    coming = iter(jobs)
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, "prefetch") as pool:
        try:
            waiting.extend(pool.submit(work, job) for job in islice(coming, _JOBS_PER_WORKER * workers))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(work, job) for job in islice(coming, 1))
        finally:
            pool.shutdown(cancel_futures=True)
