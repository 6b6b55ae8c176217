"""Advice for every architecture and state of training: what it recommends is possible, and not so already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from seq2see.config import Config, make_config, option
from seq2see.curves.history import Point
from seq2see.evaluation import Estimate, SliceScores
from seq2see.metrics import METRICS, Interval
from seq2see.model import ARCHITECTURES, ModelOptions, resolve, to_options
from seq2see.pages import Evidence, advise
from seq2see.run.setup import setup_of
from seq2see.text import Codec, Codecs, make_tokenizer
from seq2see.text.options import TextOptions
from seq2see.training.options import TrainingOptions
from seq2see.training.setup import Setup, in_words
from seq2see.training.watch import DevAnswer, EvaluationRecord, diagnose

WITHOUT_ATTENTION = {"plain", "reverse", "peeky", "language_model", "transformer_language_model"}
SIZES = [
    {},
    {"dropout": 0.0},
    {"dropout": 0.6, "width": 64},
    {"width": 72, "layers": 6, "dropout": 0.5},
]
UNITS = ["characters", "words", "symbols"]


def codecs_of(unit: str, *, has_source: bool) -> Codecs:
    codec = Codec.build(make_tokenizer(unit, "NFC"), ["a b"])
    return (codec if has_source else None), codec


def configurations() -> Iterator[tuple[str, Config]]:
    for name, sizes in product(ARCHITECTURES, SIZES):
        given = dict(sizes)
        if ARCHITECTURES[name].min_layers > given.get("layers", 9):
            continue
        directions = ("forward", "both", "backward") if name in ("attention", "plain", "input_feeding") else (None,)
        for direction, start_from in product(directions, (None, "runs/old")):
            options = to_options(resolve(ModelOptions(name=name, direction=direction, **given)))
            training = TrainingOptions(
                rate=1e-3, max_updates=600, patience=3 if sizes else None, clip=0.1 if sizes else 1.0,
                start_from=start_from,
            )  # fmt: skip
            yield name, Config(model=options, training=training)


def everything_wrong(setup: Setup, *, has_settled: bool) -> list[str]:
    """The advice of training and of the report where each problem was found."""
    looping = [DevAnswer(f"{n}", "a" * 40, "b" * 10, ("a",) * 40, 10, False) for n in range(20)]
    copied = [DevAnswer(f"s{n}", f"s{n}", "t", ("s",), 1, True) for n in range(20)]
    losses = (1.0, 1.1, 1.2, 1.3) if has_settled else (3.0, 2.0, 1.5, 1.0)
    course = [EvaluationRecord(1 - number / 9, loss, 0.1) for number, loss in enumerate(losses)]
    unknown = dict.fromkeys(setup.units, 0.5)
    found = [each.advice for answers in (looping, copied) for each in diagnose(answers, unknown, course, setup)]
    points = [Point(150 * (number + 1), loss) for number, loss in enumerate(losses)]
    scale = METRICS["exact_match"]([], []).scale
    slices = [
        SliceScores("length", name, 50, {"exact_match": Estimate(sum(ends) / 2, Interval(*ends))})
        for name, ends in (("1-3", (0.8, 0.9)), ("4-6", (0.5, 0.6)), ("7-9", (0.1, 0.2)))
    ]
    evidence = Evidence(
        points, "all updates done", setup, 5, train_loss=1.0, loss=1.0, count=500, num_known=0, num_unknown=500,
        scale=scale, by_length=slices,
    )  # fmt: skip
    each = [evidence, replace(evidence, loss=3.0)]
    return [*found, *(advice.what for one in each for advice in advise(one))]


@pytest.mark.parametrize("has_settled", [True, False])
@pytest.mark.parametrize("unit", UNITS)
def test_what_is_advised_is_possible_and_new(unit: str, has_settled: bool) -> None:
    num_settings = 0
    for name, config in configurations():
        codecs = codecs_of(unit, has_source=ARCHITECTURES[name].has_source)
        sides = ("source", "target") if codecs[0] else ("target",)
        config = replace(config, text=TextOptions(**dict.fromkeys(sides, unit)))
        blueprint = resolve(config.model)
        setup = setup_of(config, blueprint, codecs, num_pairs=500, has_attention=name not in WITHOUT_ATTENTION)
        for advice in everything_wrong(setup, has_settled=has_settled):
            assert advice.strip()
            for model in re.findall(r"--model (\w+)(?: or (\w+))?", advice):
                for other in filter(None, model):
                    assert other != name
                    assert setup.has_source
                    assert not setup.is_fixed
                    resolve(ModelOptions(name=other))
            for key, value in re.findall(r"(\w+\.\w+)=(\S+?)[,);.]*(?=\s|$)", advice):
                num_settings += 1
                now = make_config({}, {key: value})
                assert option(now, key) != option(config, key), advice
                if key.startswith("model."):
                    assert key == "model.dropout" or not setup.is_fixed
                    width = {"embedding": None, "feed_forward": None} if key == "model.width" else {}
                    resolve(replace(config.model, **{key[6:]: option(now, key)}, **width))
                if key.startswith("text."):
                    assert not setup.is_fixed
            assert "--beam" not in advice or "seq2see predict" in advice
            if setup.has_attention:
                assert "with attention" not in advice
            if setup.reads_both_ways:
                assert "both directions" not in advice
            if has_settled:
                assert "train longer" not in advice.lower() or setup.is_short
    assert num_settings > 100


def test_a_larger_model_is_advised_only_once_training_has_settled() -> None:
    settled, falling = (everything_wrong(Setup(max_updates=600), has_settled=each) for each in (True, False))
    assert any("larger model" in advice for advice in settled)
    assert not any("larger model" in advice for advice in falling)
    assert any("train longer" in advice.lower() for advice in falling)


@pytest.mark.parametrize(
    ("model", "reads_both_ways"),
    [
        ({"name": "attention"}, False),
        ({"name": "attention", "direction": "both"}, True),
        ({"name": "bidirectional"}, True),
        ({"name": "reverse"}, False),
        ({"name": "transformer"}, True),
        ({"name": "transformer_lstm"}, True),
        ({"name": "lstm_transformer"}, True),
        ({"name": "lstm_transformer", "direction": "forward"}, False),
    ],
)
def test_what_the_encoder_sees(model: dict[str, str], reads_both_ways: bool) -> None:
    blueprint = resolve(ModelOptions(**model))  # type: ignore[arg-type]
    setup = setup_of(Config(), blueprint, codecs_of("characters", has_source=True), num_pairs=10, has_attention=True)
    assert setup.reads_both_ways is reads_both_ways


def test_units_that_are_full_or_count() -> None:
    text = TextOptions(source="words", target="words", max_vocabulary=6)
    config, blueprint = Config(text=text), resolve(ModelOptions())
    setup = setup_of(config, blueprint, codecs_of("words", has_source=True), num_pairs=10, has_attention=True)
    advice = setup.known_tokens(["source"])
    assert advice == (
        "add training pairs with them, use smaller units (--set text.source=bpe), lower text.min_count, "
        "or raise text.max_vocabulary"
    )
    joint = replace(setup, is_joint=True)
    assert "text.source=bpe text.target=bpe" in joint.known_tokens(["source"])


def test_lists_in_words() -> None:
    assert [in_words(), in_words("", "a"), in_words("a", "b"), in_words("a", "", "b", "c")] == [
        "", "a", "a or b", "a, b, or c",
    ]  # fmt: skip
