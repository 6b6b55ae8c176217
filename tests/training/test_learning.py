"""Models that learn what there is to learn: copies and reversals, all of them right on words never seen."""

from __future__ import annotations

import string

import pytest
from rich.console import Console

from seq2see.config import Config
from seq2see.data import Pair, copies, reversals
from seq2see.evaluation import evaluate
from seq2see.model import ModelOptions
from seq2see.run.train import train
from seq2see.training import TrainingOptions

pytestmark = pytest.mark.slow

NUM_DEV = 100


def words(task, *, letters, longest):
    """Pairs of the task over a small alphabet, no source twice."""
    fewer = {ord(letter): letters[place % len(letters)] for place, letter in enumerate(string.ascii_lowercase)}
    pairs = (Pair(p.source.translate(fewer), (p.target or "").translate(fewer), p.origin) for p in task(30_000, 1))
    return list({pair.source: pair for pair in pairs if len(pair.source) <= longest}.values())


@pytest.mark.parametrize("task", [copies, reversals], ids=["copies", "reversals"])
@pytest.mark.parametrize("name", ["attention", "bidirectional", "plain", "reverse"])
def test_it_learns(task, name, tmp_path):
    looks = name in ("attention", "bidirectional")
    pairs = words(task, letters="abcdefgh" if looks else "abcdef", longest=8 if looks else 5)
    dev, rest = pairs[:NUM_DEV], pairs[NUM_DEV:]
    config = Config(
        model=ModelOptions(name=name, width=64, embedding=32, dropout=0.0),
        training=TrainingOptions(rate=4e-3, max_updates=2000, batch_size=64, evaluate_every=250, precision="float32"),
    )
    trained = train(config, tmp_path / "run", pairs=rest, dev_pairs=dev, device="cpu", console=Console(quiet=True))
    assert evaluate(trained.load("cpu"), dev).exact_match == 1.0
