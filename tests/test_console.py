"""Everything that reaches a terminal is printable; results in a file or a pipe are exact."""

from __future__ import annotations

import ast
import errno
import io
import json
import sys
from pathlib import Path

import pytest
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

import seq2see
from seq2see.console import Terminal, counted, results, say, say_to, show, show_json
from seq2see.printable import ISOLATES

HOSTILE = "\x1b]0;owned\x1b\\\x9b2J\u202eevil"
SHOWN = r"\x1b]0;owned\x1b\\u009b2J\u202eevil"
SOURCES = Path(seq2see.__file__).parent


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_everything_of_richs_is_printable_and_keeps_its_style() -> None:
    out = Screen()
    console = Terminal(file=out, force_terminal=True, color_system="standard", width=200)
    console.print(Text(HOSTILE, style="red"), soft_wrap=True)
    table = Table(HOSTILE)
    table.add_row(HOSTILE)
    console.print(table)
    console.print(HOSTILE, markup=False, highlight=False)
    said = out.getvalue()
    assert said.count(r"\x1b]0;owned") == 4
    assert "\x1b[31m" in said  # rich's own red
    assert not set("\x9b\u202e") & set(said)
    assert "\x1b]" not in said


def test_a_progress_bar_is_printable() -> None:
    out = Screen()
    with Progress(TextColumn("{task.description}"), console=Terminal(file=out, force_terminal=True, width=100)) as bar:
        bar.add_task(HOSTILE)
        bar.refresh()
    assert r"\x1b]0;owned" in out.getvalue()
    assert "\u202e" not in out.getvalue()


def test_isolates_of_our_own_can_be_kept() -> None:
    out = io.StringIO()
    Terminal(file=out, keep=ISOLATES).print(Text("\u2068a\u2069\u202e"))
    assert out.getvalue() == "\u2068a\u2069\\u202e\n"


def test_results_are_exact_in_a_pipe_and_printable_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, expected in ((io.StringIO(), HOSTILE), (Screen(), SHOWN)):
        monkeypatch.setattr(sys, "stdout", stream)
        show(HOSTILE)
        results().writelines([HOSTILE, "\n"])
        results().flush()
        assert stream.getvalue() == f"{expected}\n" * 2


def test_messages_are_printable_wherever_they_go(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    say_to(Terminal(stderr=True))(HOSTILE)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"{SHOWN}\n" * 2


@pytest.mark.parametrize("stream", [None, Full()])
def test_a_message_that_cannot_be_written_stops_nothing(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    say("a note")
    console = Terminal(stderr=True)
    console.print("a line")
    with Progress(console=console) as bar:
        bar.add_task("a bar")
    assert capsys.readouterr().out == ""


def test_a_result_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OSError, match="No space left"):
        Terminal().print("a result")


def test_only_the_console_prints() -> None:
    """`print`, `sys.stdout.write` and rich's Console would let through what a terminal acts on."""
    found = []
    for path in SOURCES.rglob("*.py"):
        if path.parent.name == "console":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print",
                "Console",
                "sys.stdout.write",
                "sys.stderr.write",
                "sys.stdout.writelines",
            ):
                found.append(f"{path.relative_to(SOURCES)}:{node.lineno}")
    assert found == []


def test_json_has_every_script_and_stands_for_bytes_by_their_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"path": "caf\udce9 東京", "text": "\u202e"})
    said = capsys.readouterr().out
    assert said == '{"path": "caf\\\\xe9 東京", "text": "\u202e"}\n'
    assert json.loads(said)["path"] == r"caf\xe9 東京"


def test_one_update_is_no_plural() -> None:
    assert [counted(count, "update") for count in (0, 1, 1200)] == ["0 updates", "1 update", "1,200 updates"]
