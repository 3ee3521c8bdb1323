"""Every row of the table of conventions, in both modes and orders; and the page that shows it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradarg as ga
from tests.ops.conventions import CONVENTIONS, REFUSED

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


def test_the_page_shows_the_table():
    """`make coverage` writes the page anew."""
    spec = importlib.util.spec_from_file_location("gradarg_docs_conventions", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page()
