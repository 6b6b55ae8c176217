"""Law: a run on several processes, one of which is killed (`kill -9`), gives the same result, bit for bit.

Run as a script, this file is the harness: `python tests/laws/test_kills_in_worlds.py gnmt sharded 10 1 FOLDER` kills
processes of such runs ten times, at points drawn with seed 1: a training process, or `torchrun` itself. Each run
resumes in one of two ways: `torchrun` restarts its processes, or is started again with --auto-resume. Each process
reports its progress through its own file, whose name contains its process id.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

KILLS = 5
"""Kills per model and world in the tests; the script runs more."""
MODELS = ("attention", "gnmt", "transformer")
WORLDS = {"copies": "false", "sharded": "true"}
"""Two processes, each with a copy or a shard of the model: the value of training.shard."""
SIZE = 2
KINDS = ("update", "save", "end of an epoch", "later epoch", "twice in an epoch", "torchrun")
PATIENCE = 300
"""Timeout in seconds for every wait."""
OWN_STORES = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
"""Without it, processes restarted by torchrun may read the addresses of the previous ones."""


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("model", MODELS)
def test_a_killed_run_on_several_processes_gives_the_same_result(model: str, world: str, tmp_path: Path) -> None:
    command = [sys.executable, __file__, model, world, str(KILLS), "1", str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    same, kills = map(int, done.stdout.rstrip().rpartition(": ")[2].split(" ")[:3:2])
    assert same == kills >= KILLS


# --- the harness ----------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """A training process, by the file in which it reports its progress."""

    path: Path
    attempt: int
    rank: int
    process: int

    def heard(self, what: bytes) -> int:
        """How often it has reported this."""
        return self.path.read_bytes().count(what)


class Launch:
    """A `torchrun` and the processes it starts; `attempt` counts across the launches of a run."""

    def __init__(self, folder: Path, arguments: list[str], *, restarts: int = 0, rendezvous: tuple[str, ...] = ()):
        self.folder = folder
        self.log = folder / "log"
        self.first_attempt = 1 + max((told.attempt for told in told_in(folder)), default=-1)
        environment = os.environ | OWN_STORES | {"ATTEMPTS_BEFORE": str(self.first_attempt)}
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(SIZE)]
        command += ["--max-restarts", str(restarts), *rendezvous, __file__, "worker", str(folder), *arguments]
        with self.log.open("ab") as log:
            self.torchrun = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def kill(self, rank: int | None, told_by: int, what: bytes, number: int, wait: float, attempt: int) -> bool:
        """Kill a rank (None: torchrun) `wait` seconds after the n-th report of `what`.

        Whether it was still there. `attempt` is one of this launch.
        """

        def has_come() -> bool:
            told = self.find(told_by, attempt)
            return self.torchrun.poll() is not None or (told is not None and told.heard(what) >= number)

        wait_until(has_come, self.log)
        time.sleep(wait)
        if self.torchrun.poll() is not None:
            return False
        if rank is None:
            self.torchrun.kill()
            return True
        told = self.find(rank, attempt)
        if told is None or not is_alive(told.process):
            return False
        os.kill(told.process, signal.SIGKILL)
        return True

    def find(self, rank: int, attempt: int) -> Told | None:
        """The process of a rank in an attempt of this launch, once it has started."""
        wanted = (self.first_attempt + attempt, rank)
        return next((told for told in told_in(self.folder) if (told.attempt, told.rank) == wanted), None)

    def end(self) -> int:
        """The exit code, once torchrun has ended."""
        try:
            return self.torchrun.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it hangs:\n{self.log.read_text()}") from None


def told_in(folder: Path) -> list[Told]:
    """All training processes of this run."""
    return [Told(path, *map(int, path.suffix[1:].split("-"))) for path in folder.glob("told.*")]


def worker(folder: Path, arguments: list[str]) -> None:
    """Train as the command does, and report progress."""
    from test_kills import child

    attempt = int(os.environ["ATTEMPTS_BEFORE"]) + int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    path = folder / f"told.{attempt}-{os.environ['RANK']}-{os.getpid()}"
    child(arguments, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), folder / "log")


def is_alive(process: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_until(has_come: Callable[[], bool], log: Path) -> None:
    began = time.monotonic()
    while not has_come():
        assert time.monotonic() - began < PATIENCE, f"it hangs:\n{log.read_text()}"
        time.sleep(0.002)


@contextmanager
def without_orphans(folder: Path) -> Iterator[None]:
    """Fails if a process of the run in this folder is still running at the end, and kills it."""
    yield
    left = [told.process for told in told_in(folder) if is_alive(told.process)]
    for process in left:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    assert not left, f"left over: {left}\n{(folder / 'log').read_text()}"


def places(kind: str, chance: random.Random) -> list[tuple[int | None, int, bytes, int, float]]:
    """For each kill: the victim, the reporting rank, the report, its count, and a delay."""
    from test_kills import KINDS as OF_ONE
    from test_kills import places

    ranks = chance.sample(range(SIZE), SIZE)
    listened_to = 0 if kind == "save" else ranks[0]
    of_one = places(kind if kind in OF_ONE else "later epoch", chance)
    return [
        (None if kind == "torchrun" else rank, listened_to, *place) for rank, place in zip(ranks, of_one, strict=False)
    ]


def run_with_kills(kind: str, folder: Path, command: list[str], chance: random.Random) -> int:
    """One run, killed and resumed until it is finished; returns the number of kills."""
    restarts_itself = kind != "torchrun" and chance.random() < 0.5
    rendezvous = chance.choice([(), ("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0")])
    wanted = places(kind, chance)
    kills = 0
    if restarts_itself:
        launch = Launch(folder, command, restarts=3, rendezvous=rendezvous)
        for attempt, place in enumerate(wanted):
            kills += launch.kill(*place, attempt=attempt)
        assert launch.end() == 0, launch.log.read_text()
        assert launch.find(0, kills) is not None, "torchrun did not start its processes once more"
        return kills
    for place in wanted:
        launch = Launch(folder, [*command, "--auto-resume"], rendezvous=rendezvous)
        hit = launch.kill(*place, attempt=0)
        assert (launch.end() != 0) == hit, launch.log.read_text()
        kills += hit
    # If torchrun was killed, its processes may still be running: the next launch has to wait for them.
    launch = Launch(folder, [*command, "--auto-resume"], rendezvous=rendezvous)
    assert launch.end() == 0, launch.log.read_text()
    return kills


def harness(model: str, world: str, kills: int, seed: int, folder: Path) -> int:
    from test_kills import SETTINGS, UPDATES, end_of, write_pairs

    chance = random.Random(f"{model} {world} {seed}")
    settings = SETTINGS | {"training.shard": WORLDS[world], "training.timeout": 60}
    base = ["train", str(write_pairs(folder, chance)), "--model", model, "--device", "cpu"]
    base += ["--set", *(f"{key}={value}" for key, value in settings.items())]

    def place(name: str) -> tuple[Path, list[str]]:
        (folder / name).mkdir()
        return folder / name, [*base, "--out", str(folder / name / "run")]

    whole, command = place("whole")
    launch = Launch(whole, command)
    assert launch.end() == 0, launch.log.read_text()
    expected = end_of(whole / "run")
    assert expected["progress"]["update"] == UPDATES
    first = MODELS.index(model) * len(WORLDS) + list(WORLDS).index(world)  # so that each kind comes early somewhere
    done = same = number = 0
    while done < kills:
        kind = KINDS[(first + number) % len(KINDS)]
        own, command = place(f"{number:03d}")
        number += 1
        with without_orphans(own):
            hits = run_with_kills(kind, own, command, chance)
        found = end_of(own / "run")
        differs = [name for name, value in expected.items() if found[name] != value]
        done += hits
        same += hits if not differs else 0
        what = f"differs: {', '.join(differs)}" if differs else "the same"
        print(f"{model}, {world}, {kind}: {hits} kills, {what}", flush=True)
    print(f"{model}, {world}: {same} of {done} kills")
    return 0 if same == done else 1


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        worker(Path(sys.argv[2]), sys.argv[3:])
    sys.exit(harness(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5])))
