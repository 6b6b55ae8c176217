"""Laws for sources of vectors and pictures beside text: engines agree, batches change nothing, all parameters learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from seq2see.blueprint import FIELD_BREAK, VALUE, Field, Sizes, num_cells, require_tensors
from seq2see.model import ARCHITECTURES, ModelOptions, Padded, build, resolve
from seq2see.model.tensors import FieldValues
from seq2see.runtime import build as build_runtime
from seq2see.runtime.values import FieldValues as ArrayValues
from seq2see.text import EOS, PAD

FIELDS = (Field("picture", 2), Field("text"), Field("vectors", 3))
SIZES = Sizes(11, 9, FIELDS)
ROWS = [  # height and width of the picture, text, number of vectors
    ((17, 9), [6, 7, 8], 4),
    (None, [9], 1),
    ((8, 30), [], 6),
    ((3, 2), [10, 6], 0),
]
VARIANTS = {
    name: ModelOptions(name=name, width=16, embedding=None if "heads" in each.uses else 10, layers=2, dropout=0.0)
    for name, each in ARCHITECTURES.items()
    if each.has_source
}
for positions in ("rotary", "learned"):
    VARIANTS[f"transformer-{positions}"] = replace(VARIANTS["transformer"], positions=positions)
VARIANTS["transformer-learned"] = replace(VARIANTS["transformer-learned"], max_positions=40)


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def model(request):
    torch.manual_seed(0)
    network = build(resolve(request.param), SIZES).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def source(rows=ROWS, pad=0):
    """A batch of these rows; `pad` more of everything is padding that means nothing."""
    chance = np.random.default_rng(1)
    pictures = {row: chance.random((2, *ROWS[row][0])) for row in range(4) if ROWS[row][0]}
    series = {row: chance.standard_normal((ROWS[row][2], 3)) for row in range(4) if ROWS[row][2]}
    own = [ROWS.index(row) for row in rows]
    ids = []
    for size, text, length in rows:
        cells = num_cells(*size) if size else 0
        ids.append([*[VALUE] * cells, FIELD_BREAK, *text, FIELD_BREAK, *[VALUE] * length, EOS])
    longest = max(map(len, ids)) + pad
    pictures = [pictures[row] for row in own if row in pictures]
    series = [series[row] for row in own if row in series]
    height, width = (max((p.shape[k] for p in pictures), default=1) + pad for k in (1, 2))
    filler = 7.0 if pad else 0.0
    pixels = np.full((len(pictures), 2, height, width), filler)
    for place, picture in zip(pixels, pictures, strict=True):
        place[:, : picture.shape[1], : picture.shape[2]] = picture
    if not pad:
        pixels = pixels * 1.0
    vectors = np.full((len(series), max(map(len, series), default=1) + pad, 3), filler)
    for place, vector in zip(vectors, series, strict=True):
        place[: len(vector)] = vector
    values = (
        FieldValues(torch.tensor(pixels), torch.tensor([p.shape[1:] for p in pictures], dtype=torch.long).view(-1, 2)),
        FieldValues(torch.tensor(vectors), torch.tensor([len(s) for s in series], dtype=torch.long).view(-1, 1)),
    )
    padded = torch.tensor([row + [PAD] * (longest - len(row)) for row in ids])
    return Padded(padded, torch.tensor(list(map(len, ids))), values)


def as_arrays(padded):
    values = [ArrayValues(own.array.numpy(), own.sizes.numpy()) for own in padded.values]
    return padded.ids.numpy(), padded.lengths.numpy(), values


TARGET = torch.tensor([[2, 4, 5, 6], [2, 7, 8, 4], [2, 4, 4, 4], [2, 8, 5, 7]])


def test_stored_shapes_are_those_of_the_model(model, request):
    shapes = {name: tuple(tensor.shape) for name, tensor in model.tensors().items()}
    require_tensors(resolve(VARIANTS[request.node.callspec.id]), SIZES, shapes)


@torch.no_grad()
def test_a_row_alone_is_the_same_as_in_a_batch_with_any_padding(model):
    together = model(source(), TARGET)
    torch.testing.assert_close(model(source(pad=3), TARGET), together, rtol=0, atol=1e-9)
    for row in range(len(ROWS)):
        alone = model(source([ROWS[row]]), TARGET[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-9)
    turned = model(source(ROWS[::-1]), TARGET.flip(0))
    torch.testing.assert_close(turned.flip(0), together, rtol=0, atol=1e-9)


@torch.no_grad()
def test_numpy_gives_the_same(model, request):
    tensors = {name: tensor.numpy() for name, tensor in model.tensors().items()}
    network = build_runtime(resolve(VARIANTS[request.node.callspec.id]), tensors, FIELDS)
    for padded in (source(), source(pad=2), source(ROWS[1:2])):
        rows = len(padded.lengths)
        expected = model(padded, TARGET[:rows]).log_softmax(-1).numpy()
        state = network.start(*as_arrays(padded))
        for place in range(TARGET.size(1)):
            found, state, _ = network.step(np.ascontiguousarray(TARGET[:rows, place].numpy()), state)
            np.testing.assert_allclose(found, expected[:, place], rtol=0, atol=1e-9)


@torch.no_grad()
def test_every_value_counts(model):
    """Changing one pixel, one vector, or the order of vectors changes the answer; the law could not fail otherwise."""
    before = model(source(), TARGET)
    for field, place in ((0, (0, 1, 16, 8)), (1, (0, 3, 2))):
        changed = source()
        changed.values[field].array[place] += 1.0
        difference = (model(changed, TARGET) - before).abs().amax((1, 2))
        assert difference[0] > 1e-7
        assert difference[1:].max() == 0 or difference[1:].max() < 1e-9
    swapped = source()
    swapped.values[1].array[0] = swapped.values[1].array[0].flip(0)
    assert (model(swapped, TARGET) - before)[0].abs().max() > 1e-7


def test_every_parameter_learns(model):
    model.zero_grad()
    model(source(), TARGET).log_softmax(-1)[..., 4].sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if "values" in name or "fields" in name:
            assert parameter.grad.abs().max() > 0, name
