"""The C file cuts and joins texts as Python does, for every unit, normal form and treatment of case."""

from __future__ import annotations

import importlib.util
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from seq2see.errors import ConfigError
from seq2see.export.c_checking import compiled
from seq2see.export.c_target import INCLUDES, header, section
from seq2see.export.c_text import UNITS, TextWriter
from seq2see.text import Codec, Fields, Vocabulary, make_tokenizer
from seq2see.text.fields import Values
from seq2see.text.options import TextOptions

_text = importlib.util.spec_from_file_location("export_text", Path(__file__).parent / "test_text.py")
assert _text is not None and _text.loader is not None
in_javascript = importlib.util.module_from_spec(_text)
_text.loader.exec_module(in_javascript)
codec_of, random_texts = in_javascript.codec_of, in_javascript.random_texts

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-fsanitize=address,undefined")
FLAGS += ("-fno-sanitize-recover=all",)
FORMS = ("NFC", "NFD", "NFKC", "none")
QUICK = (("NFC", "keep"),)
# Lines of hexadecimal: a text to be cut, or after a colon the ids of tokens to be joined behind the text before them.
MAIN = r"""
#include <stdio.h>

static void run(Work *work, char *line)
{
  char *text = line, *ids = strchr(line, ':');
  Slice given = {text, 0}, joined;
  Slices tokens;
  *ids++ = 0;
  for (char *at = line; *at; at += 2) {
    unsigned byte;
    if (sscanf(at, "%2x", &byte) == 1) text[given.length++] = (char)byte;
  }
  tokens = tokens_of(work, &TARGET, given);
  for (size_t i = 0; i < tokens.count; i++) {
    printf("%d.", (int)id_of(&TARGET, tokens.at[i]));
    for (size_t j = 0; j < tokens.at[i].length; j++) printf("%02x", (unsigned char)tokens.at[i].at[j]);
    putchar(' ');
  }
  for (char *end = ids; *ids && *ids != '\n'; ids = end) {
    const Slice token = token_of(&TARGET, (int32_t)strtol(ids, &end, 10));
    add_slice(work, &tokens, token.at, token.length);
    while (*end == ' ') end++;
  }
  joined = TARGET.join(work, &TARGET, &tokens);
  putchar('=');
  for (size_t j = 0; j < joined.length; j++) printf("%02x", (unsigned char)joined.at[j]);
  putchar('\n');
}

int main(void)
{
  static char line[1 << 16];
  while (fgets(line, sizeof(line), stdin)) {
    Work work;
    memset(&work, 0, sizeof(work));
    if (setjmp(work.escape)) puts("error");
    else run(&work, line);
    end_work(&work);
  }
  return 0;
}
"""


def source_of(codec) -> str:
    """The part of an exported file that cuts and joins."""
    text = TextWriter([codec])
    lines = [header(), *(f"#include <{name}>" for name in INCLUDES), "#define LONGEST_INPUT 10000"]
    lines += [
        *section("memory"),
        *section("fail"),
        *section("blocks"),
        *section("text"),
        *text.unicode_lines(section),
        *text.unit_lines(section, codec),
    ]
    lines += [*section("codecs"), *text.codec_lines(codec, "target", joins=True)]
    return "\n".join([*lines, MAIN])


def assert_same(codec, texts, compiler, folder) -> None:
    chance, size = random.Random(1), len(codec.vocabulary)
    ids = [chance.choices(range(4, size), k=chance.randint(0, 9)) for _ in texts]
    flags = (*FLAGS, "-Wno-unused-function")  # what only a search calls
    program = compiled(source_of(codec), folder, compiler, flags)
    given = "".join(
        f"{text.encode().hex()}:{' '.join(map(str, each))}\n" for text, each in zip(texts, ids, strict=True)
    )
    ran = subprocess.run([program], input=given, capture_output=True, encoding="ascii", check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    for text, each, line in zip(texts, ids, ran.stdout.splitlines(), strict=True):
        cut, _, joined = line.partition("=")
        found = [token.split(".") for token in cut.split()]
        assert [bytes.fromhex(token).decode() for _, token in found] == codec.split(text), repr(text)
        assert [int(number) for number, _ in found] == codec.encode(text, end=False), repr(text)
        if not isinstance(codec.tokenizer, Fields) and codec.truncate is None:  # which only sources have
            known = [number for number in each if number != codec.step]
            assert bytes.fromhex(joined).decode() == codec.decode(known, after=text), (text, each)


@pytest.mark.parametrize(
    ("normalization", "case"),
    [
        pytest.param(form, case, marks=() if (form, case) in QUICK else pytest.mark.slow)
        for form in FORMS
        for case in ("keep", "fold")
    ],
)
@pytest.mark.parametrize("unit", UNITS)
def test_texts_are_cut_and_joined_as_in_python(unit, normalization, case, compiler, tmp_path) -> None:
    options = TextOptions(normalization=normalization, case=case, subword_size=200)
    codec = codec_of(options, unit, random_texts(300))
    assert_same(codec, random_texts(400, seed=2), compiler, tmp_path)


def test_fields_are_cut_each_by_its_unit(compiler, tmp_path) -> None:
    options = TextOptions(subword_size=200)
    columns = [[text.replace("\t", " ") for text in random_texts(200, seed=seed)] for seed in (3, 4, 5)]
    codec = codec_of(options, ("bpe", "tags", "graphemes"), list(zip(*columns, strict=True)))
    assert isinstance(codec.tokenizer, Fields)
    assert_same(codec, ["\t".join(row) for row in zip(*columns, strict=True)], compiler, tmp_path)


@pytest.mark.parametrize("most", [1, 2, 7, 30])
def test_long_texts_are_truncated_as_in_python(most, compiler, tmp_path) -> None:
    one = replace(codec_of(TextOptions(), "characters", random_texts(100)), truncate=most)
    (folder := tmp_path / "one").mkdir()
    assert_same(one, random_texts(200, seed=2), compiler, folder)
    columns = [[text.replace("\t", " ") for text in random_texts(200, seed=seed)] for seed in (3, 4, 5)]
    fields = replace(
        codec_of(TextOptions(), ("words", "tags", "graphemes"), list(zip(*columns, strict=True))), truncate=most
    )
    assert_same(fields, ["\t".join(row) for row in zip(*columns, strict=True)], compiler, tmp_path)


def test_every_character_is_cut_as_in_python(compiler, tmp_path) -> None:
    """Each alone between letters, and with marks behind it, where rules of graphemes, case and order apply."""
    texts = [
        f"a{chr(code)}b\u03a3{chr(code)}\u0301\u0323{chr(code)}\u200d{chr(code)}\u03a3"
        for code in range(1, 0x20000)
        if not 0xD800 <= code < 0xE000
    ]
    texts = ["".join(texts[i : i + 64]) for i in range(0, len(texts), 64)]
    codec = codec_of(TextOptions(normalization="NFKC", case="fold"), "graphemes", texts[:40])
    assert_same(codec, texts, compiler, tmp_path)


def test_units_that_c_lacks_are_refused() -> None:
    numbers = Values(kind="vectors", width=2, mean=(0.0, 0.0), scale=(1.0, 1.0))
    tokenizer = Fields("NFC", (make_tokenizer("characters"), numbers))
    with pytest.raises(ConfigError, match="a text of vectors") as caught:
        TextWriter([Codec(tokenizer, Vocabulary(("\t", "a")))])
    assert "seq2see pack" in str(caught.value.fix)
