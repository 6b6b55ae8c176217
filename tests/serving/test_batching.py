"""The queue without HTTP and without a model: what is answered together, what is refused, and what is given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from seq2see.serving.batching import (
    Answered,
    Batcher,
    Chosen,
    DeadlineError,
    Event,
    Limits,
    QueueClosedError,
    QueueFullError,
    Ticket,
)
from seq2see.serving.workers import BatchWatch


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Doubling:
    """Work on numbers, which it doubles in some steps; remembers what it was given together."""

    num_steps: int = 1
    during: Callable[[int], None] = lambda step: None
    batches: list[list[int]] = field(default_factory=list)
    live: list[int] = field(default_factory=list)
    """Rows of each step."""

    def compute(self, items: Sequence[int], watch: BatchWatch) -> Iterator[list[tuple[int, int]]]:
        self.batches.append(list(items))
        if any(item < 0 for item in items):
            raise ValueError("negative")
        rows = np.arange(len(items))
        for step in range(self.num_steps):
            self.during(step)
            gone = watch.given_up(rows)
            if gone is not None:
                rows = rows[~gone]
            self.live.append(len(rows))
            watch.chosen(rows, rows + step, -1.0 * rows)
        yield [(number, 2 * item) for number, item in enumerate(items)]


class InThisThread:
    """A worker without a process."""

    def __init__(self) -> None:
        self.given_up = np.zeros(64, bool)
        self.num_starts = 0

    def start(self) -> None:
        self.num_starts += 1

    def run(
        self, work: Doubling, items: Sequence[int], wanted: Any, chosen: Callable[..., None]
    ) -> Generator[list[tuple[int, int]], None, None]:
        yield from work.compute(items, BatchWatch(self.given_up, wanted, chosen))


def ticket(
    work: Any, items: Sequence[int], *, deadline: float = 1e9, cost: int = 1, **more: Any
) -> tuple[Ticket, list]:
    events: list[Event] = []
    return Ticket(work, items, [cost] * len(items), deadline, events.append, **more), events


def answers(events: Sequence[Event]) -> dict[int, Any]:
    return {event.item: event.result for event in events if isinstance(event, Answered)}


def finish(batcher: Batcher) -> None:
    """Compute all that waits, in this thread."""
    batcher.close()
    batcher.run(InThisThread())


def test_requests_with_equal_work_are_computed_together() -> None:
    one, other, batcher = Doubling(), Doubling(), Batcher()
    asked = [(work, ticket(work, [number])) for number, work in enumerate([one, other, one, one])]
    for _, (each, _) in asked:
        batcher.submit(each)
    finish(batcher)
    assert (one.batches, other.batches) == ([[0, 2, 3]], [[1]])
    assert [answers(events) for _, (_, events) in asked] == [{0: 0}, {0: 2}, {0: 4}, {0: 6}]
    assert (batcher.num_requests, batcher.cost) == (0, 0)


def test_a_batch_has_at_most_so_many_items_and_so_much_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    work, batcher = Doubling(), Batcher(Limits(batch=3))
    batcher.submit(ticket(work, range(7))[0])
    finish(batcher)
    assert [len(batch) for batch in work.batches] == [3, 3, 1]
    monkeypatch.setattr("seq2see.serving.batching.BATCH_COST", 20)
    work, batcher = Doubling(), Batcher()
    batcher.submit(ticket(work, range(5), cost=10)[0])
    finish(batcher)
    assert [len(batch) for batch in work.batches] == [2, 2, 1]


def test_many_texts_of_one_request_do_not_hold_up_the_requests_behind_it() -> None:
    work, other, batcher = Doubling(), Doubling(), Batcher(Limits(batch=4))
    order: list[str] = []
    work.during = lambda step: order.append("work")
    other.during = lambda step: order.append("other")
    batcher.submit(ticket(work, range(100, 110))[0])
    batcher.submit(ticket(work, [1])[0])
    batcher.submit(ticket(other, [2])[0])
    finish(batcher)
    assert 1 in work.batches[0], "it shares the first batch"
    assert order[:2] == ["work", "other"], "a request that is not complete goes to the end"
    assert sorted(item for batch in work.batches for item in batch) == [1, *range(100, 110)]


def test_a_full_queue_refuses_and_says_when_to_come_again() -> None:
    clock = Clock()
    work = Doubling(during=lambda step: setattr(clock, "now", clock.now + 2))
    batcher = Batcher(Limits(requests=2, cost=100), clock=clock)
    batcher.submit(ticket(work, [1], cost=20)[0])
    batcher.submit(ticket(work, [1], cost=20)[0])
    with pytest.raises(QueueFullError) as caught:
        batcher.submit(ticket(work, [1])[0])
    assert caught.value.seconds == 1, "the speed is not known yet"
    batcher._compute(InThisThread(), batcher._take())
    batcher.speed = 10
    batcher.submit(ticket(work, [1], cost=90)[0])
    with pytest.raises(QueueFullError) as caught:
        batcher.submit(ticket(work, [1], cost=11)[0])
    assert caught.value.seconds == 9
    assert batcher.cost == 90


def test_an_empty_queue_takes_a_request_of_any_size() -> None:
    batcher = Batcher(Limits(cost=10))
    large, events = ticket(Doubling(), [1, 2], cost=100, deadline=0.5)
    batcher.clock = Clock()
    batcher.speed = 1
    batcher.submit(large)
    finish(batcher)
    assert answers(events) == {0: 2, 1: 4}


def test_a_request_that_would_wait_beyond_its_deadline_is_refused_at_once() -> None:
    batcher = Batcher(clock=Clock())
    batcher.submit(ticket(Doubling(), [1], cost=100)[0])
    batcher.speed = 10
    with pytest.raises(QueueFullError) as caught:
        batcher.submit(ticket(Doubling(), [1], deadline=9)[0])
    assert caught.value.seconds == 10
    batcher.submit(ticket(Doubling(), [1], deadline=11)[0])


def test_what_waits_beyond_its_deadline_is_not_computed() -> None:
    clock, work = Clock(), Doubling()
    batcher = Batcher(clock=clock)
    late, events = ticket(work, [1, 2], deadline=5)
    in_time, others = ticket(work, [3], deadline=50)
    batcher.submit(late)
    batcher.submit(in_time)
    clock.now = 6
    finish(batcher)
    assert [type(event) for event in events] == [DeadlineError]
    assert (answers(others), work.batches) == ({0: 6}, [[3]])


def test_what_is_cancelled_leaves_the_computation_at_its_next_step() -> None:
    batcher = Batcher()
    work = Doubling(num_steps=4, during=lambda step: batcher.cancel(gone) if step == 2 else None)
    gone, events = ticket(work, [1, 2])
    stays, others = ticket(work, [3])
    batcher.submit(gone)
    batcher.submit(stays)
    finish(batcher)
    assert work.live == [3, 3, 1, 1]
    assert (answers(events), answers(others)) == ({}, {0: 6})
    assert (batcher.num_requests, batcher.cost) == (0, 0)


def test_what_is_cancelled_after_an_error_leaves_its_own_computation_alone() -> None:
    batcher = Batcher()
    asked = [ticket(None, [number]) for number in (1, 2, 3)]

    def during(step: int) -> None:
        if len(work.batches) == 1:
            raise ValueError("together")
        if work.batches[-1] == [1]:
            batcher.cancel(asked[1][0])

    work = Doubling(num_steps=2, during=during)
    for each, _ in asked:
        each.work = work
        batcher.submit(each)
    finish(batcher)
    assert work.batches == [[1, 2, 3], [1], [3]]
    assert work.live == [1, 1, 1, 1], "the second request was row 1 before, and nobody is now"
    assert [answers(events) for _, events in asked] == [{0: 2}, {}, {0: 6}]


def test_a_request_is_computed_by_several_workers_and_given_up_by_all() -> None:
    work, batcher = Doubling(), Batcher(Limits(batch=2), num_workers=2)
    large, _ = ticket(work, range(5))
    batcher.submit(large)
    workers = [InThisThread(), InThisThread()]
    for each in workers:
        batcher._begin(each, batcher._take())
    batcher.cancel(large)
    assert [each.given_up.sum() for each in workers] == [2, 2]


def test_a_worker_is_started_before_each_batch() -> None:
    work, batcher, worker = Doubling(), Batcher(Limits(batch=1)), InThisThread()
    batcher.submit(ticket(work, [1, 2])[0])
    batcher.close()
    batcher.run(worker)
    assert worker.num_starts == 3


def test_cancelling_before_and_after_an_answer_changes_nothing_else() -> None:
    work, batcher = Doubling(), Batcher()
    gone, events = ticket(work, [1])
    stays, others = ticket(work, [2])
    batcher.submit(gone)
    batcher.submit(stays)
    batcher.cancel(gone)
    assert batcher.num_requests == 1
    finish(batcher)
    batcher.cancel(stays)
    batcher.cancel(stays)
    assert (work.batches, events, answers(others), batcher.num_requests, batcher.cost) == ([[2]], [], {0: 4}, 0, 0)


def test_tokens_go_to_those_who_want_them() -> None:
    work, batcher = Doubling(num_steps=2), Batcher()
    silent, events = ticket(work, [5])
    wants, others = ticket(work, [7], wants_tokens=True)
    batcher.submit(silent)
    batcher.submit(wants)
    finish(batcher)
    assert [type(event) for event in events] == [Answered]
    assert others == [Chosen(0, 1, -1.0), Chosen(0, 2, -1.0), Answered(0, 14)]


def test_an_error_fails_the_request_that_causes_it_and_no_other() -> None:
    work, batcher = Doubling(), Batcher()
    asked = [ticket(work, [number]) for number in (1, -2, 3)]
    for each, _ in asked:
        batcher.submit(each)
    finish(batcher)
    assert [answers(events) for _, events in asked] == [{0: 2}, {}, {0: 6}]
    assert isinstance(asked[1][1][0], ValueError)
    assert (batcher.num_requests, batcher.cost) == (0, 0)


def test_a_closed_queue_answers_what_waits_and_takes_no_more() -> None:
    work, batcher = Doubling(), Batcher()
    waits, events = ticket(work, [1])
    batcher.submit(waits)
    batcher.close()
    with pytest.raises(QueueClosedError):
        batcher.submit(ticket(work, [2])[0])
    batcher.run(InThisThread())
    assert answers(events) == {0: 2}


def test_when_the_time_is_up_what_waits_fails() -> None:
    work, batcher = Doubling(), Batcher()
    waits, events = ticket(work, [1])
    batcher.submit(waits)
    batcher.abort()
    batcher.run(InThisThread())
    assert [type(event) for event in events] == [QueueClosedError]
    assert (work.batches, batcher.num_requests) == ([], 0)


def test_when_the_time_is_up_what_is_computed_is_given_up_at_its_next_step() -> None:
    batcher = Batcher()
    work = Doubling(num_steps=3, during=lambda step: batcher.abort() if step == 1 else None)
    runs, events = ticket(work, [1])
    batcher.submit(runs)
    batcher.run(InThisThread())
    assert work.live == [1, 0, 0]
    assert [type(event) for event in events] == [QueueClosedError]


def test_from_many_threads_every_request_is_answered_once() -> None:
    work, batcher = Doubling(), Batcher(Limits(batch=8))
    computing = [threading.Thread(target=batcher.run, args=[InThisThread()]) for _ in range(2)]
    for each in computing:
        each.start()
    asked: list[tuple[list[int], list[Event]]] = []

    def ask(seed: int) -> None:
        for number in range(50):
            items = [seed * 1000 + number, number]
            each, events = ticket(work, items)
            asked.append((items, events))
            batcher.submit(each)
            if number % 5 == 0:
                time.sleep(0.001)

    threads = [threading.Thread(target=ask, args=[seed]) for seed in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    batcher.close()
    for each in computing:
        each.join(30)
        assert not each.is_alive()
    assert len(asked) == 200
    for items, events in asked:
        assert [event for event in events if isinstance(event, Exception)] == []
        assert answers(events) == {index: 2 * item for index, item in enumerate(items)}
    assert (batcher.num_requests, batcher.cost) == (0, 0)
    assert batcher.speed > 0
