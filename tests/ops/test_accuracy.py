"""How exact derivatives are: the elementwise table against mpmath, all else by complex steps.

    python -m tests.ops.test_accuracy       prints the largest relative errors

Of the table, first and second derivatives in float64, by each argument and each pair of them,
against mpmath with 50 digits. Of NumPy's other functions that are analytic, first derivatives
against Im f(x + ih) / h, which has no cancellation (Squire and Trapp, SIAM Review 40, 1998).
"""

from itertools import combinations_with_replacement, product

import mpmath
import numpy as np
import pytest

import gradarg as ga
from tests.ops.calls import ALIASES, CALLS
from tests.ops.checks import difference, direction, leaves
from tests.ops.sample import INTEGER
from tests.ops.samples import BINARY, UNARY
from tests.ops.test_namespace import taken_apart

FIRST, SECOND, STEPPED = 1e-13, 1e-12, 1e-10  # what is promised is 1e-7, 1e-5 and 1e-7
PLACES = (0.03, 0.21, 0.37, 0.55, 0.74, 0.98)  # on the domain of each argument

mp = mpmath.mp
EXACT = {
    "positive": lambda x: x,
    "negative": lambda x: -x,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "absolute": abs,
    "fabs": abs,
    "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.cbrt(x) if x > 0 else -mp.cbrt(-x),
    "exp": mp.exp,
    "exp2": lambda x: mp.mpf(2) ** x,
    "expm1": mp.expm1,
    "log": mp.log,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": mp.log10,
    "log1p": mp.log1p,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "deg2rad": mp.radians,
    "rad2deg": mp.degrees,
    "sinc": mp.sincpi,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(x)),
    "log_sigmoid": lambda x: -mp.log1p(mp.exp(-x)),
    "relu": lambda x: x if x > 0 else mp.mpf(0),
    "nan_to_num": lambda x: x,
    "conjugate": lambda x: x,
    "real": lambda x: x,
    "imag": lambda x: mp.mpf(0),
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "maximum": max,
    "minimum": min,
    "fmax": max,
    "fmin": min,
    "hypot": mp.hypot,
    "arctan2": mp.atan2,
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "logaddexp2": lambda x, y: mp.log(mp.mpf(2) ** x + mp.mpf(2) ** y) / mp.log(2),
    "copysign": lambda x, y: abs(x) if y > 0 else -abs(x),
    "heaviside": lambda x, y: mp.mpf(x > 0),
    "remainder": lambda x, y: x - mp.floor(x / y) * y,
    "fmod": lambda x, y: x - (mp.floor(x / y) if x / y > 0 else mp.ceil(x / y)) * y,
    "power": lambda x, y: x**y,
    "float_power": lambda x, y: x**y,
    "nextafter": lambda x, y: x,
}
DOMAINS = {
    name: domains
    for table in ({(d,): names for d, names in UNARY.items()}, BINARY)
    for domains, names in table.items()
    for name in names.split()
    if INTEGER not in domains
}


def points(domains):
    """Points of the domain, no two arguments alike."""
    grids = [[low + (high - low) * t for t in PLACES] for low, high in domains]
    if len(grids) == 1:
        return [(x,) for x in grids[0]]
    return [(x, y + 0.0131) for x, y in product(grids[0], grids[1][::2])]


def relative(found, exact):
    return float(abs(mp.mpf(float(found)) - exact) / max(abs(exact), mp.mpf("1e-3")))


def errors(name):
    """The largest relative errors of first and of second derivatives; below 1e-3 absolute."""
    f, exact, domains = getattr(ga, name), EXACT[name], DOMAINS[name]
    count = len(domains)
    first, second = [], []
    for x in points(domains):
        for i in range(count):
            with mp.workdps(50):
                wanted = mp.diff(exact, x, tuple(int(k == i) for k in range(count)), h="1e-15")
            first += [relative(ga.grad(f, i)(*x), wanted)]
            tangent = tuple(float(k == i) for k in range(count))
            first += [relative(ga.jvp(f, x, tangent)[1], wanted)]
        for i, j in combinations_with_replacement(range(count), 2):
            with mp.workdps(50):
                orders = tuple(int(k == i) + int(k == j) for k in range(count))
                wanted = mp.diff(exact, x, orders, h="1e-15")
            second += [relative(ga.grad(ga.grad(f, i), j)(*x), wanted)]
    return max(first), max(second)


def test_the_table_is_complete():
    assert set(DOMAINS) - set(ALIASES) == set(EXACT)


@pytest.mark.parametrize("name", EXACT)
def test_derivatives_are_exact(name):
    first, second = errors(name)
    assert first < FIRST
    assert second < SECOND


def test_the_slope_of_expm1_is_exact_where_it_is_tiny():
    assert ga.grad(np.expm1)(-40.0) == np.exp(-40)


# ---- complex steps


def stepped(call):
    """The largest error of the JVP against a complex step; None where NumPy cannot take one."""
    f, arrays = taken_apart(call)
    if not (call.smooth and call.numpy and arrays and all(x.dtype == float for x in arrays)):
        return None
    d = direction(tuple(arrays), np.random.default_rng(1))
    h = 1e-150
    try:
        turned = [x + 1j * h * t for x, t in zip(arrays, d)]
        outs = leaves(f(*turned, function=call.numpy))
    except (TypeError, ValueError, np.exceptions.ComplexWarning, np.linalg.LinAlgError):
        return None
    wanted = [np.imag(o) / h for o in outs]
    plain = leaves(difference(lambda *x: f(*x, function=call.numpy), arrays, d))
    if not all(np.allclose(a, b, rtol=1e-5, atol=1e-5) for a, b in zip(wanted, plain)):
        return None  # not analytic: it takes moduli, or conjugates
    found = leaves(ga.jvp(f, tuple(arrays), d)[1])
    size = max(1, *(np.max(np.abs(w), initial=0) for w in wanted))
    return max(float(np.max(np.abs(a - b), initial=0)) for a, b in zip(found, wanted)) / size


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_complex_steps():
    errors = {str(call): stepped(call) for call in CALLS}
    errors = {name: error for name, error in errors.items() if error is not None}
    assert len(errors) > 300
    assert {name: error for name, error in errors.items() if not error < STEPPED} == {}


if __name__ == "__main__":
    for name in EXACT:
        print("{:12} {:.0e} {:.0e}".format(name, *errors(name)))
    stepped_errors = [e for e in map(stepped, CALLS) if e is not None]
    print(f"{len(stepped_errors)} calls by complex steps: {max(stepped_errors):.0e}")
