"""What all peers work on: `python prepare.py FOLDER OPTIONS`, with the options as JSON; runs with Seq2See and PyTorch.

Pairs are written with a space between tokens, which every toolkit can read, beside their vocabularies; both models
are saved with random weights.
"""

from __future__ import annotations

import json
import os
import random
import sys
import unicodedata
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from seq2see.benchmark import multiplied
from seq2see.blueprint import Sizes
from seq2see.model import ModelOptions, build, resolve
from seq2see.storage.saved_model import FORMAT, load_model, save_model
from seq2see.text import EOS, Codec, make_tokenizer


def pairs_of(number: int) -> tuple[str, list[tuple[str, str]]]:
    """A name, and Hungarian words with their phones; without the data, made-up ones of the same lengths."""
    if data := os.environ.get("SEQ2SEE_DATA"):
        path = Path(data) / "g2p_sig20" / "hun" / "train.tsv"
        if not path.exists():
            raise SystemExit(
                f"{path}, in the folder of SEQ2SEE_DATA, is missing: without the variable, pairs are made up"
            )
        lines = path.read_text("utf-8").splitlines()
        if len(lines) < number:
            raise SystemExit(f"{path} has {len(lines):,} pairs, not {number:,}: choose fewer --batches")
        pairs = [tuple(unicodedata.normalize("NFC", line).split("\t")) for line in lines[:number]]
        return "g2p_sig20/hun", [(" ".join(word), phones) for word, phones in pairs]
    chance, letters = random.Random(1), "abcdefghijklmnopqrstuvwxyzáéíóöőúüű"
    words = [chance.choices(letters, k=chance.randint(3, 15)) for _ in range(number)]
    return "made-up pairs", [(" ".join(word), " ".join(letter.upper() for letter in word)) for word in words]


def options_of(model: str, sizes: dict[str, Any]) -> ModelOptions:
    """The model of this name."""
    width, layers = sizes["width"], sizes["layers"]
    if model == "lstm":
        embedding = sizes["embedding"]
        return ModelOptions(name="attention", width=width, embedding=embedding, layers=1, dropout=0.0, score="dot")
    forward = 4 * width
    return ModelOptions(
        name="transformer", width=width, layers=layers, heads=sizes["heads"], feed_forward=forward, dropout=0.0
    )


def main() -> None:
    """Write the folder."""
    folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    name, pairs = pairs_of(options["pairs"])
    codecs = []
    for side, texts in zip(("source", "target"), zip(*pairs, strict=True), strict=True):
        (folder / f"train.{side}").write_text("\n".join(texts) + "\n", "utf-8")
        codec = Codec.build(make_tokenizer("words"), list(texts))
        (folder / f"{side}.vocabulary").write_text("\n".join(codec.vocabulary.tokens) + "\n", "utf-8")
        codecs.append(codec)
    torch.manual_seed(1)
    lengths = [mean(len(text.split(" ")) + 1 for text in texts) for texts in zip(*pairs, strict=True)]
    products = {}
    for model in ("lstm", "transformer"):
        blueprint = resolve(options_of(model, options["sizes"]))
        network = build(blueprint, Sizes(*(len(codec.vocabulary) for codec in codecs)))
        tensors = {name: tensor.detach().numpy().copy() for name, tensor in network.tensors().items()}
        tensors["decoder.output.bias"][:EOS] = -30  # PAD, UNK and BOS, which a trained model hardly ever writes
        config = {"format": FORMAT, "model": asdict(blueprint), "max_length": 100}
        source, target = codecs
        save_model(
            folder / model, config=config, tensors=tensors, source_codec=source, target_codec=target, card="random"
        )
        products[model] = float(np.dot(multiplied(load_model(folder / model)), lengths))
    facts = {
        "data": name,
        "pairs": len(pairs),
        "mean_tokens": lengths,
        "length": options["length"] or round(lengths[1]) - 1,
        "products_per_pair": products,
        "sizes": options["sizes"],
    }
    (folder / "facts.json").write_text(json.dumps(facts), "utf-8")


if __name__ == "__main__":
    main()
