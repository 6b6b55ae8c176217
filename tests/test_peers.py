"""benchmarks/peers: the table of made-up figures, and the turns of made-up peers. No environment is made."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PEERS = Path(__file__).parent.parent / "benchmarks" / "peers"
TRAIN = {"do": "train", "model": "lstm", "batch": 128, "precision": "float32"}
DEFAULT = {**TRAIN, "precision": "default"}
ANSWER = {"do": "answer", "model": "transformer", "beam": 5, "batch": 1, "precision": "float32"}

PEER = """
import sys
sys.path.insert(0, sys.argv[1])
from protocol import UnableError, Work, serve

done = []

def answer(task):
    if task["model"] == "lstm":
        raise UnableError("has no LSTM")
    if task["model"] == "broken":
        raise ValueError("broken")
    print("a library says something on stdout")
    return Work(done.append)

serve({"answer": answer})
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module of the benchmark as its scripts do, by its plain name."""
    monkeypatch.syspath_prepend(str(PEERS))
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        if str(PEERS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def results(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "machine": {"processor": "A processor", "flags": ["avx2"], "cores": 2, "load": 0.1},
        "versions": {"fast": {"torch": "2.13.0", "other": "1"}},
        "given": {"data": "pairs", "pairs": 3600, "length": 8, "products_per_pair": {"lstm": 1e6}},
        "threads": 1,
        "rounds": 3,
        "peers": ["fast", "slow"],
        "products_per_repetition": 1e9,
        "rows": rows,
    }


def cell(*seconds: float, precision: str = "float32") -> dict[str, Any]:
    return {"precision": precision, "seconds": list(seconds), "cpu_seconds": [each / 2 for each in seconds]}


def product(precision: str, seconds: float) -> dict[str, Any]:
    cells = {"fast": cell(seconds, precision=precision), "slow": {"reason": "-"}}
    return {"task": {"do": "product", "batch": 128, "precision": precision}, "amount": 10, "cells": cells}


def test_the_table_has_medians_reasons_and_shares_of_the_product_in_the_same_precision(module: Any) -> None:
    rows = [
        product("float32", 0.1),  # 100e9 products per second
        product("bfloat16", 0.05),
        {"task": TRAIN, "amount": 10, "cells": {"fast": cell(0.1, 0.4, 0.2), "slow": {"reason": "has no LSTM"}}},
        {
            "task": DEFAULT,
            "amount": 10,
            "cells": {"fast": cell(0.1, precision="bfloat16"), "slow": {"reason": "no other"}},
        },
        {"task": ANSWER, "amount": 20, "cells": {"fast": cell(0.2), "slow": cell(0.4)}},
    ]
    found = list(module("table").lines(results(rows)))
    assert found[:4] == [
        "- Machine: A processor (avx2), 2 cores, load 0.1 at the start.",
        "- Work: pairs, 3,600 pairs, answers of 8 tokens.",
        "- Threads: 1.",
        "- Environment fast: torch 2.13.0.",
    ]
    table = [line for line in found if line.startswith("|")]
    assert table == [
        "| work | fast | slow |",
        "|---|---:|---:|",
        "| train LSTM with attention, batch 128, float32 | 20 (10), 19% | – (has no LSTM) |",
        "| train LSTM with attention, batch 128, default precision | 10 (5) bfloat16, 19% | – (no other) |",
        "| answer Transformer, beam 5, batch 1, float32 | 10 (5) | 20 (10) |",
    ]


def test_rows_that_no_peer_has_are_left_out_and_without_a_product_there_are_no_shares(module: Any) -> None:
    reasons = {"fast": {"reason": "a"}, "slow": {"reason": "b"}}
    rows = [
        {"task": DEFAULT, "amount": 10, "cells": reasons},
        {"task": TRAIN, "amount": 10, "cells": {"fast": cell(0.2), "slow": {"reason": "a | b"}}},
    ]
    (row,) = [line for line in module("table").lines(results(rows)) if line.startswith("| train")]
    assert row == "| train LSTM with attention, batch 128, float32 | 20 (10) | – (a / b) |"


def test_peers_take_turns_and_say_what_they_cannot_do(module: Any, tmp_path: Path) -> None:
    script = tmp_path / "peer.py"
    script.write_text(PEER)
    command = [sys.executable, str(script), str(PEERS)]
    work = [(TRAIN, 3), ({**ANSWER, "model": "lstm"}, 4), (ANSWER, 5), ({**ANSWER, "model": "broken"}, 1)]
    found = list(module("turns").measured({"one": command, "two": command}, work, threads=1, rounds=2))
    assert [(task, amount) for task, amount, _ in found] == work
    trained, of_lstm, answered, of_broken = (cells for _, _, cells in found)
    for peer in ("one", "two"):
        assert trained[peer] == {"reason": "doesn't train"}
        assert of_lstm[peer] == {"reason": "has no LSTM"}
        assert len(answered[peer]["seconds"]) == len(answered[peer]["cpu_seconds"]) == 2
        assert answered[peer]["precision"] == "float32"
        assert of_broken[peer] == {"reason": "failed: ValueError: broken"}


def test_work_is_made_once_and_done_once_before_it_is_timed(tmp_path: Path) -> None:
    script = tmp_path / "peer.py"
    script.write_text(
        PEER.replace("Work(done.append)", "Work(lambda n: (done.append(n), print(done, file=sys.stderr)))")
    )
    asked = "".join(json.dumps({"task": ANSWER, "amount": amount}) + "\n" for amount in (5, 6))
    ended = subprocess.run(
        [sys.executable, str(script), str(PEERS)], input=asked, capture_output=True, text=True, check=True
    )
    assert [json.loads(line)["task"] for line in ended.stdout.splitlines()] == [ANSWER, ANSWER]
    assert ended.stderr.splitlines() == ["a library says something on stdout", "[5]", "[5, 5]", "[5, 5, 6]"]


def test_what_needs_less_than_it_declares_is_installed_without_it(module: Any) -> None:
    environments = module("environments")
    wanted = "-c {root}/constraints.txt\na==1\n# without what they declare: b wants too much\nb==2\n"
    assert environments.installations(wanted) == [
        ([], ["-c", f"{environments.ROOT}/constraints.txt", "a==1"]),
        (["--no-deps"], ["b==2"]),
    ]


def test_an_environment_is_made_again_when_its_requirements_change(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments = module("environments")
    monkeypatch.setattr(environments, "HERE", tmp_path)
    (tmp_path / "requirements").mkdir()
    calls: list[list[str]] = []

    def run(command: list[str]) -> None:
        calls.append(command[1:4])
        if "venv" in command:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()

    monkeypatch.setattr(environments, "quietly", run)
    for version in ("1", "1", "2"):
        (tmp_path / "requirements" / "a.txt").write_text(f"a=={version}\n")
        environments.environment("a", tmp_path)
    assert [command[:2] for command in calls] == [["-m", "venv"], ["-m", "pip"]] * 2


def test_every_version_of_a_peer_is_pinned() -> None:
    for path in (PEERS / "requirements").iterdir():
        for line in path.read_text().splitlines():
            assert line.startswith(("#", "-c ", "-e {root}")) or "==" in line, f"{path.name}: {line}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rounds", "0"], "argument --rounds: must be at least 1, not 0"),
        (["--out", "{folder}"], "--out {folder} can't be written: Is a directory"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_installed(
    options: list[str], said: str, tmp_path: Path
) -> None:
    given = [each.replace("{folder}", str(tmp_path)) for each in options]
    command = [sys.executable, str(PEERS), "--environments", str(tmp_path / "environments"), *given]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"error: {said.replace('{folder}', str(tmp_path))}\n")
    assert not (tmp_path / "environments").exists()


def test_what_a_peer_is_given_and_what_it_refuses(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = module("protocol")
    (tmp_path / "facts.json").write_text('{"sizes": {}, "length": 3}', "utf-8")
    for side in ("source", "target"):
        (tmp_path / f"train.{side}").write_text(f"{side} 1\n{side} 2\n", "utf-8")
    monkeypatch.setattr(sys, "argv", ["peer", str(tmp_path)])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    given = protocol.Given()
    assert given.pairs(1) == [("source 1", "target 1")]
    assert len(given.pairs(9)) == 2
    protocol.require_float32(ANSWER)
    reasons = {"default": "float32 is the default", "int8": "has no int8 here", "bfloat16": "has no bfloat16 here"}
    for precision, reason in reasons.items():
        with pytest.raises(protocol.UnableError, match=reason):
            protocol.require_float32({**ANSWER, "precision": precision})
