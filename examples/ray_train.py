"""Train on a Ray cluster: Ray Train starts the processes, and they train together as under torchrun.

    pip install "ray[train]"
    python examples/ray_train.py pairs.tsv --out /shared/run --workers 4 --gpu --set training.max_updates=20000

Data and run folder must be visible to all machines. After a failure, the restarted workers resume from the last
checkpoint. Seq2See makes a process group beside Ray's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from seq2see.config import parse_setting


def work(job: dict[str, Any]) -> None:
    """What each worker does; Ray has set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT."""
    import seq2see

    seq2see.train(job.pop("data"), auto_resume=True, **job)


def main() -> None:
    """Start the workers and wait for them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="pairs, or two parallel files")
    parser.add_argument("--dev", type=Path, nargs="+")
    parser.add_argument("--model")
    parser.add_argument("--out", type=Path, required=True, help="the run folder")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gpu", action="store_true", help="a GPU for each worker")
    parser.add_argument("--set", nargs="+", action="extend", default=[], help="key=value, as for seq2see train")
    arguments = parser.parse_args()
    out = arguments.out.absolute()  # workers run in Ray's own folders
    job = {
        "data": [str(path.absolute()) for path in arguments.data],
        "dev": arguments.dev and [str(path.absolute()) for path in arguments.dev],
        "model": arguments.model,
        "out": str(out),
        "settings": dict(map(parse_setting, arguments.set)),
        "device": "auto" if arguments.gpu else "cpu",
    }
    trainer = TorchTrainer(
        work,
        train_loop_config=job,
        scaling_config=ScalingConfig(num_workers=arguments.workers, use_gpu=arguments.gpu),
        run_config=RunConfig(
            name=f"{out.name}-ray", storage_path=str(out.parent), failure_config=FailureConfig(max_failures=3)
        ),
    )
    trainer.fit()
    print(f"try it: seq2see predict {out} …")


if __name__ == "__main__":
    main()
