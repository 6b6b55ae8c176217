"""The law of the runtime: with every architecture, each step gives the same result as the trained model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import seq2see.runtime.recurrent
from seq2see.model import ARCHITECTURES, Padded
from seq2see.runtime import build

BOUNDS = {torch.float32: 1e-5, torch.float64: 1e-9}


def start_both(model, network, source: Padded):
    with torch.no_grad():
        return model.decoder.start(model.encode(source)), network.start(source.ids.numpy(), source.lengths.numpy())


def step_both(model, network, ids: np.ndarray, expected_state, state, bound: float):
    """One step of each, whose results must agree; returns the two next states."""
    with torch.no_grad():
        logits, expected_state, expected_weights = model.decoder(torch.from_numpy(ids)[:, None], expected_state)
    log_probs, state, weights = network.step(ids, state)
    expected = logits[:, 0].log_softmax(-1).numpy()
    assert log_probs.shape == expected.shape
    assert log_probs.dtype == expected.dtype
    assert np.abs(log_probs - expected).max() < bound
    assert (weights is None) == (expected_weights is None)
    if weights is not None:
        expected_weights = expected_weights[:, 0].numpy()
        assert weights.shape == expected_weights.shape
        assert np.abs(weights - expected_weights).max(initial=0) < bound
        assert np.array_equal(weights == 0, expected_weights == 0)
    return expected_state, state


def check(model, network, batch, bound: float) -> None:
    states = start_both(model, network, batch.source)
    for ids in batch.decoder_input.numpy().T:
        states = step_both(model, network, np.ascontiguousarray(ids), *states, bound)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_steps_are_the_same_as_in_the_trained_model(variant, new_model, new_batch, network_of, dtype) -> None:
    model = new_model(variant, dtype=dtype)
    network = network_of(variant, model)
    check(model, network, new_batch(model), BOUNDS[dtype])
    check(model, network, new_batch(model, source_lengths=(3, 3), target_lengths=(3, 3)), BOUNDS[dtype])
    check(model, network, new_batch(model, source_lengths=[6], target_lengths=[5]), BOUNDS[dtype])
    assert network.num_parameters == sum(parameter.numel() for parameter in model.parameters())
    assert network.has_attention == (network.step(np.array([1]), network.start(*one_source(network)))[2] is not None)


@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_distances_beyond_the_diagonals_reach_are_the_same(blueprint, new_model, new_batch, network_of, name) -> None:
    large = blueprint(name, diagonal=True)
    model = new_model(large)
    batch = new_batch(model, source_lengths=(40, 3), target_lengths=(30, 25))
    check(model, network_of(large, model), batch, 1e-9)


def one_source(network):
    is_language_model = type(network.encoder).__name__ == "NoSource"
    ids = np.zeros((1, 0), np.int64) if is_language_model else np.array([[5, 6, 2]])
    return ids, np.array([ids.shape[1]])


def test_the_check_fails_if_a_weight_differs(architecture, new_model, new_batch, exported) -> None:
    """The negative control: changing any tensor breaks the law."""
    model = new_model(architecture)
    batch = new_batch(model)
    tensors = exported(model)
    for name in tensors:
        others = dict(tensors)
        others[name] = tensors[name] + 1e-2 * np.random.standard_normal(tensors[name].shape)
        with pytest.raises(AssertionError):
            check(model, build(architecture, others), batch, 1e-9)


LARGE = [(name, "none") for name in ("plain", "peeky", "bidirectional", "input_feeding", "language_model")]
LARGE += [("attention", "target"), ("peeky", "all"), ("language_model", "target")]


@pytest.mark.parametrize(("name", "tie"), LARGE)
def test_large_vocabularies_need_no_table(blueprint, new_model, new_batch, network_of, name, tie, monkeypatch) -> None:
    """A tied embedding is scaled with and without the table."""
    monkeypatch.setattr(seq2see.runtime.recurrent, "LARGEST_TABLE", 0)
    large = blueprint(name, layers=2, tie=tie, **({} if tie == "none" else {"embedding": None}))
    model = new_model(large)
    check(model, network_of(large, model), new_batch(model), 1e-9)


def test_float16_is_converted_to_float32(blueprint, new_model, new_batch, exported) -> None:
    model = new_model(blueprint("attention"), dtype=torch.float16)
    network = build(blueprint("attention"), exported(model))
    check(model.float(), network, new_batch(model), 1e-5)


def test_content_and_amount_of_padding_change_nothing(variant, new_model, new_batch, network_of) -> None:
    if not ARCHITECTURES[variant.name].has_source:
        pytest.skip("no source, no padding")
    model = new_model(variant, dtype=torch.float32)
    network = network_of(variant, model)
    batch = new_batch(model)
    ids, lengths = batch.source.ids.numpy(), batch.source.lengths.numpy()
    wider = np.random.randint(4, 11, (len(ids), 12))
    wider[:, :7] = np.where(np.arange(7) < lengths[:, None], ids, wider[:, :7])
    together, padded = network.start(ids, lengths), network.start(wider, lengths)
    alone = [network.start(ids[row : row + 1, :length], lengths[row : row + 1]) for row, length in enumerate(lengths)]
    for tokens in batch.decoder_input.numpy().T:
        expected, together, weights = network.step(tokens, together)
        expected = expected.copy()
        found, padded, more_weights = network.step(tokens, padded)
        assert np.abs(found - expected).max() < 1e-5
        for row, length in enumerate(lengths):
            found, alone[row], own_weights = network.step(tokens[row : row + 1], alone[row])
            assert np.abs(found[0] - expected[row]).max() < 1e-5
            if weights is not None:
                assert np.abs(own_weights[0] - weights[row, :length]).max() < 1e-5
                assert not weights[row, length:].any()
                assert not more_weights[row, length:].any()


def test_select_is_the_same_as_in_training(variant, new_model, new_batch, network_of) -> None:
    model = new_model(variant)
    network = network_of(variant, model)
    states = start_both(model, network, new_batch(model).source)
    rng = np.random.default_rng(0)

    def select(rows, sentences=None):
        given = [None if each is None else np.asarray(each) for each in (rows, sentences)]
        return (
            states[0].select(*(None if each is None else torch.from_numpy(each) for each in given)),
            states[1].select(*given),
        )

    def step(times: int, rows: int):
        nonlocal states
        for _ in range(times):
            states = step_both(model, network, rng.integers(4, 11, rows), *states, 1e-9)

    step(2, 4)
    states = select(np.repeat(np.arange(4), 3))  # three hypotheses of each of four sentences
    step(2, 12)
    states = select([1, 1, 0, 5, 4, 3, 8, 8, 8, 9, 11, 10])  # others of the same sentences
    step(2, 12)
    states = select([2, 1, 0, 10, 11, 10], [0, 3])  # two sentences have finished
    step(1, 6)
    states = select([5, 3], [1])
    step(2, 2)
    states = select([1, 0, 1, 1], [0, 0])  # one sentence becomes two
    step(2, 4)


def test_a_state_can_be_selected_from_twice(variant, new_model, new_batch, network_of) -> None:
    """Steps of one selection change neither the other nor the original state."""
    model = new_model(variant)
    network = network_of(variant, model)
    source = new_batch(model).source
    state = network.start(source.ids.numpy(), source.lengths.numpy())
    rows, ids = np.arange(4), np.array([4, 5, 6, 7])
    _, state, _ = network.step(ids, state)
    first, second = state.select(rows, rows), state.select(rows, rows)
    answers = []
    for each in (first, second, state):
        for _ in range(3):
            log_probs, each, _ = network.step(ids, each)
        answers.append(log_probs.copy())
    assert np.array_equal(answers[0], answers[1])
    assert np.array_equal(answers[0], answers[2])


def test_log_probs_may_be_overwritten_and_weights_may_be_kept(variant, new_model, new_batch, network_of) -> None:
    model = new_model(variant)
    network = network_of(variant, model)
    source = new_batch(model).source
    one, other = (network.start(source.ids.numpy(), source.lengths.numpy()) for _ in range(2))
    kept = []
    for ids in np.arange(4, 10)[:, None].repeat(4, 1):
        expected, one, _ = network.step(ids, one)
        found, other, weights = network.step(ids, other)
        assert np.array_equal(found, expected)
        found[...] = -np.inf
        kept.append((weights, None if weights is None else weights.copy()))
    assert all(weights is None or np.array_equal(weights, copy) for weights, copy in kept)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_long_texts(blueprint, new_model, new_batch, network_of, positions) -> None:
    o = blueprint("transformer", positions=positions, **({"max_positions": 200} if positions == "learned" else {}))
    model = new_model(o)
    network = network_of(o, model)
    assert network.max_positions == (200 if positions == "learned" else None)
    check(model, network, new_batch(model, source_lengths=(150, 90), target_lengths=(150, 140)), 1e-9)
