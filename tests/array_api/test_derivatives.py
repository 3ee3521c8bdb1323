"""What the standard has and NumPy has not, differentiated."""

import numpy as np
import pytest

import gradarg as ga
from gradarg.testing import check_grads

X = np.array([[0.5, -1.25, 2.0, 0.75], [3.0, 0.25, -0.5, 1.5]])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ga.sort(x, descending=True),
        lambda x: ga.sort(x, axis=0, descending=True) ** 2,
        lambda x: ga.sort(x, axis=None, descending=True) ** 2,
        lambda x: ga.cumulative_sum(x, axis=1, include_initial=True) ** 2,
        lambda x: ga.cumulative_prod(x, axis=0, include_initial=True),
        lambda x: ga.std(x, axis=1, correction=1),
        lambda x: ga.unstack(x, axis=1)[2] ** 2,
        lambda x: ga.vecdot(x, x[::-1], axis=0),
        lambda x: ga.permute_dims(x, (1, 0)) ** 2,
        lambda x: ga.pow(ga.concat([ga.abs(x), x * x]), 1.5),
        lambda x: ga.astype(x, ga.float64, device="cpu") ** 3,
        lambda x: ga.unique_values(x) ** 2,
    ],
)
def test_derivatives(f):
    check_grads(f, (X,), order=2)


def test_equal_elements_keep_their_order():
    x = np.array([1.0, 2.0, 1.0, 2.0])
    assert ga.argsort(x, descending=True).tolist() == [1, 3, 0, 2]
    assert ga.argsort(X, axis=None, descending=True).tolist() == [4, 2, 7, 3, 0, 5, 6, 1]
    weights = np.array([1.0, 10.0, 100.0, 1000.0])
    found = ga.grad(lambda x: np.sum(weights * ga.sort(x, descending=True)))(x)
    assert found.tolist() == [100.0, 1.0, 1000.0, 10.0]
