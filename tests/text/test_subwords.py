"""Applying subwords: lossless, and the pieces are those of `tokenizers`."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models

from seq2see.data import read_pairs
from seq2see.errors import DataError, UserError
from seq2see.text import EOS, UNK, BytePairEncoding, Codec, MergeDropout, Unigram, learn_codec
from seq2see.text.subwords import atoms_of, chunks_of, words_of

SCRIPTS = (
    "the cat and the dog are in the house of the man, aren't they? “Yes”, she said: it's l'eau d'Anne.",
    "die Katze und der Hund sind im Haus, größer als 1.000 Häuser; Straßenbahnhaltestelle!",
    "кошка и собака в доме, где мой дом? домашний, домой, дома",
    "η γάτα και ο σκύλος είναι στο σπίτι· σπίτια",
    "القطة والكلب في البيت، والبيت كبير",
    "می‌خواهم به خانه بروم، خانه‌ها",
    "बिल्ली और कुत्ता घर में हैं। घरों",
    "猫と犬は家にいます。家の中の猫、犬の家。ネコ",
    "แมวและสุนัขอยู่ในบ้าน บ้านใหญ่",
    "고양이와 개가 집에 있다. 집에서",
    "👩\u200d🚀 and 👨\u200d👩\u200d👧, ❤️ 1️⃣ cafe\u0301s ▁ \t tab\u00a0! \u202fnarrow",
    "&quot; a man &apos;s hat &quot; , Q&amp;A &lt; 3 rock @-@ solid don &apos;t l&apos; homme &#91; a &#93;",
)
"""Sentences of many scripts, and what is likely to go wrong: joiners, marks, escapes, white space of all kinds."""

UNKNOWN = "\U0010fffd"
PIECES = [
    *" \t\n\r\x1c\x85\xa0\u3000▁&;@-.'’a",
    "&amp;",
    "&apos;",
    "@-@",
    "&#45;",
    "e\u0301",
    "\u200d",
    "👩\u200d🚀",
    "the",
    "\0",
]
TRICKY = st.lists(st.sampled_from(PIECES)).map("".join)
ANY_TEXT = st.one_of(st.text(), st.text(alphabet=st.characters()), TRICKY, st.sampled_from(SCRIPTS))


def made_up(count: int = 400) -> list[str]:
    """Lines of the words of SCRIPTS, the first ones of each script far more often than the last."""
    chance = random.Random(1)
    lines = []
    for number in range(count):
        words = SCRIPTS[number % len(SCRIPTS)].split(" ")
        weights = [1 / (place + 1) for place in range(len(words))]
        lines.append(" ".join(chance.choices(words, weights, k=chance.randint(3, 12))))
    return lines


CODECS = {unit: learn_codec(unit, made_up(), size=700) for unit in ("bpe", "unigram")}
UNITS = tuple(CODECS)


def as_tokenizers(codec: Codec) -> Callable[[str], list[str]]:
    """The pieces of a word by the library itself; unknown characters are UNKNOWN, several in a row are one."""
    tokenizer = codec.tokenizer
    if isinstance(tokenizer, BytePairEncoding):
        ids = {token: number for number, token in enumerate([*codec.vocabulary.tokens, UNKNOWN])}
        model = models.BPE(ids, list(tokenizer.merges), unk_token=UNKNOWN, fuse_unk=True)
        return lambda word: [token.value for token in model.tokenize(word)]
    assert isinstance(tokenizer, Unigram)
    scored = [*zip(tokenizer.known_pieces, tokenizer.scores, strict=True), (UNKNOWN, 0.0)]
    unigram = models.Unigram(scored, unk_id=len(scored) - 1)
    known = set(tokenizer.known_pieces)
    return lambda word: [t.value if t.value in known else UNKNOWN for t in unigram.tokenize(word)]


def ours(codec: Codec, word: str) -> list[str]:
    pieces: list[str] = []
    for piece in codec.tokenizer.cut(word):  # type: ignore[attr-defined]
        if piece in codec.vocabulary:
            pieces.append(piece)
        elif not pieces or pieces[-1] != UNKNOWN:
            pieces.append(UNKNOWN)
    return pieces


def is_one_to_one(word: str) -> bool:
    """Whether the library, which knows no escapes, sees the same symbols as we."""
    return atoms_of(word) == list(word)


def words_in(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for chunk in chunks_of(text) for word in words_of(chunk)}


def torn(text: str, pieces: list[str]) -> list[str]:
    """The escapes of a text that a piece begins inside of."""
    places, place = set(), -1  # the blank in front
    for piece in pieces:
        places.add(place)
        place += len(piece)
    escapes = regex.finditer(r"&(?:amp|apos|quot|lt|gt|#\d+);|@-@", text)
    return [found[0] for found in escapes if places & set(range(found.start() + 1, found.end()))]


# --- nothing is lost ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
@given(text=ANY_TEXT)
def test_join_of_split_is_the_normalized_text(unit: str, text: str) -> None:
    tokenizer = CODECS[unit].tokenizer
    try:
        normalized = tokenizer.normalize(text)
    except UserError:
        assert any(unicodedata.category(character) == "Cs" for character in text)
        with pytest.raises(DataError):
            tokenizer.split(text)
        return
    tokens = tokenizer.split(text)
    assert tokenizer.join(tokens) == normalized
    assert all(tokens)
    assert tokenizer.split(text) == tokens  # what is remembered was not changed


@given(text=ANY_TEXT.filter(lambda text: text.isascii() or text.isprintable()), probability=st.floats(0.01, 1))
def test_dropout_is_lossless_too(text: str, probability: float) -> None:
    tokenizer = CODECS["bpe"].tokenizer
    assert isinstance(tokenizer, BytePairEncoding)
    tokens = tokenizer.split_with_dropout(text, MergeDropout(probability, random.Random(text)))
    assert tokenizer.join(tokens) == tokenizer.normalize(text)
    assert set(tokens) <= {*CODECS["bpe"].vocabulary.tokens, *CODECS["bpe"].unknown(text)}


@given(text=ANY_TEXT.filter(lambda text: text.isascii() or text.isprintable()))
def test_chunks_and_words_are_the_whole_text_with_a_leading_blank(text: str) -> None:
    chunks = chunks_of(text)
    assert "".join(chunks) == (f" {text}" if text else "")
    for chunk in chunks:
        assert "".join(words_of(chunk)) == chunk
        assert all("".join(atoms_of(word)) == word for word in words_of(chunk))
    assert all(" " not in word[1:] for word in words_in([text]))


@pytest.mark.parametrize("unit", UNITS)
def test_the_first_word_is_segmented_like_any_other(unit: str) -> None:
    split = CODECS[unit].tokenizer.split
    assert split("house") * 2 == split("house house")
    assert split("") == []
    assert split(" ") == [" ", " "]


def test_what_a_word_is() -> None:
    assert words_of(" don't") == [" don't"]
    assert words_of(" 's,") == [" 's", ","]
    assert words_of(" l'eau’s'") == [" l'eau’s", "'"]
    assert words_of(" (1990s)…") == [" (", "1990", "s", ")…"]
    assert words_of(" می‌خواهم،") == [" می‌خواهم", "،"]
    assert words_of(" घरों।") == [" घरों", "।"]
    assert words_of(" 👩\u200d🚀❤️x") == [" 👩\u200d🚀❤️", "x"]
    assert words_of(" a\t\nb\u00a0!") == [" a", "\t", "\nb", "\u00a0!"]
    assert words_of(" Q&amp;A") == [" Q", "&amp;", "A"]
    assert words_of(" man&apos;s") == [" man&apos;s"]
    assert words_of(" &quot;@-@,") == [" &quot;", "@-@", ","]
    assert words_of(" AT&T; &") == [" AT", "&", "T", ";", " &"]
    assert atoms_of(" &apos;s&") == [" ", "&apos;", "s", "&"]


# --- the same as the library ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_synthetic_text_in_many_scripts_is_segmented_as_by_the_library(unit: str) -> None:
    theirs = as_tokenizers(CODECS[unit])
    words = words_in([*made_up(), *SCRIPTS])
    same_symbols = set(filter(is_one_to_one, words))
    assert len(same_symbols) > 0.9 * len(words) > 100
    for word in same_symbols:
        assert ours(CODECS[unit], word) == theirs(word), word


@pytest.mark.parametrize("unit", UNITS)
@given(
    word=st.one_of(
        st.text(alphabet="".join(SCRIPTS), min_size=1),
        st.text(alphabet="then аеодмш猫犬家の", min_size=1, max_size=80),
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1),
    )
)
def test_any_word_is_segmented_as_by_the_library(unit: str, word: str) -> None:
    if is_one_to_one(word) and UNKNOWN not in word:
        assert ours(CODECS[unit], word) == as_tokenizers(CODECS[unit])(word)


def test_a_merge_in_the_wrong_order_would_be_noticed() -> None:
    codec = CODECS["bpe"]
    assert isinstance(codec.tokenizer, BytePairEncoding)
    turned = Codec(BytePairEncoding("NFC", codec.tokenizer.merges[::-1]), codec.vocabulary)
    theirs = as_tokenizers(codec)
    assert any(ours(turned, word) != theirs(word) for word in filter(is_one_to_one, words_in(made_up())))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("kind", ["raw", "tok"])
def test_real_sentences_are_segmented_as_by_the_library_without_loss(seq2see_data: Path, kind: str, unit: str) -> None:
    path = seq2see_data / f"multi30k_en-de/{kind}/train.tsv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    texts = [text or "" for pair in read_pairs([path]).pairs for text in pair[:2]][:30_000]
    codec = learn_codec(unit, texts[:10_000])  # the rest holds unknown characters too
    theirs = as_tokenizers(codec)
    words = words_in(texts)
    assert len(words) > 15_000
    different = [word for word in words if is_one_to_one(word) and ours(codec, word) != theirs(word)]
    assert not different
    for text in texts:
        pieces = codec.tokenizer.split(text)
        assert codec.tokenizer.join(pieces) == text
        assert "&" not in text or not torn(text, pieces)
    assert kind == "raw" or {"&quot;", "&apos;"} <= set(codec.vocabulary.tokens)


# --- escapes --------------------------------------------------------------------------------------------------------


@given(
    text=st.lists(st.sampled_from(["&apos;", "&quot;", "&amp;", "&#45;", "&lt;", "@-@", "a", "s", " ", "&", ";", "@"]))
    .map("".join)
    .filter(lambda text: not regex.search("@-@-@", text)),
    probability=st.sampled_from([0.3, 1]),
)
def test_escapes_are_never_split(text: str, probability: float) -> None:
    for codec in CODECS.values():
        assert not torn(text, codec.tokenizer.split(text))
    dropped = CODECS["bpe"].tokenizer.split_with_dropout(text, MergeDropout(probability, random.Random(1)))  # type: ignore[attr-defined]
    assert not torn(text, dropped)


def test_a_split_escape_would_be_noticed() -> None:
    assert torn("a &lt; b", [" a", " &", "lt;", " b"]) == ["&lt;"]
    assert torn("a &lt; b", [" a", " ", "&lt;", " b"]) == []
    assert torn("a @-@ b", [" a", " @", "-@", " b"]) == ["@-@"]


def test_escapes_are_learned_like_characters() -> None:
    texts = ["a man &apos;s hat", "a dog &apos;s tail @-@ end", "the &quot; cat &quot;", "\ue000 here"] * 20
    for unit in UNITS:
        codec = learn_codec(unit, texts, size=80)
        assert {"&apos;", "&quot;", "@-@", "\ue000"} <= set(codec.vocabulary.tokens)
        assert codec.decode(codec.encode("man &apos;s \ue000")) == "man &apos;s \ue000"
    assert " &apos;s" in learn_codec("bpe", texts, size=80).vocabulary.tokens


# --- unknown characters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_an_unknown_character_is_unknown_alone(unit: str) -> None:
    codec = CODECS[unit]
    ids = codec.encode("the 龘house龘龘 &bar;")
    assert ids.count(UNK) == 4
    assert codec.decode(ids) == "the <unk>house<unk><unk> <unk>"
    assert codec.unknown("the 龘house") == ["龘"]


@pytest.mark.parametrize("unit", UNITS)
def test_time_is_not_quadratic_in_the_length_of_a_word(unit: str) -> None:
    """One whose time grew with the square of its length would take minutes."""
    word = "thecatandthedog" * 10_000
    assert "".join(CODECS[unit].tokenizer.split(word)) == f" {word}"


# --- BPE-dropout ----------------------------------------------------------------------------------------------------


def pieces_with_dropout(tokenizer: BytePairEncoding, text: str, probability: float, seed: object) -> tuple[str, ...]:
    return tuple(tokenizer.split_with_dropout(text, MergeDropout(probability, random.Random(str(seed)))))


def by_the_paper(word: str, merges: tuple[tuple[str, str], ...], skipped: float, chance: random.Random) -> list[str]:
    """Algorithm 1 of Provilkov et al. 2020, word for word."""
    symbols = list(word)
    while True:
        possible = [(merges.index(pair), place) for place, pair in enumerate(pairwise(symbols)) if pair in merges]
        left = [merge for merge in possible if chance.random() >= skipped]
        if not left:
            return symbols
        _, place = min(left)
        symbols[place : place + 2] = ["".join(symbols[place : place + 2])]


def test_merges_are_skipped_with_the_given_probability() -> None:
    tokenizer = BytePairEncoding("NFC", (("a", "b"),))
    for probability in (0.05, 0.1, 0.5, 0.9):
        skips = MergeDropout(probability, random.Random(1))
        cut = [len(tokenizer.split_with_dropout("ab", skips)) - 2 for _ in range(20_000)]
        assert sum(cut) / len(cut) == pytest.approx(probability, abs=0.012)


@pytest.mark.parametrize("probability", [0.1, 0.4, 0.8])
def test_segmentations_have_the_distribution_of_the_paper(probability: float) -> None:
    merges = ((" ", "l"), ("o", "w"), (" l", "ow"), ("e", "r"), ("l", "o"), (" low", "er"), ("w", "e"))
    tokenizer = BytePairEncoding("NFC", merges)
    chance, draws = random.Random(2), 20_000
    skips = MergeDropout(probability, random.Random(3))
    found = Counter(tuple(tokenizer.split_with_dropout("lower", skips)) for _ in range(draws))
    expected = Counter(tuple(by_the_paper(" lower", merges, probability, chance)) for _ in range(draws))
    assert len(expected) > 5
    for way in found | expected:
        assert found[way] / draws == pytest.approx(expected[way] / draws, abs=0.02), way


def test_dropout_of_one_leaves_characters() -> None:
    tokenizer = CODECS["bpe"].tokenizer
    assert isinstance(tokenizer, BytePairEncoding)
    text = "the cat &quot; sat"
    assert pieces_with_dropout(tokenizer, text, 1, 1) == tuple(atoms_of(f" {text}"))


def test_segmentation_depends_on_the_seed() -> None:
    tokenizer = CODECS["bpe"].tokenizer
    assert isinstance(tokenizer, BytePairEncoding)
    assert len({pieces_with_dropout(tokenizer, SCRIPTS[0], 0.1, 7) for _ in range(5)}) == 1
    assert len({pieces_with_dropout(tokenizer, SCRIPTS[0], 0.1, seed) for seed in range(20)}) > 10
    fresh = BytePairEncoding("NFC", tokenizer.merges)  # which remembers no word yet
    assert pieces_with_dropout(fresh, SCRIPTS[0], 0.1, 7) == pieces_with_dropout(tokenizer, SCRIPTS[0], 0.1, 7)


# --- a language model's prompt ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_a_text_continues_a_prompt_even_inside_a_word(unit: str) -> None:
    codec = CODECS[unit]

    def ids(*pieces: str) -> list[int]:
        assert all(piece in codec.vocabulary for piece in pieces)
        return [*map(codec.vocabulary.id, pieces), EOS]

    assert codec.decode(ids("u", "s", "e", " ", "o"), after="the ho") == "the house o"
    assert codec.decode(ids(" the"), after="in") == "in the"
    assert codec.decode(ids(" the", " "), after="") == "the "
    assert codec.decode(ids("e"), after="  th") == "  the"
    assert codec.encode("") == [EOS]
