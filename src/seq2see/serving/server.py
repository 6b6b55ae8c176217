"""The HTTP server of a service: what it bounds of its connections, and how it stops."""

from __future__ import annotations

import asyncio
import math
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from seq2see.console import say
from seq2see.errors import ConfigError
from seq2see.serving.app import App
from seq2see.serving.logs import log, open_log
from seq2see.serving.models import Models
from seq2see.serving.options import ServiceOptions
from seq2see.serving.problems import MEDIA_TYPE, ProblemError
from seq2see.serving.service import Service

COMPUTED = frozenset({b"/v1/predict", b"/v1/score", b"/v1/stream"})
"""Paths of requests that go into the queue."""
KEEP_ALIVE_SECONDS = 75
"""In which a connection may be idle: longer than the usual balancer keeps one, so that it is the one that closes it."""
BACKLOG = 2048
"""Connections that the system holds for us until they are accepted."""
HEAD_BYTES = 64 * 1024
"""Of the request line and all headers."""
HEAD_SECONDS = 10.0
"""In which these have to arrive."""
AFTER_GRACE = 2.0
"""Seconds after the time of grace, for the last responses that say so."""
FIRST_REQUEST_SECONDS = 0.5
"""In which the first request of a connection arrives that was made before the port was closed."""
SWITCH_SECONDS = 0.0005
"""After which a thread lets the event loop go on; Python's usual 5 ms would be felt in every request."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 with bounds on the time and size of a request's head, so that slow clients only harm themselves."""

    service: Service
    """Set by the class that a server makes for itself."""
    head_bytes = 0
    in_head = in_body = False
    timer: asyncio.TimerHandle | None = None
    refusal: ProblemError | None = None
    """Why the request whose body arrives is refused."""

    def connection_made(self, transport: Any) -> None:
        """Start the clock of the first head."""
        super().connection_made(transport)
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
            super().on_message_complete()
            return
        request_id = self.service.refused(self.url.decode("ascii"), self.refusal)
        keep_alive = self.parser.should_keep_alive() and not self.service.is_draining
        self.transport.write(as_http(self.refusal, request_id, keep_alive=keep_alive))
        self.refusal = None
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive if keep_alive else 0, self.timeout_keep_alive_handler
        )

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
        return self.service.refusal()


def as_http(problem: ProblemError, request_id: str, *, keep_alive: bool) -> bytes:
    """The whole response to a refused request."""
    body = msgspec.json.encode(problem.content(request_id))
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": len(body),
        "X-Request-ID": request_id,
        "Connection": "keep-alive" if keep_alive else "close",
        **problem.headers,
    }
    lines = [f"HTTP/1.1 {problem.status} {problem.title}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Server(uvicorn.Server):
    """A server that drains on SIGTERM and SIGINT, and then ends with exit code 0; a second signal ends it at once."""

    def __init__(self, app: App, options: ServiceOptions) -> None:
        self.protocol = type("ServiceProtocol", (Protocol,), {"service": app.service})
        super().__init__(
            uvicorn.Config(
                app.asgi,
                http=self.protocol,
                loop="asyncio",  # uvloop accepts one connection per turn, so that many wait unseen under load
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                root_path=options.root_path,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=math.ceil(options.grace + AFTER_GRACE),
            )
        )
        self.service = app.service
        self.stop_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal."""
        if self.stop_at is not None:
            self.should_exit = self.force_exit = True
            return
        self.service.is_draining = True
        self.stop_at = time.monotonic() + self.service.options.drain

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; whether to stop."""
        if self.stop_at is not None and time.monotonic() >= self.stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port, answer what is accepted, and let fail what is left after the time of grace."""
        log("stopping", waiting=self.service.batcher.num_requests)
        await self.close_port(sockets or [])
        asyncio.get_running_loop().call_later(self.service.options.grace, self.service.batcher.abort)
        await super().shutdown(sockets)
        log("stopped")

    async def close_port(self, sockets: list[socket.socket]) -> None:
        """Take all connections that the system has accepted for us, which would be reset otherwise, and close."""
        pending = [connection for listener in sockets for connection in accepted(listener)]
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            found: asyncio.Protocol = self.protocol(self.config, self.server_state, self.lifespan.state, _loop=loop)
            return found

        for connection in pending:
            await loop.connect_accepted_socket(protocol, connection)


def accepted(listener: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait at a socket."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # there is none, or it has gone
            return
        connection.setblocking(False)
        yield connection


def serve(paths: Mapping[str, Path], options: ServiceOptions) -> int:
    """Serve these models until a signal comes; the exit code.

    UserError for a model that can't be loaded, a file of keys that can't be read, and an address that is not free.
    """
    with shared_folder() as folder:
        app = App(Models(paths, options.engine, Path(folder)), options)
        listener = listening(options)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        say(f"serving {', '.join(paths)} on http://{shown}:{port}{options.root_path} (Ctrl-C stops)")
        open_log(options.log_format)
        sys.setswitchinterval(SWITCH_SECONDS)
        log("serving", models=" ".join(f"{each.name}@{each.version}" for each in app.service.models))
        server = Server(app, options)
        try:
            server.run(sockets=[listener])
        finally:
            app.service.stop()  # a second signal leaves without a word
    return 0 if server.started else 1


def shared_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for the files that the processes share. ConfigError if there is no place for it."""
    try:
        return tempfile.TemporaryDirectory(prefix="seq2see-", ignore_cleanup_errors=True)
    except OSError as error:
        what = f"no folder for temporary files can be written: {error.strerror}"
        raise ConfigError(what, where="seq2see serve", fix="set TMPDIR to one that can") from None


def listening(options: ServiceOptions) -> socket.socket:
    """The socket of the address. ConfigError if it is not ours to have."""
    where = f"--host {options.host} --port {options.port}"
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio lets Nagle wait
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((options.host, options.port))
        found.listen(BACKLOG)
    except OSError as error:
        fix = "give another --port, or 0 for any that is free; --host is an address of this machine"
        raise ConfigError(f"can't listen: {error.strerror or error}", where=where, fix=fix) from None
    found.setblocking(False)
    return found
