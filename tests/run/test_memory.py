"""Pairs that don't fit into memory are refused before the first update, with their place and an option that works."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from seq2see.config import make_config, parse_setting, read_toml
from seq2see.corpus.corpus import read_manifest
from seq2see.corpus.prepare import prepare_corpus
from seq2see.data import Pair
from seq2see.errors import ConfigError, DataError
from seq2see.model import build
from seq2see.run.memory import limits_of, measured, upper_bound
from seq2see.run.pairs import read_run_data
from seq2see.run.planning import plan_run
from seq2see.run.train import train
from seq2see.training.footprint import largest_batch_of

SMALL = {"model.width": 8, "training.max_updates": 1, "training.batch_size": 4, "training.precision": "float32"}
SIDES = ["abcd", "bcda", "cdab", "dabc", "acbd", "bdca", "cabd", "dbca"]


def lines(*, long: int = 0) -> list[str]:
    """Short pairs, the last with `long` characters on each side."""
    pairs = [f"{side}\t{side[::-1]}" for side in SIDES]
    return [*pairs, f"{'ab' * (long // 2)}\t{'dc' * (long // 2)}"] if long else pairs


def written(path: Path, content: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in content))
    return path


def trained(data: Path, dev: Path, out: Path, *, engine: str = "torch", **settings: Any) -> str:
    """What training prints."""
    console = Console(file=io.StringIO(), width=500, record=True)
    given = (
        SMALL
        | {"data.train": [str(data)], "data.dev": [str(dev)]}
        | {k.replace("__", "."): v for k, v in settings.items()}
    )
    train(make_config({}, given), out, given=set(given), device="cpu", console=console, engine=engine)
    return console.export_text()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Pairs with a long one, and short dev pairs."""
    return written(tmp_path / "train.tsv", lines(long=2000)), written(tmp_path / "dev.tsv", lines())


def with_memory(size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2see.run.memory.total_memory", lambda device: size)


@pytest.mark.parametrize("engine", ["torch", "scratch"])
def test_a_pair_too_long_for_the_memory_is_named_with_a_fix_that_works(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    with_memory(3e7, monkeypatch)  # 2,000 × 2,000 weights of attention take 48 MB with their gradients
    with pytest.raises(DataError, match="1 pair of 2,000 × 2,000 tokens, needs at least 73 MB of memory") as caught:
        trained(*files, tmp_path / "run", engine=engine, training__batch_tokens=None, training__batch_size=1)
    assert caught.value.where == f"{files[0]}:9"
    assert not (tmp_path / "run").exists()
    fix = re.search(r"--set (\S+) \(keeps 8 of 9\)", caught.value.fix)
    assert fix
    key, value = parse_setting(fix[1])
    assert (key, value) == ("data.longest", 4)
    said = trained(*files, tmp_path / "run", engine=engine, data__longest=value, training__batch_size=1)
    assert f"train: 1 of 9 pairs left out: longer than 4 tokens (data.longest); the first is {files[0]}:9" in said


def test_a_long_dev_pair_is_named_too(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(3e7, monkeypatch)
    long, short = files
    with pytest.raises(DataError, match="evaluating dev needs at least 288 MB of memory for this pair") as caught:
        trained(short, long, tmp_path / "run")
    assert caught.value.where == f"{long}:9"
    assert "--set data.longest=4 (keeps 16 of 17)" in caught.value.fix
    said = trained(short, long, tmp_path / "run", data__longest=4)
    assert "dev: 1 of 9 pairs left out" in said


def test_batches_that_fit_in_smaller_passes_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_memory(3e7, monkeypatch)
    data = written(tmp_path / "train.tsv", [f"{'ab' * 300}\t{side * 150}" for side in SIDES])
    dev = written(tmp_path / "dev.tsv", lines())
    with pytest.raises(DataError, match="the largest batch, 8 pairs of up to 600 × 600 tokens") as caught:
        trained(data, dev, tmp_path / "run", training__batch_size=8)
    fix = re.search(r"--set (\S+)", caught.value.fix)
    assert fix
    key, value = parse_setting(fix[1])
    assert key == "training.accumulate"
    trained(data, dev, tmp_path / "run", training__batch_size=8, training__accumulate=value)


def test_where_most_pairs_are_too_long_none_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_memory(1e6, monkeypatch)
    data = written(tmp_path / "train.tsv", [f"{'ab' * 300}\t{side * 150}" for side in SIDES])
    with pytest.raises(DataError, match="needs at least") as caught:
        trained(data, written(tmp_path / "dev.tsv", lines()), tmp_path / "run", training__batch_size=1)
    assert "smaller model" in caught.value.fix


def test_a_batch_near_the_limit_is_noted(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(1e8, monkeypatch)
    said = trained(*files, tmp_path / "run", training__batch_size=1)
    assert f"it may not fit ({files[0]}:9)" in said
    assert f"note: the longest pair has 2,000 × 2,000 tokens ({files[0]}:9), 400 times the mean of the others" in said


@pytest.mark.parametrize(
    ("length", "settings"),
    [
        (200, {"model__name": "monotonic", "text__source": "characters", "text__target": "characters"}),
        (20, {"model__name": "bidirectional", "model__copy": True, "text__source": "words", "text__target": "words"}),
        (200, {"model__name": "bidirectional", "text__source": "characters", "text__target": "characters"}),
        (60, {"model__name": "transformer", "text__source": "characters", "text__target": "characters"}),
    ],
    ids=["monotonic", "copy", "bidirectional", "transformer"],
)
def test_what_is_bounded_without_measuring_is_more_than_what_is_measured(length: int, settings: dict[str, Any]) -> None:
    """Of many different tokens, since a mixture keeps a probability of each."""
    gap = " " if settings["text__source"] == "words" else ""
    texts = [
        gap.join(chr(0x4E00 + start + i) for i in range(length)) for start in range(0, 8000 if gap else 800, length)
    ]
    pairs = [Pair(text, text) for text in texts]
    own = SMALL | {"text.min_count": 1} | {key.replace("__", "."): value for key, value in settings.items()}
    plan = plan_run(make_config({}, own), pairs, pairs)
    network, limits = build(plan.blueprint, plan.sizes), limits_of(plan, 1)
    footprint = measured(plan, network)
    assert upper_bound(plan, limits, footprint.weights) > largest_batch_of(plan.examples, footprint, limits).bytes


def test_a_run_that_fits_without_doubt_is_not_examined(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2see.run.memory.measured", None)
    said = trained(files[1], files[1], tmp_path / "run")
    assert "longest" not in said


def test_with_a_limit_the_model_is_that_of_the_shorter_pairs(files: tuple[Path, Path], tmp_path: Path) -> None:
    long, short = files
    trained(long, short, tmp_path / "limited", data__longest=4)
    trained(short, short, tmp_path / "short")
    names = ("model.safetensors", "source.vocabulary.json", "target.vocabulary.json", "config.json")
    for name in names:
        assert (tmp_path / "limited" / "model" / name).read_bytes() == (
            tmp_path / "short" / "model" / name
        ).read_bytes()
    found = read_run_data(tmp_path / "limited", has_source=True, fix="")
    assert [len(found.train), len(found.dev)] == [8, 8]


def test_subwords_are_counted_once_they_are_learned(tmp_path: Path) -> None:
    rare = "".join(chr(ord("a") + number * number % 26) for number in range(120))
    content = [f"the {side} is here\tdas {side} ist da" for side in SIDES * 3] + [f"{rare}\tda"]
    data, dev = written(tmp_path / "train.tsv", content), written(tmp_path / "dev.tsv", content[:3])
    units = {"text__source": "bpe", "text__target": "bpe"}
    said = trained(data, dev, tmp_path / "run", data__longest=25, **units)
    assert "train: 1 of 25 pairs left out" in said
    assert read_toml(tmp_path / "run" / "config.toml")["data"]["longest"] == 25


def test_no_pair_within_the_limit(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no train pair has at most 3 tokens on both sides"):
        trained(*files, tmp_path / "run", data__longest=3)


def test_a_prepared_corpus_leaves_out_the_same(files: tuple[Path, Path], tmp_path: Path) -> None:
    long, _ = files
    console = Console(file=io.StringIO(), width=500, record=True)
    given = {"data.train": [str(long)], "data.dev": [str(long)], "data.longest": 4}
    corpus = prepare_corpus(make_config({}, given), tmp_path / "corpus", console=console)
    said = console.export_text()
    for side in ("train", "dev"):
        assert f"{side}: 1 of 9 pairs left out: longer than 4 tokens (data.longest); the first is {long}:9" in said
    assert read_manifest(corpus.folder)[0]["pairs"] == 8
    run = tmp_path / "run"
    config = make_config({}, SMALL | {"data.train": [str(corpus.folder)]})
    train(config, run, device="cpu", console=console)
    assert "train: 1 pair left out when the corpus was prepared" in console.export_text()
    trained(long, long, tmp_path / "direct", data__longest=4)
    for name in ("model.safetensors", "source.vocabulary.json"):
        assert (run / "model" / name).read_bytes() == (tmp_path / "direct" / "model" / name).read_bytes()
    other = make_config({}, SMALL | {"data.train": [str(corpus.folder)], "data.longest": 3})
    with pytest.raises(ConfigError, match="is 3, but the corpus was prepared with 4"):
        train(other, run, given={"data.longest"}, device="cpu", console=console, force=True)
