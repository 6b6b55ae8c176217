"""The command seq2see check: output, exit codes and error messages."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from rich.console import Console

from seq2see import cli
from seq2see.doctor import check, print_report


@dataclass(frozen=True)
class Ran:
    """The result of a command."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def seq2see_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs `seq2see check` in this process, in a folder with good, bad and test pairs."""
    monkeypatch.chdir(tmp_path)
    Path("good.tsv").write_text("one\t1\ntwo\t2\n")
    Path("bad.tsv").write_text("one\t1\ntwo\u200b\t2\nthree\n", encoding="utf-8")
    Path("test.tsv").write_text("two\t2\n")

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["seq2see", "check", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, said.out, said.err)

    return run


def test_the_exit_code_is_0_for_valid_and_1_for_invalid_data(seq2see_check: Command) -> None:
    good = seq2see_check("good.tsv")
    assert good.code == 0
    assert good.out.startswith("good.tsv: 2 pairs\n")
    assert "ready for training" in good.out
    assert "command: seq2see train good.tsv" in good.out
    bad = seq2see_check("bad.tsv")
    assert bad.code == 1
    assert "error  columns: 1 line\n" in bad.out
    assert "bad.tsv:3: three (expected 2 columns, found 1)" in bad.out
    assert "bad.tsv:2: two<U+200B> (source: U+200B ZERO WIDTH SPACE)" in bad.out
    assert bad.out.index("error  columns") < bad.out.index("warning  invisible")
    assert "fix: seq2see check bad.tsv --fix -o clean.tsv" in bad.out
    assert "\u200b" not in bad.out and "\x1b" not in bad.out
    assert not bad.err


def test_leaks_into_the_test_pairs(seq2see_check: Command) -> None:
    ran = seq2see_check("good.tsv", "--test", "test.tsv")
    assert ran.code == 0
    assert "leaked-pairs: 1 pair of test.tsv (100.0 %, also in good.tsv)" in ran.out


def test_json_is_one_object(seq2see_check: Command) -> None:
    ran = seq2see_check("bad.tsv", "--json")
    assert ran.code == 1
    report = json.loads(ran.out)
    assert report["trainable"] is False
    assert report["findings"][0]["name"] == "columns"
    assert report["findings"][0]["examples"][0]["origin"] == "bad.tsv:3"
    assert report["sets"][0]["source"]["lengths"]["max"] == 4
    assert ran.out.isascii()


def test_columns_and_units_are_those_of_the_recipe(seq2see_check: Command) -> None:
    lines = [f"word{at}\tV;{at % 5}\tf o r m {at}\n" for at in range(60)]
    Path("forms.tsv").write_text("".join(lines))
    Path("recipe.toml").write_text(
        '[data]\nsource = [1, 2]\ntarget = 3\n[text]\nsource = ["words", "characters"]\ntarget = "symbols"\n'
        '[model]\nname = "gnmt"\n'
    )
    report = json.loads(seq2see_check("forms.tsv", "--recipe", "recipe.toml", "--json").out)
    [found] = report["sets"]
    assert [(side["unit"], side["reason"]) for side in (*found["fields"], found["target"])] == [
        ("words", "text.source"),
        ("characters", "text.source"),
        ("symbols", "text.target"),
    ]
    assert report["suggestion"][-2:] == ["model: gnmt", "command: seq2see train forms.tsv --recipe recipe.toml"]
    assert all("unseen" not in finding["name"] for finding in report["findings"])
    shown = seq2see_check("forms.tsv", "--recipe", "recipe.toml", "--names", "a,b,c")
    assert "command: seq2see train forms.tsv --recipe recipe.toml --names a,b,c" in shown.out
    assert seq2see_check("forms.tsv", "--recipe", "recipe.toml", "--fix", "-o", "clean.tsv").code == 0
    assert Path("clean.tsv").read_text().endswith("word59\tV;4\tf o r m 59\n")
    named = json.loads(seq2see_check("good.tsv", "--recipe", "pronunciation", "--json").out)
    assert named["sets"][0]["target"]["unit"] == "symbols"


def test_one_unit_of_a_recipe_for_several_columns_is_said_to_read_one_text(seq2see_check: Command) -> None:
    Path("homographs.tsv").write_text("".join(f"word{at}\t{'NV'[at % 2]}\tf o r m {at}\n" for at in range(60)))
    columns = ("--source", "1,2", "--target", "3")
    ran = seq2see_check("homographs.tsv", *columns, "--recipe", "pronunciation")
    assert ran.out.count("reads the source columns as one text") == 2


def test_symbols_without_blanks_are_an_error_for_a_recipe_that_wants_symbols(seq2see_check: Command) -> None:
    Path("ipa.tsv").write_text("".join(f"word{at}\tform{at}\n" for at in range(60)))
    ran = seq2see_check("ipa.tsv", "--recipe", "pronunciation")
    assert ran.code == 1 and "error  unspaced-symbols: 1 side (target)" in ran.out
    assert "train with --set text.target=characters" in ran.out
    assert "unspaced-symbols" not in seq2see_check("ipa.tsv").out


def test_a_held_out_set_of_other_columns_than_the_recipe_is_a_finding(seq2see_check: Command) -> None:
    Path("forms.tsv").write_text("".join(f"word{at}\tV;{at % 5};{at % 2}\tform{at}\n" for at in range(60)))
    ran = seq2see_check("forms.tsv", "--recipe", "inflection", "--test", "test.tsv")
    assert ran.code == 1
    assert "error  source-columns: 1 column of test.tsv (1, and 2 in forms.tsv)" in ran.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("good.tsv", "--recipe", "nope"), "unknown recipe 'nope'"),
        (("good.tsv", "--recipe", "inflection"), "--recipe inflection: has units for 2 source columns, found 1"),
        (("a.toml", "--recipe", "chat"), "--recipe: conflicts with a.toml, a recipe too"),
    ],
)
def test_a_recipe_that_does_not_fit(arguments: tuple[str, ...], words: str, seq2see_check: Command) -> None:
    ran = seq2see_check(*arguments)
    assert ran.code == 2
    assert words in ran.err


def test_a_clean_copy_is_written_and_checked_again(seq2see_check: Command) -> None:
    ran = seq2see_check("bad.tsv", "--fix", "-o", "clean.tsv")
    assert ran.code == 0
    assert "clean.tsv: 2 pairs written" in ran.out
    assert "1  left out: invalid lines" in ran.out
    assert Path("clean.tsv").read_text() == "one\t1\ntwo\t2\n"
    assert seq2see_check("clean.tsv").code == 0
    again = seq2see_check("clean.tsv", "--fix", "--output", "again.tsv", "--json")
    assert json.loads(again.out) == {
        "path": "again.tsv",
        "pairs": 2,
        "changed": {},
        "left_out": {},
        "format": "",
    }
    assert "no changes" in seq2see_check("clean.tsv", "--fix", "-o", "again.tsv").out
    Path("twice.tsv").write_text("a\tb\na\tb\n")
    assert "2 pairs written" in seq2see_check("twice.tsv", "--fix", "-o", "x.tsv", "--keep-duplicates").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no files given"),
        (["nothing.tsv"], "no such file"),
        (["."], "is a folder"),
        (["good.tsv", "--test"], "--test"),
        (["good.tsv", "--test", "nothing.tsv"], "no such file"),
        (["good.tsv", "--fix"], "requires -o"),
        (["good.tsv", "-o", "x.tsv"], "requires --fix"),
        (["good.tsv", "--keep-duplicates"], "requires --fix"),
        (["good.tsv", "--fix", "-o", "good.tsv"], "would overwrite the original"),
        (["good.tsv", "--fix", "-o", "./good.tsv"], "would overwrite the original"),
        (["good.tsv", "test.tsv", "--fix", "-o", "x.tsv"], "needs 1 set of pairs, found 2"),
        (["good.tsv", "--test", "test.tsv", "--fix", "-o", "x.tsv"], "can't be combined with --fix"),
        (["good.tsv", "--fixx"], "--fix"),
    ],
)
def test_invalid_commands_exit_with_2_and_one_message(arguments: list[str], words: str, seq2see_check: Command) -> None:
    before = sorted(Path().iterdir())
    ran = seq2see_check(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("seq2see")
    assert words in ran.err
    assert not ran.out
    assert sorted(Path().iterdir()) == before


def test_a_terminal_gets_colors_and_isolated_right_to_left(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("שלום \t1\nx\t2\n", encoding="utf-8")
    shown = {}
    colors: Literal["standard", "auto"]
    for is_terminal, colors in ((True, "standard"), (False, "auto")):
        file = io.StringIO()
        print_report(check(path), Console(file=file, force_terminal=is_terminal, color_system=colors, width=40))
        shown[is_terminal] = file.getvalue()
    assert "\x1b[" in shown[True] and "\u2068שלום␣\u2069" in shown[True]
    assert "\x1b[" not in shown[False] and "\u2068" not in shown[False]
    assert max(map(len, shown[False].splitlines())) > 80  # a line stays a line


def test_checking_does_not_import_torch(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\nc\td\n")
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "seq2see", "check", str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )
    loaded = {line.rsplit("|", 1)[1].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "seq2see.doctor.check" in loaded
    assert "torch" not in loaded


def test_remedies_work_and_keep_the_file(tmp_path: Path) -> None:
    """Run as they are printed, in a shell."""
    contents = {
        "html": "R&amp;D\t&lt;b&gt;\nc\td\n",
        "old-mac-line-ends": "a\tb\rc\td\r",
    }
    expected = {"html": "R&D\t<b>\nc\td\n", "old-mac-line-ends": "a\tb\nc\td\n"}
    for name, content in contents.items():
        for ending in (".tsv", ".tsv.gz"):
            folder = tmp_path / f"{name}{ending}"
            folder.mkdir()
            path = folder / f"my pairs{ending}"
            raw = gzip.compress(content.encode()) if ending == ".tsv.gz" else content.encode()
            path.write_bytes(raw)
            finding = check(path).find(name)
            assert finding
            subprocess.run(["bash", "-ec", finding.remedy], cwd=folder, check=True)
            assert (folder / "my pairs-mended.tsv").read_text() == expected[name]
            assert path.read_bytes() == raw
