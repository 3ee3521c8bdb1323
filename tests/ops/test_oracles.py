"""Derivatives against those of other libraries, of each that is installed.

A case is a function of a namespace and arrays: with NumPy's it is ours to differentiate.
"""

import importlib
import importlib.util
import warnings
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradarg as ga
from tests.ops.sample import ABOVE_ONE, INSIDE, POSITIVE, REAL, values

INSTALLED = [name for name in ("autograd", "jax", "torch") if importlib.util.find_spec(name)]

W = np.cos(np.arange(100.0))


def weighted(xp, y):
    """A sum of all elements, each with a weight of its own."""
    w = W[: int(np.prod(y.shape))].reshape(y.shape)
    return xp.sum(y * (xp.tensor(w) if xp.__name__ == "torch" else w))


def case(f, *args, lacks=(), name=None):
    """`lacks` names the libraries without the function, or with another convention."""
    oracles = [oracle for oracle in INSTALLED if oracle not in lacks]
    if "torch" in oracles and "jax" in oracles:
        oracles.remove("jax")  # which compiles each case, for half a second
    return pytest.param(f, args, oracles, id=name)


def elementwise(names, *domains, lacks=()):
    def call(xp, *x, name):
        return getattr(xp, name)(*x)

    for name in names.split():
        args = (values((2, 3), d) for d in domains)
        yield case(partial(call, name=name), *args, lacks=lacks, name=name)


def matrix(*lead):
    return values((*lead, 3, 3)) + 3.5 * np.eye(3)


def spread(*lead):
    """Matrices with singular values and eigenvalues that lie apart."""
    return 0.5 * values((*lead, 3, 3)) + np.diag([-4.0, 1.5, 9.0])


def symmetric(xp, a):
    return a + xp.swapaxes(a, -1, -2)


A, B, V = values((3, 4)), values((4, 2)), values((4,))
TIED = np.array([[1.0, 3, 3, 2], [0, 0, 0, 0], [5, 1, 2, 5]])
ZEROS = np.array([[2.0, 0, 3, 5], [0, 4, 0, 7]])

CASES = [
    *elementwise("exp expm1 sin cos arctan sinh cosh tanh arcsinh sinc square", REAL),
    *elementwise("exp2 deg2rad rad2deg", REAL),
    *elementwise("sqrt log log2 log10 log1p", POSITIVE),
    *elementwise("arcsin arccos arctanh tan", INSIDE),
    *elementwise("arccosh", ABOVE_ONE),
    *elementwise("arctan2 logaddexp logaddexp2 maximum minimum", REAL, REAL),
    *elementwise("hypot copysign", REAL, REAL, lacks=("autograd",)),
    *elementwise("power", POSITIVE, REAL, lacks=("torch",)),
    *elementwise("fmod", REAL, POSITIVE, lacks=("autograd",)),
    *elementwise("remainder", POSITIVE, POSITIVE, lacks=("autograd",)),
    case(lambda xp, x: x**3 + x**-2 + x**0, values((4,), POSITIVE)),
    case(lambda xp, x: xp.abs(x) * x / (1 + x * x), A),
    case(lambda xp, x, y: xp.maximum(x, y), TIED, 3 - TIED, lacks=("torch",)),
    case(lambda xp, x: xp.where(x > 1, x * x, xp.exp(x)), TIED),
    case(lambda xp, x: xp.max(x, 1) + xp.min(x, 1), TIED, lacks=("torch",)),
    case(lambda xp, x: xp.prod(x, 1), ZEROS, lacks=("autograd",)),
    case(lambda xp, x: xp.cumprod(x, 1), ZEROS, lacks=("autograd",)),
    case(lambda xp, x: xp.cumsum(x * x, 1), A),
    case(lambda xp, x: xp.mean(x**2, 0) * xp.std(x, 1)[:1], A, lacks=("torch",)),
    case(lambda xp, x: xp.var(x, 0), A, lacks=("torch",)),
    case(lambda xp, x: xp.flip(xp.roll(x, 1, 0), (0, 1)) * x, A, lacks=("autograd",)),
    case(lambda xp, x: xp.tile(x, (2, 2)), A),
    case(lambda xp, x: xp.diagonal(x) + xp.trace(x), matrix(), lacks=("autograd",)),
    case(lambda xp, x: xp.tril(x, -1) - xp.triu(x, 1) ** 2, A),
    case(lambda xp, x: xp.moveaxis(x, 0, 2)[None, ..., ::2], values((2, 3, 4))),
    case(lambda xp, x: x[np.array([0, 2, 2])][:, np.array([1, 1, 3])] * x[1, 2], A),
    case(lambda xp, x, y: xp.concatenate([x.T, y[:, :1] * y], 1), A, B),
    case(lambda xp, x, y: xp.stack([x, x * y])[1], A, V),
    case(lambda xp, x, y: xp.matmul(x, y) + xp.tensordot(x, y, 1), A, B),
    case(lambda xp, x, y: xp.matmul(x, y), values((2, 1, 3, 4)), values((5, 4, 2))),
    case(lambda xp, x, y: xp.einsum("...ij,kj->...ki", x, y), values((2, 3, 4)), A),
    case(lambda xp, x, y: xp.kron(x, y), A, B),
    case(lambda xp, x, y: xp.outer(x, y) * xp.inner(x, x), V, values((3,))),
    case(lambda xp, a: xp.linalg.inv(a), matrix(2)),
    case(lambda xp, a: xp.linalg.det(a), matrix(2)),
    case(lambda xp, a: xp.linalg.slogdet(a)[1], matrix(2)),
    case(lambda xp, a, b: xp.linalg.solve(a, b), matrix(2), values((2, 3, 2))),
    case(lambda xp, a: xp.linalg.cholesky(a @ xp.swapaxes(a, -1, -2)), matrix(2)),
    case(lambda xp, a: xp.linalg.eigh(symmetric(xp, a))[0], matrix(2)),
    case(lambda xp, a: xp.linalg.eigh(symmetric(xp, a))[1] ** 2, spread(2)),
    case(lambda xp, a: xp.linalg.eigvalsh(symmetric(xp, a)), spread(), lacks=("autograd",)),
    case(lambda xp, a: xp.abs(xp.linalg.eig(a)[0]), spread()),
    case(lambda xp, a: xp.linalg.svd(a, full_matrices=False)[0] ** 2, spread(2)[..., :2]),
    case(lambda xp, a: xp.linalg.svd(a, full_matrices=False)[2] ** 2, spread()[:2]),
    case(lambda xp, a: xp.linalg.svdvals(a), A, lacks=("autograd", "jax")),
    case(lambda xp, a: xp.linalg.qr(a)[0], spread(2)[..., :2], lacks=("autograd",)),
    case(lambda xp, a: xp.linalg.qr(a)[1], spread()[:2], lacks=("autograd", "jax")),
    case(lambda xp, a: xp.linalg.pinv(a), A),
    case(lambda xp, a: xp.linalg.pinv(a), A.T),
    case(lambda xp, a: xp.linalg.norm(a), A),
    case(lambda xp, a: xp.linalg.norm(a, "nuc"), A),
    case(lambda xp, a: xp.linalg.norm(a, 2), A, lacks=("autograd",)),
    case(lambda xp, a: xp.linalg.norm(a, 1), A, lacks=("autograd",)),
    case(lambda xp, a: xp.linalg.cond(a), A, lacks=("autograd",)),
    case(lambda xp, a: xp.linalg.matrix_power(a, 3), A[:, :3], lacks=("autograd",)),
    case(lambda xp, a: xp.abs(xp.fft.fft(a)), A),
    case(lambda xp, a: xp.real(xp.fft.ifft2(a)), A),
    case(lambda xp, a: xp.imag(xp.fft.rfft(a)), A),
    case(lambda xp, a: xp.fft.irfft(a), A),
    case(lambda xp, a: xp.fft.hfft(a, 7, norm="ortho"), A, lacks=("autograd",)),
    case(lambda xp, a: xp.abs(xp.fft.ihfft(a)), A, lacks=("autograd",)),
]


def gradients(oracle, f, args):
    """The gradient of a weighted sum of f by each argument, as another library finds it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if oracle == "torch":
            torch = importlib.import_module("torch")
            tensors = [torch.tensor(a, requires_grad=True) for a in args]
            weighted(torch, f(torch, *tensors)).backward()
            return [t.grad.numpy() for t in tensors]
        library = importlib.import_module(oracle)
        xp = importlib.import_module(f"{oracle}.numpy")
        if oracle == "jax":
            library.config.update("jax_enable_x64", True)
        where = tuple(range(len(args)))
        return library.grad(lambda *x: weighted(xp, f(xp, *x)), where)(*args)


@pytest.mark.parametrize("f, args, oracles", CASES)
def test_gradients(f, args, oracles):
    found = ga.grad(lambda *x: weighted(np, f(np, *x)), tuple(range(len(args))))(*args)
    for oracle in oracles:
        for ours, theirs in zip(found, gradients(oracle, f, args)):
            assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10, err_msg=oracle)
