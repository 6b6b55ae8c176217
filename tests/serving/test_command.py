"""The command `seq2see serve`: what it prints, how it stops, and what becomes of its workers."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import eventually, require_extra

require_extra()


class Command:
    """A running `seq2see serve`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        eventually(lambda: self.port or process.poll() is not None, seconds=60)

    def read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(iter(self.process.stderr.readline, ""))

    @property
    def port(self) -> int:
        found = re.search(r" on http://127\.0\.0\.1:(\d+)", "".join(self.lines))
        return int(found[1]) if found else 0

    def ask(self, path: str, content: Any = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = None if content is None else json.dumps(content)
            headers = {} if content is None else {"Content-Type": "application/json"}
            connection.request("GET" if content is None else "POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.ask("/health/ready")[0] == 200
        except OSError:
            return False


@contextmanager
def serving(*words: str | Path) -> Iterator[Command]:
    """The command with these arguments on a free port."""
    command = [sys.executable, "-m", "seq2see", "serve", *map(str, words), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    found = Command(process)
    try:
        yield found
    finally:
        process.kill()
        process.wait()
        found.reader.join()
        assert process.stderr is not None
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_is_accepted_be_answered_and_the_exit_code_is_0(tiny_run: Path, number: int) -> None:
    with serving(tiny_run, "--log-format", "json") as command:
        eventually(command.is_ready)
        slow = {"texts": ["abcde" * 20] * 8, "min_length": 300, "max_length": 300, "beam": 5}
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(command.ask("/v1/predict", slow)[0])) for _ in range(3)]
        for each in threads:
            each.start()
        eventually(lambda: b"seq2see_queue_requests 3.0" in command.ask("/metrics")[1])
        command.process.send_signal(number)
        for each in threads:
            each.join()
        assert found == [200, 200, 200]
        assert command.process.wait(20) == 0
    events = [json.loads(line) for line in command.lines if line.startswith("{")]
    names = [each["event"] for each in events]
    assert (names[0], names[-1]) == ("serving", "stopped")
    assert sum(each["event"] == "request" and each["status"] == 200 for each in events) >= 3
    assert "abcde" not in "".join(command.lines), "no texts in the log"


def test_while_it_drains_it_is_not_ready_and_still_answers(tiny_run: Path) -> None:
    with serving(tiny_run, "--drain", "2", "--log-texts") as command:
        eventually(command.is_ready)
        command.process.terminate()
        eventually(lambda: command.ask("/health/ready")[0] == 503)
        assert command.ask("/health/live")[0] == 200
        assert command.ask("/v1/predict", {"texts": "abcab"})[0] == 200
        assert command.process.wait(20) == 0
    assert "abcab" in "".join(command.lines)


def test_after_the_time_of_grace_what_is_left_fails_and_the_exit_code_is_0(tiny_run: Path) -> None:
    with serving(tiny_run, "--grace", "0.5", "--max-answer", "50000") as command:
        eventually(command.is_ready)
        slow = {"texts": ["abcde" * 20] * 50, "min_length": 50_000, "max_length": 50_000, "beam": 30}
        found: list[tuple[int, bytes]] = []
        thread = threading.Thread(target=lambda: found.append(command.ask("/v1/predict", slow)))
        thread.start()
        eventually(lambda: b"seq2see_queue_requests 1.0" in command.ask("/metrics")[1])
        command.process.terminate()
        thread.join()
        assert found[0][0] == 503
        assert b"the service stops" in found[0][1]
        assert command.process.wait(20) == 0


def workers_of(pid: int) -> list[int]:
    """The processes that this one has started."""
    return sorted(
        int(child) for each in Path(f"/proc/{pid}/task").iterdir() for child in (each / "children").read_text().split()
    )


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes in /proc")


@needs_proc
def test_several_workers_compute_and_one_that_dies_is_started_again(tiny_run: Path) -> None:
    with serving(tiny_run, "--workers", "2") as command:
        eventually(command.is_ready, seconds=60)
        first, second = workers_of(command.process.pid)
        for _ in range(20):
            assert command.ask("/v1/predict", {"texts": "abc"})[0] == 200
        os.kill(first, signal.SIGKILL)
        for _ in range(20):
            assert command.ask("/v1/predict", {"texts": "abc"})[0] == 200
        eventually(lambda: b"seq2see_worker_deaths_total 1.0" in command.ask("/metrics")[1], seconds=60)
        eventually(lambda: len(workers_of(command.process.pid)) == 2, seconds=60)
        assert first not in workers_of(command.process.pid)
        assert second in workers_of(command.process.pid)
        command.process.terminate()
        assert command.process.wait(30) == 0


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_service(tiny_run: Path, number: int) -> None:
    with serving(tiny_run, "--max-answer", "50000") as command:
        eventually(command.is_ready, seconds=60)
        workers = workers_of(command.process.pid)
        command.process.send_signal(number)
        command.process.wait(20)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


@needs_proc
def test_a_signal_to_all_processes_loses_no_answer(tiny_run: Path) -> None:
    with serving(tiny_run) as command:
        eventually(command.is_ready, seconds=60)
        slow = {"texts": ["abcde" * 20] * 8, "min_length": 300, "max_length": 300, "beam": 5}
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(command.ask("/v1/predict", slow)[0]))
        thread.start()
        eventually(lambda: b"seq2see_queue_requests 1.0" in command.ask("/metrics")[1])
        for pid in (*workers_of(command.process.pid), command.process.pid):
            os.kill(pid, signal.SIGTERM)
        thread.join()
        assert found == [200]
        assert command.process.wait(20) == 0


@needs_proc
def test_a_second_signal_ends_the_service_and_its_workers_at_once(tiny_run: Path) -> None:
    with serving(tiny_run, "--max-answer", "50000") as command:
        eventually(command.is_ready, seconds=60)
        workers = workers_of(command.process.pid)
        slow = {"texts": ["abcde" * 20] * 50, "min_length": 50_000, "max_length": 50_000, "beam": 30}

        def ask() -> None:
            try:
                statuses.append(command.ask("/v1/predict", slow)[0])
            except (OSError, http.client.HTTPException):
                statuses.append(0)

        statuses: list[int] = []
        thread = threading.Thread(target=ask)
        thread.start()
        eventually(lambda: b"seq2see_queue_requests 1.0" in command.ask("/metrics")[1])
        for _ in range(2):
            command.process.terminate()
            time.sleep(0.3)
        command.process.wait(20)
        thread.join()
        assert statuses[0] != 200
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "seq2see serve: needs a model"),
        (["no/such.seq2see"], "no/such.seq2see: there is no such file"),
        (["RUN", "--workers", "0"], "workers: must be at least 1, not 0"),
        (["RUN", "--host", "203.0.113.1"], "--host 203.0.113.1 --port 0: can't listen"),
        (["RUN", "--api-key-file", "none"], "can't be read"),
        (["RUN", "--cors", "*"], "cors: must be an origin"),
        (["RUN", "--root-path", "x/"], "root_path: must begin with /"),
        (["RUN", "--dedline", "5"], "unknown option --dedline"),
    ],
)
def test_what_can_not_be_served_is_said_and_the_exit_code_is_2(tiny_run: Path, words: list[str], message: str) -> None:
    with serving(*(tiny_run if word == "RUN" else word for word in words)) as command:
        assert command.process.wait(30) == 2
    said = "".join(command.lines)
    assert message in said
    assert "fix:" in said
    assert "Traceback" not in said


def test_small_responses_do_not_wait_for_an_acknowledgement() -> None:
    from seq2see.serving.options import ServiceOptions
    from seq2see.serving.server import listening

    with listening(ServiceOptions(port=0)) as listener:
        assert listener.proto == socket.IPPROTO_TCP, "asyncio sets TCP_NODELAY only where the protocol is named"


def test_a_port_that_is_taken_is_said(tiny_run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "seq2see", "serve", str(tiny_run), "--port", str(taken.getsockname()[1])]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.returncode == 2
    assert "can't listen: Address already in use" in found.stderr
