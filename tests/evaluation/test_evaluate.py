"""Trained models evaluated on test files, as by `seq2see evaluate`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import seq2see
from seq2see.data import TableOptions, read_pairs
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.evaluation import EvaluationOptions, as_json, evaluate, evaluate_runs, text_lines
from seq2see.evaluation.format import note_lines
from seq2see.evaluation.runs import config_of

QUICK = EvaluationOptions(samples=100)


def written(folder: Path, lines: list[str], name: str = "test.tsv") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def text_of(run: Path | list[Path], path: Path, request: EvaluationOptions = QUICK, **options: Any) -> str:
    runs = run if isinstance(run, list) else [run]
    return "\n".join(text_lines(evaluate_runs(runs, [path], request, device="cpu", **options)))


def test_targets_of_which_the_model_knows_nothing_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    """Else the loss would be that of EOS alone."""
    rows = [f"ab\t{'Ж' * number}" for number in range(1, 7)]
    path = written(tmp_path, rows)
    model = seq2see.load(tiny_run, device="cpu")
    for refused in (lambda: evaluate_runs([tiny_run], [path], QUICK, device="cpu"), lambda: model.evaluate(path)):
        with pytest.raises(DataError, match=r"no token of the 6 targets .* 'Ж', and the model writes .*a") as caught:
            refused()
        assert caught.value.where == f"{path}:1"
    for lines in (rows[:4], [*rows, "ab\tba"]):  # unknown words, and one that is known
        assert evaluate_runs([tiny_run], [written(tmp_path, lines)], QUICK, device="cpu").reports[0].exact_match == 0


@pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
def test_a_file_with_more_source_columns_than_the_model_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    lines = ["lemma\tfeatures\tform", *(f"ab{'c' * number}\tV;PST\tba{'c' * number}" for number in range(9))]
    path, said = written(tmp_path, lines), list[str]()
    with pytest.raises(DataError, match=r"reads 1 source column, found 2 \(.*lemma and features as source") as caught:
        evaluate_runs([tiny_run], [path], QUICK, device="cpu", say=said.append)
    assert caught.value.fix == "choose one as source: --source lemma --target form"
    table = TableOptions(source=("lemma",), target="form")
    evaluate_runs([tiny_run], [path], QUICK, device="cpu", table=table, say=said.append)
    assert len(said) == 1 and "lemma as source, form as target" in said[0]


def test_a_model_of_one_text_made_of_several_columns_reads_these(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    """The columns of its file, as predict reads them, though its source has one unit."""
    lines = [
        "word\tpos\tpron",
        *(f"{a}{b}\t{pos}\t{a} {b} {pos[0]}" for a in "abc" for b in "de" for pos in ("NOUN", "VERB")),
    ]
    path, run = written(tmp_path, lines), tmp_path / "r"
    settings = tiny_settings | {"text.source": "characters", "data.source": ["word", "pos"], "data.target": "pron"}
    seq2see.train(path, out=run, settings=settings, device="cpu", quiet=True)
    model = seq2see.load(run, device="cpu")
    for found in (model.evaluate(path), evaluate_runs([run], [path], QUICK, device="cpu").reports[0]):
        assert len(found.outputs.predictions) == 12
    with pytest.raises(DataError, match="reads 2 source columns, found 1"):
        model.evaluate(path, source="word", target="pron")


def test_runs_of_different_columns_are_compared_row_by_row(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    """Each reads its own columns; a lemma whose form depends on the tag isn't right with either form."""
    lines = ["lemma\ttag\tform", *(f"{a}{b}\t{tag}\t{tag[0]}{a}" for a in "abc" for b in "de" for tag in ("xX", "yY"))]
    path, said = written(tmp_path, lines), list[str]()
    for name, source in (("both", "lemma,tag"), ("lemma", "lemma")):
        chosen = tiny_settings | {"training.max_updates": 3, "data.source": source, "data.target": "form"}
        seq2see.train(path, out=tmp_path / name, settings=chosen, device="cpu", quiet=True)
    alone = evaluate_runs([tmp_path / "lemma"], [path], QUICK, device="cpu").reports[0]
    for names in (("both", "lemma"), ("lemma", "both")):
        runs = [tmp_path / name for name in names]
        report = evaluate_runs(runs, [path], QUICK, device="cpu", say=said.append)
        assert [len(each.outputs.references) for each in report.reports] == [12, 12]
        assert all(len(references) == 1 for each in report.reports for references in each.outputs.references)
        assert report.against_first[1].keys() >= {"exact_match"}
    assert len(alone.outputs.references) == 6 and len(alone.outputs.references[0]) == 2
    assert said[0] == f"{path}: 3 columns separated by TAB, with a header; lemma and tag as source, form as target"
    assert said[1].startswith(f"{path}, for {tmp_path / 'lemma'}: ") and "lemma as source" in said[1]


def test_a_run_of_plain_pairs_reads_the_columns_of_the_first(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    rows = [(f"{a}{b}", f"{b}{a}") for a in "abc" for b in "abc"]
    table = written(tmp_path, ["word\tnote\tform", *(f"{word}\tn{word}\t{form}" for word, form in rows)], "table.tsv")
    plain = written(tmp_path, ["\t".join(row) for row in rows], "plain.tsv")
    few = tiny_settings | {"training.max_updates": 1}
    named = few | {"data.source": "word", "data.target": "form"}
    seq2see.train(table, out=tmp_path / "named", settings=named, device="cpu", quiet=True)
    seq2see.train(plain, out=tmp_path / "plain", settings=few, device="cpu", quiet=True)
    report = evaluate_runs([tmp_path / "named", tmp_path / "plain"], [table], QUICK, device="cpu")
    assert [len(each.outputs.references) for each in report.reports] == [9, 9]


def test_runs_of_other_targets_are_not_compared(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path, ["word\tphones\tspelling", *(f"{a}{b}\tb{b}\tc{b}" for a in "abc" for b in "abc")])
    for name in ("phones", "spelling"):
        chosen = tiny_settings | {"training.max_updates": 1, "data.source": "word", "data.target": name}
        seq2see.train(path, out=tmp_path / name, settings=chosen, device="cpu", quiet=True)
    with pytest.raises(DataError, match=r"reads other targets than the first run.* 'ca' at .*:2 instead of 'ba'") as e:
        text_of([tmp_path / "phones", tmp_path / "spelling"], path)
    assert e.value.where == str(tmp_path / "spelling")
    table = TableOptions(source=("word",), target="phones")
    text_of([tmp_path / "phones", tmp_path / "spelling"], path, table=table)


def test_fewer_source_columns_than_the_model_are_answered_with_those_that_it_reads(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    lines = ["word\ttype\tform", *(f"ab{'c' * number}\tV;PST\tba{'c' * number}" for number in range(9))]
    path = written(tmp_path, lines)
    settings = tiny_settings | {"training.max_updates": 1, "data.source": "word,type", "data.target": "form"}
    seq2see.train(path, out=tmp_path / "r", settings=settings, device="cpu", quiet=True)
    with pytest.raises(DataError, match="reads 2 source columns, found 1") as caught:
        text_of(tmp_path / "r", path, table=TableOptions(source=("word",), target="form"))
    assert caught.value.fix == "choose 2 as source: --source word,type --target form"
    text_of(tmp_path / "r", path, table=TableOptions(source=("word", "type"), target="form"))


def test_the_report_agrees_with_the_predictor(tiny_run: Path, tiny_pairs: Path) -> None:
    model, pairs = seq2see.load(tiny_run, device="cpu"), read_pairs([tiny_pairs]).pairs
    predictions = model.predict(pair.source for pair in pairs)
    report = evaluate(model, pairs, QUICK)
    right = [each.text == pair.target for each, pair in zip(predictions, pairs, strict=True)]
    assert report.exact_match == pytest.approx(sum(right) / len(pairs))
    assert report.loss == pytest.approx(model.loss(pairs), abs=1e-12)
    assert report.outputs.predictions == tuple(prediction.text for prediction in predictions)
    assert list(report.scores) == ["exact_match", "cer", "loss"]
    assert {part.by for part in report.slices} == {"source", "length"}
    assert report.num_known == 108


def test_what_wer_is_of_phones_is_said(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    pairs = [(f"{first}{second}", f"{first} {second} ə") for first in "abcdefgh" for second in "abcdefgh"]
    settings = tiny_settings | {"training.max_updates": 1, "text.target": "symbols"}
    model = seq2see.train(pairs, out=tmp_path / "r", settings=settings, device="cpu", quiet=True)
    report = model.evaluate(pairs, samples=100, metrics=["wer", "per"])
    assert report.scores["wer"].value == report.scores["per"].value
    (note,) = note_lines([report])
    assert note.startswith("note: WER: edits over the symbols") and note.endswith("is 1 - exact match")


def test_one_word_answers_have_an_accuracy(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    """And no error rate over symbols, though few different answers are symbols to the model."""
    pairs = [(f"{first}{second}", "yes" if first < second else "no") for first in "abcdefgh" for second in "abcdefgh"]
    model = seq2see.train(pairs, out=tmp_path / "r", settings=tiny_settings, device="cpu", quiet=True)
    report = model.evaluate(pairs, samples=100)
    assert list(report.scores) == ["exact_match", "loss"]
    assert "accuracy" in str(report)
    assert "exact match" not in str(report)


def test_sources_in_the_training_data_are_counted_and_scored_separately(
    tiny_run: Path, tiny_pairs: Path, tmp_path: Path
) -> None:
    known = tiny_pairs.read_text(encoding="utf-8").splitlines()[:3]
    path = written(tmp_path, [*known, "abcdea\taedcba", "eeeeea\taeeeee"])
    found = evaluate_runs([tiny_run], [path], QUICK, device="cpu")
    assert found.reports[0].num_known == 3
    separate = [part for part in found.reports[0].slices if part.by == "source"]
    assert [(part.name, part.count) for part in separate] == [("in the training data", 3), ("new", 2)]
    assert "3 of 5 sources are in the training data" in text_of(tiny_run, path)
    assert as_json(found)["in_training_data"] == 3


def test_a_test_set_of_new_sources_is_reported_as_such(tiny_run: Path, tmp_path: Path) -> None:
    path = written(tmp_path, ["abcdea\taedcba"])
    assert "none of the sources is in the training data" in text_of(tiny_run, path)


def test_the_run_around_a_model_folder_is_found(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_of(tiny_run / "model") == config_of(tiny_run) is not None
    monkeypatch.chdir(tiny_run)
    assert config_of(Path("model")) == config_of(tiny_run)


def test_pairs_with_the_same_source_are_one_item(tiny_run: Path, tmp_path: Path) -> None:
    prediction = seq2see.load(tiny_run, device="cpu").predict("abc")[0].text
    path = written(tmp_path, ["abc\tzzz", "bca\tzzz", f"abc\t{prediction}"])
    found = evaluate_runs([tiny_run], [path], QUICK, device="cpu").reports[0]
    assert (found.count, found.num_references, found.exact_match) == (2, 3, 0.5)
    assert text_of(tiny_run, path).startswith("2 items, 3 references\n")
    separate = evaluate_runs([tiny_run], [path], EvaluationOptions(group=False, samples=100), device="cpu").reports[0]
    assert (separate.count, separate.exact_match) == (3, pytest.approx(1 / 3))
    assert separate.loss == pytest.approx(found.loss)


@pytest.mark.parametrize("search", [{"beam": 4, "length_penalty": 2.0}, {"beam": 6, "mbr": "cer"}], ids=str)
def test_the_search_is_that_of_predict(tiny_run: Path, tiny_pairs: Path, search: dict[str, Any]) -> None:
    model = seq2see.load(tiny_run, device="cpu")
    pairs = [line.split("\t") for line in tiny_pairs.read_text(encoding="utf-8").splitlines()]
    answers = model.predict([source for source, _ in pairs], **search)
    right = sum(answer.text == target for answer, (_, target) in zip(answers, pairs, strict=True))
    assert model.evaluate(tiny_pairs, samples=100, **search).exact_match == pytest.approx(right / len(pairs))


def test_a_label_column_is_scored_separately(tiny_run: Path, tmp_path: Path) -> None:
    path = written(tmp_path, ["abc\tcba\tnorth", "bca\tacb\tsouth", "cab\tbac\tnorth"])
    request = EvaluationOptions(by="3", samples=100)
    found = evaluate_runs([tiny_run], [path], request, device="cpu").reports[0]
    assert [(part.name, part.count) for part in found.slices if part.by == "3"] == [("north", 2), ("south", 1)]
    output = text_of(tiny_run, path, request)
    assert "\nby 3 " in output and "\nnorth  " in output
    assert "\nnorth  " in text_of([tiny_run, tiny_run], path, request)


def test_slices_by_length_can_be_asked_for(
    tiny_run: Path, tiny_run_copy: Path, tiny_language_run: Path, tiny_pairs: Path, tiny_text: Path, tmp_path: Path
) -> None:
    by_length = EvaluationOptions(by="length", samples=100)
    both = [tiny_run, tiny_run_copy]
    assert text_of(both, tiny_pairs, by_length).count("\nby length ") == 2
    assert "by length" not in text_of(both, tiny_pairs)
    assert "\n2 characters " in text_of(tiny_run, written(tmp_path, ["ab\tba", "ba\tab"]), by_length)
    with pytest.raises(ConfigError, match="no sources to group by length"):
        evaluate_runs([tiny_language_run], [tiny_text], by_length, device="cpu")


def test_only_the_most_frequent_labels_are_printed(tiny_run: Path, tmp_path: Path) -> None:
    path = written(tmp_path, [f"{'abcde'[n % 5]}{'abcde'[n // 5]}\ta\t{n}" for n in range(25)])
    found = evaluate_runs([tiny_run], [path], EvaluationOptions(by="3", samples=100), device="cpu")
    assert "and 5 smaller ones" in "\n".join(text_lines(found))
    assert sum(part["by"] == "3" for part in as_json(found)["slices"]) == 25


def test_only_the_requested_metrics_are_computed(tiny_run: Path, tiny_pairs: Path) -> None:
    request = EvaluationOptions(metrics=("chrF", "rouge-l"), samples=100)
    found = evaluate_runs([tiny_run], [tiny_pairs], request, device="cpu")
    values = as_json(found)
    assert list(values["metrics"]) == ["chrf", "rouge_l", "loss"]
    assert values["metrics"]["chrf"]["signature"].startswith("nrefs:1|case:mixed|")
    assert values["metrics"]["chrf"]["unit"] == "points"
    assert 0 <= values["exact_match"] <= 1  # always there
    output = "\n".join(text_lines(found))
    assert "\nchrF: nrefs:1" in output and "\nROUGE-L " in output


def test_two_runs_are_a_table_with_p_values(tiny_run: Path, tiny_run_copy: Path, tiny_pairs: Path) -> None:
    found = evaluate_runs([tiny_run, tiny_run_copy], [tiny_pairs], QUICK, device="cpu")
    values = json.loads(json.dumps(as_json(found)))
    assert [each["run"] for each in values["runs"]] == [str(tiny_run), str(tiny_run_copy)]
    assert values["runs"][0]["against_first"] == {}
    assert values["runs"][1]["against_first"]["cer"]["randomization_p"] == 1.0  # it is a copy
    assert values["runs"][1]["against_first"]["cer"]["low"] == values["runs"][1]["against_first"]["cer"]["high"] == 0
    lines = "\n".join(text_lines(found)).splitlines()
    assert lines[3].startswith(str(tiny_run)) and " p " not in lines[3]
    assert "p 1.000 / 1.000" in lines[4]
    assert values["seeds"] == []


def test_runs_of_several_seeds_have_a_mean(tiny_run: Path, tiny_run_copy: Path, tiny_pairs: Path) -> None:
    config = tiny_run_copy / "config.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("\nseed = 1\n", "\nseed = 2\n"), encoding="utf-8")
    found = evaluate_runs([tiny_run, tiny_run_copy], [tiny_pairs], QUICK, device="cpu")
    assert as_json(found)["seeds"][0]["metrics"]["cer"]["deviation"] == 0
    assert "mean ± sd of 2 seeds" in "\n".join(text_lines(found))


def test_an_ensemble_is_evaluated_as_one_model(tiny_run: Path, tiny_run_copy: Path, tiny_pairs: Path) -> None:
    runs = [tiny_run, tiny_run_copy]
    one = evaluate_runs(runs, [tiny_pairs], QUICK, device="cpu", ensemble=True)
    assert one.runs == (f"{tiny_run} + {tiny_run_copy}",)
    assert one.reports[0].loss == pytest.approx(seq2see.load(runs, device="cpu").loss(read_pairs([tiny_pairs]).pairs))
    known = [
        one.reports[0].num_known,
        evaluate_runs(runs[::-1], [tiny_pairs], QUICK, device="cpu", ensemble=True).reports[0].num_known,
    ]
    assert known[0] == known[1]  # in either order
    with pytest.raises(ConfigError, match="at least two runs"):
        evaluate_runs(runs[:1], [tiny_pairs], QUICK, device="cpu", ensemble=True)


def test_runs_with_different_vocabularies_share_a_table(
    tiny_run: Path, tiny_pairs: Path, tmp_path: Path, tiny_settings: dict[str, object]
) -> None:
    more = {"text.target": "bpe", "text.subword_size": 40, "training.seed": 2}
    other = tmp_path / "other"
    seq2see.train(tiny_pairs, out=other, settings={**tiny_settings, **more}, device="cpu", quiet=True)
    found = evaluate_runs([tiny_run, other], [tiny_pairs], QUICK, device="cpu")
    assert set(found.against_first[1]) == {"exact_match", "cer"}
    assert "no p where the tokens differ" in "\n".join(text_lines(found))


def test_a_language_model_has_its_loss_and_perplexity(tiny_language_run: Path, tiny_text: Path) -> None:
    found = evaluate_runs([tiny_language_run], [tiny_text], QUICK, device="cpu")
    output = "\n".join(text_lines(found))
    assert output.startswith("120 texts\n\nloss ") and "perplexity" in output
    assert "108 of 120 texts are in the training data" in output
    assert "12 of 120 texts are dev pairs" in output
    assert as_json(found)["exact_match"] is None
    with pytest.raises(ConfigError, match="is a language model"):
        evaluate_runs([tiny_language_run], [tiny_text], EvaluationOptions(metrics=("cer",)), device="cpu")
    with pytest.raises(ConfigError, match="no predictions to list"):
        evaluate_runs([tiny_language_run], [tiny_text], QUICK, device="cpu", errors=tiny_text.with_name("errors.tsv"))


def test_a_language_model_is_not_compared_with_other_models(
    tiny_run: Path, tiny_language_run: Path, tiny_pairs: Path
) -> None:
    with pytest.raises(ConfigError, match="can't be compared"):
        evaluate_runs([tiny_run, tiny_language_run], [tiny_pairs], QUICK, device="cpu")


def test_the_error_table(tiny_run: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    path = tmp_path / "errors.tsv"
    found = evaluate_runs([tiny_run], [tiny_pairs], QUICK, device="cpu", errors=path)
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    report = found.reports[0]
    assert report.exact_match is not None
    assert len(lines) - 1 == round((1 - report.exact_match) * report.count) > 0
    assert lines[0] == ["score", "source", "prediction", "reference", "diff"]
    scores = [float(line[0]) for line in lines[1:]]
    assert scores == sorted(scores, reverse=True)
    assert found.ranked_by == "CER"


@pytest.mark.parametrize(
    ("name", "message"), [("test.tsv", "overwrite the test"), ("test.tsv/e.tsv", "is not a folder"), (".", "a folder")]
)
def test_an_unwritable_error_table_is_an_error_before_the_search(
    name: str, message: str, tiny_run: Path, tmp_path: Path
) -> None:
    path = written(tmp_path, ["abc\tcba"])
    with pytest.raises(UserError, match=message):
        evaluate_runs([tiny_run], [path], QUICK, device="cpu", errors=tmp_path / name)
    assert path.read_text() == "abc\tcba\n"


def test_a_missing_package_is_an_error_before_the_search(
    tiny_run: Path, tiny_pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for module in ["sacrebleu", *(module for module in sys.modules if module.startswith("sacrebleu."))]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(seq2see.Model, "predict", lambda *_, **__: pytest.fail("it searched"))
    with pytest.raises(UserError, match="needs the package sacrebleu"):
        evaluate_runs([tiny_run], [tiny_pairs], EvaluationOptions(metrics=("bleu",)), device="cpu")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"samples": 5}, "at least 100"),
        ({"seed": -1}, "at least 0"),
        ({"beam": 0}, "beam"),
        ({"length_penalty": 1.0}, "length_penalty"),
        ({"mbr": "cer"}, "mbr"),
        ({"beam": 2, "mbr": "bleu"}, "mbr"),
        ({"beam": 2, "length_penalty": -1.0}, "length_penalty"),
        ({"batch_size": 0}, "batch_size"),
        ({"metrics": ("bleau",)}, "did you mean 'bleu'"),
        ({"metrics": ()}, "at least one metric"),
    ],
)
def test_invalid_options_are_errors(options: dict[str, object], part: str, tmp_path: Path) -> None:
    """Before any model is loaded."""
    with pytest.raises(ConfigError, match=part):
        evaluate_runs([tmp_path / "nowhere"], [], EvaluationOptions(**options))  # type: ignore[arg-type]


def test_a_model_folder_without_its_run_can_be_evaluated(tiny_run: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copytree(tiny_run / "model", tmp_path / "shipped"))
    assert evaluate_runs([alone], [tiny_pairs], QUICK, device="cpu").reports[0].num_known == 108
