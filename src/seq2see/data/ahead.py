"""Work done ahead of who needs it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

_JOBS_A_WORKER = 2


def ahead(work: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Generator[Result, None, None]:
    """What `work` makes of each job, in their order, by so many threads ahead of who asks; without any, when asked.

    No more than two jobs a thread are ahead. What a job raises comes where its result would. No thread outlives the
    iterator: who leaves it early closes it.
    """
    if not workers:
        yield from map(work, jobs)
        return
    coming = iter(jobs)
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, "ahead") as pool:
        try:
            waiting.extend(pool.submit(work, job) for job in islice(coming, _JOBS_A_WORKER * workers))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(work, job) for job in islice(coming, 1))
        finally:
            pool.shutdown(cancel_futures=True)
