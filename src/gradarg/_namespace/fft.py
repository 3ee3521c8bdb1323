"""`ga.fft`: discrete Fourier transforms, under NumPy's names.

All are linear: the derivative of a transform is the transform itself. Lengths `n` and `s` cut the
input or pad it with zeros. `norm` says which way carries the scale 1/n: "backward" (the inverse),
"forward", or "ortho", by which each way has 1/sqrt(n). float32 gives complex64.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.tape import EAGER
from .._core.trace import Box, bind, box
from .._ops import elementwise, structure
from .._ops import fft as ops
from .arguments import array, axes_of, axis_of
from .manipulation import copy, roll

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]

Lengths = Sequence[int] | None


# ---- arguments


def _norm(name: str, norm: str | None) -> str:
    norm = "backward" if norm is None else norm
    if norm not in ops.OPPOSITE:
        raise ValueError(f"{name}: norm={norm!r} is not one of 'backward', 'ortho', 'forward'.")
    return norm


def _length(name: str, n: Any) -> int:
    length = operator.index(n)
    if length < 1:
        raise ShapeError(f"{name}: a transform needs at least one point, not {length}.")
    return length


def _fitted(x: Any, lengths: dict[int, int]) -> Any:
    """x cut to the lengths of some axes, or padded with zeros."""
    index = tuple(slice(min(lengths.get(i, n), n)) for i, n in enumerate(x.shape))
    widths = tuple((0, max(lengths.get(i, n) - n, 0)) for i, n in enumerate(x.shape))
    if any(s.stop != n for s, n in zip(index, x.shape)):
        x = bind(structure.getitem, (x,), {"index": index})
    return bind(structure.pad, (x,), {"widths": widths}) if any(w for _, w in widths) else x


def _one(name: str, a: Any, n: int | None, axis: int) -> tuple[Any, int, int]:
    """The array, the axis and the length of a transform along one axis."""
    a = array(a)
    axis = axis_of(axis, a.ndim, name)
    return a, axis, _length(name, a.shape[axis] if n is None else n)


def _many(name: str, a: Any, s: Lengths, axes: Any) -> tuple[Any, tuple[int, ...], list[int]]:
    """The array, the axes and their lengths; a length of -1 is that of the array."""
    a = array(a)
    if axes is None:
        axes = range(a.ndim) if s is None else range(-len(s), 0)
    places = tuple(axis_of(i, a.ndim, name) for i in axes)
    if s is None:
        return a, places, [a.shape[i] for i in places]
    if len(s) != len(places):
        raise ShapeError(f"{name}: s={tuple(s)} and axes={places} differ in length.")
    return a, places, [a.shape[i] if n == -1 else operator.index(n) for n, i in zip(s, places)]


def _complex(name: str, a: Any, n: int | None, axis: int, norm: Any, inverse: bool) -> Any:
    a, axis, n = _one(name, a, n, axis)
    params = {"axes": (axis,), "inverse": inverse, "norm": _norm(name, norm)}
    return bind(ops.fft, (_fitted(a, {axis: n}),), params)


def _complex_many(name: str, a: Any, s: Lengths, axes: Any, norm: Any, inverse: bool) -> Any:
    a, places, lengths = _many(name, a, s, axes)
    norm = _norm(name, norm)
    if len(set(places)) < len(places):  # an axis named twice is transformed twice
        for axis, n in zip(reversed(places), reversed(lengths)):
            a = _complex(name, a, n, axis, norm, inverse)
        return a
    a = _fitted(a, {i: _length(name, n) for i, n in zip(places, lengths)})
    return bind(ops.fft, (a,), {"axes": places, "inverse": inverse, "norm": norm})


# ---- complex transforms


def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The Fourier transform along an axis: out[k] = sum(a[j] * exp(-2 pi i j k / n)).

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda x: np.abs(np.fft.fft(x)[1]))(np.array([1.0, 0.0, 0.0, 0.0]))
    array([ 1.,  0., -1.,  0.])
    """
    return _complex("fft", a, n, axis, norm, False)


def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `fft`: out[j] = sum(a[k] * exp(2 pi i j k / n)) / n."""
    return _complex("ifft", a, n, axis, norm, True)


def fftn(a: Any, s: Lengths = None, axes: Any = None, norm: str | None = None) -> Any:
    """`fft` over several axes, all by default."""
    return _complex_many("fftn", a, s, axes, norm, False)


def ifftn(a: Any, s: Lengths = None, axes: Any = None, norm: str | None = None) -> Any:
    """`ifft` over several axes, all by default."""
    return _complex_many("ifftn", a, s, axes, norm, True)


def fft2(a: Any, s: Lengths = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """`fft` over two axes, the last by default."""
    return _complex_many("fft2", a, s, axes, norm, False)


def ifft2(a: Any, s: Lengths = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """`ifft` over two axes, the last by default."""
    return _complex_many("ifft2", a, s, axes, norm, True)


# ---- real transforms


def _rfft(name: str, a: Any, n: int | None, axis: int, norm: Any) -> Any:
    a, axis, n = _one(name, a, n, axis)
    if a.dtype.kind == "c":
        raise TypeError(f"{name} takes real numbers, but got {a.dtype}; use fft.")
    return bind(ops.rfft, (_fitted(a, {axis: n}),), {"axis": axis, "norm": _norm(name, norm)})


def _irfft(name: str, a: Any, n: int | None, axis: int, norm: Any) -> Any:
    a = array(a)
    axis = axis_of(axis, a.ndim, name)
    n = _length(name, 2 * (a.shape[axis] - 1) if n is None else n)
    params = {"axis": axis, "n": n, "norm": _norm(name, norm)}
    return bind(ops.irfft, (_fitted(a, {axis: n // 2 + 1}),), params)


def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """`fft` of real numbers: the first n // 2 + 1 elements; the others are conjugates of these.

    >>> import gradarg as ga, numpy as np
    >>> power = lambda x: np.sum(np.abs(np.fft.rfft(x, norm="ortho"))**2)
    >>> ga.grad(power)(np.array([1.0, 1.0]))
    array([2., 2.])
    """
    return _rfft("rfft", a, n, axis, norm)


def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `rfft`, of n real elements; by default of 2 * (a.shape[axis] - 1).

    The imaginary part of the first element is ignored, and for even n that of the last, so their
    derivative is 0.
    """
    return _irfft("irfft", a, n, axis, norm)


def rfftn(a: Any, s: Lengths = None, axes: Any = None, norm: str | None = None) -> Any:
    """`rfft` over the last of several axes, then `fft` over the others."""
    return _rfftn("rfftn", a, s, axes, norm)


def irfftn(a: Any, s: Lengths = None, axes: Any = None, norm: str | None = None) -> Any:
    """The inverse of `rfftn`. `s` gives the lengths of the result."""
    return _irfftn("irfftn", a, s, axes, norm)


def rfft2(a: Any, s: Lengths = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """`rfftn` over two axes, the last by default."""
    return _rfftn("rfft2", a, s, axes, norm)


def irfft2(a: Any, s: Lengths = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """`irfftn` over two axes, the last by default."""
    return _irfftn("irfft2", a, s, axes, norm)


def _rfftn(name: str, a: Any, s: Lengths, axes: Any, norm: Any) -> Any:
    a, places, lengths = _many(name, a, s, axes)
    if not places:
        raise ShapeError(f"{name} needs at least one axis.")
    a = _rfft(name, a, lengths[-1], places[-1], norm)
    rest = places[:-1]
    return _complex_many(name, a, lengths[:-1], rest, norm, False) if rest else a


def _irfftn(name: str, a: Any, s: Lengths, axes: Any, norm: Any) -> Any:
    a, places, lengths = _many(name, a, s, axes)
    if not places:
        raise ShapeError(f"{name} needs at least one axis.")
    last = lengths[-1] if s is not None and s[-1] != -1 else None
    if len(places) > 1:
        a = _complex_many(name, a, lengths[:-1], places[:-1], norm, True)
    return _irfft(name, a, last, places[-1], norm)


def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The real transform of a signal whose second half is the conjugate of its first.

    n is the length of the result, by default 2 * (a.shape[axis] - 1).
    """
    back = ops.OPPOSITE[_norm("hfft", norm)]
    return _irfft("hfft", bind(elementwise.conjugate, (array(a),)), n, axis, back)


def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `hfft`: n // 2 + 1 elements."""
    out = _rfft("ihfft", a, n, axis, ops.OPPOSITE[_norm("ihfft", norm)])
    return bind(elementwise.conjugate, (out,))


# ---- the order of the elements, and their frequencies


def fftshift(x: Any, axes: Any = None) -> Any:
    """x with the element of frequency zero moved to the middle of each axis."""
    x = array(x)
    places = _shifted_axes("fftshift", x, axes)
    return _rolled(x, [x.shape[i] // 2 for i in places], places)


def ifftshift(x: Any, axes: Any = None) -> Any:
    """The inverse of `fftshift`."""
    x = array(x)
    places = _shifted_axes("ifftshift", x, axes)
    return _rolled(x, [-(x.shape[i] // 2) for i in places], places)


def _rolled(x: Any, shifts: list[int], places: tuple[int, ...]) -> Any:
    out = roll(x, shifts, places)
    return copy(x) if out is x else out


def _shifted_axes(name: str, x: Any, axes: Any) -> tuple[int, ...]:
    if isinstance(axes, Sequence):
        return tuple(axis_of(i, x.ndim, name) for i in axes)
    return axes_of(axes, x.ndim, name)


def fftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """The frequencies of `fft`'s elements, for samples that lie d apart: a tensor.

    >>> import gradarg as ga
    >>> ga.fft.fftfreq(4, d=0.5)
    Tensor([ 0. ,  0.5, -1. , -0.5])
    """
    return _frequencies(np.fft.fftfreq, n, d, dtype)


def rfftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """The frequencies of `rfft`'s elements, for samples that lie d apart: a tensor."""
    return _frequencies(np.fft.rfftfreq, n, d, dtype)


def _frequencies(function: Any, n: int, d: Any, dtype: Any) -> Any:
    cycles = function(_length(function.__name__, n)).astype(float if dtype is None else dtype)
    if isinstance(d, Box):
        return bind(elementwise.divide, (cycles, d))
    cycles = cycles / d
    cycles.flags.writeable = False
    return box(cycles, EAGER, None)
