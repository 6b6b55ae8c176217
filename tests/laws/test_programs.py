"""The law of programs: for every architecture, what is recorded of the NumPy network gives what the network gives.

Replayed in NumPy, and as ONNX graphs in ONNX Runtime.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2see.blueprint import Sizes
from seq2see.program import Replay, read_programs, to_json, trace
from seq2see.runtime import build

BOUND = 2e-5
"""Sums are taken in another order than in the runtime, in float32."""

BATCHES = {
    "one row": ([4], 1),
    "padding": ([5, 1, 7], 2),
    "one length": ([6, 6], 1),
    "five hypotheses": ([3], 5),
    "40 positions, ten hypotheses of three sentences": ([40, 1, 9], 10),
}
"""Lengths of sources, and the number of hypotheses of each."""


def batch(sizes, lengths, chance, *, in_middle=False):
    """Random ids [B S] and lengths [B]; with fields, a break in each row that has room for it: its second token, or the
    one in its middle."""
    if not sizes.source:
        return np.zeros((len(lengths), 0), np.int64), np.zeros(len(lengths), np.int64)
    ids = chance.integers(5, sizes.source, (len(lengths), max(lengths)))
    if sizes.fields:
        places = np.array(lengths) // 2 if in_middle else np.minimum(1, np.array(lengths) - 1)
        ids[places > 0, places[places > 0]] = 4
    return np.where(np.arange(max(lengths)) < np.array(lengths)[:, None], ids, 0), np.array(lengths)


def check(sizes, network, replay, lengths, num_hypotheses, bound=BOUND, *, in_middle=False):
    """Six steps, of which the last four have several hypotheses in another order."""
    chance = np.random.default_rng(0)
    ids, numbers = batch(sizes, lengths, chance, in_middle=in_middle)
    expected, found = network.start(ids, numbers), replay.start(ids, numbers)
    rows = len(lengths)
    for position in range(6):
        if position in (2, 4):
            order = np.sort(chance.integers(0, rows // len(lengths), (len(lengths), num_hypotheses)), 1)[:, ::-1]
            chosen = (order + np.arange(len(lengths))[:, None] * (rows // len(lengths))).ravel()
            expected, found = expected.select(chosen), found.select(chosen)
            rows = len(chosen)
        tokens = chance.integers(4, sizes.target, rows)
        log_probs, expected, weights = network.step(tokens, expected)
        own, found, own_weights = replay.step(tokens, found)
        assert own.shape == log_probs.shape
        assert own.dtype == np.float32
        assert np.abs(own - log_probs).max() < bound
        assert (weights is None) == (own_weights is None)
        if weights is not None:
            assert own_weights.shape == weights.shape
            assert np.abs(own_weights - weights).max() < bound


@pytest.fixture(params=["replay", "onnx"])
def both(request, variant, sizes, new_model):
    """A variant's network, and its programs after they were stored and read."""
    if request.param == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    tensors = {name: tensor.numpy() for name, tensor in new_model(variant, dtype=torch.float32).tensors().items()}
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    programs = trace(variant, shapes, sizes.fields, sizes.copies)
    read = read_programs(to_json(programs), tensors=shapes)
    assert read == programs
    network = build(variant, tensors, sizes.fields, sizes.copies)
    if request.param == "replay":
        return network, Replay(read, tensors)
    from seq2see.export.onnx.files import graphs
    from seq2see.export.onnx.network import OnnxNetwork

    return network, OnnxNetwork(graphs(read, tensors), read)


def test_programs_give_what_the_network_gives(sizes, variant, both) -> None:
    for lengths, num_hypotheses in BATCHES.values():
        # A sum of 38 tags saturates the gates: float32 differs from float64 by half the bound in the runtime, too.
        if variant.tags != "decoder" or max(lengths) < 40:
            check(sizes, *both, lengths, num_hypotheses)
        if sizes.fields:
            check(sizes, *both, lengths, num_hypotheses, in_middle=True)


def test_sentences_that_leave_a_batch_change_nothing(sizes, both) -> None:
    ids, lengths = batch(sizes, [5, 3, 6], np.random.default_rng(1))
    states = [model.start(ids, lengths) for model in both]
    for kept in (np.arange(3), np.array([0, 2]), np.array([1])):
        states = [state.select(kept, kept) for state in states]
        tokens = np.arange(4, 4 + len(kept))
        steps = [model.step(tokens, state) for model, state in zip(both, states, strict=True)]
        assert np.abs(steps[0][0] - steps[1][0]).max() < BOUND
        states = [state for _, state, _ in steps]


def test_the_check_fails_if_a_weight_differs(architecture, new_model) -> None:
    """The negative control: changing any tensor breaks the law."""
    tensors = {name: tensor.numpy() for name, tensor in new_model(architecture, dtype=torch.float32).tensors().items()}
    programs = trace(architecture, {name: tensor.shape for name, tensor in tensors.items()})
    sizes = Sizes(len(tensors.get("encoder.embedding.weight", ())), len(tensors["decoder.output.bias"]))
    for name, tensor in tensors.items():
        others = {**tensors, name: tensor + np.float32(0.05) * np.random.standard_normal(tensor.shape).astype("f4")}
        with pytest.raises(AssertionError):
            check(sizes, build(architecture, tensors), Replay(programs, others), [5, 3, 7], 2)
