"""Distortions of pictures: of the same size, new in each epoch, and of what is drawn alone."""

from __future__ import annotations

import numpy as np
import pytest

from seq2see.data.distortion import Distortion, sampled
from seq2see.data.values import ValueColumn
from seq2see.text import Values


def drawn(height=24, width=60):
    picture = np.full((1, height, width), 10, np.uint8)
    picture[:, 4:20, 10:14] = 200
    picture[:, 10:13, 30:50] = 200
    return picture


def test_it_depends_on_seed_epoch_and_index_alone():
    picture = drawn()
    first = Distortion(1.0, 3, 5)(picture, 7)
    assert np.array_equal(first, Distortion(1.0, 3, 5)(picture, 7))
    for other in (
        Distortion(1.0, 4, 5)(picture, 7),
        Distortion(1.0, 3, 6)(picture, 7),
        Distortion(1.0, 3, 5)(picture, 8),
    ):
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("shape", [(24, 60), (1, 1), (2, 90), (64, 8)])
@pytest.mark.parametrize("channels", [1, 3])
def test_without_strength_nothing_changes(shape, channels):
    picture = np.random.default_rng(1).integers(0, 256, (channels, *shape)).astype(np.uint8)
    np.testing.assert_allclose(Distortion(0.0, 1, 0)(picture, 0), picture, atol=1e-3)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_what_is_drawn_moves_and_stays_inside(strength):
    picture = drawn()
    found = [Distortion(strength, 1, epoch)(picture, 0) for epoch in range(40)]
    assert all(each.shape == picture.shape and each.dtype == np.float32 for each in found)
    assert all(each.min() >= 9.99 and each.max() <= 200.01 for each in found)
    ink = [float((each - 10).sum()) / float((picture - 10.0).sum()) for each in found]
    assert min(ink) > 0.5, "as good as nothing is lost"
    assert max(ink) < 1.6
    moved = [np.abs(each - picture).mean() for each in found]
    assert min(moved) > 0.5


def test_it_changes_more_with_more_strength():
    picture = drawn()
    weak, strong = (
        np.mean([np.abs(Distortion(strength, 1, epoch)(picture, 0) - picture).mean() for epoch in range(10)])
        for strength in (0.2, 1.0)
    )
    assert weak < 0.7 * strong


@pytest.mark.parametrize("shape", [(30, 80), (28, 28), (400, 20), (64, 8), (20, 400)])
@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_a_corner_is_never_pushed_out_and_nothing_is_crushed(shape, strength):
    """By the rotation, shearing and scaling: the local displacements may move it by a few pixels."""
    half = np.array(shape) / 2
    for epoch in range(200):
        linear = Distortion(strength, 1, epoch).affine(np.random.default_rng(epoch), *shape)
        for corner in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            assert (np.abs(linear @ (half * corner)) <= half + 1e-9).all()
        least = 0.5 if strength == 1 else 0.25
        assert np.linalg.norm(linear, axis=0).min() > least


def test_a_picture_of_one_color_stays_so():
    assert np.allclose(Distortion(1.0, 1, 0)(np.full((3, 20, 30), 77, np.uint8), 0), 77)


def test_values_between_pixels_are_linear():
    picture = np.array([[[0.0, 10.0], [20.0, 30.0]]], np.float32)
    rows, columns = np.array([[0.5, 0.0]]), np.array([[0.5, 5.0]])
    assert sampled(picture, rows, columns).tolist() == [[[15.0, 10.0]]]


def test_a_batch_is_distorted_by_the_number_of_each_picture():
    field = Values("none", "picture", 1, (10.0,), (2.0,))
    pictures = [drawn(), None, drawn(), drawn(30, 40)]
    distortion = Distortion(1.0, 2, 0)
    batch = ValueColumn(field, pictures, distortion).batch([3, 1, 0])
    assert batch.sizes.tolist() == [[30, 40], [24, 60]]
    np.testing.assert_allclose(batch.array[1, :, :24, :60], (distortion(pictures[0], 0) - 10) / 2, rtol=1e-5)
    np.testing.assert_allclose(batch.array[0, :, :30, :40], (distortion(pictures[3], 3) - 10) / 2, rtol=1e-5)
    assert not batch.array[0, :, 30:].any(), "padding stays 0"
