"""BLEU of a small Transformer on Multi30k English-German, trained by one `seq2see train` command.

    SEQ2SEE_DATA=… python benchmarks/translation.py [--out runs/multi30k] [--updates 5600]

The sizes are those of Wu et al. 2021 ("tiny": 4 + 4 layers, width 128, feed-forward 256, 4 heads, dropout 0.3), and so
are the data: lower-cased, tokenized, 10,000 joint BPE merges. An existing run is only evaluated again. The length
penalty is selected on dev. BLEU is printed twice: on the tokens of the data, as in the papers, and with sacreBLEU's
tokenizer and signature.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import sacrebleu

import seq2see

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data")) / "multi30k_en-de" / "bpe10k"
TEST_SET = "test_2016_flickr"
SETTINGS = [
    "text.source=words", "text.target=words", "text.joint=true", "text.min_count=1",
    "model.tie=all", "model.width=128", "model.layers=4", "model.feed_forward=256", "model.heads=4",
    "training.rate=4e-3", "training.warmup=0.06", "training.batch_tokens=4400",
]  # fmt: skip
PENALTIES = (0.0, 0.6, 1.0, 1.4, 1.8, 2.2)


def train(run: Path, updates: int) -> None:
    """Run the training command."""
    command = [sys.executable, "-m", "seq2see", "train", str(DATA / "train.tsv.gz"), "--dev", str(DATA / "dev.tsv")]
    limits = [f"training.max_updates={updates}", f"training.evaluate_every={-(-updates // 8)}"]
    subprocess.run([*command, "--model", "transformer", "--out", str(run), "--set", *SETTINGS, *limits], check=True)


def sides(name: str) -> tuple[list[str], list[str]]:
    """Sources in BPE pieces, references with their pieces joined."""
    pairs = [line.split("\t") for line in (DATA / f"{name}.tsv").read_text().splitlines()]
    return [source for source, _ in pairs], [joined(target) for _, target in pairs]


def joined(text: str) -> str:
    """BPE pieces joined to words."""
    return (text + " ").replace("@@ ", "").strip()


def translate(model: seq2see.Model, sources: list[str], beam: int, penalty: float = 0.0) -> list[str]:
    """Translations, with their pieces joined."""
    options = {"beam": beam, "length_penalty": penalty} if beam > 1 else {}
    return [joined(each.text) for each in model.predict(sources, **options)]


def bleu(translations: list[str], references: list[str]) -> float:
    """BLEU on the tokens as they are."""
    return float(sacrebleu.corpus_bleu(translations, [references], tokenize="none", force=True).score)


def main() -> None:
    """Train unless there is a run, select the length penalty on dev, print the table and the dev losses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/multi30k"))
    parser.add_argument("--updates", type=int, default=5600)
    arguments = parser.parse_args()
    if not (arguments.out / "model").exists():
        train(arguments.out, arguments.updates)
    model = seq2see.load(arguments.out)
    sources, references = sides("dev")
    on_dev = {penalty: bleu(translate(model, sources, 5, penalty), references) for penalty in PENALTIES}
    penalty = max(on_dev, key=on_dev.__getitem__)
    print("dev, beam 5, by length penalty:", ", ".join(f"{each:g}: {score:.2f}" for each, score in on_dev.items()))
    print(f"{'':18} {'greedy':>8} {'beam 5':>8} {'sacreBLEU':>10}   (length penalty {penalty:g})")
    metric = sacrebleu.BLEU()
    sources, references = sides(TEST_SET)
    translations = translate(model, sources, 5, penalty)
    own = metric.corpus_score(translations, [references]).score
    greedy = bleu(translate(model, sources, 1), references)
    print(f"{TEST_SET:18} {greedy:8.2f} {bleu(translations, references):8.2f} {own:10.2f}")
    print("signature:", metric.get_signature())
    for line in (arguments.out / "metrics.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "evaluation":
            print(f"update {event['update']:6,}  {event['seconds'] / 60:5.1f} min  dev loss {event['dev_loss']:.4f}")


if __name__ == "__main__":
    main()
