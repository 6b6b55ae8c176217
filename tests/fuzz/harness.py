"""Calls the command as `cases` says, and holds it to what every call must satisfy.

No traceback; no exit code but 0, 2 and 130 (`check`: 1 too); an error has a message; at most 20 seconds of the
processor and 2 GB of memory; nothing outside its outputs is changed. Most calls run inside a worker process, one after
the other; every n-th starts a process of its own, some of them with closed or full streams.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from fuzz.cases import PAIRS, SMALL, Case, make_case

SECONDS, WAIT = 20, 120
"""Of the processor, and on the clock, for calls that wait for something (the machine may be busy)."""
MAX_BYTES = 2 * 2**30
CALLS_PER_WORKER = 300
"""Then a new worker starts, so that a leak is noticed by its calls and does not add up."""
STREAMS = ["", "<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", "| head -c 1 >/dev/null"]
"""What a shell does to the streams of calls that are processes of their own."""


class Outcome(NamedTuple):
    """What a call did."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    """Of the processor."""
    peak_bytes: int


class Fault(NamedTuple):
    """A call that broke a rule."""

    number: int
    command: str
    rule: str
    details: str

    def __str__(self) -> str:
        return f"case {self.number}: {self.rule}\n  {self.command[:400]!r}\n  {self.details[-1500:]}"


def make_home(folder: Path) -> Path:
    """The files that all cases start from: data, three small runs, a packed model and a corpus."""
    home = folder / "home"
    home.mkdir()
    lines = [f"{source}\t{target}\n" for source, target in PAIRS]
    (home / "pairs.tsv").write_text("".join(lines * 2))
    (home / "dev.tsv").write_text("".join(lines[:3]))
    (home / "with blank.tsv").write_text("".join(lines))
    (home / "labels.tsv").write_text("".join(f"{line.rstrip()}\t{len(line) % 2}\n" for line in lines))
    (home / "pairs.jsonl").write_text("".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in PAIRS))
    (home / "source.txt").write_text("".join(f"{source}\n" for source, _ in PAIRS))
    (home / "target.txt").write_text("".join(f"{target}\n" for _, target in PAIRS))
    (home / "texts.txt").write_text("".join(f"{source}\n" for source, _ in PAIRS))
    (home / "empty.txt").write_text("")
    (home / "loop").symlink_to("loop")
    for neighbor in ("out.new", "out.old", "run.old", "run.gone", "out.html.new"):
        (home / neighbor).write_text("the user's own\n")
    train = ["pairs.tsv", "--dev", "dev.tsv", "--out"]
    for name, model in (("run", "attention"), ("transformer", "transformer"), ("writer", "language_model")):
        data = ["texts.txt", "--dev", "texts.txt", "--out"] if name == "writer" else train
        command(home, "train", *data, name, "--model", model, *SMALL)
    command(home, "pack", "run", "--output", "packed.seq2see")
    command(home, "prepare", "pairs.tsv", "--out", "corpus")
    recipe = (home / "run" / "config.toml").read_text()
    (home / "recipe.toml").write_text(recipe)
    return home


def command(home: Path, *arguments: str) -> None:
    """Run the command, which has to succeed."""
    ran = subprocess.run(
        [sys.executable, "-m", "seq2see", *arguments], cwd=home, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


# --- one call -------------------------------------------------------------------------------------------------------


def prepare(case: Case, home: Path, folder: Path) -> Path:
    """A copy of the home with the damage of the case."""
    own = folder / f"case-{case.number}"
    shutil.copytree(home, own, symlinks=True)
    for change in case.changes:
        with suppress(OSError, ValueError):  # two changes may not fit together
            change(own)
    return own


def holds(folder: str, path: Path) -> bool:
    """Whether the path is this one, or below it."""
    return path == Path(folder) or Path(folder) in path.parents


def snapshot(home: Path, outputs: set[str]) -> dict[str, str]:
    """The hash of every file that is not an output, by its path.

    An output around all files, such as `.`, excludes none: what stands there already is not for the call to change.
    """
    excluded = [own for each in outputs if each and not holds(own := os.path.normpath(home / each), home)]
    found = {}
    for path in sorted(home.rglob("*")):
        name = str(path)
        if any(holds(each, path) for each in excluded):
            continue
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def faults_of(case: Case, outcome: Outcome, before: dict[str, str], after: dict[str, str]) -> Iterator[Fault]:
    """The rules that the call broke."""
    said = outcome.stdout[-1000:] + outcome.stderr

    def fault(rule: str, details: str = said) -> Fault:
        return Fault(case.number, str(case), rule, details)

    if "Traceback (most recent call last)" in said or "lost sys.std" in said:
        yield fault("a traceback")
    if outcome.code not in case.exit_codes:
        yield fault(f"exit code {outcome.code}")
    if outcome.seconds > SECONDS:
        yield fault(f"{outcome.seconds:.0f} seconds of the processor")
    if outcome.peak_bytes > MAX_BYTES:
        yield fault(f"{outcome.peak_bytes / 2**30:.1f} GB of memory")
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if case.writes_anywhere:
        names = [name for name in names if name in before]
    if names:
        yield fault("changed files outside its outputs", "\n".join(names[:5]))


def run_as_process(case: Case, own: Path) -> Outcome:
    """The call in a process of its own, started by a shell that may close or fill its streams."""
    streams = random.Random(case.number).choice(STREAMS)
    call = shlex.join([sys.executable, "-m", "seq2see", case.verb, *case.arguments])
    return run_in_shell(f"{call} {streams}", own, case.stdin)


def run_in_shell(line: str, own: Path, stdin: bytes = b"") -> Outcome:
    """What a line of bash does; of a pipe, the exit code of the first that failed counts."""
    with ExitStack() as stack:
        given, *printed = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", os.fsencode(line)],
            cwd=own,
            stdin=given,
            stdout=printed[0],
            stderr=printed[1],
            env=os.environ | {"HOME": str(own), "PYTHONWARNINGS": "default"},
            start_new_session=True,
        )
        late = threading.Timer(WAIT, os.killpg, [process.pid, signal.SIGKILL])
        late.start()
        try:  # not Popen's own wait, which knows no memory; that of the shell includes its children
            _, status, used = os.wait4(process.pid, 0)
        finally:
            late.cancel()
        process.returncode = code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            return Outcome(-1, "", f"no end after {WAIT} s", 0.0, 0)
        for file in printed:
            file.seek(0)
        said = (file.read().decode("utf-8", "replace") for file in printed)
        return Outcome(code, *said, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def call_inside(case: Case) -> Outcome:
    """The call in this process and this folder, with streams of its own."""
    import seq2see.cli

    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts anew
    began = time.process_time()
    standard = sys.stdin, sys.stdout, sys.stderr, sys.argv
    captured = [io.BytesIO(), io.BytesIO()]
    sys.stdin = io.TextIOWrapper(io.BytesIO(case.stdin), encoding="utf-8", errors="surrogateescape")
    sys.stdout, sys.stderr = (io.TextIOWrapper(each, encoding="utf-8", errors="surrogateescape") for each in captured)
    streams = sys.stdout, sys.stderr
    sys.argv = ["seq2see", case.verb, *case.arguments]
    code: object = 0
    try:
        seq2see.cli.main()
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code
    except BaseException:
        code = -2
        captured[1].write(traceback.format_exc().encode("utf-8", "replace"))
    finally:
        for stream in streams:
            with suppress(ValueError, OSError):
                stream.flush()
        sys.stdin, sys.stdout, sys.stderr, sys.argv = standard
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    contents = []
    for each in captured:
        contents.append("" if each.closed else each.getvalue().decode("utf-8", "replace"))
    return Outcome(code if isinstance(code, int) else -3, *contents, time.process_time() - began, peak)


# --- many calls -----------------------------------------------------------------------------------------------------


def work() -> None:
    """A worker: reads numbers of cases with their folders from stdin, and writes one outcome per line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the command writes past sys.stdout must not be taken for an answer
    import torch

    torch.set_num_threads(1)
    for line in sys.stdin:
        number, folder = json.loads(line)
        os.chdir(folder)
        outcome = call_inside(make_case(number))
        os.chdir("/")
        answers.write(json.dumps(outcome) + "\n")
        answers.flush()


class Worker:
    """A process that answers calls one after the other."""

    def __init__(self) -> None:
        tests = str(Path(__file__).resolve().parent.parent)
        paths = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
        self.calls = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from fuzz.harness import work; work()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": paths},
        )

    def call(self, case: Case, own: Path) -> Outcome | None:
        """The outcome; None if the worker gave none in time, or died."""
        assert self.process.stdin and self.process.stdout
        self.calls += 1
        self.process.stdin.write(json.dumps([case.number, str(own)]).encode() + b"\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], WAIT)[0]:
            return None
        line = self.process.stdout.readline()
        return Outcome(*json.loads(line)) if line else None

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def fuzz(home: Path, numbers: Iterable[int], *, process_every: int = 20) -> Iterator[tuple[int, list[Fault]]]:
    """The exit code and the faults of each case in turn; every n-th case is a process of its own."""
    worker: Worker | None = None
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number in numbers:
                case = make_case(number)
                own = prepare(case, home, folder)
                before = snapshot(own, case.outputs)
                if number % process_every == 0:
                    outcome = run_as_process(case, own)
                else:
                    if worker is None or worker.calls >= CALLS_PER_WORKER:
                        if worker is not None:
                            worker.close()
                        worker = Worker()
                    answered = worker.call(case, own)
                    if answered is None:
                        worker.close()
                        worker = None
                    outcome = answered or Outcome(-1, "", f"no answer after {WAIT} s, or the process died", 0.0, 0)
                yield outcome.code, list(faults_of(case, outcome, before, snapshot(own, case.outputs)))
                shutil.rmtree(own, ignore_errors=True)
    finally:
        if worker is not None:
            worker.close()
