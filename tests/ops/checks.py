"""What the tests compare with: differences, inner products, and equality of values and types."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradarg._core.trace import ShapeDtype, shape_dtype

STEP = 1e-3


def leaves(result: Any) -> list[Any]:
    """One result or several, nested ones too, as a list."""
    if not isinstance(result, (tuple, list)):
        return [result]
    return [leaf for item in result for leaf in leaves(item)]


def types_of(result: Any) -> list[ShapeDtype]:
    return [shape_dtype(x) for x in leaves(result)]


def same(found: Any, expected: Any, rtol: float = 0, atol: float = 0) -> None:
    """Equal values, shapes and dtypes."""
    assert types_of(found) == types_of(expected)
    for a, b in zip(leaves(found), leaves(expected)):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def close(found: Any, expected: Any, tolerance: float = 1e-7) -> None:
    """Equal values up to a tolerance, and equal shapes."""
    assert [x.shape for x in leaves(found)] == [x.shape for x in leaves(expected)]
    for a, b in zip(leaves(found), leaves(expected)):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def direction(values: Any, random: np.random.Generator) -> Any:
    """Random tangents or cotangents of values, in their form; zeros for integers."""
    if isinstance(values, (tuple, list)):
        return tuple(direction(v, random) for v in values)
    noise = random.uniform(0.5, 1.5, values.shape) * random.choice([-1, 1], values.shape)
    if values.dtype.kind == "c":
        noise = noise * (1 + 1j * random.uniform(0.5, 1.5, values.shape))
    return np.asarray(noise * (values.dtype.kind in "fc")).astype(values.dtype)[()]


def inner(x: Any, y: Any) -> Any:
    """The inner product of real vector spaces; a complex number counts as two."""
    pairs = zip(leaves(x), leaves(y))
    return np.asarray(sum(np.sum(np.real(np.conj(a) * b)) for a, b in pairs))


def difference(f: Callable[..., Any], xs: Sequence[Any], along: Sequence[Any]) -> list[Any]:
    """The derivative of f along a direction, by central differences of the fourth order."""

    def at(k: int) -> list[Any]:
        return leaves(f(*(x + k * STEP * d for x, d in zip(xs, along))))

    steps = zip(at(1), at(-1), at(2), at(-2))
    return [np.asarray(8 * (a - b) - (c - d)) / (12 * STEP) for a, b, c, d in steps]


def narrowed(values: Sequence[Any]) -> list[Any]:
    """Floats and complex numbers in single precision, all else as it is."""
    narrow = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
    return [x.astype(narrow.get(x.dtype, x.dtype)) if hasattr(x, "dtype") else x for x in values]
