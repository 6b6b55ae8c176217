"""The outermost layer of a service: what every request gets, whatever it asks."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from random import Random

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2see.serving.access import Keys, header, path_of, require_host, require_key
from seq2see.serving.logs import log
from seq2see.serving.metrics import Metrics
from seq2see.serving.options import ServiceOptions
from seq2see.serving.problems import MEDIA_TYPE, ProblemError

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
CLIENT_GONE = 499
"""The status in log and metrics of a request whose client has gone; nginx calls it so."""
QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Paths that are asked every few seconds, and logged only if something is wrong."""

_IDS = Random()
"""The system's random numbers would give up Python's lock for each request, while a worker's thread waits for it."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Edge:
    """Gives a request its id, checks host and key, and counts and logs it once the response has ended."""

    def __init__(
        self,
        app: ASGIApp,
        options: ServiceOptions,
        keys: Keys | None,
        metrics: Metrics,
        known: Callable[[str], bool],
        is_draining: Callable[[], bool],
    ) -> None:
        self.app = app
        self.options = options
        self.keys = keys
        self.metrics = metrics
        self.known = known
        self.is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = path_of(scope)
        started = time.perf_counter()
        status, is_complete = CLIENT_GONE, False
        given = header(scope, b"x-request-id")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"{_IDS.getrandbits(128):032x}"
        state = scope.setdefault("state", {})
        state["request_id"], state["fields"] = request_id, {}

        async def send_on(message: Message) -> None:
            nonlocal status, is_complete
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                if self.is_draining():
                    headers["Connection"] = "close"
            elif message["type"] == "http.response.body":
                is_complete = not message.get("more_body", False)
            await send(message)

        try:
            try:
                require_host(scope, self.options.hosts)
                state["fields"]["key"] = require_key(scope, self.keys)
                await self.app(scope, receive, send_on)
            except ProblemError as problem:
                await response_to(problem, request_id)(scope, receive, send_on)
            except Exception as error:  # a bug of ours, to which the application has answered if it could
                log("error", level=logging.ERROR, error=error, request_id=request_id, path=path)
                if not is_complete:
                    raise
        finally:
            status = CLIENT_GONE if state.get("is_gone") else status
            seconds = time.perf_counter() - started
            label = path if self.known(path) else "other"
            self.metrics.requests.labels(label, status).inc()
            self.metrics.seconds.labels(label).observe(seconds)
            if path not in QUIET or status >= 500:
                fields = {name: value for name, value in state["fields"].items() if value != ""}
                fields = {"path": path, "status": status, "ms": round(1000 * seconds, 1), **fields}
                log("request", request_id=request_id, method=scope["method"], **fields)


def response_to(problem: ProblemError, request_id: str) -> Response:
    """The problem as a response."""
    body, headers = msgspec.json.encode(problem.content(request_id)), {**problem.headers, "X-Request-ID": request_id}
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)
