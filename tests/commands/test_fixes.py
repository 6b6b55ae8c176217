"""What a message recommends can be done with the command that says it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from seq2see import cli
from seq2see.commands.application import flags_of
from seq2see.commands.mistakes import without_options_of_others
from seq2see.errors import DataError


@pytest.mark.parametrize(
    "words",
    [
        "predict RUN abc --lexicon bad.tsv",
        "predict RUN abc --glossary bad.tsv",
        "bench RUN --data bad.tsv",
        "pack RUN --data bad.tsv -o packed.seq2see",
        "export RUN --data bad.tsv -o page.html",
        "compare plain gnmt --data bad.tsv --out compared",
        "compare plain gnmt --data PAIRS --test bad.tsv --out compared",
        "distill RUN --data bad.tsv --out distilled",
    ],
)
def test_no_command_recommends_an_option_that_it_lacks(
    words: str,
    tiny_run: Path,
    tiny_pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.tsv").write_text("abc\tcba\nab\n", encoding="utf-8")
    arguments = words.replace("RUN", str(tiny_run)).replace("PAIRS", str(tiny_pairs)).split()
    assert cli.run(arguments) == 2
    said = capsys.readouterr().err
    assert "--skip-bad" not in said
    [command] = re.findall(r"seq2see (check .*)", said)
    assert cli.run(shlex.split(command)) == 0
    assert Path("bad-clean.tsv").read_text(encoding="utf-8") == "abc\tcba\n"


PAIRS = "".join(f"{letter}b\tb{letter}\n" for letter in "acdefghijklm")


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        ("check recipe.toml", "recipe.toml: is a recipe, and has no pairs", "themselves: pairs.tsv; to train with"),
        ("evaluate RUN recipe.toml", "recipe.toml: is a recipe, and has no pairs", "seq2see train recipe.toml"),
        ("score RUN other.toml", "is a recipe, and has no pairs", "seq2see train pairs.tsv --recipe other.toml"),
        ("predict RUN --input recipe.toml", "is a recipe, and has no pairs", "seq2see train recipe.toml"),
        ("train pairs.tsv --dev recipe.toml -o r", "is a recipe, and has no pairs", "seq2see train"),
        ("train pairs.tsv recipe.toml -o r", "is a recipe, and stands where", "after --recipe: --recipe recipe.toml"),
        ("tune pairs.tsv recipe.toml -o r", "is a recipe, and stands where", "name it after --recipe: --recipe recipe"),
        ("evaluate RUN config.yaml", "is a configuration in YAML, and has no pairs", "files of pairs themselves"),
        ("train pairs.tsv dev.tsv -o r", "is a file of pairs by its extension", "--dev dev.tsv (dev=…); to"),
        ("train pairs.txt dev.txt -o r", "both have a TAB in each line", "--dev dev.txt (dev=…); to"),
        (
            "evaluate RUN pairs.tsv dev.tsv",
            "is a file of pairs by its extension",
            "fix: to read the pairs of both: cat",
        ),
        ("cross pairs.tsv dev.tsv -o r", "is a file of pairs by its extension", "fix: to read the pairs of both: cat"),
        ("evaluate RUN pairs.tsv --metrics PER WER", "separated by commas, not by blanks", "write --metrics PER,WER"),
        ("evaluate RUN pairs.tsv --metrics cer, WER", "separated by commas", "write --metrics cer,WER"),
        (
            "compare plain gnmt --data pairs.tsv -o r --metrics cer ter",
            "separated by commas",
            "write --metrics cer,ter",
        ),
        ("cross --metrics per wer pairs.tsv -o r", "separated by commas", "write --metrics per,wer"),
    ],
)
def test_a_fix_is_for_the_files_and_options_at_hand(
    words: str,
    what: str,
    fix: str,
    tiny_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pairs.tsv", "pairs.txt"):
        Path(name).write_text(PAIRS, encoding="utf-8")
    for name in ("dev.tsv", "dev.txt"):
        Path(name).write_text(PAIRS[:60], encoding="utf-8")
    Path("recipe.toml").write_text('[data]\ntrain = "pairs.tsv"\n', encoding="utf-8")
    Path("other.toml").write_text('[model]\nname = "plain"\n', encoding="utf-8")
    Path("config.yaml").write_text("model:\n  width: 8\n", encoding="utf-8")
    assert cli.run(words.replace("RUN", str(tiny_run)).split()) in (1, 2)
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert what in said
    assert fix.replace("FOLDER", str(tmp_path)) in said


@pytest.mark.parametrize("verb", ["train", "score", "evaluate"])
def test_a_command_recommends_the_options_that_it_has(verb: str, tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").touch()
    error = DataError("is invalid", where=str(tmp_path / "bad.tsv"), fix="skip it with --skip-bad")
    assert without_options_of_others(error, flags_of(verb)) is error


def test_the_copy_has_the_columns_that_were_to_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "table.csv").touch()
    fix = "choose by number: --source 1 --target 2, or several as source: --source 1,2 --target 3"
    error = DataError("has 3 columns", where=f"{tmp_path / 'table.csv'}:7", fix=fix)
    assert "table.csv --source 1 --target 2 --fix -o" in without_options_of_others(error, ["--source"]).fix


def test_the_copy_has_several_columns_and_those_whose_names_have_blanks(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.touch()
    error = DataError("has 4 columns", where=str(path), fix="choose 2: --source 'a word',tag --target 'its form'")
    assert "--source 'a word',tag --target 'its form' --fix" in without_options_of_others(error, []).fix
    fix = "name those to read: --source … --target …"
    assert "--source … --target … --fix" in without_options_of_others(replace_fix(error, fix), []).fix
    for choice in ("--source a,b --target c", "--source … --target …"):
        renamed = replace_fix(error, f"if these are the same, name them: {choice}; or rename them in the file")
        assert without_options_of_others(renamed, []).fix == "rename them in the file"


def replace_fix(error: DataError, fix: str) -> DataError:
    """The error with another fix."""
    return DataError(error.what, where=error.where, fix=fix)
