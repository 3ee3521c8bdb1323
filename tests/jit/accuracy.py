"""How far the vector math is from the truth, and how fast it is.

    python -m tests.jit.accuracy                  every float of 257, all functions; speed
    python -m tests.jit.accuracy --step 1 exp     every float there is

float is compared with NumPy's and SciPy's double results, double with mpmath at random points of
several scales. Errors are in units in the last place of the exact result, subnormal ones included.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import scipy.special

from gradarg._jit.vector_math import FUNCTIONS, LIMITS
from tests.jit.driver import TYPES, apply, compiled


@dataclass(frozen=True)
class Reference:
    wide: Callable[..., Any]  # of double arrays, for float
    exact: Callable[..., Any]  # of mpmath numbers, for double


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def _erfcx(x: Any) -> Any:
    return mpmath.exp(x * x) * mpmath.erfc(x)


def _softplus(x: Any) -> Any:
    return mpmath.log1p(mpmath.exp(x))


REFERENCES = {
    "exp": Reference(np.exp, mpmath.exp),
    "exp2": Reference(np.exp2, lambda x: mpmath.mpf(2) ** x),
    "expm1": Reference(np.expm1, mpmath.expm1),
    "sinh": Reference(np.sinh, mpmath.sinh),
    "cosh": Reference(np.cosh, mpmath.cosh),
    "tanh": Reference(np.tanh, mpmath.tanh),
    "sigmoid": Reference(scipy.special.expit, _sigmoid),
    "softplus": Reference(lambda x: -scipy.special.log_expit(-x), _softplus),
    "log_sigmoid": Reference(scipy.special.log_expit, lambda x: -_softplus(-x)),
    "log": Reference(np.log, mpmath.log),
    "log2": Reference(np.log2, lambda x: mpmath.log(x) / mpmath.log(2)),
    "log10": Reference(np.log10, mpmath.log10),
    "log1p": Reference(np.log1p, mpmath.log1p),
    "sin": Reference(np.sin, mpmath.sin),
    "cos": Reference(np.cos, mpmath.cos),
    "tan": Reference(np.tan, mpmath.tan),
    "arcsin": Reference(np.arcsin, mpmath.asin),
    "arccos": Reference(np.arccos, mpmath.acos),
    "arctan": Reference(np.arctan, mpmath.atan),
    "arctan2": Reference(np.arctan2, mpmath.atan2),
    "arcsinh": Reference(np.arcsinh, mpmath.asinh),
    "arccosh": Reference(np.arccosh, mpmath.acosh),
    "arctanh": Reference(np.arctanh, mpmath.atanh),
    "erf": Reference(scipy.special.erf, mpmath.erf),
    "erfc": Reference(scipy.special.erfc, mpmath.erfc),
    "erfcx": Reference(scipy.special.erfcx, _erfcx),
    "ndtr": Reference(scipy.special.ndtr, mpmath.ncdf),
    "gaussian": Reference(lambda x: np.exp(-x * x / 2), lambda x: mpmath.exp(-x * x / 2)),
    "cbrt": Reference(np.cbrt, lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x))),
    "pow": Reference(np.power, mpmath.power),
    "sqrt": Reference(np.sqrt, mpmath.sqrt),
    "rsqrt": Reference(lambda x: 1 / np.sqrt(x), lambda x: 1 / mpmath.sqrt(x)),
    "rint": Reference(np.rint, mpmath.nint),
    "floor": Reference(np.floor, mpmath.floor),
    "ceil": Reference(np.ceil, mpmath.ceil),
    "trunc": Reference(np.trunc, lambda x: mpmath.sign(x) * mpmath.floor(abs(x))),
    "abs": Reference(np.abs, abs),
    "copysign": Reference(np.copysign, lambda x, y: abs(x) if y > 0 else -abs(x)),
}

# The real functions are defined between these alone.
DOMAINS = {
    "log": (0, np.inf),
    "log2": (0, np.inf),
    "log10": (0, np.inf),
    "log1p": (-1, np.inf),
    "arcsin": (-1, 1),
    "arccos": (-1, 1),
    "arctanh": (-1, 1),
    "arccosh": (1, np.inf),
    "erfc": (-1e4, 1e4),  # where mpmath gives up
    "erfcx": (-26, 1e4),
    "ndtr": (-1e4, 1e4),
    "gaussian": (-1e4, 1e4),
    "sqrt": (0, np.inf),
    "rsqrt": (0, np.inf),
}


def floats(step: int) -> Any:
    """Every `step`-th float by its bits, and the special ones."""
    some = np.arange(0, 2**32, step, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return np.concatenate([some, special(np.float32)])


def special(type: Any) -> Any:
    limits = np.finfo(type)
    ends = [0.0, 1.0, limits.eps, limits.tiny, limits.smallest_subnormal, limits.max, np.inf]
    near_one = [1 + limits.eps, 1 - limits.eps / 2, 2.0, 0.5, 3.0, 4.0, 1e10]
    values = np.array([*ends, *near_one, np.nan], type)
    return np.concatenate([values, -values])


def doubles(count: int, seed: int = 0, limit: float = np.inf) -> Any:
    """Random doubles of several scales: where functions bend, where they end, and by their bits."""
    random = np.random.default_rng(seed)
    parts = [
        random.uniform(-1, 1, count),
        random.uniform(-30, 30, count),
        random.uniform(-760, 760, count),
        1 + random.uniform(-0.5, 0.6, count),
        np.exp(random.uniform(-80, 80, count)) * random.choice([-1, 1], count),
        random.integers(0, 2**64, count, dtype=np.uint64).view(np.float64),
        # Next to multiples of pi / 2.
        np.rint(2.0 ** random.uniform(0, 40, count)) * (np.pi / 2),
    ]
    x = np.concatenate(parts)
    return x[np.abs(x) <= limit]


def errors(got: Any, exact: Any) -> Any:
    """In units in the last place: 0.5 for all that is rounded right, infinite for a sign missed.

    Only what is not rounded right is looked at closely: most floats are, and there are many.
    """
    pattern = f"u{got.itemsize}"
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        wrong = np.flatnonzero(got.view(pattern) != rounded.view(pattern))
        error = np.full(got.shape, 0.5, np.float32)
        got, exact, rounded = got[wrong], exact[wrong], rounded[wrong]
        size = np.minimum(np.abs(rounded), 2.0 ** (np.finfo(got.dtype).maxexp - 1))
        some = np.abs(got.astype(exact.dtype) - exact) / np.spacing(size)
    some[got == rounded] = np.inf  # zeros of different signs
    some[~np.isfinite(some)] = np.inf
    some[np.isnan(got) & np.isnan(rounded)] = 0.5
    error[wrong] = some
    return error


def float_errors(name: str, x: Any, y: Any = None) -> Any:
    wide = REFERENCES[name].wide
    with np.errstate(all="ignore"):
        exact = wide(*(a.astype(np.float64) for a in (x, y) if a is not None))
    if name in LIMITS:
        exact = np.where(np.abs(x) <= LIMITS[name], exact, np.nan)
    return errors(apply(name, x, y), exact)


def double_errors(name: str, x: Any, y: Any = None) -> Any:
    """For finite arguments inside the function's domain."""
    got = apply(name, x, y)
    with mpmath.workdps(50):
        both = zip(x.tolist(), y.tolist()) if y is not None else zip(x.tolist())
        exact = [REFERENCES[name].exact(*map(mpmath.mpf, some)) for some in both]
        return np.array([_error(float(g), e) for g, e in zip(got, exact)])


def _error(got: float, exact: Any) -> float:
    rounded = float(exact)
    if np.isinf(rounded) or not np.isfinite(got):
        return 0.0 if rounded == got else np.inf
    unit = np.spacing(min(abs(rounded), 2.0**1023))
    return float(abs(mpmath.mpf(got) - exact) / mpmath.mpf(unit))


def inside(name: str, x: Any) -> Any:
    low, high = DOMAINS.get(name, (-np.inf, np.inf))
    return x[np.isfinite(x) & (x > low) & (x < high)]


def nanoseconds(call: Callable[[], Any], count: int) -> float:
    best = np.inf
    for _ in range(40):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best / count * 1e9


def speed(name: str, type: Any) -> tuple[float, float]:
    """Nanoseconds per element in cache: ours, and NumPy's or SciPy's own."""
    random = np.random.default_rng(0)
    x, y = random.uniform(0.01, 8, 16384).astype(type), random.uniform(-3, 3, 16384).astype(type)
    arguments = (x, y)[: FUNCTIONS[name]]
    out = np.empty_like(x)
    _, loop = compiled(name, TYPES[x.dtype])
    addresses = [a.ctypes.data for a in (x, y, out)]
    with np.errstate(all="ignore"):
        theirs = nanoseconds(lambda: REFERENCES[name].wide(*arguments), x.size)
    return nanoseconds(lambda: loop(*addresses, x.size), x.size), theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(FUNCTIONS))
    parser.add_argument("--step", type=int, default=257, help="every so many-th float")
    parser.add_argument("--points", type=int, default=2000, help="doubles of each scale")
    options = parser.parse_args()
    print("                  float: ulp, ns, NumPy   double: ulp, ns, NumPy")
    for name in options.names:
        worst, block = 0.0, 2**18 * options.step
        two = FUNCTIONS[name] == 2
        for start in range(0, 2**32, block):
            bits = np.arange(start, min(start + block, 2**32), options.step, dtype=np.uint64)
            x = bits.astype(np.uint32).view(np.float32)
            y = np.random.default_rng(start).uniform(-30, 30, x.size).astype(np.float32)
            worst = max(worst, float_errors(name, x, y if two else None).max())
        x = inside(name, doubles(options.points, 1, LIMITS.get(name, np.inf)))
        x = np.abs(x) if two else x
        y = np.random.default_rng(1).uniform(-30, 30, x.size)
        double = double_errors(name, x, y if two else None).max()
        columns = [f"{name:12}"]
        for error, type in ((worst, np.float32), (double, np.float64)):
            ours, theirs = speed(name, type)
            columns.append(f"{error:12.3f}{ours:8.2f}{theirs:8.2f}")
        print("".join(columns), flush=True)


if __name__ == "__main__":
    main()
