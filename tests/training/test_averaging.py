"""Moving averages and means of weights: what they are, when they are tried, which of them is kept."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seq2see.training import Evaluated
from seq2see.training.averaging import MovingAverage, mean_of

from .test_trainer import Recorder, new_model, new_trainer


def test_a_moving_average_by_hand():
    weight = torch.tensor([1.0, -2.0])
    average = MovingAverage([("w", weight)], decay=0.4)
    expected = weight.clone()
    for number, value in enumerate([3.0, 5.0, -1.0, 8.0, 2.0], start=1):
        weight.fill_(value)
        average.update([("w", weight)], number)
        share = min(0.4, (1 + number) / (10 + number))
        expected = share * expected + (1 - share) * value
        torch.testing.assert_close(average.tensors["w"], expected)
    assert share == 0.4  # the last updates are those of the decay itself


def test_a_mean_is_worked_out_in_float64():
    models = [{"w": torch.tensor([1e8])}, {"w": torch.tensor([4.0])}, {"w": torch.tensor([4.0])}, {"w": -torch.ones(1)}]
    assert mean_of(models)["w"].item() == torch.tensor((1e8 + 7) / 4).item()
    assert mean_of(models)["w"].dtype == torch.float32


def weights_at_evaluations(trainer):
    """The weights that were tried, in order, and those that training had then."""
    tried, trained = [], []
    evaluate = trainer.evaluate

    def remember(model):
        tried.append({name: tensor.clone() for name, tensor in model.tensors().items()})
        trained.append({name: tensor.clone() for name, tensor in trainer.model.tensors().items()})
        return evaluate(model)

    trainer.evaluate = remember
    return tried, trained


def same(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_with_a_moving_average_it_is_the_average_that_is_tried():
    trainer = new_trainer(ema=0.9, evaluate_every=5)
    tried, trained = weights_at_evaluations(trainer)
    average = MovingAverage(trainer.model.named_parameters(), 0.9)
    update = trainer._update

    def follow(share):
        update(share)
        average.update(trainer.model.named_parameters(), trainer.progress.update)
        if trainer.progress.update == 5:
            halfway.update({name: tensor.clone() for name, tensor in average.tensors.items()})

    halfway = {}
    trainer._update = follow
    trainer.run()
    assert same(tried[0], halfway)
    assert same(tried[1], average.tensors)
    assert not same(tried[1], trained[1])


def test_without_averages_nothing_is_copied():
    trainer = new_trainer()
    assert trainer.evaluated.model is trainer.model
    assert trainer.state().averages == {}


def test_an_average_changes_nothing_about_training():
    plain, averaged = new_trainer(), new_trainer(ema=0.9, average=2)
    for trainer in (plain, averaged):
        trainer.run()
    assert same(plain.state().model, averaged.state().model)


@pytest.mark.parametrize(
    ("of", "averaged"),
    [("last", [8, 10]), ("best", [4, 8])],
)
def test_the_mean_is_that_of_the_last_or_of_the_best(of, averaged):
    recorder = Recorder(exact_matches=[0.1, 0.5, 0.2, 0.4, 0.3, 0.9])
    trainer = new_trainer(recorder, average=2, average_of=of)
    tried, _ = weights_at_evaluations(trainer)
    finished = trainer.run()
    weights = dict(zip([2, 4, 6, 8, 10], tried, strict=False))
    assert same(tried[5], mean_of([weights[update] for update in averaged]))
    last = recorder.of(Evaluated)[-1]
    assert (last.update, last.mean_of, last.best) == (10, 2, True)
    assert (finished.metrics["exact_match"], recorder.best[-1]) == (0.9, 10)
    assert [event.mean_of for event in recorder.of(Evaluated)[:-1]] == [0] * 5


def test_of_equal_evaluations_the_later_ones_are_kept():
    trainer = new_trainer(Recorder(), average=3, average_of="best")
    trainer.run()
    assert sorted(trainer.evaluated.kept, key=int) == ["6", "8", "10"]


def test_a_mean_that_is_no_better_is_not_saved():
    recorder = Recorder(exact_matches=[0.1, 0.5, 0.2, 0.4, 0.3, 0.45])
    trainer = new_trainer(recorder, average=2)
    finished = trainer.run()
    assert recorder.best == [2, 4]
    assert (finished.best_update, finished.metrics["exact_match"]) == (4, 0.5)
    assert not recorder.of(Evaluated)[-1].best


def test_the_mean_is_tried_once_and_before_the_last_checkpoint():
    recorder = Recorder()
    trainer = new_trainer(recorder, average=2)
    trainer.run()
    assert recorder.happened[-3:] == ["Evaluated", "checkpoint", "Finished"]
    again = Recorder()
    second = new_trainer(again, average=2)
    second.restore(trainer.state())
    second.run()
    assert again.of(Evaluated) == []


def test_an_interrupted_run_tries_no_mean():
    recorder = Recorder()
    new_trainer(recorder, average=2, stop=lambda: recorder.of(Evaluated)[3:]).run()
    assert all(not event.mean_of for event in recorder.of(Evaluated))


def test_averages_are_weights_of_the_model():
    """What is tried is a whole model: it gives a loss of its own, between those of what it is made of or near."""
    trainer = new_trainer(model=new_model("attention"), ema=0.5, average=2, max_updates=6)
    trainer.run()
    shapes = {name: tensor.shape for name, tensor in trainer.model.tensors().items()}
    assert {name: tensor.shape for name, tensor in trainer.evaluated.model.tensors().items()} == shapes
    assert not any(one is other for one in trainer.evaluated.model.parameters() for other in trainer.model.parameters())


class Float64OnTheCPUOnly(TorchDispatchMode):
    """Fails like MPS, which has no float64."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.device.type != "cpu":
                assert tensor.dtype != torch.float64, f"{func} makes float64 on {tensor.device}"
        return result


def test_weights_are_averaged_on_devices_without_float64():
    with FakeTensorMode(), Float64OnTheCPUOnly():
        models = [{"w": torch.ones(3, 2, device="cuda")} for _ in range(3)]
        with pytest.raises(AssertionError):
            models[0]["w"].double()
        mean = mean_of(models)["w"]
    assert (mean.device.type, mean.dtype, mean.shape) == ("cuda", torch.float32, (3, 2))
