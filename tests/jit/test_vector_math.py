"""The vector math against mpmath and double arithmetic, and that it does become vectors."""

import os
import re

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest

from gradarg._jit.vector_math import FUNCTIONS, LIMITS, coefficients, definitions
from tests.jit import minimax
from tests.jit.accuracy import (
    REFERENCES,
    double_errors,
    doubles,
    errors,
    float_errors,
    floats,
    inside,
    special,
)
from tests.jit.driver import apply, module, widths

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
STEP = 257 if NIGHTLY else 16411  # every so many-th float; both are prime
POINTS = 5000 if NIGHTLY else 40

UNARY = [name for name, arity in FUNCTIONS.items() if arity == 1]

# What the vectors are of: the triple, the processor, the bits of a vector.
PROCESSORS = {
    "AVX2": ("x86_64-unknown-linux-gnu", "haswell", 256),
    "AVX-512": ("x86_64-unknown-linux-gnu", "znver4", 512),
    "ARM": ("aarch64-unknown-linux-gnu", "neoverse-n1", 128),
}


def test_every_function_has_a_reference():
    assert set(REFERENCES) == set(FUNCTIONS)


@pytest.mark.parametrize("name", UNARY)
def test_float(name):
    assert float_errors(name, floats(STEP)).max() < 2


@pytest.mark.parametrize("name", UNARY)
def test_double(name):
    x = inside(name, doubles(POINTS, 0, LIMITS.get(name, np.inf)))
    assert double_errors(name, x).max() < 2


@pytest.mark.parametrize("name", UNARY)
def test_double_at_special_values(name):
    x = special(np.float64)
    with np.errstate(all="ignore"):
        exact = REFERENCES[name].wide(x)
    exact = np.where(np.abs(x) > LIMITS.get(name, np.inf), np.nan, exact)
    assert errors(apply(name, x), exact).max() < 16  # SciPy's own errors: ndtr(-4) is off by 9


@pytest.mark.parametrize("type", [np.float32, np.float64])
def test_power_at_special_values(type):
    odd = 2.0 ** np.finfo(type).nmant + 1
    more = [1.5, -1.5, 3, 1 / 3, odd, -odd, 2 * odd, -1074, -1023, -150, -149, 127, 128, 1023]
    values = np.concatenate([special(type), np.array(more, type)])
    x, y = (np.ravel(a).copy() for a in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), y.astype(np.float64))
    assert errors(apply("pow", x, y), exact).max() < 2


def test_power_of_floats():
    random = np.random.default_rng(0)
    x = floats(STEP)
    with np.errstate(all="ignore"):
        y = random.uniform(-110, 100, x.size) / np.log(np.abs(x.astype(np.float64)))
        y = y.astype(np.float32)
    whole = np.rint(y)
    y = np.where((x < 0) & (np.abs(whole) > 0), whole, y)  # else most are NaN
    assert float_errors("pow", x, y).max() < 1


def test_power_of_doubles():
    random = np.random.default_rng(0)
    count = 10 * POINTS
    x = np.abs(inside("log", doubles(count)))[: 5 * count]
    with np.errstate(all="ignore"):
        y = random.uniform(-750, 712, x.size) / np.log(x)
    near_one = 1 + random.uniform(-1e-3, 1e-3, count)
    x = np.concatenate([x, near_one])
    y = np.concatenate([y, random.uniform(-7e5, 7e5, count)])
    keep = np.isfinite(y)
    assert double_errors("pow", x[keep], y[keep]).max() < 2


@pytest.mark.parametrize("type", [np.float32, np.float64])
def test_arctan2_at_special_values(type):
    values = special(type)
    y, x = (np.ravel(a).copy() for a in np.meshgrid(values, values))
    exact = np.arctan2(y.astype(np.float64), x.astype(np.float64))
    assert errors(apply("arctan2", y, x), exact).max() < 2


def test_arctan2():
    random = np.random.default_rng(0)
    x = np.sinh(random.uniform(-75, 75, 200_000)).astype(np.float32)
    y = (x * np.sinh(random.uniform(-9, 9, x.size))).astype(np.float32)
    assert float_errors("arctan2", y, x).max() < 1
    x = np.sinh(random.uniform(-500, 500, 20 * POINTS))
    y = x * np.sinh(random.uniform(-9, 9, x.size))
    assert double_errors("arctan2", y, x).max() < 1


@pytest.mark.parametrize("type", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIMITS)
def test_circular_functions_next_to_multiples_of_half_pi(name, type):
    """At the floats that come closest: multiples by the convergents of pi / 2 (and x is exact)."""
    with mpmath.workdps(60):
        half_pi, near = mpmath.pi / 2, []
        rest, last, this = half_pi, mpmath.mpf(0), mpmath.mpf(1)
        while this < LIMITS[name] / 2:
            near += [float(half_pi * this * k) for k in (1, 2, 3)]
            rest = 1 / (rest - mpmath.floor(rest))
            last, this = this, mpmath.floor(rest) * this + last
        x = np.array(near).astype(type)
        x = x[np.abs(x) <= LIMITS[name]]
        exact = np.array([float(REFERENCES[name].exact(mpmath.mpf(float(v)))) for v in x])
    assert errors(apply(name, x), exact).max() < 2


def test_cosine_stays_within_one():
    x = np.linspace(-0.01, 0.01, 100_001, dtype=np.float32)
    assert apply("cos", x).max() == 1
    assert np.abs(apply("sin", x + np.float32(np.pi / 2))).max() == 1


@pytest.mark.parametrize("type", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIMITS)
def test_beyond_the_limit_is_nan(name, type):
    limit = np.array([LIMITS[name]], type)
    x = np.concatenate([limit, -limit, np.nextafter(limit, type(np.inf)), -2 * limit])
    assert np.isnan(apply(name, x)).tolist() == [False, False, True, True]


@pytest.mark.parametrize("type", ["float", "double"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_loop_becomes_vectors(name, type):
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    for triple, processor, bits in PROCESSORS.values():
        features = "-prefer-256-bit" if bits == 512 else ""
        target = llvm.Target.from_triple(triple).create_target_machine(
            opt=3, cpu=processor, features=features
        )
        optimised = module(name, type, target)
        # pow goes through double: half as many at a time.
        width = bits // (64 if type == "double" or name == "pow" else 32)
        assert max(widths(optimised, type)) >= width
        assert "@ga_" not in str(optimised)
        assert not re.search(r"^\s+(callq?|bl)\s", target.emit_assembly(optimised), re.M)


def test_definitions_come_once():
    text = definitions([("exp", "float"), ("tanh", "double"), ("exp", "float")])
    assert text.count("define") == 2
    assert text.count("declare float @llvm.fma.f32") == 1


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", minimax.polynomials())
def test_coefficients_are_of_the_polynomials_that_they_name(name, bits):
    polynomial = minimax.polynomials()[name]
    if bits not in polynomial.degrees:
        return
    stored = getattr(coefficients, name)[bits]
    assert len(stored) == polynomial.degrees[bits] + 1
    with mpmath.workdps(60):
        points = minimax.grid(polynomial, 40)
        sums = [sum(c * z**k for k, c in enumerate(stored)) for z in points]
        lacks = [polynomial.weight(z) * (polynomial.f(z) - s) for z, s in zip(points, sums)]
    assert max(map(abs, lacks)) < polynomial.error[bits]
