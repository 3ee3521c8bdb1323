"""Data: the digits, batches of them, and their distortion."""

import sys

import numpy as np
import pytest

import gradarg as ga
from gradarg import data, random


def test_digits_are_those_of_scikit_learn_and_the_last_fifth_is_for_the_test():
    from sklearn.datasets import load_digits

    raw = load_digits()
    digits = data.digits()
    assert len(raw.target) == 1797
    assert digits.train_images.shape == (1438, 8, 8) and digits.test_images.shape == (359, 8, 8)
    images = np.concatenate([digits.train_images, digits.test_images])
    assert images.dtype == np.float32 and images.min() == 0 and images.max() == 1
    np.testing.assert_array_equal(16 * images, raw.images)
    np.testing.assert_array_equal(
        np.concatenate([digits.train_labels, digits.test_labels]), raw.target
    )


def test_batches_hold_every_example_once_in_a_random_order():
    x = np.arange(10)
    found = list(data.batches(x, x**2, size=4, rng=0))
    assert [len(a) for a, _ in found] == [4, 4, 2]
    order = np.concatenate([a for a, _ in found])
    assert sorted(order) == list(x) and list(order) != list(x)
    np.testing.assert_array_equal(np.concatenate([b for _, b in found]), order**2)


def test_batches_of_equal_seeds_are_equal():
    def order(rng):
        return np.concatenate([a for (a,) in data.batches(np.arange(20), size=3, rng=rng)]).tolist()

    assert order(1) == order(np.random.default_rng(1)) != order(2)
    random.seed(1)
    one = order(None)
    random.seed(1)
    assert one == order(None) != order(None)


def test_batches_refuse_what_does_not_fit():
    with pytest.raises(ga.ShapeError, match=r"one length .* \(3,\), \(4,\)"):
        data.batches(np.ones(3), np.ones(4), size=2)
    with pytest.raises(ga.ShapeError, match="their shapes are none"):
        data.batches(size=2)
    with pytest.raises(ga.ShapeError, match="size is 1 or more, not 0"):
        data.batches(np.ones(3), size=0)


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "gradarg\[sklearn\]"'):
        data.digits()


# --------------------------------------------------------------------------- distortion

BLOB = np.zeros((200, 9, 11), np.float32)
BLOB[:, 3:6, 4:7] = 1


def centres(images):
    """The centre of mass of each image: (2, n)."""
    rows, columns = np.indices(images.shape[1:])
    mass = images.sum(axis=(1, 2))
    return np.array([(images * rows).sum((1, 2)), (images * columns).sum((1, 2))]) / mass


def test_no_distortion_changes_nothing():
    np.testing.assert_array_equal(data.distort(BLOB, rng=0), BLOB)


def test_a_shift_moves_the_centre_and_keeps_the_mass():
    shifted = data.distort(BLOB, shift=1.5, rng=0)
    assert shifted.dtype == np.float32 and shifted.shape == BLOB.shape
    np.testing.assert_allclose(shifted.sum((1, 2)), 9, rtol=1e-5)
    moves = centres(shifted) - [[4], [5]]
    assert (np.abs(moves) <= 1.5 + 1e-5).all()
    assert (np.abs(moves).max(axis=1) > 1.3).all() and (np.abs(moves.mean(axis=1)) < 0.2).all()


def test_a_turn_keeps_the_centre():
    bar = np.zeros((50, 9, 11))
    bar[:, 4, 2:9] = 1
    turned = data.distort(bar, turn=np.pi / 2, rng=0)
    np.testing.assert_allclose(centres(turned), centres(bar), atol=1e-9)
    rows, columns = np.indices((9, 11))
    spread = (turned * (rows - 4) ** 2).sum((1, 2)) / (turned * (columns - 5) ** 2).sum((1, 2))
    assert spread.min() < 0.1 and spread.max() > 10  # some lie, some stand


def test_a_stretch_changes_the_size_by_its_factor():
    stretched = data.distort(BLOB, stretch=0.5, rng=0)
    sizes = stretched.sum((1, 2)) / 9
    assert 0.3 < sizes.min() < 0.6 and 1.8 < sizes.max() < 2.9


def test_a_bend_bends():
    line = np.zeros((100, 9, 11))
    line[:, :, 5] = 1
    bent = data.distort(line, bend=0.3, rng=0)
    place = (bent * np.arange(11)).sum(axis=2) / bent.sum(axis=2)
    curvature = place[:, 0] - 2 * place[:, 4] + place[:, 8]
    assert 0.5 < np.std(curvature) < 1


def test_what_comes_from_outside_is_zero():
    full = np.ones((20, 4, 5))
    moved = data.distort(full, shift=50.0, rng=0)
    assert moved.min() == 0 and moved.max() <= 1
    assert (moved.sum((1, 2)) == 0).any()


def test_distortions_come_from_the_generator():
    one = data.distort(BLOB, bend=0.5, rng=4)
    np.testing.assert_array_equal(one, data.distort(BLOB, bend=0.5, rng=np.random.default_rng(4)))
    assert (one != data.distort(BLOB, bend=0.5, rng=5)).any()
    assert len({image.tobytes() for image in one}) == len(one)  # each in its own way
    with pytest.raises(ga.ShapeError, match=r"\(n, height, width\), not \(9, 11\)"):
        data.distort(BLOB[0])
