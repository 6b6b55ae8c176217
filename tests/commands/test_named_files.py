"""Names of files where texts are expected, and files where pairs are: what answers them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seq2see.commands.named_files import require_no_files
from seq2see.data import read_pairs
from seq2see.errors import ConfigError, DataError


def test_a_file_is_not_answered_as_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("some texts.txt").write_text("a\nb\n")
    Path("pairs.tsv").write_text("a\tb\n")
    with pytest.raises(ConfigError, match="is a file, and texts were expected") as caught:
        require_no_files(["x", "some texts.txt"], "predict", [Path("my run")])
    assert caught.value.fix == "answer its lines: seq2see predict 'my run' --input 'some texts.txt'"
    with pytest.raises(ConfigError) as caught:
        require_no_files(["pairs.tsv"], "attend", [Path("run")])
    assert caught.value.fix == "answer its first column: cut -f1 < pairs.tsv | seq2see attend run"
    first = subprocess.run(["bash", "-ec", "cut -f1 < pairs.tsv"], capture_output=True, check=True).stdout
    assert first == b"a\n"


def test_a_word_that_is_also_a_file_is_answered_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cat").write_text("x\n")
    require_no_files(["cat", "dog", "a.b", "\0", "x" * 5000], "predict", [Path("run")])
    assert (
        capsys.readouterr().err
        == "note: cat is answered as a text; for the lines of the file of that name: --input cat\n"
    )


def test_one_of_two_parallel_files_is_one_mistake_not_one_per_line(tmp_path: Path) -> None:
    one, other = tmp_path / "dev.en", tmp_path / "dev.de"
    one.write_text("two words here\n" * 1500)
    other.write_text("x\n" * 1500)
    with pytest.raises(DataError, match="1500 of 1500 lines are invalid; no line has a TAB") as caught:
        read_pairs([one])
    assert f"name both: {one} {other}" in caught.value.fix
    assert len(str(caught.value).splitlines()) == 4
