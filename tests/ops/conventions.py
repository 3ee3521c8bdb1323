"""Derivatives at points where there is none, several, or an infinite one: the table of conventions.

`docs/conventions.py` writes the table out, and `test_conventions.py` holds every row of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import gradarg as ga

inf, nan = np.inf, np.nan
REFUSED = ga.DerivativeError


@dataclass(frozen=True)
class Convention:
    """What holds for a function at a point; each expected value in the form of the result.

    `first` is the gradient of the sum of f(*at) by each argument, and `second` its Hessian, where
    there is one to tell of; both are alone for one argument, else tuples (of tuples). `first` is
    REFUSED where asking for it is an error.
    """

    name: str
    at: tuple[Any, ...]
    f: Callable[..., Any]
    value: Any
    first: Any
    second: Any = None
    why: str = ""


def at(*numbers: Any) -> Any:
    return np.array(numbers)


TIES = "the derivative is shared equally: the mean of the one-sided choices, whatever their order"
MIDDLE = "halfway between the slopes of both sides"
SIDE = "the slope of the side where the function is defined"
NOT_TAKEN = "what was not taken sends nothing back, however infinite its slope"
BY_TERMS = "the product rule, without division by a zero"
FLAT = "constant on both sides of the step"
LIMIT = "the limit"
SATURATED = "the limit, reached without overflow"


def conventions() -> Iterator[Convention]:
    yield from _kinks()
    yield from _edges()
    yield from _powers()
    yield from _choices()
    yield from _ties()
    yield from _order_statistics()
    yield from _products()
    yield from _determinants()
    yield from _matrices()
    yield from _sums_of_exponentials()
    yield from _planes()
    yield from _steps()
    yield from _spreads()


def _kinks() -> Iterator[Convention]:
    yield Convention("abs(x)", (0.0,), np.abs, 0, 0, 0, MIDDLE)
    yield Convention("fabs(x)", (0.0,), np.fabs, 0, 0, 0, MIDDLE)
    yield Convention("abs(z)", (0j,), np.abs, 0, 0, why="the mean over all directions")
    yield Convention("sign(x)", (0.0,), np.sign, 0, 0, 0, FLAT)
    yield Convention("sign(z)", (0j,), lambda z: np.real(np.sign(z)), 0, 0, why="as sign(x)")
    yield Convention("relu(x)", (0.0,), ga.relu, 0, 0, 0, "as in PyTorch: no unit is awake at 0")
    yield Convention(
        "copysign(x, y)", (0.0, -1.0), np.copysign, 0, (0, 0), ((0, 0), (0, 0)), "as abs(x)"
    )


def _edges() -> Iterator[Convention]:
    yield Convention("sqrt(x)", (0.0,), np.sqrt, 0, inf, why=SIDE)
    yield Convention("cbrt(x)", (0.0,), np.cbrt, 0, inf, why="the slope of both sides")
    yield Convention("log(x)", (0.0,), np.log, -inf, inf, why=SIDE)
    yield Convention("log2(x)", (0.0,), np.log2, -inf, inf, why=SIDE)
    yield Convention("log10(x)", (0.0,), np.log10, -inf, inf, why=SIDE)
    yield Convention("log1p(x)", (-1.0,), np.log1p, -inf, inf, why=SIDE)
    yield Convention("arcsin(x)", (1.0,), np.arcsin, np.pi / 2, inf, why=SIDE)
    yield Convention("arcsin(x)", (-1.0,), np.arcsin, -np.pi / 2, inf, why=SIDE)
    yield Convention("arccos(x)", (1.0,), np.arccos, 0, -inf, why=SIDE)
    yield Convention("arccos(x)", (-1.0,), np.arccos, np.pi, -inf, why=SIDE)
    yield Convention("arccosh(x)", (1.0,), np.arccosh, 0, inf, why=SIDE)
    yield Convention("arctanh(x)", (1.0,), np.arctanh, inf, inf, why=SIDE)
    yield Convention("arctanh(x)", (-1.0,), np.arctanh, -inf, inf, why=SIDE)
    yield Convention("1 / x", (0.0,), lambda x: 1 / x, inf, -inf, why="the slope of both sides")
    yield Convention("sinc(x)", (0.0,), np.sinc, 1, 0, -(np.pi**2) / 3, "the removed singularity")
    yield Convention(
        "sqrt(x)**2", (0.0,), lambda x: np.sqrt(x) ** 2, 0, 0,
        why="0 * inf counts as 0, which is right wherever a factor is exactly 0",
    )  # fmt: skip


def _powers() -> Iterator[Convention]:
    zero = "x**0 is 1 for every x"
    yield Convention("x**0", (0.0,), lambda x: x**0, 1, 0, 0, zero)
    yield Convention("x**0.0", (nan,), lambda x: x**0.0, 1, 0, 0, zero)
    yield Convention("x**1", (0.0,), lambda x: x**1, 0, 1, 0, LIMIT)
    yield Convention("x**2", (0.0,), lambda x: x**2, 0, 0, 2, LIMIT)
    yield Convention("x**1.5", (0.0,), lambda x: x**1.5, 0, 0, inf, SIDE)
    yield Convention("x**0.5", (0.0,), lambda x: x**0.5, 0, inf, why=SIDE)
    yield Convention("x**-1", (0.0,), lambda x: x**-1, inf, -inf, why=SIDE)
    yield Convention("x**0.5", (-1.0,), lambda x: x**0.5, nan, nan, why="no real value")
    power = np.power
    yield Convention("x**y", (0.0, 2.0), power, 0, (0, 0), ((2, 0), (0, 0)), "0**y is 0 for y > 0")
    yield Convention("x**y", (0.0, 0.0), power, 1, (0, 0), why="0**y counts as constant in y")
    yield Convention("x**y", (0.0, -1.0), power, inf, (-inf, 0), why="0**y is inf for y < 0")
    yield Convention("0**y", (0.0,), lambda y: 0**y, 1, 0, 0, "0**y counts as constant in y")


def _choices() -> Iterator[Convention]:
    for name, f, x in (
        ("sqrt(x)", np.sqrt, 0.0),
        ("log(x)", np.log, 0.0),
        ("1 / x", lambda x: 1 / x, 0.0),
        ("sin(x) / x", lambda x: np.sin(x) / x, 0.0),
        ("x * log(x)", lambda x: x * np.log(x), 0.0),
        ("exp(1e3 - x)", lambda x: np.exp(1e3 - x), 1.0),
        ("x**0.5", lambda x: x**0.5, -1.0),
        ("arccos(x)", np.arccos, 1.0),
    ):
        yield Convention(
            f"where(x > 2, {name}, x**2)", (x,),
            lambda x, f=f: np.where(x > 2, f(x), x**2), x**2, 2 * x, 2, NOT_TAKEN,
        )  # fmt: skip
    yield Convention(
        "nan_to_num(x)", (at(nan, inf, 1.0),), lambda x: np.nan_to_num(x, posinf=9.0),
        at(0, 9, 1), at(0, 0, 1), np.zeros((3, 3)), "the number put in does not depend on x",
    )  # fmt: skip


def _ties() -> Iterator[Convention]:
    half, none = (0.5, 0.5), ((0, 0), (0, 0))
    for name in ("maximum", "minimum", "fmax", "fmin"):
        f = getattr(np, name)
        yield Convention(f"{name}(x, y)", (1.0, 1.0), f, 1, half, none, TIES)
    yield Convention("fmax(x, y)", (nan, 1.0), np.fmax, 1, (0, 1), none, "NaN is not chosen")
    yield Convention("maximum(x, y)", (nan, 1.0), np.maximum, nan, (0, 0), none, "no number is it")
    x, third = at(1.0, 3, 3), at(3.0, 1, 1, 1)
    yield Convention("max(x)", (x,), np.max, 3, at(0, 0.5, 0.5), np.zeros((3, 3)), TIES)
    yield Convention("min(x)", (third,), np.min, 1, at(0, 1, 1, 1) / 3, np.zeros((4, 4)), TIES)
    yield Convention("max(x)", (at(1, nan),), np.max, nan, at(nan, nan), why="no number is it")
    yield Convention("ptp(x)", (x,), np.ptp, 2, at(-1, 0.5, 0.5), np.zeros((3, 3)), TIES)
    yield Convention(
        "clip(x, 1, 2)", (at(1.0, 1.5, 2),), lambda x: np.clip(x, 1, 2), at(1, 1.5, 2),
        at(0.5, 1, 0.5), np.zeros((3, 3)), "as minimum and maximum",
    )  # fmt: skip
    yield Convention(
        "sort(x) · (1, 2, 4)", (at(5.0, 5, 1),), lambda x: np.sort(x) @ at(1, 2, 4), 31,
        at(2, 4, 1), np.zeros((3, 3)), "equal elements stay in their order (a stable sort)",
    )  # fmt: skip


def _products() -> Iterator[Convention]:
    pair = np.zeros((3, 3))
    pair[0, 2] = pair[2, 0] = 2
    x = at(0.0, 2, 0)
    yield Convention("prod(x)", (x,), np.prod, 0, at(0, 0, 0), pair, BY_TERMS)
    one = at([0, 3, 2], [3, 0, 0], [2, 0, 0])
    yield Convention("prod(x)", (at(0.0, 2, 3),), np.prod, 0, at(6, 0, 0), one, BY_TERMS)
    sums = at([0, 1, 2], [1, 0, 0], [2, 0, 0])
    yield Convention("cumprod(x)", (x,), np.cumprod, at(0, 0, 0), at(3, 0, 0), sums, BY_TERMS)


def _order_statistics() -> Iterator[Convention]:
    sorted_ = "as sort: of equal elements those whose places in order it takes"
    one, flat = at(0, 1, 0), np.zeros((3, 3))
    yield Convention("median(x)", (at(2.0, 2, 5),), np.median, 2, one, flat, sorted_)
    x = at(1.0, 4, 2)
    yield Convention(
        "quantile(x, 0.5)", (x,), lambda x: np.quantile(x, 0.5), 2, at(0, 0, 1), flat,
        "at an order statistic, that element alone",
    )  # fmt: skip
    right = "the slope of the piece that begins there"
    yield Convention("quantile((1, 4, 2), q)", (0.5,), lambda q: np.quantile(x, q), 2, 4, 0, right)
    knots, heights = at(0.0, 1, 2), at(0.0, 1, 5)
    table = lambda x: np.interp(x, knots, heights)
    yield Convention("interp(x, (0, 1, 2), (0, 1, 5))", (1.0,), table, 1, 4, 0, right)
    last = "at the last knot, the slope of the piece that ends there"
    yield Convention("interp(x, (0, 1, 2), (0, 1, 5))", (2.0,), table, 5, 4, 0, last)
    y = at(nan, 3.0, 3)
    yield Convention("nanmax(x)", (y,), np.nanmax, 3, at(0, 0.5, 0.5), flat, TIES)
    yield Convention("nanmean(x)", (y,), np.nanmean, 3, at(0, 0.5, 0.5), flat, "NaN counts as none")


def _determinants() -> Iterator[Convention]:
    linalg = np.linalg
    a, zero = at([1.0, 2], [2, 4]), np.zeros((2, 2))
    exchange = np.zeros((2, 2, 2, 2))
    exchange[0, 0, 1, 1] = exchange[1, 1, 0, 0] = 1
    exchange[0, 1, 1, 0] = exchange[1, 0, 0, 1] = -1
    cofactors = "the cofactors, which need no inverse"
    yield Convention("det(a)", (a,), linalg.det, 0, at([4, -2], [-2, 1]), exchange, cofactors)
    yield Convention("det(a)", (zero,), linalg.det, 0, zero, exchange, cofactors)
    yield Convention(
        "slogdet(a)", (a,), lambda a: linalg.slogdet(a)[1], -inf, REFUSED, None,
        "infinite, in no one direction",
    )  # fmt: skip
    vector = lambda a: linalg.eigh((a + a.T) / 2)[1][0] @ at(1, 2)
    yield Convention(
        "eigh(a)[1][0] · (1, 2)", (np.eye(2),), vector, 1, REFUSED, None,
        "of equal eigenvalues the vectors are not determined",
    )  # fmt: skip


def _matrices() -> Iterator[Convention]:
    norm, kink, none = np.linalg.norm, "as abs(x)", np.zeros((2, 2))
    x, a = at(0.0, 2.0), np.ones((2, 2))
    yield Convention("norm(x)", (at(0.0, 0.0),), norm, 0, at(0, 0), none, kink)
    for p in (1, 0.5):
        f = partial(norm, ord=p)
        yield Convention(f"norm(x, {p})", (x,), f, 2, at(0, 1), none, kink)
    f, x = partial(norm, ord=inf), at(1.0, -3.0, 3.0)
    yield Convention("norm(x, inf)", (x,), f, 3, at(0, -0.5, 0.5), np.zeros((3, 3)), TIES)
    f = partial(norm, ord="nuc")
    yield Convention('norm(a, "nuc")', (a,), f, 2, a / 2, None, "singular values of 0 as abs(x)")
    f = partial(norm, ord=2)
    yield Convention("norm(a, 2)", (np.eye(2),), f, 1, np.eye(2) / 2, None, TIES)
    alike = "a sum in which equal ones count alike"
    for name, f in (
        ("eigvalsh", np.linalg.eigvalsh),
        ("svdvals", np.linalg.svdvals),
        ("eigvals", lambda a: np.real(np.linalg.eigvals(a))),
    ):
        squares = partial(lambda a, f: f(a) ** 2, f=f)
        row = at(4, 4), 4 * np.eye(2), None, alike
        yield Convention(f"{name}(a)**2", (2 * np.eye(2),), squares, *row)
    rank = "among matrices of the same rank"
    yield Convention("pinv(a)", (a,), np.linalg.pinv, a / 4, -a / 4, None, rank)


def _sums_of_exponentials() -> Iterator[Convention]:
    none = "an empty sum has no part in it"
    zeros = np.zeros((2, 2))
    yield Convention("logaddexp(x, y)", (-inf, -inf), np.logaddexp, -inf, (0, 0), None, none)
    yield Convention("logaddexp(x, y)", (-inf, 1.0), np.logaddexp, 1, (0, 1), None, LIMIT)
    yield Convention("logsumexp(x)", (at(-inf, -inf),), ga.logsumexp, -inf, at(0, 0), zeros, none)
    yield Convention("logsumexp(x)", (at(-inf, 1.0),), ga.logsumexp, 1, at(0, 1), zeros, LIMIT)
    yield Convention("logsumexp(x)", (at(1e4, 0.0),), ga.logsumexp, 1e4, at(1, 0), zeros, SATURATED)
    yield Convention(
        "softmax(x) · (1, 2)", (at(1e4, 0.0),), lambda x: ga.softmax(x) @ at(1, 2), 1,
        at(0, 0), zeros, SATURATED,
    )  # fmt: skip
    yield Convention(
        "log_softmax(x)", (at(1e4, 0.0),), ga.log_softmax, at(0, -1e4), at(-1, 1), zeros, SATURATED
    )
    for name, f, value in (("sigmoid", ga.sigmoid, 1), ("tanh", np.tanh, 1)):
        yield Convention(f"{name}(x)", (1e4,), f, value, 0, 0, SATURATED)
    yield Convention("softplus(x)", (1e4,), ga.softplus, 1e4, 1, 0, SATURATED)
    yield Convention("log_sigmoid(x)", (-1e4,), ga.log_sigmoid, -1e4, 1, 0, SATURATED)


def _planes() -> Iterator[Convention]:
    none = ((0, 0), (0, 0))
    yield Convention("hypot(x, y)", (0.0, 0.0), np.hypot, 0, (0, 0), none, "as abs(z)")
    yield Convention(
        "arctan2(y, x)", (0.0, 0.0), np.arctan2, 0, (0, 0), none, "every direction is as good"
    )
    yield Convention("angle(z)", (0j,), np.angle, 0, 0, why="as arctan2")


def _steps() -> Iterator[Convention]:
    for name in ("floor", "ceil", "trunc", "rint"):
        yield Convention(f"{name}(x)", (2.0,), getattr(np, name), 2, 0, 0, FLAT)
    yield Convention("round(x)", (2.5,), np.round, 2, 0, 0, FLAT)
    none = ((0, 0), (0, 0))
    yield Convention("x // y", (4.0, 2.0), np.floor_divide, 2, (0, 0), none, FLAT)
    yield Convention(
        "x % y", (4.0, 2.0), np.remainder, 0, (1, -2), none, "x - floor(x / y) y, floor being flat"
    )
    yield Convention(
        "fmod(x, y)", (4.0, 2.0), np.fmod, 0, (1, -2), none, "x - trunc(x / y) y, trunc being flat"
    )
    yield Convention("heaviside(x, y)", (0.0, 0.7), np.heaviside, 0.7, (0, 1), none, "y at x = 0")


def _spreads() -> Iterator[Convention]:
    x = at(2.0, 2, 2)
    centred = (np.eye(3) - 1 / 3) * 2 / 3
    yield Convention("var(x)", (x,), np.var, 0, at(0, 0, 0), centred, "a smooth function")
    yield Convention("std(x)", (x,), np.std, 0, at(0, 0, 0), np.zeros((3, 3)), "as norm(x)")


CONVENTIONS = list(conventions())
