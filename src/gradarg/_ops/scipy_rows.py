"""How a row of the tables names a function of SciPy, which is loaded when one is first used.

SciPy is optional. A row states the derivative, `g * df/dx_i` for each argument as in the
elementwise table; the value is SciPy's own. Where no derivative is known, the row says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial, wraps
from typing import Any, NoReturn

import numpy as np

from .._core.errors import DerivativeError
from .._core.primitive import Primitive, aligned, elementwise, elementwise_shape, general
from .._core.trace import ShapeDtype
from .elementwise import product

Rule = Callable[..., Any]


@cache
def scipy_special() -> Any:
    """The module `scipy.special`."""
    try:
        import scipy.special
    except ImportError as error:
        raise ImportError(
            "ga.special takes the values of its functions from SciPy, which is not installed. "
            "Install it: pip install gradarg[special]."
        ) from error
    return scipy.special


def scipy_function(name: str) -> Rule:
    """A function of `scipy.special`, loaded at the first call."""

    def function(*args: Any) -> Any:
        out = getattr(scipy_special(), name)(*args)
        return (
            tuple(_narrow(o, args) for o in out) if out.__class__ is tuple else _narrow(out, args)
        )

    function.__name__ = function.__qualname__ = name
    return function


def scipy_in_double(name: str) -> Rule:
    """A function that in single precision does not return (spheroidal), or warns (binomial)."""
    function = scipy_function(name)

    def wide(*args: Any) -> Any:
        doubled = [
            a.astype(float) if hasattr(a, "dtype") and a.dtype.kind == "f" else a for a in args
        ]
        out = function(*doubled)
        return (
            tuple(_narrow(o, args) for o in out) if out.__class__ is tuple else _narrow(out, args)
        )

    return wide


def _narrow(out: Any, args: Sequence[Any]) -> Any:
    """In single precision where all arguments are: SciPy leaves it beside a whole number."""
    if out.dtype.itemsize < (16 if out.dtype.kind == "c" else 8):
        return out
    given = [a.dtype for a in args if hasattr(a, "dtype")]
    if not given or any(d.kind not in "fc" or d.itemsize > (4, 8)[d.kind == "c"] for d in given):
        return out
    return out.astype(np.complex64 if out.dtype.kind == "c" else np.float32)


def row(name: str, *rules: Rule | str | None) -> Primitive:
    """An elementwise function of SciPy. A rule that is text is the reason why there is none."""
    impl = scipy_function(name)
    shape = partial(_shape, name, impl) if len(rules) == 1 else None
    return of(name, impl, *rules, shape=shape)


def _shape(name: str, impl: Rule, x: Any) -> ShapeDtype:
    """A float stays as it is; to see that, SciPy need not be loaded, which takes 0.1 s."""
    stays = x.dtype in (np.float32, np.float64) and name != "wofz"
    return elementwise_shape(name, np.positive if stays else impl, x)


def of(name: str, impl: Rule, *rules: Rule | str | None, shape: Rule | None = None) -> Primitive:
    """An elementwise function of our own, with rules as in `row`."""
    given = [
        without(name, i, rule) if isinstance(rule, str) else rule for i, rule in enumerate(rules)
    ]
    return elementwise(name, impl, *given, shape=shape)


def without(name: str, position: int, why: str) -> Rule:
    """The rule of an argument in which no derivative is known: it says so."""

    def rule(_g: Any, _out: Any, *_args: Any, **_params: Any) -> NoReturn:
        raise DerivativeError(
            f"{name} has no derivative with respect to its argument {position + 1}: {why}. Pass "
            "that argument as a number or an array, or as ga.stop_gradient(v) where it is constant."
        )

    rule.reads_nothing = True  # type: ignore[attr-defined]
    return rule


def several(name: str, impl: Rule, *slopes: Rule | str) -> Primitive:
    """A function with several outputs. `slopes[i](out, *args)`: the derivatives of each in x_i."""
    of_args = [
        without(name, i, slope) if isinstance(slope, str) else slope
        for i, slope in enumerate(slopes)
    ]

    def parts(i: int, out: Any, args: Any, params: dict[str, Any]) -> Any:
        if isinstance(slopes[i], str):
            of_args[i](None, out)
        return of_args[i](out, *args, **params)

    def vjp(i: int, g: Any, out: Any, *args: Any, **params: Any) -> Any:
        terms = [product(gk, d) for gk, d in zip(g, parts(i, out, args, params))]
        return sum(terms[1:], start=terms[0])

    def jvp(tangents: Sequence[Any], out: Any, *args: Any, **params: Any) -> Any:
        total: list[Any] = [None] * len(out)
        for i, t in enumerate(tangents):
            if t is not None:
                for k, d in enumerate(parts(i, out, args, params)):
                    total[k] = t * d if total[k] is None else total[k] + t * d
        return tuple(total)

    def shape(*args: Any, **params: Any) -> Any:
        common = np.broadcast_shapes(*(a.shape for a in args if isinstance(a, ShapeDtype)))
        ones = [np.ones((), a.dtype) if isinstance(a, ShapeDtype) else a for a in args]
        with np.errstate(all="ignore"):
            outs = impl(*ones, **params)
        return tuple(ShapeDtype(common, np.asarray(o).dtype) for o in outs)

    return general(
        name,
        impl,
        vjp=[partial(vjp, i) for i in range(len(slopes))],
        jvp=jvp,
        batch=aligned,
        shape=shape,
        multi=True,
    )


def in_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compute in float64, whatever the arguments, and return in their dtype; of numbers double."""

    @wraps(function)
    def wrapped(*args: Any, **params: Any) -> Any:
        narrow = np.float32 if any(hasattr(a, "dtype") for a in args) else np.float64
        dtype = np.result_type(narrow, *args)
        wide = np.result_type(np.float64, dtype)
        with np.errstate(all="ignore"):
            out = function(*np.broadcast_arrays(*(np.asarray(a, wide) for a in args)), **params)
        return np.asarray(out, dtype)[()]

    return wrapped
