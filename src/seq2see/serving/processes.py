"""The processes of a service: they share a port, stop when they are told to, and are started again if they die."""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from seq2see.console import say
from seq2see.errors import ConfigError
from seq2see.serving.app import App
from seq2see.serving.logs import log, open_log
from seq2see.serving.metrics import MULTIPLE
from seq2see.serving.models import Models
from seq2see.serving.options import ServiceOptions

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
"""After which the computing thread lets the event loop go on; Python's usual 5 ms would be felt in every request."""
RESTART_SECONDS = 1.0
"""Between two starts of a process that dies."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 with bounds on the time and size of a request's head, so that slow clients only harm themselves."""

    head_bytes = 0
    in_body = False
    head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock of the first head."""
        super().connection_made(transport)
        self.start_timer()

    def start_timer(self) -> None:
        """Close the connection unless a head arrives in time."""
        self.stop_timer()
        self.head_timer = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def stop_timer(self) -> None:
        """A head has arrived, or the connection is over."""
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self.stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head."""
        if not self.in_body:
            self.head_bytes += len(data)
            if self.head_bytes > HEAD_BYTES + len(data):  # the last part may be the body already
                self.send_400_response("The headers are too large.")
                return
        super().data_received(data)

    def shutdown(self) -> None:
        """Called when the service stops: close the connection, but not under a first request that is on its way."""
        if self.cycle is None:
            self.loop.call_later(FIRST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        """The first byte of a request on this connection, or of the next one."""
        super().on_message_begin()
        if self.head_timer is None:
            self.start_timer()

    def on_headers_complete(self) -> None:
        """The head has arrived."""
        self.in_body, self.head_bytes = True, 0
        self.stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body has arrived; what follows is the next head."""
        self.in_body = False
        super().on_message_complete()


class Server(uvicorn.Server):
    """A server that drains on SIGTERM and SIGINT, and then ends with exit code 0; a second signal ends it at once."""

    def __init__(self, app: App, options: ServiceOptions) -> None:
        super().__init__(
            uvicorn.Config(
                app.asgi,
                http=Protocol,
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
        """Called by a signal. Ctrl-C reaches all processes of a terminal; the first passes it on to the others."""
        if sig == signal.SIGINT and multiprocessing.parent_process() is not None:
            return
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
            return Protocol(self.config, self.server_state, self.lifespan.state, _loop=loop)

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
    models = Models.load_all(paths, options.engine)
    app = App(models, options) if options.workers == 1 else None
    if app is None:
        from seq2see.serving.access import Keys

        if options.api_key_file is not None:
            Keys.read(options.api_key_file)
    listener = listening(options)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    say(f"serving {', '.join(paths)} on http://{shown}:{port}{options.root_path} (Ctrl-C stops)")
    if app is not None:
        return run(app, options, listener)
    del models
    return supervise(paths, options, listener)


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


def run(app: App, options: ServiceOptions, listener: socket.socket) -> int:
    """Serve in this process."""
    open_log(options.log_format)
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(app, options)
    end_with_parent(server)
    log("serving", models=" ".join(f"{each.name}@{each.version}" for each in app.service.models))
    server.run(sockets=[listener])
    return 0 if server.started else 1


def end_with_parent(server: Server) -> None:
    """Stop when the process that started this one is gone, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        if server.stop_at is None:
            server.handle_exit(signal.SIGTERM, None)

    threading.Thread(target=wait, daemon=True).start()


def work(paths: Mapping[str, Path], options: ServiceOptions, listener: socket.socket) -> None:
    """One of several processes."""
    sys.exit(run(App(Models.load_all(paths, options.engine), options), options, listener))


def supervise(paths: Mapping[str, Path], options: ServiceOptions, listener: socket.socket) -> int:
    """Run several processes, start those again that die, and stop all when a signal comes."""
    open_log(options.log_format)
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, frame: stopping.append(received))
    context = multiprocessing.get_context("spawn")

    def started() -> SpawnProcess:
        process = context.Process(target=work, args=(dict(paths), options, listener))
        process.start()
        return process

    with tempfile.TemporaryDirectory(prefix="seq2see-metrics-") as folder:
        os.environ[MULTIPLE] = folder
        processes = [started() for _ in range(options.workers)]
        while not stopping:
            time.sleep(0.1)
            for place, process in enumerate(processes):
                if process.is_alive() or stopping:
                    continue
                log("process died", level=40, pid=process.pid, code=process.exitcode)
                forget(process.pid)
                time.sleep(RESTART_SECONDS)
                processes[place] = started()
        return stop_all(processes, options, lambda: len(stopping) > 1)


def stop_all(processes: list[SpawnProcess], options: ServiceOptions, is_urgent: Callable[[], bool]) -> int:
    """Pass the signal on, and wait until all have answered what they accepted; the exit code."""
    for process in processes:
        process.terminate()
    latest = time.monotonic() + options.drain + options.grace + 3 * AFTER_GRACE
    while any(process.is_alive() for process in processes) and time.monotonic() < latest and not is_urgent():
        time.sleep(0.05)
    for process in processes:
        if process.is_alive():
            process.kill()
        process.join()
    fine = (0, -signal.SIGTERM)  # the latter of a process that had not begun to listen
    return 0 if all(process.exitcode in fine for process in processes) else 1


def forget(pid: int | None) -> None:
    """Take the gauges of a process that died out of the sums."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
