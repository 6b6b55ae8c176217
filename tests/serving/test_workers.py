"""Worker processes: what they share, and what becomes of requests when one fails or dies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.conftest import Reply, Running, eventually, require_extra, running

import seq2see

require_extra()

from tests.serving.harmful import Harmful  # noqa: E402

from seq2see.inference.apart import questions_of  # noqa: E402 (needs the extra)
from seq2see.serving.snapshots import Snapshot  # noqa: E402
from seq2see.serving.work import Answering  # noqa: E402
from seq2see.serving.workers import WorkerDiedError, WorkerProcess  # noqa: E402


@pytest.fixture
def harmed(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A service whose worker some texts harm."""
    monkeypatch.setattr("seq2see.serving.endpoints.Answering", Harmful)
    with running({"tiny": tiny_run}) as service:
        yield service


def together(service: Running, texts: list[str]) -> dict[str, Reply]:
    """The replies to requests that are computed in one batch, since they wait for the one before them."""
    found: dict[str, Reply] = {}
    first = {"texts": ["abcde" * 20], "min_length": 1000, "max_length": 1000, "beam": 20, "deadline": 1}

    def ask(text: str) -> None:
        found[text] = service.ask("/v1/predict", {"texts": text})

    threads = [threading.Thread(target=service.ask, args=["/v1/predict", first])]
    threads += [threading.Thread(target=ask, args=[text]) for text in texts]
    threads[0].start()
    eventually(lambda: service.app.service.batcher.num_requests == 1)
    for each in threads[1:]:
        each.start()
    for each in threads:
        each.join()
    return found


def test_a_bug_is_told_with_a_request_id_and_the_log_has_the_traceback_of_the_worker(
    harmed: Running, caplog: pytest.LogCaptureFixture
) -> None:
    reply = harmed.ask("/v1/predict", {"texts": "bug"})
    assert (reply.status, reply.json["detail"]) == (500, "an error of the service")
    assert b"Traceback" not in reply.body
    eventually(lambda: "ZeroDivisionError: made for a test" in caplog.text)
    (record,) = (each for each in caplog.records if each.exc_info)
    assert record.fields["request_id"] == reply.json["request_id"]  # type: ignore[attr-defined]
    assert harmed.ask("/v1/predict", {"texts": "abc"}).status == 200
    assert harmed.metric("seq2see_worker_deaths_total") == 0


def test_a_request_that_needs_too_much_memory_gets_503(harmed: Running) -> None:
    reply = harmed.ask("/v1/predict", {"texts": "memory"})
    assert (reply.status, reply.json["detail"], reply.headers["retry-after"]) == (503, "out of memory", "10")


def test_what_a_library_prints_goes_to_the_log(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("seq2see.serving.endpoints.Answering", Harmful)
    with running({"tiny": tiny_run}) as service:
        assert service.ask("/v1/predict", {"texts": "print"}).status == 200
    assert "a library prints this" in capfd.readouterr().err


def test_a_request_under_which_the_worker_dies_gets_503_and_its_company_is_answered(
    harmed: Running, tiny_run: Path
) -> None:
    found = together(harmed, ["abc", "death", "deab", "bug"])
    assert {text: reply.status for text, reply in found.items()} == {"abc": 200, "death": 503, "deab": 200, "bug": 500}
    assert "has died" in found["death"].json["detail"]
    assert found["death"].headers["retry-after"] == "1"
    model = seq2see.load(tiny_run)
    for text in ("abc", "deab"):
        assert found[text].json["results"][0]["answers"][0]["text"] == model.predict(text)[0].text
    eventually(lambda: harmed.ask("/health/ready").status == 200)
    assert harmed.metric("seq2see_worker_deaths_total") >= 1


def test_a_stream_ends_with_an_error_if_the_worker_dies(harmed: Running) -> None:
    events = harmed.ask("/v1/stream", {"texts": "death"}).events
    assert (events[-1][0], events[-1][1]["status"]) == ("error", 503)


def test_a_worker_that_has_died_while_idle_is_missed_by_nobody(tiny_run: Path) -> None:
    with running({"tiny": tiny_run}) as service:
        (worker,) = service.app.service.workers
        os.kill(worker._process.pid, signal.SIGKILL)
        eventually(lambda: not worker.is_alive)
        reply = service.ask("/health/ready")
        assert (reply.status, reply.json["detail"]) == (503, "no worker is running")
        assert service.ask("/v1/predict", {"texts": "abc"}).status == 200
        assert service.ask("/health/ready").status == 200
        eventually(lambda: service.metric("seq2see_worker_deaths_total") == 1)


def test_a_model_that_was_replaced_by_a_broken_file_outlives_its_worker(tiny_run_copy: Path) -> None:
    with running({"m": tiny_run_copy}) as service:
        expected = service.ask("/v1/predict", {"texts": "abcab"}).json["results"]
        (tiny_run_copy / "model" / "manifest.json").write_text("broken")
        (worker,) = service.app.service.workers
        os.kill(worker._process.pid, signal.SIGKILL)
        assert service.ask("/v1/predict", {"texts": "abcab"}).json["results"] == expected


# --- without a service ---


@pytest.fixture
def snapshot(tiny_run: Path, tmp_path: Path) -> Snapshot:
    return Snapshot.of(seq2see.load(tiny_run), "tiny", tmp_path)


def test_a_snapshot_computes_the_same_to_the_bit_and_its_arrays_cant_be_changed(
    snapshot: Snapshot, tiny_run: Path
) -> None:
    model, opened = seq2see.load(tiny_run), snapshot.open()
    for way in ({}, {"beam": 3, "n_best": 2}, {"sample": True}):
        assert opened.predict(["abc", "deab"], **way) == model.predict(["abc", "deab"], **way)
    tensors = [each for layer in vars(opened.engine.network.encoder).values() for each in arrays_in(layer)]
    assert tensors
    assert not any(each.flags.writeable for each in tensors)


def arrays_in(value: Any, depth: int = 6) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    parts = list(value) if isinstance(value, list | tuple) else list(getattr(value, "__dict__", {}).values())
    return [each for part in parts if depth for each in arrays_in(part, depth - 1)]


def test_the_file_of_a_snapshot_goes_with_it(tiny_run: Path, tmp_path: Path) -> None:
    snapshot = Snapshot.of(seq2see.load(tiny_run), "tiny", tmp_path)
    assert list(tmp_path.iterdir()) == [snapshot.path]
    model = snapshot.open()
    del snapshot
    assert list(tmp_path.iterdir()) == []
    assert model.predict("abc")


def test_a_snapshot_needs_room(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(seq2see.CheckpointError, match="can't be written") as caught:
        Snapshot.of(seq2see.load(tiny_run), "tiny", tmp_path / "none")
    assert "TMPDIR" in caught.value.fix


def worker_of(snapshot: Snapshot, folder: Path) -> WorkerProcess:
    return WorkerProcess(folder / "flags", 4, lambda: [snapshot])


def test_results_that_nobody_takes_are_not_taken_for_those_of_the_next_batch(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    worker, model = worker_of(snapshot, tmp_path), snapshot.open()
    options = seq2see.GenerationOptions()
    work = Answering.of(snapshot, options, with_attention=False)
    (one,), (other,) = (questions_of(model, [text], {}).each for text in ("abc", "deab"))
    try:
        broken_off = worker.run(work, [one], None, lambda *_: None)
        next(broken_off)
        broken_off.close()
        ((_, answer),) = next(worker.run(work, [other], None, lambda *_: None))
        assert answer.text == model.predict("deab")[0].text
    finally:
        worker.close()


def test_a_worker_that_can_not_open_a_model_does_not_start(snapshot: Snapshot, tmp_path: Path) -> None:
    snapshot.path.write_bytes(b"")
    worker = worker_of(snapshot, tmp_path)
    with pytest.raises(WorkerDiedError, match="exit code 1"):
        worker.launch()
    assert not worker.is_alive
    worker.close()


def test_a_worker_that_is_stopped_is_not_started_again(snapshot: Snapshot, tmp_path: Path) -> None:
    worker = worker_of(snapshot, tmp_path)
    worker.launch()
    worker.stop()
    eventually(lambda: not worker.is_alive)
    worker.start()
    assert not worker.is_alive
    worker.close()


def test_a_worker_has_one_thread_unless_the_environment_says_otherwise(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    worker = worker_of(snapshot, tmp_path)
    worker.launch()
    try:
        found = Path(f"/proc/{worker._process.pid}/environ").read_bytes()  # type: ignore[union-attr]
    finally:
        worker.close()
    assert b"OMP_NUM_THREADS=1\0" in found
    assert b"OPENBLAS_NUM_THREADS=3\0" in found
