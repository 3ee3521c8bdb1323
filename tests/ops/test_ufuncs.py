"""Every ufunc of this NumPy has a rule here, or a reason to have none."""

import numpy as np
import pytest

import gradarg as ga
from gradarg.testing import check_grads

WITHOUT = {"isnat": "of dates, which are no numbers"}
UFUNCS = sorted(name for name in dir(np) if isinstance(getattr(np, name), np.ufunc))
RANDOM = np.random.default_rng(7)
MATRICES, VECTORS = RANDOM.normal(size=(2, 3, 4)), RANDOM.normal(size=(2, 4))


@pytest.mark.parametrize("name", [n for n in UFUNCS if n not in WITHOUT])
def test_every_ufunc_takes_tensors(name):
    ufunc = getattr(np, name)
    kind = int if name.startswith(("bitwise", "left", "right", "invert", "gcd", "lcm")) else float
    matrix = {"matmul": (0, 0), "matvec": (0, 1), "vecmat": (1, 0)}.get(name)
    if matrix:
        args = [(np.eye(2) + 0.25, np.array([0.5, 1.5]))[i] for i in matrix]
    else:
        args = [np.array([2, 1], kind), np.array([1, 3], int if name == "ldexp" else kind)]
    args = args[: ufunc.nin]
    with np.errstate(all="ignore"):
        found = ufunc(*(ga.Tensor(a) for a in args))
        expected = ufunc(*args)
    found, expected = (x if isinstance(x, tuple) else (x,) for x in (found, expected))
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(f.value, e, rtol=1e-15)


def test_frexp_and_nextafter_have_derivatives():
    x = np.array([0.3, -5.0, 96.0])
    m, e = np.frexp(ga.Tensor(x))
    np.testing.assert_array_equal((m * 2.0**e).value, x)
    np.testing.assert_allclose(ga.grad(lambda x: np.sum(np.frexp(x)[0]))(x), 2.0 ** -np.frexp(x)[1])
    check_grads(lambda x, y: np.nextafter(x, y) ** 2, (x, x + 1))


def test_matvec_and_vecmat_are_products():
    check_grads(ga.matvec, (MATRICES, VECTORS))
    check_grads(ga.vecmat, (VECTORS[:, :3], MATRICES))
    np.testing.assert_allclose(
        ga.matvec(MATRICES, VECTORS), (MATRICES @ VECTORS[..., None])[..., 0]
    )
    z = VECTORS[:, :3] + 1j
    np.testing.assert_allclose(ga.vecmat(z, MATRICES), np.einsum("ni,nij->nj", z.conj(), MATRICES))
