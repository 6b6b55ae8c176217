"""Two sets in one language are no parallel texts; texts in one language that belong together are."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from seq2see.config import make_config
from seq2see.doctor import check
from seq2see.run.pairs import read_data

NOUNS, VERBS = (
    ["dog", "cat", "man", "woman", "child", "book", "tree", "house", "car", "teacher"],
    ["sees", "hears", "loves", "draws", "finds", "buys"],
)
ADVERBS, ADJECTIVES = ["today", "often", "now", "always", "yesterday"], ["big", "small", "old", "nice", "red", "new"]


def sentences(number: int, seed: int) -> list[str]:
    chance = random.Random(seed)

    def noun() -> str:
        adjective = f"{chance.choice(ADJECTIVES)} " if chance.random() < 0.5 else ""
        return f"the {adjective}{chance.choice(NOUNS)}"

    return [f"{noun()} {chance.choice(VERBS)} {noun()} {chance.choice(ADVERBS)} ." for _ in range(number)]


def halves(rows: list[str]) -> tuple[list[str], list[str]]:
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def write(name: str, rows: list[str]) -> None:
    Path(name).write_text("".join(f"{row}\n" for row in rows))


def answers(rows: list[str]) -> list[str]:
    """An answer to each, with one word of it."""
    return [f"yes , the {next(word for word in row.split() if word in NOUNS)} is new ." for row in rows]


# Texts in one language that belong together.
PAIRED = {
    "paraphrases": lambda rows: [" ".join([*row.split()[-2:-1], *row.split()[:-2], "."]) for row in rows],
    "questions and answers": answers,
    "spellings": lambda rows: [row.replace("the", "ye").replace("ou", "ow") for row in rows],
    "copies": list,
    "other words of the same length": lambda rows: [
        " ".join(sorted(row.split(), key=len, reverse=True)[: len(row.split()) // 2]) for row in rows
    ],
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("number", [60, 300, 2_000])
def test_two_sets_of_one_side_are_found(
    number: int, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    test, dev = halves(sentences(2 * number, seed))
    write("test.en", test), write("dev.en", dev), write("test.de", ["ein Satz"] * number)
    finding = check(["test.en", "dev.en"]).find("unrelated-sides")
    assert finding and finding.severity == "warning"
    assert finding.remedy == "name the source and the target of one set, such as test.en test.de"
    notes = read_data(make_config({}, {"data.train": ["test.en", "dev.en"]}), None, None, has_source=True).notes
    assert any(note.startswith("warning: unrelated-sides: ") for note in notes)
    write("dev.fr", dev)
    assert not check(["test.en", "dev.fr"]).find("unrelated-sides")


@pytest.mark.parametrize("kind", PAIRED)
@pytest.mark.parametrize("number", [20, 60, 300, 2_000])
def test_texts_that_belong_together_are_not(
    kind: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(5):
        rows = sentences(number, seed)
        write("source.en", rows), write("target.en", PAIRED[kind](rows))
        assert not check(["source.en", "target.en"]).find("unrelated-sides")


def test_two_languages_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = halves(sentences(400, 1))
    write("source.txt", first), write("target.txt", [" ".join(word[::-1] for word in row.split()) for row in second])
    assert not check(["source.txt", "target.txt"]).find("unrelated-sides")


@pytest.mark.parametrize("ending", [".txt", ".sums"])
@pytest.mark.parametrize("asked", ["{0} - {1}", "{0} minus {1} ="])
def test_sums_and_their_results_are_not(
    asked: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(5):
        chance = random.Random(seed)
        rows = [sorted((chance.randrange(100), chance.randrange(100)), reverse=True) for _ in range(1_000)]
        write(f"sub_q{ending}", [asked.format(*row) for row in rows])
        write(f"sub_a{ending}", [f"{one - other}" for one, other in rows])
        assert not check([f"sub_q{ending}", f"sub_a{ending}"]).find("unrelated-sides")


def test_the_ending_of_any_text_names_no_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said, replies = halves(sentences(400, 1))
    for ending, is_found in (("", False), (".txt", False), (".text", False), (".src", True)):
        write(f"said{ending}", said), write(f"reply{ending}", replies)
        assert (check([f"said{ending}", f"reply{ending}"]).find("unrelated-sides") is not None) == is_found
