"""gradarg beside array-api-strict, the standard's minimal implementation: one call, two answers."""

import functools
import inspect
import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import array_api_strict as strict
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gradarg as ga

REAL, COMPLEX = ("float32", "float64"), ("complex64", "complex128")
SIGNED, UNSIGNED = ("int8", "int16", "int32", "int64"), ("uint8", "uint16", "uint32", "uint64")
INTEGER, FLOATING = SIGNED + UNSIGNED, REAL + COMPLEX
ANY = ("bool", *INTEGER, *FLOATING)

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def names(namespace: Any = strict) -> Iterator[str]:
    """The public functions of the standard, in a namespace of array-api-strict."""
    for name in namespace.__all__:
        value = getattr(namespace, name)
        if inspect.isfunction(value) and name[0] != "_" and "strict_flags" not in name:
            yield name


def arrays(dtypes: Any = ANY, shape: Any = shapes, **options: Any) -> st.SearchStrategy[Any]:
    """NumPy arrays, with all the special values that their dtype has."""
    return st.sampled_from(dtypes).flatmap(lambda d: hnp.arrays(d, shape, **options))


@st.composite
def broadcastable(draw: Any, count: int, dtypes: Any = ANY, mixed: bool = True) -> list[Any]:
    given = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=3, min_side=0, max_side=3)
    )
    kinds = [draw(st.sampled_from(dtypes))] * count
    if mixed:
        kinds = [draw(st.sampled_from(dtypes)) for _ in range(count)]
    return [draw(hnp.arrays(d, s)) for d, s in zip(kinds, given.input_shapes)]


@functools.cache
def allowed(name: str, count: int) -> list[tuple[str, ...]]:
    """The dtypes of `count` arguments that the standard lets a function take together."""

    def takes(kinds: tuple[str, ...]) -> bool:
        try:
            getattr(strict, name)(*(strict.ones(1, dtype=getattr(strict, k)) for k in kinds))
        except TypeError:
            return False
        return True

    with np.errstate(all="ignore"):
        return list(filter(takes, itertools.product(ANY, repeat=count)))


@st.composite
def operands(draw: Any, name: str, count: int) -> list[Any]:
    """Arrays that broadcast together, of dtypes that a function takes."""
    kinds = draw(st.sampled_from(allowed(name, count)))
    given = hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=3, min_side=0, max_side=3)
    return [draw(hnp.arrays(d, s)) for d, s in zip(kinds, draw(given).input_shapes)]


def to(namespace: Any, value: Any) -> Any:
    """Arguments for one of the two: arrays and dtypes are made its own."""
    if isinstance(value, np.ndarray):
        return namespace.asarray(value.copy())  # array-api-strict shares memory
    if isinstance(value, np.dtype):
        return getattr(namespace, value.name)
    if type(value) in (list, tuple):
        return type(value)(to(namespace, v) for v in value)
    return value


def back(result: Any) -> Any:
    """A result with NumPy's arrays and dtypes."""
    if isinstance(result, ga.Tensor):
        return result.value
    if isinstance(result, strict.asarray(0).__class__):
        return np.asarray(result._array)
    if type(result).__module__.startswith("array_api_strict") and hasattr(result, "_np_dtype"):
        return result._np_dtype
    if isinstance(result, tuple):
        return tuple(back(r) for r in result)
    return result


def agree(found: Any, expected: Any, note: str) -> None:
    """The same dtypes, shapes and values, up to rounding; NaN, infinities and -0 too."""
    if isinstance(expected, tuple):
        assert isinstance(found, tuple) and len(found) == len(expected), note
        assert getattr(found, "_fields", None) == getattr(expected, "_fields", None), note
        for f, e in zip(found, expected):
            agree(f, e, note)
    elif isinstance(expected, np.ndarray):
        assert isinstance(found, np.ndarray), (note, found)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), note
        rtol = {"f": 1e-5, "c": 1e-5}.get(expected.dtype.kind, 0)
        if expected.dtype.itemsize == {"f": 8, "c": 16}.get(expected.dtype.kind):
            rtol = 1e-11
        if expected.dtype.kind == "c":  # how NumPy computes what overflows depends on the size
            finite = np.isfinite(expected)
            assert not np.isfinite(found[~finite]).any(), note
            found, expected = found[finite], expected[finite]
        # sums of numbers that cancel are right to the size of the terms alone
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol, err_msg=note)
        for part in (np.real, np.imag) if expected.dtype.kind == "c" else (np.asarray,):
            f, e = part(found), part(expected)
            if expected.dtype.kind in "fc":
                zero = (f == 0) & (e == 0)
                assert np.array_equal(np.signbit(f)[zero], np.signbit(e)[zero]), note
    else:
        assert found == expected, note


def compare(name: str, *args: Any, **options: Any) -> bool:
    """Call a function of both; where the standard allows the call, the answers are the same.

    Whether it does is returned.
    """
    note = f"{name}{args}{options}"
    function, other = ga, strict
    for part in name.split("."):
        function, other = getattr(function, part), getattr(other, part)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = other(*to(strict, args), **{k: to(strict, v) for k, v in options.items()})
        except (TypeError, ValueError, IndexError, OverflowError):
            return False  # not allowed by the standard, or left open: gradarg may do as NumPy does
        found = function(*to(ga, args), **{k: to(ga, v) for k, v in options.items()})
    found, expected = back(found), back(expected)
    zero = name == "sign" and expected.dtype.kind == "c"
    if zero or (options.get("include_initial") and expected.dtype.kind in "fc"):
        found, expected = found + 0, expected + 0  # -0 is 0: NumPy's sign of -0j, a sum from 0
    agree(found, expected, note)
    return True
