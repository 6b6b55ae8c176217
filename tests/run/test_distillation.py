"""One model trained on the answers of several."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import seq2see
from seq2see import Pair, cli
from seq2see.config import make_config
from seq2see.errors import ConfigError
from seq2see.inference.options import GenerationOptions
from seq2see.inference.results import Prediction
from seq2see.run.distillation import lessons_of, student_config
from seq2see.run.folder import stored_config
from seq2see.run.pairs import RunData
from seq2see.text import Codec, make_tokenizer
from seq2see.text.options import TextOptions


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path, tiny_settings: dict[str, Any]) -> Path:
    """A folder of two runs."""
    folder = tmp_path_factory.mktemp("distillation") / "teachers"
    seq2see.train(
        tiny_pairs,
        out=folder,
        model="attention",
        settings=tiny_settings | {"training.max_updates": 40, "training.evaluate_every": 40},
        seeds=2,
        device="cpu",
        quiet=True,
    )
    return folder


class Teacher:
    """Answers in capitals, and what it is told not at all."""

    source_codec = target_codec = Codec.build(make_tokenizer("characters"), ["abcdeABCDE"])

    def stream(
        self, texts: Iterable[str], options: GenerationOptions, *, with_attention: bool
    ) -> Iterator[tuple[str, Prediction]]:
        assert options.beam == 3
        for text in texts:
            yield (
                text,
                Prediction(text.upper(), [], [], -1.0, -1.0, None, text != "e", error="x" if text == "d" else ""),
            )


def test_lessons_are_true_pairs_and_what_else_the_teacher_answers() -> None:
    data = RunData(
        [Pair("a", "A"), Pair("b", "x"), Pair("b", "y"), Pair("c", "x"), Pair("c", "C")], [Pair("ab", "")], []
    )
    texts = ["c", "ba", "", "ab", "ba", "d", "e", "ce"]
    found = lessons_of(Teacher(), data, texts, 3)  # type: ignore[arg-type]
    assert found.true == data.train
    assert found.corrected == [Pair("b", "B")]  # a and c are written as in a true pair
    # neither what is empty or among dev, nor what has no answer or one that was cut off, nor anything twice
    assert found.further == [Pair("ba", "BA"), Pair("ce", "CE")]
    assert found.pairs == [*found.true, *found.corrected, *found.further]
    assert "5 true pairs, 1 answers that differ from them, 2 answers" in found.line()


def lines_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_one_model_is_trained_on_what_several_answer(
    teachers: Path, tmp_path: Path, tiny_pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("aaaaaaa\nbbbbbbb\n", encoding="utf-8")
    out = tmp_path / "student"
    command = ["distill", str(teachers), "--sources", str(words), "-o", str(out), "--beam", "2", "--device", "cpu"]
    assert cli.run([*command, "--set", "training.max_updates=4"]) == 0
    said = capsys.readouterr().err
    assert "2 models answer with a beam of 2" in said
    ensemble = seq2see.load(teachers, device="cpu")
    pairs, dev = lines_of(tmp_path / "student-data" / "train.jsonl"), lines_of(tmp_path / "student-data" / "dev.jsonl")
    assert len(dev) == 12
    true = [line.split("\t") for line in tiny_pairs.read_text(encoding="utf-8").splitlines()]
    assert [[pair["source"], pair["target"]] for pair in pairs[:108]] == [
        pair for pair in true if pair[0] not in {each["source"] for each in dev}
    ]
    for pair in pairs[108:]:
        (answer,) = ensemble.predict([pair["source"]], beam=2)
        assert answer.text == pair["target"]
    assert not {pair["source"] for pair in pairs} & {pair["source"] for pair in dev}
    config, teacher = stored_config(out), stored_config(teachers / "seed-1")
    assert (config.model, config.text) == (teacher.model, teacher.text)
    assert config.training.max_updates == 4
    assert config.training.batch_size == teacher.training.batch_size
    assert len(seq2see.load(out).members) == 1
    assert cli.run([*command]) == 2
    assert "already exists" in capsys.readouterr().err
    assert cli.run([*command, "--force", "--set", "training.max_updates=3", "model.width=8"]) == 0
    assert stored_config(out).model.width == 8
    assert cli.run(["report", str(out), "-o", str(tmp_path / "report.html")]) == 0  # its pairs can be read again


def test_python_distills_as_the_command_does(teachers: Path, tmp_path: Path) -> None:
    settings = {"training.max_updates": 3}
    model = seq2see.distill(
        teachers, out=tmp_path / "one", sources=["aaaaa"], settings=settings, device="cpu", quiet=True
    )
    words = tmp_path / "words.txt"
    words.write_text("aaaaa\n", encoding="utf-8")
    command = [
        "distill",
        str(teachers / "seed-1"),
        str(teachers / "seed-2"),
        "--sources",
        str(words),
        "--device",
        "cpu",
    ]
    assert cli.run([*command, "-o", str(tmp_path / "two"), "--set", "training.max_updates=3"]) == 0
    assert model.predict(["abc"]) == seq2see.load(tmp_path / "two", device="cpu").predict(["abc"])


def test_the_number_of_updates_is_that_of_the_students_pairs(tmp_path: Path) -> None:
    settings = {"training.max_updates": 7, "training.rate": 0.5, "training.start_from": "x"}
    settings |= {"training.guided_attention": 0.0, "training.sample_alignments": True, "data.distortion": 0.5}
    teacher = make_config({}, settings)
    columns = {"source": ("lemma", "tags"), "target": "form", "delimiter": "comma"}
    config = student_config(teacher, RunData([], [], [], columns=columns), tmp_path, {"training.seed": 3})
    assert config.training.max_updates is config.training.evaluate_every is config.training.start_from is None
    assert config.training.guided_attention is config.training.sample_alignments is None
    assert config.data.distortion == 0.5
    assert (config.training.rate, config.training.seed) == (0.5, 3)
    assert (config.data.source, config.data.target, config.data.delimiter) == (("lemma", "tags"), "form", None)
    assert config.text == TextOptions()


def test_several_columns_are_distilled(tmp_path: Path, tiny_settings: dict[str, Any]) -> None:
    table = tmp_path / "table.csv"
    rows = [f"{a}{b}{c},{tag},{c}{b}{a}{tag}" for a in "abc" for b in "abc" for c in "abcd" for tag in "XY"]
    table.write_text("\n".join(["lemma,tags,form", *rows]) + "\n", encoding="utf-8")
    settings = tiny_settings | {"data.source": ["lemma", "tags"], "data.target": "form", "model.name": "attention"}
    seq2see.train(table, out=tmp_path / "run", settings=settings, device="cpu", quiet=True)
    more = tmp_path / "more.csv"
    more.write_text("tags,lemma\nX,aaaa\n", encoding="utf-8")
    command = ["distill", str(tmp_path / "run"), "--sources", str(more), "-o", str(tmp_path / "one"), "--device", "cpu"]
    assert cli.run([*command, "--set", "training.max_updates=2"]) == 0
    assert {tuple(sorted(pair)) for pair in lines_of(tmp_path / "one-data" / "train.jsonl")} == {
        ("form", "lemma", "tags")
    }
    assert stored_config(tmp_path / "one").data.source == ("lemma", "tags")


def test_pairs_given_in_a_program_are_given_again(tmp_path: Path, tiny_settings: dict[str, Any]) -> None:
    pairs = [((f"{a}{b}{c}", tag), f"{c}{b}{a}{tag}") for a in "abcd" for b in "abcd" for c in "abcd" for tag in "XY"]
    settings = tiny_settings | {"model.name": "attention"}
    seq2see.train(pairs, out=tmp_path / "run", settings=settings, device="cpu", quiet=True)
    few: dict[str, Any] = {"settings": {"training.max_updates": 2}, "device": "cpu", "quiet": True}
    with pytest.raises(ConfigError, match="data"):
        seq2see.distill(tmp_path / "run", out=tmp_path / "one", **few)
    with pytest.raises(ConfigError, match="training pairs beside"):
        seq2see.distill(tmp_path / "run", out=tmp_path / "one", dev=pairs, **few)
    model = seq2see.distill(tmp_path / "run", out=tmp_path / "one", data=pairs, **few)
    first, second = ({line["source 1"] for line in lines_of(tmp_path / "one-data" / f"{name}.jsonl")} for name in DATA)
    assert not first & second
    assert model.predict([("abc", "X")])[0].text is not None
    seq2see.distill(tmp_path / "run", out=tmp_path / "two", data=pairs, dev=pairs[:8], **few)
    assert len(lines_of(tmp_path / "two-data" / "dev.jsonl")) == 8


DATA = ("train", "dev")


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert cli.run(["distill", *map(str, words)]) == 2
    return capsys.readouterr().err


def test_what_is_refused(
    teachers: Path, tiny_language_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "one"
    assert "language model" in refused(capsys, tiny_language_run, "-o", out)
    assert "model without its run" in refused(capsys, teachers / "seed-1" / "model", "-o", out)
    assert "beam: must be at least 1" in refused(capsys, teachers, "-o", out, "--beam", 0)
    assert "can't be set here" in refused(capsys, teachers, "-o", out, "--set", "data.train=x.tsv")
    assert "model.nam" in refused(capsys, teachers, "-o", out, "--set", "model.nam=x")
    assert "no such file" in refused(capsys, teachers, "-o", out, "--sources", tmp_path / "none.txt").lower()
    own = teachers / "seed-1"
    assert f"folder of {own}, which would be replaced" in refused(capsys, teachers, "-o", own, "--force")
    assert "would be replaced" in refused(capsys, own / "model", "-o", own, "--force")
    assert seq2see.load(own).paths == (own,)
    (tmp_path / "one-data").mkdir()
    (tmp_path / "one-data" / "dev.jsonl").write_text("mine", encoding="utf-8")
    assert "exists already" in refused(capsys, teachers, "-o", out)
    assert (tmp_path / "one-data" / "dev.jsonl").read_text(encoding="utf-8") == "mine"
    with pytest.raises(ConfigError, match="must be a path"):
        seq2see.distill(3, out=out)  # type: ignore[arg-type]
