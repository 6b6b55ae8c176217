"""Learning subwords: their number, their texts, and errors."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.errors import ConfigError, DataError, UserError
from seq2see.text import SPECIALS, SUBWORD_UNITS, BytePairEncoding, Codec, Unigram, learn_codec
from seq2see.text.learning import (
    DEFAULT_MIN_COUNT,
    choose_alphabet,
    count_words,
    import_tokenizers,
    learn_scores,
    train,
)

WORDS = ["the", "house", "houses", "housing", "and", "hand", "hands", "handy", "a", "man", "many", "manhood"]


def sentences(count: int, seed: int = 0) -> list[str]:
    """Words of the list, the first the most frequent, each sentence with a word that comes once."""
    chance = random.Random(seed)
    weights = [1 / place for place in range(1, len(WORDS) + 1)]
    rare = ("".join(chance.choices("qxzj", k=6)) for _ in range(count))
    return [" ".join([*chance.choices(WORDS, weights, k=6), word]) for word in rare]


@pytest.mark.parametrize("unit", SUBWORD_UNITS)
def test_frequent_words_are_one_piece_and_rare_ones_several(unit: str) -> None:
    codec = learn_codec(unit, sentences(300))
    assert codec.tokenizer.split("the house") == [" the", " house"]
    assert len(codec.tokenizer.split("qxzjqz")) >= 3
    assert isinstance(codec.tokenizer, BytePairEncoding if unit == "bpe" else Unigram)


@pytest.mark.parametrize("unit", SUBWORD_UNITS)
@pytest.mark.parametrize("size", [30, 45, 80])
def test_the_size_is_a_maximum_and_every_character_is_a_token(unit: str, size: int) -> None:
    texts = sentences(300)
    codec = learn_codec(unit, texts, size=size)
    assert len(codec.vocabulary) == size
    assert set("".join(texts)) <= set(codec.vocabulary.tokens)


def test_without_a_size_the_data_decide_the_number_of_merges() -> None:
    """Every merge is frequent enough, and no frequent pair is left."""
    texts = sentences(300)
    for min_count in (None, 40):
        tokenizer = learn_codec("bpe", texts, min_count=min_count).tokenizer
        assert isinstance(tokenizer, BytePairEncoding)
        least = min_count or DEFAULT_MIN_COUNT
        words = count_words(texts, "NFC")
        for number in range(0, len(tokenizer.merges) + 1, 9):
            cut = BytePairEncoding("NFC", tokenizer.merges[:number]).cut
            met = Counter[tuple[str, str]]()
            for word, count in words.items():
                for pair in pairwise(cut(word)):
                    met[pair] += count
            if number < len(tokenizer.merges):
                assert met[tokenizer.merges[number]] >= least
    few, many = (len(learn_codec("bpe", sentences(count)).vocabulary) for count in (50, 1000))
    assert few < many
    assert len(learn_codec("bpe", texts, max_size=40).vocabulary) == 40


def test_unigram_has_as_many_pieces_as_bpe_by_default() -> None:
    sizes = [len(learn_codec(unit, sentences(300)).vocabulary) for unit in SUBWORD_UNITS]
    assert sizes[1] <= sizes[0] <= sizes[1] + 5


def test_a_given_size_merges_pairs_that_occur_twice() -> None:
    given, decided = (learn_codec("bpe", sentences(20), size=size) for size in (60, None))
    assert len(given.vocabulary) > len(decided.vocabulary)


@pytest.mark.parametrize("unit", SUBWORD_UNITS)
def test_a_size_too_small_is_refused_with_the_minimum(unit: str) -> None:
    texts = sentences(100)
    with pytest.raises(ConfigError, match="must be at least 22") as caught:
        learn_codec(unit, texts, size=12)
    assert caught.value.where == "text.subword_size"
    least = int(caught.value.fix.removeprefix("set it to ").partition(",")[0])
    assert len(learn_codec(unit, texts, size=least).vocabulary) == least
    with pytest.raises(ConfigError):
        learn_codec(unit, texts, size=least - 1)
    share, _, min_count = caught.value.fix.partition(" or drop rare characters (")[2].partition(
        " of the text): text.min_count="
    )
    assert 0 < float(share.removesuffix(" %")) < 100
    assert len(learn_codec(unit, texts, size=12, min_count=int(min_count)).vocabulary) == 12
    with pytest.raises(ConfigError) as again:
        learn_codec(unit, texts, size=12, min_count=int(min_count) - 1)
    assert again.value.fix.endswith(f"text.min_count={min_count}")


@pytest.mark.parametrize("size", [4, 5])
def test_dropping_rare_characters_is_not_advised_where_none_is_left(size: int) -> None:
    with pytest.raises(ConfigError) as caught:
        learn_codec("bpe", ["ab ba"] * 9, size=size)
    assert "rare" not in caught.value.fix


@pytest.mark.parametrize("unit", SUBWORD_UNITS)
def test_rare_characters_are_dropped_by_min_count_or_for_lack_of_room(unit: str) -> None:
    texts = ["aaaa bbbb é", "aaaa bbbb"]
    assert "é" in learn_codec(unit, texts).vocabulary
    assert "é" not in learn_codec(unit, texts, min_count=2).vocabulary
    codec = learn_codec(unit, texts, max_size=7)
    assert set(codec.vocabulary.tokens) == {"a", "b", " "}
    assert codec.decode(codec.encode("ab é")) == "ab <unk>"


@pytest.mark.parametrize("unit", SUBWORD_UNITS)
def test_learning_is_deterministic(unit: str) -> None:
    first, again = (learn_codec(unit, sentences(300)) for _ in range(2))
    assert first.to_dict() == again.to_dict()


def test_characters_without_a_score_get_the_lowest() -> None:
    """The library gives each one just above the lowest, which varies between runs."""
    words = Counter({"housing": 900, "housed": 900, "qxzjvwyk": 900, "qxzj": 900, "vwyk": 900})
    learned = [learn_scores(words, sorted(set("".join(words))), 24) for _ in range(4)]
    assert all(scores == learned[0] for scores in learned)
    lowest = min(learned[0].values())
    assert sum(score == lowest for score in learned[0].values()) > 3


@pytest.mark.parametrize("unit", SUBWORD_UNITS)
@given(texts=st.lists(st.text(st.one_of(st.sampled_from("ab &apos;\0\t"), st.characters(exclude_categories=["Cs"])))))
def test_any_texts_can_be_learned(unit: str, texts: list[str]) -> None:
    codec = learn_codec(unit, texts)
    for text in texts:
        assert codec.tokenizer.join(codec.tokenizer.split(text)) == codec.normalize(text)
        assert set(codec.unknown(text)) <= {"\0"}


@pytest.mark.parametrize("unit", SUBWORD_UNITS)
def test_the_last_character_of_unicode_can_be_learned(unit: str) -> None:
    text = "ab\U0010ffff ab\U0010ffff"
    codec = learn_codec(unit, [text] * 20)
    assert not codec.unknown(text)
    assert codec.tokenizer.join(codec.tokenizer.split(text)) == text


def test_texts_are_normalized_first_and_lone_surrogates_are_refused() -> None:
    assert "é" in learn_codec("bpe", ["e\u0301"]).vocabulary
    assert "é" not in learn_codec("bpe", ["é"], normalization="NFD").vocabulary
    with pytest.raises(DataError, match="surrogate"):
        learn_codec("bpe", ["a\ud800"])


def test_large_data_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2see.text.learning.MAX_TEXTS", 10)
    texts = [f"{letter} same" for letter in "abcdefghijklmnopqrstuvwxyz" * 4]
    kept = choose_alphabet(count_words(texts, "NFC"), 1)
    assert len(learn_codec("bpe", texts).vocabulary) < len(kept) + len(SPECIALS)
    monkeypatch.setattr("seq2see.text.learning._MAX_WORDS", 100)
    assert learn_codec("bpe", ["the house"] * 10).tokenizer.split("the house") == [" the", " house"]


def test_a_rust_panic_becomes_a_data_error() -> None:
    tokenizers = import_tokenizers()
    trainer = tokenizers.trainers.UnigramTrainer(vocab_size=100, show_progress=False)
    with pytest.raises(DataError, match="failed to learn subwords") as caught:
        train(tokenizers.models.Unigram(), trainer, Counter({"<UNK>": 5}))
    assert not isinstance(caught.value.__cause__, Exception)
    assert caught.value.fix
    small = tokenizers.trainers.UnigramTrainer(vocab_size=2, show_progress=False)
    with pytest.raises(DataError, match="not large enough"):
        train(tokenizers.models.Unigram(), small, Counter({"abcdef": 5}))


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_is_not_caught(interruption: type[BaseException]) -> None:
    class Interrupted(Counter[str]):
        def items(self) -> Iterator[tuple[str, int]]:  # type: ignore[override]
            yield "a", 1
            raise interruption

    tokenizers = import_tokenizers()
    with pytest.raises(interruption):
        train(tokenizers.models.BPE(), tokenizers.trainers.BpeTrainer(show_progress=False), Interrupted("a"))


def test_a_missing_library_is_named_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UserError, match="needs the library tokenizers") as caught:
        learn_codec("bpe", ["a b"])
    assert caught.value.fix == 'pip install "seq2see[train]"'


def test_subwords_are_applied_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = [learn_codec(unit, sentences(100)).to_dict() for unit in SUBWORD_UNITS]
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    for values in stored:
        codec = Codec.from_dict(values)
        assert codec.decode(codec.encode("the housing")) == "the housing"
