"""Resuming a run: differences are named, and only some can be allowed."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from seq2see import Pair
from seq2see.config import Config, make_config, read_toml
from seq2see.data import Examples, groups
from seq2see.errors import CheckpointError, ConfigError, DataError
from seq2see.run import state as run_state
from seq2see.run.changes import fingerprint, pair_changes
from seq2see.run.pairs import RunData, read_run_data
from seq2see.run.resume import RunStart
from seq2see.run.train import Trained, train
from seq2see.storage.checkpoints import checkpoints, load_checkpoint
from seq2see.storage.locks import locked
from seq2see.storage.temporary import left_beside, temporary_name
from seq2see.text import Codec, make_tokenizer
from seq2see.training import ALONE, Evaluated, Event, Updated, World


class Stopped(BaseException):
    """The power goes off."""


def stop_at(update: int) -> Callable[[Event], None]:
    def callback(event: Event) -> None:
        if isinstance(event, Updated) and event.update >= update:
            raise Stopped

    return callback


@pytest.fixture
def files(tmp_path: Path, tiny_pairs: Path) -> tuple[Path, Path]:
    """Training and dev pairs that may be changed."""
    lines = tiny_pairs.read_text().splitlines(keepends=True)
    for name, part in (("train.tsv", lines[20:]), ("dev.tsv", lines[:20])):
        (tmp_path / name).write_text("".join(part))
    return tmp_path / "train.tsv", tmp_path / "dev.tsv"


@pytest.fixture
def config(tiny_settings: dict[str, Any], files: tuple[Path, Path]) -> Callable[..., Config]:
    """A run of 14 updates, a checkpoint at each fourth; these settings going before."""
    chosen = tiny_settings | {"training.max_updates": 14, "training.evaluate_every": 4, "model.dropout": 0.3}
    where = {"data.train": str(files[0]), "data.dev": str(files[1])}
    return lambda **own: make_config({}, chosen | where | {k.replace("__", "."): v for k, v in own.items()})


def said_by(config: Config, folder: Path, **more: Any) -> tuple[str, Trained]:
    console = Console(file=io.StringIO(), width=300)
    trained = train(config, folder, device="cpu", console=console, **more)
    return console.file.getvalue(), trained  # type: ignore[attr-defined]


def broken_at(config: Config, folder: Path, update: int = 10) -> Path:
    with pytest.raises(Stopped):
        said_by(config, folder, callbacks=[stop_at(update)])
    return folder


def end_of(run: Path) -> tuple[object, ...]:
    """Weights, optimizer, progress, shipped model and metrics, clocks left out."""
    found = load_checkpoint(run / "checkpoints")
    tensors = {name: array.tobytes() for name, array in found.tensors.items()}
    progress = {name: value for name, value in found.progress.items() if "seconds" not in name}
    model = {path.name: path.read_bytes() for path in (run / "model").iterdir()}
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    metrics = [{name: value for name, value in event.items() if "second" not in name} for event in events]
    return tensors, progress, model, metrics


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


# --- other pairs ----------------------------------------------------------------------------------------------------

CHANGES: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "one is another": (
        lambda lines: [*lines[:6], "abcab\tx\n", *lines[7:]],
        "1 pair is new, the first is {path}:7; 1 pair is gone, the first was pair 7 of {side}",
    ),
    "more": (lambda lines: [*lines, "aaaaa\tb\n", "bbbbb\ta\n"], "2 pairs are new, the first is {path}:{more}"),
    "fewer": (lambda lines: [*lines[:2], *lines[4:]], "2 pairs are gone, the first was pair 3 of {side}"),
    "one twice": (lambda lines: [*lines, lines[3]], "1 pair is new, the first is {path}:4"),
    "another order": (lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], "a different order"),
}


@pytest.mark.parametrize("side", ["train", "dev"])
@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_the_pairs_that_differ_are_named(
    change: Callable[[list[str]], list[str]],
    expected: str,
    side: str,
    config: Callable[..., Config],
    files: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    run = broken_at(config(), tmp_path / "r")
    path = files[0] if side == "train" else files[1]
    more = len(path.read_text().splitlines()) + 1
    edit(path, change)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    with pytest.raises(CheckpointError, match="differ from those that the run was started with") as caught:
        said_by(config(), run, resume=True)
    assert expected.format(path=path, side=side, more=more) in caught.value.what
    if expected == "a different order":
        assert f"the first is {path}:5" in caught.value.what
    assert "--allow-changes" in caught.value.fix
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
    said, trained = said_by(config(), run, resume=True, allow_changes=True)
    assert trained.finished.update == 14
    assert "note: the pairs differ from those" in said
    assert ("no longer counts" in said) == (side == "dev")
    assert said_by(config(), run, resume=True)[1].finished.update == 14  # it is a run of these pairs now


def test_of_a_dev_set_aside_from_train_only_the_new_pair_is_named(
    config: Callable[..., Config], tmp_path: Path, tiny_pairs: Path
) -> None:
    path = Path(shutil.copy(tiny_pairs, tmp_path / "pairs.tsv"))
    chosen = config(data__train=str(path))
    chosen = replace(chosen, data=replace(chosen.data, dev=()))
    run = broken_at(chosen, tmp_path / "r")
    edit(path, lambda lines: [*lines[:30], "edcba\tno\n", *lines[30:]])
    with pytest.raises(CheckpointError) as caught:
        said_by(chosen, run, resume=True)
    assert f"1 pair is new, the first is {path}:31" in caught.value.what
    assert "gone" not in caught.value.what


def test_the_vocabularies_stay_and_what_they_lack_is_said(
    config: Callable[..., Config], files: tuple[Path, Path], tmp_path: Path
) -> None:
    run = broken_at(config(), tmp_path / "r")
    codecs = load_checkpoint(run / "checkpoints").codecs
    edit(files[0], lambda lines: [*lines, "xyz\tzyx\n"])
    said, _ = said_by(config(), run, resume=True, allow_changes=True)
    assert "source: 0." in said and "too rare for the vocabulary and read as unknown" in said
    assert load_checkpoint(run / "checkpoints").codecs == codecs


def test_pairs_of_a_program_are_named_by_their_number() -> None:
    codec = Codec.build(make_tokenizer("characters"), ["abc"])
    pairs = [Pair("a", "b", ""), Pair("b", "c", ""), Pair("c", "a", "")]
    before, same, other = (
        fingerprint(*(Examples.encode(some, codec, codec) for some in (given, pairs[:1])))
        for given in (pairs, pairs, [pairs[0], Pair("b", "b", ""), pairs[2]])
    )
    assert pair_changes(before, same, pairs, pairs[:1]) == ""
    assert "1 pair is new, the first is pair 2;" in pair_changes(before, other, pairs, pairs[:1])


@pytest.mark.parametrize("rows", [100, 65_536])
def test_each_pair_has_its_own_hash(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids moved between rows, sides and places, and rows without any."""
    monkeypatch.setattr("seq2see.run.changes.BLOCK_PAIRS", rows)
    codec = Codec.build(make_tokenizer("characters"), ["abcdefgh"])
    texts = [a + b + c for a in "abcdefgh" for b in "abcdefgh" for c in ("", *"abcdefgh")]
    pairs = [Pair(text, text[::-1], "") for text in texts] + [Pair(text[:2], text, "") for text in texts]
    distinct = {(pair.source, pair.target) for pair in pairs}
    for source in (codec, None):
        numbers = fingerprint(Examples.encode(pairs, source, codec), Examples.encode([], source, codec)).train
        assert len(set(numbers.tolist())) == (len(distinct) if source else len({pair.target for pair in pairs}))


# --- other options --------------------------------------------------------------------------------------------------


def resume_with(run: Path, settings: dict[str, Any], **more: Any) -> tuple[str, Trained]:
    return said_by(make_config({}, settings), run, given=list(settings), resume=True, **more)


def test_all_keys_that_differ_are_named(config: Callable[..., Config], tmp_path: Path) -> None:
    run = broken_at(config(), tmp_path / "r")
    with pytest.raises(ConfigError) as caught:
        resume_with(run, {"training.rate": 0.5, "training.clip": 2.0, "training.seed": 1})
    assert set(caught.value.where.split(", ")) == {"training.rate", "training.clip"}
    assert "training.rate is 0.5, the run was started with 0.01" in caught.value.what
    assert "--allow-changes" in caught.value.fix
    _, trained = resume_with(run, {"training.rate": 0.5, "training.max_updates": 20}, allow_changes=True)
    assert trained.finished.update == 20
    kept = make_config(read_toml(run / "config.toml"), {}).training
    assert (kept.rate, kept.max_updates) == (0.5, 20)
    assert said_by(Config(), run, resume=True)[1].finished.update == 20


def cut_off(run: Path, more: dict[str, object]) -> None:
    with pytest.raises(Stopped):
        resume_with(run, more, allow_changes=True, callbacks=[stop_at(9)])


def ended_early(run: Path, more: dict[str, object]) -> None:
    _, trained = resume_with(run, {"training.max_updates": 8, **more}, allow_changes=True)
    assert trained.finished.update == 8


@pytest.mark.parametrize("going_on", [cut_off, ended_early])
def test_a_run_that_was_changed_goes_on_with_its_own_options_and_pairs(
    going_on: Callable[..., None], config: Callable[..., Config], files: tuple[Path, Path], tmp_path: Path
) -> None:
    run = broken_at(config(), tmp_path / "r")
    edit(files[0], lambda lines: lines[1:])
    going_on(run, {"training.rate": 0.5})
    for _ in range(2):
        said, _ = said_by(Config(), run, resume=True)
        assert "differ" not in said
        assert make_config(read_toml(run / "config.toml"), {}).training.rate == 0.5


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("text.source", "bytes", "the source vocabulary"),
        ("text.target", "words", "the target vocabulary"),
        ("text.min_count", 3, "the vocabularies"),
        ("model.width", 32, "is 32"),
    ],
)
def test_vocabularies_and_model_can_never_change(
    key: str, value: object, expected: str, allow: bool, config: Callable[..., Config], tmp_path: Path
) -> None:
    run = broken_at(config(), tmp_path / "r")
    with pytest.raises(ConfigError) as caught:
        resume_with(run, {key: value, "training.clip": 1.0}, allow_changes=allow)
    assert caught.value.where == key
    assert expected in caught.value.what
    assert "--allow-changes" not in caught.value.fix


def test_a_configuration_edited_by_hand_is_noticed(config: Callable[..., Config], tmp_path: Path) -> None:
    run = broken_at(config(), tmp_path / "r")
    path = run / "config.toml"
    path.write_text(path.read_text().replace("seed = 1", "seed = 2"))
    with pytest.raises(ConfigError, match="is 2, the run was started with 1") as caught:
        said_by(Config(), run, resume=True)
    assert caught.value.where == "training.seed"


def test_what_was_left_open_stays_as_it_was_chosen(config: Callable[..., Config], tmp_path: Path) -> None:
    open_ = config(training__precision="auto")
    run = tmp_path / "run"
    with pytest.raises(Stopped):
        said_by(open_, run, callbacks=[stop_at(10)], given={"training.precision"})
    said, _ = said_by(open_, run, resume=True, given={"training.precision"})
    assert "resuming after update 8" in said


def test_another_dev_set_is_tried_at_the_end_of_a_run_too(
    config: Callable[..., Config], files: tuple[Path, Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    said_by(config(), run)
    edit(files[1], lambda lines: lines[:9])
    said, trained = said_by(config(), run, resume=True, allow_changes=True)
    assert "no longer counts" in said
    assert trained.finished.best_update == 14
    assert trained.finished.metrics


def test_more_epochs_are_more_updates(config: Callable[..., Config], tmp_path: Path) -> None:
    chosen = config(training__max_epochs=1)
    chosen = replace(chosen, training=replace(chosen.training, max_updates=None))
    first = said_by(chosen, tmp_path / "r")[1].finished.update
    again = resume_with(tmp_path / "r", {"training.max_epochs": 3}, allow_changes=True)[1].finished.update
    assert again == 3 * first


def test_a_run_of_a_version_without_an_option_goes_on_as_it_was(config: Callable[..., Config], tmp_path: Path) -> None:
    """The query of GNMT's attention was that of the same step before `model.query` was an option."""
    wanted = config(model__name="gnmt", model__layers=2, model__query="current", model__score="dot")
    said_by(wanted, tmp_path / "whole")
    run = broken_at(wanted, tmp_path / "broken")
    recipe = run / "config.toml"
    recipe.write_text(recipe.read_text().replace('query = "current"\n', "").replace('cell = "lstm"\n', ""))
    said_by(config(model__name="gnmt", model__layers=2, model__score="dot"), run, resume=True)
    assert end_of(run) == end_of(tmp_path / "whole")


@pytest.mark.parametrize("name", ["allow_changes", "fallback_previous"])
def test_only_a_run_that_is_resumed_can_allow_anything(
    name: str, config: Callable[..., Config], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="requires --resume") as caught:
        said_by(config(), tmp_path / "r", **{name: True})
    assert caught.value.where == "--" + name.replace("_", "-")
    assert not (tmp_path / "r").exists()


def test_another_version_is_said(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broken_at(config(), tmp_path / "r")
    monkeypatch.setitem(run_state.VERSIONS, "torch", "99.0")
    assert "this is" in said_by(Config(), run, resume=True)[0]


# --- harm -----------------------------------------------------------------------------------------------------------


def test_so_many_checkpoints_are_kept_as_was_said(config: Callable[..., Config], tmp_path: Path) -> None:
    chosen = config(training__checkpoint_every=2, training__keep_checkpoints=3)
    said_by(chosen, tmp_path / "r")
    assert [int(place.name) for place in checkpoints(tmp_path / "r" / "checkpoints")] == [10, 12, 14]


def test_from_the_checkpoint_before_a_damaged_one_the_same_run_comes_out(
    config: Callable[..., Config], tmp_path: Path
) -> None:
    said_by(config(), tmp_path / "whole")
    run = broken_at(config(), tmp_path / "broken")
    path = run / "checkpoints" / "00000008" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"harm")
    with pytest.raises(CheckpointError, match="damaged") as caught:
        said_by(Config(), run, resume=True)
    assert caught.value.where == str(path)
    assert "update 4: --resume --fallback-previous" in caught.value.fix
    command = [
        sys.executable,
        "-m",
        "seq2see",
        "train",
        str(tmp_path / "train.tsv"),
        "--dev",
        str(tmp_path / "dev.tsv"),
    ]
    flags = ["--out", str(run), "--device", "cpu", "--resume", "--fallback-previous"]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, env=one_thread(), timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"{path} is damaged" in done.stderr
    assert "resuming after update 4" in done.stderr
    assert sorted(place.name for place in (run / "checkpoints").iterdir()) == [
        "00000008.damaged", "00000012", "00000014",
    ]  # fmt: skip
    assert end_of(run) == end_of(tmp_path / "whole")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_is_full_names_the_checkpoint_to_go_on_from(
    number: int, config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said_by(config(), tmp_path / "whole")
    write = os.write

    def full(handle: int, content: bytes) -> int:
        if left_beside(tmp_path / "broken" / "checkpoints" / "00000008", "new"):
            raise OSError(number, os.strerror(number))
        return write(handle, content)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(CheckpointError) as caught:
            said_by(config(), tmp_path / "broken")
    assert os.strerror(number) in caught.value.what
    assert "--resume resumes after update 4, which is intact" in caught.value.fix
    said_by(Config(), tmp_path / "broken", resume=True)
    assert end_of(tmp_path / "broken") == end_of(tmp_path / "whole")


def test_a_run_killed_while_its_folder_was_made_can_be_begun_again(
    config: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "r").mkdir()
    for path in (tmp_path / "r" / "metrics.jsonl", temporary_name(tmp_path / "r" / "config.toml", "new")):
        path.write_text("")
    assert said_by(config(), tmp_path / "r")[1].finished.update == 14


# --- signals --------------------------------------------------------------------------------------------------------


def one_thread() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


SLOW = """
import sys, time
from seq2see.training.trainer import Trainer
update = Trainer._update
def slow(self, indices):
    update(self, indices)
    if self.progress.update == 6:
        print("in update 6", file=sys.stderr)
        time.sleep(100)
Trainer._update = slow
from seq2see.cli import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once(
    number: int, config: Callable[..., Config], files: tuple[Path, Path], tmp_path: Path, tiny_flags: list[str]
) -> None:
    command = [sys.executable, "-c", SLOW, "train", str(files[0]), "--dev", str(files[1]), "--device", "cpu"]
    flags = ["--out", str(tmp_path / "r"), *tiny_flags, "training.max_updates=14", "training.evaluate_every=4"]
    process = subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, text=True, env=one_thread())
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("in update 6"):
            process.send_signal(number)
        if line.startswith("stopping after this update"):
            process.send_signal(number)
            break
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert [int(place.name) for place in checkpoints(tmp_path / "r" / "checkpoints")] == [4]
    assert np.isfinite(load_checkpoint(tmp_path / "r" / "checkpoints").tensors["pairs.train"]).all()


# --- going on or beginning, whichever fits ----------------------------------------------------------------------------


def test_auto_resume_begins_and_goes_on(config: Callable[..., Config], tmp_path: Path) -> None:
    said, _ = said_by(config(), tmp_path / "whole", auto_resume=True)
    assert "resuming after" not in said
    run = broken_at(config(), tmp_path / "run")
    said, _ = said_by(config(), run, auto_resume=True)
    assert "resuming after update 8" in said
    assert end_of(run) == end_of(tmp_path / "whole")


def test_a_run_without_a_checkpoint_is_restarted(config: Callable[..., Config], tmp_path: Path) -> None:
    run = broken_at(config(training__checkpoint_every=12), tmp_path / "run")
    assert not list((run / "checkpoints").glob("*"))
    said, trained = said_by(config(), run, auto_resume=True)
    assert f"{run} holds a run without a checkpoint: it is restarted from the beginning" in said
    assert trained.finished.update == 14


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_finished_model_is_never_replaced_unasked(
    restarts: int, config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoints were removed to save room. What a launcher starts again may as little as `auto_resume`."""
    run = said_by(config(), tmp_path / "run")[1].folder
    shutil.rmtree(run / "checkpoints")
    before = {path.name: path.read_bytes() for path in (run / "model").iterdir()}
    monkeypatch.setattr("seq2see.training.world.ALONE", replace(ALONE, restarts=restarts))
    with pytest.raises(ConfigError, match="this run already exists"):
        said_by(config(), run, auto_resume=restarts == 0)
    assert {path.name: path.read_bytes() for path in (run / "model").iterdir()} == before


def test_faults_of_the_data_are_said_before_that_the_run_exists(config: Callable[..., Config], tmp_path: Path) -> None:
    run = said_by(config(training__max_updates=1), tmp_path / "run")[1].folder
    with pytest.raises(DataError, match="no such file"):
        said_by(config(data__train=str(tmp_path / "missing.tsv")), run)
    with pytest.raises(ConfigError, match="is no column of the source"):
        said_by(config(data__group="lemma", data__source="1", data__target="2"), run)
    with pytest.raises(ConfigError, match="a joint vocabulary needs the same unit on both sides"):
        said_by(config(text__joint=True, text__source="words", text__target="bpe"), run)
    with pytest.raises(ConfigError, match="this run already exists"):
        said_by(config(), run)


@pytest.fixture
def forms(config: Callable[..., Config], tmp_path: Path) -> Callable[..., Config]:
    """A run on pairs of a language and a word, which are grouped by the word, and set dev pairs aside."""
    lines = [f"{'en' if at % 3 else 'nl'}\tw{at // 2}a\t{at}b\n" for at in range(120)]
    (tmp_path / "forms.tsv").write_text("".join(lines))
    columns = {"data__source": "1,2", "data__target": "3", "data__dev": []}
    own = {"data__train": str(tmp_path / "forms.tsv"), "model__name": "bidirectional", **columns}
    return lambda **more: config(**own, **more)


def test_a_run_keeps_what_its_dev_pairs_were_grouped_by(
    forms: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broken_at(forms(), tmp_path / "run")
    assert read_toml(run / "config.toml")["data"]["group"] == 2
    monkeypatch.setattr(groups, "usual_field", lambda *_: 1)  # as another version may decide
    assert said_by(forms(), run, resume=True)[1].finished.update == 14
    assert read_run_data(run, has_source=True, fix="").grouping.field == 2


def test_a_run_of_a_version_that_did_not_store_it_can_be_resumed(
    forms: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(groups, "usual_field", lambda *_: 1)
        before.setattr(RunData, "settled", lambda data, options: replace(options, **data.columns))
        run = broken_at(forms(), tmp_path / "run")
    assert "group" not in read_toml(run / "config.toml")["data"]
    with pytest.raises(CheckpointError, match="split differently into train and dev") as caught:
        said_by(forms(), run, resume=True)
    assert caught.value.fix.endswith("--resume --set data.group=1 --allow-changes")
    said, trained = said_by(forms(data__group=1), run, given=["data.group"], resume=True, allow_changes=True)
    assert trained.finished.update == 14
    assert "the pairs differ" not in said
    assert read_toml(run / "config.toml")["data"]["group"] == 1


@pytest.mark.parametrize("group", ["1", "none"])
def test_a_group_that_is_given_is_stored_as_it_is(group: str, forms: Callable[..., Config], tmp_path: Path) -> None:
    run = said_by(forms(data__group=group, training__max_updates=1), tmp_path / "run")[1].folder
    assert read_toml(run / "config.toml")["data"]["group"] == group


def test_sources_of_one_field_have_nothing_to_store(config: Callable[..., Config], tmp_path: Path) -> None:
    run = said_by(config(training__max_updates=1), tmp_path / "run")[1].folder
    assert "group" not in read_toml(run / "config.toml")["data"]


def test_what_a_launcher_starts_again_goes_on(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broken_at(config(), tmp_path / "run")
    monkeypatch.setattr("seq2see.training.world.ALONE", replace(ALONE, restarts=1))
    said, _ = said_by(config(), run, force=True)
    assert "resuming after update 8" in said


def test_it_is_decided_while_the_folder_is_locked(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before, told to stop, writes a checkpoint just before it gives the folder free."""
    other = broken_at(config(), tmp_path / "other")
    run = broken_at(config(training__checkpoint_every=12), tmp_path / "run")

    @contextmanager
    def waiting(folder: Path, say: object, **_: object) -> Iterator[None]:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        shutil.copytree(other / "checkpoints", folder / "checkpoints")
        shutil.copy(other / "config.toml", folder / "config.toml")
        yield

    monkeypatch.setattr("seq2see.run.resume.locked", waiting)
    said, _ = said_by(config(), run, auto_resume=True)
    assert "resuming after update 8" in said


def test_a_run_that_is_being_trained_is_not_replaced(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fcntl", reason="this system has no such locks")
    run = said_by(config(training__max_updates=1), tmp_path / "run")[1].folder
    first = locked(run, print)
    first.__enter__()
    # Its end is not waited for, since the model that it has then saved would be removed.
    monkeypatch.setattr("seq2see.storage.locks.time.sleep", lambda _: first.__exit__(None, None, None))
    with pytest.raises(ConfigError, match="another process is training in it"):
        train(config(), run, device="cpu", force=True)
    assert (run / "model").exists()
    first.__exit__(None, None, None)
    train(config(training__max_updates=1), run, device="cpu", force=True)


# --- options that may be others without being asked ------------------------------------------------------------------


def test_what_changes_nothing_that_is_learned_may_change(config: Callable[..., Config], tmp_path: Path) -> None:
    run = broken_at(config(), tmp_path / "run")
    said_by(config(), tmp_path / "whole")
    resume_with(run, {"data.workers": 2, "training.timeout": 60.0, "training.keep_checkpoints": 3})
    assert end_of(run)[0] == end_of(tmp_path / "whole")[0]


def test_the_last_weights_are_tried_where_a_checkpoint_was_no_evaluation(
    config: Callable[..., Config], tmp_path: Path
) -> None:
    run = broken_at(config(training__checkpoint_every=3), tmp_path / "run")
    heard: list[Event] = []
    resume_with(run, {"training.max_updates": 9}, allow_changes=True, callbacks=[heard.append])
    assert [event.update for event in heard if isinstance(event, Evaluated)] == [9]


def test_fewer_weights_are_averaged_where_that_is_asked_for(config: Callable[..., Config], tmp_path: Path) -> None:
    run = broken_at(config(training__average=4, training__evaluate_every=2), tmp_path / "run")
    heard: list[Event] = []
    resume_with(run, {"training.average": 2}, allow_changes=True, callbacks=[heard.append])
    assert [event.mean_of for event in heard if isinstance(event, Evaluated)][-1] == 2


def test_weights_tried_on_another_dev_set_are_not_averaged(
    config: Callable[..., Config], tmp_path: Path, files: tuple[Path, Path]
) -> None:
    run = broken_at(config(training__average=4, training__evaluate_every=2), tmp_path / "run")
    edit(files[1], lambda lines: lines[1:])
    heard: list[Event] = []
    resume_with(run, {}, allow_changes=True, callbacks=[heard.append])
    evaluated = [event for event in heard if isinstance(event, Evaluated)]
    assert [event.update for event in evaluated] == [8, 10, 12, 14, 14]  # all on the new dev set, that resumed from too
    assert evaluated[-1].mean_of == 4


def test_the_time_to_wait_is_that_of_the_run(
    config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broken_at(config(training__timeout=1234.0), tmp_path / "run")
    waited = []

    @contextmanager
    def remember(device: object, timeout: float) -> Iterator[World]:
        waited.append(timeout)
        yield ALONE

    monkeypatch.setattr("seq2see.run.train.joined", remember)
    resume_with(run, {})
    assert waited == [1234.0]


def test_processes_that_begin_with_other_weights_can_be_told(config: Callable[..., Config], tmp_path: Path) -> None:
    """A copy of the run folder on another machine may be an older one: `World.require_same` compares these."""
    run = broken_at(config(), tmp_path / "run")
    found = load_checkpoint(run / "checkpoints")
    other = {name: array.copy() for name, array in found.tensors.items()}
    last = sorted(other)[-1]
    other[last].flat[0] += 1
    digests = [
        RunStart(config(), checkpoint=found._replace(tensors=each)).weights_digest() for each in (found.tensors, other)
    ]
    assert digests[0] != digests[1]
    assert digests[0] == RunStart(config(), checkpoint=load_checkpoint(run / "checkpoints")).weights_digest()
