"""The cost of an update by model, batch and number of processes: time, messages and memory, as a table.

    python benchmarks/scaling.py [--seconds 360] [--vocabulary 2000] [--only attention]

Each process has one thread. For every model these variants run side by side, two updates each in turn; medians are
printed: one process; two with DDP; the same two without gradient synchronization, which is the calculation alone (the
additional time of DDP is messages, and waiting for the other process); two with FSDP2. Pairs are random ids, 5 to 35
tokens per side. Bytes are those that a process wrote to its sockets, counted by Linux. Memory is the maximum that a
process held beyond what it held after importing torch.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed.fsdp  # before any process is started, since the import takes memory

from seq2see.data import Examples, Sequences
from seq2see.model import ModelOptions, Sizes, build, resolve
from seq2see.text import SPECIALS
from seq2see.training import ALONE, DevEvaluation, Trainer, TrainingOptions, World, joined, to_tensors

CPU = torch.device("cpu")
UPDATES = 2
"""Per turn."""
MB = 1e6


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    model: str
    width: int
    batch: int


CASES = (
    Case("attention", 128, 32),
    Case("attention", 256, 32),
    Case("attention", 512, 32),
    Case("attention", 256, 8),
    Case("attention", 256, 128),
    Case("gnmt", 128, 32),
    Case("gnmt", 256, 32),
    Case("transformer", 128, 32),
    Case("transformer", 256, 32),
    Case("transformer", 256, 128),
)


def random_examples(vocabulary: int, number: int = 4096) -> Examples:
    """Pairs of random ids."""
    chance = np.random.default_rng(1)

    def side() -> Sequences:
        offsets = np.concatenate([[0], np.cumsum(chance.integers(5, 36, number))])
        return Sequences(chance.integers(len(SPECIALS), vocabulary, offsets[-1]).astype(np.int32), offsets)

    return Examples(side(), side())


# --- in a process -----------------------------------------------------------------------------------------------------


def new_trainer(case: Case, examples: Examples, vocabulary: int, shard: bool, world: World) -> Trainer:
    """As `seq2see train` makes one, but for dev and files."""
    torch.manual_seed(1)
    options = TrainingOptions(
        rate=1e-3,
        max_updates=10**9,
        batch_size=case.batch,
        evaluate_every=10**9,
        metric="loss",
        precision="float32",
        shard=shard,
    )
    return Trainer(
        build(resolve(ModelOptions(name=case.model, width=case.width)), Sizes(vocabulary, vocabulary)),
        examples,
        options,
        device=CPU,
        evaluate=lambda _: DevEvaluation({}, ()),
        save_best=lambda *_: None,
        save_checkpoint=lambda _: None,
        callback=lambda _: None,
        world=world,
    )


@contextmanager
def unshared(trainer: Trainer, wanted: bool) -> Iterator[None]:
    """Inside, with `wanted`, the process tells the others nothing: neither gradients nor losses."""
    world, objective = trainer.world, trainer.objective
    if not wanted:
        yield
        return
    trainer.world = replace(world, group=None)
    objective.require_backward_grad_sync = False
    yield
    trainer.world = world
    objective.require_backward_grad_sync = True


def kilobytes(name: str) -> int:
    """VmRSS or VmHWM of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def bytes_written() -> int:
    """Of this process, sockets included."""
    return int(Path("/proc/self/io").read_text().split("wchar:")[1].split()[0])


def work(answers: Connection, case: Case, vocabulary: int, shard: bool, environment: dict[str, str]) -> None:
    """Run updates on request and answer with their cost; ends at None."""
    os.environ |= environment
    before = kilobytes("VmRSS")
    examples = random_examples(vocabulary)
    with joined(CPU, 600) as world:
        trainer = new_trainer(case, examples, vocabulary, shard, world)
        shares = (share for _, share in trainer.batches.after())
        parameters = sum(tensor.numel() for tensor in trainer.model.parameters())
        while (wanted := answers.recv()) is not None:
            some = [next(shares) for _ in range(UPDATES)]
            written, began = bytes_written(), time.perf_counter()
            with unshared(trainer, wanted == "unshared"):
                for share in some:
                    trainer._update(share)
            seconds = time.perf_counter() - began
            answers.send(
                {
                    "seconds": seconds / UPDATES,
                    "tokens": sum(share.target_tokens for share in some) / UPDATES,
                    "bytes": (bytes_written() - written) / UPDATES,
                    "memory": (kilobytes("VmHWM") - before) * 1024,
                    "parameters": parameters,
                }
            )


def message(answers: Connection, environment: dict[str, str]) -> None:
    """On request, sum that many numbers over the processes."""
    os.environ |= environment
    from torch.distributed import all_reduce

    with joined(CPU, 600) as world:
        while (number := answers.recv()) is not None:
            numbers = torch.zeros(number)
            world.wait()
            began = time.perf_counter()
            all_reduce(numbers, group=world.group)
            answers.send(time.perf_counter() - began)


def activations(case: Case, vocabulary: int) -> float:
    """Bytes per target token that the forward pass keeps for the backward pass."""
    trainer = new_trainer(case, random_examples(vocabulary), vocabulary, False, ALONE)
    _, (passes, tokens) = next(trainer.batches.after())
    kept = {parameter.untyped_storage().data_ptr(): 0 for parameter in trainer.model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = trainer.objective(to_tensors(passes[0][0], CPU))
    assert loss.requires_grad  # until here nothing that was kept may be given back: places in memory count once
    return sum(kept.values()) / tokens


# --- before them ------------------------------------------------------------------------------------------------------


class Group:
    """Processes that wait to be asked."""

    def __init__(self, size: int, target: Any, *arguments: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.processes: list[BaseProcess] = []
        self.pipes: list[Connection] = []
        fork = get_context("fork")  # the import of torch is shared, and not counted as memory of theirs
        for rank in range(size):
            here, there = fork.Pipe()
            environment = {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
            environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            process = fork.Process(target=target, args=(there, *arguments, environment), daemon=True)
            process.start()
            there.close()
            self.processes.append(process)
            self.pipes.append(here)

    def ask(self, wanted: Any) -> list[Any]:
        """Of each process the answer."""
        for pipe in self.pipes:
            pipe.send(wanted)
        return [pipe.recv() for pipe in self.pipes]

    def end(self) -> None:
        """Let them go."""
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.processes:
            process.join()


def measure(case: Case, vocabulary: int, seconds: float) -> dict[str, float]:
    """The medians of a case."""
    alone = Group(1, work, case, vocabulary, False)
    copies = Group(2, work, case, vocabulary, False)
    shards = Group(2, work, case, vocabulary, True)
    turns = {"alone": (alone, "all"), "ddp": (copies, "all"), "unshared": (copies, "unshared"), "fsdp": (shards, "all")}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in turns}
    for group, wanted in turns.values():
        group.ask(wanted)
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(found["fsdp"]) < 3:
        for name, (group, wanted) in turns.items():
            answers = group.ask(wanted)
            found[name].append({key: max(answer[key] for answer in answers) for key in answers[0]})
    for group in (alone, copies, shards):
        group.end()

    def median(name: str, key: str) -> float:
        return statistics.median(answer[key] for answer in found[name])

    result = {f"{name} {key}": median(name, key) for name in turns for key in ("seconds", "bytes", "memory")}
    # Batches differ in length, so each turn's tokens go with its own time.
    result |= {
        f"{name} rate": statistics.median(answer["tokens"] / answer["seconds"] for answer in found[name])
        for name in turns
    }
    return result | {"parameters": median("alone", "parameters"), "turns": len(found["alone"])}


def line_of(case: Case, found: dict[str, float]) -> str:
    """Its row of the table."""
    seconds = {name: found[f"{name} seconds"] for name in ("alone", "ddp", "unshared", "fsdp")}
    rates = {name: found[f"{name} rate"] for name in ("alone", "ddp", "fsdp")}
    cells = [
        f"{case.model} {case.width}",
        f"{found['parameters'] / 1e6:.2f}",
        f"{case.batch}",
        *(f"{1000 * seconds[name]:.0f}" for name in ("alone", "ddp", "unshared")),
        f"{1000 * max(0, seconds['ddp'] - seconds['unshared']):.0f}",
        f"{1000 * seconds['fsdp']:.0f}",
        *(f"{rates[name]:,.0f}" for name in ("alone", "ddp", "fsdp")),
        f"{rates['ddp'] / rates['alone']:.2f}",
        f"{found['ddp bytes'] / MB:.1f} / {found['fsdp bytes'] / MB:.1f} / {4 * found['parameters'] / MB:.1f}",
        *(f"{found[f'{name} memory'] / MB:.0f}" for name in ("alone", "ddp", "fsdp")),
        f"{found['turns']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


HEAD = """\
| model, width | 10⁶ parameters | pairs | 1 process: ms | DDP: ms | calculation | messages | FSDP2: ms \
| tokens/s: 1 | DDP | FSDP2 | DDP : 1 | MB sent: DDP / FSDP2 / calculated | MB held: 1 | DDP | FSDP2 | turns |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


def load() -> str:
    """How busy the machine is."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=360, help="for all cases together, starts aside")
    parser.add_argument("--vocabulary", type=int, default=2000)
    parser.add_argument("--only", default="", help="cases of this model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cases = [case for case in CASES if arguments.only in case.model]
    print(f"{os.cpu_count()} cores, load {load()}; torch {torch.__version__}; {arguments.vocabulary:,} tokens a side\n")
    print(HEAD, flush=True)
    for case in cases:
        print(line_of(case, measure(case, arguments.vocabulary, arguments.seconds / len(cases))), flush=True)
    print(
        "\n| model, width | layers | pairs | kB kept a target token | values a layer and width |\n|---|---|---|---|---|"
    )
    for case in cases:
        layers, kept = resolve(ModelOptions(name=case.model)).layers, activations(case, arguments.vocabulary)
        of_width = kept / 4 / layers / case.width
        print(
            f"| {case.model} {case.width} | {layers} | {case.batch} | {kept / 1000:.0f} | {of_width:.0f} |", flush=True
        )
    wide, vocabulary = Case("attention", 256, 4), 60_000
    print(f"\n{wide.model} {wide.width}, {vocabulary:,} tokens a side, {wide.batch} pairs:\n")
    print("| | processes | bytes held a parameter | bytes sent a parameter |\n|---|---|---|---|")
    for name, size, shard in (("a copy", 1, False), ("DDP", 2, False), ("FSDP2", 2, True), ("FSDP2", 4, True)):
        group = Group(size, work, wide, vocabulary, shard)
        answer = [group.ask("all") for _ in range(3)][-1][0]
        group.end()
        held, sent = answer["memory"] / answer["parameters"], answer["bytes"] / answer["parameters"]
        print(f"| {name} | {size} | {held:.1f} | {sent:.2f} |", flush=True)
    print("\n| sum over 2 processes of | ms | MB/s |\n|---|---|---|")
    two = Group(2, message)
    for number in (1, 10**4, 10**5, 10**6, 10**7):
        two.ask(number)
        seconds = statistics.median(max(two.ask(number)) for _ in range(15))
        print(f"| {4 * number:,} bytes | {1000 * seconds:.2f} | {4 * number / seconds / MB:.0f} |", flush=True)
    two.end()
    print(f"\nload at the end {load()}")


if __name__ == "__main__":
    main()
