"""`seq2see predict RUN text`: without an option it answers without the parser, and all else is as with it."""

from __future__ import annotations

from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from seq2see.cli import run

ARGUMENTS = {
    "a text": ["RUN", "abc"],
    "several texts": ["RUN", "abc", "", "cab", "abcabc"],
    "an ensemble": ["RUN", "RUN", "abc"],
    "a file among the texts": ["RUN", "abc", "FILE"],
    "no such run": ["nowhere", "abc"],
    "an empty name": ["", "abc"],
    "a file as the run": ["FILE", "abc"],
    "texts of stdin": ["RUN"],
    "nothing": [],
}


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_with_and_without_the_parser_all_is_the_same(
    arguments: list[str],
    tiny_run: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "words.txt"
    file.write_text("abc\n")
    words = [{"RUN": str(tiny_run), "FILE": str(file)}.get(word, word) for word in arguments]
    outcomes = []
    for option in ([], ["--batch-size", "64"]):
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"abc\ncab\n")))
        code = run(["predict", *words, *option])
        outcomes.append((code, *capfd.readouterr()))
    assert outcomes[0] == outcomes[1]
