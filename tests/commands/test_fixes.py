"""What a message recommends can be done with the command that says it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from seq2see import cli
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


@pytest.mark.parametrize("verb", ["train", "score", "evaluate"])
def test_a_command_recommends_the_options_that_it_has(verb: str, tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").touch()
    error = DataError("is invalid", where=str(tmp_path / "bad.tsv"), fix="skip it with --skip-bad")
    assert without_options_of_others(error, cli.flags_of(verb)) is error


def test_the_copy_has_the_columns_that_were_to_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "table.csv").touch()
    fix = "choose by number: --source 1 --target 2, or several as source: --source 1,2 --target 3"
    error = DataError("has 3 columns", where=f"{tmp_path / 'table.csv'}:7", fix=fix)
    assert "table.csv --source 1 --target 2 --fix -o" in without_options_of_others(error, ["--source"]).fix
