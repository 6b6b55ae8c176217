"""The ASGI application of a service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from seq2see.errors import did_you_mean
from seq2see.serving.access import Keys, path_of
from seq2see.serving.edge import Edge, response_to
from seq2see.serving.endpoints import Endpoints
from seq2see.serving.metrics import Metrics
from seq2see.serving.models import Models
from seq2see.serving.openapi import document
from seq2see.serving.options import ServiceOptions
from seq2see.serving.pages import docs_page, docs_policy, try_page, try_policy
from seq2see.serving.problems import ProblemError
from seq2see.serving.service import Service

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class App:
    """An application with its service, for servers and tests."""

    def __init__(self, models: Models, options: ServiceOptions) -> None:
        self.service = Service(models, options, Metrics())
        endpoints = Endpoints(self.service)
        described = document(options)

        def fixed(content: str, media_type: str, policy: str = "default-src 'none'") -> Endpoint:
            async def respond(request: Request) -> Response:
                return Response(content, headers={"Content-Security-Policy": policy}, media_type=media_type)

            return respond

        routes = [
            Route("/v1/predict", endpoints.predict, methods=["POST"]),
            Route("/v1/score", endpoints.score, methods=["POST"]),
            Route("/v1/stream", endpoints.stream, methods=["POST"]),
            Route("/v1/models", endpoints.models, methods=["GET"]),
            Route("/health/live", endpoints.live, methods=["GET"]),
            Route("/health/ready", endpoints.ready, methods=["GET"]),
            Route("/metrics", endpoints.metrics, methods=["GET"]),
            Route("/openapi.json", fixed(json.dumps(described), "application/json"), methods=["GET"]),
            Route("/docs", fixed(docs_page(described), "text/html", docs_policy()), methods=["GET"]),
            Route("/", fixed(try_page(), "text/html", try_policy()), methods=["GET"]),
        ]
        self.paths = {route.path: sorted((route.methods or set()) - {"HEAD"}) for route in routes}

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            async with self.service.running():
                yield

        handlers = {HTTPException: self.on_http_error, ProblemError: on_problem, Exception: on_bug}
        starlette = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
        starlette.router.redirect_slashes = False
        keys = None if options.api_key_file is None else Keys.read(options.api_key_file)
        service = self.service
        self.asgi: ASGIApp = Edge(
            starlette,
            options,
            keys,
            service.metrics,
            self.paths.__contains__,
            lambda: service.is_draining,
        )
        if options.cors:
            self.asgi = CORSMiddleware(
                self.asgi,
                allow_origins=options.cors,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
                expose_headers=["X-Request-ID", "Retry-After"],
            )

    async def on_http_error(self, request: Request, error: Exception) -> Response:
        """The problem of an unknown path or method."""
        assert isinstance(error, HTTPException)
        path = path_of(request.scope)
        problem = ProblemError(error.status_code, error.detail)
        if error.status_code == 405:
            allowed = ", ".join(self.paths.get(path, []))
            what, headers = f"must be {allowed}, not {request.method:.20}", {"Allow": allowed}
            problem = ProblemError(405, what, where="the method", fix=f"use {allowed}", headers=headers)
        elif error.status_code == 404:
            problem = ProblemError(404, f"there is nothing at {path!r:.100}", fix=did_you_mean(path, self.paths))
        return await on_problem(request, problem)


async def on_problem(request: Request, error: Exception) -> Response:
    """The response to a request that has no answer."""
    assert isinstance(error, ProblemError)
    return response_to(error, request.state.request_id)


async def on_bug(request: Request, error: Exception) -> Response:
    """The response to a request that met a bug of ours."""
    fix = "report it with the request id, by which the log has it"
    return response_to(ProblemError(500, "an error of the service", fix=fix), request.state.request_id)
