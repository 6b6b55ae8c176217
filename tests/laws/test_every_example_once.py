"""Law: every example is trained on once per epoch, however batches are limited, resumed or not."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from seq2see.data import Examples, collate, copies
from seq2see.model import Sizes, build
from seq2see.text import Codec, make_tokenizer
from seq2see.training import ALONE, DevEvaluation, Trainer, TrainingOptions, World

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

    monkeypatch.setattr("seq2see.training.process_batches.collate", recording)

    def new(stop=lambda: False, workers=0, world=ALONE, **options):
        model = build(blueprint("plain"), Sizes(len(codec.vocabulary), len(codec.vocabulary)))
        options = {"max_epochs": EPOCHS, "max_updates": 10_000} | options
        return Trainer(
            model,
            examples,
            TrainingOptions(rate=1e-3, evaluate_every=1000, metric="loss", precision="float32", **options),
            device=torch.device("cpu"),
            evaluate=lambda model: DevEvaluation({"exact_match": 0.0, "loss": 1.0}, ()),
            save_best=lambda model, progress: None,
            save_checkpoint=lambda state: None,
            callback=lambda event: None,
            stop=stop,
            workers=workers,
            world=world,
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


def order_hash(new, monkeypatch, *, size=1, workers=0, resumes=()):
    """A hash of all batches of three epochs on this number of processes, in order, and the number of updates.

    The run ends and is resumed after these updates. The processes run one after the other, without messages.
    """
    monkeypatch.setattr("seq2see.data.sampler._BATCHES_PER_POOL", 2)
    batches = defaultdict(list)  # by update, the sources of its batch
    for rank in range(size):
        state, updates = None, []
        for end in (*resumes, None):
            trainer = new(
                stop=lambda end=end, updates=updates: len(updates) == end,
                batch_tokens=60,
                max_epochs=3,
                workers=workers,
                world=World(rank=rank, size=size),
            )

            def update(share, trainer=trainer, updates=updates):
                updates.append(share)
                trainer.progress.update += 1
                trainer.progress.batch += 1
                for batch, counts in share.passes:
                    if counts:  # no source occurs twice
                        batches[len(updates)] += [
                            ids[:n].tobytes() for ids, n in zip(batch.source.ids, batch.source.lengths, strict=True)
                        ]

            monkeypatch.setattr(trainer, "_update", update)
            if state:
                trainer.restore(state)
            trainer.run()
            state = trainer.state()
        assert trainer.batches.sampler.num_pools == 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]
    return len(batches), hashlib.sha256(b"|".join(b" ".join(batches[n]) for n in sorted(batches))).hexdigest()


def test_the_order_depends_neither_on_processes_nor_on_workers_nor_on_resumes(trainer_and_indices, monkeypatch):
    new, _ = trainer_and_indices
    expected = order_hash(new, monkeypatch)
    ends = np.sort(np.random.default_rng(0).choice(np.arange(1, expected[0]), 5, replace=False)).tolist()
    for size in (1, 2, 4):
        for workers in (0, 2):
            assert order_hash(new, monkeypatch, size=size, workers=workers, resumes=ends) == expected
        assert order_hash(new, monkeypatch, size=size, workers=2) == expected


def test_another_order_is_noticed(trainer_and_indices, monkeypatch):
    new, _ = trainer_and_indices
    expected = order_hash(new, monkeypatch)
    assert order_hash(lambda **options: new(seed=2, **options), monkeypatch) != expected


def test_an_error_in_a_worker_ends_the_run(trainer_and_indices, monkeypatch):
    new, trained_on = trainer_and_indices

    def failing(examples, indices):
        if len(trained_on) == 3:
            raise OSError("the disk is gone")
        trained_on.append(indices.tolist())
        return collate(examples, indices)

    monkeypatch.setattr("seq2see.training.process_batches.collate", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        new(batch_size=4, workers=2).run()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_no_worker_outlives_a_run_whose_update_fails(trainer_and_indices, monkeypatch):
    trainer = trainer_and_indices[0](batch_size=4, workers=2)
    monkeypatch.setattr(trainer, "_update", lambda arrays: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.run()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_epochs_are_in_different_orders(trainer_and_indices):
    new, trained_on = trainer_and_indices
    new(batch_size=4).run()
    epochs = [tuple(map(tuple, trained_on[start : start + 6])) for start in range(0, 6 * EPOCHS, 6)]
    assert len(set(epochs)) == EPOCHS


def test_it_notices_a_last_batch_left_out(trainer_and_indices):
    new, trained_on = trainer_and_indices
    trainer = new(batch_size=4)
    pool = trainer.batches.sampler.pool
    trainer.batches.sampler.pool = lambda *place: pool(*place)[:-1]
    trainer.run()
    with pytest.raises(AssertionError):
        check_every_example_once(trained_on)


def test_it_notices_examples_drawn_with_replacement(trainer_and_indices):
    new, trained_on = trainer_and_indices
    trainer = new(batch_size=4)
    pool = trainer.batches.sampler.pool
    trainer.batches.sampler.pool = lambda *place: [
        np.random.randint(0, NUM_PAIRS, len(batch)) for batch in pool(*place)
    ]
    trainer.run()
    with pytest.raises(AssertionError):
        check_every_example_once(trained_on)


def test_it_notices_a_resumed_run_that_restarts_its_epoch(trainer_and_indices):
    new, trained_on = trainer_and_indices
    first = new(stop=lambda: len(trained_on) == 2, batch_size=4)
    first.run()
    second = new(batch_size=4)
    second.restore(first.state())
    second.progress.batch = 0
    second.run()
    with pytest.raises(AssertionError):
        check_every_example_once(trained_on)
