"""What the data decide, and that nobody's word is overruled."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import pytest

from peeky.data import Examples, LengthBucketSampler, Pair, additions
from peeky.errors import ConfigError
from peeky.model import ARCHITECTURES, ModelOptions, resolve
from peeky.recipe import UPDATES, build_codecs, choose_model, choose_text, choose_training
from peeky.text.options import TextOptions
from peeky.training import TrainingOptions

SPELLING = [Pair(word, word[::-1], "") for word in ("hello", "world", "house", "garden", "water", "cat")]
PHONES = [Pair(f"{a}{b}{c}{d}", "AH B K", "") for a, b, c, d in product("abk", repeat=4)]
SENTENCES = [
    Pair(f"the man{n} lives in house{n} of town{n % 7}", f"der mann{n} wohnt im haus{n} der stadt{n % 7}", "")
    for n in range(60)
]


def examples(num_pairs: int) -> Examples:
    pairs = additions(min(num_pairs, 300), seed=1)
    codecs = build_codecs(TextOptions(source="characters", target="characters"), pairs, has_source=True)
    made = Examples.encode(pairs, *codecs)
    if num_pairs <= 300:
        return made

    class Many(Examples):
        def __len__(self) -> int:
            return num_pairs

    return Many(made.source_ids, made.source_offsets, made.target_ids, made.target_offsets)


@pytest.mark.parametrize(
    ("pairs", "source", "target"),
    [(SPELLING, "characters", "characters"), (PHONES, "characters", "symbols"), (SENTENCES, "words", "words")],
)
def test_the_tokenizers_follow_the_data_and_are_said(pairs: list[Pair], source: str, target: str) -> None:
    options, said = choose_text(TextOptions(), pairs, has_source=True)
    assert (options.source, options.target) == (source, target)
    assert said[0].startswith(f"source: {source} (")
    assert said[1].startswith(f"target: {target} (")


def test_a_chosen_tokenizer_stays_and_is_not_explained() -> None:
    options, said = choose_text(TextOptions(source="bytes"), SENTENCES, has_source=True)
    assert (options.source, options.target) == ("bytes", "words")
    assert [line.partition(":")[0] for line in said] == ["target"]


def test_a_language_model_has_one_side() -> None:
    options, said = choose_text(TextOptions(), [Pair("", pair.target, "") for pair in SENTENCES], has_source=False)
    assert (options.source, options.target) == (None, "words")
    assert len(said) == 1


def test_rare_words_are_left_out_and_rare_characters_are_not() -> None:
    pairs = [Pair("common rare", "q", ""), Pair("common once", "r", "")]
    words, characters = build_codecs(TextOptions(source="words", target="characters"), pairs, has_source=True)
    assert words is not None
    assert words.vocabulary.tokens == ("common",)
    assert set(characters.vocabulary.tokens) == {"q", "r"}
    words, _ = build_codecs(TextOptions(source="words", target="characters", min_count=1), pairs, has_source=True)
    assert words is not None
    assert len(words.vocabulary.tokens) == 3
    _, few = build_codecs(
        TextOptions(source="words", target="characters", max_vocabulary=5), pairs * 9, has_source=True
    )
    assert len(few.vocabulary) == 5


def test_a_language_model_has_no_source_codec() -> None:
    source, target = build_codecs(TextOptions(target="characters"), [Pair("", "ab", "")], has_source=False)
    assert source is None
    assert set(target.vocabulary.tokens) == {"a", "b"}


def test_the_model_is_said_only_where_nobody_chose_one() -> None:
    options, said = choose_model(ModelOptions(), 1000)
    left_open = {item.name for item in fields(options) if getattr(options, item.name) is None}
    assert left_open == {"heads", "feed_forward", "positions", "longest", "norm", "activation"}, "a Transformer's alone"
    assert len(said) == 1
    assert options.name is not None
    assert options.name in said[0]
    assert "--model" in said[0]
    assert choose_model(ModelOptions(name="gnmt"), 1000)[1] == []


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_left_open_of_a_model_changes_nothing_in_it(name: str) -> None:
    options, _ = choose_model(ModelOptions(name=name), 1000)
    blueprint = resolve(options)
    left_open = {item.name for item in fields(options) if getattr(options, item.name) is None}
    assert left_open == ARCHITECTURES[name].unused(blueprint)


def test_many_pairs_get_a_wider_model_unless_a_width_was_given() -> None:
    few, many = (choose_model(ModelOptions(), number)[0].width for number in (1000, 1_000_000))
    assert few is not None
    assert many is not None
    assert many > few
    assert choose_model(ModelOptions(width=32), 1_000_000)[0].width == 32


@pytest.mark.parametrize("number", UPDATES)
def test_the_measured_numbers_of_updates_are_used(number: int) -> None:
    assert choose_training(TrainingOptions(), examples(number), can_match=True)[0].max_updates == UPDATES[number]


def test_more_pairs_are_never_given_fewer_updates() -> None:
    updates = [
        choose_training(TrainingOptions(), examples(number), can_match=True)[0].max_updates
        for number in (2, 50, 100, 150, 500, 800, 2000, 5000, 9000, 30_000, 70_000, 500_000, 10_000_000)
    ]
    assert updates == sorted(updates)  # type: ignore[type-var]


def test_nothing_is_left_open() -> None:
    chosen, said = choose_training(TrainingOptions(), examples(300), can_match=True)
    assert chosen.rate
    assert chosen.batch_size
    assert chosen.evaluate_every
    assert chosen.metric == "exact_match"
    assert f"{chosen.max_updates:,} updates" in said[0]
    assert f"{chosen.rate:g}" in said[0]
    assert choose_training(TrainingOptions(), examples(300), can_match=False)[0].metric == "loss"


def test_what_was_given_stays() -> None:
    given = TrainingOptions(
        rate=0.5, max_updates=77, batch_size=3, evaluate_every=5, metric="loss", patience=2, checkpoint_every=9
    )
    chosen, _ = choose_training(given, examples(300), can_match=True)
    assert chosen == given


def test_epochs_are_turned_into_updates_and_the_fewer_count() -> None:
    options = TrainingOptions(max_epochs=4, batch_size=30)
    assert choose_training(options, examples(300), can_match=True)[0].max_updates == 40
    fewer = replace(options, max_updates=7)
    assert choose_training(fewer, examples(300), can_match=True)[0].max_updates == 7
    more = replace(options, max_updates=7000)
    assert choose_training(more, examples(300), can_match=True)[0].max_updates == 40


def test_batches_of_tokens_leave_the_number_of_pairs_open() -> None:
    data = examples(300)
    chosen, said = choose_training(TrainingOptions(batch_tokens=600, max_epochs=2), data, can_match=True)
    assert chosen.batch_size is None
    tokens = int((data.source_lengths + data.target_lengths).sum())
    assert chosen.max_updates
    assert 2 * tokens / 600 <= chosen.max_updates < 3 * tokens / 600
    assert "600 tokens" in said[0]


@pytest.mark.parametrize("number", [1, 2, 7])
def test_a_handful_of_pairs_is_enough_for_a_recipe(number: int) -> None:
    chosen, _ = choose_training(TrainingOptions(), examples(number), can_match=True)
    assert chosen.batch_size
    assert chosen.max_updates
    assert chosen.max_updates >= 1


def test_long_pairs_come_in_smaller_batches() -> None:
    short, _ = choose_training(TrainingOptions(max_epochs=1), examples(300), can_match=True)
    pairs = [Pair("a" * 3000, "b" * 3000, "") for _ in range(300)]
    codecs = build_codecs(TextOptions(source="characters", target="characters"), pairs, has_source=True)
    long, said = choose_training(TrainingOptions(max_epochs=1), Examples.encode(pairs, *codecs), can_match=True)
    assert short.max_updates == 10  # of 32
    assert long.max_updates == 150  # of 2, which is 12,004 tokens
    assert "32 pairs or 16,384 tokens" in said[0]


@pytest.mark.parametrize(("number", "batch_size", "updates"), [(47, 32, 2), (270, 200, 2), (64, 32, 2), (65, 32, 3)])
def test_an_epoch_is_a_whole_one(number: int, batch_size: int, updates: int) -> None:
    options = TrainingOptions(max_epochs=1, batch_size=batch_size)
    assert choose_training(options, examples(number), can_match=True)[0].max_updates == updates


def test_epochs_of_token_batches_are_counted_as_they_come() -> None:
    data = examples(300)
    options = TrainingOptions(max_epochs=5, batch_tokens=100)
    sampler = LengthBucketSampler(
        data.source_lengths, data.target_lengths, batch_size=None, batch_tokens=100, seed=options.seed
    )
    counted = sum(len(sampler.batches(epoch)) for epoch in range(5))
    assert choose_training(options, data, can_match=True)[0].max_updates == counted


def test_a_language_model_has_no_answers_to_match() -> None:
    pairs = [Pair("", "abc", ""), Pair("", "bcd", "")]
    codecs = build_codecs(TextOptions(target="characters"), pairs, has_source=False)
    data = Examples.encode(pairs, *codecs)
    with pytest.raises(ConfigError, match="no answers to match"):
        choose_training(TrainingOptions(metric="exact_match"), data, can_match=False)


def test_the_unicode_form_reaches_the_codecs() -> None:
    options = TextOptions(source="characters", target="characters", normalization="NFD")
    source, target = build_codecs(options, [Pair("\u00e9", "\u00e9", "")], has_source=True)
    assert source is not None
    for codec in (source, target):
        assert codec.tokenizer.normalization == "NFD"
        assert len(codec.encode("\u00e9")) == 3  # letter, accent, EOS
