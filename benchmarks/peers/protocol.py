"""How a peer is asked: a line of JSON per request on stdin, a line of JSON per measurement on stdout.

A peer's script runs in an environment that has the peer and not this package, so this file needs Python alone. It calls
`serve` with what it can do (`train`, `answer`, `product`): for each a function that makes the work of a task, which
says with which model, beam, batch size and precision. The work does so much of it (updates, texts, products) at a call.

    asked    {"task": {"do": "answer", "model": "lstm", "beam": 5, "batch": 128, …}, "amount": 256}
    told     {"task": …, "seconds": 0.31, "cpu_seconds": 0.30, "precision": "float32"}
             {"task": …, "reason": "has no LSTM"}
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Task = dict[str, Any]


class Work(NamedTuple):
    """What a task has become in a peer."""

    do: Callable[[int], object]
    precision: str = "float32"
    """What it computes in."""


class UnableError(Exception):
    """Says why a peer doesn't have what a task asks for."""


def serve(makers: Mapping[str, Callable[[Task], Work]]) -> None:
    """Answer requests until stdin ends; the work of each task is made once, and done once before it is timed."""
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print to stdout, too: what they print goes to stderr
    works: dict[str, Work] = {}
    for line in sys.stdin:
        request = json.loads(line)
        task, amount = request["task"], request["amount"]
        key = json.dumps(task)
        try:
            if task["do"] not in makers:
                raise UnableError(f"doesn't {task['do']}")
            if key not in works:
                works[key] = makers[task["do"]](task)
                works[key].do(amount)
            measured = {**timed(works[key], amount), "precision": works[key].precision}
        except UnableError as reason:
            measured = {"reason": str(reason)}
        print(json.dumps({"task": task, **measured}), file=told, flush=True)


def timed(work: Work, amount: int) -> dict[str, float]:
    """Wall time, and CPU time of all threads of this process."""
    clock, cpu = time.perf_counter(), time.process_time()
    work.do(amount)
    return {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - cpu}


def require_float32(task: Task) -> None:
    """Refuse int8, bfloat16, and the row of defaults where float32 is the default."""
    if task["precision"] == "default":
        raise UnableError("float32 is the default")
    if task["precision"] != "float32":
        raise UnableError(f"has no {task['precision']} here")


class Given:
    """What all peers work on: the folder that `prepare.py` has written."""

    def __init__(self) -> None:
        self.folder = Path(sys.argv[1])
        self.facts: dict[str, Any] = json.loads((self.folder / "facts.json").read_text("utf-8"))
        self.sizes: dict[str, int] = self.facts["sizes"]
        self.length: int = self.facts["length"]
        self.threads = int(os.environ["OMP_NUM_THREADS"])
        self.tokens = {
            side: [line.split(" ") for line in (self.folder / f"train.{side}").read_text("utf-8").splitlines()]
            for side in ("source", "target")
        }

    def sources(self, amount: int) -> list[list[str]]:
        """The tokens of so many sources, the first ones again where there are fewer."""
        own = self.tokens["source"]
        return [own[number % len(own)] for number in range(amount)]

    def pairs(self, amount: int) -> list[tuple[str, str]]:
        """So many pairs as texts."""
        both = zip(self.tokens["source"][:amount], self.tokens["target"][:amount], strict=True)
        return [(" ".join(source), " ".join(target)) for source, target in both]

    def vocabulary(self, side: str) -> list[str]:
        """All tokens of a side."""
        return (self.folder / f"{side}.vocabulary").read_text("utf-8").splitlines()

    def require_length(self, answers: list[int]) -> None:
        """All answers are as long as was asked for: else the peers did different work."""
        if any(number not in (self.length - 1, self.length) for number in answers):
            raise ValueError(f"answers of {sorted(set(answers))} tokens, not {self.length}")
