"""Which letter each phone stands for: alignments of models beside 50 words that were aligned by hand.

    SEQ2SEE_DATA=… python benchmarks/alignment.py [--size 3600] [--seeds 3]

alignment.tsv divides 50 French, Dutch and Hungarian words into letters and their phones: `ch=ʃ a=a p=p eau=o`. Models
trained on the pronunciations of SIGMORPHON 2020, with nothing set but the model, the seed and the length of training,
align these words with their phones: a transducer by EM, exact hard monotonic attention by its most probable letter,
and soft attention by its largest weight. A phone is right if its letter is one of those that it stands for. The last
row is a line from the first letter to the last.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

from small_data import DATA, pairs_of

import seq2see

FOLDERS = {"French": "fre", "Dutch": "dut", "Hungarian": "hun"}
MODELS = ("transducer", "monotonic", "bidirectional")


class Gold(NamedTuple):
    """A word aligned by hand."""

    word: str
    phones: list[str]
    letters: list[range]
    """Of each phone, the positions of the letters that it stands for."""


def gold_words() -> dict[str, list[Gold]]:
    """The words of each language."""
    found: dict[str, list[Gold]] = {}
    for line in Path(__file__).with_suffix(".tsv").read_text(encoding="utf-8").splitlines():
        language, word, parts = line.split("\t")
        phones: list[str] = []
        letters: list[range] = []
        place = 0
        for part in parts.split(" "):
            written, _, sounds = part.partition("=")
            own = sounds.split(",") if sounds else []
            phones += own
            letters += [range(place, place + len(written))] * len(own)
            place += len(written)
        assert word == "".join(part.partition("=")[0] for part in parts.split(" ")), line
        found.setdefault(language, []).append(Gold(word, phones, letters))
    return found


def share_right(alignments: list[list[int]], gold: list[Gold]) -> float:
    """Per cent of the phones whose letter is right."""
    right = [
        letter in letters
        for own, word in zip(alignments, gold, strict=True)
        for letter, letters in zip(own, word.letters, strict=True)
    ]
    return 100 * statistics.mean(right)


def aligned(language: str, model: str, seed: int, size: int, gold: list[Gold]) -> list[list[int]]:
    """The letter of each phone, by a model."""
    train, dev = (pairs_of(DATA / "g2p_sig20" / FOLDERS[language], part) for part in ("train", "dev"))
    if size < len(train):
        train = random.Random(size).sample(train, size)
    settings = {"model.name": model, "training.seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        trained = seq2see.train(train, dev=dev, out=Path(folder) / "run", settings=settings, quiet=True)
        found = trained.align([(word.word, " ".join(word.phones)) for word in gold])
    links = [{phone: letter for letter, phone in each.alignment()} for each in found]
    return [[own.get(phone, -1) for phone in range(len(word.phones))] for own, word in zip(links, gold, strict=True)]


def straight(word: Gold) -> list[int]:
    """Letters at the same share of the word as the phones."""
    steps = max(len(word.phones) - 1, 1)
    return [round(number * (len(word.word) - 1) / steps) for number in range(len(word.phones))]


def main() -> None:
    """Train, align, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=3600)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    words = gold_words()
    print(f"| {' | '.join(['model', *words, 'mean'])} |\n|{'---|' * (len(words) + 2)}")
    for model in MODELS:
        shares = [
            [
                share_right(aligned(language, model, seed, options.size, gold), gold)
                for seed in range(1, options.seeds + 1)
            ]
            for language, gold in words.items()
        ]
        means = [statistics.mean(each) for each in shares]
        print(
            f"| {' | '.join([f'`{model}`', *(f'{each:.1f}' for each in (*means, statistics.mean(means)))])} |",
            flush=True,
        )
    lines = [share_right([straight(word) for word in gold], gold) for gold in words.values()]
    print(f"| {' | '.join(['a straight line', *(f'{each:.1f}' for each in (*lines, statistics.mean(lines)))])} |")


if __name__ == "__main__":
    main()
