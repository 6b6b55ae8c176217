"""Dropout: the rate, the preserved mean, and when it is off."""

from __future__ import annotations

import math

import pytest
import torch

from seq2see.model.dropout import Dropout, SequenceDropout

# --- per value --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.75])
def test_each_value_is_dropped_with_the_given_probability(rate):
    count = 400_003  # four values share a draw; the last draw has unused bits
    dropped = Dropout(rate)(torch.ones(count)) == 0
    bound = 4 * math.sqrt(rate * (1 - rate) / count)
    assert dropped.float().mean() == pytest.approx(rate, abs=bound)
    for offset in range(4):
        own = dropped[offset::4].float().mean()
        assert own == pytest.approx(rate, abs=2 * bound), f"value {offset} of each draw"


def test_values_are_dropped_independently():
    """Also those that share a draw."""
    rate, count = 0.3, 400_000
    dropped = (Dropout(rate)(torch.ones(count)) == 0).float() - rate
    for distance in (1, 2, 3, 4, 8):
        together = (dropped[:-distance] * dropped[distance:]).mean().item() / (rate * (1 - rate))
        assert abs(together) < 4 / math.sqrt(count), distance
    pairs = dropped.view(-1, 4)
    for one, other in ((0, 1), (0, 3), (1, 2), (2, 3)):
        together = (pairs[:, one] * pairs[:, other]).mean().item() / (rate * (1 - rate))
        assert abs(together) < 4 / math.sqrt(count / 4), (one, other)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_kept_values_are_scaled_to_preserve_the_mean(dtype):
    x = (1 + torch.rand(100_000)).to(dtype)
    dropped = Dropout(0.3)(x)
    assert dropped.dtype == dtype
    kept = dropped != 0
    torch.testing.assert_close(
        dropped[kept].double(), x[kept].double() / 0.7, rtol=0.02 if dtype == torch.bfloat16 else 3e-5, atol=0
    )
    assert dropped.double().mean() == pytest.approx(x.double().mean().item(), rel=0.01)


@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (2, 3), (2, 3, 5), (1, 1, 7), (0, 3), (2, 0, 4)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_any_shape_works(shape, dtype):
    dropped = Dropout(0.5)(torch.ones(shape, dtype=dtype))
    assert dropped.shape == shape
    assert dropped.dtype == dtype
    assert set(dropped.flatten().tolist()) <= {0.0, 2.0}


def test_a_view_is_dropped_per_value_too():
    x = torch.arange(1.0, 61).view(3, 4, 5).transpose(0, 2)
    dropped = Dropout(0.5)(x)
    assert ((dropped == 0) | (dropped == 2 * x)).all()
    assert (dropped == 0).any() and (dropped != 0).any()


@pytest.mark.parametrize("kind", [Dropout, SequenceDropout])
def test_nothing_is_dropped_in_evaluation_and_at_rate_zero(kind):
    x = torch.randn(2, 3, 4)
    before = torch.get_rng_state()
    assert kind(0.5).eval()(x) is x
    assert kind(0.0)(x) is x
    assert torch.equal(torch.get_rng_state(), before), "no dropout draws no random numbers"


@pytest.mark.parametrize("kind", [Dropout, SequenceDropout])
def test_a_rate_near_one_gives_finite_values(kind):
    assert torch.isfinite(kind(1 - 1e-9)(torch.ones(100, 2, 10))).all()


@pytest.mark.parametrize("kind", [Dropout, SequenceDropout])
def test_dropout_is_reproducible(kind):
    def drawn(seed):
        torch.manual_seed(seed)
        dropout, x = kind(0.5), torch.ones(2, 3, 50)
        return dropout(x), dropout(x)

    (one, then), (same, same_then), (other, _) = drawn(1), drawn(1), drawn(2)
    assert torch.equal(one, same)
    assert torch.equal(then, same_then)
    assert not torch.equal(one, then)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("kind", [Dropout, SequenceDropout])
def test_a_gradient_is_dropped_like_its_value(kind):
    x = torch.ones(3, 2, 20, requires_grad=True)
    dropped = kind(0.5)(x)
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped.detach())


# --- one mask per sequence --------------------------------------------------------------------------------------------


def test_a_sequence_keeps_its_mask():
    dropped = SequenceDropout(0.4)(torch.ones(50, 9, 40))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(dropped[0], dropped[1])
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.6])


def test_sequence_dropout_preserves_the_mean():
    x = 1 + torch.rand(1, 3, 100_000)
    dropped = SequenceDropout(0.3)(x)
    assert dropped.mean() == pytest.approx(x.mean().item(), rel=0.02)
    assert (dropped == 0).float().mean() == pytest.approx(0.3, abs=0.01)
