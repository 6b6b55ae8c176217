"""Law: texts with constraints of their own are answered together as each is alone, on both engines, in any batch."""

from __future__ import annotations

import itertools
import random
from dataclasses import asdict, replace

import numpy as np
import pytest

from seq2see.inference import answering, constraints, searching
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.options import PER_TEXT, Constraints, GenerationOptions
from seq2see.inference.predictor import Predictor
from seq2see.inference.rules import Rules
from seq2see.run.state import to_numpy
from seq2see.storage.saved_model import SavedModel

BOUND = 1e-5
NUM = 14
WAYS = {
    "greedy": {},
    "beam": {"beam": 4},
    "n_best": {"beam": 4, "n_best": 3},
    "for all too": {"beam": 3, "length_penalty": 0.7, "contain": ("c",), "forbid": ("gg",), "max_length": 9},
    "placeholders": {"placeholders": "aa?", "no_repeat": 3},
    "glossary": {"glossary": {"bc": "gf", "d": "ee"}, "beam": 2},
    "sampling": {"sample": True, "seed": 3, "n_best": 2},
}


def of_each_text(seed: int = 0) -> list[Constraints]:
    """Mixed: some have none, some every kind, and no two the same number of phrases and ids."""
    chance = random.Random(seed)

    def some(most: int, length: int) -> tuple[str, ...]:
        return tuple(
            "".join(chance.choices("abcdefg", k=chance.randint(1, length))) for _ in range(chance.randint(0, most))
        )

    def own() -> Constraints:
        least = chance.choice([None, None, 3, 5])
        most = chance.choice([None, None, 6, 8])
        return Constraints(least, most, chance.choice(["", "a", "eb"]), some(3, 2), some(3, 3))

    return [own() if number % 3 else Constraints() for number in range(NUM)]


def texts() -> list[str]:
    chance = random.Random(5)
    return ["".join(chance.choices("abcdefg", k=chance.choice([1, 3, 3, 6]))) for _ in range(NUM)]


def supported(owns: list[Constraints], model: Predictor, **way: object) -> list[Constraints]:
    """Without what a language model, or sampling, doesn't have."""
    prefix = {} if model.source_codec else {"prefix": ""}
    contain = {"contain": ()} if "sample" in way else {}
    return [replace(own, **prefix, **contain) for own in owns]


def per_text(owns: list[Constraints]) -> dict[str, list[object]]:
    """As keyword arguments, without those that no text has."""
    columns = {name: [getattr(own, name) for own in owns] for name in PER_TEXT}
    return {name: values for name, values in columns.items() if any(values)}


def same(one, other):
    assert len(one.all) == len(other.all)
    for mine, its in zip(one.all, other.all, strict=True):
        assert (mine.text, mine.target_tokens, mine.finished) == (its.text, its.target_tokens, its.finished)
        assert mine.error == its.error == ""
        assert mine.log_prob == its.log_prob or abs(mine.log_prob - its.log_prob) <= BOUND * max(1, abs(its.log_prob))
        if mine.weights is not None:
            np.testing.assert_allclose(mine.weights, its.weights, rtol=0, atol=BOUND)


def check_satisfied(answer, own, text, is_prompt):
    """What every answer has, by looking at it."""
    for each in answer.all if answer.target_tokens else ():
        written = each.text[len(text) :] if is_prompt else each.text
        assert written.startswith(own.prefix)
        assert all(phrase in written for phrase in own.contain)
        assert not any(phrase in written for phrase in own.forbid)
        assert len(each.target_tokens) <= (own.max_length or 100)
        assert not each.finished or len(each.target_tokens) >= (own.min_length or 1)


def check_together_as_alone(model, way, owns=None):
    given = texts() if model.source_codec else [text[:2] for text in texts()]
    owns = supported(owns or of_each_text(), model, **way)
    shared = GenerationOptions(**way)
    together = model.predict(given, shared, **per_text(owns))
    assert len({answer.text for answer in together}) > NUM // 2, "the answers are alike: this would show nothing"
    assert sum(bool(answer.target_tokens) for answer in together) > NUM // 2, "nothing was found"
    for text, own, answer in zip(given, owns, together, strict=True):
        check_satisfied(answer, own, text, model.source_codec is None)
    for batch_size in (1, 5):
        for one, other in zip(
            model.predict(given, shared, batch_size=batch_size, **per_text(owns)), together, strict=True
        ):
            same(one, other)
    streamed = model.stream(
        iter(given), shared, chunk_size=4, **{key: iter(each) for key, each in per_text(owns).items()}
    )
    for (_, one), other in zip(streamed, together, strict=True):
        same(one, other)
    if "sample" in way:  # a sample depends on the index of the text
        return
    for text, own, answer in zip(given, owns, together, strict=True):
        for_all = Constraints(*(way.get(name, default) for name, default in vars(Constraints()).items()))
        (alone,) = model.predict(text, **(way | vars(for_all.with_own(own))))
        same(alone, answer)


@pytest.fixture
def engines(new_predictor, codec):
    """Makes the same model on torch and on NumPy."""

    def new(blueprint):
        torch = new_predictor(blueprint)
        saved = SavedModel(
            {"model": asdict(blueprint)}, to_numpy(torch.engine.network.tensors()), torch.source_codec, codec
        )
        return torch, Predictor(make_numpy_engine(saved), torch.source_codec, codec, max_length=7, name=torch.name)

    return new


@pytest.mark.parametrize("way", WAYS)
def test_together_as_alone(way, blueprint, engines):
    check_on_both(*engines(blueprint("attention")), WAYS[way])


@pytest.mark.parametrize("way", ["greedy", "beam"])
def test_prompts_together_as_alone(way, blueprint, engines):
    check_on_both(*engines(blueprint("language_model")), WAYS[way])


def test_together_as_alone_in_every_architecture(architecture, engines):
    check_on_both(*engines(architecture), WAYS["n_best"])


def check_on_both(torch, numpy, way):
    for model in (torch, numpy):
        check_together_as_alone(model, way)
    owns = supported(of_each_text(), torch, **way)
    answers = [model.predict(texts(), GenerationOptions(**way), **per_text(owns)) for model in (torch, numpy)]
    for one, other in zip(*answers, strict=True):
        assert [each.target_tokens for each in one.all] == [each.target_tokens for each in other.all]


KEEPING = {"greedy": {}, "beam": {"beam": 4}, "penalty": {"beam": 3, "length_penalty": 0.7}, "n_best": WAYS["n_best"]}


@pytest.mark.parametrize("way", KEEPING)
@pytest.mark.parametrize("name", ["attention", "transducer"])
def test_an_answer_that_has_the_phrases_anyway_is_kept(name, way, blueprint, engines):
    for model in engines(blueprint(name)):
        free = model.predict(texts(), **KEEPING[way])
        parts = [["".join(answer.target_tokens[1:-1][-3:])] for answer in free]
        told = model.predict(texts(), **KEEPING[way], contain=[part if part[0] else None for part in parts])
        assert sum(len(part[0]) > 1 for part in parts) > NUM // 3, "the phrases are short: this would show nothing"
        for one, other in zip(told, free, strict=True):
            assert one.target_tokens == other.target_tokens
            assert one.log_prob == pytest.approx(other.log_prob, rel=BOUND)


@pytest.mark.parametrize("contain", [(), ("b",), ("b", "c"), ("abcde",), ("abc", "defg"), ("a" * 200,)])
@pytest.mark.parametrize("options", [{}, {"beam": 5}, {"beam": 24, "beam_groups": 3, "diversity": 1}])
def test_every_stage_of_progress_with_phrases_has_a_hypothesis(contain, options):
    options = GenerationOptions(**options)
    width = searching.num_with_phrases(options, Rules(contain=tuple(tuple(range(len(each))) for each in contain)))
    assert width >= options.beam and width % options.beam_groups == 0
    assert width // options.beam_groups >= min(1 + sum(map(len, contain)), searching.MOST_STAGES)
    if not contain:
        assert width == options.beam


# --- negative controls ----------------------------------------------------------------------------------------------


def prefixes_of_the_first(options, rules, *others, **more):
    return FILTERS(options, [rule._replace(prefix=rules[0].prefix) for rule in rules], *others, **more)


FILTERS = constraints.filters_of
WIDTHS = itertools.cycle([2, 2, 16])
BREAKAGES = {
    "what one forbids is forbidden to all": (
        constraints,
        "ForbidPhrases",
        lambda phrases, applies, new=constraints.ForbidPhrases: new(phrases),
    ),
    "the prefix of the first is that of all": (searching, "filters_of", prefixes_of_the_first),
    "nothing has to occur": (searching, "phrases_of", lambda rules, has_room: [() for _ in rules]),
    "the longest may all be as long": (
        searching,
        "max_lengths",
        lambda options, rules, lengths, default, get=searching.max_lengths: np.full_like(
            lengths, get(options, rules, lengths, default).max()
        ),
    ),
    "the number of hypotheses does not follow from the text": (
        answering,
        "num_with_phrases",
        lambda options, rules: next(WIDTHS),
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_it_notices(breakage, blueprint, engines, monkeypatch):
    module, name, broken = BREAKAGES[breakage]
    model, _ = engines(blueprint("attention"))
    check_together_as_alone(model, {})
    monkeypatch.setattr(module, name, broken)
    with pytest.raises(AssertionError):
        check_together_as_alone(model, {})
