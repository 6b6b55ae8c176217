"""Standard streams that are closed, full or left by their reader, as services, jobs and pipes leave them."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

FULL = Path("/dev/full")
COMMANDS = {
    "--help": "--help",
    "--version": "--version",
    "models": "models",
    "predict": "predict {run} abc",
    "generate": "generate {language} --count 1",
    "score": "score {run} {pairs}",
    "attend": "attend {run} abc",
    "evaluate": "evaluate {run} {pairs}",
    "check": "check {pairs}",
    "curves": "curves {run} -o {out}.svg",
    "report": "report {run} -o {out}.html",
    "pack": "pack {run} -o {out}.seq2see",
    "export": "export {run} -o {out}.json",
    "align": "align {run} {pairs}",
    "bench": "bench {run} --data {pairs} --threads 1 --seconds 0.01",
    "cross": "cross {pairs} --folds 2 --out {out} {few}",
    "compare": "compare plain attention --data {pairs} --dev {pairs} --out {out} {few}",
    "chat": "chat {run} < {pairs}",
    "tune": "tune {pairs} --dev {pairs} --trials 1 --out {out} {few}",
    "settings": "settings model.width",
    "completion": "completion bash",
}
"""Commands that print a result."""
WITHOUT_RESULT = {
    "train": "train {pairs} --out {out} {few}",
    "distill": "distill {run} --out {out} --device cpu --set training.max_updates=2",
}
"""Commands that only report what they do."""
FEW = "--device cpu --set model.width=16 model.embedding=8 training.max_updates=2 training.batch_size=16"
CLOSED = "seq2see: stdout: can't be written: it is closed\n  fix: redirect it: > FILE\n"


def shell(command: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """Runs `seq2see` in a shell, with redirections of its own."""
    line = f"{shlex.quote(sys.executable)} -m seq2see {command} {redirection}"
    return subprocess.run(
        ["sh", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.fixture
def places(tiny_run: Path, tiny_language_run: Path, tiny_pairs: Path, tmp_path: Path) -> dict[str, str]:
    found = {"run": tiny_run, "language": tiny_language_run, "pairs": tiny_pairs, "out": tmp_path / "out"}
    return {name: shlex.quote(str(path)) for name, path in found.items()} | {"few": FEW}


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_is_said(places: dict[str, str]) -> None:
    done = shell(COMMANDS["predict"].format(**places), "> /dev/full")
    assert done.returncode == 2
    fix = "free some disk space, or choose another place"
    assert done.stderr.endswith(f"stdout: can't be written: No space left on device\n  fix: {fix}\n")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_stdout_is_said() -> None:
    done = shell("--version", ">&-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", CLOSED)


def test_training_needs_no_stream_at_all(tiny_pairs: Path, tiny_flags: list[str], tmp_path: Path) -> None:
    command = shlex.join(["train", str(tiny_pairs), "--out", str(tmp_path / "r"), "--device", "cpu", *tiny_flags])
    done = shell(command, "<&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = (tmp_path / "r" / "metrics.jsonl").read_text(encoding="utf-8")
    assert all(line.startswith('{"event"') for line in log.splitlines())


def test_with_a_closed_stderr_notes_do_not_land_among_the_answers(places: dict[str, str], tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    done = shell(f"predict {places['run']} abcxyz --output {shlex.quote(str(answers))}", ">&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert answers.read_text(encoding="utf-8").count("\n") == 1
    assert "note" not in answers.read_text(encoding="utf-8")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_messages_that_cannot_be_written_stop_nothing(places: dict[str, str]) -> None:
    done = shell("predict {run} abcxyz".format(**places), "2> /dev/full")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)


def test_a_closed_stdin_is_said_if_it_is_read(places: dict[str, str]) -> None:
    done = shell("predict {run}".format(**places), "<&-")
    assert done.returncode == 2
    assert done.stderr == "seq2see: <stdin>: can't be read: it is closed\n  fix: redirect it: < FILE\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes can't be waited for here")
@pytest.mark.parametrize("options", ["", "--lexicon {pairs}", "--beam 2"])
def test_whoever_writes_to_a_pipe_may_wait_for_each_answer(options: str, places: dict[str, str]) -> None:
    """As a coprocess, or behind `tail -f`; what has come at once is answered together."""
    line = f"{shlex.quote(sys.executable)} -m seq2see predict {places['run']} {options.format(**places)}"
    texts = ["abc", "de", "abcdef"]
    alone = shell(f"predict {places['run']} {' '.join(texts)} {options.format(**places)}", "").stdout.splitlines()
    answers = []
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
    with subprocess.Popen(shlex.split(line), env=environment, **pipes) as process:
        assert process.stdin is not None and process.stdout is not None
        for given in (texts[:1], texts[1:]):
            process.stdin.write("".join(f"{text}\n" for text in given).encode())
            process.stdin.flush()
            for _ in given:
                ready, _, _ = select.select([process.stdout], [], [], 60)
                assert ready, "no answer before the end of the input"
                answers.append(process.stdout.readline().decode().rstrip("\n"))
        process.stdin.close()
        assert process.wait(60) == 0
    assert answers == alone


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM here")
def test_a_terminated_command_leaves_nothing_unfinished(places: dict[str, str], tmp_path: Path) -> None:
    """As after Ctrl-C; the process ends by the signal."""
    os.mkfifo(given := tmp_path / "given")
    line = f"{shlex.quote(sys.executable)} -m seq2see predict {places['run']} --input {given} -o {tmp_path / 'answers'}"
    with subprocess.Popen(shlex.split(line), stderr=subprocess.PIPE, text=True) as process:
        with given.open("w", encoding="utf-8") as texts:
            print("abc", file=texts, flush=True)
            while process.poll() is None and not any(tmp_path.glob(".answers*")):
                time.sleep(0.05)
            process.terminate()
            assert process.wait(60) == -signal.SIGTERM
        assert process.stderr is not None and process.stderr.read() == ""
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("redirection", ["> /dev/full", ">&-", "2> /dev/full", "2>&-", "| true"])
@pytest.mark.parametrize("name", [*COMMANDS, *WITHOUT_RESULT])
def test_every_command_bears_every_stream(name: str, redirection: str, places: dict[str, str]) -> None:
    done = shell((COMMANDS | WITHOUT_RESULT)[name].format(**places), redirection)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if name in COMMANDS and redirection in ("> /dev/full", ">&-"):
        assert done.returncode == 2
        assert "stdout: can't be written" in done.stderr
    else:
        assert done.returncode == 0
