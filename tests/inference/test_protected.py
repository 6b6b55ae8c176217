"""Models of texts with protected units: trained, packed, fine-tuned and constrained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import seq2see
from seq2see import Model, cli
from seq2see.data import Pair
from seq2see.data.building import build_examples
from seq2see.errors import ConfigError
from seq2see.inference.notes import Seen
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import ModelOptions, Sizes, build, resolve
from seq2see.text.options import TextOptions

from ..conftest import TINY

PATTERN = r"\{\w+\}|<[^<>]*>"
UNITS = ("characters", "graphemes", "bpe", "unigram", "words", "symbols", "bytes")
TEXTS = ["go to {city} now", "{a}{b} <V PST> xyz", "see {name}, {a}", "{ a } b y ein name tic PST"] * 5


@pytest.fixture(scope="module", params=UNITS)
def model(request: pytest.FixtureRequest) -> Model:
    """An untrained model."""
    torch.manual_seed(4)
    options = TextOptions("characters", request.param, protect=PATTERN)
    pairs = [Pair(text, text) for text in TEXTS]
    (source, target), _ = build_examples(options, pairs, has_source=True)
    assert source is not None
    sizes = Sizes(len(source.vocabulary), len(target.vocabulary))
    network = build(resolve(ModelOptions(name="attention", width=16, dropout=0.0)), sizes).eval()
    return Model(TorchEngine(network), source, target, max_length=16)


@pytest.mark.parametrize("way", [{}, {"beam": 3}])
def test_a_unit_is_forced_as_one_token(model: Model, way: dict[str, Any]) -> None:
    for answer in (
        model.predict(["go to {city} now"], placeholders=PATTERN, **way)[0],
        model.predict(["go"], contain=["{city}"], **way)[0],
        model.predict(["go"], prefix="{city}", **way)[0],
    ):
        assert "{city}" in answer.text
        assert "{city}" in answer.target_tokens
    (answer,) = model.predict(["go"], contain=["see {name}, {a}"], max_length=30, **way)
    assert model.target_codec.normalize("see {name}, {a}") in answer.text
    assert "{name}" in answer.target_tokens
    with pytest.raises(ConfigError, match=r"'\{new\}' was not in the model's training data"):
        model.predict(["go"], contain=["{new}"])


@pytest.mark.parametrize("way", [{}, {"beam": 3}, {"sample": True, "n_best": 8}])
def test_a_forbidden_unit_is_in_no_answer(model: Model, way: dict[str, Any]) -> None:
    texts = ["go", "see {name}", "a b c", "x y z", "{a}{b}", "tic"]

    def answers(**more: Any) -> list[str]:
        return [each.text for answer in model.predict(texts, **way, **more) for each in (answer, *answer.alternatives)]

    units = ["{city}", "<V PST>", "{name}", "{a}", "{b}"]
    assert not any(unit in answer for answer in answers(forbid=units) for unit in units)
    if model.target_codec.tokenizer.name not in ("words", "symbols"):  # these forbid whole words
        for part in ("a", "cit", "PST>", "<V"):
            assert not any(part in answer for answer in answers(forbid=[part]))


def test_a_unit_is_noted_as_a_whole_by_models_of_bytes() -> None:
    codec = build_examples(TextOptions("bytes", "bytes", protect=PATTERN), [Pair("see {name}", "x")], has_source=True)[
        0
    ][0]
    assert codec is not None
    seen = Seen(None, frozenset(codec.tokens(codec.encode("see {name}", end=False))))
    assert seen.unknown("see {name}", codec) == []
    assert seen.unknown("xe {zz}", codec) == ["x", "{zz}"]


def test_a_trained_model_copies_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["{name}", "{city}", "{n}"]
    pairs = [f"{word} {name}\t{name}" for word in ("a", "ab", "b", "ba", "aa", "bb", "bab") for name in names] * 4
    (tmp_path / "train.tsv").write_text("\n".join(pairs) + "\n")
    chosen = TINY | {
        "text.source": "characters",
        "text.target": "characters",
        "training.max_updates": 90,
        "training.rate": 0.02,
        "model.width": 16,
    }
    flags = [part for key, value in chosen.items() for part in ("--set", f"{key}={value}")]
    protect = ["--set", r"text.protect=\{\w+\}"]
    assert cli.run(["train", str(tmp_path / "train.tsv"), "--out", str(tmp_path / "run"), *flags, *protect]) == 0
    capsys.readouterr()
    texts = [f"abb {name}" for name in names]
    assert cli.run(["predict", str(tmp_path / "run"), *texts]) == 0
    assert capsys.readouterr().out.splitlines() == names
    seq2see.load(tmp_path / "run").pack(tmp_path / "small.seq2see", weights="float32")
    for path, engine in (
        (tmp_path / "run", "torch"),
        (tmp_path / "run", "numpy"),
        (tmp_path / "small.seq2see", "numpy"),
    ):
        answers = seq2see.load(path, engine=engine).predict(texts)  # type: ignore[arg-type]
        assert [answer.text for answer in answers] == names
        assert all(answer.target_tokens[0] == name for answer, name in zip(answers, names, strict=True))
        assert all(answer.source_tokens[-2] == name for answer, name in zip(answers, names, strict=True))
    assert r"whole units `\{\w+\}`" in (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    # Fine-tuning takes the pattern of the vocabularies, and adds new units.
    again = {"training.start_from": str(tmp_path / "run"), "training.max_updates": 2, "training.precision": "float32"}
    new = [(f"{word} {{new}}", "{new}") for word in ("a", "b", "ab", "ba", "aab", "abb")]
    seq2see.train(new, out=tmp_path / "new", settings=again, quiet=True)
    codec = seq2see.load(tmp_path / "new").target_codec
    assert codec.vocabulary.tokens[-1] == "{new}"
    assert codec.to_dict()["protect"] == r"\{\w+\}"
    with pytest.raises(ConfigError, match="as in the vocabularies of the pretrained model"):
        seq2see.train(new, out=tmp_path / "other", settings=again | {"text.protect": "x"}, quiet=True)
