"""Several runs from consecutive seeds, which answer as one."""

from __future__ import annotations

import io
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import seq2see
from seq2see import cli
from seq2see.config import Config, make_config
from seq2see.errors import ConfigError, DataError
from seq2see.inference.loading import members_of
from seq2see.run.folder import stored_config
from seq2see.run.pairs import read_data, read_run_data
from seq2see.run.seeds import train_seeds
from seq2see.run.train import train
from seq2see.storage.locks import locked
from seq2see.storage.saved_model import load_model
from seq2see.training import Evaluated, Event


@pytest.fixture
def config(tiny_settings: dict[str, Any], tiny_pairs: Path) -> Config:
    return make_config({}, {"data.train": str(tiny_pairs), "training.seed": 4, **tiny_settings})


def several(config: Config, folder: Path, number: int = 3, **options: Any) -> tuple[list[Path] | None, str]:
    """Trains; the folders, and what was said."""
    said = io.StringIO()
    found = train_seeds(config, folder, number, device="cpu", console=Console(file=said, width=300), **options)
    return found, said.getvalue()


def test_runs_of_consecutive_seeds_share_their_pairs_and_differ_in_weights(config: Config, tmp_path: Path) -> None:
    runs, _ = several(config, tmp_path / "runs")
    assert runs == [tmp_path / "runs" / f"seed-{seed}" for seed in (4, 5, 6)]
    configs = [stored_config(run) for run in runs]
    assert [each.training.seed for each in configs] == [4, 5, 6]
    assert {each.data.split_seed for each in configs} == {4}
    data = [read_run_data(run, has_source=True, fix="") for run in runs]
    assert data[0].dev == data[1].dev == data[2].dev
    assert data[0].train == data[1].train == data[2].train
    weights = [load_model(run).tensors["decoder.output.weight"] for run in runs]
    assert not (weights[0] == weights[1]).all()


def test_the_first_is_what_a_single_run_would_be(config: Config, tmp_path: Path) -> None:
    several(config, tmp_path / "runs", 2)
    train(config, tmp_path / "alone", device="cpu", console=Console(quiet=True))
    first, alone = (seq2see.load(tmp_path / name, device="cpu") for name in ("runs/seed-4", "alone"))
    assert first.predict(["abc", "de"]) == alone.predict(["abc", "de"])


def test_their_folder_is_their_ensemble(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_pairs: Path
) -> None:
    runs, _ = several(config, tmp_path / "runs", 2)
    assert runs is not None
    together = seq2see.load(tmp_path / "runs", device="cpu")
    assert len(together.members) == 2
    assert together.paths == tuple(runs)
    assert together.predict(["abc"]) == seq2see.load(runs, device="cpu").predict(["abc"])
    assert cli.run(["predict", str(tmp_path / "runs"), "abc"]) == 0
    assert capsys.readouterr().out == f"{together.predict('abc')[0].text}\n"
    assert cli.run(["predict", str(runs[0]), str(tmp_path / "runs"), "abc"]) == 0  # a run, and an ensemble
    assert capsys.readouterr().out.count("\n") == 1
    assert cli.run(["evaluate", str(tmp_path / "runs"), str(tiny_pairs)]) == 0


def test_other_folders_are_themselves(tmp_path: Path) -> None:
    for name in ("seed-10.seq2see", "seed-9", "seed-x", "seeds", "other.seq2see"):
        (tmp_path / name).mkdir()
    assert members_of(tmp_path) == [tmp_path / "seed-9", tmp_path / "seed-10.seq2see"]
    assert members_of(tmp_path / "seed-9") == [tmp_path / "seed-9"]
    assert members_of(tmp_path / "nothing") == [tmp_path / "nothing"]


def test_one_of_several_runs_is_fine_tuned(config: Config, tmp_path: Path) -> None:
    several(config, tmp_path / "runs", 2)
    further = replace(config, training=replace(config.training, start_from=str(tmp_path / "runs")))
    with pytest.raises(ConfigError, match="holds 2 models") as caught:
        train(further, tmp_path / "new")
    first = members_of(tmp_path / "runs")[0]
    assert caught.value.fix == f"choose one of them: --from {first}"
    train(replace(further, training=replace(further.training, start_from=str(first))), tmp_path / "new", device="cpu")


def test_an_existing_run_is_refused_before_the_first_is_trained(config: Config, tmp_path: Path) -> None:
    several(replace(config, training=replace(config.training, seed=5)), tmp_path / "runs", 2)
    with pytest.raises(ConfigError, match="already exists"):
        several(config, tmp_path / "runs")
    assert not (tmp_path / "runs" / "seed-4").exists()
    mistyped = replace(config, data=replace(config.data, train=(str(tmp_path / "mistyped.tsv"),)))
    with pytest.raises(DataError, match="no such file"):  # before it is said that a run exists
        several(replace(mistyped, training=replace(config.training, seed=5)), tmp_path / "runs", 2)
    runs, _ = several(config, tmp_path / "runs", force=True)
    assert runs is not None and len(runs) == 3


def test_none_is_replaced_while_one_is_being_trained(config: Config, tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="this system has no such locks")
    runs, _ = several(config, tmp_path / "runs", 2)
    assert runs is not None
    before = (runs[0] / "metrics.jsonl").read_bytes()
    with locked(runs[1], print), pytest.raises(ConfigError, match="another process is training in it"):
        several(config, tmp_path / "runs", 2, force=True)
    assert (runs[0] / "metrics.jsonl").read_bytes() == before


def test_a_run_is_no_folder_of_several(config: Config, tmp_path: Path) -> None:
    runs, _ = several(config, tmp_path / "runs", 2)
    assert runs is not None
    with pytest.raises(ConfigError, match="itself a run"):
        several(config, runs[0])


def test_resuming_keeps_the_finished_and_goes_on(config: Config, tmp_path: Path) -> None:
    evaluations: list[int] = []

    def stop_in_the_second(event: Event) -> None:
        if isinstance(event, Evaluated):
            evaluations.append(event.update)
            if evaluations == [2, 4, 6, 2, 4]:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        several(config, tmp_path / "runs", callbacks=[stop_in_the_second])
    before = (tmp_path / "runs" / "seed-4" / "metrics.jsonl").read_bytes()
    runs, said = several(config, tmp_path / "runs", resume=True)
    assert runs is not None and len(runs) == 3
    assert said.count("already finished") == 1
    assert (tmp_path / "runs" / "seed-4" / "metrics.jsonl").read_bytes() == before
    whole, _ = several(config, tmp_path / "whole")
    assert whole is not None
    for one, other in zip(runs, whole, strict=True):
        assert load_model(one).tensors.keys() == load_model(other).tensors.keys()
        for name, tensor in load_model(one).tensors.items():
            assert (tensor == load_model(other).tensors[name]).all()


def test_runs_that_had_not_begun_have_the_options_of_the_first(
    config: Config, tiny_pairs: Path, tmp_path: Path
) -> None:
    """So that the command that is printed, without any options, resumes them."""
    several(config, tmp_path / "runs", 1)
    runs, _ = several(make_config({}, {"data.train": str(tiny_pairs)}), tmp_path / "runs", 2, resume=True)
    assert runs == [tmp_path / "runs" / "seed-4", tmp_path / "runs" / "seed-5"]
    several(config, tmp_path / "whole", 2)
    resumed, whole = (tmp_path / name / "seed-5" for name in ("runs", "whole"))
    assert stored_config(resumed) == stored_config(whole)
    for name, tensor in load_model(resumed).tensors.items():
        assert (tensor == load_model(whole).tensors[name]).all()
    other = replace(config, training=replace(config.training, max_updates=3))
    several(other, tmp_path / "runs", 3, resume=True, given={"training.max_updates"})
    assert stored_config(tmp_path / "runs" / "seed-6").training.max_updates == 3


def test_a_length_penalty_whose_choice_was_interrupted_is_chosen_when_resumed(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[Path] = []

    def interrupted(folder: Path, *_: Any, **options: Any) -> None:
        chosen.append(folder)
        if len(chosen) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            assert options["stop"]()

    monkeypatch.setattr("seq2see.run.train.keep_length_penalty", interrupted)
    own = replace(config, training=replace(config.training, choose_length_penalty=True))
    runs, _ = several(own, tmp_path / "runs")
    assert runs is None
    runs, said = several(config, tmp_path / "runs", resume=True)
    assert runs is not None
    assert said.count("already finished") == 1
    assert [folder.parent.name for folder in chosen] == ["seed-4", "seed-5", "seed-5", "seed-6"]


def test_the_seed_of_the_split_decides_the_dev_pairs(tiny_pairs: Path) -> None:
    def dev(**settings: int) -> list[seq2see.Pair]:
        keys = {key.replace("__", "."): value for key, value in settings.items()}
        return read_data(make_config({}, {"data.train": str(tiny_pairs), **keys}), None, None, has_source=True).dev

    assert dev(training__seed=1) != dev(training__seed=2)
    assert dev(training__seed=2, data__split_seed=1) == dev(training__seed=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "0"], "--seeds: must be at least 1"),
        (["--seeds", "1001"], "--seeds: must be at most 1,000"),
        (["--seeds", "x"], "--seeds"),
    ],
)
def test_what_is_refused(
    words: list[str], said: str, tiny_pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["train", str(tiny_pairs), "--out", str(tmp_path / "run"), *words]) == 2
    assert said in capsys.readouterr().err


def test_the_command_and_python_train_the_same(
    config: Config, tiny_pairs: Path, tmp_path: Path, tiny_settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [f"{key}={value}" for key, value in tiny_settings.items()]
    words = ["train", str(tiny_pairs), "--out", str(tmp_path / "one"), "--seeds", "2", "--device", "cpu"]
    assert cli.run([*words, "--set", *settings]) == 0
    assert f"seq2see evaluate {tmp_path / 'one'}" in capsys.readouterr().err
    model = seq2see.train(tiny_pairs, out=tmp_path / "two", settings=tiny_settings, seeds=2, device="cpu", quiet=True)
    assert len(model.members) == 2
    assert model.predict(["abc"]) == seq2see.load(tmp_path / "one", device="cpu").predict(["abc"])


def test_they_are_packed_into_a_folder_that_answers_as_they_do(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several(config, tmp_path / "runs", 2)
    assert cli.run(["pack", str(tmp_path / "runs"), "-o", str(tmp_path / "packed")]) == 0
    assert "seed-5.seq2see: " in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "packed").iterdir()) == ["seed-4.seq2see", "seed-5.seq2see"]
    texts = ["abc", "dcb", "ea"]
    answers = [seq2see.load(tmp_path / name, device="cpu").predict(texts) for name in ("runs", "packed")]
    assert answers[0] == answers[1]
    assert cli.run(["pack", str(tmp_path / "packed"), "-o", str(tmp_path / "x.seq2see")]) == 2
    assert "seq2see distill" in capsys.readouterr().err
