"""Other libraries as oracles, where installed: the same functions, the same derivatives."""

import importlib
import importlib.util

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, -1.25, 2.0])
V = np.array([1.0, -0.5, 0.25])


def library(name):
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def rosenbrock(np, x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def network(np, x):
    hidden = np.tanh(np.outer(x, x) + x)
    return np.mean(hidden @ hidden.T * np.sin(x)) + np.log(1 + np.exp(x[0] * x[2]))


def statistics(np, x):
    z = (x - np.mean(x)) / np.sqrt(np.var(x) + 0.1)
    return np.prod(1 + z**2) - np.max(z) * np.cumsum(x)[1]


def indexing(np, x):
    y = np.concatenate([x[::-1], x[np.array([0, 0, 2])] ** 2]).reshape(2, 3)
    return np.sum(np.where(y > 0, y**3, -y) * y.T[0, 1]) + np.sum(np.transpose(y)[1] ** 4)


def recursion(np, x):
    y = x
    for k in range(5):
        y = np.sin(y * x[k % 3]) + y / (1 + np.sum(y * y))
    return np.einsum("i,i,j->", y, x, y)


FUNCTIONS = [rosenbrock, network, statistics, indexing, recursion]


@pytest.mark.parametrize("f", FUNCTIONS)
def test_against_autograd(f):
    autograd = library("autograd")
    if autograd is None:
        return

    def theirs(x):
        return f(autograd.numpy, x)

    def ours(x):
        return f(np, x)

    np.testing.assert_allclose(ga.grad(ours)(X), autograd.grad(theirs)(X), rtol=1e-10)
    np.testing.assert_allclose(ga.hessian(ours)(X), autograd.hessian(theirs)(X), rtol=1e-9)
    expected = autograd.hessian_vector_product(theirs)(X, V)
    np.testing.assert_allclose(ga.hvp(ours)(X, V), expected, rtol=1e-9)


COMPLEX = {
    "power": lambda z: abs(z**3),
    "real part": lambda z: (z * z * (1 - 2j)).real,
    "conjugate": lambda z: (z.conj() * z * z).imag,
    "quotient": lambda z: abs(1 / (z + 2)) ** 2,
    "modulus": lambda z: abs(z),
    "mixed": lambda z: (z.real * z.imag + abs(z - 1j)) * z.real,
}


@pytest.mark.parametrize("f", COMPLEX.values(), ids=COMPLEX)
def test_the_convention_for_complex_numbers_is_that_of_torch(f):
    """The gradient of a real loss is df/dRe + i df/dIm, here by differences and by torch."""
    z, h = np.complex128(0.75 - 1.5j), 1e-6
    slopes = [(f(z + d) - f(z - d)) / (2 * h) for d in (h, 1j * h)]
    found = ga.grad(f)(z)
    np.testing.assert_allclose(found, complex(*slopes), rtol=1e-8)
    t = ga.Tensor(z, requires_grad=True)
    f(t).backward()
    assert t.grad.item() == found
    torch = library("torch")
    if torch is not None:
        theirs = torch.tensor(z, dtype=torch.complex128, requires_grad=True)
        f(theirs).backward()
        np.testing.assert_allclose(found, theirs.grad.item(), rtol=1e-12)
