"""Texts that can't be read get no answer and a reason; all others are answered as if they were alone."""

from __future__ import annotations

import json
import math
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seq2see
from seq2see import Pair, Prediction
from seq2see.cli import run
from seq2see.errors import ConfigError, DataError
from seq2see.inference.batching import (
    CHUNK_CHARACTERS,
    MOST_POSITIONS,
    batches_within,
    chunks_of,
    rows_at_most,
    source_costs,
)
from seq2see.inference.notes import Seen, UnknownTextWarning
from seq2see.inference.reading import CHARACTERS_PER_TOKEN, USUAL_INPUT_LENGTH, UnansweredTextWarning
from seq2see.inference.requests import Request
from seq2see.inference.rules import Rules

LONG = "abc" * 10
pytestmark = pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> seq2see.Model:
    return seq2see.load(tiny_run, device="cpu")


# --- the Python API -------------------------------------------------------------------------------------------------


def test_a_text_that_can_not_be_read_has_a_reason_and_no_answer(model: seq2see.Model) -> None:
    texts = ["abc", LONG, "", LONG[1:], "de"]
    with pytest.warns(UnansweredTextWarning, match=r"texts without an answer: 2 of 5 \(first: text 2: 30 tokens, and"):
        answers = model.predict(texts, max_input_length=20)
    assert [bool(answer.error) for answer in answers] == [False, True, False, True, False]
    assert "max_input_length is 20" in answers[1].error
    assert "--max-input-length" in answers[1].error
    assert_same([answers[0], answers[4]], model.predict(["abc", "de"]))
    for answer in (answers[1], answers[3]):
        assert (answer.text, answer.finished, answer.log_prob) == ("", False, -math.inf)
        assert answer.to_dict()["error"] == answer.error
    assert "error" not in answers[0].to_dict()


def test_strict_raises_before_anything_is_computed(model: seq2see.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(model.engine), "start", None)
    for texts, place in ((["abc", LONG], "text 2"), (LONG, "text 1")):
        with pytest.raises(DataError) as caught:
            model.predict(texts, max_input_length=20, strict=True)
        assert caught.value.where == place


def test_a_stream_answers_what_comes_before_a_text_that_stops_it(model: seq2see.Model) -> None:
    texts = ["abc", "de", LONG, "a"]
    expected = model.predict(texts[:2])
    for chunk_size in (1, 2, 3, 10):
        answered = []
        with pytest.raises(DataError, match="text 3: 30 tokens"):
            answered.extend(model.stream(texts, chunk_size=chunk_size, max_input_length=20, strict=True))
        with pytest.warns(UnansweredTextWarning, match="1 of"):
            found = [answer for _, answer in model.stream(texts, chunk_size=chunk_size, max_input_length=20)]
        assert_same(found[:2], expected)
        assert [bool(answer.error) for answer in found] == [False, False, True, False]
    stopped = model.stream(texts, max_input_length=20, strict=True)
    assert_same([next(stopped)[1], next(stopped)[1]], expected)


def assert_same(found: list[Prediction], expected: list[Prediction]) -> None:
    """Equal but for the rounding of another batch."""
    assert [each.text for each in found] == [each.text for each in expected]
    assert [each.log_prob for each in found] == pytest.approx([each.log_prob for each in expected], abs=1e-5)


def test_the_limit_is_ten_thousand_tokens_or_twice_the_longest_in_training(tiny_run: Path) -> None:
    model = seq2see.load(tiny_run, device="cpu")
    assert model.input_limits().tokens == USUAL_INPUT_LENGTH
    for longest, most in ((5, USUAL_INPUT_LENGTH), (8_000, 16_000), (10**12, 100_000)):
        model.seen = Seen(longest)
        assert model.input_limits().tokens == most
        assert model.input_limits(20).tokens == 20
    with pytest.raises(ConfigError, match="max_input_length"):
        model.predict("a", max_input_length=0)


def test_a_text_far_too_long_is_not_even_tokenized(model: seq2see.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    model.predict("abc")
    monkeypatch.setattr(type(model.source_codec), "encode", None)
    monkeypatch.setattr("seq2see.inference.rules.RuleMaker._rules", lambda *_: Rules())
    with pytest.warns(UnansweredTextWarning, match="characters, and max_input_length"):
        (answer,) = model.predict("a" * (20 * CHARACTERS_PER_TOKEN + 1), max_input_length=20)
    assert answer.error


def test_a_pair_that_can_not_be_read_has_a_reason_and_no_score(model: seq2see.Model) -> None:
    pairs = [Pair("abc", "cba"), Pair(LONG, "a", "t.tsv:2"), Pair(LONG, LONG), Pair("a", LONG), Pair("de", "ed")]
    with pytest.warns(UnansweredTextWarning, match=r"pairs without a score: 3 of 5 \(first: t\.tsv:2: 30 tokens"):
        scores = model.score(pairs, max_input_length=20)
    assert [bool(score.error) for score in scores] == [False, True, True, True, False]
    assert all(math.isnan(score.log_prob) and score.counted == (0.0, 0) for score in scores if score.error)
    expected = [score.log_prob for score in model.score([pairs[0], pairs[4]])]
    assert [scores[0].log_prob, scores[4].log_prob] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(DataError, match=r"t\.tsv:2: 30 tokens"):
        model.score(pairs, max_input_length=20, strict=True)


def test_an_item_that_can_not_be_read_is_wrong_and_no_part_of_the_loss(model: seq2see.Model) -> None:
    pairs = [("abc", "cba"), ("de", "ed"), (LONG, LONG[::-1])]
    with pytest.warns(UnansweredTextWarning):
        report = model.evaluate(pairs, max_input_length=20)
    assert report.outputs.predictions is not None
    assert report.outputs.predictions[2] == ""
    assert report.loss == pytest.approx(model.loss(pairs[:2]))
    longest = [part.scores["loss"].value for part in report.slices if part.by == "length"][-1]
    assert math.isnan(longest)
    with pytest.raises(DataError, match="30 tokens"):
        model.evaluate(pairs, max_input_length=20, strict=True)


def test_attention_is_shown_of_the_texts_that_have_any(model: seq2see.Model) -> None:
    with pytest.warns(UserWarning, match="left out: text 2"):
        found = model.attend(["abc", "", "de"])
    assert [each.source for each in found] == ["abc", "de"]
    with pytest.warns(UnansweredTextWarning, match="text 1"):
        found = model.attend([LONG, "de"], max_input_length=20)
    assert [each.source for each in found] == ["de"]
    with pytest.raises(DataError, match="text 2: the prediction is empty"):
        model.attend(["abc", "", "de"], strict=True)
    with pytest.raises(DataError, match="text 1: the prediction is empty"):
        model.attend("")


# --- memory ---------------------------------------------------------------------------------------------------------


def test_batches_hold_what_fits_and_at_least_one() -> None:
    costs = np.array([9, 5, 5, 4, 3, 1])
    order = np.arange(6)
    found = [batch.tolist() for batch in batches_within(order, 4, [(costs, 10)])]
    assert found == [[0], [1, 2], [3, 4], [5]]
    assert [batch.tolist() for batch in batches_within(order, 2, [(costs, 1)])] == [[row] for row in range(6)]
    assert [len(batch) for batch in batches_within(order, 4, [(costs, 1000)])] == [4, 2]
    assert [len(batch) for batch in batches_within(order, 4, [])] == [4, 2]
    assert list(batches_within(order[:0], 4, [(costs, 10)])) == []


def test_usual_texts_keep_their_batches() -> None:
    """Texts of a hundred tokens by 64, and a beam of 5 with 16,000 tokens."""
    lengths = np.full(64, 100)
    assert [len(batch) for batch in batches_within(np.arange(64), 64, [(source_costs(lengths), MOST_POSITIONS)])] == [
        64
    ]
    assert rows_at_most(16_000) // 5 >= 64
    assert rows_at_most(10**12) == 1
    assert source_costs(np.array([10, 10_000])).tolist() == [10, 390_625]


def test_chunks_end_early_with_long_texts() -> None:
    texts = ["a" * (CHUNK_CHARACTERS // 2)] * 5 + ["b"]
    assert [len(chunk) for chunk in chunks_of(map(Request, texts), 100)] == [3, 3]
    assert [len(chunk) for chunk in chunks_of([Request("a")] * 5, 2)] == [2, 2, 1]


def test_memory_that_is_left_changes_no_answer(model: seq2see.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["abc", "deab", "ab", "eddcb", "a", "abcde", "bb"] * 3
    ways: list[dict[str, Any]] = [{}, {"beam": 3, "n_best": 2}, {"sample": True, "n_best": 5, "seed": 3}]
    expected = [model.predict(texts, **way) for way in ways]
    scores = model.score([(text, text) for text in texts])
    monkeypatch.setattr("seq2see.inference.batching.MOST_ROWS", 4)
    monkeypatch.setattr("seq2see.inference.batching.MOST_POSITIONS", 8)
    monkeypatch.setattr("seq2see.inference.scoring.MOST_POSITIONS", 8)
    for way, before in zip(ways, expected, strict=True):
        for one, other in zip(model.predict(texts, **way), before, strict=True):
            assert [each.text for each in one.all] == [each.text for each in other.all]
            assert one.log_prob == pytest.approx(other.log_prob, abs=1e-5)
    for score, before in zip(model.score([(text, text) for text in texts]), scores, strict=True):
        assert score.log_prob == pytest.approx(before.log_prob, abs=1e-5)


@pytest.mark.parametrize(("option", "most"), [("beam", 1_000), ("n_best", 100_000)])
def test_a_beam_that_fills_the_memory_is_refused(model: seq2see.Model, option: str, most: int) -> None:
    with pytest.raises(ConfigError, match=f"must be at most {most:,}"):
        model.predict("a", **{option: most + 1})


def test_self_attention_over_the_source_is_the_same_in_pieces(
    small_transformer: seq2see.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["abc", "abcdeabcde", "e"]
    expected = small_transformer.attend(texts, heads=True)
    monkeypatch.setattr("seq2see.runtime.transformer.MOST_SCORES", 20)
    for one, other in zip(small_transformer.attend(texts, heads=True), expected, strict=True):
        assert one.prediction.text == other.prediction.text
        assert one.prediction.log_prob == pytest.approx(other.prediction.log_prob, abs=1e-6)
        assert one.encoder_heads is not None
        assert other.encoder_heads is not None
        np.testing.assert_allclose(one.encoder_heads, other.encoder_heads, atol=1e-6)


@pytest.fixture(scope="module")
def small_transformer(tiny_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> seq2see.Model:
    out = tmp_path_factory.mktemp("runs") / "transformer"
    settings = {"model.width": 8, "model.heads": 2, "model.layers": 1, "training.max_updates": 2}
    seq2see.train(tiny_pairs, out=out, model="transformer", settings=settings, device="cpu", quiet=True)
    return seq2see.load(out, engine="numpy")


# --- the command ----------------------------------------------------------------------------------------------------


def command(*arguments: object) -> int:
    return run([str(each) for each in arguments], trace=False)


FILE = b"abc\n" + LONG.encode() + b"\nde\n\xff\n\nab\tc\na\n"
"""Lines 2, 4 and 6 can't be read: too long, not UTF-8, two columns."""


def test_the_lines_that_can_be_answered_are(
    tiny_run: Path, model: seq2see.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(FILE)
    expected = [answer.text for answer in model.predict(["abc", "", "de", "", "", "", "a"])]
    assert command("predict", tiny_run, "--input", path, "--max-input-length", 20) == 2
    said = capsys.readouterr()
    assert said.out.split("\n") == [*expected, ""]
    for number, why in ((2, "30 tokens"), (4, "0xFF is not UTF-8"), (6, "expected 1 column")):
        assert f"no answer: {path}:{number}: " in said.err
        assert why in said.err
    assert "texts without answer: 3 of 7; --strict stops at the first" in said.err


def test_strict_stops_at_the_first_line(
    tiny_run: Path, model: seq2see.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.txt"
    for content, number in ((FILE, 2), (b"abc\n\xff\nde\n", 2), (b"abc\n" * 3 + b"a\tb\n", 4)):
        path.write_bytes(content)
        assert command("predict", tiny_run, "--input", path, "--max-input-length", 20, "--strict") == 2
        said = capsys.readouterr()
        assert said.out == (model.predict("abc")[0].text + "\n") * (number - 1)
        assert f"{path}:{number}: " in said.err


def test_a_file_of_another_format_is_not_answered_line_by_line(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"ab\tba\tbb\n" * 1000)
    assert command("predict", tiny_run, "--input", path) == 2
    assert capsys.readouterr().out.count("\n") < 20


def test_every_format_says_which_texts_have_no_answer(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--max-input-length", 20)
    assert command("predict", tiny_run, "abc", LONG, *options, "--format", "jsonl") == 2
    said = capsys.readouterr()
    first, second = map(json.loads, said.out.splitlines())
    assert "error" not in first["answers"][0]
    assert "max_input_length" in second["answers"][0]["error"]
    assert second["answers"][0]["log_prob"] is None
    assert "no answer: text 2: 30 tokens" in said.err
    (tmp_path / "pairs.tsv").write_text(f"abc\tcba\n{LONG}\ta\n")
    assert command("score", tiny_run, tmp_path / "pairs.tsv", *options, "--format", "jsonl") == 2
    said = capsys.readouterr()
    first, second = map(json.loads, said.out.splitlines())
    assert "error" not in first
    assert (second["log_prob"], second["score"]) == (None, None)
    assert "max_input_length" in second["error"]
    assert f"no score: {tmp_path / 'pairs.tsv'}:2: 30 tokens" in said.err
    assert command("score", tiny_run, tmp_path / "pairs.tsv", *options) == 2
    assert capsys.readouterr().out.splitlines()[1] == "nan\tnan"
    assert command("score", tiny_run, tmp_path / "pairs.tsv", *options, "--strict") == 2
    assert capsys.readouterr().out == ""


def test_attention_of_a_file_leaves_out_what_has_none(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(FILE)
    out = tmp_path / "attention.json"
    assert command("attend", tiny_run, "--input", path, "--max-input-length", 20, "-o", out) == 2
    assert [each["source"] for each in json.loads(out.read_text())["texts"]] == ["abc", "de", "a"]
    assert f"{path}:4: " in capsys.readouterr().err
    assert command("attend", tiny_run, "--input", path, "--max-input-length", 20, "-o", out, "--strict") == 2


def test_one_line_without_end_costs_no_memory(
    tiny_run: Path, model: seq2see.Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 20 MB in one line, which is more than any text of 20 tokens, no more is kept than of any other."""

    class Counted(BytesIO):
        largest = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            Counted.largest = max(Counted.largest, len(line))
            return line

    content = Counted(b"abc\n" + b"a" * 20_000_000 + b"\nde\n" + b"b" * 20_000_000)
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(content))
    assert command("predict", tiny_run, "--max-input-length", 20) == 2
    said = capsys.readouterr()
    assert said.out.split("\n") == [*(model.predict(text)[0].text for text in ("abc", "", "de", "")), ""]
    assert "<stdin>:2: the line has more than 8,000 bytes" in said.err
    assert "<stdin>:4: the line has more than 8,000 bytes" in said.err
    assert Counted.largest < 100_000


def test_the_warning_of_unknown_text_is_another() -> None:
    assert not issubclass(UnansweredTextWarning, UnknownTextWarning)
