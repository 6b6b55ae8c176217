"""`seq2see attend`: files by extension, the terminal, the base install, and error messages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import seq2see
from seq2see import cli

WITHOUT_EXTRAS = """
import sys
sys.modules |= dict.fromkeys(("torch", "jaxtyping", "tokenizers", "matplotlib"))
from seq2see.cli import main
sys.argv = ["seq2see", *sys.argv[1:]]
main()
"""


class Ran:
    """The result of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def attend_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> Ran:
    monkeypatch.setattr(sys, "argv", ["seq2see", "attend", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return Ran(ended.value.code, *capsys.readouterr())


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # the command replaces it


@pytest.mark.parametrize(
    ("ending", "start"),
    [("html", b"<!DOC"), ("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("json", b"{"), ("tsv", b"text\t")],
)
def test_the_extension_decides_the_format(
    tiny_run: Path, ending: str, start: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = attend_command(monkeypatch, capsys, tiny_run, "abc", "de", "-o", f"heat.{ending}")
    assert ran.code == 0, ran.err
    assert f"heat.{ending}" in ran.err
    assert ran.out == ""
    assert Path(f"heat.{ending}").read_bytes().startswith(start)


def test_texts_of_a_file_keep_their_order(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("texts.txt").write_text("abc\nde\n", encoding="utf-8")
    arguments = ["--input", "texts.txt", "--beam", "3", "--heads", "-o", "heat.json"]
    assert attend_command(monkeypatch, capsys, tiny_run, *arguments).code == 0
    texts = json.loads(Path("heat.json").read_text(encoding="utf-8"))["texts"]
    expected = seq2see.load(tiny_run).predict(["abc", "de"], beam=3)
    assert [text["text"] for text in texts] == [answer.text for answer in expected]
    for text, answer in zip(texts, expected, strict=True):
        np.testing.assert_array_equal(np.array(text["weights"], np.float32), answer.weights)
        assert np.array(text["heads"]).shape == (1, 1, *np.shape(answer.weights))


def test_without_a_file_the_terminal_shows_the_attention(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = attend_command(monkeypatch, capsys, tiny_run, "abc")
    assert ran.code == 0
    assert "abc → " in ran.out
    assert "a b c ∎" in ran.out
    assert "the end of the text" in ran.out


@pytest.mark.parametrize("ending", ["html", "svg", "json", "tsv"])
def test_the_base_install_is_enough(tiny_run: Path, ending: str) -> None:
    command = [sys.executable, "-W", "error", "-c", WITHOUT_EXTRAS, "attend", str(tiny_run), "abc", "--heads"]
    ran = subprocess.run([*command, "-o", f"heat.{ending}"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert Path(f"heat.{ending}").stat().st_size


def test_in_the_base_install_the_error_names_the_extra(tiny_run: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_EXTRAS, "attend", str(tiny_run), "abc", "-o", "heat.png"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert 'pip install "seq2see[plots]"' in ran.stderr
    assert not Path("heat.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["abc", "-o", "heat.gif"], "use .html, .svg"),
        (["abc", "-o", "heat.pgn"], "unsupported format .pgn"),
        (["abc", "-o", "heat"], "no extension"),
        (["abc", "-o", "texts.txt/heat.html"], "not a folder"),
        (["abc", "--heads"], "-o heads.html"),
        (["abc", "--input", "texts.txt", "-o", "heat.html"], "conflicts with texts as arguments"),
        (["--input", "missing.txt", "-o", "heat.html"], "missing.txt"),
        (["--input", "texts.tsv", "-o", "texts.tsv"], "overwrite"),
        ([" ", "-o", "heat.html"], "text 1"),
        (["abc", "--beam", "0", "-o", "heat.html"], "beam"),
    ],
)
def test_every_error_has_one_message(
    tiny_run: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("texts.txt").write_text("abc\n", encoding="utf-8")
    Path("texts.tsv").write_text("abc\n", encoding="utf-8")
    ran = attend_command(monkeypatch, capsys, tiny_run, *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.startswith("seq2see")
    assert ran.err.count("fix:") == 1
    assert "Traceback" not in ran.err
    assert sorted(each.name for each in Path().iterdir()) == ["texts.tsv", "texts.txt"]
    assert Path("texts.tsv").read_text(encoding="utf-8") == "abc\n"


def test_a_model_without_attention_is_an_error_before_texts_are_read(
    tiny_language_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = attend_command(monkeypatch, capsys, tiny_language_run, "--input", "missing.txt", "-o", "heat.html")
    assert ran.code == 2
    assert "no attention" in ran.err
    assert "--model attention" in ran.err
