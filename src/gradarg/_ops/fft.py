"""Fourier transforms, all linear. Axes are non-negative; `norm` is NumPy's word for the scale.

The matrix of the complex transform is symmetric: it is its own plain transpose. The real transforms
hold half of a spectrum whose other half is its conjugate; `rfft` and `irfft` are each other's
transpose up to the bins that stand for two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.primitive import Primitive, linear, probe
from .._core.trace import ShapeDtype
from .structure import Axes, shifted

# the inverse transform with the same scale: what one way divides by, the other divides by too
OPPOSITE = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _fft_impl(x: Any, axes: Axes, inverse: bool, norm: Any) -> Any:
    return (np.fft.ifftn if inverse else np.fft.fftn)(x, axes=axes, norm=norm)


def _rfft_impl(x: Any, axis: int, norm: Any) -> Any:
    return np.fft.rfft(x, axis=axis, norm=norm)


def _irfft_impl(x: Any, axis: int, n: int, norm: Any) -> Any:
    return np.fft.irfft(x, n, axis, norm)


def _multiplicity(g: Any, axis: int, n: int) -> Any:
    """How many bins of the whole spectrum each bin of half of it stands for."""
    half = n // 2 + 1
    twice = np.full((half,) + (1,) * (g.ndim - axis - 1), 2, np.empty(0, g.dtype).real.dtype)
    twice[0] = 1
    if n % 2 == 0:
        twice[-1] = 1
    return twice


def _rfft_transpose(g: Any, x: Any, axis: int, norm: Any) -> Any:
    n = x.shape[axis]
    half = np.conjugate(g) / _multiplicity(g, axis, n)
    return irfft(half, axis=axis, n=n, norm=OPPOSITE[norm])


def _irfft_transpose(g: Any, _x: Any, axis: int, n: int, norm: Any) -> Any:
    half = np.conjugate(rfft(g, axis=axis, norm=OPPOSITE[norm]))
    return half * _multiplicity(g, axis, n)


def _resized(x: Any, axis: int, n: int) -> tuple[int, ...]:
    shape: tuple[int, ...] = x.shape
    return (*shape[:axis], n, *shape[axis + 1 :])


def _batch_along(p: Primitive, _n: int, _m: Any, args: Any, k: dict[str, Any]) -> Any:
    return p(args[0], **{**k, "axis": k["axis"] + 1})


fft: Primitive = linear(
    "fft",
    _fft_impl,
    lambda g, _x, **k: fft(g, **k),
    batch=lambda p, n, m, args, k: p(args[0], **{**k, "axes": shifted(k["axes"])}),
    shape=lambda x, **k: ShapeDtype(x.shape, probe(_fft_impl, x, **k)),
)

rfft: Primitive = linear(
    "rfft",
    _rfft_impl,
    _rfft_transpose,
    batch=_batch_along,
    shape=lambda x, axis, norm: ShapeDtype(
        _resized(x, axis, x.shape[axis] // 2 + 1), probe(_rfft_impl, x, axis=axis, norm=norm)
    ),
)

irfft: Primitive = linear(
    "irfft",
    _irfft_impl,
    _irfft_transpose,
    batch=_batch_along,
    shape=lambda x, axis, n, norm: ShapeDtype(
        _resized(x, axis, n), probe(_irfft_impl, x, axis=axis, n=n, norm=norm)
    ),
)
