"""What `seq2see bench` measures, and the advice that follows."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from seq2see.benchmark import MANY, ONE, TRAINING, Speed, bench_run, lines, measured, multiplied
from seq2see.data import read_pairs
from seq2see.errors import ConfigError
from seq2see.model import Seq2Seq
from seq2see.storage.saved_model import load_model
from seq2see.training import TrainingOptions
from seq2see.training.adam import Adam
from seq2see.training.optimizer import optimizer_of
from seq2see.training.precision import has_instructions


def test_every_kind_of_work_is_measured_with_both_engines(tiny_run: Path) -> None:
    speeds = bench_run(tiny_run, threads=[1], seconds=0.01)
    kinds = [(ONE, "numpy"), (MANY, "numpy"), (ONE, "numpy int8"), (MANY, "numpy int8")]
    kinds += [(ONE, "torch"), (MANY, "torch"), (TRAINING, "torch")]
    if has_instructions():
        kinds += [(ONE, "torch-bfloat16"), (MANY, "torch-bfloat16")]
    assert [(speed.work, speed.engine) for speed in speeds] == kinds
    for speed in speeds:
        assert speed.threads == 1
        assert speed.tokens > 0
        assert 0 < speed.share < 1


@pytest.mark.parametrize(("path", "expected"), [("", "muon"), ("model", "adam")])
def test_updates_are_those_of_the_optimizer_of_the_run(
    path: str, expected: str, tiny_run_copy: Path, tiny_pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_run_copy / "config.toml"
    config.write_text(config.read_text(encoding="utf-8").replace('optimizer = "adam"', 'optimizer = "muon"'), "utf-8")
    asked, made = list[str](), list[str | None]()

    def measured_here(command: list[str], **_: object) -> CompletedProcess[str]:
        saved, pairs = load_model(Path(command[3])), read_pairs([tiny_pairs]).pairs[:8]
        asked.append(command[-1])
        found = list(measured(saved, pairs, command[4], 1, 0.001, command[-1]))
        return CompletedProcess(command, 0, json.dumps(found), "")

    def noted(model: Seq2Seq, options: TrainingOptions) -> Adam:
        made.append(options.optimizer)
        return optimizer_of(model, options)

    monkeypatch.setattr("seq2see.benchmark.subprocess.run", measured_here)
    monkeypatch.setattr("seq2see.training.optimizer.optimizer_of", noted)
    bench_run(tiny_run_copy / path, [tiny_pairs], threads=[1], seconds=0.001)
    assert set(asked) == {expected}
    assert made == [expected]


def test_weights_are_counted_that_a_token_is_multiplied_by(tiny_run: Path) -> None:
    saved = load_model(tiny_run)
    source, target = multiplied(saved)
    tables = sum(tensor.size for name, tensor in saved.tensors.items() if "embedding" in name)
    vectors = sum(tensor.size for tensor in saved.tensors.values() if tensor.ndim != 2)
    assert source + target + tables + vectors == sum(tensor.size for tensor in saved.tensors.values())
    assert min(source, target) > 0


def advice_of(*speeds: tuple[str, str, int, float]) -> list[str]:
    return [line.strip() for line in lines([Speed(*each, 0.5) for each in speeds])][len(speeds) + 2 :]


def test_the_advice_is_the_engine_and_the_threads_that_are_clearly_faster() -> None:
    found = advice_of(
        (ONE, "numpy", 1, 300.0), (ONE, "numpy", 2, 310.0), (ONE, "torch", 1, 100.0), (ONE, "torch", 2, 90.0),
        (MANY, "numpy", 1, 900.0), (MANY, "torch", 1, 1000.0), (MANY, "torch", 2, 1800.0),
    )  # fmt: skip
    assert found == [
        "one text at a time: --engine numpy (3.0 times the other); "
        "more threads don't pay: use other cores for other processes",
        "many texts: --engine torch (2.0 times the other); 2 threads are 1.8 times as fast as 1",
        "answer texts together where you can: 5.8 times the tokens per second",
        "int8 makes the file smaller, not the model faster: it is computed in float32",
    ]


def test_rounded_answers_are_offered_where_they_are_clearly_faster() -> None:
    exact = (MANY, "torch", 1, 1000.0)
    found = advice_of(exact, (MANY, "torch-bfloat16", 1, 1500.0))
    said = (
        "--engine torch-bfloat16 answers many texts 1.5 times as fast with 1 thread; it rounds, so a few answers differ"
    )
    assert found[1] == said
    assert not any("bfloat16" in line for line in advice_of(exact, (MANY, "torch-bfloat16", 1, 1050.0)))
    # Nor where another engine is faster with fewer threads.
    slower = (MANY, "numpy", 1, 2000.0), (MANY, "numpy", 2, 900.0), (MANY, "torch-bfloat16", 2, 1500.0)
    assert not any("bfloat16" in line for line in advice_of(*slower))
    # What rounding or more threads gain is not what answering together gains, and int8 is no engine to compare with.
    more = advice_of(
        (ONE, "numpy", 1, 1000.0), (MANY, "numpy", 1, 1000.0), (MANY, "numpy int8", 1, 1450.0),
        (MANY, "numpy", 2, 1450.0), (MANY, "torch-bfloat16", 1, 1500.0), (MANY, "torch-bfloat16", 2, 1500.0),
    )  # fmt: skip
    assert said in more
    assert "answer texts together where you can: 1.4 times the tokens per second" in more  # with 2 threads


def test_nothing_is_said_of_threads_that_were_not_compared() -> None:
    assert advice_of((ONE, "numpy", 1, 300.0), (ONE, "torch", 1, 290.0))[0] == "one text at a time: --engine numpy"


@pytest.mark.parametrize(("options", "where"), [({"threads": [0]}, "threads"), ({"seconds": 0.0}, "seconds")])
def test_numbers_out_of_range_are_refused(options: dict[str, object], where: str, tiny_run: Path) -> None:
    with pytest.raises(ConfigError) as error:
        bench_run(tiny_run, **options)  # type: ignore[arg-type]
    assert error.value.where == where


def test_a_language_model_is_refused(tiny_language_run: Path, tiny_pairs: Path) -> None:
    pairs = read_pairs([tiny_pairs]).pairs
    with pytest.raises(ConfigError, match="language model"):
        bench_run(tiny_language_run, pairs)


@pytest.mark.parametrize("threads", [[], [0], [1, 2**31]])
def test_a_number_of_threads_that_no_machine_has_is_refused(threads: list[int], tiny_run: Path) -> None:
    with pytest.raises(ConfigError, match="threads: must be at least 1 and at most 1,024"):
        bench_run(tiny_run, threads=threads, seconds=0.01)
