"""A running service: its models, its queue and its workers; and how a request waits for its results."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any

from starlette.types import Receive

from seq2see.errors import UserError
from seq2see.serving.batching import (
    LONGEST_WAIT,
    Answered,
    Batcher,
    DeadlineError,
    Event,
    Events,
    QueueClosedError,
    QueueFullError,
    Ticket,
    receive_at_once,
)
from seq2see.serving.logs import log
from seq2see.serving.metrics import Metrics
from seq2see.serving.models import Models, Served
from seq2see.serving.options import ServiceOptions
from seq2see.serving.problems import ProblemError
from seq2see.serving.work import Work
from seq2see.serving.workers import WorkerDiedError, WorkerProcess

MOST_LAG = 0.2
"""Seconds by which the event loop may be late; beyond that new requests are refused."""
LAG_EVERY = 0.02
"""Seconds between two measurements."""


class ClientGoneError(Exception):
    """Nobody waits for the response any more."""


class Service:
    """What all requests share."""

    def __init__(self, models: Models, options: ServiceOptions, metrics: Metrics) -> None:
        self.models = models
        self.options = options
        self.metrics = metrics
        self.is_draining = False
        self.lag = 0.0
        """Seconds by which the event loop is late."""
        self.num_inside = 0
        """Requests to compute something that have arrived and aren't answered: in the queue, or on the way there."""
        self._num_refused = 0
        self._next_log = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.batcher = Batcher(options.limits, num_workers=options.workers, post=self._post, observe=metrics.observe)
        self.workers = [
            WorkerProcess(
                models.folder / f"worker-{number}",
                options.batch,
                lambda: [served.snapshot for served in models],
                metrics.deaths.inc,
            )
            for number in range(options.workers)
        ]
        self.reader = ThreadPoolExecutor(1, "reading")
        """Reads requests of many or long texts beside the event loop, one after the other."""
        self._threads = [
            threading.Thread(target=self._use, args=[worker], name=worker.flags.name, daemon=True)
            for worker in self.workers
        ]
        for served in models:
            metrics.serves(served)

    @property
    def is_alive(self) -> bool:
        """Whether what is queued will be computed, perhaps once a worker has been started again."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def is_ready(self) -> bool:
        """Whether to send requests here."""
        return not self.is_draining and any(worker.is_alive for worker in self.workers)

    def _use(self, worker: WorkerProcess) -> None:
        """Let a worker compute, in its thread."""
        try:
            self.batcher.run(worker)
        finally:
            worker.close()

    def _post(self, events: Events) -> None:
        """Hand events from the thread of a worker to the event loop: one wake-up for all."""
        if events and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                self._loop.call_soon_threadsafe(receive_at_once, events)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Compute and look after the model files. WorkerDiedError if a worker can't be started."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.gather(*(asyncio.to_thread(worker.launch) for worker in self.workers))
        except BaseException:
            for worker in self.workers:
                worker.close()
            raise
        for thread in self._threads:
            thread.start()
        tasks = [asyncio.create_task(self._measure())]
        if self.options.reload_every:
            tasks.append(asyncio.create_task(self._look()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            self.batcher.abort()  # nobody waits any more
            self.stop()
            for thread in self._threads:
                await asyncio.to_thread(thread.join, 5)
            self.reader.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """End the workers at once."""
        for worker in self.workers:
            worker.stop()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self.options.reload_every)
            try:
                await asyncio.to_thread(self.models.look, self.report)
            except Exception as error:  # a bug, or memory: the old models stay
                log("reload failed", level=logging.ERROR, error=error)

    def report(self, name: str, found: Served | UserError) -> None:
        """Say that a replaced model file was loaded, or why it was refused."""
        if isinstance(found, UserError):
            self.metrics.reloads.labels(name, "refused").inc()
            self.metrics.stale.labels(name).set(1)
            where, what, fix = found.where, found.what, found.fix
            log("model refused", level=logging.ERROR, model=name, where=where, what=what, fix=fix)
            return
        self.metrics.reloads.labels(name, "loaded").inc()
        self.metrics.serves(found)
        log("model loaded", model=name, version=found.version)

    # --- requests ---

    @property
    def is_overloaded(self) -> bool:
        """Whether any request is refused now, before it is read: the queue is full, or the event loop can't keep up.

        What is on the way to the queue counts, since a burst arrives before its first request is queued. Requests that
        the event loop has not yet read wait too, and nothing of ours can count them.
        """
        return max(self.num_inside, self.batcher.num_requests) >= self.options.max_queue or self.lag > MOST_LAG

    def refusal(self) -> ProblemError:
        """Why requests are refused now."""
        return refusal_for(self.batcher.seconds_to_room)

    def refused(self, path: str, problem: ProblemError) -> str:
        """Count a request that was refused before it was read; its id.

        The log has one line per second, with their number: refusing has to cost little.
        """
        self._num_refused += 1
        self.metrics.of_refused(path, problem.status).inc()
        if (now := time.monotonic()) >= self._next_log:
            self._next_log = now + 1
            log("refusing", level=logging.WARNING, requests=self._num_refused, reason=problem.what)
        return f"refused-{self._num_refused:010}"

    async def _measure(self) -> None:
        """Measure the lag of the event loop."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(LAG_EVERY)
            self.lag = loop.time() - began - LAG_EVERY

    def ticket(
        self, work: Work, items: Sequence[Any], deadline: float, receive: Callable[[Event], None], **more: Any
    ) -> Ticket:
        """The ticket of these items, which fails at this time of the monotonic clock."""
        return Ticket(work, items, [work.cost(item) for item in items], deadline, receive, **more)

    def submit(self, ticket: Ticket) -> None:
        """Queue a request. ProblemError 503 if there is no room, or the service stops."""
        try:
            self.batcher.submit(ticket)
        except QueueFullError as error:
            raise full(error.seconds) from None
        except QueueClosedError as error:
            raise self.problem_of(error) from None
        self.show_queue()

    def show_queue(self) -> None:
        """Set the gauges of the queue."""
        self.metrics.queued.set(self.batcher.num_requests)
        self.metrics.queued_tokens.set(self.batcher.cost)

    def problem_of(self, error: BaseException) -> BaseException:
        """What to say of a request that failed; an error of ours stays what it is."""
        match error:
            case DeadlineError():
                self.metrics.given_up.labels("deadline").inc()
                return ProblemError(504, "no answer before the deadline", fix="ask for less, or try again later")
            case QueueClosedError():
                self.metrics.given_up.labels("stopped").inc()
                wait, fix = {"Retry-After": "1", "Connection": "close"}, "try again: another process answers"
                return ProblemError(503, "the service stops", fix=fix, headers=wait)
            case WorkerDiedError():
                what, fix = "the worker that computed this has died", "try again; if it happens again, ask for less"
                return ProblemError(503, what, fix=fix, headers={"Retry-After": "1"})
            case MemoryError():
                return ProblemError(503, "out of memory", fix="ask for less", headers={"Retry-After": "10"})
        return error

    async def results(self, work: Work, items: Sequence[Any], deadline: float, receive: Receive) -> list[Any]:
        """The result of each item. ProblemError if the request fails, ClientGoneError if its client has gone."""
        found: dict[int, Any] = {}
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def take(event: Event) -> None:
            if finished.done():
                return
            if isinstance(event, Exception):
                finished.set_exception(event)
            elif isinstance(event, Answered):
                found[event.item] = event.result
                if len(found) == len(items):
                    finished.set_result(None)

        ticket = self.ticket(work, items, deadline, take)
        self.submit(ticket)
        leaving = asyncio.create_task(gone(receive))
        leaving.add_done_callback(lambda task: None if task.cancelled() else take(ClientGoneError()))
        passing = asyncio.get_running_loop().call_later(deadline - time.monotonic(), take, DeadlineError())
        try:
            await finished
        except ClientGoneError:
            self.metrics.given_up.labels("client gone").inc()
            raise
        except (DeadlineError, QueueClosedError, WorkerDiedError, MemoryError) as error:
            raise self.problem_of(error) from None
        finally:
            leaving.cancel()
            passing.cancel()
            self.batcher.cancel(ticket)  # changes nothing once it is answered
            self.show_queue()
        return [found[index] for index in range(len(items))]


def full(seconds: int) -> ProblemError:
    """What to say where there is no room, but is likely to be some after so long."""
    fix = f"try again in {seconds} s"
    return ProblemError(503, "the queue is full", fix=fix, headers={"Retry-After": str(seconds)})


refusal_for = lru_cache(LONGEST_WAIT)(full)
"""The same object for as many seconds, for which a response is prepared once; it is never raised."""


async def gone(receive: Receive) -> None:
    """Returns once the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
