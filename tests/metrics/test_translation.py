"""BLEU, chrF and TER have the values and signatures of sacreBLEU's own command."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seq2see.metrics import METRICS, Measured, bleu, chrf, differences, intervals, ter
from seq2see.metrics.translation import bleu_tokenizer

WORDS = ["the", "a", "cat", "dog", "sat", "on", ",", "mat", "red", "ball", "and", ".", "it's", "3.5", "Über-small"]


def made_up(num_items: int, num_references: int, *, seed: int) -> tuple[list[str], list[list[str]]]:
    """Sentences, and what someone made of them who errs in every fifth word and changes the order now and then."""
    chance = random.Random(seed)

    def again(text: str) -> str:
        words = [word if chance.random() > 0.2 else chance.choice(WORDS) for word in text.split()]
        if chance.random() < 0.3:
            cut = chance.randrange(len(words))
            words = words[cut:] + words[:cut]
        return " ".join(words[: len(words) - (chance.random() < 0.2)])

    truth = [" ".join(chance.choices(WORDS, k=chance.randint(1, 15))) for _ in range(num_items)]
    return [again(text) for text in truth], [[again(text) for _ in range(num_references)] for text in truth]


def said_by_the_command(folder: Path, predictions: list[str], references: list[list[str]]) -> dict[str, dict[str, str]]:
    """What `sacrebleu` prints for these files, by metric."""
    (folder / "predictions").write_text("".join(f"{text}\n" for text in predictions), encoding="utf-8")
    names = []
    for number in range(len(references[0])):
        names.append(folder / f"references{number}")
        names[-1].write_text("".join(f"{known[number]}\n" for known in references), encoding="utf-8")
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "sacrebleu",
            *names,
            "-i",
            folder / "predictions",
            "-m",
            "bleu",
            "chrf",
            "ter",
            "-w",
            "10",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return {each["name"].lower().removesuffix("2"): each for each in json.loads(finished.stdout)}


@pytest.mark.parametrize("num_references", [1, 3])
def test_values_and_signatures_equal_those_of_the_command(tmp_path: Path, num_references: int) -> None:
    predictions, references = made_up(40, num_references, seed=num_references)
    said = said_by_the_command(tmp_path, predictions, references)
    for name in ("bleu", "chrf", "ter"):
        measured = METRICS[name](predictions, references)
        assert measured.value == pytest.approx(float(said[name]["score"]), abs=1e-8)
        assert measured.signature == said[name]["signature"]
        assert 1 < measured.value < 99


@pytest.mark.parametrize(
    ("predictions", "references"),
    [
        (["a b c"], [["a b c"]]),  # no 4-gram
        (["x y z u v"], [["a b c d e"]]),  # nothing right
        (["a x b y c z d"], [["a b c d e f g"]]),  # single words right, no pair
        (["a b c x d"], [["a b c y d"]]),  # trigrams, no 4-gram
        ([""], [["a b"]]),
        (["a b c d e f"], [["a"]]),
        (["a"], [["a b c d e f"]]),
        (["the cat sat on the mat today", "b"], [["the cat sat on a mat", "the cat sat on the mat"], ["b"]]),
        (["日本語です"], [["日本語だ"]]),
    ],
)
def test_edge_cases_have_sacrebleus_value(predictions: list[str], references: list[list[str]]) -> None:
    from sacrebleu.metrics import BLEU, CHRF, TER

    most = max(map(len, references))
    streams = [[known[n] if n < len(known) else None for known in references] for n in range(most)]
    is_asian = bleu_tokenizer(references) != "13a"
    for ours, theirs in (
        (bleu, BLEU(tokenize=bleu_tokenizer(references), force=True)),
        (chrf, CHRF()),
        (ter, TER(normalized=is_asian, asian_support=is_asian)),
    ):
        expected = theirs.corpus_score(predictions, streams)
        assert ours(predictions, references).value == pytest.approx(expected.score, abs=1e-9), theirs
        assert ours(predictions, references).signature == str(theirs.get_signature())


def test_resampled_sums_are_scored_as_sacrebleu_scores_them() -> None:
    """The arithmetic on whole arrays is that of `_compute_score_from_stats` on a row."""
    from sacrebleu.metrics import BLEU, CHRF, TER

    predictions, references = made_up(30, 2, seed=5)
    chance = np.random.default_rng(1)
    for ours, theirs in ((bleu, BLEU()), (chrf, CHRF()), (ter, TER())):
        measured = ours(predictions, references)
        # Sets of one to three items, in which zeros are many.
        drawn = [chance.integers(0, 30, chance.integers(1, 4)) for _ in range(200)]
        sums = np.stack([measured.statistics[rows].sum(0) for rows in drawn])
        values = measured.scale.score(sums)
        for row, value in zip(sums, values, strict=True):
            counts = row.tolist() if isinstance(theirs, TER) else [int(number) for number in row]
            assert value == pytest.approx(theirs._compute_score_from_stats(counts).score, abs=1e-9)


def test_samples_of_short_texts_alone_do_not_widen_the_interval_of_bleu() -> None:
    """Where no text of a sample has four words, sacreBLEU takes 0; of texts that are all right any sample is right."""
    texts = ["one two three four five", *["yes"] * 9]
    right = bleu(texts, [[text] for text in texts])
    assert intervals([right]) == [(100.0, 100.0)]
    assert differences([right], [right])[0].interval == (0.0, 0.0)
    short = bleu(["yes"] * 9, [["yes"]] * 9)
    assert short.value == 0.0  # as in sacreBLEU
    assert intervals([short]) == [(0.0, 0.0)]
    wrong = bleu([texts[0], *["no"] * 9], [[text] for text in texts])
    assert intervals([wrong])[0].low == 0.0


def test_a_wrong_count_is_noticed() -> None:
    """The check above can fail: one n-gram more gives another value."""
    predictions, references = made_up(30, 1, seed=5)
    measured = bleu(predictions, references)
    changed = measured.statistics.copy()
    changed[0, 3] += 1
    assert Measured(measured.scale, changed).value != pytest.approx(measured.value, abs=1e-8)


def test_the_signature_shows_varying_numbers_of_references() -> None:
    assert "nrefs:var" in chrf(["a", "b"], [["a", "c"], ["b"]]).signature


def test_scripts_without_blanks_are_split_into_characters() -> None:
    assert bleu_tokenizer([["The cat, 猫, sat."]]) == "13a"
    assert bleu_tokenizer([["我们明天去北京。"], ["OK"]]) == "zh"
    assert bleu_tokenizer([["私は明日東京へ行きます。"]]) == "char"
    assert bleu_tokenizer([["สวัสดีครับ"]]) == "char"
    assert bleu_tokenizer([["123"]]) == "13a"
    assert bleu(["我们明天去南京"], [["我们明天去北京"]]).value > 0


def test_ter_of_chinese_counts_characters() -> None:
    """One wrong character of seven is one edit, not a whole sentence; as sacreBLEU says with its Asian options."""
    from sacrebleu.metrics import TER

    for prediction, reference in (
        ("我们明天去南京", "我们明天去北京"),
        ("私は明日京都へ行きます。", "私は明日東京へ行きます。"),
    ):
        measured = ter([prediction], [[reference]])
        expected = TER(normalized=True, asian_support=True)
        assert measured.value == pytest.approx(expected.corpus_score([prediction], [[reference]]).score)
        assert 0 < measured.value < 50
        assert measured.signature == str(expected.get_signature())
        assert not measured.note
    assert "asian:no" in ter(["a cat"], [["a dog"]]).signature


def test_ter_says_that_it_does_not_split_thai() -> None:
    measured = ter(["สวัสดีครับ"], [["สวัสดีค่ะ"]])
    assert measured.value == 100
    assert "one word" in measured.note
    assert not ter(["a cat"], [["a dog"]]).note


@pytest.mark.parametrize(
    ("tokenized", "others", "is_noted"),
    [(100, 900, True), (99, 900, False), (10, 10, True), (10, 11, False), (9, 0, False)],
)
def test_bleu_notes_tokenized_text(tokenized: int, others: int, is_noted: bool) -> None:
    predictions = ["the cat sat ."] * tokenized + ["the cat sat."] * others
    measured = bleu(predictions, [[text] for text in predictions])
    assert ("tokenized period" in measured.note) == is_noted
    assert measured.of([0]).note == measured.note


def test_bleu_notes_tokenized_text_where_sacrebleu_does(caplog: pytest.LogCaptureFixture) -> None:
    from sacrebleu.metrics import BLEU

    predictions = ["the cat sat ."] * 100
    BLEU().corpus_score(predictions, [predictions])
    assert "tokenized period" in caplog.text
    assert bleu(predictions, [[text] for text in predictions]).note
