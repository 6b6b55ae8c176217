"""What is chosen from the data, and that explicit options are never overruled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from itertools import product

import pytest

from seq2see.data import EpochExamples, Examples, LengthBucketSampler, Pair, additions
from seq2see.data.building import build_examples
from seq2see.data.examples import Sequences
from seq2see.errors import ConfigError
from seq2see.model import ARCHITECTURES, ModelOptions, resolve
from seq2see.run.model_choice import choose_model, is_large_word_model, is_small_transformer
from seq2see.run.recipe import choose_training, epoch_examples_of
from seq2see.run.traits import Traits, are_many_translations
from seq2see.run.usual_updates import UPDATES
from seq2see.text import Codecs
from seq2see.text.building import vocabulary_lines
from seq2see.text.choice import SENTENCE_UNITS, choose_text
from seq2see.text.options import TextOptions
from seq2see.training import TrainingOptions, sampler_of

SPELLING = [Pair(word, word[::-1], "") for word in ("hello", "world", "house", "garden", "water", "cat")]
PHONES = [Pair(f"{a}{b}{c}{d}", "AH B K", "") for a, b, c, d in product("abk", repeat=4)]
SENTENCES = [
    Pair(f"the man{n} lives in house{n} of town{n % 7}", f"der mann{n} wohnt im haus{n} der stadt{n % 7}", "")
    for n in range(60)
]


def sides(pairs: Sequence[Pair], *, has_source: bool) -> tuple[list[str] | None, list[str]]:
    return [pair.source for pair in pairs] if has_source else None, [pair.target or "" for pair in pairs]


def build_codecs(options: TextOptions, sources: Sequence[str] | None, targets: Sequence[str]) -> Codecs:
    pairs = [Pair(source, target, "") for source, target in zip(sources or [""] * len(targets), targets, strict=True)]
    return build_examples(options, pairs, has_source=sources is not None)[0]


def examples(num_pairs: int) -> Examples:
    pairs = additions(min(num_pairs, 300), seed=1)
    codecs = build_codecs(TextOptions(source="characters", target="characters"), *sides(pairs, has_source=True))
    made = Examples.encode(pairs, *codecs)
    if num_pairs <= 300:
        return made

    class Many(Examples):
        def __len__(self) -> int:
            return num_pairs

    return Many(made.sources, made.targets)


def model_for(
    options: ModelOptions, num_pairs: int, to_align: Examples | None = None, **more: bool
) -> tuple[ModelOptions, list[str]]:
    """What is chosen for pairs with these traits."""
    return choose_model(options, Traits(num_pairs, **more), to_align)


def training_for(
    options: TrainingOptions,
    found: Examples,
    model: ModelOptions | str = "bidirectional",
    *,
    epoch_examples: EpochExamples | None = None,
    **more: bool,
) -> tuple[TrainingOptions, list[str]]:
    """What is chosen for training this model on these pairs, which have these traits."""
    named = ModelOptions(name=model) if isinstance(model, str) else model
    return choose_training(options, found, named, Traits(len(found), **more), epoch_examples)


@pytest.mark.parametrize(
    ("pairs", "source", "target"),
    [(SPELLING, "characters", "characters"), (PHONES, "characters", "symbols"), (SENTENCES, "bpe", "bpe")],
)
def test_the_tokenizers_follow_the_data_and_are_said(pairs: list[Pair], source: str, target: str) -> None:
    options, said = choose_text(TextOptions(), *sides(pairs, has_source=True))
    assert (options.source, options.target) == (source, target)
    assert said[0].startswith(f"source: {source} (")
    assert said[1].startswith(f"target: {target} (")


def test_a_given_tokenizer_stays_and_is_said() -> None:
    options, said = choose_text(TextOptions(source="bytes"), *sides(SENTENCES, has_source=True))
    assert (options.source, options.target) == ("bytes", "bpe")
    assert said[0] == "source: bytes (text.source)"
    assert said[1].startswith("target: bpe (sentences")


def test_a_language_model_has_one_side() -> None:
    options, said = choose_text(
        TextOptions(), *sides([Pair("", pair.target, "") for pair in SENTENCES], has_source=False)
    )
    assert (options.source, options.target) == (None, "bpe")
    assert len(said) == 1


def test_rare_words_are_left_out_and_rare_characters_are_not() -> None:
    pairs = [Pair("common rare", "q", ""), Pair("common once", "r", "")]
    words, characters = build_codecs(TextOptions(source="words", target="characters"), *sides(pairs, has_source=True))
    assert words is not None
    assert words.vocabulary.tokens == ("common",)
    assert set(characters.vocabulary.tokens) == {"q", "r"}
    words, _ = build_codecs(
        TextOptions(source="words", target="characters", min_count=1), *sides(pairs, has_source=True)
    )
    assert words is not None
    assert len(words.vocabulary.tokens) == 3
    _, few = build_codecs(
        TextOptions(source="words", target="characters", max_vocabulary=5), *sides(pairs * 9, has_source=True)
    )
    assert len(few.vocabulary) == 5


def test_a_language_model_has_no_source_codec() -> None:
    source, target = build_codecs(TextOptions(target="characters"), *sides([Pair("", "ab", "")], has_source=False))
    assert source is None
    assert set(target.vocabulary.tokens) == {"a", "b"}


TRANSFORMERS_ALONE = {"heads", "feed_forward", "positions", "max_positions", "norm", "activation"}


def test_the_model_is_printed_only_by_default() -> None:
    options, said = model_for(ModelOptions(), 1000)
    left_open = {item.name for item in fields(options) if getattr(options, item.name) is None}
    assert left_open - {"encoder_layers", "decoder_layers", "query"} == TRANSFORMERS_ALONE
    assert len(said) == 1
    assert options.name is not None
    assert options.name in said[0]
    assert "--model" in said[0]
    assert model_for(ModelOptions(name="gnmt"), 1000)[1] == []


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_left_open_of_a_model_changes_nothing_in_it(name: str) -> None:
    options, _ = model_for(ModelOptions(name=name), 1000)
    blueprint = resolve(options)
    left_open = {item.name for item in fields(options) if getattr(options, item.name) is None}
    assert left_open == ARCHITECTURES[name].unused(blueprint) | {"encoder_layers", "decoder_layers"}
    assert options.layers == blueprint.decoder_layers == blueprint.encoder_layers


def test_pictures_get_their_own_dropout_and_score_unless_they_are_given() -> None:
    text, picture = (model_for(ModelOptions(), 1000, has_pictures=has)[0] for has in (False, True))
    assert (text.dropout, text.score) == (0.3, "scaled_dot")
    assert (picture.dropout, picture.score) == (0.1, "general")
    given = ModelOptions(dropout=0.2, score="additive")
    chosen, _ = model_for(given, 1000, has_pictures=True)
    assert (chosen.dropout, chosen.score) == (0.2, "additive")
    blocks, _ = model_for(ModelOptions(name="transformer"), 1000, has_pictures=True)
    assert (blocks.dropout, blocks.score) == (0.1, None)


def test_many_pairs_get_a_wider_model_unless_a_width_was_given() -> None:
    few, many = (model_for(ModelOptions(), number)[0].width for number in (1000, 1_000_000))
    assert few is not None
    assert many is not None
    assert many > few
    assert model_for(ModelOptions(width=32), 1_000_000)[0].width == 32


@pytest.mark.parametrize(
    ("target", "more", "expected"),
    [
        (str.upper, {}, "transducer"),
        (lambda word: word[::-1].upper(), {}, "bidirectional"),
        (str.upper, {"score": "dot"}, "bidirectional"),
        (str.upper, {"name": "plain"}, "plain"),
    ],
)
def test_a_transducer_is_chosen_where_targets_follow_their_sources(
    target: Callable[[str], str], more: dict[str, str], expected: str
) -> None:
    words = ["".join(letters) for letters in product("abcdef", repeat=3)]
    pairs = [Pair(word, target(word), "") for word in words]
    _, found = build_examples(TextOptions(source="characters", target="characters"), pairs, has_source=True)
    options, said = model_for(ModelOptions(**more), len(pairs), found)
    assert options.name == expected
    assert len(said) == ("name" not in more)
    for few_or_many in (49, 5_001):
        assert model_for(ModelOptions(**more), few_or_many, found)[0].name in ("bidirectional", "plain")


def test_forms_from_lemmas_and_tags_read_the_tags_in_each_step() -> None:
    words = ["".join(letters) for letters in product("abcdef", repeat=3)]
    pairs = [Pair(f"{word}\tV;PST", word[::-1], "") for word in words]
    options = TextOptions(source=("characters", "tags"), target="characters")
    _, found = build_examples(options, pairs, has_source=True)

    def chosen(asked: ModelOptions, *, spells_tags: bool = True) -> tuple[object, ...]:
        model, _ = model_for(asked, len(pairs), found, spells_tags=spells_tags)
        return model.name, model.tags

    assert chosen(ModelOptions()) == ("bidirectional", "decoder")
    assert chosen(ModelOptions(), spells_tags=False) == ("bidirectional", "source")
    assert chosen(ModelOptions(tags="source")) == ("bidirectional", "source")
    assert chosen(ModelOptions(name="transformer")) == ("transformer", "source")


def test_many_forms_from_lemmas_and_tags_are_left_to_attention() -> None:
    words = ["".join(letters) for letters in product("abcdef", repeat=3)]
    pairs = [Pair(f"{word}\tV;PST", f"{word}t", "") for word in words]
    options = TextOptions(source=("characters", "tags"), target="characters")
    _, found = build_examples(options, pairs, has_source=True)
    names = [
        model_for(ModelOptions(), number, found, spells_tags=True)[0].name for number in (700, 5_000, 5_001, 7_000)
    ]
    assert names == ["transducer", "transducer", "bidirectional", "bidirectional"]
    spelled = [model_for(ModelOptions(), number, found, is_spelled=True)[0].name for number in (7_000, 10_000, 10_001)]
    assert spelled == ["transducer", "transducer", "bidirectional"]


@pytest.mark.parametrize("number", UPDATES)
def test_the_measured_numbers_of_updates_are_used(number: int) -> None:
    assert training_for(TrainingOptions(), examples(number))[0].max_updates == UPDATES[number]


def test_more_pairs_are_never_given_fewer_updates() -> None:
    updates = [
        training_for(TrainingOptions(), examples(number))[0].max_updates
        for number in (2, 50, 100, 150, 500, 800, 2000, 5000, 9000, 30_000, 70_000, 500_000, 10_000_000)
    ]
    assert updates == sorted(updates)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("number", "is_spelled", "name", "expected"),
    [
        (99_999, True, None, (32, 256, 1)),
        (100_000, True, None, (128, 512, 2)),
        (100_000, False, None, (32, 256, 1)),
        (100_000, True, "stacked", (128, 256, 2)),
        (100_000, True, "transformer", (32, 256, 4)),
    ],
)
def test_many_words_are_learned_in_larger_batches_and_by_a_larger_model(
    number: int, is_spelled: bool, name: str | None, expected: tuple[int, int, int]
) -> None:
    model, _ = model_for(ModelOptions(name=name), number, is_spelled=is_spelled)
    chosen, _ = training_for(TrainingOptions(), examples(number), model, is_spelled=is_spelled)
    assert (chosen.batch_size, model.width, resolve(model).encoder_layers) == expected
    asked = training_for(TrainingOptions(batch_size=7), examples(number), is_spelled=is_spelled)[0]
    assert asked.batch_size == 7
    own = resolve(model_for(ModelOptions(layers=3), number, is_spelled=is_spelled)[0])
    assert (own.width, own.encoder_layers, own.decoder_layers) == (256, 3, 3)
    assert model_for(ModelOptions(tie="target"), number, is_spelled=is_spelled)[0].tie == "target"
    assert model_for(ModelOptions(tie="none"), number, is_spelled=is_spelled)[0].width == (
        512 if is_spelled and number >= 100_000 else 256
    )


def test_the_larger_model_learns_longer_and_more_slowly() -> None:
    number, found = 108_132, examples(108_132)
    model, _ = model_for(ModelOptions(), number, is_spelled=True)
    assert is_large_word_model(model, Traits(number, is_spelled=True))
    chosen, _ = training_for(TrainingOptions(), found, model, is_spelled=True)
    assert (chosen.rate, chosen.max_updates, chosen.batch_size) == (2e-3, 20_040, 128)
    asked = TrainingOptions(rate=1e-3, max_updates=7)
    own, _ = training_for(asked, found, model, is_spelled=True)
    assert (own.rate, own.max_updates) == (1e-3, 7)
    narrow, _ = model_for(ModelOptions(width=256), number, is_spelled=True)
    assert not is_large_word_model(narrow, Traits(number, is_spelled=True))
    assert not is_large_word_model(model, Traits(99_999, is_spelled=True))
    assert not is_large_word_model(model, Traits(number))
    asked_narrow, _ = training_for(TrainingOptions(), found, narrow, is_spelled=True)
    assert (asked_narrow.rate, asked_narrow.max_updates, asked_narrow.batch_size) == (4e-3, 16_700, 128)


@pytest.mark.parametrize(
    ("number", "spells_tags", "expected"), [(5_000, True, 32), (5_001, True, 64), (5_001, False, 32)]
)
def test_many_forms_are_learned_in_larger_batches(number: int, spells_tags: bool, expected: int) -> None:
    found = examples(number)
    chosen, _ = training_for(TrainingOptions(), found, spells_tags=spells_tags)
    assert chosen.batch_size == expected
    asked, _ = training_for(TrainingOptions(batch_size=7), found, spells_tags=spells_tags)
    assert asked.batch_size == 7


def test_nothing_is_left_open() -> None:
    blocks, _ = training_for(TrainingOptions(), examples(300), model="transformer")
    assert (blocks.rate or 1) < (training_for(TrainingOptions(), examples(300))[0].rate or 0)
    chosen, said = training_for(TrainingOptions(), examples(300))
    assert chosen.rate
    assert chosen.batch_size
    assert chosen.evaluate_every
    assert chosen.optimizer == "adam"
    assert chosen.metric == "exact_match"
    assert f"{chosen.max_updates:,} updates" in said[0]
    assert f"{chosen.rate:g}" in said[0]
    assert training_for(TrainingOptions(), examples(300), can_match=False)[0].metric == "loss"


def test_what_was_given_stays() -> None:
    given = TrainingOptions(
        rate=0.5,
        optimizer="adamw",
        max_updates=77,
        batch_size=3,
        evaluate_every=5,
        metric="loss",
        patience=2,
        checkpoint_every=9,
        choose_length_penalty=False,
    )
    chosen, _ = training_for(given, examples(300))
    assert chosen == given


def test_epochs_are_turned_into_updates_and_the_fewer_count() -> None:
    options = TrainingOptions(max_epochs=4, batch_size=30)
    assert training_for(options, examples(300))[0].max_updates == 40
    fewer = replace(options, max_updates=7)
    assert training_for(fewer, examples(300))[0].max_updates == 7
    more = replace(options, max_updates=7000)
    assert training_for(more, examples(300))[0].max_updates == 40


def test_batches_of_tokens_leave_the_number_of_pairs_open() -> None:
    data = examples(300)
    chosen, said = training_for(TrainingOptions(batch_tokens=600, max_epochs=2), data)
    assert chosen.batch_size is None
    tokens = int((data.source_lengths + data.target_lengths).sum())
    assert chosen.max_updates
    assert 2 * tokens / 600 <= chosen.max_updates < 3 * tokens / 600
    assert "600 tokens" in said[0]


@pytest.mark.parametrize("number", [1, 2, 7])
def test_a_handful_of_pairs_is_enough_for_a_recipe(number: int) -> None:
    chosen, _ = training_for(TrainingOptions(), examples(number))
    assert chosen.batch_size
    assert chosen.max_updates
    assert chosen.max_updates >= 1


def test_long_pairs_come_in_smaller_batches() -> None:
    short, _ = training_for(TrainingOptions(max_epochs=1), examples(300))
    pairs = [Pair("a" * 3000, "b" * 3000, "") for _ in range(300)]
    codecs = build_codecs(TextOptions(source="characters", target="characters"), *sides(pairs, has_source=True))
    long, said = training_for(TrainingOptions(max_epochs=1), Examples.encode(pairs, *codecs))
    assert short.max_updates == 10  # of 32
    assert long.max_updates == 150  # of 2, which is 12,004 tokens
    assert "32 pairs or 16,384 tokens" in said[0]


@pytest.mark.parametrize(("number", "batch_size", "updates"), [(47, 32, 2), (270, 200, 2), (64, 32, 2), (65, 32, 3)])
def test_an_epoch_is_a_whole_one(number: int, batch_size: int, updates: int) -> None:
    options = TrainingOptions(max_epochs=1, batch_size=batch_size)
    assert training_for(options, examples(number))[0].max_updates == updates


def test_epochs_of_token_batches_are_counted_as_they_come() -> None:
    data = examples(300)
    options = TrainingOptions(max_epochs=5, batch_tokens=100)
    sampler = LengthBucketSampler(
        data.source_offsets, data.target_offsets, batch_size=None, batch_tokens=100, seed=options.seed
    )
    counted = sum(len(list(sampler.batches(epoch))) for epoch in range(5))
    assert training_for(options, data)[0].max_updates == counted


def test_a_language_model_has_no_answers_to_match() -> None:
    pairs = [Pair("", "abc", ""), Pair("", "bcd", "")]
    codecs = build_codecs(TextOptions(target="characters"), *sides(pairs, has_source=False))
    data = Examples.encode(pairs, *codecs)
    with pytest.raises(ConfigError, match="must be loss for a language model"):
        training_for(TrainingOptions(metric="exact_match"), data, can_match=False)


def test_the_unicode_form_reaches_the_codecs() -> None:
    options = TextOptions(source="characters", target="characters", normalization="NFD")
    source, target = build_codecs(options, *sides([Pair("\u00e9", "\u00e9", "")], has_source=True))
    assert source is not None
    for codec in (source, target):
        assert codec.tokenizer.normalization == "NFD"
        assert len(codec.encode("\u00e9")) == 3  # letter, accent, EOS


# --- subwords -------------------------------------------------------------------------------------------------------

BPE = TextOptions(source="bpe", target="bpe")


def test_each_side_learns_its_own_subwords_and_says_how_many() -> None:
    source, target = build_codecs(replace(BPE, subword_size=60), *sides(SENTENCES, has_source=True))
    assert source is not None
    assert " house" in source.vocabulary
    assert " house" not in target.vocabulary
    assert vocabulary_lines(BPE, (source, target)) == [
        f"source: a vocabulary of {len(source.vocabulary)} subwords and characters",
        f"target: a vocabulary of {len(target.vocabulary)} subwords and characters",
    ]
    few = build_codecs(replace(BPE, subword_size=16_000), *sides(SENTENCES, has_source=True))
    assert f" {len(few[1].vocabulary)} " in vocabulary_lines(BPE, few)[1]
    assert len(few[1].vocabulary) < 1000


@pytest.mark.parametrize(
    "unit", ["bpe", "unigram", "words", "characters", "symbols", "decomposed", "graphemes", "bytes"]
)
def test_a_joint_vocabulary_is_one_for_both_sides(unit: str) -> None:
    options = TextOptions(source=unit, target=unit, joint=True)  # type: ignore[arg-type]
    source, target = build_codecs(options, *sides(SENTENCES, has_source=True))
    assert source == target
    for codec in (source, target):
        assert codec is not None
        for text in SENTENCES[1][:2]:
            known = [token for token in codec.tokenizer.split(text or "") if token in codec.vocabulary]
            assert known
    if unit == "bpe":
        assert {" haus", " house"} <= set(target.vocabulary.tokens)
        assert len(vocabulary_lines(options, (source, target))) == 1


def test_joint_sides_follow_each_other() -> None:
    options, said = choose_text(TextOptions(target="words", joint=True), *sides(SENTENCES, has_source=True))
    assert (options.source, options.target) == ("words", "words")
    assert said == [
        "target: words (text.target)",
        "source: words (the same as the other side: the vocabulary is joint)",
    ]
    options, _ = choose_text(TextOptions(joint=True), *sides(SENTENCES, has_source=True))
    assert (options.source, options.target) == ("bpe", "bpe")


@pytest.mark.parametrize(
    ("options", "has_source", "where"),
    [
        (TextOptions(source="bpe", target="words", joint=True), True, "text.joint"),
        (TextOptions(target="bpe", joint=True), False, "text.joint"),
        (TextOptions(source="words", target="words", subword_size=90), True, "text.subword_size"),
        (TextOptions(source="bpe", target="bpe", subword_size=90, max_vocabulary=80), True, "text.subword_size"),
        (TextOptions(source="bpe", target="unigram", bpe_dropout=0.1), True, "text.bpe_dropout"),
        (TextOptions(source="words", target="bpe", bpe_dropout=0.1), True, "text.bpe_dropout"),
        (TextOptions(target="unigram", bpe_dropout=0.1), False, "text.bpe_dropout"),
    ],
)
def test_options_at_odds_are_refused(options: TextOptions, has_source: bool, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_text(options, *sides(SENTENCES, has_source=has_source))
    assert caught.value.where == where
    assert "text." in caught.value.fix


def test_sides_too_different_to_be_joint_are_refused() -> None:
    with pytest.raises(ConfigError, match="source characters and target symbols"):
        choose_text(TextOptions(joint=True), *sides(PHONES, has_source=True))


@pytest.mark.parametrize(
    ("options", "has_source"),
    [
        (TextOptions(source="bpe", target="bpe", bpe_dropout=0.1, subword_size=90, joint=True), True),
        (TextOptions(source="words", target="unigram", subword_size=90), True),
        (TextOptions(target="bpe", bpe_dropout=1.0, subword_size=90), False),
    ],
)
def test_options_that_agree_are_taken(options: TextOptions, has_source: bool) -> None:
    found, said = choose_text(options, *sides(SENTENCES, has_source=has_source))
    assert found == options
    assert len(said) == 1 + has_source


def test_sentences_are_judged_by_their_loss() -> None:
    assert {"bpe", "unigram", "words"} == set(SENTENCE_UNITS)


def test_epochs_with_dropout_are_counted_as_they_will_be() -> None:
    """Words in more pieces make longer sentences, and these fill a batch of tokens sooner."""
    options = replace(BPE, bpe_dropout=0.5, subword_size=200)
    codecs = build_codecs(options, *sides(SENTENCES, has_source=True))
    made = Examples.encode(SENTENCES, *codecs)
    epoch_examples = epoch_examples_of(options, SENTENCES, codecs, seed=1)
    assert epoch_examples is not None
    training = TrainingOptions(batch_tokens=150, max_epochs=3)
    with_dropout, _ = training_for(training, made, can_match=False, epoch_examples=epoch_examples)
    without, _ = training_for(training, made, can_match=False)
    assert with_dropout.max_updates == sum(
        len(list(sampler_of(epoch_examples(epoch), training).batches(epoch))) for epoch in range(3)
    )
    assert with_dropout.max_updates > (without.max_updates or 0)
    assert epoch_examples_of(BPE, SENTENCES, codecs, seed=1) is None


def translations(num_pairs: int, *, target_length: int) -> Examples:
    """Sentences of ten tokens and their translations."""
    return Examples(*(Sequences.pack([[5] * length] * num_pairs) for length in (10, target_length)))


BPE = TextOptions(source="bpe", target="bpe")


@pytest.mark.parametrize(
    ("text", "num_pairs", "target_length", "expected"),
    [
        (BPE, 10_000, 12, True),
        (replace(BPE, source=("tags", "words")), 10_000, 12, True),
        (BPE, 9_999, 12, False),
        (BPE, 10_000, 4, False),
        (replace(BPE, target="symbols"), 10_000, 12, False),
        (replace(BPE, source="characters"), 10_000, 12, False),
        (replace(BPE, source=("picture",)), 10_000, 12, False),
        (replace(BPE, source=("tags",)), 10_000, 12, False),
    ],
)
def test_translations_are_told_by_units_number_and_lengths(
    text: TextOptions, num_pairs: int, target_length: int, expected: bool
) -> None:
    assert are_many_translations(text, translations(num_pairs, target_length=target_length)) == expected


def test_many_translations_get_a_small_transformer_unless_options_say_otherwise() -> None:
    chosen, (said,) = model_for(ModelOptions(), 29_000, are_many_translations=True)
    assert (chosen.name, chosen.width, chosen.feed_forward, chosen.dropout) == ("transformer", 128, 256, 0.3)
    assert said.startswith("model: transformer (")
    assert "29,000 pairs of sentences" in said
    named, _ = model_for(ModelOptions(name="transformer"), 29_000, are_many_translations=True)
    assert named == chosen
    dropout, _ = model_for(ModelOptions(dropout=0.1), 29_000, are_many_translations=True)
    assert dropout == replace(chosen, dropout=0.1)
    wide, _ = model_for(ModelOptions(width=64), 29_000, are_many_translations=True)
    assert (wide.name, wide.width, wide.feed_forward, wide.dropout) == ("transformer", 64, 256, 0.3)
    lstm, _ = model_for(ModelOptions(cell="gru"), 29_000, are_many_translations=True)
    assert (lstm.name, lstm.width) == ("bidirectional", 256)
    many, _ = model_for(ModelOptions(), 1_000_000, are_many_translations=True)
    assert (many.name, many.width, many.feed_forward) == ("transformer", 512, 2048)


def test_a_small_transformer_is_trained_by_muon_on_more_tokens_per_update_at_a_higher_rate() -> None:
    small, _ = model_for(ModelOptions(), 29_000, are_many_translations=True)
    wide, _ = model_for(ModelOptions(), 1_000_000, are_many_translations=True)
    traits = Traits(29_000, are_many_translations=True)
    assert is_small_transformer(small, traits)
    assert not is_small_transformer(wide, traits)
    assert not is_small_transformer(small, Traits(29_000))
    many = {"can_match": False, "are_many_translations": True}
    made = translations(300, target_length=12)
    chosen, _ = training_for(TrainingOptions(), made, small, **many)
    assert (chosen.rate, chosen.batch_size, chosen.batch_tokens) == (4e-3, None, 4_096)
    assert chosen.optimizer == "muon"
    other, _ = training_for(TrainingOptions(), made, wide, **many)
    assert (other.rate, other.batch_size, other.optimizer) == (1e-3, 32, "adam")
    asked = TrainingOptions(rate=1e-4, batch_size=7, optimizer="adam")
    given, _ = training_for(asked, made, small, **many)
    assert (given.rate, given.batch_size, given.batch_tokens, given.optimizer) == (1e-4, 7, None, "adam")
