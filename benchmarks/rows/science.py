"""Fitting and simulation: logistic regression, a Gaussian process, gravity."""

from __future__ import annotations

from typing import Any

import numpy as np
from _row import Row, generator

f4 = np.float32
N, M = 100_000, 100


def logistic(np: Any, w: Any, x: Any, y: Any) -> Any:
    """The mean of log(1 + exp(-margin)), and a ridge."""
    zero = np.zeros_like(y)
    return np.mean(np.logaddexp(zero, -y * (x @ w))) + 0.01 * np.sum(w * w)


def logistic_mygrad(lib: Any, w: Any, x: Any, y: Any) -> Any:
    np = lib.np
    loss = lambda w: np.mean(np.logaddexp(0, -y * (x @ w))) + 0.01 * np.sum(w * w)
    return lib.gradient(loss, w)


def gradient_by_hand(w: Any, x: Any, y: Any) -> Any:
    def call() -> Any:
        z = x @ w
        z *= -y
        loss = np.logaddexp(0, z).mean() + f4(0.01) * (w * w).sum()
        s = 1 / (1 + np.exp(-z))
        s *= y
        return loss, s @ x * f4(-1 / len(y)) + f4(0.02) * w

    return call


def hvp_by_hand(v: Any, w: Any, x: Any, y: Any) -> Any:
    def call() -> Any:
        z = x @ w
        z *= -y
        s = 1 / (1 + np.exp(-z))
        s *= 1 - s
        s *= x @ v
        return s @ x / f4(len(y)) + f4(0.02) * v

    return call


def logistic_data() -> tuple[Any, ...]:
    random = generator()
    x = random.standard_normal((N, M)).astype(f4)
    w = (random.standard_normal(M) * 0.1).astype(f4)
    y = np.sign(x @ w + random.standard_normal(N)).astype(f4)
    return w, x, y


def direction_and_data() -> tuple[Any, ...]:
    return (generator().standard_normal(M).astype(f4), *logistic_data())


# ---- a Gaussian process's likelihood by its three parameters

POINTS = 1000


def likelihood(lib: Any, solve: Any, theta: Any, d2: Any, y: Any) -> Any:
    np = lib.np
    scale, length, noise = np.exp(theta[0]), np.exp(theta[1]), np.exp(theta[2])
    k = scale * np.exp(-0.5 / (length * length) * d2) + noise * np.eye(POINTS)
    low = np.linalg.cholesky(k)
    half = solve(low, y)
    return 0.5 * np.sum(half * half) + np.sum(np.log(np.diagonal(low)))


def likelihood_by_hand(theta: Any, d2: Any, y: Any) -> Any:
    from scipy.linalg import cho_solve, cholesky

    def call() -> Any:
        scale, length, noise = np.exp(theta)
        e = scale * np.exp(-0.5 / length**2 * d2)
        k = e.copy()
        k.flat[:: POINTS + 1] += noise
        low = cholesky(k, lower=True)
        inverse = cho_solve((low, True), np.eye(POINTS))
        alpha = inverse @ y
        outer = inverse - np.outer(alpha, alpha)
        gradient = 0.5 * np.array(
            [np.vdot(outer, e), np.vdot(outer, e * d2) / length**2, noise * np.trace(outer)]
        )
        return 0.5 * y @ alpha + np.log(np.diagonal(low)).sum(), gradient

    return call


def process_data() -> tuple[Any, ...]:
    x = np.sort(generator().uniform(0, 10, POINTS))
    y = np.sin(x) + 0.1 * generator().standard_normal(POINTS)
    return np.log([1.0, 1.0, 0.1]), (x[:, None] - x) ** 2, y


def process(solve: Any) -> Any:
    def build(lib: Any, theta: Any, d2: Any, y: Any) -> Any:
        f = lambda theta, d2, y: likelihood(lib, solve(lib), theta, d2, y)
        return lib.gradient(f, theta, d2, y)

    return build


def eager_triangle(lib: Any) -> Any:  # which the compiler finds by itself
    return lambda low, y: lib.ga.linalg.solve_triangular(low, y, lower=True)


def torch_triangle(lib: Any) -> Any:
    solve = lib.torch.linalg.solve_triangular
    return lambda low, y: solve(low, y[:, None], upper=False)[:, 0]


def jax_triangle(lib: Any) -> Any:
    return lambda low, y: lib.jax.scipy.linalg.solve_triangular(low, y, lower=True)


def autograd_triangle(_lib: Any) -> Any:
    from autograd.scipy.linalg import solve_triangular

    return lambda low, y: solve_triangular(low, y, lower=True)


# ---- gravity

BODIES, SOFT = 512, 1e-2


def potential(np: Any, x: Any, m: Any) -> Any:
    d = x[:, None, :] - x[None, :, :]
    r2 = np.sum(d * d, axis=2) + SOFT
    return -0.5 * np.sum(m[:, None] * m[None, :] / np.sqrt(r2))


def forces_by_hand(x: Any, m: Any) -> Any:
    def call() -> Any:
        d = x[:, None, :] - x[None, :, :]
        r = 1 / np.sqrt(np.einsum("ijk,ijk->ij", d, d) + SOFT)
        weight = m[:, None] * m * r
        value = -0.5 * weight.sum()
        weight *= r
        weight *= r
        return value, np.einsum("ij,ijk->ik", weight, d)

    return call


ROWS = [
    Row(
        "logistic regression, gradient, 1e5x100",
        logistic_data,
        gradient_by_hand,
        lambda lib, w, x, y: lib.gradient(lambda w, x, y: logistic(lib.np, w, x, y), w, x, y),
        own={"mygrad": logistic_mygrad},
        bytes=8 * N * M,
        tolerance=5e-5,  # sums of 1e5 float32 in other orders
    ),
    Row(
        "logistic regression, Hessian-vector product",
        direction_and_data,
        hvp_by_hand,
        lambda lib, v, w, x, y: lib.hvp(lambda w, x, y: logistic(lib.np, w, x, y), v, w, x, y),
        bytes=12 * N * M,
    ),
    Row(
        "Gaussian process likelihood and gradient, n = 1000",
        process_data,
        likelihood_by_hand,
        process(lambda lib: lib.np.linalg.solve),
        own={
            "gradarg": process(eager_triangle),
            "torch": process(torch_triangle),
            "torch.compile": process(torch_triangle),
            "jax jit": process(jax_triangle),
            "autograd": process(autograd_triangle),
            "mygrad": None,
        },
        flops=POINTS**3,
        tolerance=1e-7,
    ),
    Row(
        "N-body forces, 512 bodies, float64",
        lambda: (generator().standard_normal((BODIES, 3)), generator().uniform(0.5, 1.5, BODIES)),
        forces_by_hand,
        lambda lib, x, m: lib.gradient(lambda x, m: potential(lib.np, x, m), x, m),
        tolerance=1e-9,
    ),
]
