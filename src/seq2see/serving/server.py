"""The HTTP server of a service: its port, and how it stops."""

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

import uvicorn

from seq2see.console import say
from seq2see.errors import ConfigError
from seq2see.serving.app import App
from seq2see.serving.logs import log, open_log
from seq2see.serving.models import Models
from seq2see.serving.options import ServiceOptions
from seq2see.serving.protocol import KEEP_ALIVE_SECONDS, Protocol

BACKLOG = 2048
"""Connections that the system holds for us until they are accepted."""
AFTER_GRACE = 2.0
"""Seconds after the time of grace, for the last responses that say so."""
SWITCH_SECONDS = 0.0005
"""After which a thread lets the event loop go on; Python's usual 5 ms would be felt in every request."""


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
            for connection in list(self.server_state.connections):
                connection.transport.abort()  # from Python 3.12 on, the end of a server waits for its connections
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
