"""Seq2See under Slurm and under Ray Train. Neither is installed: what they do is done here by stubs, on this machine.

The stubs do what Slurm's manual and the source of Ray Train 2.60 say of the real ones, as far as the examples use it:
`srun` starts the command once a node, `scancel --signal` reaches every process of the step, TorchTrainer sets the
variables, makes a process group of its own and then calls the function. They show that the examples fit together and
that training continues; not that a cluster is set up as they expect.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SBATCH = EXAMPLES / "slurm.sbatch"

# --- Slurm ----------------------------------------------------------------------------------------------------------

STUBS = {
    "scontrol": """#!/bin/bash
echo "scontrol $*" >> "$STUBS/log"
if [[ $1 == show ]]; then for node in ${3//,/ }; do echo "$node"; done; fi
""",
    # One task a node, each in a session of its own, so that `scancel` reaches all its processes; with
    # --kill-on-bad-exit the others are ended when one fails.
    "srun": """#!/bin/bash
echo "srun $*" >> "$STUBS/log"
while [[ $1 == --* ]]; do shift; done
: > "$STUBS/step"
for ((node = 0; node < SLURM_NNODES; node++)); do
    SLURM_NODEID=$node SLURM_PROCID=$node setsid "$@" &
    echo $! >> "$STUBS/step"
done
worst=0
for ((node = 0; node < SLURM_NNODES; node++)); do
    code=0; wait -n || code=$?
    if [[ $code != 0 ]]; then
        [[ $worst != 0 ]] || worst=$code
        while read -r leader; do kill -TERM -- "-$leader" 2>/dev/null; done < "$STUBS/step"
    fi
done
exit $worst
""",
    "scancel": """#!/bin/bash
echo "scancel $*" >> "$STUBS/log"
while read -r leader; do kill "-${1#--signal=}" -- "-$leader"; done < "$STUBS/step"
""",
}


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """The environment of a job on two nodes, both of which are this machine, with one process each."""
    folder = tmp_path / "stubs"
    folder.mkdir()
    for name, text in STUBS.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    programs = Path(sys.executable).parent
    return os.environ | {
        "PATH": f"{folder}{os.pathsep}{programs}{os.pathsep}{os.environ['PATH']}",
        "STUBS": str(folder),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_NNODES": "2",
        "SLURM_JOB_NODELIST": "localhost,localhost",
        "SLURM_CPUS_PER_TASK": "1",
    }


def log_of(slurm: dict[str, str]) -> str:
    return Path(slurm["STUBS"], "log").read_text()


def test_the_slurm_script_is_bash_and_its_options_come_first() -> None:
    subprocess.run(["bash", "-n", str(SBATCH)], check=True)
    lines = SBATCH.read_text().splitlines()
    assert lines[0].startswith("#!")  # sbatch refuses a script without
    first_command = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    options = [number for number, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert options and max(options) < first_command  # sbatch reads none after it


def test_a_last_checkpoint_has_less_time_than_slurm_gives() -> None:
    text = SBATCH.read_text()
    (before_the_limit,) = re.findall(r"^#SBATCH --signal=B:USR1@(\d+)$", text, re.MULTILINE)
    (shutdown,) = re.findall(r"--shutdown-timeout=(\d+)", text)
    assert int(shutdown) < int(before_the_limit)


def test_a_job_that_fails_by_itself_is_not_queued_again(slurm: dict[str, str]) -> None:
    torchrun = Path(slurm["STUBS"], "torchrun")
    torchrun.write_text('#!/bin/bash\necho "torchrun $*" >> "$STUBS/log"\nexit $SLURM_NODEID\n')
    torchrun.chmod(0o755)
    ran = subprocess.run(["bash", str(SBATCH), "pairs.tsv", "--out", "a run"], env=slurm, timeout=60, check=False)
    assert ran.returncode == 1
    said = log_of(slurm)
    assert "-m seq2see train pairs.tsv --out a run --auto-resume" in said
    assert "--nnodes=2 --nproc-per-node=1 --rdzv-backend=c10d --rdzv-endpoint=localhost:" in said
    assert "requeue" not in said


@pytest.mark.slow
def test_a_job_near_its_time_limit_leaves_a_checkpoint_and_is_queued_again(
    slurm: dict[str, str], tiny_pairs: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    settings = {
        "model.width": 16,
        "training.max_updates": 3000,
        "training.evaluate_every": 1000,
        "training.precision": "float32",
        "training.batch_size": 16,
        "training.rate": 1e-3,
    }
    arguments = [str(tiny_pairs), "--out", str(run), "--set", *(f"{key}={value}" for key, value in settings.items())]
    command = ["bash", str(SBATCH), *arguments]
    with (tmp_path / "log").open("w") as log:
        job = subprocess.Popen(command, env=slurm, stderr=log, stdout=log)
        metrics = run / "metrics.jsonl"
        while not (metrics.is_file() and metrics.stat().st_size):
            assert job.poll() is None, (tmp_path / "log").read_text()[-3000:]
            time.sleep(0.05)
        job.send_signal(signal.SIGUSR1)  # as Slurm does, to the shell alone
        assert job.wait(120) != 0
    said = log_of(slurm)
    assert f"scancel --signal=TERM {slurm['SLURM_JOB_ID']}" in said
    assert f"scontrol requeue {slurm['SLURM_JOB_ID']}" in said
    (checkpoint,) = (path.name for path in (run / "checkpoints").iterdir())
    assert 0 < int(checkpoint) < 3000
    assert "2 processes" in (tmp_path / "log").read_text()
    ran = subprocess.run(command, env=slurm, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert f"resuming after update {int(checkpoint):,}" in ran.stderr
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert events[-1]["update"] == 3000
    assert log_of(slurm).count("requeue") == 1


# --- Ray Train --------------------------------------------------------------------------------------------------------

RAY = {
    "__init__.py": "",
    "train/__init__.py": '''
"""A stub of what examples/ray_train.py uses of Ray Train."""
from dataclasses import dataclass

@dataclass
class ScalingConfig:
    num_workers: int = 1
    use_gpu: bool = False

@dataclass
class FailureConfig:
    max_failures: int = 0

@dataclass
class RunConfig:
    name: str
    storage_path: str
    failure_config: FailureConfig
''',
    # As ray.train.torch.config of Ray 2.60: the variables, then a default process group, then the function, in a thread
    # that is not the main one and in a folder of Ray's; the group is destroyed by Ray when all is done.
    "train/torch.py": """
import copy, os, socket, tempfile, threading
from dataclasses import dataclass

@dataclass
class TorchTrainer:
    train_loop_per_worker: object
    train_loop_config: dict
    scaling_config: object
    run_config: object

    def fit(self):
        size = self.scaling_config.num_workers
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for rank in range(1, size):
            if not os.fork():
                os._exit(self.work(rank, size, port))
        codes = [self.work(0, size, port), *(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(1, size))]
        if any(codes):
            raise RuntimeError(f"workers failed: {codes}")

    def work(self, rank, size, port):
        os.chdir(tempfile.mkdtemp())
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        os.environ |= {name: str(rank) for name in ("RANK", "LOCAL_RANK")}
        os.environ |= {name: str(size) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")}
        from torch import distributed
        distributed.init_process_group("gloo", init_method="env://", rank=rank, world_size=size)
        failed = []
        def target():
            try:
                self.train_loop_per_worker(copy.deepcopy(self.train_loop_config))
            except BaseException as error:
                failed.append(error)
                raise
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
        if failed:
            return 1
        distributed.barrier()  # it is still there, and still that of both
        distributed.destroy_process_group()
        return 0
""",
}


def test_the_ray_example_trains_on_two_workers_of_a_stub(tiny_pairs: Path, tmp_path: Path) -> None:
    """Not Ray: a stub that starts two processes and makes a process group in each, as Ray's TorchTrainer does."""
    for name, text in RAY.items():
        path = tmp_path / "stub" / "ray" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    data = os.path.relpath(tiny_pairs, tmp_path)
    command = [sys.executable, str(EXAMPLES / "ray_train.py"), data, "--out", "run", "--workers", "2", "--set"]
    settings = ["model.width=8", "training.max_updates=4", "training.evaluate_every=2", "training.precision=float32"]
    source = str(Path(__file__).parents[2] / "src")
    paths = os.pathsep.join([str(tmp_path / "stub"), source])
    ran = subprocess.run(
        [*command, *settings],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "2 processes" in ran.stderr
    assert ran.stderr.count("all updates done after 4 updates") == 1
    assert (tmp_path / "run" / "model" / "config.json").is_file()
