"""Settings chosen by trials on dev: what is tried, what is chosen, and that a killed tuning goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("optuna", reason='optuna isn\'t installed: pip install "seq2see[tune]"')

import optuna

import seq2see
from seq2see.config import make_config, read_toml
from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.run.planning import plan_run
from seq2see.run.train import train
from seq2see.training import Event
from seq2see.tuning import Budget, Setting, Trial, Tuning, space_of
from seq2see.tuning.importance import importance_of, importance_picture
from seq2see.tuning.result import ranking
from seq2see.tuning.space import Usual, settings_of
from seq2see.tuning.trial import open_study, run_trial
from seq2see.tuning.trials import Job

FEW = {"model.width": 16, "model.embedding": 8, "training.max_updates": 24, "training.evaluate_every": 8}
QUICK = {**FEW, "training.precision": "float32", "training.metric": "cer"}


def call(data: Path, out: Path, **options: Any) -> Tuning:
    options = {"settings": QUICK, "device": "cpu", "quiet": True, **options}
    found = seq2see.tune(data, out=out, **options)
    assert found
    return found


def values_of(found: Tuning) -> list[tuple[Any, ...]]:
    return [(each.settings, each.state, each.value, each.loss, each.updates) for each in found.trials]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path) -> tuple[Path, Tuning]:
    import torch

    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("tune") / "out"
    return out, call(tiny_pairs, out, trials=4)


def test_the_best_on_dev_is_written_as_a_recipe_that_train_takes(done: tuple[Path, Tuning], tmp_path: Path) -> None:
    out, found = done
    assert len(found.trials) == 4
    assert found.best.value == min(each.value or 0 for each in found.trials if each.state == "complete")
    values = read_toml(found.recipe)
    assert values["training"]["rate"] == found.best.settings["training.rate"]
    assert values["model"]["width"] == 16  # which was given
    again = train(make_config(values, {}), tmp_path / "r", device="cpu").finished
    assert again.metrics["cer"] == pytest.approx(found.best.value, abs=1e-12)
    assert again.metrics["loss"] == pytest.approx(found.best.loss, abs=1e-6)
    assert seq2see.load(found.run, device="cpu").predict(["abc"])
    assert [path.name for path in (out / "trials").iterdir()] == [str(found.best.number)]


@pytest.mark.parametrize("line", ["{", "[]", "1", '{"op_code": 4}', '{"op_code": 99}', '{"op_code": 6, "trial_id": 7}'])
def test_a_damaged_journal_is_said(line: str, done: tuple[Path, Tuning], tmp_path: Path) -> None:
    lines = (done[0] / "trials.log").read_text().splitlines(keepends=True)
    lines[2] = f"{line}\n"
    (tmp_path / "trials.log").write_text("".join(lines))
    with pytest.raises(CheckpointError, match="is damaged"):
        open_study(tmp_path, "cer", higher_is_better=False, most_updates=24)


def test_the_first_trial_is_without_tuning_and_what_is_given_stays(done: tuple[Path, Tuning], tiny_pairs: Path) -> None:
    _, found = done
    plan = plan_run(make_config({"data": {"train": [str(tiny_pairs)]}}, QUICK), given=frozenset(QUICK))
    first = found.trials[0].settings
    assert first == {
        "training.rate": plan.config.training.rate,
        "model.dropout": plan.blueprint.dropout,
        "training.batch_size": plan.config.training.batch_size,
    }
    assert not set(first) & set(QUICK)
    assert len({str(each.settings) for each in found.trials}) > 1
    assert "(default)" in str(found) or "(best, default)" in str(found)
    rows = found.to_dicts()
    assert [row["trial"] for row in rows] == [0, 1, 2, 3]
    assert rows[0]["cer"] == found.trials[0].value


def test_the_same_call_tries_nothing_twice_and_a_larger_budget_adds_trials(
    done: tuple[Path, Tuning], tiny_pairs: Path
) -> None:
    out, found = done
    before = (out / "trials.log").read_bytes()
    assert values_of(call(tiny_pairs, out, trials=4)) == values_of(found)
    assert len((out / "trials.log").read_bytes()) <= len(before) + 1000
    more = call(tiny_pairs, out, trials=5)
    assert values_of(more)[:4] == values_of(found)
    assert len(more.trials) == 5


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"training.max_updates": 16}, "training.max_updates"),
        ({"training.seed": 2}, "data"),
        ({"model.dropout": 0.2}, ""),
    ],
)
def test_a_tuning_goes_on_only_as_it_was_started(
    settings: dict[str, Any], where: str, done: tuple[Path, Tuning], tiny_pairs: Path
) -> None:
    with pytest.raises(ConfigError, match="started with") as refused:
        call(tiny_pairs, done[0], settings={**QUICK, **settings})
    assert where in refused.value.where


def test_a_killed_tuning_goes_on_and_ends_the_same(done: tuple[Path, Tuning], tiny_pairs: Path, tmp_path: Path) -> None:
    """Killed in its second trial, after a checkpoint."""
    out = tmp_path / "out"
    flags = [f"{key}={value}" for key, value in QUICK.items()]
    words = ["tune", str(tiny_pairs), "-o", str(out), "--trials", "3", "--device", "cpu", "--set", *flags]
    command = [sys.executable, "-m", "seq2see", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    end = time.monotonic() + 200
    while not list((out / "trials" / "1").glob("checkpoints/*")) and time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    study = optuna.load_study(study_name="seq2see", storage=storage_of(out))
    assert [each.state.name for each in study.trials[:2]] == ["COMPLETE", "RUNNING"]
    found = call(tiny_pairs, out, trials=3)
    assert values_of(found) == values_of(done[1])[:3]


def storage_of(out: Path) -> optuna.storages.JournalStorage:
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(out / "trials.log")))


def test_several_processes_share_the_trials(tiny_pairs: Path, tmp_path: Path) -> None:
    found = call(tiny_pairs, tmp_path / "out", trials=3, jobs=2)
    assert [each.number for each in found.trials] == [0, 1, 2]
    assert {each.state for each in found.trials} == {"complete"}


def test_an_interrupted_tuning_returns_none_and_goes_on(
    tiny_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def interrupt(event: Event) -> None:
        if event.update >= 8 and not sent:
            sent.append(event.update)
            os.kill(os.getpid(), signal.SIGINT)

    def interrupted(*arguments: Any, **options: Any) -> Any:
        return train(*arguments, **{**options, "callbacks": [interrupt, *options["callbacks"]]})

    with monkeypatch.context() as patch:
        patch.setattr("seq2see.tuning.trial.train", interrupted)
        options: dict[str, Any] = {"settings": QUICK, "device": "cpu", "quiet": True}
        assert seq2see.tune(tiny_pairs, out=tmp_path / "out", trials=2, **options) is None
    assert sent == [8]
    assert len(call(tiny_pairs, tmp_path / "out", trials=2).trials) == 2


def test_time_ends_the_trials_and_changes_none(done: tuple[Path, Tuning], tiny_pairs: Path, tmp_path: Path) -> None:
    found = call(tiny_pairs, tmp_path / "out", minutes=1e-6)
    assert values_of(found) == values_of(done[1])[:1]


@pytest.mark.parametrize("others", [0.0, 99.0])
def test_a_trial_that_is_worse_than_most_is_pruned(others: float, tiny_pairs: Path, tmp_path: Path) -> None:
    config = make_config({"data": {"train": [str(tiny_pairs)]}}, QUICK)
    job = Job(config, frozenset(QUICK), tmp_path, [], "cer", Usual("bidirectional", 4e-3, "adam"), 24, "cpu")
    study = job.study()
    for _ in range(5):
        made = optuna.trial.create_trial(value=others, intermediate_values=dict.fromkeys((8, 16, 24), others))
        study.add_trial(made)
    trial = study.ask()
    outcome = run_trial(job.study, trial._trial_id, job.planned(trial.number, {}), "cer", "cpu", os.getpid())
    assert (outcome.state, outcome.updates) == (("complete", 24) if others else ("pruned", 8))
    assert outcome.value is not None


def test_a_loss_that_becomes_infinite_fails_the_trial_alone(
    tiny_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def failing(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise UserError("the loss on dev became nan at update 8", where="training")
        return train(*arguments, **options)

    monkeypatch.setattr("seq2see.tuning.trial.train", failing)
    found = call(tiny_pairs, tmp_path / "out", trials=3)
    assert [each.state for each in found.trials] == ["complete", "failed", "complete"]
    assert "1 failed" in str(found)


# --- what is tuned ----------------------------------------------------------------------------------------------------


def keys_of(pairs: list[tuple[str, str]], **settings: Any) -> dict[str, Setting]:
    config = make_config({}, {key.replace("__", "."): value for key, value in settings.items()})
    plan = plan_run(
        config, [seq2see.Pair(*pair) for pair in pairs[:-20]], [seq2see.Pair(*pair) for pair in pairs[-20:]]
    )
    given = frozenset(key.replace("__", ".") for key in settings)
    return {each.key: each for each in space_of(plan, config.model, given)}


WORDS = [(f"{a}{b}{c}", f"{c}{b}{a}") for a in "abcdefg" for b in "abcdefg" for c in "abcdefg"]


def test_a_transformer_is_tried_on_sentences() -> None:
    sentences = [
        (f"the {a} sees the {b} on day {c}", f"der {a} sieht den {b} am Tag {c}")
        for a, b, c in ((a, b, c) for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuv")
    ]
    words = {"text__target": "words", "text__source": "words"}
    assert keys_of(sentences, **words)["model.name"].values == ("bidirectional", "transformer")
    assert "model.name" not in keys_of(sentences, **words, model__name="attention")
    assert "model.name" not in keys_of(sentences, **words, model__cell="gru")  # which a Transformer doesn't have
    assert "model.name" not in keys_of(WORDS, model__name="bidirectional")


def test_values_are_around_the_usual_ones() -> None:
    found = keys_of(WORDS, model__name="bidirectional", model__width=64)
    assert set(found) == {"training.rate", "model.dropout", "training.batch_size"}
    for each in found.values():
        assert each.key == "training.rate" or each.usual in each.values
    width = keys_of(WORDS, model__name="bidirectional")["model.width"]
    assert width.values == (width.usual // 2, width.usual, 2 * width.usual)
    assert "training.batch_size" not in keys_of(WORDS, training__batch_tokens=500)


def test_the_rate_is_relative_to_that_of_the_architecture() -> None:
    usual = Usual("bidirectional", 4e-3, "adam")
    assert settings_of({"model.name": "transformer", "training.rate": 0.5}, usual) == {
        "model.name": "transformer", "training.rate": 5e-4,
    }  # fmt: skip
    assert settings_of({"training.rate": 0.5}, usual) == {"training.rate": 2e-3}


def test_trials_of_the_usual_architecture_have_its_rate_and_optimizer_at_any_width() -> None:
    usual = Usual("transformer", 3e-3, "muon")
    found = settings_of({"model.width": 64, "training.rate": 0.5}, usual)
    assert found == {"model.width": 64, "training.rate": 1.5e-3, "training.optimizer": "muon"}
    other = settings_of({"model.name": "bidirectional", "training.rate": 0.5}, usual)
    assert other == {"model.name": "bidirectional", "training.rate": 2e-3}
    assert settings_of({}, usual) == {"training.optimizer": "muon"}


def test_of_equal_trials_the_one_with_the_lowest_loss_is_the_best() -> None:
    def trial(number: int, value: float, loss: float, state: Any = "complete") -> Trial:
        return Trial(number, {}, state, value, loss, 1)

    trials = [trial(0, 0.5, 2.0), trial(1, 0.5, 1.0), trial(2, 0.4, 0.5), trial(3, 0.9, 0.1, "pruned")]
    assert [each.number for each in ranking(trials, "exact_match")] == [1, 0, 2]
    assert [each.number for each in ranking(trials, "cer")] == [2, 1, 0]


def test_importance_is_that_of_the_setting_that_decides(tmp_path: Path) -> None:
    study = open_study(tmp_path, "cer", higher_is_better=False, most_updates=24)
    study.sampler = optuna.samplers.RandomSampler(seed=1)
    assert importance_of(study) == {}
    for _ in range(60):
        trial = study.ask()
        rate = trial.suggest_float("training.rate", 0.2, 2.0, log=True)
        trial.suggest_categorical("model.dropout", (0.1, 0.3, 0.5))
        study.tell(trial, abs(rate - 1))
    found = importance_of(study)
    assert next(iter(found)) == "training.rate"
    assert found["training.rate"] > 0.8
    drawn = ElementTree.fromstring(importance_picture(found, "CER"))
    texts = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:2] == ["importance for dev CER", "training.rate"]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"trials": 0}, "trials: must be above 0"),
        ({"minutes": -1.0}, "minutes: must be above 0"),
        ({"jobs": 0}, "jobs: must be at least 1"),
        ({"jobs": 2**31}, "jobs: must be at least 1 and at most 256"),
        ({"model": "language_model"}, "model.name: language models are not supported"),
        ({"settings": {"training.start_from": "x"}}, "training.start_from: tuning doesn't fine-tune"),
    ],
)
def test_what_can_not_be_tuned_is_said_first(
    options: dict[str, Any], what: str, tiny_pairs: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=what):
        seq2see.tune(tiny_pairs, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_nothing_left_to_tune_is_said(tiny_pairs: Path, tmp_path: Path) -> None:
    fixed = {
        **QUICK,
        "model.name": "bidirectional",
        "training.rate": 1e-3,
        "model.dropout": 0.1,
        "training.batch_size": 8,
    }
    with pytest.raises(ConfigError, match="nothing is left to tune"):
        seq2see.tune(tiny_pairs, out=tmp_path / "out", settings=fixed, quiet=True)


def test_without_optuna_the_extra_is_named(tiny_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError) as missing:
        call(tiny_pairs, tmp_path / "out", trials=1)
    assert missing.value.fix == 'pip install "seq2see[tune]"'


def test_a_budget_is_of_trials_or_of_time() -> None:
    assert Budget().most == 30
    assert Budget(trials=7, minutes=3).most == 7
    assert Budget(minutes=3).most == float("inf")
