"""`text.case=fold`: the sources are lower-cased everywhere a model reads them, and nowhere else."""

from __future__ import annotations

import json
import random
import sys
import unicodedata
from pathlib import Path

import pytest

import seq2see
from seq2see.data import Pair
from seq2see.data.building import build_examples
from seq2see.data.length_limit import LengthLimit
from seq2see.errors import CheckpointError, ConfigError
from seq2see.text import NORMALIZATIONS, TOKENIZER_NAMES, Codec, make_tokenizer
from seq2see.text.choice import choose_text
from seq2see.text.options import TextOptions

FOLD = TextOptions("characters", "characters", case="fold")


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_folded_text_has_no_capitals_and_is_folded_once(normalization: str) -> None:
    fold = make_tokenizer("characters", normalization, "fold").normalize
    characters = map(chr, range(sys.maxunicode + 1))
    for character in (each for each in characters if each.lower() != each or unicodedata.decomposition(each)):
        folded = fold(f"a{character}b")
        assert folded == folded.lower()
        assert fold(folded) == folded
        assert normalization == "none" or unicodedata.is_normalized(normalization, folded)


@pytest.mark.parametrize("name", TOKENIZER_NAMES)
def test_each_tokenizer_folds(name: str) -> None:
    tokenizer = make_tokenizer(name, case="fold")
    assert tokenizer.split("Das HAUS ÄÖ") == make_tokenizer(name).split("das haus äö")
    assert tokenizer.join(tokenizer.split("Daẞ")) == tokenizer.normalize("Daẞ") == "daß"
    assert make_tokenizer(name).normalize("Das") == "Das"


@pytest.mark.parametrize("unit", ["characters", "words", "symbols", "bytes", "bpe", "unigram"])
def test_sources_are_folded_and_targets_are_not(unit: str) -> None:
    chance = random.Random(1)
    words = ["".join(chance.choices("abAB", k=chance.randint(1, 4))) for _ in range(300)]
    pairs = [Pair(word, word) for word in words]
    options = TextOptions(unit, "characters", case="fold", subword_size=20 if unit in ("bpe", "unigram") else None)  # type: ignore[arg-type]
    (source, target), found = build_examples(options, pairs, has_source=True)
    assert source is not None
    assert source.encode("ABba") == source.encode("abBA")
    assert source.unknown("AB") == source.unknown("ab")
    assert target.encode("AB") != target.encode("ab")
    lower = [Pair(word.lower(), word) for word in words]
    expected = build_examples(options, lower, has_source=True)[1]
    assert found.source_ids.tolist() == expected.source_ids.tolist()
    assert found.target_ids.tolist() == expected.target_ids.tolist()
    again = Codec.from_json(source.to_json())
    assert again == source
    assert again.encode("AB") == source.encode("ab")
    assert source.grown(["ABC"]).encode("C") == source.grown(["ABC"]).encode("c")


def test_each_field_is_folded() -> None:
    pairs = [Pair("Ab\tV;PST", "Ab"), Pair("ab\tN;SG", "ab")]
    options = TextOptions(("characters", "tags"), "characters", case="fold")
    source, _ = build_examples(options, pairs, has_source=True)[0]
    assert source is not None
    assert source.encode("AB\tPST;V") == source.encode("ab\tv;pst")
    assert Codec.from_json(source.to_json()) == source
    assert LengthLimit(3, options, None).lengths(Pair("İ\tV", "x")) == (4, 1)


def test_the_file_of_a_codec_says_it_only_where_it_folds() -> None:
    kept, folded = (Codec.build(make_tokenizer("characters", case=case), ["ab"]) for case in ("keep", "fold"))
    assert "case" not in json.loads(kept.to_json())
    assert json.loads(folded.to_json())["case"] == "fold"
    with pytest.raises(CheckpointError, match="'case' must be keep or fold, not 'upper'"):
        Codec.from_dict(folded.to_dict() | {"case": "upper"})
    with pytest.raises(ConfigError, match="unknown treatment of case"):
        make_tokenizer("characters", case="folded")


def test_lengths_are_those_of_folded_sources() -> None:
    limit = LengthLimit(3, FOLD, None)
    assert limit.lengths(Pair("İ", "İ")) == (2, 1)  # i and a dot above


def test_what_has_no_source_of_its_own_cannot_be_folded() -> None:
    with pytest.raises(ConfigError, match="a language model has none"):
        choose_text(TextOptions(case="fold"), None, ["a"])
    with pytest.raises(ConfigError, match="joint"):
        choose_text(TextOptions("bpe", "bpe", case="fold", joint=True), ["a"], ["b"])


def test_a_model_that_folds(tmp_path: Path) -> None:
    pairs = [(a + b, (b + a).upper()) for a in "abcD" for b in "abcd"]
    settings = {"text.case": "fold", "model.width": 8, "training.max_updates": 20, "training.precision": "float32"}
    seq2see.train(pairs, out=tmp_path / "run", settings=settings, quiet=True)
    seq2see.load(tmp_path / "run").pack(tmp_path / "small.seq2see", weights="int8", data=pairs)
    for path, engine in (
        (tmp_path / "run", "torch"),
        (tmp_path / "run", "numpy"),
        (tmp_path / "small.seq2see", "numpy"),
    ):
        model = seq2see.load(path, engine=engine)  # type: ignore[arg-type]
        one, other = model.predict(["ad", "AD"])  # no warning of capitals, which would be an error
        assert (one.text, one.log_prob) == (other.text, other.log_prob)
        assert "".join(other.source_tokens).startswith("ad")
        assert model.target_codec.encode("A") != model.target_codec.encode("a")
        seen = model.has_seen(["da", "DA", "Da"])
        assert len(set(seen)) == 1
    assert "lower-cased" in (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
