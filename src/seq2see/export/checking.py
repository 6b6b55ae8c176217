"""An exported model beside the one in Python: the same texts, the same answers."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2see.console import counted
from seq2see.errors import ConfigError
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.options import GenerationArguments
from seq2see.inference.predictor import Predictor

NODE_NAMES = ("node", "nodejs")
NO_NODE = "not checked, because there is no node on this machine: install Node.js 18 or newer, and export again"
SECONDS = 1800
"""For all answers."""
BEAM = 5
OPTIONS: tuple[GenerationArguments, ...] = ({}, {"beam": BEAM})
"""Of the two answers to each text."""
RUN = """
import { readFileSync } from "node:fs";
const { load } = await import(process.argv[1]);
const { texts, options } = JSON.parse(readFileSync(0, "utf8"));
const model = await load();
const start = performance.now();
const answers = options.map((each) => texts.map((text) => model.predict(text, each)));
console.log(JSON.stringify({ answers, milliseconds: performance.now() - start }));
"""


@dataclass(frozen=True)
class Check:
    """Answers of an exported model that were compared with those in Python, from the same weights."""

    count: int
    same: tuple[int, int]
    """Identical answers, greedy and of a beam."""
    largest_difference: float
    """Between the log-probabilities of identical answers, in nats."""
    milliseconds: float
    """Per answer, greedy and of a beam on average."""
    place: str = "node"
    """What ran it."""

    def lines(self) -> list[str]:
        """For the terminal and the file, which has no times, so that the same model gives the same file."""
        greedy, beam = self.same
        return [
            f"checked in {self.place} on {counted(self.count, 'text')}, beside the same weights in NumPy: "
            f"identical answers {greedy:,} of {self.count:,} (greedy), {beam:,} of {self.count:,} (beam {BEAM})",
            f"largest difference in the log-probability of an answer: {self.largest_difference:.2g} nats",
        ]


def find_node() -> str | None:
    """The command of Node.js, if it is installed."""
    return next((found for name in NODE_NAMES if (found := shutil.which(name))), None)


def check_with_node(module: str, model: Predictor, texts: Sequence[str]) -> Check | str:
    """Compare the module's answers with the model's; what prevents it, if there is no node."""
    node = find_node()
    return NO_NODE if node is None else check_in_node(module, model, texts, node)


def check_in_node(
    module: str, model: Predictor, texts: Sequence[str], node: str, beside: Mapping[str, bytes] | None = None
) -> Check:
    """Compare the module's answers with the model's. ConfigError if node can't run it."""
    answers, milliseconds = run_in_node(module, texts, [{}, {"beam": BEAM}], node, beside)
    found = [[(each["text"], each["logProb"]) for each in own] for own in answers]
    return compared(model, texts, found, milliseconds)


def compared(
    model: Predictor,
    texts: Sequence[str],
    answers: Sequence[Sequence[tuple[str, float]]],
    milliseconds: float,
    place: str = "node",
    searches: Sequence[GenerationArguments] = OPTIONS,
) -> Check:
    """Answers with their log-probabilities, greedy and of a beam, beside the model's own; they took this long."""
    same, difference = [], 0.0
    for found, options in zip(answers, searches, strict=True):
        number = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownTextWarning)
            in_python = model.predict(list(texts), **options)
        for expected, (text, log_prob) in zip(in_python, found, strict=True):
            if expected.text == text:
                number += 1
                if math.isfinite(expected.log_prob):
                    difference = max(difference, abs(expected.log_prob - log_prob))
        same.append(number)
    return Check(len(texts), (same[0], same[1]), difference, milliseconds / max(1, 2 * len(texts)), place)


def run_in_node(
    module: str,
    texts: Sequence[str],
    options: Sequence[dict[str, Any]],
    node: str,
    beside: Mapping[str, bytes] | None = None,
) -> tuple[list[list[dict[str, Any]]], float]:
    """The module's answers to the texts with each of these options, and the milliseconds that all took.

    `beside` is the content of files beside the module, by name.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.mjs"
        path.write_text(module, encoding="utf-8")
        for name, content in (beside or {}).items():
            (Path(folder) / name).write_bytes(content)
        command = [node, "--input-type=module", "-e", RUN, path.as_uri()]
        given = json.dumps({"texts": list(texts), "options": list(options)})
        ran = subprocess.run(command, input=given, capture_output=True, encoding="utf-8", check=False, timeout=SECONDS)
    if ran.returncode:
        said = re.findall(r"^\w*Error: .*", ran.stderr, re.MULTILINE) or ["it was ended"]
        fix = "install Node.js 18 or newer; with one, this is a defect of seq2see"
        raise ConfigError(f"can't run the exported model: {said[0]}", where=node, fix=fix)
    found = json.loads(ran.stdout)
    return found["answers"], found["milliseconds"]
