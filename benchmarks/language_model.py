"""Language models of the German side of Multi30k against an n-gram model: perplexity on test_2016, and samples.

    SEQ2SEE_DATA=… python benchmarks/language_model.py [--out runs/language] [--updates 1500]

All see the same tokens, pieces of 10,000 joint BPE merges; what training has not seen is one unknown token to all.
The baseline is interpolated modified Kneser-Ney smoothing (Chen & Goodman 1998, section 3), its order chosen on dev.
"""

from __future__ import annotations

import argparse
import gzip
import math
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import seq2see
from seq2see.data import Pair

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data")) / "multi30k_en-de" / "bpe10k"
MODELS = {
    "language_model": ["model.width=256", "model.tie=target", "training.rate=4e-3"],
    "transformer_language_model": ["model.width=128", "model.layers=3", "training.rate=3e-3"],
}
UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"


class KneserNey:
    """An interpolated n-gram model with three discounts an order, estimated from the counts of counts."""

    def __init__(self, sentences: Sequence[Sequence[str]], order: int) -> None:
        self.order = order
        self.vocabulary = {token for sentence in sentences for token in sentence} | {END, UNKNOWN}
        counts = [Counter[tuple[str, ...]]() for _ in range(order + 1)]
        for sentence in sentences:
            tokens = [*[BEGIN] * (order - 1), *sentence, END]
            for end in range(order - 1, len(tokens)):
                counts[order][tuple(tokens[end - order + 1 : end + 1])] += 1
        # A shorter n-gram counts the different tokens before it (their continuations), not its occurrences.
        for n in range(order - 1, 0, -1):
            for gram in counts[n + 1]:
                counts[n][gram[1:]] += 1
        self.counts = counts
        self.totals = [defaultdict[tuple[str, ...], int](int) for _ in range(order + 1)]
        self.kinds = [defaultdict[tuple[str, ...], list[int]](lambda: [0, 0, 0]) for _ in range(order + 1)]
        self.discounts = [[0.0] * 3 for _ in range(order + 1)]
        for n in range(1, order + 1):
            of_counts = Counter(counts[n].values())
            ones, twos = of_counts[1], of_counts[2]
            share = ones / (ones + 2 * twos)
            self.discounts[n] = [
                min(k, max(0.0, k - (k + 1) * share * of_counts[k + 1] / max(1, of_counts[k]))) for k in (1, 2, 3)
            ]
            for gram, count in counts[n].items():
                self.totals[n][gram[:-1]] += count
                self.kinds[n][gram[:-1]][min(count, 3) - 1] += 1

    def probability(self, gram: tuple[str, ...]) -> float:
        """p(last token | those before it)."""
        lower = self.probability(gram[1:]) if gram[:-1] else 1 / len(self.vocabulary)
        n, context = len(gram), gram[:-1]
        total = self.totals[n].get(context, 0)
        if not total:
            return lower
        count = self.counts[n].get(gram, 0)
        discounted = max(0.0, count - self.discounts[n][min(count, 3) - 1]) if count else 0.0
        held_back = sum(d * kind for d, kind in zip(self.discounts[n], self.kinds[n][context], strict=True))
        return (discounted + held_back * lower) / total

    def nats(self, sentences: Sequence[Sequence[str]]) -> float:
        """−log p of all sentences, END counted."""
        total = 0.0
        for sentence in sentences:
            known = [token if token in self.vocabulary else UNKNOWN for token in sentence]
            tokens = [*[BEGIN] * (self.order - 1), *known, END]
            for end in range(self.order - 1, len(tokens)):
                total -= math.log(self.probability(tuple(tokens[end - self.order + 1 : end + 1])))
        return total


def targets(path: Path) -> list[str]:
    """The German side."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [line.split("\t")[1] for line in content.decode().splitlines()]


def report(name: str, nats: float, texts: Sequence[str]) -> None:
    """Perplexity a token, EOS counted, and a word, the end of the sentence counted as one."""
    tokens = sum(len(text.split()) + 1 for text in texts)
    words = sum(len(text.replace("@@ ", "").split()) + 1 for text in texts)
    print(f"{name:28} {math.exp(nats / tokens):8.2f} {math.exp(nats / words):8.2f}")


def main() -> None:
    """The baseline, the models, samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/language"))
    parser.add_argument("--updates", type=int, default=1500)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    texts = {name: targets(DATA / f"{name}{ending}") for name, ending in (("train", ".tsv.gz"), ("dev", ".tsv"))}
    test = targets(DATA / "test_2016_flickr.tsv")
    for name, lines in texts.items():
        (arguments.out / f"{name}.txt").write_text("\n".join(lines) + "\n")
    split = {name: [line.split() for line in lines] for name, lines in texts.items()}
    print(f"{'perplexity on test_2016':28} {'a piece':>8} {'a word':>8}")
    grams = {order: KneserNey(split["train"], order) for order in (2, 3, 4, 5)}
    order = min(grams, key=lambda n: grams[n].nats(split["dev"]))
    report(f"Kneser-Ney, order {order}", grams[order].nats([line.split() for line in test]), test)
    for name, settings in MODELS.items():
        run = arguments.out / name
        if not (run / "model").exists():
            command = [sys.executable, "-m", "seq2see", "train", str(arguments.out / "train.txt"), "--dev"]
            common = ["text.target=words", "text.min_count=1", f"training.max_updates={arguments.updates}"]
            common += ["training.label_smoothing=0", "training.batch_size=64", "training.metric=loss"]
            subprocess.run(
                [
                    *command,
                    str(arguments.out / "dev.txt"),
                    "--model",
                    name,
                    "--out",
                    str(run),
                    "--set",
                    *common,
                    *settings,
                ],
                check=True,
            )
        model = seq2see.load(run)
        scores = model.score([Pair("", text, f"test {number}") for number, text in enumerate(test, start=1)])
        report(name, -sum(score.counted[0] for score in scores), test)
        drawn = model.predict("", sample=True, temperature=0.8, n_best=8)[0]
        for answer in drawn.all:
            print("   ", answer.text.replace("@@ ", ""))


if __name__ == "__main__":
    main()
