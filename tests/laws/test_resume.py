"""Law: ten updates are five, a stop, and five more — bit for bit, dropout and all."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
import torch
from rich.console import Console

from seq2see.config import Config
from seq2see.data import Examples, collate, copies
from seq2see.data.options import DataOptions
from seq2see.errors import CheckpointError
from seq2see.model import ARCHITECTURES, ModelOptions, Sizes, build
from seq2see.run.train import train
from seq2see.storage.checkpoints import load_checkpoint
from seq2see.text import Codec, learn_codec, make_tokenizer
from seq2see.text.options import TextOptions
from seq2see.training import DevEvaluation, Trainer, TrainingOptions, TrainingState, target_log_probs, to_tensors

OPTIONS = TrainingOptions(
    rate=0.01,
    max_updates=10,
    batch_size=6,
    evaluate_every=5,
    metric="exact_match",
    precision="float32",
    seed=3,
)
CLOCKS = {"seconds", "window_seconds", "tokens_per_second"}


@pytest.fixture(scope="module")
def pairs():
    return copies(22, seed=1)  # four batches per epoch: five updates end inside the second


def copy_of(state):
    """A copy of the state that further training doesn't change."""
    return TrainingState(
        {name: tensor.clone() for name, tensor in state.model.items()},
        {name: tensor.clone() for name, tensor in state.optimizer.items()},
        json.loads(json.dumps(state.progress)),
        {name: tensor.clone() for name, tensor in state.averages.items()},
    )


def new_trainer(
    blueprint, pairs, options, *, stop=lambda: False, saved=None, evaluate=None, codec=None, epoch_examples=None
):
    has_source = ARCHITECTURES[blueprint.name].has_source
    codec = codec or Codec.build(make_tokenizer("characters"), [pair.source for pair in pairs])
    if not has_source:
        pairs = [pair._replace(source="") for pair in pairs]
    examples = Examples.encode(pairs, codec if has_source else None, codec)
    size = len(codec.vocabulary)
    torch.manual_seed(0)
    model = build(replace(blueprint, dropout=0.4), Sizes(size if has_source else 0, size))
    dev = to_tensors(collate(examples, np.arange(4)))
    events = []
    trainer = Trainer(
        model,
        examples,
        options,
        device=torch.device("cpu"),
        evaluate=evaluate
        or (
            lambda model: DevEvaluation(
                {"exact_match": 0.0, "loss": -target_log_probs(model.eval(), dev).mean().item()}, ()
            )
        ),
        save_best=lambda model, progress: None,
        save_checkpoint=lambda state: None if saved is None else saved.append(copy_of(state)),
        callback=events.append,
        stop=stop,
        epoch_examples=epoch_examples,
    )
    trainer.events = events
    return trainer


def stop_after(updates):
    """Returns True at the n-th call: the trainer calls it after each update."""
    asked = []
    return lambda: asked.append(True) or len(asked) == updates


def check_same_state(one, other):
    for part in ("model", "optimizer", "averages"):
        mine, theirs = getattr(one, part), getattr(other, part)
        assert mine.keys() == theirs.keys()
        for name, tensor in mine.items():
            assert torch.equal(tensor, theirs[name]), f"{part}: {name}"
    check_same_progress(one.progress, other.progress)


def check_same_progress(one, other):
    left, right = ({k: v for k, v in progress.items() if k not in CLOCKS} for progress in (one, other))
    assert left == right


def check_resume(blueprint, pairs, options=OPTIONS, *, new_trainer=new_trainer, at=5, passed_on=copy_of):
    straight = new_trainer(blueprint, pairs, options)
    assert straight.run().update == 10
    first = new_trainer(blueprint, pairs, options, stop=stop_after(at))
    finished = first.run()
    assert (finished.update, finished.reason) == (at, "interrupted")
    second = new_trainer(blueprint, pairs, options)
    second.restore(passed_on(first.state()))
    assert second.run().update == 10
    check_same_state(second.state(), straight.state())
    since = [event for event in straight.events if event.update > at]
    for one, other in zip(second.events, since, strict=True):
        assert type(one) is type(other)
        check_same_progress(asdict(one), asdict(other))


def test_resume(architecture, pairs):
    check_resume(architecture, pairs)


@pytest.mark.parametrize("at", [1, 4, 8])
def test_resume_from_anywhere(at, blueprint, pairs):
    """At the end of an epoch (4, 8) and inside one; evaluated on dev after every update."""
    check_resume(blueprint("bidirectional"), pairs, replace(OPTIONS, evaluate_every=1), at=at)


@pytest.mark.parametrize(
    "changed",
    [
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"optimizer": "muon", "weight_decay": 0.1},
        {"schedule": "plateau", "evaluate_every": 1},
        {"schedule": "cosine", "warmup": 0.5},
        {"batch_size": None, "batch_tokens": 90},
        {"accumulate": 2},
        {"ema": 0.9, "evaluate_every": 2},
        {"average": 3, "evaluate_every": 2},
        {"average": 2, "average_of": "best", "ema": 0.5, "evaluate_every": 1},
    ],
    ids=str,
)
def test_resume_with_other_options(changed, blueprint, pairs):
    check_resume(blueprint("attention"), pairs, replace(OPTIONS, **changed))


def test_resume_of_a_transformer_trained_by_muon(blueprint, pairs):
    check_resume(blueprint("transformer"), pairs, replace(OPTIONS, optimizer="muon"))


def test_resume_in_bfloat16(blueprint, pairs, lstm_in_bfloat16):
    check_resume(blueprint("attention"), pairs, replace(OPTIONS, precision="bfloat16"))


def test_resume_from_a_checkpoint_before_the_end(architecture, pairs):
    """A run killed after update 9 resumes from the checkpoint of update 5."""
    saved = []
    straight = new_trainer(architecture, pairs, OPTIONS, saved=saved)
    straight.run()
    assert [state.progress["update"] for state in saved] == [5, 10]
    second = new_trainer(architecture, pairs, OPTIONS)
    second.restore(saved[0])
    second.run()
    check_same_state(second.state(), straight.state())
    check_same_state(saved[1], straight.state())


def test_dropout_takes_part(blueprint, pairs):
    """Dropout has an effect: different seeds give different models."""
    states = []
    for rate in (0.4, 0.0):
        trainer = new_trainer(blueprint("plain"), pairs, OPTIONS)
        for module in trainer.model.modules():
            if hasattr(module, "rate"):
                module.rate = rate
        trainer.run()
        states.append(trainer.state())
    with pytest.raises(AssertionError):
        check_same_state(*states)


BROKEN_STATES = {
    "moments forgotten": lambda state: state._replace(
        optimizer={n: t if n.startswith("step") else torch.zeros_like(t) for n, t in state.optimizer.items()}
    ),
    "steps forgotten": lambda state: state._replace(
        optimizer={n: torch.zeros_like(t) if n.startswith("step") else t for n, t in state.optimizer.items()}
    ),
    "batch forgotten": lambda state: state._replace(progress=state.progress | {"batch": 0}),
    "epoch forgotten": lambda state: state._replace(progress=state.progress | {"epoch": 0}),
    "best mistaken": lambda state: state._replace(progress=state.progress | {"best": {"exact_match": 1.0, "loss": 0}}),
    "window forgotten": lambda state: state._replace(progress=state.progress | {"window_loss": 0.0}),
    "weights rounded": lambda state: state._replace(
        model={n: t.bfloat16().float() for n, t in state.model.items()}
    ),
}  # fmt: skip


@pytest.mark.parametrize("forgotten", ["ema", "kept"])
def test_it_notices_missing_averages(forgotten, blueprint, pairs):
    def forget(state):
        averages = {
            name: torch.zeros_like(tensor) if name.startswith(forgotten) else tensor
            for name, tensor in copy_of(state).averages.items()
        }
        return copy_of(state)._replace(averages=averages)

    options = replace(OPTIONS, ema=0.9, average=5, evaluate_every=2)
    with pytest.raises(AssertionError):
        check_resume(blueprint("plain"), pairs, options, passed_on=forget)


@pytest.mark.parametrize("broken", BROKEN_STATES.values(), ids=BROKEN_STATES)
def test_it_notices_a_state_with_something_missing(broken, blueprint, pairs):
    with pytest.raises(AssertionError):
        check_resume(blueprint("plain"), pairs, passed_on=lambda state: broken(copy_of(state)))


def test_it_notices_dropout_from_a_generator_of_its_own(blueprint, pairs, monkeypatch):
    chance = iter(range(1000))
    monkeypatch.setattr("seq2see.training.trainer.dropout_seed", lambda seed, update, part: next(chance))
    with pytest.raises(AssertionError):
        check_resume(blueprint("plain"), pairs)


def test_it_notices_an_order_that_cannot_be_reproduced(blueprint, pairs):
    """A sampler that shuffles again at every call."""

    def shuffled_again(*arguments, **options):
        trainer = new_trainer(*arguments, **options)
        pool = trainer.batches.sampler.pool
        trainer.batches.sampler.pool = lambda *place: [np.random.permutation(batch) for batch in pool(*place)][
            :: np.random.choice([-1, 1])
        ]
        return trainer

    with pytest.raises(AssertionError):
        check_resume(blueprint("plain"), pairs, new_trainer=shuffled_again)


# --- BPE-dropout in each epoch ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bpe(pairs):
    return learn_codec("bpe", [pair.source for pair in pairs], size=40)


def with_dropout(pairs, codec, seed_of=lambda epoch: 1):
    """`new_trainer` with BPE-dropout in each epoch; `seed_of` should be the same for all."""

    def epoch_examples(epoch):
        return Examples.encode_with_dropout(pairs, codec, codec, dropout=0.3, seed=seed_of(epoch), epoch=epoch)

    return partial(new_trainer, codec=codec, epoch_examples=epoch_examples)


@pytest.mark.parametrize("at", [2, 4, 5, 7, 8])
@pytest.mark.parametrize("changed", [{}, {"batch_size": None, "batch_tokens": 90}], ids=str)
def test_resume_with_bpe_dropout(changed, at, blueprint, pairs, bpe):
    """Inside the first and second epoch, and between two; batches limited by tokens also differ in number."""
    options = replace(OPTIONS, **changed)
    check_resume(blueprint("attention"), pairs, options, at=at, new_trainer=with_dropout(pairs, bpe))


def test_bpe_dropout_takes_part(blueprint, pairs, bpe):
    plain = new_trainer(blueprint("plain"), pairs, OPTIONS, codec=bpe)
    dropped = with_dropout(pairs, bpe)(blueprint("plain"), pairs, OPTIONS)
    for trainer in (plain, dropped):
        trainer.run()
    with pytest.raises(AssertionError):
        check_same_state(plain.state(), dropped.state())
    assert dropped.batches.examples.source_ids.tolist() != plain.batches.examples.source_ids.tolist()


def test_it_notices_bpe_dropout_from_a_generator_of_its_own(blueprint, pairs, bpe):
    chance = iter(range(1000))
    with pytest.raises(AssertionError):
        check_resume(blueprint("plain"), pairs, new_trainer=with_dropout(pairs, bpe, seed_of=lambda _: next(chance)))


@pytest.mark.parametrize("schedule", ["linear", "plateau"])
def test_resume_between_two_evaluations(schedule, blueprint, pairs):
    """The interruption has no effect on the best, the patience or the rate."""

    def no_better(*arguments, **options):
        return new_trainer(
            *arguments, **options, evaluate=lambda model: DevEvaluation({"exact_match": 0.5, "loss": 1.0}, ())
        )

    options = replace(OPTIONS, evaluate_every=3, schedule=schedule)
    check_resume(blueprint("plain"), pairs, options, at=5, new_trainer=no_better)


# --- the same with files on disk, through run.train -------------------------------------------------------------------


def config_of(tmp_path, pairs, **changed):
    for name, part in (("train.tsv", pairs[4:]), ("dev.tsv", pairs[:4])):
        (tmp_path / name).write_text("".join(f"{p.source}\t{p.target}\n" for p in part), encoding="utf-8")
    return Config(
        data=DataOptions(train=(str(tmp_path / "train.tsv"),), dev=(str(tmp_path / "dev.tsv"),)),
        model=ModelOptions(name="bidirectional", width=16, embedding=8, dropout=0.4),
        training=replace(OPTIONS, **changed),
    )


def check_resume_on_disk(config, tmp_path, monkeypatch, *, between=lambda folder: None):
    quiet = {"device": "cpu", "console": Console(quiet=True)}
    straight, parted = tmp_path / "straight", tmp_path / "parted"
    assert train(config, straight, **quiet).finished.update == 10

    updates = []

    @contextmanager
    def interrupted(say, **_):
        yield lambda: len(updates) >= 5

    def counted(trainer, batch):
        updates.append(batch)
        update(trainer, batch)

    update = Trainer._update
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", counted)
        patch.setattr("seq2see.run.train.stop_on_signal", interrupted)
        finished = train(config, parted, **quiet).finished
    assert (finished.update, finished.reason) == (5, "interrupted")
    between(parted)
    torch.manual_seed(12345)  # anything may happen in between
    assert train(config, parted, resume=True, **quiet).finished.update == 10

    (tensors, progress, *_), (others, other, *_) = (
        load_checkpoint(folder / "checkpoints") for folder in (straight, parted)
    )
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert np.array_equal(tensor, others[name]), name
    check_same_progress(progress, other)
    weights = [(folder / "model" / "model.safetensors").read_bytes() for folder in (straight, parted)]
    assert weights[0] == weights[1]
    evaluations = []
    for folder in (straight, parted):
        events = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
        kept = [{k: v for k, v in event.items() if "second" not in k} for event in events]
        evaluations.append([event for event in kept if event["event"] != "end"])
    assert evaluations[0] == evaluations[1]


def test_resume_on_disk(tmp_path, pairs, monkeypatch):
    check_resume_on_disk(config_of(tmp_path, pairs), tmp_path, monkeypatch)


def test_it_notices_pairs_that_changed_in_between(tmp_path, pairs, monkeypatch):
    def swap_two_lines(_):
        path = tmp_path / "train.tsv"
        first, *others = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join([*others, first]), encoding="utf-8")

    with pytest.raises(CheckpointError, match="differ from those that the run was started with"):
        check_resume_on_disk(config_of(tmp_path, pairs), tmp_path, monkeypatch, between=swap_two_lines)


SUBWORDS = {
    "bpe": TextOptions(source="bpe", target="bpe", subword_size=40),
    "joint": TextOptions(source="bpe", target="bpe", subword_size=40, joint=True),
    "dropout": TextOptions(source="bpe", target="bpe", subword_size=40, bpe_dropout=0.2),
    "unigram": TextOptions(source="unigram", target="unigram", subword_size=40),
}


@pytest.mark.parametrize("text", SUBWORDS.values(), ids=SUBWORDS)
def test_resume_on_disk_with_subwords(text, tmp_path, pairs, monkeypatch):
    """The vocabularies are those of the original run; they are not learned again."""

    def forget(_):
        monkeypatch.setattr("seq2see.text.building.learn_from_words", None)

    config = replace(config_of(tmp_path, pairs), text=text)
    check_resume_on_disk(config, tmp_path, monkeypatch, between=forget)
