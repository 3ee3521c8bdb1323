"""What whole derivatives cost: Jacobians and Hessians of 200 variables.

    python benchmarks/jacobian.py --rounds 5

gradarg and autograd differentiate NumPy code as it runs; PyTorch runs its functional transforms
eagerly; JAX compiles first, which is not timed. `numpy` is the derivative worked out by hand. All
compute in float64, and their results are compared before anything is timed. Rows:

    hessian, rosen     the Rosenbrock function, R^200 -> R
    jacobian, lattice  a chain of coupled cells, R^200 -> R^200: x - x^3 + x[i-1] - 2 x[i] + x[i+1]
    jacobian, dense    x * tanh(A @ x), R^200 -> R^200
    jacobian, wide     sin(B @ x), R^200 -> R^20
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from _contest import Rows, contest

random = np.random.default_rng(0)
X = random.standard_normal(200)
A = random.standard_normal((200, 200)) / np.sqrt(200)
B = random.standard_normal((20, 200)) / np.sqrt(200)


def functions(np: Any, a: Any, b: Any) -> dict[str, Callable[[Any], Any]]:
    """What is differentiated, in the names of NumPy or of a library that has the same."""
    return {
        "hessian, rosen": lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
        "jacobian, lattice": lambda x: x - x**3 + np.roll(x, 1) - 2 * x + np.roll(x, -1),
        "jacobian, dense": lambda x: x * np.tanh(a @ x),
        "jacobian, wide": lambda x: np.sin(b @ x),
    }


def rows(np: Any, jacobian: Any, hessian: Any, x: Any, a: Any, b: Any) -> Rows:
    transforms = {
        name: (hessian if name.startswith("hessian") else jacobian)(f)
        for name, f in functions(np, a, b).items()
    }
    expected = rows_numpy()
    for name, derivative in transforms.items():
        close(derivative(x), expected[name]())
    return {name: lambda d=derivative: d(x) for name, derivative in transforms.items()}


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-9, atol=1e-9)


def rows_numpy() -> Rows:
    def rosen() -> Any:
        diagonal = np.zeros(200)
        diagonal[:-1] += 1200 * X[:-1] ** 2 - 400 * X[1:] + 2
        diagonal[1:] += 200
        beside = -400 * X[:-1]
        return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)

    def lattice() -> Any:
        eye = np.eye(200)
        return np.diag(-1 - 3 * X**2) + np.roll(eye, 1, 0) + np.roll(eye, -1, 0)

    def dense() -> Any:
        t = np.tanh(A @ X)
        return np.diag(t) + (X * (1 - t * t))[:, None] * A

    def wide() -> Any:
        return np.cos(B @ X)[:, None] * B

    return {
        "hessian, rosen": rosen,
        "jacobian, lattice": lattice,
        "jacobian, dense": dense,
        "jacobian, wide": wide,
    }


def rows_gradarg() -> Rows:
    import gradarg as ga

    return rows(np, ga.jacobian, ga.hessian, X, A, B)


def rows_autograd() -> Rows:
    import autograd
    import autograd.numpy as anp

    return rows(anp, autograd.jacobian, autograd.hessian, X, A, B)


def rows_torch() -> Rows:
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    x, a, b = map(torch.tensor, (X, A, B))
    return rows(torch, torch.func.jacrev, torch.func.hessian, x, a, b)


def rows_jax() -> Rows:
    import jax

    jax.config.update("jax_enable_x64", True)

    def compiled(transform: Any) -> Any:
        def of(f: Any) -> Any:
            derivative = jax.jit(transform(f))
            return lambda x: jax.block_until_ready(derivative(x))

        return of

    x, a, b = map(jax.numpy.asarray, (X, A, B))
    return rows(jax.numpy, compiled(jax.jacobian), compiled(jax.hessian), x, a, b)


if __name__ == "__main__":
    contenders = {
        "numpy": rows_numpy,
        "gradarg": rows_gradarg,
        "autograd": rows_autograd,
        "torch": rows_torch,
        "jax": rows_jax,
    }
    contest(__file__, __doc__, contenders)
