"""Muon: which parameters it updates, and by what."""

from __future__ import annotations

import pytest
import torch

from seq2see.blueprint import Field
from seq2see.model import ARCHITECTURES, ModelOptions, Sizes, build, resolve
from seq2see.training import TrainingOptions
from seq2see.training.adam import Adam
from seq2see.training.muon import Muon, hidden_matrices, newton_schulz
from seq2see.training.optimizer import optimizer_of

RATE = 0.1


def new_model(name="transformer", **options):
    torch.manual_seed(0)
    return build(resolve(ModelOptions(name=name, width=8, **options)), Sizes(12, 12))


def with_gradients(model, seed):
    """The model, with random gradients."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return model


def updated(model, optimizer, updates=4):
    """The values of all parameters after some updates with random gradients at changing rates."""
    for update in range(updates):
        with_gradients(model, update)
        optimizer.rate = RATE / (update + 1)
        optimizer.step()
        model.zero_grad()
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def held(model):
    """The names of the hidden matrices, and how many each holds."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {names[parameter]: parts for parameter, parts in hidden_matrices(model).items()}


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
def test_newton_schulz_makes_all_singular_values_about_one(shape):
    matrices = torch.randn(4, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = newton_schulz(matrices)
    left, sizes, right = torch.linalg.svd(matrices, full_matrices=False)
    own = left.mT @ found @ right.mT
    new = own.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(own, torch.diag_embed(new), atol=1e-9, rtol=0)  # the same singular vectors
    is_large = sizes > 0.05 * sizes.amax(1, keepdim=True)
    assert is_large.any(1).all()
    assert new[is_large].min() > 0.65
    assert new[is_large].max() < 1.25
    assert newton_schulz(torch.zeros(1, *shape)).abs().max() == 0


def by_singular_values(matrix):
    """What newton_schulz is to give: U p(S) Vᵀ, p being five times the polynomial of the singular values' share."""
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    sizes = sizes / sizes.norm()
    for _ in range(5):
        sizes = 3.4445 * sizes - 4.7750 * sizes**3 + 2.0315 * sizes**5
    return left @ torch.diag(sizes) @ right


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.bfloat16, 0.06)])
def test_newton_schulz_is_a_polynomial_of_the_singular_values(shape, dtype, bound):
    matrices = torch.randn(4, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = torch.stack([by_singular_values(matrix) for matrix in matrices])
    found = newton_schulz(matrices.to(dtype)).double()
    torch.testing.assert_close(found, expected, atol=bound, rtol=0)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this version of torch has no Muon to compare with")
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(6, 10), (10, 6)])
def test_the_step_of_a_matrix_is_that_of_torch_optim_but_for_bfloat16(shape, weight_decay):
    generator = torch.Generator().manual_seed(2)
    start, gradients = torch.randn(shape, generator=generator), torch.randn((5, *shape), generator=generator)
    theirs = torch.nn.Parameter(start.clone())
    wanted = torch.optim.Muon([theirs], weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
    model = new_model("plain")
    dense = torch.nn.Linear(shape[1], shape[0], bias=False)
    dense.weight.data = start.clone()
    model.dense = dense
    own = Muon(model, RATE, weight_decay=weight_decay)
    for update, gradient in enumerate(gradients):
        own.rate = wanted.param_groups[0]["lr"] = RATE / (update + 1)
        theirs.grad, dense.weight.grad = gradient.clone(), gradient.clone()
        wanted.step()
        own.step()
    moved = theirs - start
    torch.testing.assert_close(dense.weight - start, moved, atol=0.02 * moved.abs().max().item(), rtol=0)


def test_matrices_that_are_stored_as_one_take_their_own_steps():
    model = new_model()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    after = updated(model, Muon(model, RATE), updates=1)
    name = next(name for name in before if name.endswith("inner.projection.weight"))
    gradient = with_gradients(new_model(), 0).get_parameter(name).grad
    assert gradient is not None
    steps = [newton_schulz(part[None])[0] * RATE * 0.2 * 8**0.5 for part in gradient.chunk(3)]
    torch.testing.assert_close(before[name] - after[name], torch.cat(steps))


def test_the_other_parameters_are_those_of_adamw():
    (model, other), decay = (new_model(), new_model()), {"weight_decay": 0.1}
    after = updated(model, Muon(model, RATE, **decay))
    wanted = updated(other, Adam(other.parameters(), RATE, decoupled=True, **decay))
    own = held(model)
    assert all(torch.equal(after[name], wanted[name]) != (name in own) for name in after)


def test_only_hidden_matrices_are_rounded_to_bfloat16():
    one, other = (new_model(), new_model())
    exact, half = updated(one, Muon(one, RATE)), updated(other, Muon(other, RATE, in_bfloat16=True))
    own = held(one)
    assert all(torch.equal(exact[name], half[name]) != (name in own) for name in exact)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"name": "transformer", "layers": 1},
            {
                "inner.projection.weight": {2, 3},
                "inner.query.weight": {1},
                "inner.output.weight": {1},
                "inner.widen.weight": {1},
                "inner.narrow.weight": {1},
            },
        ),
        ({"name": "transformer", "tie": "all", "layers": 1}, None),
        ({"name": "transformer_language_model", "activation": "swiglu"}, None),
        ({"name": "bidirectional"}, {"weight_input": {4}, "weight_hidden": {4}, "linear.weight": {1}}),
        ({"name": "attention", "cell": "gru"}, {"weight_input": {3}, "weight_hidden": {3}, "linear.weight": {1}}),
    ],
)
def test_hidden_matrices(options, expected):
    found = held(new_model(**options))
    assert found
    assert not any("embedding" in name or name == "decoder.output.weight" for name in found)
    if expected is not None:
        endings = {ending: {parts for name, parts in found.items() if name.endswith(ending)} for ending in expected}
        assert endings == expected
        assert all(name.endswith(tuple(expected)) for name in found)


def test_both_matrices_of_a_gated_layer_take_their_own_steps():
    found = held(new_model(activation="swiglu"))
    assert {parts for name, parts in found.items() if name.endswith("widen.weight")} == {2}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_parameter_has_one_optimizer(name):
    model = new_model(name)
    muon = Muon(model, RATE)
    own = [id(parameter) for parameter in (*muon.matrices, *muon.parameters)]
    assert sorted(own) == sorted(map(id, model.parameters()))
    assert {matrix for matrices in muon.by_shape.values() for matrix in matrices} == set(muon.matrices)


def test_vectors_and_pictures_are_in_the_place_of_embeddings():
    fields = (Field("vectors", 3), Field("picture", 1))
    model = build(resolve(ModelOptions(name="attention", width=8)), Sizes(12, 12, fields))
    of_values = [name for name, _ in model.named_parameters() if "values" in name]
    assert len(of_values) > 5
    assert held(model)
    assert not [name for name in held(model) if "values" in name]


def test_a_row_is_no_matrix():
    """The gate of copying, and v of the additive score."""
    model = new_model("bidirectional", copy=True, score="additive")
    rows = [name for name, parameter in model.named_parameters() if parameter.ndim == 2 and len(parameter) == 1]
    assert len(rows) == 2
    assert held(model).keys().isdisjoint(rows)


def test_the_optimizer_of_options():
    model = new_model()
    kinds = {name: optimizer_of(model, TrainingOptions(rate=RATE, optimizer=name)) for name in ("adam", "adamw")}
    assert [type(kind) for kind in kinds.values()] == [Adam, Adam]
    for precision in ("float32", "bfloat16"):
        muon = optimizer_of(model, TrainingOptions(rate=RATE, optimizer="muon", precision=precision))
        assert isinstance(muon, Muon)
        assert muon.in_bfloat16 == (precision == "bfloat16")
