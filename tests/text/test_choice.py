from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from seq2see.data import additions, dates, read_pairs
from seq2see.text import SUBWORD_UNITS, TOKENIZER_NAMES, choose_tokenizer, make_tokenizer

HINDI = ["क्षि", "न", "म", "स्ते"]
HANGUL = [chr(number) for number in range(0xAC00, 0xD7A4, 37)]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], "characters"),
        (["", "  "], "characters"),
        (["hello", "world"], "characters"),
        (["k æ t", "d ɔ ɡ", "k ɔ t"], "symbols"),
        (["yes", "no"] * 50, "symbols"),
        ([f"{a} {b} {a} <V> <PAST;{a}>" for a, b in itertools.pairwise(map(chr, range(0xAC00, 0xB000)))], "symbols"),
        ([f"a{number} sentence of words, number {number}" for number in range(500)], "bpe"),
        ([f"the word {number % 500} is often met" for number in range(5000)], "words"),  # none of them is rare
        ([f"a long@@ {number} sentence of words, cut by num@@ ber" for number in range(500)], "words"),
        ([f"▁a ▁long {number} ▁sentence ▁of ▁words ▁cut ▁by ▁num ber" for number in range(500)], "words"),
        ([f"我喜欢吃第{number}个苹果，你呢？" for number in range(500)], "bpe"),
        ([f"ฉันชอบกินแอปเปิ้ลลูกที่ {number}" for number in range(500)], "bpe"),
        (["あいかわらず", "あいがん", "アレクサンダー"], "characters"),  # no blanks, but words
        (["".join(letters) for letters in itertools.product(HINDI, repeat=4)], "graphemes"),
        ([a + b for a, b in itertools.pairwise(HANGUL)], "decomposed"),
        ([a + b for a, b in itertools.pairwise(HANGUL)] * 9, "characters"),  # no syllable is rare
        ([f"{vowel}{letter}" for letter in "kstn" for vowel in "áéíóúýöæ"], "characters"),
        (["".join(letters) for letters in itertools.permutations(HINDI, 2)], "characters"),  # too few for whole letters
    ],
)
def test_the_choice(texts: list[str], expected: str) -> None:
    name, reason = choose_tokenizer(texts)
    assert name == expected
    assert name in (*TOKENIZER_NAMES, *SUBWORD_UNITS)
    assert reason
    assert "\n" not in reason


def test_line_breaks_are_kept() -> None:
    """Symbols would read them as blanks."""
    code = [f"if {a} > {n} :\n    {b} = {n}" for a in "abc" for b in "xyz" for n in range(9)]
    name, reason = choose_tokenizer(code)
    assert (name, reason.partition(",")[0]) == ("words", "only 19 different tokens between blanks and line breaks")
    tokenizer = make_tokenizer(name)
    assert all(tokenizer.join(tokenizer.split(text)) == text for text in code)
    assert choose_tokenizer([*[text.replace("\n    ", " ") for text in code * 3], code[0]])[0] == "symbols"
    assert choose_tokenizer([f"{text}\n" for text in ("yes", "no") * 40])[0] == "symbols"


def test_synthetic_tasks_use_characters() -> None:
    for pairs in (dates(3000, 1), additions(3000, 1)):
        assert choose_tokenizer([pair.source for pair in pairs])[0] == "characters"
        assert choose_tokenizer([pair.target or "" for pair in pairs])[0] == "characters"


def test_large_data_are_sampled() -> None:
    def seconds(count: int) -> float:
        texts = ["this is a long line " * 50] * count
        started = time.process_time()
        choose_tokenizer(texts)
        return time.process_time() - started

    assert min(seconds(200_000) for _ in range(3)) < 5 * min(seconds(10_000) for _ in range(3))


@pytest.mark.parametrize(
    ("name", "source", "target"),
    [
        ("book_date/train.tsv", "characters", "characters"),
        ("book_addition/train.tsv", "characters", "characters"),
        ("cmudict_g2p/train.tsv.gz", "characters", "symbols"),
        ("g2p_sig20/jpn/train.tsv", "characters", "symbols"),
        ("g2p_sig21/low/ice/train.tsv", "characters", "symbols"),
        ("crohme2014/train.tsv", "characters", "symbols"),
        ("histnorm/german-ridges/train.tsv.gz", "characters", "characters"),
        ("translit_ar2en/train.tsv", "characters", "characters"),
        ("infl_sig22_large/tur/train.tsv.gz", "symbols", "symbols"),
        ("babi_en10k/qa01_single-supporting-fact/train.tsv.gz", "symbols", "symbols"),
        ("scan/simple/train.tsv.gz", "symbols", "symbols"),
        ("multi30k_en-de/raw/train.tsv.gz", "bpe", "bpe"),
        ("multi30k_en-de/tok/train.tsv.gz", "bpe", "bpe"),
        ("multi30k_en-de/bpe10k/train.tsv.gz", "words", "words"),
        ("tatoeba_eng-fra/train.tsv.gz", "bpe", "bpe"),
        ("small_parallel_enja/train.tsv.gz", "bpe", "bpe"),
        ("chatbot_chatterbot_en/train.tsv", "bpe", "bpe"),
        ("scitldr_a/train.tsv.gz", "bpe", "bpe"),
        ("aeslc_subject/train.tsv.gz", "bpe", "bpe"),
    ],
)
def test_the_choice_for_real_data(seq2see_data: Path, name: str, source: str, target: str) -> None:
    path = seq2see_data / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    pairs = read_pairs([path]).pairs
    assert choose_tokenizer([pair.source for pair in pairs])[0] == source
    assert choose_tokenizer([pair.target or "" for pair in pairs])[0] == target


def test_japanese_without_blanks_uses_subwords(seq2see_data: Path) -> None:
    path = seq2see_data / "small_parallel_enja/train.tsv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    texts = [(pair.target or "").replace(" ", "") for pair in read_pairs([path]).pairs]
    assert choose_tokenizer(texts)[0] == "bpe"
