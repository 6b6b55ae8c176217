"""Text in, predictions out: order and company of a text change nothing, and every figure is checked by hand."""

from __future__ import annotations

import math
import random
import shutil
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seq2see
from seq2see import Model, Pair, Prediction
from seq2see.errors import ConfigError, DataError
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.options import GenerationOptions
from seq2see.inference.results import EMPTY
from seq2see.inference.torch_engine import find_device


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return seq2see.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def language_model(tiny_language_run: Path) -> Model:
    return seq2see.load(tiny_language_run, device="cpu")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    chance = random.Random(1)
    return ["".join(chance.choices("abcde", k=chance.randint(1, 9))) for _ in range(23)]


def same(first: list[Prediction], second: list[Prediction]) -> bool:
    """The same answers; scores and weights within 1e-5."""
    return len(first) == len(second) and all(
        a.text == b.text
        and a.source_tokens == b.source_tokens
        and a.target_tokens == b.target_tokens
        and a.finished == b.finished
        and abs(a.log_prob - b.log_prob) < 1e-5
        and abs(a.score - b.score) < 1e-5
        and (a.weights is None) == (b.weights is None)
        and (a.weights is None or b.weights is None or np.allclose(a.weights, b.weights, atol=1e-5))
        for a, b in zip(first, second, strict=True)
    )


WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beam": {"beam": 4},
    "sampling": {"sample": True, "seed": 3},
    "cold sampling": {"sample": True, "temperature": 0.5},
    "short": {"max_length": 3},
}


# --- order and company ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_the_size_of_the_batches_changes_nothing(model: Model, texts: list[str], way: str) -> None:
    whole = model.predict(texts, **WAYS[way])
    for batch_size in (1, 4):
        assert same(model.predict(texts, batch_size=batch_size, **WAYS[way]), whole)


@pytest.mark.parametrize("way", ["greedy", "beam", "short"])
def test_answers_come_in_the_order_of_the_texts(model: Model, texts: list[str], way: str) -> None:
    whole = dict(zip(texts, model.predict(texts, **WAYS[way]), strict=True))
    mixed = random.Random(5).sample(texts, len(texts))
    assert same(model.predict(mixed, **WAYS[way]), [whole[text] for text in mixed])
    for text, answer in zip(texts, model.predict(texts, **WAYS[way]), strict=True):
        assert answer.source_tokens == [*text, "<eos>"]


@pytest.mark.parametrize("way", ["greedy", "beam"])
def test_a_text_alone_is_answered_as_in_company(model: Model, texts: list[str], way: str) -> None:
    whole = model.predict(texts, **WAYS[way])
    assert same([model.predict(text, **WAYS[way])[0] for text in texts], whole)


def test_the_texts_are_not_all_answered_alike(model: Model, texts: list[str]) -> None:
    """Without this the tests above could pass on a model that says nothing."""
    assert len({p.text for p in model.predict(texts)}) > len(texts) // 2


def test_one_text_is_a_list_of_one(model: Model) -> None:
    assert same(model.predict("abc"), model.predict(["abc"]))


def test_no_texts_no_answers(model: Model, language_model: Model) -> None:
    assert model.predict([]) == []
    assert language_model.predict([]) == []


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_text_gets_an_empty_answer_in_its_place(model: Model, way: str) -> None:
    answers = model.predict(["", "abc", "", "de", ""], **WAYS[way])
    assert [answers[place] for place in (0, 2, 4)] == [EMPTY] * 3
    assert EMPTY.text == ""
    if "sample" not in WAYS[way]:
        assert same([answers[1], answers[3]], model.predict(["abc", "de"], **WAYS[way]))


def test_a_blank_text_is_an_empty_one_and_needs_no_warning(model: Model) -> None:
    assert model.predict(["  ", "\t"]) == [EMPTY] * 2


# --- what a prediction holds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_weights_are_a_row_a_token_and_sum_to_one(model: Model, texts: list[str], way: str) -> None:
    for prediction in model.predict(texts, **WAYS[way]):
        assert prediction.weights is not None
        assert prediction.weights.shape == (len(prediction.target_tokens), len(prediction.source_tokens))
        assert np.allclose(prediction.weights.sum(axis=1), 1, atol=1e-5)
        assert prediction.finished == (prediction.target_tokens[-1] == "<eos>")
        assert prediction.text == "".join(prediction.target_tokens).removesuffix("<eos>")
        assert prediction.score == pytest.approx(prediction.log_prob / len(prediction.target_tokens))
        assert prediction.log_prob < 0


def test_a_hard_maximum_is_kept(model: Model, texts: list[str]) -> None:
    answers = model.predict(texts, max_length=1)
    assert all(len(p.target_tokens) == 1 for p in answers)
    assert not all(p.finished for p in answers)


def test_what_is_never_generated_is_never_generated(model: Model, texts: list[str]) -> None:
    drawn = [t for p in model.predict(texts * 4, sample=True, temperature=50.0) for t in p.target_tokens]
    assert len(set(drawn)) > 3
    assert not {"<pad>", "<unk>", "<bos>"} & set(drawn)


def test_a_wider_beam_finds_nothing_worse_on_the_whole(model: Model, texts: list[str]) -> None:
    greedy = sum(p.log_prob for p in model.predict(texts))
    assert sum(p.log_prob for p in model.predict(texts, beam=8)) >= greedy - 1e-6


# --- sampling -------------------------------------------------------------------------------------------------------


def test_a_seed_draws_the_same_and_another_seed_something_else(model: Model, texts: list[str]) -> None:
    drawn = model.predict(texts, sample=True, seed=1)
    assert same(model.predict(texts, sample=True, seed=1), drawn)
    assert not same(model.predict(texts, sample=True, seed=2), drawn)


def test_equal_texts_draw_unequal_answers(model: Model) -> None:
    assert len({p.text for p in model.predict(["abcde"] * 20, sample=True, temperature=3.0)}) > 5


def test_a_temperature_near_zero_is_greedy(model: Model, texts: list[str]) -> None:
    assert same(model.predict(texts, sample=True, temperature=1e-6), model.predict(texts))


# --- the language model ---------------------------------------------------------------------------------------------

PROMPTS = ["abc", "", "a", "edcba", "bb", "c", "", "deed"]


@pytest.mark.parametrize("way", WAYS)
def test_each_prompt_is_continued(language_model: Model, way: str) -> None:
    for prompt, answer in zip(PROMPTS, language_model.predict(PROMPTS, **WAYS[way]), strict=True):
        assert answer.text.startswith(prompt)
        assert answer.text == prompt + "".join(answer.target_tokens).removesuffix("<eos>")
        assert answer.weights is None
        assert answer.source_tokens == []


@pytest.mark.parametrize("way", ["greedy", "beam", "short"])
def test_a_prompt_alone_is_continued_as_in_company(language_model: Model, way: str) -> None:
    whole = language_model.predict(PROMPTS, **WAYS[way])
    assert same([language_model.predict([prompt], **WAYS[way])[0] for prompt in PROMPTS], whole)
    assert same(language_model.predict(PROMPTS[::-1], **WAYS[way]), whole[::-1])


@pytest.mark.parametrize("way", WAYS)
def test_the_size_of_the_batches_changes_no_continuation(language_model: Model, way: str) -> None:
    whole = language_model.predict(PROMPTS, **WAYS[way])
    assert same(language_model.predict(PROMPTS, batch_size=1, **WAYS[way]), whole)
    assert same(language_model.predict(PROMPTS, batch_size=3, **WAYS[way]), whole)


def test_continuing_ones_own_beginning_goes_the_same_way(language_model: Model) -> None:
    whole = max(language_model.predict([*"abcde"]), key=lambda answer: len(answer.text))
    assert len(whole.text) > 2
    rest = language_model.predict([whole.text[:2]])[0]
    assert rest.text == whole.text
    assert rest.target_tokens == whole.target_tokens[1:]
    assert rest.log_prob > whole.log_prob


def test_the_prompt_does_not_count_for_the_hard_maximum(language_model: Model) -> None:
    answer = language_model.predict(["abcdeabcde"], max_length=2)[0]
    assert answer.text.startswith("abcdeabcde")
    assert 1 <= len(answer.target_tokens) <= 2


# --- warnings -------------------------------------------------------------------------------------------------------


def said(model: Model, given: list[str]) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.predict(given)
    return caught


def test_unknown_symbols_are_said_with_the_number_of_texts(model: Model) -> None:
    caught = said(model, ["aXb", "XX", "abc", "Y"])
    assert [one.category for one in caught] == [UnknownTextWarning]
    assert "'X' in 2" in str(caught[0].message)
    assert "'Y' in 1" in str(caught[0].message)
    assert caught[0].filename == __file__  # the place that called `predict`


def test_many_unknown_symbols_are_cut_short(model: Model) -> None:
    (one,) = said(model, ["UVWXYZ", "Z"])
    assert "and 1 other; " in str(one.message)
    assert str(one.message).count(" in ") <= 6


def test_another_unicode_form_is_said_and_answered_the_same(model: Model) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert unicodedata.normalize("NFC", decomposed) == composed
    messages = [str(one.message) for one in said(model, [decomposed, "abc"])]
    assert any("1 of 2 texts were not in Unicode form NFC" in message for message in messages)
    assert not any("NFC" in str(one.message) for one in said(model, [composed]))
    with pytest.warns(UnknownTextWarning):
        assert same(model.predict([decomposed]), model.predict([composed]))


def test_known_text_is_answered_without_a_word(model: Model, language_model: Model, texts: list[str]) -> None:
    assert said(model, ["", *texts]) == []
    assert said(language_model, PROMPTS) == []


def test_a_language_model_says_it_of_its_prompts(language_model: Model) -> None:
    with pytest.warns(UnknownTextWarning, match="'X' in 1"):
        language_model.predict(["aX"])


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"beam": 0}, "beam"),
        ({"beam": -1}, "beam"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_length": 0}, "max_length"),
        ({"beam": 2, "sample": True}, "one of the two"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"seed": -1}, "seed"),
        ({"sample": True, "seed": 2**64}, "seed: must be"),
    ],
)
def test_options_that_cannot_be_are_refused(model: Model, options: dict[str, Any], named: str) -> None:
    for use in (lambda: model.predict(["a"], **options), lambda: GenerationOptions(**options)):
        with pytest.raises(ConfigError) as caught:
            use()
        assert named in str(caught.value)
        assert caught.value.fix


def test_devices_that_are_not_there_are_refused() -> None:
    import torch

    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type in ("cpu", "cuda", "mps")
    for name, meant in (("cudaa", "'cuda'"), ("autp", "'auto'"), ("tpux", "auto, cpu, cuda, mps"), ("", "cpu")):
        with pytest.raises(ConfigError, match="unknown device") as caught:
            find_device(name)
        assert meant in caught.value.fix
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="cuda is unavailable") as caught:
            find_device("cuda")
        assert "cpu" in caught.value.fix


# --- streams --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_gives_what_predict_gives(model: Model, texts: list[str], way: str) -> None:
    answered = list(model.stream(iter(texts), **WAYS[way], chunk_size=7))
    assert [text for text, _ in answered] == texts
    assert same([answer for _, answer in answered], model.predict(texts, **WAYS[way]))
    options = GenerationOptions(**WAYS[way])
    assert same([answer for _, answer in model.stream(texts, options)], model.predict(texts, options))


def test_a_stream_answers_each_chunk_as_soon_as_it_is_full(model: Model) -> None:
    asked = 0

    def endless() -> Iterator[str]:
        nonlocal asked
        while True:
            asked += 1
            yield "abc"

    stream = model.stream(endless(), chunk_size=3)
    assert asked == 0
    for answered, read in ((1, 3), (2, 3), (3, 3), (4, 6), (6, 6), (7, 9)):
        while answered:
            next(stream)
            answered -= 1
            break
        assert asked == read or answered


# --- evaluation -----------------------------------------------------------------------------------------------------


def pairs_of(texts: list[str]) -> list[Pair]:
    return [Pair(text, text[::-1], f"t:{number}") for number, text in enumerate(texts, 1)]


@pytest.mark.parametrize("beam", [1, 3])
def test_exact_match_is_the_share_of_right_answers(model: Model, texts: list[str], beam: int) -> None:
    answers = model.predict(texts, beam=beam)
    known = zip(texts, answers, strict=True)
    right = [Pair(t, p.text if number % 3 else p.text + "a", "") for number, (t, p) in enumerate(known)]
    report = model.evaluate(right, beam=beam, group=False)
    assert report.count == len(texts)
    assert report.exact_match == pytest.approx(sum(bool(n % 3) for n in range(len(texts))) / len(texts))
    assert report.outputs.predictions == tuple(answer.text for answer in answers)


def test_the_loss_is_nats_per_target_token(tiny_run: Path) -> None:
    """By hand: the log-probabilities of each target, token by token, one pair at a time."""
    import torch

    from seq2see.model import Padded
    from seq2see.text import BOS

    model = seq2see.load(tiny_run, engine="torch", device="cpu")
    pairs = pairs_of(["abc", "e", "ddeab"])
    assert model.source_codec is not None
    total = tokens = 0.0
    for pair in pairs:
        assert pair.target is not None
        source = torch.tensor([model.source_codec.encode(pair.source)])
        target = model.target_codec.encode(pair.target)
        with torch.inference_mode():
            read = Padded(source, torch.tensor([source.size(1)]))
            logits = model.engine.network(read, torch.tensor([[BOS, *target[:-1]]]))
            log_probs = logits[0].log_softmax(-1)
        total -= sum(float(log_probs[place, token]) for place, token in enumerate(target))
        tokens += len(target)
    assert tokens == 3 + 1 + 5 + 3
    for batch_size in (1, 2, 128):
        assert model.evaluate(pairs, batch_size=batch_size).loss == pytest.approx(total / tokens, abs=1e-5)


def test_the_score_of_an_answer_is_its_loss(model: Model) -> None:
    """An answer given as the target: its loss is the score, up to the tokens that are never generated."""
    (answer,) = model.predict(["abc"])
    assert answer.finished
    loss = model.loss([Pair("abc", answer.text, "")])
    assert -answer.score == pytest.approx(loss, abs=1e-4)


def test_targets_are_compared_in_the_form_the_model_writes(model: Model) -> None:
    text = "abc"
    answer = model.predict(text)[0].text
    codec = replace(model.target_codec, tokenizer=replace(model.target_codec.tokenizer, normalization="NFKC"))  # type: ignore[type-var]
    other = Model(model.engine, model.source_codec, codec, max_length=model.max_length)
    wide = "".join(chr(ord(c) - ord("a") + ord("ａ")) for c in answer)
    assert other.evaluate([Pair(text, wide, "")]).exact_match == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        assert model.evaluate([Pair(text, wide, "")]).exact_match == 0.0


def test_a_language_model_has_a_loss_alone(language_model: Model) -> None:
    report = language_model.evaluate([Pair("", "abc", ""), Pair("", "de", "")])
    assert report.exact_match is None
    assert report.outputs.predictions is None
    assert 0 < report.loss < 5


def test_nothing_to_evaluate_on_is_refused(model: Model) -> None:
    with pytest.raises(DataError, match="no pairs"):
        model.evaluate([])


@pytest.mark.parametrize("batch_size", [0, -1])
def test_no_batches_are_refused_by_evaluate_too(model: Model, language_model: Model, batch_size: int) -> None:
    for one in (model, language_model):
        with pytest.raises(ConfigError) as caught:
            one.evaluate([("a", "a")], batch_size=batch_size)
        assert "batch_size" in str(caught.value)


# --- loading --------------------------------------------------------------------------------------------------------


def test_a_run_and_its_model_folder_load_alike(tiny_run: Path, texts: list[str]) -> None:
    first, second = (seq2see.load(str(path), device="cpu") for path in (tiny_run, tiny_run / "model"))
    assert same(first.predict(texts), second.predict(texts))
    assert first.name == second.name == "bidirectional"
    assert first.num_parameters == second.num_parameters > 1000


def test_the_weights_are_in_safetensors_alone(tiny_run: Path, tmp_path: Path, model: Model) -> None:
    from safetensors.numpy import load_file

    tensors = load_file(tiny_run / "model" / "model.safetensors")
    assert sum(tensor.size for tensor in tensors.values()) == model.num_parameters
    needed = ("manifest.json", "config.json", "model.safetensors", "README.md")
    for path in (tiny_run / "model").iterdir():
        if path.name in (*needed, "sources.hashes") or "vocabulary" in path.name:
            shutil.copy(path, tmp_path)
    assert seq2see.load(tmp_path, device="cpu").predict("abc")[0].text == model.predict("abc")[0].text


def test_a_loaded_model_does_not_drop(tiny_run: Path) -> None:
    model = seq2see.load(tiny_run, engine="torch", device="cpu")
    assert not model.engine.network.training  # type: ignore[attr-defined]
    assert same(model.predict(["abcde"]), model.predict(["abcde"]))


@pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
def test_a_prompt_stays_as_it_was_written(language_model: Model) -> None:
    assert all(answer.text.startswith("ß\u0416") for answer in language_model.predict(["ß\u0416"] * 3, sample=True))


@pytest.mark.parametrize("texts", [[1], ["a", None], [b"x"]])
def test_what_is_no_text_is_named(texts: list[Any], model: Model) -> None:
    with pytest.raises(DataError, match="is not a text"):
        model.predict(texts)


def test_no_answer_is_empty_since_no_target_is(tmp_path: Path) -> None:
    pairs = [(letters, "x") for letters in ("a", "b", "ab", "ba", "aab")] * 8
    settings = {"training.max_updates": 1, "model.name": "attention", "model.width": 8}
    model = seq2see.train(pairs, dev=pairs[:5], out=tmp_path / "run", settings=settings, quiet=True)
    # With the only letter forbidden nothing is left, not even an empty answer.
    for options in ({}, {"beam": 3}, {"sample": True}):
        answers = model.predict(["ab", "a"], forbid=["x"], **options)
        assert [(answer.text, answer.finished, answer.log_prob) for answer in answers] == [("", False, -math.inf)] * 2
        [answer] = model.predict("ab", forbid=["x"], min_length=1, **options)
        assert (answer.text, answer.finished) == ("", True)
