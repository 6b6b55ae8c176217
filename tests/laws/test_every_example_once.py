"""Law: every example is trained on once per epoch, whatever the batches are cut by, resumed or not."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from peeky.data import Examples, copies
from peeky.model import Sizes, build
from peeky.text import Codec, make_tokenizer
from peeky.training import Evaluation, Trainer, TrainingOptions
from peeky.training.trainer import collate

NUM_PAIRS = 23
EPOCHS = 2


@pytest.fixture
def trainer_and_indices(blueprint, monkeypatch):
    """Makes a trainer, and a list to which every batch trained on is added."""
    pairs = copies(NUM_PAIRS, seed=1)
    codec = Codec.build(make_tokenizer("characters"), [pair.source for pair in pairs])
    examples = Examples.encode(pairs, codec, codec)
    trained_on = []

    def recording(examples, indices):
        batch = collate(examples, indices)
        trained_on.append(indices.tolist())
        return batch

    monkeypatch.setattr("peeky.training.trainer.collate", recording)

    def new(stop=lambda: False, **options):
        model = build(blueprint("plain"), Sizes(len(codec.vocabulary), len(codec.vocabulary)))
        options = {"max_epochs": EPOCHS, "max_updates": 10_000} | options
        return Trainer(
            model,
            examples,
            TrainingOptions(rate=1e-3, evaluate_every=1000, metric="loss", precision="float32", **options),
            device=torch.device("cpu"),
            evaluate=lambda model: Evaluation({"exact_match": 0.0, "loss": 1.0}, ()),
            save_best=lambda model, progress: None,
            save_checkpoint=lambda state: None,
            listen=lambda event: None,
            stop=stop,
        )

    return new, trained_on


def check_every_example_once(batches):
    """`batches` are those of EPOCHS whole epochs, in order."""
    indices = [index for batch in batches for index in batch]
    assert len(indices) == EPOCHS * NUM_PAIRS
    for epoch in range(EPOCHS):
        counts = Counter(indices[epoch * NUM_PAIRS : (epoch + 1) * NUM_PAIRS])
        assert counts == Counter(range(NUM_PAIRS)), f"epoch {epoch}"


@pytest.mark.parametrize(
    "cut",
    [{"batch_size": 4}, {"batch_size": 23}, {"batch_size": 99}, {"batch_tokens": 60}, {"batch_tokens": 1}],
    ids=str,
)
def test_every_example_once(cut, trainer_and_indices):
    new, trained_on = trainer_and_indices
    new(**cut).run()
    check_every_example_once(trained_on)


@pytest.mark.parametrize("at", [1, 5, 6, 7])
def test_every_example_once_in_a_run_of_two_parts(at, trainer_and_indices):
    new, trained_on = trainer_and_indices
    first = new(stop=lambda: len(trained_on) == at, batch_size=4)
    first.run()
    second = new(batch_size=4)
    second.restore(first.state())
    second.run()
    check_every_example_once(trained_on)


def test_epochs_are_in_different_orders(trainer_and_indices):
    new, trained_on = trainer_and_indices
    new(batch_size=4).run()
    epochs = [tuple(map(tuple, trained_on[start : start + 6])) for start in range(0, 6 * EPOCHS, 6)]
    assert len(set(epochs)) == EPOCHS


def test_it_notices_a_last_batch_left_out(trainer_and_indices):
    new, trained_on = trainer_and_indices
    trainer = new(batch_size=4)
    batches = trainer.sampler.batches
    trainer.sampler.batches = lambda epoch: batches(epoch)[:-1]
    trainer.run()
    with pytest.raises(AssertionError):
        check_every_example_once(trained_on)


def test_it_notices_examples_drawn_with_replacement(trainer_and_indices):
    new, trained_on = trainer_and_indices
    trainer = new(batch_size=4)
    batches = trainer.sampler.batches
    trainer.sampler.batches = lambda epoch: [np.random.randint(0, NUM_PAIRS, len(batch)) for batch in batches(epoch)]
    trainer.run()
    with pytest.raises(AssertionError):
        check_every_example_once(trained_on)


def test_it_notices_a_resumed_run_that_begins_its_epoch_again(trainer_and_indices):
    new, trained_on = trainer_and_indices
    first = new(stop=lambda: len(trained_on) == 2, batch_size=4)
    first.run()
    second = new(batch_size=4)
    second.restore(first.state())
    second.progress.batch = 0
    second.run()
    with pytest.raises(AssertionError):
        check_every_example_once(trained_on)
