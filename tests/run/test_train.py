"""From a configuration to a run folder, and on from wherever it was broken off."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import load_file

import seq2see
from seq2see import Pair
from seq2see.config import Config, make_config, read_toml
from seq2see.curves.history import read_history
from seq2see.curves.plot import quantities_of
from seq2see.data import Examples
from seq2see.data.split import sample_evenly
from seq2see.errors import CheckpointError, ConfigError, DataError, UserError
from seq2see.inference.notes import UnknownTextWarning
from seq2see.metrics import SCALES
from seq2see.model import ARCHITECTURES
from seq2see.run.dev import evaluate_on_dev
from seq2see.run.pairs import read_data
from seq2see.run.plan import max_length_for
from seq2see.run.train import Trained, train
from seq2see.storage.checkpoints import checkpoints, load_checkpoint
from seq2see.training import DevEvaluation, Evaluated, Event, Updated


class Said(Console):
    """A console that remembers."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), width=200)

    @property
    def text(self) -> str:
        assert isinstance(self.file, io.StringIO)
        return self.file.getvalue()


@pytest.fixture
def config(tiny_settings: dict[str, Any], tiny_pairs: Path) -> Callable[..., Config]:
    """Makes a configuration of a tiny run, these settings going before."""
    return lambda **own: make_config(
        {}, {"data.train": str(tiny_pairs)} | tiny_settings | {k.replace("__", "."): v for k, v in own.items()}
    )


def quiet(config: Config, folder: Path, **more: Any) -> Trained:
    return train(config, folder, device="cpu", console=Console(quiet=True), **more)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def weights_of(run: Path) -> tuple[int, bytes]:
    """The newest checkpoint's update and everything in it that is a tensor."""
    folder = checkpoints(run / "checkpoints")[-1]
    return int(folder.name), (folder / "state.safetensors").read_bytes()


def metrics_of(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without what depends on the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    clock = {"seconds", "target_tokens_per_second"}
    return [{key: value for key, value in line.items() if key not in clock} for line in lines]


def progress_of(run: Path) -> dict[str, Any]:
    progress = load_checkpoint(run / "checkpoints").progress
    return {key: value for key, value in progress.items() if "seconds" not in key}


# --- what a run leaves ----------------------------------------------------------------------------------------------


def test_a_run_folder_holds_what_it_should(tiny_run: Path) -> None:
    assert {path.name for path in tiny_run.iterdir()} == {
        "config.toml",
        "files.json",
        "metrics.jsonl",
        "model",
        "checkpoints",
    }
    assert {path.name for path in (tiny_run / "model").iterdir()} == {
        "README.md",
        "config.json",
        "manifest.json",
        "model.safetensors",
        "source.vocabulary.json",
        "sources.hashes",
        "target.vocabulary.json",
    }
    events = [line["event"] for line in metrics_of(tiny_run)]
    assert events.count("evaluation") == 3
    assert events[-1] == "end"


def test_the_configuration_in_the_folder_leaves_nothing_open_and_makes_the_same_model(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (tiny_run / "config.toml").read_text()
    stored = make_config(read_toml(tiny_run / "config.toml"), {})
    assert stored.text.source
    assert stored.model.name
    assert stored.model.layers
    assert stored.training.max_updates
    assert stored.training.precision != "auto"
    monkeypatch.chdir(tmp_path)
    quiet(stored, tmp_path / "again")
    assert files_of(tmp_path / "again" / "model") == files_of(tiny_run / "model")
    assert weights_of(tmp_path / "again") == weights_of(tiny_run)
    assert (tmp_path / "again" / "config.toml").read_text() == text


def test_the_same_seed_is_the_same_model_and_another_is_another(config: Callable[..., Config], tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        quiet(config(training__seed=seed), tmp_path / name)
    a, b, c = (files_of(tmp_path / name / "model") for name in "abc")
    assert a == b
    assert a["model.safetensors"] != c["model.safetensors"]


def test_the_card_says_what_the_model_is(tiny_run: Path, tiny_pairs: Path) -> None:
    card = (tiny_run / "model" / "README.md").read_text()
    model = seq2see.load(tiny_run, device="cpu")
    assert card.startswith("# A bidirectional model")
    assert f"{model.num_parameters:,} parameters" in card
    assert tiny_pairs.name in card
    assert "dev exact match" in card
    source = make_example(card)
    assert source in tiny_pairs.read_text()
    assert model.predict([source])[0].text is not None


def make_example(card: str) -> str:
    """The text in the card's `model.predict(["…"])`."""
    return card.partition('predict(["')[2].partition('"])')[0]


def test_what_goes_wrong_is_said_once_with_advice_and_written_down(
    config: Callable[..., Config], tmp_path: Path
) -> None:
    """A rate of nothing teaches nothing: dev is answered by one and the same text."""
    sources = [f"{a}{b}{c}" for a in "abcd" for b in "abcd" for c in "abcd"]
    dev = [Pair(source, source[::-1] + "e", f"dev:{number}") for number, source in enumerate(sources)]
    said = Said()
    chosen = config(model__name="plain", training__rate=1e-9, training__max_updates=9, training__evaluate_every=1)
    train(chosen, tmp_path / "r", device="cpu", console=said, dev_pairs=dev)
    warnings_found = [line for line in metrics_of(tmp_path / "r") if line["event"] == "warning"]
    (same,) = [line for line in warnings_found if line["kind"] == "same_answer"]
    assert same["update"] == 4  # after a third of training, and found twice in a row
    assert said.text.count(f"warning: {same['message']}") == 1
    assert f"    try: {same['advice']}" in said.text
    kinds = [line["kind"] for line in warnings_found]
    assert len(set(kinds)) == len(kinds)


def test_unknown_tokens_of_dev_are_said(config: Callable[..., Config], tmp_path: Path) -> None:
    dev = [Pair("xyz", "abc", f"dev:{number}") for number in range(5)]
    said = Said()
    train(config(training__max_updates=2), tmp_path / "r", device="cpu", console=said, dev_pairs=dev)
    assert "75.0 % of dev's source tokens are not in the vocabulary" in said.text


def test_the_card_of_a_language_model_can_be_read_too(tiny_language_run: Path) -> None:
    card = (tiny_language_run / "model" / "README.md").read_text()
    assert "target: " in card
    assert "- source: " not in card
    assert "perplexity" in card


def test_what_is_kept_is_the_best_model(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dev is best at update 4; what ships is what the checkpoint of that update holds."""
    losses = iter([3.0, 1.0, 2.0, 1.5])
    monkeypatch.setattr(
        "seq2see.run.torch_trainer.evaluate_on_dev", lambda *_: DevEvaluation({"loss": next(losses)}, ())
    )
    at: dict[int, dict[str, Any]] = {}

    def keep(event: Event) -> None:
        if isinstance(event, Evaluated) and event.update > 2:
            tensors, progress, *_ = load_checkpoint(tmp_path / "r" / "checkpoints")
            at[progress["update"]] = tensors

    trained = quiet(config(training__metric="loss", training__max_updates=8), tmp_path / "r", callbacks=[keep])
    assert trained.finished.best_update == 4
    assert trained.finished.metrics == {"loss": 1.0}
    for update, tensors in at.items():
        kept = load_file(tmp_path / "r" / "model" / "model.safetensors")
        same = all(np.array_equal(tensor, tensors[f"model.{name}"]) for name, tensor in kept.items())
        assert same == (update == 4)
    assert set(at) == {2, 4, 6}


@pytest.mark.parametrize(("metric", "shown"), [("cer", "dev CER "), ("chrf", "dev chrF ")])
def test_a_metric_of_evaluate_selects_the_best_model(
    metric: str, shown: str, config: Callable[..., Config], tmp_path: Path
) -> None:
    """Its value is that of `evaluate` on the same pairs, and what ships is the model that it is best of."""
    found: list[Evaluated] = []
    said = Said()
    chosen = config(training__metric=metric, training__max_updates=24, training__evaluate_every=4)
    trained = train(
        chosen,
        tmp_path / "r",
        console=said,
        callbacks=[lambda e: found.append(e) if isinstance(e, Evaluated) else None],
    )
    values = {event.update: event.metrics[metric] for event in found}
    best = max(values.values()) if SCALES[metric].higher_is_better else min(values.values())
    assert len(set(values.values())) > 1
    assert values[trained.finished.best_update] == best == trained.finished.metrics[metric]
    assert list(trained.finished.metrics) == [metric, "exact_match", "loss"]
    assert f"best is by {shown.strip()}" in said.text
    assert said.text.count(shown) >= len(found)
    dev = read_data(chosen, None, None, has_source=True).dev
    report = seq2see.load(tmp_path / "r").evaluate(dev, metrics=[metric])
    assert report.scores[metric].value == pytest.approx(best, abs=1e-9)
    usual = seq2see.load(tmp_path / "r").evaluate(dev)  # the metric is shown without being asked for
    assert metric in usual.scores and set(usual.scores) == {metric, "exact_match", "cer", "loss"}
    logged = read_history(tmp_path / "r")
    assert [point.value for point in logged.others[metric]] == list(values.values())
    assert f"dev {SCALES[metric].title}" in [each.title for each in quantities_of([logged])]


def test_early_stopping_follows_the_metric(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error rate rises from the first evaluation on, while the loss falls and the exact match rises."""
    number = itertools.count(1)

    def evaluate(*_: Any) -> DevEvaluation:
        n = next(number)
        return DevEvaluation({"cer": 0.1 * n, "exact_match": 0.01 * n, "loss": 1 / n}, ())

    monkeypatch.setattr("seq2see.run.torch_trainer.evaluate_on_dev", evaluate)
    chosen = config(training__metric="cer", training__patience=2, training__max_updates=12)
    finished = quiet(chosen, tmp_path / "r").finished
    assert (finished.best_update, finished.update, finished.reason) == (2, 6, "no improvement for 2 evaluations")


def test_pairs_of_the_same_source_are_one_item_of_dev_as_of_an_evaluation(tiny_run: Path) -> None:
    model = seq2see.load(tiny_run, device="cpu")
    answer, other = (model.predict(source)[0].text for source in ("abc", "de"))
    pairs = [Pair("abc", "ee", ""), Pair("de", "ee", ""), Pair("abc", answer, ""), Pair("de", "aa", "")]
    assert answer != "ee" != other != "aa"
    found = evaluate_on_dev(model, pairs, metric="cer")
    report = seq2see.evaluate(model, pairs, metrics=["cer"])
    assert found.metrics["exact_match"] == report.exact_match == 0.5
    assert found.metrics["cer"] == pytest.approx(report.scores["cer"].value)
    assert found.metrics["loss"] == pytest.approx(report.scores["loss"].value)
    assert [(each.source, each.target, each.is_right) for each in found.answers] == [
        ("abc", answer, True),
        ("de", "ee", False),
    ]


def test_a_metric_whose_package_is_missing_is_refused_before_training(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ["sacrebleu", *(module for module in sys.modules if module.startswith("sacrebleu."))]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match="sacrebleu"):
        quiet(config(training__metric="bleu"), tmp_path / "r")
    assert not (tmp_path / "r" / "metrics.jsonl").exists()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_trains_and_answers(
    name: str, config: Callable[..., Config], tiny_text: Path, tmp_path: Path
) -> None:
    chosen = config(model__name=name, training__max_updates=2, training__evaluate_every=1)
    if ARCHITECTURES[name].has_blocks:
        chosen = replace(chosen, model=replace(chosen.model, embedding=None))
    if not ARCHITECTURES[name].has_source:
        chosen = replace(chosen, data=replace(chosen.data, train=(str(tiny_text),)))
    before = len(metrics_of(Path(quiet(chosen, tmp_path / "run").folder)))
    assert before == 4  # the first update, two evaluations, the end
    model = seq2see.load(tmp_path / "run", device="cpu")
    assert model.name == name
    answers = model.predict(["abc", "e"], beam=2)
    assert len(answers) == 2
    looks = ARCHITECTURES[name].has_source and name not in ("plain", "reverse", "peeky")
    assert all((answer.weights is not None) == looks for answer in answers)


# --- resumed -------------------------------------------------------------------------------------------


class Stopped(BaseException):
    """The power goes off."""


def stop_at(update: int) -> Callable[[Event], None]:
    def callback(event: Event) -> None:
        if isinstance(event, Updated | Evaluated) and event.update >= update:
            raise Stopped

    return callback


@pytest.mark.parametrize("schedule", ["linear", "plateau"])
@pytest.mark.parametrize("updates", [[6], [13], [4, 10, 12]])
def test_a_run_broken_off_and_resumed_equals_one_never_broken(
    config: Callable[..., Config], tmp_path: Path, updates: list[int], schedule: str
) -> None:
    chosen = config(
        training__max_updates=15,
        training__evaluate_every=4,
        training__checkpoint_every=3,
        training__schedule=schedule,
        model__dropout=0.3,
    )
    quiet(chosen, tmp_path / "whole")
    for number, update in enumerate(updates):
        with pytest.raises(Stopped):
            quiet(chosen, tmp_path / "broken", resume=number > 0, callbacks=[stop_at(update)])
        assert load_checkpoint(tmp_path / "broken" / "checkpoints").progress["update"] < 15
    quiet(chosen, tmp_path / "broken", resume=True)
    assert weights_of(tmp_path / "broken") == weights_of(tmp_path / "whole")
    assert files_of(tmp_path / "broken" / "model") == files_of(tmp_path / "whole" / "model")
    assert metrics_of(tmp_path / "broken") == metrics_of(tmp_path / "whole")
    assert progress_of(tmp_path / "broken") == progress_of(tmp_path / "whole")
    assert (tmp_path / "broken" / "config.toml").read_text() == (tmp_path / "whole" / "config.toml").read_text()


def interrupt_at(update: int) -> Callable[[Event], None]:
    """As Ctrl-C would: the run ends after this update, tries the model, and keeps its state."""

    def callback(event: Event) -> None:
        if isinstance(event, Updated) and event.update >= update:
            signal.raise_signal(signal.SIGINT)

    return callback


def test_an_interrupted_run_keeps_its_state_and_goes_on_bit_for_bit(
    config: Callable[..., Config], tmp_path: Path
) -> None:
    chosen = config(training__max_updates=24, training__evaluate_every=6, training__checkpoint_every=24)
    whole = quiet(chosen, tmp_path / "whole")
    broken = quiet(chosen, tmp_path / "broken", callbacks=[interrupt_at(10)])
    assert broken.finished.reason == "interrupted"
    assert broken.finished.update == 10
    assert weights_of(tmp_path / "broken")[0] == 10
    assert seq2see.load(tmp_path / "broken", device="cpu")
    resumed = quiet(chosen, tmp_path / "broken", resume=True)
    assert resumed.finished.update == whole.finished.update == 24
    assert weights_of(tmp_path / "broken") == weights_of(tmp_path / "whole")
    updates = [line["update"] for line in metrics_of(tmp_path / "broken") if line["event"] == "update"]
    assert updates == [1, 10, 20]


def test_an_interruption_changes_no_decision(config: Callable[..., Config], tmp_path: Path) -> None:
    """A try because of Ctrl-C, between those that were planned, counts for neither plateau, patience nor best."""
    chosen = config(
        training__rate=5.0,  # so high that dev goes up and down
        training__max_updates=24,
        training__evaluate_every=4,
        training__schedule="plateau",
        training__metric="loss",
    )
    quiet(chosen, tmp_path / "whole")
    quiet(chosen, tmp_path / "broken", callbacks=[interrupt_at(10)])
    quiet(chosen, tmp_path / "broken", resume=True)
    assert progress_of(tmp_path / "broken") == progress_of(tmp_path / "whole")
    assert weights_of(tmp_path / "broken") == weights_of(tmp_path / "whole")


def test_the_handlers_of_signals_are_given_back(config: Callable[..., Config], tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    quiet(config(), tmp_path / "a")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_training_works_in_a_thread(config: Callable[..., Config], tmp_path: Path) -> None:
    done: list[Trained] = []
    thread = threading.Thread(target=lambda: done.append(quiet(config(), tmp_path / "a")))
    thread.start()
    thread.join(60)
    assert done[0].finished.update == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_with_130_and_it_can_go_on(
    number: int, tiny_pairs: Path, tiny_flags: list[str], tmp_path: Path
) -> None:
    """In a process of its own, as a person at a terminal would; then the same run is finished and compared."""
    flags = [*tiny_flags, "training.max_updates=160", "training.evaluate_every=20", "training.max_epochs=100"]
    command = [sys.executable, "-m", "seq2see", "train", str(tiny_pairs), "--device", "cpu", "--out"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "broken"), *flags], stderr=subprocess.PIPE, text=True, env=one_thread()
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("update     40"):
            process.send_signal(number)
            break
    said += process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "interrupted after" in said
    assert said.rstrip().endswith("--resume")
    assert "stopping after this update" in said
    again = make_config(read_toml(tmp_path / "broken" / "config.toml"), {})
    quiet(again, tmp_path / "broken", resume=True)
    quiet(again, tmp_path / "whole")
    assert weights_of(tmp_path / "broken") == weights_of(tmp_path / "whole")
    assert weights_of(tmp_path / "whole")[0] == 160
    updates = [line["update"] for line in metrics_of(tmp_path / "broken") if line["event"] == "update"]
    assert updates == [1, *range(10, 161, 10)]


def one_thread() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def test_a_finished_run_can_be_resumed_and_stays_as_it_is(config: Callable[..., Config], tmp_path: Path) -> None:
    quiet(config(), tmp_path / "r")
    before = files_of(tmp_path / "r" / "model"), weights_of(tmp_path / "r")
    assert quiet(config(), tmp_path / "r", resume=True).finished.update == 6
    assert (files_of(tmp_path / "r" / "model"), weights_of(tmp_path / "r")) == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training.seed", 9),
        ("training.rate", 0.5),
        ("model.width", 32),
        ("model.name", "plain"),
        ("text.source", "bytes"),
        ("data.dev_share", 0.3),
        ("training.max_updates", 60),
        ("data.train", "/other.tsv"),
    ],
)
def test_resuming_with_other_options_is_refused_and_the_key_named(
    key: str, value: object, config: Callable[..., Config], tiny_run_copy: Path
) -> None:
    section, _, name = key.partition(".")
    kept = getattr(getattr(make_config(read_toml(tiny_run_copy / "config.toml"), {}), section), name)
    with pytest.raises(ConfigError) as caught:
        quiet(make_config({}, {key: value}), tiny_run_copy, given=[key], resume=True)
    assert caught.value.where == key
    assert repr(kept) in caught.value.what
    assert "--out" in caught.value.fix


def test_resuming_with_nothing_said_or_the_same_said_is_fine(config: Callable[..., Config], tmp_path: Path) -> None:
    quiet(config(training__seed=4), tmp_path / "r")
    for chosen in (Config(), config(), make_config({}, {"training.seed": 4})):
        assert quiet(chosen, tmp_path / "r", resume=True).finished.update == 6


def test_a_default_that_is_asked_for_is_an_option_too(
    config: Callable[..., Config], tmp_path: Path, tiny_pairs: Path
) -> None:
    """The run has seed 4; `--set training.seed=1` asks for another, even if 1 is what one gets without asking."""
    quiet(config(training__seed=4), tmp_path / "r")
    with pytest.raises(UserError, match="seed"):
        seq2see.train(
            tiny_pairs, out=tmp_path / "r", settings={"training.seed": 1}, resume=True, quiet=True, device="cpu"
        )


def test_there_must_be_something_to_resume(config: Callable[..., Config], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run to resume") as caught:
        quiet(config(), tmp_path / "nowhere", resume=True)
    assert "--resume" in caught.value.fix
    quiet(config(), tmp_path / "r")
    shutil.rmtree(tmp_path / "r" / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        quiet(config(), tmp_path / "r", resume=True)


# --- existing folders ------------------------------------------------------------------------------------------


def test_an_existing_run_is_refused_with_all_three_ways_out(config: Callable[..., Config], tiny_run: Path) -> None:
    with pytest.raises(ConfigError, match="exists") as caught:
        quiet(config(), tiny_run)
    assert all(way in caught.value.fix for way in ("--resume", "--force", "--out"))
    assert caught.value.where == str(tiny_run)


def test_force_replaces_the_run(config: Callable[..., Config], tmp_path: Path) -> None:
    quiet(config(training__max_updates=9), tmp_path / "r")
    quiet(config(training__seed=2), tmp_path / "r", force=True)
    quiet(config(training__seed=2), tmp_path / "fresh")
    assert files_of(tmp_path / "r" / "model") == files_of(tmp_path / "fresh" / "model")
    assert weights_of(tmp_path / "r") == weights_of(tmp_path / "fresh")
    assert metrics_of(tmp_path / "r") == metrics_of(tmp_path / "fresh")


def test_an_empty_folder_may_be_used(config: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    quiet(config(), tmp_path / "r")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("foreign", [{"thesis.txt": "years"}, {"model/w.bin": "w"}])
def test_what_is_no_run_is_never_replaced(
    foreign: dict[str, str], force: bool, config: Callable[..., Config], tmp_path: Path
) -> None:
    refuses_to_touch(tmp_path / "mine", foreign, config(), force=force)


def test_a_folder_with_a_config_of_something_else_is_never_replaced(
    config: Callable[..., Config], tmp_path: Path
) -> None:
    """config.toml is a common name: Hugo, Cargo's settings and others have one, and `model/` beside it is no wonder."""
    foreign = {"config.toml": 'title = "my context"\n[params]\na = 1\n', "model/w.bin": "w", "checkpoints/a": "b"}
    refuses_to_touch(tmp_path / "mine", foreign, config(), force=True)


def refuses_to_touch(folder: Path, foreign: dict[str, str], config: Config, *, force: bool) -> None:
    for name, text in foreign.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with pytest.raises(ConfigError, match="not a seq2see run"):
        quiet(config, folder, force=force)
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(foreign)
    assert all((folder / name).read_text() == text for name, text in foreign.items())


def test_a_file_is_no_run_folder(config: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError) as caught:
            quiet(config(), out, force=True)
        assert caught.value.where == str(out)
        assert "--out" in caught.value.fix
    assert (tmp_path / "file").read_text() == "x"


def test_bad_data_harm_no_run_that_is_there(config: Callable[..., Config], tmp_path: Path) -> None:
    quiet(config(), tmp_path / "r")
    before = files_of(tmp_path / "r" / "model")
    with pytest.raises(DataError):
        quiet(config(data__train=str(tmp_path / "missing.tsv")), tmp_path / "r", force=True)
    assert files_of(tmp_path / "r" / "model") == before


# --- data -----------------------------------------------------------------------------------------------------------


def said_by(config: Config, folder: Path, **more: Any) -> str:
    console = Said()
    train(config, folder, device="cpu", console=console, **more)
    return console.text


def test_what_was_decided_is_said(config: Callable[..., Config], tmp_path: Path) -> None:
    text = said_by(config(training__seed=7), tmp_path / "r")
    assert "120 pairs, of which 12 are set aside as dev (by distinct sources, seed 7)" in text
    assert "source: characters (" in text
    assert "model: bidirectional (" in text
    assert "recipe: 6 updates of 16 pairs" in text
    assert str(tmp_path / "r") in text


def test_given_dev_pairs_are_used_and_said(config: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "dev.tsv").write_text("abc\tcba\nde\ted\n")
    text = said_by(config(data__dev=str(tmp_path / "dev.tsv")), tmp_path / "r")
    assert "120 pairs to train on, 2 dev pairs" in text
    assert "abc →" in text
    assert make_config(read_toml(tmp_path / "r" / "config.toml"), {}).data.dev == (str(tmp_path / "dev.tsv"),)


def test_lines_left_out_are_counted_and_the_first_is_named(
    config: Callable[..., Config], tmp_path: Path, tiny_pairs: Path
) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text("one column\n" + tiny_pairs.read_text() + "a\tb\tc\n")
    with pytest.raises(DataError, match="2 of 122 lines") as caught:
        quiet(config(data__train=str(path)), tmp_path / "r")
    assert f"{path}:1" in str(caught.value)
    assert f"{path}:122" in str(caught.value)
    assert "--skip-bad" in caught.value.fix
    assert not (tmp_path / "r").exists()
    text = said_by(config(data__train=str(path), data__skip_bad=True), tmp_path / "r")
    assert f"train: skipped 2 invalid lines, first {path}:1: expected 2 columns, found 1" in text
    assert "data: 120 pairs" in text


def test_text_in_another_unicode_form_is_said(config: Callable[..., Config], tmp_path: Path, tiny_pairs: Path) -> None:
    path = tmp_path / "nfd.tsv"
    path.write_text(tiny_pairs.read_text() + "e\u0301a\ta\u0301\n", encoding="utf-8")
    assert "1 pair not in Unicode form NFC" in said_by(config(data__train=str(path)), tmp_path / "r")


def test_all_kinds_of_files_make_the_same_model(
    config: Callable[..., Config], tmp_path: Path, tiny_pairs: Path
) -> None:
    pairs = [line.split("\t") for line in tiny_pairs.read_text().splitlines()]
    (tmp_path / "a.src").write_text("".join(source + "\n" for source, _ in pairs))
    (tmp_path / "a.tgt").write_text("".join(target + "\n" for _, target in pairs))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in pairs))
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(tiny_pairs.read_bytes()))
    weights = set()
    for number, names in enumerate((["a.src", "a.tgt"], ["a.jsonl"], ["a.tsv.gz"])):
        run = tmp_path / str(number)
        quiet(config(data__train=[str(tmp_path / name) for name in names]), run)
        weights.add((run / "model" / "model.safetensors").read_bytes())
    quiet(config(), tmp_path / "tsv")
    assert weights == {(tmp_path / "tsv" / "model" / "model.safetensors").read_bytes()}


def test_two_files_of_unequal_length_are_refused(config: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "a.src").write_text("a\nb\nc\n")
    (tmp_path / "a.tgt").write_text("a\nb\n")
    with pytest.raises(DataError, match="must have the same number of lines, found 3 and 2"):
        quiet(config(data__train=[str(tmp_path / "a.src"), str(tmp_path / "a.tgt")]), tmp_path / "r")


@pytest.mark.parametrize("text", ["a\tb\n", "a\tb\na\tc\n"])
def test_too_few_pairs_to_set_any_aside_are_refused(text: str, config: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "few.tsv").write_text(text)
    with pytest.raises(DataError, match="at least 2 different sources") as caught:
        quiet(config(data__train=str(tmp_path / "few.tsv")), tmp_path / "r")
    assert "dev pairs" in caught.value.fix


def test_two_pairs_are_enough_for_a_run(config: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "few.tsv").write_text("a\tb\nc\td\n")
    quiet(config(data__train=str(tmp_path / "few.tsv")), tmp_path / "r")


def test_no_data_are_refused(config: Callable[..., Config], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no training data"):
        quiet(make_config({}, {}), tmp_path / "r")


def test_a_wrong_model_or_device_is_said_before_the_data_are_read(
    config: Callable[..., Config], tmp_path: Path
) -> None:
    missing = str(tmp_path / "missing.tsv")
    with pytest.raises(ConfigError, match="unknown architecture"):
        quiet(config(data__train=missing, model__name="gntm"), tmp_path / "r")
    with pytest.raises(ConfigError, match="unknown device"):
        train(config(data__train=missing), tmp_path / "r", device="cudaa", console=Console(quiet=True))
    assert not (tmp_path / "r").exists()


# --- how long -------------------------------------------------------------------------------------------------------


def evaluations(run: Path) -> list[int]:
    return [line["update"] for line in metrics_of(run) if line["event"] == "evaluation"]


def test_checkpoints_may_be_rarer_or_more_frequent_than_evaluations(
    config: Callable[..., Config], tmp_path: Path
) -> None:
    chosen = config(training__max_updates=10, training__evaluate_every=5, training__checkpoint_every=3)
    with pytest.raises(Stopped):
        quiet(chosen, tmp_path / "r", callbacks=[stop_at(10)])
    assert weights_of(tmp_path / "r")[0] == 9
    quiet(chosen, tmp_path / "r", resume=True)
    assert evaluations(tmp_path / "r") == [5, 10]
    assert weights_of(tmp_path / "r")[0] == 10


def test_patience_ends_a_run_that_gets_no_better(config: Callable[..., Config], tmp_path: Path) -> None:
    trained = quiet(
        config(
            training__rate=2.0,
            training__metric="loss",
            training__max_updates=60,
            training__evaluate_every=1,
            training__patience=3,
        ),
        tmp_path / "r",
    )
    assert trained.finished.reason == "no improvement for 3 evaluations"
    assert trained.finished.update == trained.finished.best_update + 3 < 60
    assert evaluations(tmp_path / "r")[-1] == trained.finished.update


def test_epochs_end_a_run(config: Callable[..., Config], tmp_path: Path) -> None:
    chosen = config(training__max_epochs=2)
    chosen = replace(chosen, training=replace(chosen.training, max_updates=None))
    assert quiet(chosen, tmp_path / "r").finished.update == 14  # 108 pairs in batches of 16: 7 an epoch


def test_a_rate_beyond_reason_ends_in_advice(config: Callable[..., Config], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gradient became") as caught:
        quiet(config(training__rate=3e38, training__max_updates=60, training__evaluate_every=60), tmp_path / "r")
    assert "training.rate" in caught.value.fix


# --- small parts ----------------------------------------------------------------------------------------------------


def test_dev_is_spread_over_the_file() -> None:
    pairs = [Pair(str(number), "", "") for number in range(2500)]
    kept = [int(pair.source) for pair in sample_evenly(pairs, 1000)]
    assert len(kept) == 1000
    assert kept == sorted(set(kept))
    assert kept[0] == 0
    assert kept[-1] >= 2490
    assert sample_evenly(pairs[:7], 1000) == pairs[:7]


def test_the_hard_maximum_lies_beyond_the_longest_target() -> None:
    assert all(max_length_for(number) >= number + 10 for number in range(1, 200))


def test_the_share_and_the_seed_decide_what_is_set_aside(config: Callable[..., Config]) -> None:
    def dev(**more: Any) -> list[Pair]:
        chosen = config()
        chosen = replace(chosen, data=replace(chosen.data, dev=(), dev_share=more.get("share", 0.1)))
        chosen = replace(chosen, training=replace(chosen.training, seed=more.get("seed", 1)))
        return read_data(chosen, None, None, has_source=True).dev

    assert len(dev(share=0.3)) == 3 * len(dev())
    assert dev(seed=2) != dev() == dev(seed=1)


def test_a_run_that_had_come_to_its_end_stays_as_it_is(config: Callable[..., Config], tmp_path: Path) -> None:
    chosen = config(training__max_updates=60, training__evaluate_every=1, training__patience=1, training__rate=1e-9)
    first = quiet(chosen, tmp_path / "r").finished
    assert first.update < 60
    before = (tmp_path / "r" / "metrics.jsonl").read_text()
    for _ in range(2):
        again = quiet(chosen, tmp_path / "r", resume=True).finished
        assert (again.update, again.reason) == (first.update, first.reason)
    assert (tmp_path / "r" / "metrics.jsonl").read_text().count('"end"') == before.count('"end"') == 1


def test_other_data_are_not_taken_for_those_of_the_run(config: Callable[..., Config], tmp_path: Path) -> None:
    pairs = [(word, word[::-1]) for word in ("ab", "bc", "cd", "de", "ef", "fg")] * 4
    given = [Pair(*pair, "") for pair in pairs]
    chosen = config(training__max_updates=4)
    quiet(chosen, tmp_path / "r", pairs=given, dev_pairs=given[:3])
    for other in ({"pairs": given[1:], "dev_pairs": given[:3]}, {"pairs": given, "dev_pairs": given[:2]}):
        with pytest.raises(CheckpointError, match="differ from those that the run was started with"):
            quiet(chosen, tmp_path / "r", resume=True, **other)
    quiet(chosen, tmp_path / "r", resume=True, pairs=given, dev_pairs=given[:3])


def test_shared_sources_and_unknown_tokens_are_said(tmp_path: Path) -> None:
    pairs = [Pair(f"{word} word of some length here", "x", "") for word in ("one", "two", "six", "ten")] * 3
    console = Console(file=io.StringIO(), width=200)
    chosen = make_config({}, {"text.source": "words", "text.min_count": 4, "training.max_updates": 1, "model.width": 8})
    train(chosen, tmp_path / "r", pairs=pairs, dev_pairs=pairs[:2], device="cpu", console=console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "2 of the 2 dev pairs have a source that is also in train" in said
    assert "source: 14.3 % of the tokens are too rare" in said


def test_a_language_model_resumes_without_being_named_again(tmp_path: Path, tiny_text: Path) -> None:
    settings = {"data.train": str(tiny_text), "training.max_updates": 3, "model.width": 16}
    first = quiet(make_config({"model": {"name": "language_model"}}, settings), tmp_path / "r").finished
    again = quiet(make_config({}, {"data.train": str(tiny_text)}), tmp_path / "r", resume=True).finished
    assert again.update == first.update == 3


# --- subwords -------------------------------------------------------------------------------------------------------


def sentence_pairs(count: int) -> list[Pair]:
    return [
        Pair(f"the house number {n % 37} of the man", f"das haus nummer {n % 37} des mannes", "") for n in range(count)
    ]


def with_subwords(tiny_settings: dict[str, Any], **own: Any) -> Config:
    chosen = {"text.source": "bpe", "text.target": "bpe"} | {key.replace("__", "."): own[key] for key in own}
    return make_config({}, tiny_settings | chosen)


def test_subwords_are_learned_from_training_pairs_alone_and_their_number_is_said(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    pairs = sentence_pairs(60)
    dev = [Pair("the Qualm", "der Qualm", "")]
    said = said_by(with_subwords(tiny_settings), tmp_path / "r", pairs=pairs, dev_pairs=dev)
    model = seq2see.load(tmp_path / "r", device="cpu")
    assert model.source_codec is not None
    assert f"source: a vocabulary of {len(model.source_codec.vocabulary)} subwords and characters" in said
    assert f"target: a vocabulary of {len(model.target_codec.vocabulary)} subwords and characters" in said
    assert "best is by dev loss" in said
    assert "Q" not in model.source_codec.vocabulary
    with pytest.warns(UnknownTextWarning, match="'Q' in 1"):
        model.predict("Qualm")


def test_only_training_sees_words_cut_with_dropout(
    tiny_settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, dev = sentence_pairs(60), sentence_pairs(3)
    cut: list[tuple[int, int]] = []
    encode = Examples.encode_with_dropout

    def recording(given: list[Pair], *codecs: Any, epoch: int, **more: Any) -> Examples:
        cut.append((len(given), epoch))
        return encode(given, *codecs, epoch=epoch, **more)

    monkeypatch.setattr(Examples, "encode_with_dropout", recording)
    chosen = with_subwords(tiny_settings, text__bpe_dropout=1.0)
    quiet(chosen, tmp_path / "r", pairs=pairs, dev_pairs=dev)
    assert cut == [(60, 0), (60, 1)]  # 6 updates of 16 pairs
    model = seq2see.load(tmp_path / "r", device="cpu")
    (evaluation,) = [line for line in metrics_of(tmp_path / "r") if line.get("update") == 6 and "dev_loss" in line]
    best = json.loads((tmp_path / "r" / "model" / "config.json").read_text())["trained"]["dev"]["loss"]
    assert model.loss(dev) == pytest.approx(best, rel=1e-5)
    assert evaluation["dev_loss"] >= best
    assert len(model.predict("the house")[0].source_tokens) == 3  # " the", " house" and EOS


def test_a_language_model_of_subwords_goes_on_inside_a_word(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    chosen = with_subwords(tiny_settings, model__name="language_model", text__bpe_dropout=0.1)
    chosen = replace(chosen, text=replace(chosen.text, source=None))
    pairs = [pair._replace(source="") for pair in sentence_pairs(40)]
    quiet(chosen, tmp_path / "r", pairs=pairs, dev_pairs=pairs[:4])
    model = seq2see.load(tmp_path / "r", device="cpu")
    for prompt in ("", "das ha", "das haus", "das haus ", "x"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownTextWarning)
            (answer,) = model.predict([prompt], sample=True, seed=3)
        assert answer.text.startswith(prompt)
        pieces = [token for token in answer.target_tokens if token != "<eos>"]
        assert answer.text == prompt + "".join(pieces).removeprefix("" if prompt else " ")


def test_one_table_for_both_sides_needs_one_vocabulary(tmp_path: Path, tiny_pairs: Path) -> None:
    settings = {"model.name": "transformer", "model.tie": "all", "data.train": [str(tiny_pairs)]}
    with pytest.raises(ConfigError, match=r"model\.tie: all requires one vocabulary.*\n.*text\.joint=true"):
        train(make_config({}, settings), tmp_path / "run")
