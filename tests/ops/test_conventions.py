"""Every row of the table of conventions, in both modes and orders; and the page that shows it."""

import importlib.util
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradarg as ga
from tests.ops.conventions import CONVENTIONS, REFUSED
from tests.ops.samples import BINARY, UNARY

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conventions.py"
GIVEN = [row for row in CONVENTIONS if row.first is not REFUSED]


def name(row):
    return f"{row.name} at {row.at}"


every = pytest.mark.parametrize("row", GIVEN, ids=name)
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own, at log(0) and the like


def total(row):
    return lambda *x: np.sum(row.f(*x))


def places(row):
    return 0 if len(row.at) == 1 else tuple(range(len(row.at)))


def points(row):
    return [np.asarray(x)[()] for x in row.at]


def same(found, expected):
    found, expected = (x if isinstance(x, tuple) else (x,) for x in (found, expected))
    for a, b in zip(found, expected, strict=True):
        if isinstance(a, tuple):
            same(a, b)
        else:
            assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@quiet
@every
def test_value_and_gradient(row):
    xs = points(row)
    same(row.f(*xs), row.value)
    gradient = ga.grad(total(row), places(row))
    same(gradient(*xs), row.first)
    same(ga.stage(gradient, *xs)(*xs), row.first)
    mapped = ga.vmap(gradient)(*(np.stack([x, x]) for x in xs))
    same(tuple(g[1] for g in mapped) if len(xs) > 1 else mapped[1], row.first)


@quiet
@every
def test_forward_mode(row):
    xs = points(row)
    firsts = row.first if len(xs) > 1 else (row.first,)
    for i, (x, first) in enumerate(zip(xs, firsts, strict=True)):
        for place in np.ndindex(np.shape(x)):
            for unit in (1, 1j) if x.dtype.kind == "c" else (1,):
                tangents = [np.zeros_like(x) for x in xs]
                tangents[i] = np.asarray(tangents[i])
                tangents[i][place] = unit
                slope = ga.jvp(total(row), xs, tangents)[1]
                wanted = np.real(np.conj(np.asarray(first)[place]) * unit)
                assert_allclose(slope, wanted, rtol=1e-12, atol=1e-14)


@quiet
@pytest.mark.parametrize("row", [r for r in CONVENTIONS if r.first is REFUSED], ids=name)
def test_what_has_no_derivative_says_so(row):
    xs = points(row)
    same(row.f(*xs), row.value)
    with pytest.raises(ga.DerivativeError):
        ga.grad(total(row), places(row))(*xs)
    try:  # in forward mode, which does not know what will be used, it may be NaN
        slope = ga.jvp(total(row), xs, [np.cos(np.arange(x.size)).reshape(x.shape) for x in xs])[1]
    except ga.DerivativeError:
        slope = np.nan
    assert np.isnan(slope)


@quiet
@pytest.mark.parametrize("row", [r for r in GIVEN if r.second is not None], ids=name)
def test_second_order(row):
    xs, where = points(row), places(row)
    same(ga.hessian(total(row), where)(*xs), row.second)
    gradient = ga.grad(total(row), where)
    same(ga.jacobian(gradient, where, mode="reverse")(*xs), row.second)


BAD = (np.nan, np.inf, -np.inf, 0.0, 1.0, -1.0, 1e300, -1e300, 1e4)
FUNCTIONS = [
    (name, len(domains))
    for table in ({(d,): names for d, names in UNARY.items()}, BINARY)
    for domains, names in table.items()
    for name in names.split()
    if name != "ldexp"
]


@quiet
@pytest.mark.parametrize("name, count", FUNCTIONS)
def test_what_where_does_not_take_sends_nothing_back(name, count):
    """Whatever the function makes of its arguments: NaN, infinity, or an infinite slope."""
    f = getattr(ga, name)

    def guarded(*xs):
        return np.where(xs[0] == 77, f(*xs), sum(x * x for x in xs) if np.isfinite(sum(xs)) else 0)

    for xs in product(map(np.float64, BAD), repeat=count):
        wanted = [2 * x if np.isfinite(sum(xs)) else 0 for x in xs]
        for i in range(count):
            assert ga.grad(guarded, i)(*xs) == wanted[i]
            unit = tuple(float(k == i) for k in range(count))
            assert ga.jvp(guarded, xs, unit)[1] == wanted[i]
            second = ga.grad(ga.grad(guarded, i), i)(*xs)
            assert second == (2 if np.isfinite(sum(xs)) else 0)


def test_the_page_shows_the_table():
    """`make coverage` writes the page anew."""
    spec = importlib.util.spec_from_file_location("gradarg_docs_conventions", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page()
