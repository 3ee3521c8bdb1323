"""Samples of the Fourier transforms: even and odd lengths, each scale, each end of the axes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradarg._ops import fft
from tests.ops.sample import Sample, complex_values, reversed_values, values


def _fft(x: Any, axes: Any, inverse: bool, norm: Any) -> Any:
    for axis in axes:
        n = x.shape[axis]
        turns = np.outer(np.arange(n), np.arange(n)) / n
        matrix = np.exp((2j if inverse else -2j) * np.pi * turns).astype(np.result_type(x, 1j))
        scale = {"backward": inverse, "forward": not inverse, "ortho": 0.5}[norm]
        matrix = matrix / n**scale
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix, -1, axis)
    return x


def _rfft(x: Any, axis: int, norm: Any) -> Any:
    return np.take(_fft(x, (axis,), False, norm), range(x.shape[axis] // 2 + 1), axis)


def _irfft(x: Any, axis: int, n: int, norm: Any) -> Any:
    x = np.moveaxis(x, axis, -1)
    whole = np.zeros((*x.shape[:-1], n), np.result_type(x, 1j))
    whole[..., : n // 2 + 1] = x
    whole[..., 0] = whole[..., 0].real
    if n % 2 == 0:
        whole[..., n // 2] = whole[..., n // 2].real
    whole[..., n // 2 + 1 :] = np.conj(whole[..., (n - 1) // 2 : 0 : -1])
    return np.moveaxis(_fft(whole, (x.ndim - 1,), True, norm).real, -1, axis)


def samples() -> Iterator[Sample]:
    for note, x, axes, inverse, norm in (
        ("even", complex_values((2, 4)), (1,), False, "backward"),
        ("odd", complex_values((3, 2)), (0,), False, "ortho"),
        ("inverse", complex_values((2, 3)), (1, 0), True, "backward"),
        ("real", values((5,)), (0,), False, "forward"),
        ("reversed", reversed_values((3, 4)), (1,), True, "forward"),
        ("empty", complex_values((0, 3)), (1,), False, "backward"),
        ("one", complex_values((1,)), (0,), False, "backward"),
    ):
        params = {"axes": axes, "inverse": inverse, "norm": norm}
        yield Sample(fft.fft, _fft, (x,), params, note)
    for note, x, axis, norm in (
        ("even", values((2, 4)), 1, "backward"),
        ("odd", values((5, 2)), 0, "ortho"),
        ("two", reversed_values((2, 2)), 1, "forward"),
        ("one", values((1,)), 0, "backward"),
        ("empty", values((0, 3)), 1, "backward"),
    ):
        yield Sample(fft.rfft, _rfft, (x,), {"axis": axis, "norm": norm}, note)
    for note, z, axis, n, norm in (
        ("even", complex_values((2, 3)), 1, 4, "backward"),
        ("odd", complex_values((3, 2)), 0, 5, "ortho"),
        ("two", complex_values((2,)), 0, 2, "forward"),
        ("one", complex_values((1,)), 0, 1, "backward"),
        ("empty", complex_values((0, 3)), 1, 4, "backward"),
    ):
        yield Sample(fft.irfft, _irfft, (z,), {"axis": axis, "n": n, "norm": norm}, note)
