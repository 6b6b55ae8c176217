"""Requests that are refused before they are read, when there are more than the service can answer."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import eventually, require_extra, running

require_extra()

PREDICT = {"texts": "abc"}
SLOW: dict[str, Any] = {"texts": ["abcde" * 20], "min_length": 50_000, "max_length": 50_000, "beam": 30}


def as_bytes(content: Any, path: str = "/v1/predict") -> bytes:
    body = json.dumps(content).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def response(client: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of the next response."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += client.recv(10_000)
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(10_000)
    assert len(body) == length
    return head, body


def test_each_refused_request_has_an_id_of_its_own(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2see.serving.service.MOST_LAG", -1)
    ids = set()
    with running({"tiny": tiny_run}) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as client:
            for _ in range(3):
                client.sendall(as_bytes(PREDICT))
                head, body = response(client)
                assert head.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nX-Request-ID: " + json.loads(body)["request_id"].encode() in head
                ids.add(json.loads(body)["request_id"])
        assert len(ids) == 3
        eventually(lambda: service.metric('seq2see_requests_total{path="/v1/predict",status="503"}') == 3)


def test_requests_on_their_way_to_the_queue_count(tiny_run: Path) -> None:
    with running({"tiny": tiny_run}, max_queue=1, max_answer=50_000) as service:
        own = service.app.service
        own.num_inside = 1  # a request that is on its way to the queue
        assert own.is_overloaded
        own.num_inside = 0
        assert not own.is_overloaded
        waiting = threading.Thread(target=service.ask, args=["/v1/predict", {**SLOW, "deadline": 1}])
        waiting.start()
        eventually(lambda: own.num_inside == 1)
        assert own.is_overloaded
        waiting.join()
        eventually(lambda: own.num_inside == 0)
        assert service.ask("/v1/predict", PREDICT).status == 200
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as client:
            client.sendall(as_bytes(SLOW))
            eventually(lambda: own.num_inside == 1)
        eventually(lambda: own.num_inside == 0)  # the client has gone
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as client:
            client.sendall(as_bytes(SLOW)[:-1])
            assert service.ask("/v1/predict", PREDICT).status == 200, "a body that doesn't arrive keeps nobody out"


@pytest.mark.parametrize("head", [b"Content-Type: text/plain\r\nContent-Length: 9", b"Content-Length: 2000000"])
def test_a_response_before_the_end_of_the_body_leaves_no_request_inside(head: bytes, tiny_run: Path) -> None:
    size = int(head.rpartition(b" ")[2])
    with running({"tiny": tiny_run}, max_queue=1) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as client:
            client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n")
            assert response(client)[0][9:12] in (b"413", b"415")
            client.sendall(b"a" * size)
            client.sendall(as_bytes(PREDICT))
            assert response(client)[0][9:12] == b"200"
            assert service.ask("/v1/predict", PREDICT).status == 200
        assert service.app.service.num_inside == 0
