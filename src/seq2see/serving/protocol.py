"""HTTP/1.1 as the service speaks it: bounds on each connection, and requests that are refused before they are read."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from seq2see.serving.batching import LONGEST_WAIT
from seq2see.serving.problems import MEDIA_TYPE, ProblemError
from seq2see.serving.service import Service

COMPUTED = frozenset({b"/v1/predict", b"/v1/score", b"/v1/stream"})
"""Paths of requests that go into the queue."""
KEEP_ALIVE_SECONDS = 75
"""In which a connection may be idle: longer than the usual balancer keeps one, so that it is the one that closes it."""
HEAD_BYTES = 64 * 1024
"""Of the request line and all headers."""
HEAD_SECONDS = 10.0
"""In which these have to arrive."""
FIRST_REQUEST_SECONDS = 0.5
"""In which the first request of a connection arrives that was made before the port was closed."""

PLACE_OF_ID = "refused-0000000000"
"""Stands in a response that is prepared once, and has the length of all ids of refused requests."""


class OneSend:
    """A transport that sends what is written in one turn of the event loop at once: head and body are written apart."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self.loop = loop
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send this at the end of the turn."""
        if not self.parts:
            self.loop.call_soon(self.flush)
        self.parts.append(data)

    def flush(self) -> None:
        """Send what was written."""
        if self.parts:
            data, self.parts = b"".join(self.parts), []
            self.transport.write(data)

    def close(self) -> None:
        """Send what was written, and close."""
        self.flush()
        self.transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 with bounds on the time and size of a request's head, so that slow clients only harm themselves."""

    service: Service
    """Set by the class that a server makes for itself."""
    head_bytes = 0
    in_head = in_body = False
    timer: asyncio.TimerHandle | None = None
    refusal: ProblemError | None = None
    """Why the request whose body arrives is refused."""
    is_inside = False
    """Whether the service counts a request of this connection among those it has to answer."""

    def connection_made(self, transport: Any) -> None:
        """Start the clock of the first head."""
        super().connection_made(OneSend(transport, self.loop))  # type: ignore[arg-type]
        self.start_timer()

    def start_timer(self) -> None:
        """Close the connection unless a head, or the body of a refused request, arrives in time."""
        if self.timer is None:
            self.timer = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def stop_timer(self) -> None:
        """It has arrived, or the connection is over."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self.stop_timer()
        self.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head, and start the clock if it isn't complete."""
        if not self.in_body:
            self.head_bytes += len(data)
            if self.head_bytes > HEAD_BYTES + len(data):  # the last part may be the body already
                self.send_400_response("The headers are too large.")
                return
        super().data_received(data)
        if self.in_head or self.refusal is not None:
            self.start_timer()
        else:
            self.stop_timer()

    def shutdown(self) -> None:
        """Called when the service stops: close the connection, but not under a first request that is on its way."""
        if self.cycle is None:
            self.loop.call_later(FIRST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        """The first byte of a request on this connection, or of the next one."""
        self.in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head has arrived."""
        self.in_head, self.in_body, self.head_bytes = False, True, 0
        self.refusal = self.refusal_of_head()
        if self.refusal is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body has arrived; that of a refused request is forgotten."""
        if self.refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The body has arrived; what follows is the next head."""
        self.in_body = False
        if self.refusal is None:
            if not self.cycle.response_complete:
                self.enter()
            super().on_message_complete()
            return
        self.refuse(self.refusal)
        self.refusal = None

    def refuse(self, problem: ProblemError) -> None:
        """Respond to a request that has arrived, and wait for the next one."""
        request_id = self.service.refused(self.url.decode("ascii"), problem)
        keep_alive = self.parser.should_keep_alive() and not self.service.is_draining
        self.transport.write(as_http(problem, keep_alive=keep_alive).replace(PLACE_OF_ID.encode(), request_id.encode()))
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive if keep_alive else 0, self.timeout_keep_alive_handler
        )

    def enter(self) -> None:
        """Count a request to compute something from now on, when it has arrived, until its response is complete."""
        if self.url in COMPUTED and not self.is_inside:
            self.is_inside = True
            self.service.num_inside += 1

    def leave(self) -> None:
        """Count it no longer."""
        if self.is_inside:
            self.is_inside = False
            self.service.num_inside -= 1

    def on_response_complete(self) -> None:
        """The response has been sent."""
        self.leave()
        super().on_response_complete()

    def refusal_of_head(self) -> ProblemError | None:
        """Why a request to compute something is refused already now, which costs a fifth of refusing it later.

        Pages of other origins need the headers of CORS to see why, `Expect` needs a response before the body, and the
        response before this one has to be complete.
        """
        if self.url not in COMPUTED or self.parser.get_method() != b"POST" or self.expect_100_continue:
            return None
        is_answering = bool(self.cycle) and not self.cycle.response_complete
        if is_answering or any(name == b"origin" for name, _ in self.headers):
            return None
        return self.service.refusal() if self.service.is_overloaded else None


@lru_cache(2 * LONGEST_WAIT)
def as_http(problem: ProblemError, *, keep_alive: bool) -> bytes:
    """The whole response to a refused request, with PLACE_OF_ID where its id has to stand."""
    body = msgspec.json.encode(problem.content(PLACE_OF_ID))
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": len(body),
        "X-Request-ID": PLACE_OF_ID,
        "Connection": "keep-alive" if keep_alive else "close",
        **problem.headers,
    }
    lines = [f"HTTP/1.1 {problem.status} {problem.title}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
