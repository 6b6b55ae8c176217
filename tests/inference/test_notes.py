"""Texts unlike the training data: each cause is said once per call, with its number of texts and the first of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

import seq2see
from seq2see.data import Pair
from seq2see.data.building import build_examples
from seq2see.inference.notes import InputNotes, Seen, UnknownTextWarning
from seq2see.text import Codec, make_tokenizer
from seq2see.text.options import TextOptions

CAPITALS = Codec.build(make_tokenizer("characters"), ["ABCDEF, X"])
BYTES = Codec.build(make_tokenizer("bytes"), [])
FOUR = Seen(4)
SEEN_BYTES = Seen(4, frozenset("ABCDEF, "))


def lines_of(texts: Sequence[str], codec: Codec = CAPITALS, seen: Seen = FOUR) -> list[str]:
    notes = InputNotes(codec, seen)
    ids = [np.array(codec.encode(text, end=False)) for text in texts]
    notes.add(texts, ids, [f"text {number}" for number in range(1, len(texts) + 1)])
    return notes.lines()


@pytest.mark.parametrize(("codec", "seen"), [(CAPITALS, Seen(4)), (BYTES, SEEN_BYTES)], ids=["characters", "bytes"])
class TestEachUnit:
    """Bytes have no unknown tokens: what the model has seen of them is stored with it."""

    def test_lower_case_on_a_model_of_capitals(self, codec: Codec, seen: Seen) -> None:
        assert lines_of(["AB", "ab", "ab, cd"], codec, Seen(9, seen.tokens)) == [
            "trained on upper case, and lower case is in 2 of 3 texts (first: text 2): write them in upper case, "
            "or train with text.case=fold"
        ]

    def test_much_longer_than_anything_in_training(self, codec: Codec, seen: Seen) -> None:
        assert lines_of(["AB", "A" * 8], codec, seen) == []
        assert lines_of(["AB", "A" * 9, "A" * 10_000], codec, seen) == [
            "much longer than anything in training: 2 of 3 texts (first: text 2), with up to 10,000 tokens, while "
            "training had at most 4; such answers are unreliable"
        ]
        assert lines_of(["A" * 9], codec, Seen(None, seen.tokens)) == []

    def test_another_script_and_emoji(self, codec: Codec, seen: Seen) -> None:
        (line,) = lines_of(["AB", "Ж", "😀😀"], codec, Seen(99, seen.tokens))
        assert line.startswith("symbols that were not in the training data (number of texts with each: ")
        assert "'Ж' in 1" in line
        assert "'😀' in 1" in line
        assert line.endswith("first: text 2); they are most of 2 of 3 texts (first: text 2), whose answers mean little")

    def test_a_single_unknown_symbol(self, codec: Codec, seen: Seen) -> None:
        (line,) = lines_of(["ABQ", "ABCQ"], codec, seen)
        expected = "symbols that were not in the training data (number of texts with each: 'Q' in 2; first: text 1)"
        assert line == expected

    def test_known_text(self, codec: Codec, seen: Seen) -> None:
        assert lines_of(["AB", "", "F, A"], codec, seen) == []


def test_words_known_in_lower_case() -> None:
    codec = Codec.build(make_tokenizer("words"), ["the cat sat"])
    assert lines_of(["The cat", "THE DOG"], codec, Seen())[0] == (
        "trained on lower case, and upper case is in 1 of 2 texts (first: text 1): write them in lower case, "
        "or train with text.case=fold"
    )


def test_an_unknown_letter_beside_known_ones_of_its_case_is_a_symbol() -> None:
    codec = Codec.build(make_tokenizer("characters"), ["we add Σ", "WE ADD"])
    (line,) = lines_of(["we add σ"], codec, Seen())
    assert line == "symbols that were not in the training data (number of texts with each: 'σ' in 1; first: text 1)"
    assert lines_of(["WE Σ"], codec, Seen()) == []
    assert lines_of(["σ"], codec, Seen())[0].startswith("trained on upper case")


def test_an_unknown_letter_of_a_case_that_training_had_is_a_symbol() -> None:
    codec = Codec.build(make_tokenizer("characters"), ["3 May 2007", "June v 12", "Dec"])
    (line,) = lines_of(["ay V"], codec, Seen())
    assert line == "symbols that were not in the training data (number of texts with each: 'V' in 1; first: text 1)"
    few = Codec.build(make_tokenizer("characters"), ["abcdefghijklmnopqrstuvwxyz A"])
    assert lines_of(["may V"], few, Seen())[0].startswith("trained on lower case")


def test_white_space_at_the_ends_is_said_where_training_had_no_blank() -> None:
    codec = Codec.build(make_tokenizer("characters"), ["ciao", "mare\tN"])
    assert lines_of(["ciao", "ciao ", " mare\tN ", "ciao\tN"], codec, Seen()) == [
        "white space at the ends, which training had none of, is in 2 of 4 texts (first: text 2): remove it (in "
        "texts: sed 's/^[[:space:]]*//; s/[[:space:]]*$//' FILE; in pairs: seq2see check FILE --fix -o COPY)"
    ]
    (_, line) = lines_of(["ciao! "], codec, Seen())
    assert line == "symbols that were not in the training data (number of texts with each: '!' in 1; first: text 1)"
    with_blanks = Codec.build(make_tokenizer("characters"), ["ciao mare"])
    assert lines_of(["ciao "], with_blanks, Seen()) == []


def test_only_the_field_in_another_case_counts() -> None:
    pairs = [Pair("ab\tV;PST", "x"), Pair("ba\tV;PRS", "x")]
    options = TextOptions(("characters", "tags"), "characters")
    codec = build_examples(options, pairs, has_source=True)[0][0]
    assert codec is not None
    assert lines_of(["ab\tV;PST", "Ab\tV;PST"], codec, Seen()) == [
        "trained on lower case, and upper case is in 1 of 2 texts (first: text 2): write them in lower case, "
        "or train with text.case=fold"
    ]
    assert lines_of(["ab\tv;pst"], codec, Seen())[0].startswith("trained on upper case, and lower case is in 1 of 1")


def test_a_language_model_has_no_sources_to_fold() -> None:
    notes = InputNotes(CAPITALS, FOUR, has_source=False)
    notes.add(["ab"], [np.array(CAPITALS.encode("ab", end=False))], ["text 1"])
    assert notes.lines() == [
        "trained on upper case, and lower case is in 1 of 1 texts (first: text 1): write them in upper case"
    ]


def test_half_of_the_symbols_are_most_and_fewer_are_not() -> None:
    assert "mean little" in lines_of(["AQ"])[0]
    assert "mean little" not in lines_of(["AAQ"])[0]


def test_what_was_said_is_not_said_again_but_counted() -> None:
    notes = InputNotes(CAPITALS, Seen(4))

    def add(*texts: str) -> list[str]:
        notes.add(texts, [np.array(CAPITALS.encode(text, end=False)) for text in texts], ["here"] * len(texts))
        return notes.lines()

    assert len(add("ab", "QA")) == 2
    assert add("ab", "QA") == []
    (line,) = add("ZAAA")
    assert "'Z' in 1" in line
    assert "'Q'" not in line
    assert notes.causes["upper"].count == 2


@pytest.mark.parametrize(
    "trained",
    [
        None,
        [],
        {"longest": 5},
        {"longest": {"source": True}},
        {"longest": {"source": -1}},
        {"longest": {"source": "9"}, "tokens": {"source": [1]}},
        {"longest": {"source": 1.5}, "tokens": {"source": []}},
        {"tokens": "A"},
        {"filled": [1, "2"]},
        {"filled": {"1": 2}},
    ],
)
def test_whatever_a_forged_file_says_is_unknown(trained: object) -> None:
    assert Seen.of(trained, BYTES, "source") == Seen()


def test_an_ensemble_has_seen_what_any_of_its_models_has() -> None:
    assert Seen(4, frozenset("A")).joined(Seen(6, frozenset("B"))) == Seen(6, frozenset("AB"))
    assert Seen(4, frozenset("A")).joined(Seen()) == Seen()


@pytest.fixture(scope="module")
def capitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of short words in capitals, in bytes on the source side."""
    pairs = [(a + b, b + a) for a in "ABCD" for b in "ABCD"]
    settings = {"text.source": "bytes", "model.width": 8, "training.max_updates": 2}
    folder = tmp_path_factory.mktemp("capitals") / "run"
    seq2see.train(pairs, out=folder, settings=settings, quiet=True)
    return folder


CALLS: dict[str, Callable[[seq2see.Model], object]] = {
    "predict": lambda model: model.predict(["AB", "ab", "Ж"]),
    "stream": lambda model: list(model.stream(["AB", "ab", "Ж"], chunk_size=2)),
    "stream one by one": lambda model: list(model.stream(["AB", "ab", "Ж"], chunk_size=1)),
    "score": lambda model: model.score([("AB", "BA"), ("ab", "BA"), ("Ж", "BA")]),
    "loss": lambda model: model.loss([("AB", "BA"), ("ab", "BA"), ("Ж", "BA")]),
    "align": lambda model: model.align([("AB", "BA"), ("ab", "BA"), ("Ж", "BA")]),
    "evaluate": lambda model: model.evaluate([("AB", "BA"), ("ab", "BA"), ("Ж", "BA")]),
    "attend": lambda model: seq2see.attend(model, ["AB", "ab", "Ж"], min_length=1),
}


@pytest.mark.parametrize(("call", "so"), [("align", "are aligned as <unk>"), ("score", "log-probability is -inf")])
def test_targets_that_cannot_be_written_are_said(capitals: Path, call: str, so: str) -> None:
    model = seq2see.load(capitals)
    with pytest.warns(UnknownTextWarning, match=rf"1 of 2 targets .*, (which|so their) {so} .*'Ж' in 1"):
        getattr(model, call)([("AB", "BA"), ("AB", "ЖA")])


@pytest.mark.parametrize("call", CALLS)
def test_each_call_of_a_trained_model_says_it_once(capitals: Path, call: str) -> None:
    model = seq2see.load(capitals)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        CALLS[call](model)
    said = [str(each.message) for each in caught if each.category is UnknownTextWarning]
    assert len(said) == 2, said
    assert "trained on upper case" in said[0]
    assert "'Ж' in 1" in said[1]
    results = {"score": "scores", "loss": "scores", "align": "alignments"}.get(call, "answers")
    assert said[1].endswith(f"whose {results} mean little")
    is_stepwise = call == "stream one by one"
    assert ("of 2 texts" if is_stepwise else "1 of 3 texts") in said[0]
    assert "2" in said[0].partition("(first: ")[2]
    assert "3" in said[1].partition("first: ")[2]


def test_the_longest_texts_are_stored_with_the_model(capitals: Path) -> None:
    model = seq2see.load(capitals)
    assert model.seen == Seen(2, frozenset("ABCD"))
    assert "texts of at most 2 tokens" in (capitals / "model" / "README.md").read_text()
    with pytest.warns(UnknownTextWarning, match=r"1 of 2 texts \(first: text 2\), with up to 5 tokens, while training"):
        model.predict(["AB", "AAAAA"])


def test_fine_tuning_adds_to_what_was_seen(capitals: Path, tmp_path: Path) -> None:
    settings = {"training.start_from": str(capitals), "training.max_updates": 1}
    pairs = [Pair("A", "B"), Pair("E", "A"), Pair("B", "A")]
    model = seq2see.train(pairs, dev=pairs, out=tmp_path / "run", settings=settings, quiet=True)
    assert model.seen == Seen(2, frozenset("ABCDE"))
