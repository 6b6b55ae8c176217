"""The queue of a service: requests that wait together are answered together. It knows neither HTTP nor models."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from seq2see.inference.watching import Watch
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


class Work(Protocol):
    """What is computed. Requests with equal work are computed together."""

    def __hash__(self) -> int: ...

    def run(self, items: Sequence[Any], watch: Watch) -> Iterator[list[tuple[int, Any]]]:
        """The results of each batch with the numbers of their items among these."""
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
    """By the clock of the queue."""
    receive: Callable[[Event], None]
    """Is called with each event."""
    wants_tokens: bool = False
    is_over: bool = False
    """Answered, failed, expired or cancelled; nothing more is received."""
    order: int = 0
    waiting: deque[int] = field(init=False)
    """The indices of items that are not yet computed."""
    cost: int = field(init=False)
    """Of all items without a result."""
    num_left: int = field(init=False)
    """Items without a result."""

    def __post_init__(self) -> None:
        self.waiting = deque(range(len(self.items)))
        self.cost, self.num_left = sum(self.costs), len(self.items)


Events: TypeAlias = list[tuple[Ticket, Event]]


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
    """The queue and what computes it: `run` in a thread of its own, all other methods in any thread.

    An item waits at most for the items before it: those of the oldest request are computed first, together with as many
    of other requests with equal work as fit; of several requests one item each in turn, and a request that is not yet
    complete goes to the end of the queue. `post` hands events to where they are received.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 (immutable)
        *,
        post: Callable[[Events], None] = receive_at_once,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[Batch], None] = lambda batch: None,
    ) -> None:
        self.limits = limits
        self.post = post
        self.clock = clock
        self.observe = observe
        self.cost = 0
        """Of what is accepted and not answered yet."""
        self.speed = 0.0
        """Cost per second of the last batches; 0 before the first one."""
        self.num_given_up = 0
        """Counts up with each request that is given up, so that a batch looks at its requests only then."""
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

    def refusal(self) -> QueueFullError:
        """Why a request is refused, and when there is likely to be room."""
        return QueueFullError(max(1, min(LONGEST_WAIT, math.ceil(self.seconds_to_wait))))

    @property
    def seconds_to_wait(self) -> float:
        """How long a new request would wait, by the speed of the last batches."""
        return self.cost / self.speed if self.speed else 0.0

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
                raise self.refusal()
            self._open.add(ticket)
            self.cost += ticket.cost
            ticket.order = next(self._orders)
            self._waiting.setdefault(ticket.work, deque()).append(ticket)
            self._changed.notify()

    def cancel(self, ticket: Ticket) -> None:
        """Give up a request: what is computed for it leaves the search at its next step."""
        with self._changed:
            self.num_given_up += self._end(ticket)

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
            self.num_given_up += 1
        self.post(failed)

    def run(self) -> None:
        """Compute what waits, until the queue is closed and empty."""
        while places := self._take():
            started, cost = self.clock(), sum(ticket.costs[index] for ticket, index in places)
            self._compute(places)
            seconds = self.clock() - started
            speed = cost / max(seconds, 1e-6)
            self.speed = self.speed * (1 - RECENT) + speed * RECENT if self.speed else speed
            self.observe(Batch(len(places), cost, seconds))

    # --- inside ---

    def _end(self, ticket: Ticket) -> bool:
        """Whether the ticket was not over yet; now it is. The lock is held."""
        if ticket.is_over:
            return False
        ticket.is_over = True
        self._open.discard(ticket)
        self.cost -= ticket.cost
        return True

    def _take(self) -> list[tuple[Ticket, int]]:
        """The items to compute next, each with its ticket; none if the queue is closed and empty."""
        places: list[tuple[Ticket, int]] = []
        while not places:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if not self._waiting:
                    return []
                expired = self._fill(places)
            self.post(expired)
        return places

    def _fill(self, places: list[tuple[Ticket, int]]) -> Events:
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

    def _compute(self, places: Sequence[tuple[Ticket, int]]) -> None:
        """Compute these items. An error fails the requests that cause it, and not those in their company."""
        company = _Company(self, places)
        done: set[int] = set()
        try:
            items = [ticket.items[index] for ticket, index in places]
            for results in places[0][0].work.run(items, company):
                events: Events = []
                with self._changed:
                    for number, result in results:
                        done.add(number)
                        ticket, index = places[number]
                        if ticket.is_over:
                            continue
                        events.append((ticket, Answered(index, result)))
                        ticket.cost -= ticket.costs[index]
                        self.cost -= ticket.costs[index]
                        ticket.num_left -= 1
                        if not ticket.num_left:
                            self._end(ticket)
                if events:
                    self.post(events)
        except Exception as error:  # a bug, or memory: the service goes on
            left = [place for number, place in enumerate(places) if number not in done and not place[0].is_over]
            tickets = dict.fromkeys(ticket for ticket, _ in left)
            if len(tickets) > 1 or (left and len(left) < len(places)):
                for ticket in tickets:
                    self._compute([place for place in left if place[0] is ticket])
            else:
                with self._changed:
                    failed: Events = [(ticket, error) for ticket in tickets if self._end(ticket)]
                self.post(failed)


class _Company:
    """The watch of items that are computed together."""

    def __init__(self, batcher: Batcher, places: Sequence[tuple[Ticket, int]]) -> None:
        self.batcher = batcher
        self.places = places
        self.seen = batcher.num_given_up
        self.next_deadline = min(ticket.deadline for ticket, _ in places)
        self.gone: Mask = np.zeros(len(places), bool)
        self.any_gone = False
        self.any_tokens = any(ticket.wants_tokens for ticket, _ in places)

    def given_up(self, rows: Ids) -> Mask | None:
        """Those of requests that are over: cancelled, or past their deadline, which they are told."""
        if self.batcher.num_given_up != self.seen or self.batcher.clock() >= self.next_deadline:
            self._look()
        return self.gone[rows] if self.any_gone else None

    def _look(self) -> None:
        batcher, now = self.batcher, self.batcher.clock()
        self.seen = batcher.num_given_up
        with batcher._changed:
            late = dict.fromkeys(ticket for ticket, _ in self.places if now >= ticket.deadline)
            expired: Events = [(ticket, DeadlineError()) for ticket in late if batcher._end(ticket)]
        self.gone = np.array([ticket.is_over for ticket, _ in self.places])
        self.any_gone = bool(self.gone.any())
        self.next_deadline = min((each.deadline for each, _ in self.places if now < each.deadline), default=math.inf)
        if expired:
            batcher.post(expired)

    def chosen(self, rows: Ids, ids: Ids, log_probs: Array) -> None:
        """Pass on the tokens of those who want them."""
        if not self.any_tokens:
            return
        events: Events = []
        for row, number, log_prob in zip(rows.tolist(), ids.tolist(), log_probs.tolist(), strict=True):
            ticket, index = self.places[row]
            if ticket.wants_tokens and not ticket.is_over:
                events.append((ticket, Chosen(index, number, log_prob)))
        if events:
            self.batcher.post(events)
