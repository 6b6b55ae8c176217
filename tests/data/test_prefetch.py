from __future__ import annotations

import threading
import time

import pytest

from seq2see.data.prefetch import prefetch


def alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    def work(job: int) -> int:
        time.sleep(0.002 * (job % 3))  # the later is often done before
        return job * job

    assert list(prefetch(work, range(20), workers)) == [job * job for job in range(20)]
    assert not alive()


def test_at_most_two_jobs_per_worker_are_prefetched() -> None:
    taken: list[int] = []

    def jobs():  # type: ignore[no-untyped-def]
        for job in range(100):
            taken.append(job)
            yield job

    results = prefetch(lambda job: job, jobs(), 2)
    assert next(results) == 0
    assert len(taken) == 4
    assert next(results) == 1
    assert len(taken) == 5
    results.close()
    assert not alive()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_is_raised_in_place_of_its_result(workers: int) -> None:
    def work(job: int) -> float:
        return 1 / (job - 3)

    results = prefetch(work, range(9), workers)
    assert [next(results) for _ in range(3)] == [-1 / 3, -1 / 2, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not alive()
