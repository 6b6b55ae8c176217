"""Training on a prepared corpus is training on the files."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import seq2see
from seq2see.comparison import compare
from seq2see.config import make_config
from seq2see.corpus import prepare_corpus
from seq2see.corpus.corpus import open_corpus
from seq2see.data import Pair, read_pairs
from seq2see.data.source_record import NO_RECORD
from seq2see.errors import CheckpointError, ConfigError, DataError
from seq2see.pages.report import write_report
from seq2see.run.train import Trained, train
from seq2see.storage.checkpoints import sealed
from seq2see.storage.saved_model import load_model
from seq2see.training import Event, Updated

Run = Callable[..., tuple[str, Trained]]


class Stopped(BaseException):
    """Simulates a power failure."""


@pytest.fixture(scope="module")
def corpus(tiny_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny pairs, prepared; not to be modified."""
    folder = tmp_path_factory.mktemp("corpora") / "tiny"
    prepare_corpus(make_config({}, {"data.train": [str(tiny_pairs)]}), folder, console=Console(quiet=True))
    return folder


@pytest.fixture
def run(tiny_settings: dict[str, Any], tmp_path: Path) -> Run:
    """Trains on a corpus or a file with these settings, and returns the messages."""

    def run(data: Path, out: str = "r", given: dict[str, Any] | None = None, **more: Any) -> tuple[str, Trained]:
        settings = tiny_settings | {"data.train": [str(data)], "training.max_updates": 14} | (given or {})
        console = Console(file=io.StringIO(), width=500)
        config = make_config({}, settings)
        trained = train(config, tmp_path / out, given=set(settings), device="cpu", console=console, **more)
        return console.file.getvalue(), trained  # type: ignore[attr-defined]

    return run


def tensors_of(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_the_model_equals_that_of_the_files(corpus: Path, tiny_pairs: Path, run: Run) -> None:
    said, prepared = run(corpus, "prepared")
    _, plain = run(tiny_pairs, "plain")
    assert "108 pairs to train on, 12 dev pairs, prepared in" in said
    assert tensors_of(prepared.folder) == tensors_of(plain.folder)
    assert prepared.example == plain.example
    card = (prepared.folder / "model" / "README.md").read_text()
    assert "trained on 108 pairs (`tiny`)" in card
    assert prepared.example in card


@pytest.mark.slow
def test_workers_change_nothing(corpus: Path, run: Run) -> None:
    _, without = run(corpus, "without")
    _, with_some = run(corpus, "with", given={"data.workers": 2})
    assert tensors_of(with_some.folder) == tensors_of(without.folder)


@pytest.mark.slow
def test_a_resumed_run_is_bit_identical(corpus: Path, run: Run) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Updated) and event.update >= 10:
            raise Stopped

    _, whole = run(corpus, "whole")
    with pytest.raises(Stopped):
        run(corpus, "broken", callbacks=[stop])
    said, resumed = run(corpus, "broken", resume=True)
    assert "resuming after update 8" in said
    assert tensors_of(resumed.folder) == tensors_of(whole.folder)
    assert resumed.finished.metrics == whole.finished.metrics


@pytest.mark.slow
def test_another_corpus_is_not_resumed_from_unasked(corpus: Path, tiny_pairs: Path, run: Run, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(corpus, tmp_path / "mine"))
    run(mine)
    changed = tmp_path / "changed.tsv"
    changed.write_text(tiny_pairs.read_text() + "abcde\tedcba\n")
    config = make_config({}, {"data.train": [str(changed)]})
    prepare_corpus(config, mine, console=Console(quiet=True))
    if open_corpus(mine).codecs != open_corpus(corpus).codecs:
        pytest.fail("the vocabularies have to be the same here")
    with pytest.raises(CheckpointError, match="a different one, or was prepared again"):
        run(mine, resume=True)
    said, _ = run(mine, resume=True, allow_changes=True, given={"training.max_updates": 16})
    assert "note: the pairs differ from those" in said
    config = make_config({}, {"data.train": [str(changed)], "text.min_count": 200})
    prepare_corpus(config, mine, console=Console(quiet=True))
    with pytest.raises(ConfigError, match="different vocabularies"):
        run(mine, resume=True, allow_changes=True)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"text.source": "words"}, "'words', but the corpus was prepared with 'characters'"),
        ({"text.joint": True}, "prepared with False"),
        ({"text.bpe_dropout": 0.1}, "BPE-dropout is not supported"),
        ({"data.dev_share": 0.2}, "prepared with 0.1"),
        ({"data.skip_bad": True}, "prepared with False"),
        ({"data.dev": ["dev.tsv"]}, "already contains dev pairs"),
        ({"model.name": "language_model"}, "the model is a language model"),
        (
            {
                "model.positions": "learned",
                "model.max_positions": 3,
                "model.name": "transformer",
                "model.embedding": 16,
            },
            "has positions for 3",
        ),
    ],
)
def test_options_that_conflict_with_a_corpus_are_refused(
    given: dict[str, Any], match: str, corpus: Path, run: Run
) -> None:
    with pytest.raises((ConfigError, DataError), match=match):
        run(corpus, given=given)


def test_options_equal_to_those_of_the_corpus_are_accepted(corpus: Path, run: Run) -> None:
    run(corpus, given={"text.source": "characters", "data.dev_share": 0.1, "text.bpe_dropout": 0.0})


def test_two_corpora_and_a_comparison_are_refused(corpus: Path, run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be combined with other training data"):
        seq2see.train([corpus, corpus], out=tmp_path / "r", quiet=True)
    with pytest.raises(ConfigError, match="a comparison reads files"):
        compare(["plain", "attention"], [corpus], tmp_path / "c", console=Console(quiet=True))


def test_a_damaged_array_is_reported_before_training(corpus: Path, run: Run, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(corpus, tmp_path / "mine"))
    content = bytearray((mine / "source.ids.npy").read_bytes())
    content[-1] ^= 1
    (mine / "source.ids.npy").write_bytes(content)
    with pytest.raises(DataError, match="is damaged") as caught:
        run(mine)
    assert caught.value.where == str(mine / "source.ids.npy")
    assert not (tmp_path / "r").exists()


def test_the_report_and_what_is_known(corpus: Path, tiny_pairs: Path, run: Run, tmp_path: Path) -> None:
    """A corpus holds no texts, but the hashes of its sources: the model knows as much as one trained on the files."""
    _, trained = run(corpus)
    _, from_files = run(tiny_pairs, "files")
    assert load_model(trained.folder).record == load_model(from_files.folder).record != NO_RECORD
    report = seq2see.load(trained.folder).evaluate(tiny_pairs, samples=100)
    assert (report.overlap.train, report.overlap.dev) == (108, 12)
    write_report(trained.folder, out=tmp_path / "page.html")
    assert "all 12 sources are dev pairs" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_corpus_without_hashes_is_of_unknown_sources(corpus: Path, tmp_path: Path) -> None:
    """One that was prepared before there were any."""
    old = Path(shutil.copytree(corpus, tmp_path / "old"))
    (old / "sources.hashes").unlink()
    values = json.loads((old / "corpus.json").read_text())
    del values["files"]["sources.hashes"], values["sha256"]
    (old / "corpus.json").write_bytes(sealed(values))
    assert open_corpus(old).record == NO_RECORD
    assert open_corpus(corpus).record.train.count == 108


def test_by_hand_too(corpus: Path, run: Run) -> None:
    given = {"model.name": "plain", "model.dropout": 0.0, "training.max_updates": 4}
    _, trained = run(corpus, given=given, engine="scratch")
    assert trained.finished.update == 4


def test_the_pairs_are_decoded_as_texts(corpus: Path, tiny_pairs: Path) -> None:
    opened = open_corpus(corpus)
    from seq2see.corpus.corpus import CorpusPairs

    pairs = CorpusPairs(opened)
    texts = [(pair.source, pair.target) for pair in read_pairs([tiny_pairs]).pairs]
    dev = [(pair.source, pair.target) for pair in opened.dev]
    assert [(pair.source, pair.target) for pair in pairs] == [text for text in texts if text not in dev]
    assert pairs[-1].origin == f"{corpus}:108"
    assert pairs[2:4] == [pairs[2], pairs[3]]
    assert opened.dev[0].origin.startswith(f"{tiny_pairs}:")


def test_mapped_pages_can_be_released(corpus: Path) -> None:
    opened = open_corpus(corpus)
    assert len(opened.maps) == 4
    before = opened.examples.source_ids.tolist()
    opened.release()
    assert opened.examples.source_ids.tolist() == before


def test_the_command(tiny_pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from seq2see.commands.preparing import prepare

    arguments: dict[str, Any] = {"out": tmp_path / "c", "workers": 1, "dev": [tiny_pairs]}
    assert prepare(tiny_pairs, **arguments, set_=["text.source=bytes"], model="plain", skip_bad=True) == 0
    assert f"train on it: seq2see train {tmp_path / 'c'} --model plain" in capsys.readouterr().err
    opened = open_corpus(tmp_path / "c")
    assert (opened.text.source, opened.facts["asked"]["data.skip_bad"], len(opened.dev)) == ("bytes", True, 120)
    for setting in ("training.rate=1", "data.workers=2", "data.balance=2", "data.also_source=x"):
        with pytest.raises(ConfigError, match="has no effect here"):
            prepare(tiny_pairs, **arguments, set_=[setting])
    with pytest.raises(ConfigError, match="must be at least 0"):
        prepare(tiny_pairs, out=tmp_path / "d", workers=-1)
    with pytest.raises(ConfigError, match="needs a file"):
        prepare(tiny_pairs, out=tmp_path / "d", dev=[])


@pytest.mark.parametrize("key", ["data.balance", "data.also_target"])
def test_a_corpus_has_fixed_epochs_and_vocabularies(key: str, tiny_pairs: Path, tmp_path: Path) -> None:
    prepare_corpus(make_config({}, {"data.train": str(tiny_pairs)}), tmp_path / "c", workers=1)
    settings = {"training.max_updates": 1, key: 1 if key == "data.balance" else str(tiny_pairs)}
    with pytest.raises(ConfigError, match="unsupported with a prepared corpus") as caught:
        seq2see.train(tmp_path / "c", out=tmp_path / "run", settings=settings, quiet=True)
    assert caught.value.where == key
    assert "train on the files" in (caught.value.fix or "")


def test_large_files_suggest_a_corpus(
    tiny_pairs: Path, run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"training.max_updates": 1}
    assert "seq2see prepare" not in run(tiny_pairs, "one", given=one)[0]
    monkeypatch.setattr("seq2see.run.pairs.LARGE_BYTES", 1000)
    assert "a corpus made by seq2see prepare is read from disk" in run(tiny_pairs, "two", given=one)[0]
    assert "seq2see prepare" not in run(corpus, "three", given=one)[0]


def test_the_manifest_names_the_sources(corpus: Path, tiny_pairs: Path) -> None:
    facts = json.loads((corpus / "corpus.json").read_text())
    assert facts["asked"]["sources"][0]["path"] == str(tiny_pairs)
    assert facts["text"]["source"] == "characters"
    assert facts["written_by"]["seq2see"] == seq2see.__version__
    assert Pair(*json.loads((corpus / "dev.jsonl").read_text().splitlines()[0])).target
