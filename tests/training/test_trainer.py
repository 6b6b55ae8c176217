"""The trainer: what an update does, when it stops, what it keeps, what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from seq2see.console import counted
from seq2see.data import Examples, collate, copies
from seq2see.errors import UserError
from seq2see.model import ModelOptions, Sizes, build, resolve
from seq2see.text import Codec, make_tokenizer
from seq2see.training import (
    DevAnswer,
    DevEvaluation,
    Evaluated,
    Finished,
    Sample,
    Trainer,
    TrainingOptions,
    Updated,
    WarningIssued,
    batch_loss,
    to_tensors,
)
from seq2see.training.process_batches import dropout_seed
from seq2see.training.state import is_better

PAIRS = copies(20, seed=1)
CODEC = Codec.build(make_tokenizer("characters"), [pair.source for pair in PAIRS])
EXAMPLES = Examples.encode(PAIRS, CODEC, CODEC)
CPU = torch.device("cpu")


class Recorder:
    """Stands for all that the trainer is handed: gives the evaluations asked for, keeps what happens in order."""

    def __init__(self, exact_matches=(), losses=()):
        self.exact_matches = iter(exact_matches)
        self.losses = iter(losses)
        self.happened = []
        self.events = []
        self.best = []
        self.states = []
        self.rates = []

    def evaluate(self, model):
        self.happened.append("evaluate")
        metrics = {"exact_match": next(self.exact_matches, 0.0), "loss": next(self.losses, 1.0)}
        return DevEvaluation(metrics, (Sample("a", "b", "c"),))

    def save_best(self, model, progress):
        self.happened.append("save best")
        self.best.append(progress.update)

    def save_checkpoint(self, state):
        self.happened.append("checkpoint")
        self.states.append(state.progress["update"])

    def callback(self, event):
        self.happened.append(type(event).__name__)
        self.events.append(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def new_model(name="plain", **options):
    torch.manual_seed(0)
    size = len(CODEC.vocabulary)
    blueprint = resolve(ModelOptions(**{"name": name, "width": 8, "embedding": 6, "dropout": 0.0} | options))
    return build(blueprint, Sizes(size, size))


def new_trainer(recorder=None, *, model=None, stop=None, stop_when_perfect=False, **options):
    recorder = recorder or Recorder()
    given = {"rate": 0.01, "max_updates": 10, "evaluate_every": 2, "batch_size": 5}
    given |= {"metric": "exact_match", "precision": "float32"} | options

    def record_rate_and_ask():
        recorder.rates.append(trainer.optimizer.rate)
        return stop() if stop else False

    trainer = Trainer(
        model or new_model(),
        EXAMPLES,
        TrainingOptions(**given),
        device=CPU,
        evaluate=recorder.evaluate,
        save_best=recorder.save_best,
        save_checkpoint=recorder.save_checkpoint,
        callback=recorder.callback,
        stop=record_rate_and_ask,
        stop_when_perfect=stop_when_perfect,
    )
    trainer.recorder = recorder
    return trainer


def weights(trainer):
    return {name: parameter.detach().clone() for name, parameter in trainer.model.named_parameters()}


# --- which model is better --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metrics", "best", "by_exact_match", "by_loss"),
    [
        ((0.0, 9.0), None, True, True),
        ((0.6, 2.0), (0.5, 1.0), True, False),
        ((0.5, 0.9), (0.5, 1.0), True, True),
        ((0.5, 1.0), (0.5, 1.0), False, False),
        ((0.5, 1.1), (0.5, 1.0), False, False),
        ((0.4, 0.1), (0.5, 1.0), False, True),
        ((0.0, 1.9), (0.0, 2.0), True, True),
    ],
)
def test_is_better(metrics, best, by_exact_match, by_loss):
    def named(pair):
        return dict(zip(("exact_match", "loss"), pair, strict=True)) if pair else {}

    assert is_better(named(metrics), named(best), "exact_match") is by_exact_match
    assert is_better(named(metrics), named(best), "loss") is by_loss


@pytest.mark.parametrize("metric", ["cer", "wer", "per", "ser", "ter"])
def test_of_an_error_rate_the_lower_is_better(metric):
    assert is_better({metric: 0.1, "loss": 2.0}, {metric: 0.2, "loss": 1.0}, metric)
    assert not is_better({metric: 0.2, "loss": 1.0}, {metric: 0.1, "loss": 2.0}, metric)
    assert is_better({metric: 0.1, "loss": 0.9}, {metric: 0.1, "loss": 1.0}, metric)


@pytest.mark.parametrize("metric", ["bleu", "chrf", "rouge_1", "rouge_2", "rouge_l"])
def test_of_an_overlap_the_higher_is_better(metric):
    assert is_better({metric: 31.0, "loss": 2.0}, {metric: 30.0, "loss": 1.0}, metric)
    assert not is_better({metric: 30.0, "loss": 1.0}, {metric: 31.0, "loss": 2.0}, metric)


def test_what_was_not_measured_is_beaten():
    assert is_better({"cer": 0.9, "loss": 2.0}, {"exact_match": 1.0, "loss": 1.0}, "cer")


def test_a_loss_that_is_no_number_is_never_better():
    best = {"exact_match": 0.0, "loss": 2.0}
    assert not is_better({"exact_match": 0.0, "loss": math.nan}, best, "exact_match")
    assert not is_better({"exact_match": 0.0, "loss": math.nan}, best, "loss")


# --- the run ----------------------------------------------------------------------------------------------------------


def test_the_best_is_saved_only_when_it_is_better():
    recorder = Recorder([0.1, 0.3, 0.2, 0.3, 0.3], [5, 4, 1, 4, 3])
    finished = new_trainer(recorder).run()
    assert recorder.best == [2, 4, 10]
    assert [event.best for event in recorder.of(Evaluated)] == [True, True, False, False, True]
    assert finished.best_update == 10
    assert finished.metrics == {"exact_match": 0.3, "loss": 3}


def test_by_loss_alone_another_one_is_best():
    recorder = Recorder([0.1, 0.3, 0.2, 0.3, 0.3], [5, 4, 1, 4, 3])
    finished = new_trainer(recorder, metric="loss").run()
    assert recorder.best == [2, 4, 6]
    assert finished.best_update == 6
    assert finished.metrics == {"exact_match": 0.2, "loss": 1}


def test_what_is_kept_as_best_is_not_changed_by_later_updates():
    recorder = Recorder([0.5, 0.1], [1, 1])
    kept = []
    trainer = new_trainer(recorder, max_updates=4)
    trainer.save_best = lambda model, progress: kept.append(({**progress.best}, progress.update))
    trainer.run()
    assert kept == [({"exact_match": 0.5, "loss": 1}, 2)]


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_patience(patience):
    recorder = Recorder([0.1, 0.2, 0.1, 0.1, 0.1, 0.9])
    finished = new_trainer(recorder, max_updates=100, patience=patience).run()
    assert finished.update == 4 + 2 * patience
    assert finished.reason == f"no improvement for {counted(patience, 'evaluation')}"
    assert finished.best_update == 4


def test_patience_restarts_with_each_improvement():
    recorder = Recorder([0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3], [1] * 7)
    assert new_trainer(recorder, max_updates=100, patience=2).run().update == 14


def test_three_evaluations_in_a_row_without_a_mistake_are_enough_where_that_is_asked_for():
    shares = [0.5, 1.0, 1.0, 0.9, 1.0, 1.0, 1.0, 1.0]
    finished = new_trainer(Recorder(shares), max_updates=100, stop_when_perfect=True).run()
    assert finished.update == 14
    assert finished.reason == "dev without a mistake 3 times in a row"
    assert new_trainer(Recorder(shares), max_updates=16).run().update == 16


def test_plateau_halves_the_rate_after_two_evaluations_without_a_better_one():
    recorder = Recorder([0.5, 0.4, 0.4, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1])
    new_trainer(recorder, max_updates=20, schedule="plateau", warmup=0.0).run()
    halvings = [0, 0, 0, 0, 0, 0, *[1] * 6, *[2] * 4, *[3] * 4]
    assert recorder.rates == pytest.approx([0.01 / 2**times for times in halvings])


def test_other_schedules_do_not_halve():
    recorder = Recorder([0.5, 0.4, 0.4, 0.4, 0.4])
    new_trainer(recorder, schedule="constant", warmup=0.0).run()
    assert recorder.rates == [0.01] * 10


def test_the_rate_of_each_update_is_that_of_the_schedule():
    trainer = new_trainer(max_updates=10, warmup=0.2)
    trainer.run()
    assert trainer.recorder.rates == pytest.approx([0.005, 0.01, *(0.01 * left / 9 for left in range(8, 0, -1))])


@pytest.mark.parametrize(("epochs", "batch_size", "updates"), [(1, 5, 4), (3, 5, 12), (2, 7, 6), (1, 99, 1)])
def test_max_epochs(epochs, batch_size, updates):
    trainer = new_trainer(max_updates=1000, max_epochs=epochs, batch_size=batch_size)
    finished = trainer.run()
    assert finished.update == updates
    assert finished.reason == "all updates done"
    assert trainer.recorder.happened[-1] == "Finished"
    assert trainer.recorder.states[-1] == updates
    assert trainer.recorder.of(Evaluated)[-1].update == updates  # what came last has been tried


def test_whichever_comes_first():
    assert new_trainer(max_updates=3, max_epochs=9).run().update == 3


def test_events_and_savings_in_order():
    recorder = Recorder([0.5, 0.1, 0.6])
    new_trainer(recorder, max_updates=11, evaluate_every=5, checkpoint_every=4).run()
    assert recorder.happened == [
        "Updated",  # 1
        "checkpoint",  # 4
        "evaluate", "save best", "Evaluated",  # 5
        "checkpoint",  # 8
        "Updated", "evaluate", "Evaluated",  # 10
        "evaluate", "save best", "Evaluated", "checkpoint", "Finished",  # 11, the last
    ]  # fmt: skip
    assert recorder.states == [4, 8, 11]


@pytest.mark.parametrize(
    ("minutes", "expected"), [(1.0, [2, 4, 6, 8, 10, 11]), (100.0, [4, 8, 11]), (0.01, [*range(1, 12)])]
)
def test_checkpoints_by_the_clock_too(minutes, expected, monkeypatch):
    """An update takes half a minute here, and nothing else takes any time."""
    recorder = Recorder()
    trainer = new_trainer(recorder, max_updates=11, evaluate_every=5, checkpoint_every=4, checkpoint_minutes=minutes)
    update, now = trainer._update, [0.0]

    def slow(indices):
        update(indices)
        now[0] += 30

    monkeypatch.setattr("seq2see.training.trainer.time.perf_counter", lambda: now[0] + 1e-9 * trainer.progress.update)
    monkeypatch.setattr(trainer, "_report", lambda *_: None)
    monkeypatch.setattr(trainer, "_update", slow)
    trainer.run()
    assert recorder.states == expected


def test_checkpoints_come_with_the_evaluations_where_nothing_is_said():
    trainer = new_trainer(max_updates=6, evaluate_every=2)
    trainer.run()
    assert trainer.recorder.states == [2, 4, 6]


def test_interrupted():
    recorder = Recorder()
    finished = new_trainer(recorder, stop=lambda: len(recorder.rates) == 3).run()
    assert (finished.update, finished.reason) == (3, "interrupted")
    assert recorder.states[-1] == 3
    assert recorder.happened[-1] == "Finished"
    assert recorder.of(Evaluated)  # there is a model to use


def test_what_the_events_say():
    recorder = Recorder([0.25], [0.5])
    trainer = new_trainer(recorder, max_updates=10, evaluate_every=10, warmup=0.0, schedule="constant")
    trainer.run()
    first, tenth = recorder.of(Updated)
    assert (first.update, tenth.update) == (1, 10)
    assert tenth.epoch == 2
    assert tenth.rate == 0.01
    assert 0 < first.seconds <= tenth.seconds
    assert tenth.tokens_per_second > 0
    assert tenth.gradient_norm > 0
    (evaluated,) = recorder.of(Evaluated)
    assert evaluated.metrics == {"exact_match": 0.25, "loss": 0.5}
    assert evaluated.samples == (Sample("a", "b", "c"),)
    (finished,) = recorder.of(Finished)
    assert finished.seconds >= evaluated.seconds


def test_the_loss_reported_is_nats_a_token_of_the_updates_since():
    """With a rate of next to nothing every update sees the same model."""
    trainer = new_trainer(max_updates=10, rate=1e-12)
    trainer.run()
    first, later = trainer.recorder.of(Updated)
    batches = [b for epoch in range(3) for b in trainer.batches.sampler.batches(epoch)][:10]
    sums = [batch_loss(trainer.model, to_tensors(collate(EXAMPLES, b)), 0.1).item() for b in batches]
    tokens = [int(EXAMPLES.target_lengths[b].sum()) for b in batches]
    assert first.loss == pytest.approx(sums[0] / tokens[0], rel=1e-4)
    assert later.loss == pytest.approx(sum(sums[1:]) / sum(tokens[1:]), rel=1e-4)


# --- one update -------------------------------------------------------------------------------------------------------


def gradient_of_first_update(trainer):
    """What Adam was given: its first moment is a tenth of it."""
    state = trainer.optimizer.state
    return {name: state[p]["exp_avg"] / 0.1 for name, p in trainer.model.named_parameters()}


def expected_gradient(smoothing=0.1):
    model = new_model().eval()
    trainer = new_trainer()
    batch = to_tensors(collate(EXAMPLES, next(trainer.batches.sampler.batches(0))))
    (batch_loss(model, batch, smoothing) / batch.target.lengths.sum()).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def test_the_gradient_is_that_of_the_loss_a_token():
    trainer = new_trainer(max_updates=1, clip=1e9)
    trainer.run()
    expected = expected_gradient()
    for name, gradient in gradient_of_first_update(trainer).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-7)


def test_label_smoothing_takes_part():
    trainer = new_trainer(max_updates=1, clip=1e9, label_smoothing=0.5)
    trainer.run()
    ours, with_it, without = gradient_of_first_update(trainer), expected_gradient(0.5), expected_gradient(0.0)
    name = "decoder.output.bias"
    torch.testing.assert_close(ours[name], with_it[name], rtol=1e-4, atol=1e-7)
    assert (ours[name] - without[name]).abs().max() > 1e-3


@pytest.mark.parametrize("clip", [1e-3, 0.05, 1e9])
def test_clipping_shortens_the_gradient_and_keeps_its_direction(clip):
    trainer = new_trainer(max_updates=1, clip=clip)
    trainer.run()
    expected = expected_gradient()
    norm = math.sqrt(sum(gradient.square().sum().item() for gradient in expected.values()))
    (event,) = trainer.recorder.of(Updated)
    assert event.gradient_norm == pytest.approx(norm, rel=1e-4)  # as it was before
    for name, gradient in gradient_of_first_update(trainer).items():
        torch.testing.assert_close(gradient, expected[name] * min(1, clip / norm), rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_ends_the_run_before_it_does_harm(value):
    trainer = new_trainer(Recorder([0.5]), max_updates=20)
    update = trainer._update
    before = {}

    def poisoned(indices):
        if trainer.progress.update == 3:
            before.update(weights(trainer))
            trainer.model.decoder.output.bias.register_hook(lambda gradient: torch.full_like(gradient, value))
        update(indices)

    trainer._update = poisoned
    with pytest.raises(UserError) as caught:
        trainer.run()
    assert "update 4" in str(caught.value)
    assert "training.rate=0.0025" in caught.value.fix
    for name, weight in weights(trainer).items():
        assert torch.equal(weight, before[name])
    assert trainer.recorder.best == [2]  # the best so far is kept


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_weight_decay(optimizer):
    """By hand on an embedding that no batch uses, <unk>'s. Adam adds the decay to the gradient, AdamW to the step."""
    trainer = new_trainer(
        max_updates=1, optimizer=optimizer, weight_decay=0.1, rate=0.01, warmup=0.0, schedule="constant"
    )
    before = trainer.model.decoder.embedding.weight[1].detach().clone()
    trainer.run()
    after = trainer.model.decoder.embedding.weight[1].detach()
    expected = before * (1 - 0.01 * 0.1) if optimizer == "adamw" else before - 0.01 * before.sign()
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon"])
def test_without_weight_decay_unused_embeddings_stay(optimizer):
    trainer = new_trainer(max_updates=5, optimizer=optimizer)
    before = weights(trainer)
    trainer.run()
    assert torch.equal(trainer.model.decoder.embedding.weight[1], before["decoder.embedding.weight"][1])
    for name, weight in weights(trainer).items():
        assert not torch.equal(weight, before[name]), name


def test_dropout_is_on_in_updates_and_different_in_each(monkeypatch):
    trainer = new_trainer(model=new_model(dropout=0.5), max_updates=3, evaluate_every=1)
    masks, modes = [], []
    monkeypatch.setattr(
        "seq2see.training.objective.batch_loss",
        lambda model, *arguments: (
            (modes.append(model.training) or masks.append(model.encoder.dropout(torch.ones(1, 1, 50))))
            or batch_loss(model, *arguments)
        ),
    )
    trainer.evaluate = lambda model: model.eval() and DevEvaluation({"exact_match": 0.0, "loss": 1.0}, ())
    trainer.run()
    assert modes == [True] * 3
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[1], masks[2])


def test_dropout_seeds_differ():
    seeds = {dropout_seed(seed, update, part) for seed in range(20) for update in range(1, 100) for part in range(4)}
    assert len(seeds) == 20 * 99 * 4
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert dropout_seed(-1, 1, 0) >= 0


@pytest.mark.parametrize("budget", [30, 80, 200])
def test_batch_tokens_limits_what_an_update_holds(budget, monkeypatch):
    held = []

    def recording(examples, indices):
        batch = collate(examples, indices)
        held.append(batch.source.ids.size + batch.target.ids.size)
        return batch

    monkeypatch.setattr("seq2see.training.process_batches.collate", recording)
    new_trainer(batch_size=None, batch_tokens=budget, max_epochs=2, max_updates=1000).run()
    assert max(held) <= budget
    assert len(held) > 2


@pytest.mark.parametrize(("batch_size", "batch_tokens", "updates"), [(5, 10_000, 4), (99, 10_000, 1), (99, 1, 20)])
def test_a_batch_ends_at_whichever_limit_is_reached_first(batch_size, batch_tokens, updates):
    trainer = new_trainer(batch_size=batch_size, batch_tokens=batch_tokens, max_epochs=1, max_updates=1000)
    assert trainer.run().update == updates


@pytest.mark.parametrize("name", ["plain", "peeky", "attention", "gnmt", "input_feeding"])
def test_bfloat16_trains_weights_in_float32(name, lstm_in_bfloat16):
    losses = {}
    for precision in ("float32", "bfloat16"):
        trainer = new_trainer(model=new_model(name), precision=precision, max_updates=10, rate=0.02)
        trainer.run()
        losses[precision] = [event.loss for event in trainer.recorder.of(Updated)]
        assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())
        assert all(
            value.dtype == torch.float32 for state in trainer.optimizer.state.values() for value in state.values()
        )
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.03)
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"][-1] < losses["bfloat16"][0]


@pytest.mark.parametrize("missing", ["rate", "max_updates", "evaluate_every", "metric"])
def test_options_must_be_complete(missing):
    with pytest.raises(AssertionError):
        new_trainer(**{missing: None})


def test_precision_must_be_settled():
    with pytest.raises(AssertionError):
        new_trainer(precision="auto")


def test_the_same_seed_trains_the_same_model_and_another_one_another():
    models = []
    for seed in (1, 1, 2):
        trainer = new_trainer(model=new_model(dropout=0.3), seed=seed)
        torch.manual_seed(np.random.randint(1000))
        trainer.run()
        models.append(weights(trainer)["decoder.output.weight"])
    assert torch.equal(models[0], models[1])
    assert not torch.equal(models[0], models[2])


# --- what goes wrong -------------------------------------------------------------------------------------------------


def warned_at(is_wrong, **options):
    """Updates and kinds of the warnings where dev's answers are wrong at these evaluations."""
    wrong = iter(is_wrong)
    recorder = Recorder()
    trainer = new_trainer(recorder, max_updates=12, evaluate_every=2, **options)

    def evaluate(model):
        tried = tuple(DevAnswer(f"{n}", "x", f"t{n}", ("x",), 1, True) for n in range(30)) if next(wrong) else ()
        return DevEvaluation({"exact_match": 0.0, "loss": 1.0}, (), tried)

    trainer.evaluate = evaluate
    trainer.run()
    return [(event.update, event.kind) for event in recorder.of(WarningIssued)]


def test_what_goes_wrong_is_said_once_and_not_early():
    assert warned_at([True] * 6) == [(6, "same_answer")]
    assert warned_at([True] * 6, warmup=0.6) == [(10, "same_answer")]


def test_what_passes_is_not_said_and_what_is_there_at_the_end_is():
    assert warned_at([True, True, False, True, False, False]) == []
    assert warned_at([False] * 5 + [True]) == [(12, "same_answer")]


def test_what_is_there_at_an_early_end_is_said():
    assert warned_at([True] * 6, patience=1, warmup=0.6) == [(4, "same_answer")]
    assert warned_at([True, False], patience=1, warmup=0.6) == []


def test_overfitting_is_said_after_three_rises_of_the_dev_loss():
    """The first of the four evaluations that this takes may be the lowest of all."""
    trainer = new_trainer(Recorder(losses=[1.5, 1.0, 1.1, 1.2, 1.3, 1.4]), max_updates=12, rate=0.03, warmup=0.0)
    trainer.run()
    found = [(event.update, event.kind) for event in trainer.recorder.of(WarningIssued)]
    assert found == [(10, "rising")]
