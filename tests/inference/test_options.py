"""Every option of `GenerationOptions`, through `predict`: what it does to the answers, and what is refused.

The models are random but sure of themselves, so that answers differ from text to text and cost nothing to make.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seq2see
from seq2see import Model, Prediction
from seq2see.data import Pair
from seq2see.data.building import build_examples
from seq2see.errors import ConfigError, DataError
from seq2see.evaluation.options import EvaluationOptions
from seq2see.inference import options as options_module
from seq2see.inference.glossary import Glossary
from seq2see.inference.options import PER_TEXT, BatchOptions, Constraints, GenerationArguments, GenerationOptions
from seq2see.inference.predictor import Predictor
from seq2see.inference.risk import least_risk
from seq2see.inference.searching import NEVER_GENERATED
from seq2see.inference.spelling import spelling_table
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import ModelOptions, Padded, Sizes, build, resolve
from seq2see.search import ForbidSpelled
from seq2see.text import BOS, EOS, Codec, make_tokenizer
from seq2see.text.options import TextOptions

LETTERS = "abcdefg"
CODEC = Codec.build(make_tokenizer("characters"), [LETTERS])
SYMBOLS = Codec.build(make_tokenizer("symbols"), ["one two three four"])


SEEDS = {"attention": 20, "plain": 16, "language_model": 0}
"""Of models whose answers differ from text to text and in length, whichever way they are looked for."""


def random_model(name: str, *, codec: Codec = CODEC) -> Model:
    torch.manual_seed(SEEDS[name])
    blueprint = resolve(ModelOptions(name=name, width=16, embedding=8, dropout=0.0))
    has_source = name != "language_model"
    network = build(blueprint, Sizes(len(codec.vocabulary) if has_source else 0, len(codec.vocabulary))).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter)).mul_(1.5)
        network.decoder.output.weight.mul_(2)
        network.decoder.output.bias[EOS] -= 0.5
    return Model(TorchEngine(network), codec if has_source else None, codec, max_length=9, name=name)


@pytest.fixture(scope="module", params=["attention", "plain"])
def model(request: pytest.FixtureRequest) -> Model:
    return random_model(request.param)


@pytest.fixture(scope="module")
def looking() -> Model:
    return random_model("attention")


@pytest.fixture(scope="module")
def language_model() -> Model:
    return random_model("language_model")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    chance = random.Random(1)
    return ["".join(chance.choices(LETTERS, k=chance.randint(1, 8))) for _ in range(24)]


def forced(model: Model, text: str, tokens: list[str]) -> torch.Tensor:
    """The log-probabilities [T V] of what could have stood in the place of each token, what never comes at -inf."""
    assert model.source_codec is not None
    source = torch.tensor([model.source_codec.encode(text)])
    ids = ids_of(tokens)
    with torch.inference_mode():
        logits = model.engine.network(Padded(source, torch.tensor([source.size(1)])), torch.tensor([[BOS, *ids[:-1]]]))
    return logits[0].log_softmax(-1).index_fill(-1, torch.tensor(NEVER_GENERATED), -math.inf)


def ids_of(tokens: list[str]) -> list[int]:
    return [EOS if token == "<eos>" else CODEC.vocabulary.id(token) for token in tokens]


def token_lists(answers: list[Prediction]) -> list[list[str]]:
    return [answer.target_tokens for answer in answers]


# --- several answers ------------------------------------------------------------------------------------------------


def test_the_best_of_a_beam_are_distinct_and_best_first(model: Model, texts: list[str]) -> None:
    answers = model.predict(texts, beam=6, n_best=4)
    for answer, alone in zip(answers, model.predict(texts, beam=6), strict=True):
        assert len(answer.alternatives) == 3
        assert [each.target_tokens for each in answer.all][1:] == token_lists(list(answer.alternatives))
        assert answer.all[0].target_tokens == answer.target_tokens
        assert all(each.alternatives == () for each in answer.all)
        assert len({tuple(each.target_tokens) for each in answer.all}) == 4
        keys = [(not each.finished, -each.log_prob) for each in answer.all]
        assert keys == sorted(keys)
        assert alone.alternatives == ()
        assert alone.target_tokens == answer.target_tokens  # asking for more changes nothing of the first


def test_the_ranking_divides_by_the_length_penalty(looking: Model, texts: list[str]) -> None:
    def key(answer: Prediction) -> tuple[bool, float]:
        return not answer.finished, -answer.log_prob / ((5 + len(answer.target_tokens)) / 6) ** 2.0

    wide: dict[str, Any] = {"beam": 12, "n_best": 6, "max_length": 20}
    answers = looking.predict(texts, length_penalty=2.0, **wide)
    for answer in answers:
        keys = [key(each) for each in answer.all]
        assert keys == sorted(keys)
    plain = looking.predict(texts, **wide)
    orders = [[[each.target_tokens for each in answer.all] for answer in given] for given in (answers, plain)]
    assert orders[0] != orders[1]
    lengths = [sum(len(tokens) for answer in order for tokens in answer) for order in orders]
    assert lengths[0] > lengths[1]  # longer answers are favored


def test_a_beam_ranks_by_the_length_penalty_of_the_model_unless_told_otherwise(texts: list[str]) -> None:
    model, own = random_model("attention"), random_model("attention")
    own.length_penalty = 2.0
    wide: dict[str, Any] = {"beam": 12, "n_best": 6, "max_length": 20}
    penalized = model.predict(texts, length_penalty=2.0, **wide)
    assert own.predict(texts, **wide) == penalized
    assert [answer for _, answer in own.stream(texts, **wide)] == penalized
    assert own.predict(texts, GenerationOptions(**wide)) == penalized
    assert own.predict(texts, length_penalty=0, **wide) == model.predict(texts, **wide) != penalized
    assert own.predict(texts) == model.predict(texts)  # of no beam
    drawn: dict[str, Any] = {"sample": True, "n_best": 2}
    assert own.predict(texts, **drawn) == model.predict(texts, **drawn)


def test_groups_find_more_different_answers(model: Model, texts: list[str]) -> None:
    wide: dict[str, Any] = {"beam": 8, "n_best": 8}

    def beginnings(answers: list[Prediction]) -> float:
        return sum(len({each.text[:2] for each in answer.all}) / len(answer.all) for answer in answers)

    plain = model.predict(texts, **wide)
    assert model.predict(texts, beam_groups=1, **wide) == plain
    diverse = model.predict(texts, beam_groups=4, diversity=3.0, **wide)
    assert beginnings(diverse) > beginnings(plain)
    assert beginnings(diverse) > beginnings(model.predict(texts, beam_groups=4, diversity=0.1, **wide))
    for answer in diverse:
        assert answer.log_prob == pytest.approx(sum(answer.token_log_probs), abs=1e-4)


def test_the_answer_of_least_risk_is_one_of_the_beam(model: Model, texts: list[str]) -> None:
    plain = model.predict(texts, beam=8, n_best=8)
    ranked = model.predict(texts, beam=8, n_best=3, mbr="cer")
    for answer, whole in zip(ranked, plain, strict=True):
        expected = least_risk(whole.all, "cer", are_samples=False)[:3]
        assert [each.text for each in answer.all] == [each.text for each in expected]
        assert [each.score for each in answer.all] == pytest.approx([each.score for each in expected], abs=1e-4)
    assert [answer.text for answer in ranked] != [answer.text for answer in plain]
    assert [answer for _, answer in model.stream(texts, beam=8, n_best=3, mbr="cer")] == ranked


def test_the_answer_of_least_risk_is_one_of_the_samples(model: Model, texts: list[str]) -> None:
    drawn = model.predict(texts, sample=True, n_best=20, seed=3)
    ranked = model.predict(texts, sample=True, mbr="chrf", mbr_samples=20, seed=3)
    best = [least_risk(whole.all, "chrf", are_samples=True)[0].text for whole in drawn]
    assert [answer.text for answer in ranked] == best
    assert all(not answer.alternatives for answer in ranked)
    assert model.predict(texts, sample=True, mbr="chrf", seed=3) == model.predict(
        texts, sample=True, mbr="chrf", mbr_samples=50, seed=3, batch_size=7
    )


def test_the_ranking_pays_for_what_was_not_looked_at(looking: Model, texts: list[str]) -> None:
    def key(answer: Prediction) -> tuple[bool, float]:
        assert answer.weights is not None
        looked = np.minimum(answer.weights.astype(float).sum(0), 1)
        return not answer.finished, -(answer.log_prob + 3.0 * np.log(looked).sum())

    answers = looking.predict(texts, beam=6, n_best=6, coverage_penalty=3.0)
    for answer in answers:
        keys = [key(each) for each in answer.all]
        assert [k[0] for k in keys] == sorted(k[0] for k in keys)
        assert all(after[1] >= before[1] - 1e-4 for before, after in pairwise(keys) if before[0] == after[0])
        assert [each.score for each in answer.all] == pytest.approx([-key(each)[1] for each in answer.all], abs=1e-4)
    assert token_lists(answers) != token_lists(looking.predict(texts, beam=6, n_best=6))


def test_the_first_of_several_draws_is_the_one_drawn_alone(model: Model, texts: list[str]) -> None:
    alone = model.predict(texts, sample=True, seed=5)
    several = model.predict(texts, sample=True, seed=5, n_best=4)
    more = model.predict(texts, sample=True, seed=5, n_best=6)
    assert token_lists(several) == token_lists(alone)
    for few, many in zip(several, more, strict=True):
        assert [a.target_tokens for a in few.all] == [a.target_tokens for a in many.all][:4]
    assert any(len({a.text for a in answer.all}) > 1 for answer in several)
    assert len({tuple(a.text for a in answer.all) for answer in model.predict(["abc"] * 5, sample=True, n_best=4)}) > 1


# --- draws ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}, {"temperature": 1e-6}])
def test_the_narrowest_draw_is_greedy(model: Model, texts: list[str], option: dict[str, Any]) -> None:
    assert token_lists(model.predict(texts, sample=True, **option)) == token_lists(model.predict(texts))


@pytest.mark.parametrize("option", [{"top_k": 3}, {"top_p": 0.6}, {"min_p": 0.5}])
def test_a_draw_comes_from_the_more_probable_part(model: Model, texts: list[str], option: dict[str, Any]) -> None:
    def outside(answers: list[Prediction]) -> int:
        """Tokens that the option rules out, by hand."""
        count = 0
        for text, answer in zip(texts, answers, strict=True):
            for row, token in zip(forced(model, text, answer.target_tokens), ids_of(answer.target_tokens), strict=True):
                shares = row.double().div(2.0).softmax(-1)  # the temperature comes first
                more_probable = shares[shares > shares[token] + 1e-6]
                count += (
                    ("top_k" in option and len(more_probable) >= option["top_k"])
                    or ("top_p" in option and float(more_probable.sum()) >= option["top_p"] + 1e-5)
                    or ("min_p" in option and float(shares[token] / shares.max()) < option["min_p"] - 1e-5)
                )
        return count

    drawn = {"sample": True, "temperature": 2.0, "min_length": 1}
    assert outside(model.predict(texts, **drawn, **option)) == 0
    assert outside(model.predict(texts, **drawn)) > 10  # else the option would change nothing


def test_the_temperature_and_the_seed_change_the_draw(model: Model, texts: list[str]) -> None:
    drawn = [token_lists(model.predict(texts, sample=True, **more)) for more in ({}, {"seed": 1}, {"temperature": 3.0})]
    assert drawn[0] != drawn[1]
    assert drawn[0] != drawn[2]


# --- lengths --------------------------------------------------------------------------------------------------------

WAYS: dict[str, dict[str, Any]] = {"greedy": {}, "beam": {"beam": 4}, "sampling": {"sample": True}}


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def test_lengths_count_the_end(model: Model, texts: list[str], way: dict[str, Any]) -> None:
    free = [len(answer.target_tokens) for answer in model.predict(texts, min_length=1, **way)]
    assert min(free) < 5
    assert max(free) > 5
    for answer in model.predict(texts, min_length=5, **way):
        assert len(answer.target_tokens) >= 5
    for answer in model.predict(texts, max_length=5, **way):
        assert len(answer.target_tokens) <= 5
        assert answer.finished == (answer.target_tokens[-1] == "<eos>")
    for answer in model.predict(texts, min_length=5, max_length=5, **way):
        assert len(answer.target_tokens) == 5


def test_what_is_long_enough_stays_as_it_is(model: Model, texts: list[str]) -> None:
    for answer, free in zip(model.predict(texts, min_length=4), model.predict(texts), strict=True):
        if len(free.target_tokens) >= 4:
            assert answer.target_tokens == free.target_tokens


def test_a_least_above_the_usual_most_is_given(model: Model, texts: list[str], way: dict[str, Any]) -> None:
    assert model.max_length == 9
    assert all(len(answer.target_tokens) >= 14 for answer in model.predict(texts, min_length=14, **way))
    for text, answer in zip(texts, model.predict(texts, min_ratio=4.0, **way), strict=True):
        assert len(answer.target_tokens) - answer.finished >= 4 * len(text)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.3])
def test_ratios_count_the_end_on_neither_side(
    model: Model, texts: list[str], way: dict[str, Any], ratio: float
) -> None:
    for text, answer in zip(texts, model.predict(texts, min_ratio=ratio, max_length=50, **way), strict=True):
        assert len(answer.target_tokens) - 1 >= ratio * len(text)
    for text, answer in zip(texts, model.predict(texts, max_ratio=ratio, **way), strict=True):
        assert len(answer.target_tokens) - 1 <= math.ceil(ratio * len(text))
    exact = model.predict(texts, min_ratio=1.0, max_ratio=1.0, max_length=50, **way)
    assert [len(answer.target_tokens) for answer in exact] == [len(text) + 1 for text in texts]


def test_where_least_and_most_cannot_both_be_the_most_counts(model: Model) -> None:
    (short, long) = model.predict(["a", "abcdefgabc"], min_length=6, max_ratio=1.0)
    assert len(short.target_tokens) == 2
    assert len(long.target_tokens) >= 6


# --- what has to stand in an answer, and what may not ---------------------------------------------------------------


def test_every_answer_begins_with_the_prefix(model: Model, texts: list[str], way: dict[str, Any]) -> None:
    answers = model.predict(texts, prefix="gab", **way)
    assert not any(answer.text.startswith("gab") for answer in model.predict(texts, **way))
    for text, answer in zip(texts, answers, strict=True):
        assert answer.text.startswith("gab")
        assert answer.target_tokens[:3] == ["g", "a", "b"]
        rows = forced(model, text, answer.target_tokens)
        by_hand = rows.gather(1, torch.tensor(ids_of(answer.target_tokens))[:, None]).sum().item()
        assert answer.log_prob == pytest.approx(by_hand, rel=1e-4)  # the prefix counts, as if the model had chosen it
        if answer.weights is not None:
            assert len(answer.weights) == len(answer.target_tokens)


@pytest.mark.parametrize("unit", ["words", "symbols", "bpe", "unigram", "characters", "graphemes", "bytes"])
@pytest.mark.parametrize("protected", [None, "<[^<>]*>"])
def test_a_blank_at_the_end_of_a_prefix_is_left_out_where_the_next_word_brings_its_own(
    unit: str, protected: str | None
) -> None:
    options = TextOptions(unit, unit, protect=protected)  # type: ignore[arg-type]
    _, codec = build_examples(options, [Pair("one two", "one two <x>")] * 9, has_source=True)[0]
    model = random_model("attention", codec=codec)
    (one,), (blank,) = (model.predict("two", prefix=prefix) for prefix in ("one", "one "))
    if unit in ("characters", "graphemes", "bytes"):
        assert blank.target_tokens[:4] == ["o", "n", "e", " "]
    else:
        assert blank == one
        assert "one  " not in blank.text


def test_the_prefix_of_the_free_answer_changes_nothing(model: Model, texts: list[str]) -> None:
    for text, answer in zip(texts, model.predict(texts), strict=True):
        (again,) = model.predict(text, prefix=answer.text[:3])
        assert again.target_tokens == answer.target_tokens
        assert again.log_prob == pytest.approx(answer.log_prob, rel=1e-5)


def test_no_answer_contains_what_is_forbidden(model: Model, texts: list[str], way: dict[str, Any]) -> None:
    free = model.predict(texts, **way)
    pairs = {answer.text[place : place + 2] for answer in free for place in range(len(answer.text) - 1)}
    often = sorted(pairs, key=lambda pair: -sum(pair in answer.text for answer in free))[:2]
    single = max(LETTERS, key=lambda letter: sum(letter in answer.text for answer in free))
    for forbidden in (often, [single], [*often, single]):
        answers = model.predict(texts, forbid=forbidden, **way)
        assert sum(part in answer.text for answer in free for part in forbidden) > 1
        assert not any(part in answer.text for answer in answers for part in forbidden)
        for before, after in zip(free, answers, strict=True):
            if not way and not any(part in before.text for part in forbidden):
                assert after.target_tokens == before.target_tokens


@pytest.mark.parametrize("beam", [1, 5])
@pytest.mark.parametrize("wanted", [["fe"], ["cc", "gd"], ["abc", "bcd"]])
def test_every_answer_contains_what_has_to_come(model: Model, texts: list[str], beam: int, wanted: list[str]) -> None:
    free = model.predict(texts, beam=beam)
    assert not all(part in answer.text for answer in free for part in wanted)
    for answer in model.predict(texts, contain=wanted, beam=beam, max_length=20):
        assert all(part in answer.text for part in wanted)
    if beam > 1:
        for answer in model.predict(texts, contain=wanted, beam=beam, n_best=3, max_length=20):
            assert all(part in each.text for each in answer.all for part in wanted)


def test_where_it_cannot_come_there_is_no_answer(model: Model) -> None:
    def is_nothing(answer: Prediction) -> bool:
        return (answer.text, answer.target_tokens, answer.finished, answer.log_prob) == ("", [], False, -math.inf)

    for answers in (
        model.predict(["abc", "de"], contain=["abc", "def"], max_length=4),  # each fits, but not both
        model.predict(["abc", "de"], contain=["ab"], forbid=["b"]),
        model.predict(["a", "b"], contain=["ab"], max_ratio=1.0),
        model.predict(["a", "b"], prefix="ab", max_ratio=1.0),
        model.predict(["a", "b"], prefix="ab", max_ratio=1.0, beam=3),
        model.predict(["a", "b"], prefix="ab", max_ratio=1.0, sample=True, n_best=2),
    ):
        assert all(map(is_nothing, answers))
    short, long = model.predict(["a", "abcd"], contain=["ab"], max_ratio=1.0)  # one text's misfortune is its own
    assert is_nothing(short)
    assert "ab" in long.text
    short, long = model.predict(["a", "abcd"], prefix="ab", max_ratio=1.0)
    assert is_nothing(short)
    assert long.text.startswith("ab")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_so_many_tokens_never_come_twice(model: Model, texts: list[str], way: dict[str, Any], size: int) -> None:
    def repeats(answer: Prediction) -> bool:
        text = answer.text
        runs = [text[place : place + size] for place in range(len(text) - size + 1)]
        return len(set(runs)) < len(runs)

    long = {"min_length": 12 if size > 1 else 4}
    assert any(map(repeats, model.predict(texts, **long, **way)))
    assert not any(map(repeats, model.predict(texts, no_repeat=size, **long, **way)))


def test_options_keep_together(model: Model, texts: list[str]) -> None:
    for answer in model.predict(
        texts, beam=5, n_best=2, prefix="g", contain=["fe"], forbid=["aa"], no_repeat=2, min_length=6, max_length=12
    ):
        for each in answer.all:
            assert each.text.startswith("g")
            assert "fe" in each.text
            assert "aa" not in each.text
            assert 6 <= len(each.target_tokens) <= 12


def test_phrases_are_tokens_not_letters() -> None:
    model = random_model("attention", codec=SYMBOLS)
    (answer,) = model.predict("one two", contain=["four three"], prefix="two", beam=4)
    assert answer.target_tokens[0] == "two"
    assert "four three" in answer.text
    for option in ("contain", "forbid"):
        with pytest.raises(ConfigError, match="token") as caught:
            model.predict("one", **{option: [" "]})
        assert caught.value.where == option


def test_a_language_model_takes_the_options_too(language_model: Model) -> None:
    prompts = ["abc", "", "g"]
    for prompt, answer in zip(prompts, language_model.predict(prompts, contain=["fe"], beam=3, n_best=2), strict=True):
        assert answer.text.startswith(prompt)
        assert all("fe" in "".join(each.target_tokens) for each in answer.all)
    for answer in language_model.predict(prompts, min_length=4, max_length=6, forbid=["a"], no_repeat=2, sample=True):
        assert 4 <= len(answer.target_tokens) <= 6
        assert "a" not in answer.target_tokens


def test_what_a_prompt_ends_with_counts(language_model: Model, way: dict[str, Any]) -> None:
    """Neither begun in the prompt and ended in the answer, nor repeated from it."""
    prompts = ["ab", "gfa", "cde"]
    free = language_model.predict(prompts, min_length=4, max_length=6, **way)
    for prompt, before in zip(prompts, free, strict=True):
        forbidden = before.text[len(prompt) - 1 : len(prompt) + 1]
        (answer,) = language_model.predict(prompt, min_length=4, max_length=6, forbid=[forbidden], **way)
        assert forbidden not in answer.text
    for answer in language_model.predict(prompts, no_repeat=1, max_length=4, **way):
        assert len(set(answer.text)) == len(answer.text)


def test_where_nothing_can_follow_there_is_no_answer(model: Model, texts: list[str], way: dict[str, Any]) -> None:
    """No half of an answer that breaks off inside its own prefix."""
    for options in ({"prefix": "abb", "forbid": ["bb"]}, {"prefix": "aa", "no_repeat": 1}):
        for answer in model.predict(texts, **options, **way):
            assert (answer.text, answer.finished, answer.log_prob) == ("", False, -math.inf)


def test_with_penalties_the_score_is_what_was_ranked_by(model: Model, texts: list[str]) -> None:
    for answer in model.predict(texts, beam=4, n_best=4, length_penalty=0.9):
        for each in answer.all:
            assert each.score == pytest.approx(each.log_prob / ((5 + len(each.target_tokens)) / 6) ** 0.9)
    for answer in model.predict(texts, beam=4, n_best=4):
        assert answer.score == pytest.approx(answer.log_prob / len(answer.target_tokens))


@given(
    text=st.text("ab", min_size=1, max_size=4),
    tokens=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=5, unique=True),
    emitted=st.lists(st.integers(0, 4), max_size=7),
)
def test_a_text_is_forbidden_in_whatever_tokens(text: str, tokens: list[str], emitted: list[int]) -> None:
    """The automaton against looking for the text in what is spelled."""
    spellings = ("", *tokens)
    ids = [number % len(spellings) for number in emitted]
    before = "".join(spellings[number] or "?" for number in ids)
    filter_ = ForbidSpelled([spelling_table(text, spellings)])
    found = filter_(np.zeros((1, len(spellings))), np.array([ids], dtype=np.int64), np.array([0]))[0]
    for token, log_prob in zip(spellings, found, strict=True):
        spelled = before[1 - len(text) :] if len(text) > 1 else ""
        assert (log_prob == -math.inf) == (bool(token) and text in spelled + token)


def test_of_subwords_no_spelling_gets_through(tmp_path: Path) -> None:
    """A piece with a blank in front, or a longer one, spells what is forbidden as well."""
    words = ["giant", "giants", "gigantic", "ant", "ants", "tan", "tin"]
    pairs = [(f"{one} {other}", f"{other} {one}") for one in words for other in words] * 3
    model = seq2see.train(
        pairs,
        out=tmp_path / "r",
        model="plain",
        settings={"text.source": "bpe", "text.target": "bpe", "text.min_count": 2, "model.width": 32}
        | {"training.max_updates": 60, "training.evaluate_every": 60, "training.precision": "float32"},
        device="cpu",
        quiet=True,
    )
    sources = [source for source, _ in pairs[:20]]
    free = [answer.text for answer in model.predict(sources, sample=True, seed=1)]
    two = next(text for text in free if " " in text[1:-1])
    across = two[two.index(" ", 1) - 1 : two.index(" ", 1) + 2]  # the end of a word and the beginning of the next
    for forbidden in ("ant", "gi", across):
        assert any(forbidden in text for text in free)
        for way in ({"sample": True, "seed": 1}, {}, {"beam": 3}):
            assert not any(forbidden in answer.text for answer in model.predict(sources, forbid=[forbidden], **way))


# --- what is refused ------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"beam": 0}, "beam", "at least 1"),
    ({"n_best": 0}, "n_best", "at least 1"),
    ({"batch_size": 0}, "batch_size", "at least 1"),
    ({"min_length": 0}, "min_length", "at least 1"),
    ({"max_length": 0}, "max_length", "at least 1"),
    ({"min_ratio": 0.0}, "min_ratio", "above 0"),
    ({"max_ratio": math.inf}, "max_ratio", "at most 1,000,000"),
    ({"max_ratio": math.nan}, "max_ratio", "above 0"),
    ({"min_length": 5, "max_length": 4}, "min_length, max_length", "swap"),
    ({"min_ratio": 2.0, "max_ratio": 1.0}, "min_ratio, max_ratio", "swap"),
    ({"n_best": 3}, "n_best", "--beam 5"),
    ({"n_best": 7}, "n_best", "--beam 7"),
    ({"n_best": 3, "beam": 2}, "n_best", "beam of 3"),
    ({"length_penalty": 1.0}, "length_penalty", "--beam"),
    ({"coverage_penalty": 1.0}, "coverage_penalty", "--beam"),
    ({"beam_groups": 2}, "beam_groups", "--beam"),
    ({"beam_groups": 4, "beam": 6}, "beam_groups", "beam of 8"),
    ({"diversity": 0.9, "beam": 6}, "diversity", "--beam-groups"),
    ({"beam": 6, "beam_groups": 2, "diversity": -0.1}, "diversity", "at least 0"),
    ({"sample": True, "beam_groups": 2}, "beam_groups", "one of the two"),
    ({"beam_steps": True}, "beam_steps", "--beam 5"),
    ({"sample": True, "beam_steps": True}, "beam_steps", "one of the two"),
    ({"beam": 2, "beam_steps": 1}, "beam_steps", "True or False"),
    ({"mbr": "cer"}, "mbr", "--beam 10 (beam=10), or --sample"),
    ({"mbr": "chr", "beam": 4}, "mbr", "'chrf'"),
    ({"mbr_samples": 20, "sample": True}, "mbr_samples", "--mbr"),
    ({"mbr_samples": 20, "beam": 4, "mbr": "cer"}, "mbr_samples", "--sample"),
    ({"mbr_samples": 1, "sample": True, "mbr": "cer"}, "mbr_samples", "at least 2"),
    ({"n_best": 51, "sample": True, "mbr": "cer"}, "n_best", "compare 51"),
    ({"length_penalty": -1.0, "beam": 2}, "length_penalty", "at least 0"),
    ({"coverage_penalty": math.nan, "beam": 2}, "coverage_penalty", "at least 0"),
    ({"temperature": 2.0}, "temperature", "--sample"),
    ({"top_k": 2}, "top_k", "--sample"),
    ({"top_p": 0.5}, "top_p", "--sample"),
    ({"min_p": 0.5}, "min_p", "--sample"),
    ({"seed": 1}, "seed", "--sample"),
    ({"sample": True, "beam": 2}, "beam", "one of the two"),
    ({"sample": True, "length_penalty": 1.0}, "length_penalty", "one of the two"),
    ({"sample": True, "placeholders": "a"}, "placeholders", "one of the two"),
    ({"sample": True, "glossary": {"a": "b"}}, "glossary", "one of the two"),
    ({"sample": True, "contain": ["a"]}, "contain", "one of the two"),
    ({"sample": True, "temperature": 0.0}, "temperature", "above 0"),
    ({"sample": True, "top_k": 0}, "top_k", "at least 1"),
    ({"sample": True, "top_p": 0.0}, "top_p", "above 0"),
    ({"sample": True, "top_p": 1.5}, "top_p", "at most 1"),
    ({"sample": True, "min_p": -0.1}, "min_p", "at least 0"),
    ({"sample": True, "seed": -1}, "seed", "at least 0"),
    ({"no_repeat": -1}, "no_repeat", "at least 0"),
    ({"top_tokens": -1}, "top_tokens", "at least 0"),
    ({"top_tokens": 101}, "top_tokens", "at most 100"),
    ({"beam": 10**20}, "beam", "at most 1,000"),
    ({"max_length": 100_001}, "max_length", "at most 100,000"),
    ({"min_length": 1_000_000}, "min_length", "at most 100,000"),
    ({"beam": 5, "length_penalty": 1000.0}, "length_penalty", "at most 100"),
    ({"max_ratio": 1e19}, "max_ratio", "at most 1,000,000"),
    ({"forbid": "ab"}, "forbid", "give forbid=['ab']"),
    ({"contain": "ab"}, "contain", "give contain=['ab']"),
    ({"forbid": [""]}, "forbid[0]", "leave it out"),
    ({"contain": ["a", ""]}, "contain[1]", "leave it out"),
    ({"placeholders": "("}, "placeholders", r"\{\w+\}"),
    ({"glossary": {"a": ""}}, "glossary", "leave it out"),
    ({"glossary": {" ": "b"}}, "glossary", "leave it out"),
    # of the wrong type
    ({"placeholders": None}, "placeholders", "a text"),
    ({"glossary": 5}, "glossary", "the name of a file"),
    ({"glossary": ""}, "glossary", "the name of a file"),
    ({"glossary": {"a": 5}}, "glossary", "leave it out"),
    ({"strict": "yes"}, "strict", "True or False"),
    ({"max_input_length": 0}, "max_input_length", "at least 1"),
    ({"beam": "5"}, "beam", "a whole number"),
    ({"beam": 2.5}, "beam", "a whole number"),
    ({"beam": True}, "beam", "a whole number"),
    ({"beam": None}, "beam", "a whole number"),
    ({"beam": [5]}, "beam", "a whole number"),
    ({"sample": "yes"}, "sample", "True or False"),
    ({"temperature": "hot", "sample": True}, "temperature", "a number"),
    ({"prefix": None}, "prefix", "a text"),
    ({"prefix": b"a"}, "prefix", "a text"),
    ({"contain": [["x"]]}, "contain[0]", "a text"),
    ({"contain": ["x", None]}, "contain[1]", "a text"),
    ({"forbid": 5}, "forbid", "a list"),
]


@pytest.mark.parametrize(("options", "where", "fix"), REFUSED, ids=str)
def test_what_cannot_be_or_changes_nothing_is_refused(options: dict[str, Any], where: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GenerationOptions(**options)
    assert caught.value.where == where
    assert fix in caught.value.fix


def test_every_option_has_a_refusal_or_cannot_be_wrong() -> None:
    tried = {name for options, _, _ in REFUSED for name in options}
    assert {field.name for field in fields(GenerationOptions)} - tried == set()


OF_A_MODEL: list[tuple[str, dict[str, Any], str, str]] = [
    ("plain", {"prefix": "xaz"}, "prefix", "'x', 'z'"),
    ("plain", {"contain": ["ax"]}, "contain", "'x'"),
    ("plain", {"prefix": "abc", "max_length": 3}, "prefix", "at least 4"),
    ("plain", {"prefix": "a" * 9}, "prefix", "at least 10"),
    ("plain", {"contain": ["a" * 9]}, "contain", "at least 10"),
    ("plain", {"coverage_penalty": 1.0, "beam": 2}, "coverage_penalty", "with attention"),
    ("language_model", {"prefix": "a"}, "prefix", "as the text"),
    ("language_model", {"placeholders": "a"}, "placeholders", "use contain"),
    ("language_model", {"glossary": {"a": "b"}}, "glossary", "use contain"),
    ("language_model", {"min_ratio": 1.0}, "min_ratio", "min_length"),
    ("language_model", {"max_ratio": 1.0}, "max_ratio", "max_length"),
]


@pytest.mark.parametrize(("name", "options", "where", "said"), OF_A_MODEL, ids=str)
def test_what_a_model_cannot_follow_is_refused_before_the_first_text(
    name: str, options: dict[str, Any], where: str, said: str
) -> None:
    model = random_model(name)
    asked: list[str] = []

    def texts() -> Iterator[str]:
        asked.append("a")
        yield "a"

    for attempt in (
        lambda: model.predict(["a"], **options),
        lambda: model.stream(texts(), GenerationOptions(**options)),
    ):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert caught.value.where == where
        assert said in str(caught.value)
    assert asked == []


def test_an_option_that_is_none_is_refused_with_the_nearest(model: Model) -> None:
    for name, ours in {
        "beam_size": "beam",
        "num_beams": "beam",
        "max_new_tokens": "max_length",
        "nbest": "n_best",
    }.items():
        with pytest.raises(ConfigError, match=f"unknown option '{name}'") as caught:
            model.predict("ab", **{name: 5})  # type: ignore[arg-type]
        assert caught.value.fix == f"it is called {ours} here"
    with pytest.raises(ConfigError, match="unknown option 'beem'") as caught:
        model.predict("a", beem=2)
    assert caught.value.fix == "did you mean 'beam'?"


def test_what_fits_exactly_is_answered(model: Model) -> None:
    (answer,) = model.predict("abc", prefix="abc", max_length=4)
    assert answer.text[:3] == "abc"
    (answer,) = model.predict("abc", contain=["abc"], max_length=4)
    assert answer.target_tokens[:3] == ["a", "b", "c"]


def test_numbers_of_numpy_are_taken() -> None:
    options = GenerationOptions(beam=np.int64(3), n_best=np.int32(2), length_penalty=np.float32(0.5))  # type: ignore[arg-type]
    assert (options.beam, options.n_best, options.length_penalty) == (3, 2, 0.5)
    assert type(options.beam) is int


def test_the_keyword_arguments_are_the_fields_of_the_options() -> None:
    """What type checkers see of `predict` and `stream`, what `help` shows, and what the command takes: one list."""
    hints = get_type_hints(GenerationOptions)
    arguments = get_type_hints(GenerationArguments)
    assert list(arguments) == [field.name for field in fields(GenerationOptions)]
    per_text = {
        "prefix": str | Iterable[str | None],
        **dict.fromkeys(["min_length", "max_length"], int | Iterable[int | None] | None),
        **dict.fromkeys(["contain", "forbid"], Sequence[str] | Iterable[Iterable[str] | None]),
    }
    assert set(per_text) == set(PER_TEXT)
    glossary = {"glossary": Mapping[str, str] | str | Path | Glossary | None}
    for name, kind in arguments.items():
        assert kind == (per_text | glossary).get(name, hints[name]), name
    for function in (Predictor.predict, Predictor.stream):
        shown = signature(function).parameters
        assert set(arguments) <= set(shown)
        assert {name: shown[name].default for name in arguments} == vars(GenerationOptions())
        assert {name: eval(shown[name].annotation, vars(options_module)) for name in arguments} == arguments


def test_options_and_changes_of_them_can_be_given_together(model: Model) -> None:
    options = GenerationOptions(beam=3)
    assert model.predict("abc", options) == model.predict("abc", beam=3)
    assert model.predict("abc", options, n_best=2)[0].alternatives


@pytest.mark.parametrize("texts", [None, 5, b"abc", True])
def test_what_is_no_text_is_refused(model: Model, texts: Any) -> None:
    for use in (model.predict, model.stream):
        with pytest.raises(ConfigError, match="must be a text or several"):
            use(texts)


def test_any_iterable_of_texts_is_taken(model: Model) -> None:
    expected = model.predict(["abc", "de"])
    assert model.predict(text for text in ("abc", "de")) == expected
    assert model.predict(np.array(["abc", "de"])) == expected
    for wrong in ({"abc": 1, "de": 2}, {"abc", "de"}):
        with pytest.raises(ConfigError, match="several in order"):
            model.predict(wrong)
    with pytest.raises(DataError, match="text 2"):
        model.predict(["abc", 5])  # type: ignore[list-item]


@pytest.mark.parametrize("size", [0, -1, 2.5, "7", None, True])
def test_chunks_of_no_size_are_refused(model: Model, size: Any) -> None:
    with pytest.raises(ConfigError, match="chunk_size"):
        model.stream(["a"], chunk_size=size)


def test_lists_become_tuples_so_that_options_can_be_kept() -> None:
    options = GenerationOptions(forbid=["a"], contain=["b"])  # type: ignore[arg-type]
    assert hash(options) == hash(replace(options))


def test_a_model_keeps_which_n_grams_its_answers_may_not_repeat(tmp_path: Path) -> None:
    pairs = [(f"{a}{b}", "aaaa") for a in "abcd" for b in "abcd"]
    settings = {
        **{"training.max_updates": 40, "training.evaluate_every": 40, "training.no_repeat": 1, "model.width": 16},
        **{
            "model.name": "attention",
            "text.target": "characters",
            "data.dev_share": 0.2,
            "training.precision": "float32",
        },
    }
    model = seq2see.train(pairs, out=tmp_path / "run", settings=settings, device="cpu", quiet=True)
    assert model.no_repeat == 1
    assert model.predict("ab")[0].text == "a"
    assert model.predict("ab", no_repeat=0)[0].text.startswith("aa")
    assert model.predict("ab", no_repeat=3)[0].text.startswith("aa")
    assert seq2see.load([tmp_path / "run"] * 2, device="cpu").predict("ab")[0].text == "a"


@pytest.mark.parametrize(
    ("options", "name", "fix"),
    [
        (GenerationOptions, "num_beams", "it is called beam here"),
        (GenerationOptions, "temprature", "did you mean 'temperature'?"),
        (Constraints, "max_new_tokens", "it is called max_length here"),
        (BatchOptions, "bsz", "it is called batch_size here"),
        (EvaluationOptions, "metric", "it is called metrics here"),
    ],
)
def test_an_option_of_another_name_is_refused_with_its_name_here(options: Any, name: str, fix: str) -> None:
    with pytest.raises(ConfigError, match=f"^{options.__name__}: unknown option '{name}'") as caught:
        options(**{name: 5})
    assert caught.value.fix == fix
    assert list(signature(options).parameters) == [each.name for each in fields(options)]
