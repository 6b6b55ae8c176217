"""The ES module cuts and joins texts as Python does, for every unit, normal form and treatment of case."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import replace

import pytest

from seq2see.errors import ConfigError
from seq2see.export.bundle import codec_values, require_supported
from seq2see.export.javascript import resource
from seq2see.text import Fields
from seq2see.text.building import codec_of_counts, count_unit
from seq2see.text.options import TextOptions

PIECES = [
    *"abcXYZ019 ,.-'’&;#@/\t\n", "  ", "é", "e\u0301", "İ", "ß", "ΑΣ", "Σ", "ﬁ", "Ǆ", "한국", "각", "ち", "が", "日本",
    "𠮷", "😀", "👨‍👩‍👧", "🇩🇪", "العَرَبِيَّة", "שָׁלוֹם", "นี่", "नमस्ते", "\u00a0", "\u0085", "\u001c",
    "\u2028", "\u3000", "\u200b",
    "\ufeff", "\u200d", "\u0301", "\u05bf", "&apos;", "&quot;", "&#39;", "&#x2019;", " @-@ ", "don't", "l’été", "naïve",
    "½", "x²", "٣", "४", "\u0640", "ʼ", "ǆ", "\x00", "\x7f",
    *"()[]{}=,;|", "N(1,2)", "A=b,c",
]  # fmt: skip
"""Letters of many scripts, marks without a letter, white space of all kinds, entities."""
UNITS = ("characters", "decomposed", "graphemes", "bpe", "unigram", "words", "symbols", "bytes", "tags")
RUN = """
import { readFileSync } from "node:fs";
const { values, texts, ids } = JSON.parse(readFileSync(0, "utf8"));
const codec = new Codec(values);
console.log(JSON.stringify({
  tokens: texts.map((text) => codec.tokenizer.split(text)),
  read: texts.map((text) => codec.encode(text)),
  written: ids.map((each) => codec.decode(each)),
  continued: ids.map((each, i) => codec.decode(each, texts[i])),
}));
"""


def random_texts(number: int, *, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return ["", " ", *("".join(chance.choices(PIECES, k=chance.randint(1, 12))) for _ in range(number))]


def codec_of(options: TextOptions, unit, texts):
    counts = {}
    for each, own in [(unit, texts)] if isinstance(unit, str) else zip(unit, zip(*texts, strict=True), strict=True):
        for name, number in count_unit(options, each, own, options.case, sample=slice(None)).items():
            counts[name] = counts[name] + number if name in counts else number
    return codec_of_counts(options, unit, counts, options.case)


def in_node(node: str, codec, texts, ids):
    given = json.dumps({"values": codec_values(codec), "texts": texts, "ids": ids})
    command = [node, "--input-type=module", "-e", resource("text.js") + RUN]
    ran = subprocess.run(command, input=given, capture_output=True, encoding="utf-8", check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


def assert_same(codec, texts, node) -> None:
    chance, size = random.Random(1), len(codec.vocabulary)
    ids = [chance.choices(range(size), k=chance.randint(0, 9)) for _ in texts]
    found = in_node(node, codec, texts, ids)
    for i, text in enumerate(texts):
        assert found["tokens"][i] == codec.tokenizer.split(text), repr(text)
        assert found["read"][i] == list(codec.encode(text))[:-1], repr(text)
    if (
        not isinstance(codec.tokenizer, Fields) and codec.truncate is None
    ):  # which only sources have, so that they are never written
        assert found["written"] == [codec.decode(each) for each in ids]
        continued = [codec.decode(each, after=text) for text, each in zip(texts, ids, strict=True)]
        assert found["continued"] == continued


@pytest.mark.parametrize("case", ["keep", "fold"])
@pytest.mark.parametrize("normalization", ["NFC", "NFD", "NFKC", "none"])
@pytest.mark.parametrize("unit", UNITS)
def test_texts_are_cut_and_joined_as_in_python(unit, normalization, case, node) -> None:
    options = TextOptions(normalization=normalization, case=case, subword_size=200)
    codec = codec_of(options, unit, random_texts(300))
    assert_same(codec, random_texts(400, seed=2), node)


def test_fields_are_cut_each_by_its_unit(node) -> None:
    options = TextOptions(subword_size=200)
    columns = [[text.replace("\t", " ") for text in random_texts(200, seed=seed)] for seed in (3, 4, 5)]
    codec = codec_of(options, ("bpe", "tags", "graphemes"), list(zip(*columns, strict=True)))
    assert isinstance(codec.tokenizer, Fields)
    assert_same(codec, ["\t".join(row) for row in zip(*columns, strict=True)], node)


@pytest.mark.parametrize("most", [1, 2, 7, 30])
def test_long_texts_are_truncated_as_in_python(most, node) -> None:
    one = replace(codec_of(TextOptions(), "characters", random_texts(100)), truncate=most)
    assert_same(one, random_texts(200, seed=2), node)
    columns = [[text.replace("\t", " ") for text in random_texts(200, seed=seed)] for seed in (3, 4, 5)]
    fields = replace(
        codec_of(TextOptions(), ("words", "tags", "graphemes"), list(zip(*columns, strict=True))), truncate=most
    )
    assert_same(fields, ["\t".join(row) for row in zip(*columns, strict=True)], node)


def test_protected_units_are_refused() -> None:
    codec = codec_of(TextOptions(protect="<[a-z]+>"), "characters", ["a <b>"])
    with pytest.raises(ConfigError, match=r"text\.protect") as caught:
        require_supported(codec.tokenizer)
    assert "seq2see pack" in str(caught.value.fix)
