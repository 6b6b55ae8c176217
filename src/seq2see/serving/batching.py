"""The queue of a service: requests that wait together are answered together. It knows neither HTTP nor models."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from seq2see.search.contract import Array, Ids, Mask

BATCH_COST = 2**14
"""Tokens times hypotheses from which on no text is added to a batch, so that none waits long for it."""
LONGEST_WAIT = 60
"""Seconds, the largest Retry-After."""
RECENT = 0.2
"""Weight of the last batch in the estimated speed."""


class QueueFullError(Exception):
    """The queue has no room, or a request would wait beyond its deadline."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full; room is likely in {seconds} s")
        self.seconds = seconds


class QueueClosedError(Exception):
    """The queue takes no more requests: the service stops."""


class DeadlineError(Exception):
    """The deadline of a request has passed."""


Work: TypeAlias = Hashable
"""What is computed of items. Requests with equal work are computed together."""


class Worker(Protocol):
    """What computes, one batch at a time."""

    given_up: Mask
    """For each item of a batch, whether nobody waits for it any more: it may then be left out."""

    def start(self) -> None:
        """Get ready to compute, unless it is."""
        ...

    def run(
        self, work: Any, items: Sequence[Any], wanted: Mask | None, chosen: Callable[[Ids, Ids, Array], None]
    ) -> Generator[list[tuple[int, Any]], None, None]:
        """Results as they are found, each with the number of its item among these.

        `chosen` is called with the tokens of the `wanted` items: numbers of items, ids and log-probabilities.
        """
        ...


class Answered(NamedTuple):
    """The result of one item of a request."""

    item: int
    result: Any


class Chosen(NamedTuple):
    """A token of the answer to one item, as it is found."""

    item: int
    id: int
    log_prob: float


Event: TypeAlias = Answered | Chosen | Exception
"""What becomes of a request; an exception is the last event."""


class Limits(NamedTuple):
    """How much may wait, and how much is computed together."""

    requests: int = 256
    """Accepted and not yet answered."""
    cost: int = 2**18
    """Tokens times hypotheses of these together."""
    batch: int = 64
    """Items computed together."""


@dataclass(eq=False)
class Ticket:
    """A request in the queue: items with the same work, which are answered in any order."""

    work: Work
    items: Sequence[Any]
    costs: Sequence[int]
    """Of each item, in tokens times hypotheses."""
    deadline: float
    """By the clock of the queue; what is not being computed by then fails. Whoever waits may cancel it later."""
    receive: Callable[[Event], None]
    """Is called with each event."""
    wants_tokens: bool = False
    is_over: bool = False
    """Answered, failed, expired or cancelled; nothing more is received."""
    order: int = 0
    waiting: deque[int] = field(init=False)
    """The indices of items that are not yet computed."""
    computed: list[tuple[Mask, int]] = field(init=False, default_factory=list)
    """Of each item that is being computed, the flags of its worker and its number among these."""
    cost: int = field(init=False)
    """Of all items without a result."""
    num_left: int = field(init=False)
    """Items without a result."""

    def __post_init__(self) -> None:
        self.waiting = deque(range(len(self.items)))
        self.cost, self.num_left = sum(self.costs), len(self.items)


Events: TypeAlias = list[tuple[Ticket, Event]]
Place: TypeAlias = tuple[Ticket, int]
"""An item by its request and its index there."""


def receive_at_once(events: Events) -> None:
    """Give each event to its ticket, in this thread."""
    for ticket, event in events:
        ticket.receive(event)


class Batch(NamedTuple):
    """What was computed together, for metrics."""

    num_items: int
    cost: int
    seconds: float


class Batcher:
    """The queue: `run` in a thread for each of its workers, all other methods in any thread.

    An item waits at most for the items before it: those of the oldest request are computed first, together with as many
    of other requests with equal work as fit; of several requests one item each in turn, and a request that is not yet
    complete goes to the end of the queue. `post` hands events to where they are received.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 (immutable)
        *,
        num_workers: int = 1,
        post: Callable[[Events], None] = receive_at_once,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[Batch], None] = lambda batch: None,
    ) -> None:
        self.limits = limits
        self.num_workers = num_workers
        self.post = post
        self.clock = clock
        self.observe = observe
        self.cost = 0
        """Of what is accepted and not answered yet."""
        self.speed = 0.0
        """Cost per second of one worker in the last batches; 0 before the first one."""
        self._is_closed = False
        self._open: set[Ticket] = set()
        self._waiting: dict[Work, deque[Ticket]] = {}
        self._orders = count()
        self._changed = threading.Condition()

    @property
    def num_requests(self) -> int:
        """Accepted and not yet answered."""
        return len(self._open)

    @property
    def is_full(self) -> bool:
        """Whether one more request is refused, whatever it asks."""
        return len(self._open) >= self.limits.requests

    @property
    def seconds_to_room(self) -> int:
        """After which a refused request is likely to be taken."""
        return max(1, min(LONGEST_WAIT, math.ceil(self.seconds_to_wait)))

    @property
    def seconds_to_wait(self) -> float:
        """How long a new request would wait, by the speed of the last batches."""
        return self.cost / (self.speed * self.num_workers) if self.speed else 0.0

    def submit(self, ticket: Ticket) -> None:
        """Queue a request; an empty queue takes one of any size.

        QueueFullError if there is no room, or it would wait beyond its deadline; QueueClosedError after `close`.
        """
        with self._changed:
            if self._is_closed:
                raise QueueClosedError("the service stops")
            is_large = self.cost + ticket.cost > self.limits.cost
            is_late = self.clock() + self.seconds_to_wait >= ticket.deadline
            if self.is_full or (self._open and (is_large or is_late)):
                raise QueueFullError(self.seconds_to_room)
            self._open.add(ticket)
            self.cost += ticket.cost
            ticket.order = next(self._orders)
            self._waiting.setdefault(ticket.work, deque()).append(ticket)
            self._changed.notify()

    def cancel(self, ticket: Ticket) -> None:
        """Give up a request: what is computed for it leaves the search at its next step."""
        with self._changed:
            self._end(ticket)

    def close(self) -> None:
        """Take no more requests; `run` returns once those that wait are answered."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Close, and let all requests fail with QueueClosedError; those being computed leave at the next step."""
        self.close()
        with self._changed:
            failed: Events = [(ticket, QueueClosedError("the service stops")) for ticket in list(self._open)]
            for ticket, _ in failed:
                self._end(ticket)
        self.post(failed)

    def run(self, worker: Worker) -> None:
        """Let a worker compute what waits, until the queue is closed and empty."""
        worker.start()
        while places := self._take():
            started, cost = self.clock(), sum(ticket.costs[index] for ticket, index in places)
            self._compute(worker, places)
            seconds = self.clock() - started
            speed = cost / max(seconds, 1e-6)
            with self._changed:
                self.speed = self.speed * (1 - RECENT) + speed * RECENT if self.speed else speed
            self.observe(Batch(len(places), cost, seconds))
            worker.start()

    # --- inside ---

    def _end(self, ticket: Ticket) -> bool:
        """Whether the ticket was not over yet; now it is. The lock is held."""
        if ticket.is_over:
            return False
        ticket.is_over = True
        for given_up, row in ticket.computed:
            given_up[row] = True
        self._open.discard(ticket)
        self.cost -= ticket.cost
        return True

    def _take(self) -> list[Place]:
        """The items to compute next; none if the queue is closed and empty."""
        places: list[Place] = []
        while not places:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if not self._waiting:
                    return []
                expired = self._fill(places)
            self.post(expired)
        return places

    def _fill(self, places: list[Place]) -> Events:
        """Move items of equal work to `places`; tickets whose deadline has passed are returned. The lock is held."""
        work = min(self._waiting, key=lambda each: self._waiting[each][0].order)
        queue, now, cost = self._waiting[work], self.clock(), 0
        expired: Events = []
        while queue and len(places) < self.limits.batch and cost < BATCH_COST:
            ticket = queue.popleft()
            if not ticket.is_over and now >= ticket.deadline:
                self._end(ticket)
                expired.append((ticket, DeadlineError()))
            if ticket.is_over:
                continue
            index = ticket.waiting.popleft()
            places.append((ticket, index))
            cost += ticket.costs[index]
            if ticket.waiting:
                ticket.order = next(self._orders)
                queue.append(ticket)
        if not queue:
            del self._waiting[work]
        return expired

    def _compute(self, worker: Worker, places: Sequence[Place], *, is_again: bool = False) -> None:
        """Compute these items; after an error again, request by request, so that only those fail that cause it."""
        done: set[int] = set()
        failure: Exception | None = None
        wanted = np.array([ticket.wants_tokens for ticket, _ in places])
        self._begin(worker, places)
        try:
            results = worker.run(
                places[0][0].work,
                [ticket.items[index] for ticket, index in places],
                wanted if wanted.any() else None,
                lambda *tokens: self._pass_on(places, *tokens),
            )
            with closing(results):
                for found in results:
                    done.update(number for number, _ in found)
                    self._answer(places, found)
        except Exception as error:  # a bug, memory, or a worker that died: the service goes on
            failure = error
        finally:
            self._finish(worker, places)
        left = [place for number, place in enumerate(places) if number not in done]
        tickets = dict.fromkeys(ticket for ticket, _ in left)
        if failure is not None and is_again:
            with self._changed:
                failed: Events = [(ticket, failure) for ticket in tickets if self._end(ticket)]
            self.post(failed)
        elif failure is not None:
            for ticket in tickets:
                if ticket.is_over:
                    continue
                self._compute(worker, [place for place in left if place[0] is ticket], is_again=True)

    def _begin(self, worker: Worker, places: Sequence[Place]) -> None:
        """From now on the worker is told which of these items nobody waits for."""
        with self._changed:
            for row, (ticket, _) in enumerate(places):
                worker.given_up[row] = ticket.is_over
                ticket.computed.append((worker.given_up, row))

    def _finish(self, worker: Worker, places: Sequence[Place]) -> None:
        """The worker is no longer told."""
        with self._changed:
            for ticket, _ in places:
                ticket.computed = [each for each in ticket.computed if each[0] is not worker.given_up]

    def _pass_on(self, places: Sequence[Place], rows: Ids, ids: Ids, log_probs: Array) -> None:
        """Hand tokens to those who want them."""
        events: Events = []
        for row, number, log_prob in zip(rows.tolist(), ids.tolist(), log_probs.tolist(), strict=True):
            ticket, index = places[row]
            if not ticket.is_over:
                events.append((ticket, Chosen(index, number, log_prob)))
        self.post(events)

    def _answer(self, places: Sequence[Place], found: Sequence[tuple[int, Any]]) -> None:
        """Hand results to those who wait for them."""
        events: Events = []
        with self._changed:
            for number, result in found:
                ticket, index = places[number]
                if ticket.is_over:
                    continue
                events.append((ticket, Answered(index, result)))
                ticket.cost -= ticket.costs[index]
                self.cost -= ticket.costs[index]
                ticket.num_left -= 1
                if not ticket.num_left:
                    self._end(ticket)
        self.post(events)
