"""Options priced by the million, with all their Greeks."""

from __future__ import annotations

from typing import Any

import numpy as np
from _row import Row, generator

N = 10**6


def black_scholes(np: Any, normal: Any, s: Any, k: Any, sigma: Any, t: Any, r: Any) -> Any:
    """The price of a European call: spot, strike, volatility, time left, rate."""
    spread = sigma * np.sqrt(t)
    d1 = (np.log(s / k) + (r + 0.5 * sigma * sigma) * t) / spread
    return s * normal(d1) - k * np.exp(-r * t) * normal(d1 - spread)


def by_hand(s: Any, k: Any, sigma: Any, t: Any, r: Any, _c: Any) -> Any:
    from scipy.special import ndtr

    def call() -> Any:
        root = np.sqrt(t)
        spread = sigma * root
        d1 = (np.log(s / k) + (r + 0.5 * sigma * sigma) * t) / spread
        n1, n2 = ndtr(d1), ndtr(d1 - spread)
        discount = k * np.exp(-r * t)
        price = s * n1 - discount * n2
        density = s * np.exp(-0.5 * d1 * d1) * (2 * np.pi) ** -0.5
        later = discount * n2
        return price, (
            n1,
            -later / k,
            density * root,
            density * sigma / (2 * root) + r * later,
            t * later,
        )

    return call


def data() -> tuple[Any, ...]:
    draw = generator().uniform
    return (
        draw(50, 150, N), draw(50, 150, N), draw(0.1, 0.6, N), draw(0.2, 2.0, N),
        draw(0.0, 0.08, N), np.ones(N),
    )  # fmt: skip


def of(normal_of: Any) -> Any:
    def build(lib: Any, s: Any, k: Any, sigma: Any, t: Any, r: Any, c: Any) -> Any:
        f = lambda *args: black_scholes(lib.np, normal_of(lib), *args)
        return lib.pullback(f, c, s, k, sigma, t, r, to=5)

    return build


def autograd_normal(_lib: Any) -> Any:
    from autograd.scipy.stats import norm

    return norm.cdf


ROWS = [
    Row(
        "Black-Scholes with 5 Greeks, 1e6, float64",
        data,
        by_hand,
        of(lambda lib: lib.special.ndtr),
        own={"autograd": of(autograd_normal), "mygrad": None},
        bytes=8 * 11 * N,
        target=0.6,
        tolerance=1e-9,
    ),
]
