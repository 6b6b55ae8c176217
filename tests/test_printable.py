"""What a terminal would act on is escaped; everything that people write stays as it is."""

from __future__ import annotations

import subprocess

import pytest

from seq2see.errors import UserError
from seq2see.printable import ISOLATES, one_line, printable, quoted

HARMLESS = [
    "",
    "abc",
    "tab\tand\nline",
    "Straße",
    "東京",
    "שלום",
    "كتاب",
    "e\u0301",
    "👩\u200d🚀",
    "می\u200cخواهم",
    "a\\x1b",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b31m", r"\u009b31m"),
        ("a\x07\x08\x7f", r"a\x07\x08\x7f"),
        ("a\rb", r"a\rb"),
        ("a\x85b", r"a\u0085b"),
        ("\u202etxt\u202c", r"\u202etxt\u202c"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("\u061c\u200e\u200f", r"\u061c\u200e\u200f"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        (b"caf\xe9".decode(errors="surrogateescape"), r"caf\xe9"),
        ("\ud83d", r"\ud83d"),
        ("\0", r"\x00"),
    ],
)
def test_what_a_terminal_acts_on_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
    shown.encode()


def test_some_characters_may_be_kept() -> None:
    assert printable("\u2068a\u2069\u202e", keep=ISOLATES) == "\u2068a\u2069\\u202e"


def test_a_name_is_one_line() -> None:
    assert one_line("a\nseq2see: all is well\tb") == r"a\nseq2see: all is well\tb"


@pytest.mark.parametrize(
    "name",
    [b"plain.tsv", b"two words", b"it's", b"caf\xe9", b"a\nb\tc\r", b"\x1b[31m", b"\\ \xff'", "\u202eä".encode()],
)
def test_a_quoted_name_is_that_name_to_a_shell(name: bytes) -> None:
    word = quoted(name.decode(errors="surrogateescape"))
    assert word == printable(word)
    made = subprocess.run(
        ["bash", "-c", f"printf %s {word}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert made.stdout == name


def test_an_error_can_be_printed_anywhere() -> None:
    name = b"x\xff\n\x1b[2J.tsv".decode(errors="surrogateescape")
    said = str(UserError("the text \x1b[1m is invalid", where=name, fix="rename it"))
    assert said == "x\\xff\\n\\x1b[2J.tsv: the text \\x1b[1m is invalid\n  fix: rename it"
