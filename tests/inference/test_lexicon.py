"""A lexicon before a model."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

import seq2see
from seq2see import cli
from seq2see.data import Pair
from seq2see.errors import ConfigError
from seq2see.inference.glossary import Glossary
from seq2see.inference.lexicon import Lexicon
from seq2see.inference.loading import load


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    path = tmp_path / "lexicon.tsv"
    path.write_text("abc\tone\nabc\ttwo\nbca\tthree\nabc\tone\n")
    return path


def test_known_texts_are_looked_up_and_the_others_are_computed_in_order(
    tiny_run: Path, lexicon: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(tiny_run), "cab", "abc", "acb", "bca", "--device", "cpu"]
    assert cli.run(words) == 0
    cab, _, acb, _ = capsys.readouterr().out.splitlines()
    assert cli.run([*words, "--lexicon", str(lexicon)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [cab, "one", acb, "three"]
    assert f"looked up in {lexicon}: 2 of 4 texts" in said.err


def test_white_space_at_the_ends_is_no_difference(tiny_run: Path) -> None:
    model = load(tiny_run, device="cpu")
    lexicon = Lexicon([Pair("abc ", "one"), Pair("abc", "two")], model)
    for text in ("abc", " abc", "abc  "):
        found = lexicon.answer(text, 2)
        assert found is not None and [each.text for each in found.all] == ["one", "two"]


def test_every_format_says_what_was_looked_up(
    tiny_run: Path, lexicon: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(tiny_run), "abc", "cab", "--device", "cpu", "--lexicon", str(lexicon), "--beam", "3"]
    assert cli.run([*words, "--n-best", "3"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[:2] == [["1", "1", "lexicon", "lexicon", "one"], ["1", "2", "lexicon", "lexicon", "two"]]
    assert [row[:2] for row in rows[2:]] == [["2", "1"], ["2", "2"], ["2", "3"]]
    assert float(rows[2][2]) < 0
    assert cli.run([*words, "--format", "jsonl"]) == 0
    known, computed = map(json.loads, capsys.readouterr().out.splitlines())
    assert known["source"] == "abc"
    assert known["answers"] == [
        {"text": "one", "log_prob": None, "score": None, "finished": True, "tokens": [], "token_log_probs": []}
        | {"looked_up": True}
    ]
    assert "looked_up" not in computed["answers"][0]


def test_a_text_with_constraints_of_its_own_is_left_to_the_model(
    tiny_run: Path, lexicon: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_text('{"source": "abc", "prefix": "e"}\n{"source": "abc"}\n')
    asked = ["predict", str(tiny_run), "--input", str(tmp_path / "in.jsonl"), "--device", "cpu"]
    assert cli.run([*asked, "--lexicon", str(lexicon)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("e")
    assert second == "one"


def test_texts_are_compared_as_the_model_reads_them(tiny_run: Path) -> None:
    model = seq2see.load(tiny_run, device="cpu")
    found = Lexicon([Pair("e\u0301", "one", "")], model)
    assert found.answer("\u00e9", 1) is not None
    assert found.answer("e", 1) is None


def test_a_lexicon_for_a_language_model_and_a_missing_file_are_refused(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["predict", str(tiny_run), "abc", "--lexicon", str(tmp_path / "none.tsv")]) == 2
    assert "none.tsv" in capsys.readouterr().err
    texts = [("", "abc"), ("", "bcd"), ("", "cde"), ("", "dea")] * 3
    settings = {"training.max_updates": 1, "training.evaluate_every": 1, "model.width": 8}
    writer = seq2see.train(
        texts, model="language_model", out=tmp_path / "writer", settings=settings, device="cpu", quiet=True
    )
    with pytest.raises(ConfigError, match="language model"):
        Lexicon([], writer)


def test_the_fix_for_invalid_lines_makes_a_lexicon_that_is_read(
    tiny_run: Path, lexicon: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lexicon.write_text(lexicon.read_text() + "\tfour\n")
    words = ["predict", str(tiny_run), "abc", "--device", "cpu", "--lexicon"]
    assert cli.run([*words, str(lexicon)]) == 2
    command = capsys.readouterr().err.rpartition("make a copy without them: ")[2].split()
    assert cli.run(command[1:]) == 0
    assert cli.run([*words, command[-1]]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "one"


@pytest.mark.parametrize("option", ["--lexicon", "--glossary"])
@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("four.csv", "Wort;Art;Laut;Quelle\nabc;N;cba;ab ac\nbca;V;acb;ca\n", "which are source and target?"),
        ("latin.tsv", "abc\tcb\xe9\n", "not UTF-8"),
        ("bad.tsv", "abc\tcba\nabc\n", "expected 2 columns"),
    ],
)
def test_the_fix_of_a_file_beside_the_texts_is_a_copy_that_is_read(
    option: str,
    name: str,
    content: str,
    what: str,
    tiny_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content, encoding="latin-1")
    words = ["predict", str(tiny_run), "abc", "--device", "cpu", option]
    assert cli.run([*words, name]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert "choose" not in said
    [command] = re.findall("seq2see (check .*)", said)
    assert cli.run(shlex.split(command)) == 0
    copy = command.split()[-1]
    if option == "--glossary":
        assert Glossary.of(copy)
    else:
        assert cli.run([*words, copy]) == 0
        assert "1 of 1 texts" in capsys.readouterr().err


def test_a_lexicon_with_other_columns_than_the_model_is_refused(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(word, word[::-1], f"V;{tag}") for word, tag in zip(("abc", "bca", "cab", "acb"), "XYXY", strict=True)]
    Path("tags.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    words = ["predict", str(tiny_run), "abc", "--device", "cpu", "--lexicon"]
    assert cli.run([*words, "tags.tsv"]) == 2
    said = capsys.readouterr().err
    assert "tags.tsv: the model reads 1 source column, found 2" in said
    [command] = re.findall("seq2see (check .*)", said)
    assert cli.run(shlex.split(command)) == 0
    capsys.readouterr()
    assert cli.run([*words, "tags-clean.tsv"]) == 0
    assert capsys.readouterr().out == "cba\n"
    Path("text.tsv").write_text("abc\nbca\n")
    assert cli.run([*words, "text.tsv"]) == 2
    assert "fix: give a file of pairs: a source, a TAB and its target" in capsys.readouterr().err
