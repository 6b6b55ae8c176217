"""Which precision a run takes by itself."""

from __future__ import annotations

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from seq2see.model import ARCHITECTURES, ModelOptions, Sizes, resolve
from seq2see.model.recurrent import LSTM
from seq2see.model.transformer import FeedForward
from seq2see.training import choose_precision
from seq2see.training.precision import fastest

CPU = torch.device("cpu")
FASTEST = "seq2see.training.precision.fastest"


def choose(name="attention", device=CPU, **options):
    blueprint = resolve(ModelOptions(**{"name": name, "width": 8} | options))
    return choose_precision(device, blueprint, Sizes(20 if ARCHITECTURES[name].has_source else 0, 20))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_precision_is_chosen_among_two_and_leaves_no_trace(name, monkeypatch):
    monkeypatch.setattr("seq2see.training.precision.SECONDS", 0)
    before = torch.get_rng_state()
    assert choose(name) in ("float32", "bfloat16")
    assert torch.equal(torch.get_rng_state(), before)


def test_what_shares_tables_or_has_few_places_can_be_tried(monkeypatch):
    monkeypatch.setattr("seq2see.training.precision.SECONDS", 0)
    assert choose("transformer", tie="all", positions="learned", longest=3) in ("float32", "bfloat16")


@pytest.mark.parametrize(
    ("name", "tried", "not_tried"), [("attention", LSTM, FeedForward), ("transformer", FeedForward, LSTM)]
)
def test_what_is_tried_is_what_the_model_is_made_of_in_either_precision(name, tried, not_tried, monkeypatch):
    ran, formats = set(), []

    def watch(module, _, output):
        ran.add(type(module))
        if isinstance(module, torch.nn.Linear):
            formats[-1].add(output.dtype)

    def once(*runs):
        for run in runs:
            formats.append(set())
            run()
        return [1.0] * len(runs)

    monkeypatch.setattr(FASTEST, once)
    hook = register_module_forward_hook(watch)
    try:
        choose(name)
    finally:
        hook.remove()
    assert tried in ran
    assert not_tried not in ran
    assert formats == [{torch.float32}, {torch.bfloat16}]


@pytest.mark.parametrize(
    ("seconds", "chosen"), [((1.0, 0.5), "bfloat16"), ((1.0, 0.95), "float32"), ((0.5, 1.0), "float32")]
)
def test_bfloat16_has_to_be_worth_it(seconds, chosen, monkeypatch):
    monkeypatch.setattr(FASTEST, lambda *_: seconds)
    assert choose() == chosen


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_only_the_cpu_chooses_bfloat16_by_itself(device):
    assert choose(device=torch.device(device)) == "float32"


def test_the_fastest_time_of_each_counts_but_never_the_first(monkeypatch):
    monkeypatch.setattr("seq2see.training.precision.SECONDS", 0)
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    lasts = {"a": [0.25, 5.0, 3.0], "b": [9.0, 1.5, 2.5]}
    order = []

    def run(name):
        order.append(name)
        clock[0] += lasts[name].pop(0)

    assert fastest(lambda: run("a"), lambda: run("b")) == [3.0, 1.5]
    assert "".join(order) == "ab" * 3
