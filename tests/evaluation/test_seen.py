"""Scores by what was seen in training: of sources with several fields the lemma, its tags, both, or neither."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import seq2see
from seq2see.config import make_config
from seq2see.corpus import prepare_corpus
from seq2see.data import Pair
from seq2see.data.source_record import NO_RECORD, record_of_pairs
from seq2see.errors import ConfigError
from seq2see.evaluation import EvaluationOptions, as_json, evaluate_runs, text_lines
from seq2see.evaluation.seen import slices_by_seen
from seq2see.text import Codec, make_tokenizer

BY_SEEN = EvaluationOptions(by="seen", samples=100)
TRAIN = [Pair(f"{lemma}\t{tags}", lemma[::-1]) for lemma in ("ab", "ba", "abb", "bab") for tags in ("V;PST", "V;PRS")]
TEST = [("ab\tPST;PRS", "x"), ("bb\tV;PST", "x"), ("bb\tV;PRS", "ba"), ("bb\tPST;PRS", "x"), ("ba\tPRS;V", "ab")]
EXPECTED = [
    ("source field 1 and source field 2 seen", 1),
    ("only source field 1 seen", 1),
    ("only source field 2 seen", 2),
    ("neither seen", 1),
]


@pytest.fixture(scope="module")
def inflected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on lemmas with tags, and a packed copy."""
    folder = tmp_path_factory.mktemp("inflected")
    settings = {"model.width": 8, "training.max_updates": 4, "training.precision": "float32"}
    dev = [("bbb\tV;PST", "bbb"), ("aab\tV;PRS", "baa")]
    seq2see.train(TRAIN, dev=dev, out=folder / "run", settings=settings, quiet=True)
    seq2see.load(folder / "run").pack(folder / "small.seq2see", data=dev)
    return folder


def written(folder: Path, pairs: list[tuple[str, str]]) -> Path:
    path = folder / "test.jsonl"
    path.write_text("".join(json.dumps({"source": a, "target": b}) + "\n" for a, b in pairs))
    return path


@pytest.mark.parametrize("name", ["run", "small.seq2see"])
def test_fields_are_scored_apart(inflected: Path, name: str, tmp_path: Path) -> None:
    model = seq2see.load(inflected / name)
    report = model.evaluate(TEST, by="seen", samples=100)
    assert [(part.name, part.count) for part in report.slices if part.by == "seen"] == EXPECTED
    assert all(part.scores.keys() == report.scores.keys() for part in report.slices)
    # The order of tags doesn't count where the model reads them as a set: this source was trained on.
    assert report.num_known == 1
    assert [part.name for part in report.slices if part.by == "source"] == ["in the training data", "new"]
    found = evaluate_runs([inflected / name], [written(tmp_path, TEST)], BY_SEEN)
    assert [(part["name"], part["count"]) for part in as_json(found)["slices"] if part["by"] == "seen"] == EXPECTED
    output = "\n".join(text_lines(found))
    assert "\nby seen " in output
    assert "\nonly source field 2 seen " in output


def test_of_one_field_the_source_is_seen_or_not(tiny_run: Path, tmp_path: Path) -> None:
    new = [("abcdea", "x"), ("eeeeea", "y")]
    (report,) = evaluate_runs([tiny_run], [written(tmp_path, new)], BY_SEEN).reports
    assert [(part.by, part.name, part.count) for part in report.slices if part.by != "length"] == [("seen", "new", 2)]


def test_what_there_is_no_record_of_is_unknown() -> None:
    texts = ["ab\tx", "ab\ty", "ba\tx"]
    codec = Codec.build(make_tokenizer("characters"), texts)
    seen = record_of_pairs([Pair(texts[0], "x")], [], (codec, codec))

    def names(record: object) -> list[tuple[str, int]]:
        return [(part.name, len(part.rows)) for part in slices_by_seen(record, texts, [False] * 3)]  # type: ignore[arg-type]

    assert names(NO_RECORD) == [("unknown", 3)]
    assert names(seen | NO_RECORD) == [("in the training data", 1), ("unknown", 2)]
    assert names(replace(seen, fields=None)) == [("in the training data", 1), ("unknown", 2)]
    assert names(seen) == [
        ("source field 1 and source field 2 seen", 1),
        ("only source field 1 seen", 1),
        ("only source field 2 seen", 1),
    ]


def test_a_record_of_another_field() -> None:
    sources = ["V\tab\tx", "N\tba\ty"]
    codec = Codec.build(make_tokenizer("characters"), sources)
    seen = record_of_pairs([Pair(source, "x") for source in sources], [], (codec, codec), 2)
    found = slices_by_seen(seen, ["N\tab\tx", "N\tcc\ty"], [False, False])
    assert [(part.name, part.rows.tolist()) for part in found] == [
        ("only source field 2 seen", [0]),
        ("only the other fields seen", [1]),
    ]


def test_it_needs_no_file_with_a_column(tiny_run: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    report = seq2see.load(tiny_run).evaluate([("ab", "ba"), ("abcdea", "x")], by="seen", samples=100)
    assert {part.by for part in report.slices} == {"seen", "length"}
    with pytest.raises(ConfigError, match="needs a file, whose column it names"):
        seq2see.load(tiny_run).evaluate([("ab", "ba")], by="region")
    from seq2see.pages import write_report

    write_report(tiny_run, tmp_path / "report.html", [tiny_pairs], BY_SEEN)
    assert "by seen" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_corpus_is_grouped_and_recorded_as_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2see.run.planning import plan_run

    monkeypatch.setattr("seq2see.corpus.parts.PART_BYTES", 500)
    pairs = [(f"{stem}{number}\t{tags}", tags) for number in range(30) for stem in "ab" for tags in ("V;PST", "V;PRS")]
    path = written(tmp_path, pairs)
    for group in (None, 2, "none"):
        given = {"data.train": [str(path)], **({"data.group": group} if group else {})}
        if group == 2:
            given["data.dev_share"] = 0.5
        prepare_corpus(make_config({}, given), tmp_path / "corpus", workers=1)
        expected = plan_run(make_config({}, given))
        found = plan_run(make_config({}, {"data.train": [str(tmp_path / "corpus")]}))
        assert found.data.dev == expected.data.dev
        assert len(found.data.train) == len(expected.data.train)
        assert found.record.train == expected.record.train
        if group != "none":
            assert found.record == expected.record
            assert found.record.fields is not None


def test_the_field_that_groups_the_pairs_is_recorded_by_name_too(tmp_path: Path) -> None:
    from seq2see.run.planning import plan_run

    path = tmp_path / "forms.csv"
    lines = [
        f"{stem}{number},{tags},{stem}" for number in range(20) for stem in "ab" for tags in ("V;PST", "V;PRS", "N")
    ]
    path.write_text("\n".join(["lemma,features,form", *lines]) + "\n")
    given = {"data.train": [str(path)], "data.source": "lemma,features", "data.target": "form", "data.dev_share": 0.3}
    for group, number in (("lemma", 1), ("features", 2), (2, 2), ("none", 1)):
        record = plan_run(make_config({}, {**given, "data.group": group})).record
        assert record.fields is not None
        assert record.fields.number == number
