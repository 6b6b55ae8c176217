"""What a model has seen goes with it: through fine-tuning, resuming and packing, whatever became of the files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import seq2see
from seq2see import Model, Pair
from seq2see.cli import main
from seq2see.config import make_config
from seq2see.data.source_record import NO_RECORD
from seq2see.evaluation import EvaluationOptions, as_json, evaluate_runs
from seq2see.pages import write_report
from seq2see.run.pairs import read_data
from seq2see.storage.files import hash_of, manifest_of
from seq2see.storage.saved_model import load_model

Pairs = Sequence[tuple[str, str]]
FIRST = [(word, word[::-1]) for word in ("abc", "bcd", "cde", "dea", "eab", "acd")]
SECOND = [(word, word[::-1]) for word in ("aab", "bbc", "ccd", "dde", "eea", "cca")]
DEV = [("bad", "dab"), ("ebb", "bbe")]
NEW = [("dad", "dad"), ("ace", "eca")]
QUICK = EvaluationOptions(samples=100)


@pytest.fixture
def settings(tiny_settings: dict[str, Any]) -> dict[str, Any]:
    return tiny_settings | {"training.max_updates": 2, "training.evaluate_every": 2}


def train(data: Any, out: Path, settings: dict[str, Any], **more: Any) -> Model:
    return seq2see.train(data, dev=more.pop("dev", DEV), out=out, settings=settings, device="cpu", quiet=True, **more)


def written(path: Path, pairs: Pairs) -> Path:
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


def seen(model: Model, pairs: Pairs) -> set[bool | None]:
    return set(model.has_seen(source for source, _ in pairs))


def without_record(run: Path, copy: Path) -> Path:
    """The model of a run as it was written before there was a record."""
    shutil.copytree(run / "model", copy)
    (copy / "sources.hashes").unlink()
    names = [path.name for path in copy.iterdir() if path.name != "manifest.json"]
    hashes = {name: hash_of((copy / name).read_bytes()) for name in sorted(names)}
    (copy / "manifest.json").write_bytes(manifest_of(hashes))
    return copy


def test_a_model_knows_what_it_was_trained_on(tmp_path: Path, settings: dict[str, Any]) -> None:
    model = train(FIRST, tmp_path / "a", settings)
    assert (seen(model, FIRST), seen(model, NEW), seen(model, DEV)) == ({True}, {False}, {False})
    report = model.evaluate([*FIRST[:3], *DEV[:1], *NEW], samples=100)
    assert report.num_known == 3
    assert report.overlap == (3, 1, True)
    slices = [(part.name, part.count) for part in report.slices if part.by == "source"]
    assert slices == [("in the training data", 3), ("in the dev data", 1), ("new", 2)]
    assert "3 of 6 sources are in the training data: rely on the scores of the new ones" in str(report)
    assert "1 of 6 sources are dev pairs" in str(report)
    assert "none of the sources is in the training data" in str(model.evaluate(NEW, samples=100))
    assert "all 2 sources are dev pairs" in str(model.evaluate(DEV, samples=100))


def test_fine_tuning_hands_the_record_on(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Over two generations, from a packed file and a model folder; nothing is left of the first run."""
    first = train(FIRST, tmp_path / "a", settings)
    first.pack(tmp_path / "a.seq2see", data=DEV)
    start = {"training.start_from": str(tmp_path / "a.seq2see")}
    train(SECOND, tmp_path / "b", {**start, "training.max_updates": 2})
    shutil.rmtree(tmp_path / "a")
    model = train(NEW, tmp_path / "c", {"training.start_from": str(tmp_path / "b/model"), "training.max_updates": 2})
    assert seen(model, [*FIRST, *SECOND, *NEW]) == {True}
    test = written(tmp_path / "test.tsv", FIRST)
    assert "all 6 sources are in the training data" in str(evaluate_runs([tmp_path / "c"], [test], QUICK))
    page = tmp_path / "page.html"
    write_report(tmp_path / "c", page, [test], QUICK)
    assert "all 6 sources are in the training data" in page.read_text(encoding="utf-8")


def test_fine_tuning_says_that_dev_was_trained_on(
    tmp_path: Path, settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    train(FIRST, tmp_path / "a", settings)
    start = {"training.start_from": str(tmp_path / "a"), "training.max_updates": 2}
    for dev, is_said in ((FIRST[:2] + NEW, True), (NEW, False), (DEV, False), (SECOND[:1] + NEW, False)):
        capsys.readouterr()
        seq2see.train(SECOND, dev=dev, out=tmp_path / "b", settings=start, device="cpu", force=True)
        said = capsys.readouterr().err.replace("\n", " ")
        assert ("trained before on the sources of 2 of the 4 dev pairs" in said) == is_said


def test_resuming_with_other_pairs_adds_them(tmp_path: Path, settings: dict[str, Any]) -> None:
    train(FIRST, tmp_path / "a", settings)
    longer = settings | {"training.max_updates": 4}
    model = train(SECOND, tmp_path / "a", longer, resume=True, allow_changes=True)
    assert (seen(model, [*FIRST, *SECOND]), seen(model, NEW)) == ({True}, {False})


def test_an_unchanged_resume_changes_nothing(tmp_path: Path, settings: dict[str, Any]) -> None:
    train(FIRST, tmp_path / "whole", settings | {"training.max_updates": 4})
    train(FIRST, tmp_path / "half", settings | {"training.max_updates": 4, "training.checkpoint_every": 2})
    shutil.rmtree(tmp_path / "half/checkpoints/00000004")
    train(FIRST, tmp_path / "half", {}, resume=True)
    files = [(tmp_path / name / "model/sources.hashes").read_bytes() for name in ("whole", "half")]
    assert files[0] == files[1]


def test_files_that_were_edited_later_change_nothing(tmp_path: Path, settings: dict[str, Any]) -> None:
    """What was trained on is neither forgotten nor replaced by what the files hold now."""
    data = written(tmp_path / "data.tsv", [*FIRST, *SECOND])
    run = tmp_path / "a"
    seq2see.train(data, out=run, settings=settings, device="cpu", quiet=True)
    test = written(tmp_path / "test.tsv", [*FIRST, *SECOND])
    before = evaluate_runs([run], [test], QUICK).reports[0].overlap
    assert (before.train + before.dev, before.is_complete) == (12, True)
    written(data, NEW * 3)
    assert evaluate_runs([run], [test], QUICK).reports[0].overlap == before
    data.unlink()
    assert evaluate_runs([run], [test], QUICK).reports[0].overlap == before


def test_a_packed_model_keeps_the_record_or_leaves_it_out(tmp_path: Path, settings: dict[str, Any]) -> None:
    model = train(FIRST, tmp_path / "a", settings)
    packed = model.pack(tmp_path / "m.seq2see", data=DEV)
    assert seen(seq2see.load(tmp_path / "m.seq2see"), FIRST) == {True}
    assert "hashes of 6 training sources: 0.1 kB, which tell seen from new texts" in packed.lines()
    assert "hashes of 6 training sources" in load_model(tmp_path / "m.seq2see").card
    without = model.pack(tmp_path / "n.seq2see", data=DEV, hashes=False)
    assert packed.size - without.size > len(load_model(tmp_path / "a").record.to_bytes())
    assert not any("hashes" in line for line in without.lines())
    assert seen(seq2see.load(tmp_path / "n.seq2see"), FIRST) == {None}


def test_what_is_unknown_is_called_unknown(tmp_path: Path, settings: dict[str, Any]) -> None:
    """A model without a record, one that was fine-tuned from it, and an ensemble with it."""
    train(FIRST, tmp_path / "a", settings)
    old = without_record(tmp_path / "a", tmp_path / "old")
    assert load_model(old).record == NO_RECORD
    test = written(tmp_path / "test.tsv", [*FIRST, *SECOND])
    found = evaluate_runs([old], [test], QUICK)
    assert "it is unknown which of the sources are in the training data" in str(found)
    assert "none of the sources" not in str(found)
    assert (as_json(found)["in_training_data"], as_json(found)["in_dev_data"]) == (None, None)
    assert not [part for part in found.reports[0].slices if part.by == "source"]
    start = {"training.start_from": str(old), "training.max_updates": 2}
    tuned = train(SECOND, tmp_path / "b", start)
    assert (seen(tuned, SECOND), seen(tuned, FIRST)) == ({True}, {None})
    report = tuned.evaluate(test, samples=100)
    assert report.num_known is None
    assert "at least 6 of 12 sources are in the training data, perhaps more" in str(report)
    together = evaluate_runs([tmp_path / "a", old], [test], QUICK, ensemble=True)
    assert "at least 6 of 12 sources" in str(together)


def test_the_texts_of_a_language_model_are_recorded(tmp_path: Path, settings: dict[str, Any]) -> None:
    texts = [("", source) for source, _ in FIRST]
    model = train(texts, tmp_path / "a", settings, model="language_model", dev=[("", "bad")])
    assert (seen(model, FIRST), seen(model, NEW)) == ({True}, {False})
    assert "all 6 texts are in the training data" in str(model.evaluate(texts, samples=100))


def test_models_by_hand_have_a_record_too(tmp_path: Path, settings: dict[str, Any]) -> None:
    own = {key: value for key, value in settings.items() if key != "model.dropout"}
    model = train(FIRST, tmp_path / "a", own, engine="scratch")
    assert (seen(model, FIRST), seen(model, NEW)) == ({True}, {False})


def test_sources_are_compared_as_the_model_reads_them(tmp_path: Path, settings: dict[str, Any]) -> None:
    """In any Unicode form, and with symbols also by any space between them."""
    pairs = [("e\u0301 a", "x"), ("b  c", "y"), ("a b", "x"), ("c a", "y")]
    more = {"text.source": "symbols", "text.target": "characters"}
    model = train(pairs, tmp_path / "a", settings | more, dev=[("a a", "x")])
    assert model.has_seen(["\u00e9 a", "b c", " b   c", "bc"]) == [True, True, True, False]
    assert model.has_seen("a b") == [True]


def test_dev_sources_in_train_are_noticed_in_any_unicode_form() -> None:
    pairs, dev = [Pair("e\u0301", "x"), Pair("b", "y")], [Pair("\u00e9", "x"), Pair("c", "z")]
    notes = read_data(make_config({}, {}), pairs, dev, has_source=True).notes
    assert "note: 1 of the 2 dev pairs have a source that is also in train" in notes


def test_several_runs_say_once_what_is_true_of_all(tmp_path: Path, settings: dict[str, Any]) -> None:
    for name, pairs in (("a", FIRST), ("b", [*FIRST, *SECOND])):
        train(pairs, tmp_path / name, settings)
    runs = [tmp_path / "a", tmp_path / "b"]
    test = written(tmp_path / "test.tsv", [*FIRST, *SECOND])
    lines = str(evaluate_runs(runs, [test], QUICK)).splitlines()
    assert f"{runs[0]}: 6 of 12 sources are in the training data: rely on the scores of the new ones" in lines
    assert f"{runs[1]}: all 12 sources are in the training data: the scores say nothing about new sources" in lines
    written(test, FIRST)
    for text in (str(evaluate_runs(runs, [test], QUICK)), evaluate_runs(runs, [test], QUICK)._repr_html_()):
        assert text.count("all 6 sources are in the training data") == 1


def test_the_command_packs_with_and_without_hashes(
    tmp_path: Path, settings: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: object) -> str:
        monkeypatch.setattr("sys.argv", ["seq2see", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return capsys.readouterr().out

    train(FIRST, tmp_path / "a", settings)
    data = written(tmp_path / "dev.tsv", DEV)
    for flags, count in (([], 1), (["--no-hashes"], 0)):
        out = tmp_path / "m.seq2see"
        assert run("pack", tmp_path / "a", "-o", out, "--data", data, *flags).count("hashes of 6") == count
    test = written(tmp_path / "test.tsv", FIRST)
    assert json.loads(run("evaluate", out, test, "--json"))["in_training_data"] is None
