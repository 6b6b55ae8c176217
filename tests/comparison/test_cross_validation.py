"""K-fold cross-validation: every pair is predicted once, by a model that has not seen its group."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import seq2see
from seq2see import cli
from seq2see.comparison import CrossValidation
from seq2see.data import read_pairs
from seq2see.errors import ConfigError
from seq2see.run.folder import stored_config


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path, tiny_settings: dict[str, Any]
) -> tuple[Path, CrossValidation]:
    out = tmp_path_factory.mktemp("cross") / "out"
    found = seq2see.cross_validate(tiny_pairs, out=out, folds=3, settings=tiny_settings, device="cpu", quiet=True)
    assert found
    return out, found


def test_every_pair_is_predicted_once_by_a_model_that_has_not_seen_it(
    done: tuple[Path, CrossValidation], tiny_pairs: Path
) -> None:
    out, found = done
    every = {pair.source: pair.target for pair in read_pairs([tiny_pairs]).pairs}
    predicted = [item.source for item in found.pooled.items]
    assert sorted(predicted) == sorted(every)
    assert [fold.count for fold in found.folds] == [40, 40, 40]
    for number, fold in enumerate(found.folds, start=1):
        assert fold.overlap.train == fold.overlap.dev == 0
        assert fold.overlap.is_complete
        model = seq2see.load(out / f"fold-{number}", device="cpu")
        assert not any(model.has_seen([item.source for item in fold.items]))
        answers = [prediction.text for prediction in model.predict(item.source for item in fold.items)]
        assert tuple(answers) == fold.outputs.predictions


def test_scores_of_the_folds_and_of_all_predictions_together(done: tuple[Path, CrossValidation]) -> None:
    out, found = done
    for name in ("exact_match", "cer", "loss"):
        values = [fold.scores[name].value for fold in found.folds]
        mean = sum(values) / 3
        assert found.spreads[name].mean == pytest.approx(mean)
        assert found.spreads[name].deviation == pytest.approx((sum((v - mean) ** 2 for v in values) / 2) ** 0.5)
    sums = sum(fold.measured["cer"].statistics.sum(0) for fold in found.folds)
    assert found.pooled.scores["cer"].value == pytest.approx(sums[0] / sums[1])
    wrong = (out / "errors.tsv").read_text().splitlines()
    assert wrong[0].split("\t") == ["score", "source", "prediction", "reference", "diff"]
    assert len(wrong) - 1 == round(120 * (1 - (found.pooled.exact_match or 0)))
    rows = found.to_dicts()
    assert [row["fold"] for row in rows if row["metric"] == "cer"] == [1, 2, 3, None]
    text = str(found).splitlines()
    assert [line.split()[0] for line in text[:6]] == ["fold", "1", "2", "3", "mean", "all"]
    assert "mean ± sd of 3 folds" in text[4]


def test_the_same_call_trains_nothing_twice_and_gives_the_same(
    done: tuple[Path, CrossValidation], tiny_pairs: Path, tiny_settings: dict[str, Any]
) -> None:
    out, found = done
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/model/*")}
    again = seq2see.cross_validate(tiny_pairs, out=out, folds=3, settings=tiny_settings, device="cpu", quiet=True)
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/model/*")} == before
    assert again and again.to_dicts() == found.to_dicts()
    with pytest.raises(ConfigError, match="started with other pairs"):
        seq2see.cross_validate(tiny_pairs, out=out, folds=4, settings=tiny_settings, device="cpu", quiet=True)


def test_folds_are_made_by_group_and_the_command_prints_them(
    tmp_path: Path, tiny_flags: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All forms of a lemma are in one fold, and the columns are those of the table."""
    lines = [f"{a}{b}{c},{tag},{c}{b}{a}{tag}" for a in "abc" for b in "de" for c in "fg" for tag in "xyz"]
    table = tmp_path / "forms.csv"
    table.write_text("\n".join(["lemma,tag,form", *lines]) + "\n")
    words = ["cross", str(table), "--source", "lemma,tag", "--target", "form", "--folds", "2", "--json"]
    monkeypatch.setattr(sys, "argv", ["seq2see", *words, "-o", str(tmp_path / "out"), "--device", "cpu", *tiny_flags])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    assert ended.value.code == 0, printed.err
    assert "2 folds by distinct values of lemma" in printed.err
    found = json.loads(printed.out)
    assert {row["fold"] for row in found["folds"]} == {1, 2, None}
    files = [(tmp_path / "out" / "data" / f"fold-{n}.jsonl").read_text().splitlines() for n in (1, 2)]
    folds = [{json.loads(line)["lemma"] for line in lines} for lines in files]
    assert len(folds[0]) == len(folds[1]) == 6
    assert not folds[0] & folds[1]
    assert stored_config(tmp_path / "out" / "fold-1").data.source == ("lemma", "tag")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"folds": 1}, "folds: must be at least 2"),
        ({"settings": {"data.dev": "x.tsv"}}, "data.dev: conflicts with cross-validation"),
        ({"settings": {"model.name": "language_model"}}, "model.name: language models are not supported"),
        ({"metrics": ["f1"]}, "unknown metric"),
        ({"by": "3"}, "by: has no effect"),
    ],
)
def test_what_can_not_be_cross_validated_is_said_before_training(
    options: dict[str, Any], what: str, tiny_pairs: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=what):
        seq2see.cross_validate(tiny_pairs, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_an_interrupted_cross_validation_goes_on(
    tmp_path: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def call() -> CrossValidation | None:
        return seq2see.cross_validate(
            tiny_pairs, out=tmp_path / "out", folds=2, settings=tiny_settings, device="cpu", quiet=True
        )

    with monkeypatch.context() as patch:
        patch.setattr("seq2see.comparison.planned.train", interrupt)
        assert call() is None
    assert call()
