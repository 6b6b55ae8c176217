"""A service on a port of its own, in a thread, and a client that needs nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

EXTRA = ("starlette", "uvicorn", "httptools", "prometheus_client")


def require_extra() -> None:
    """Skips where the extra `serve` is not installed."""
    for name in EXTRA:
        pytest.importorskip(name, reason='needs pip install "seq2see[serve]"')


class Reply(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Server-sent events: name and content."""
        lines = [each.splitlines() for each in self.body.decode().split("\n\n") if each and not each.startswith(":")]
        return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in lines]


class Running:
    """A service that runs, and requests to it."""

    def __init__(self, app: Any, server: Any, port: int) -> None:
        self.app = app
        self.server = server
        self.port = port

    def ask(self, path: str, content: Any = None, *, method: str = "", headers: dict[str, str] | None = None) -> Reply:
        """The response to a request; `content` is sent as JSON, or as it is if it is bytes."""
        body = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
        own = {"Content-Type": "application/json"} if body is not None else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, {**own, **(headers or {})})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """The value of a line of /metrics."""
        lines = self.ask("/metrics").body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def eventually(holds: Callable[[], object], seconds: float = 10) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


@contextmanager
def running(models: dict[str, Path], **options: Any) -> Iterator[Running]:
    """A service of these models."""
    require_extra()
    from seq2see.serving.app import App
    from seq2see.serving.models import Models
    from seq2see.serving.options import ServiceOptions
    from seq2see.serving.server import Server, listening

    chosen = ServiceOptions(**{"port": 0, "reload_every": 0.0, **options})
    with tempfile.TemporaryDirectory() as folder:
        app = App(Models(models, chosen.engine, Path(folder)), chosen)
        listener = listening(chosen)
        server = Server(app, chosen)
        thread = threading.Thread(target=server.run, args=[[listener]])
        thread.start()
        eventually(lambda: server.started or not thread.is_alive(), seconds=60)
        try:
            yield Running(app, server, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def service(tiny_run: Path, tiny_language_run: Path) -> Iterator[Running]:
    """Two models with the usual options."""
    with running({"tiny": tiny_run, "language": tiny_language_run}) as found:
        yield found
