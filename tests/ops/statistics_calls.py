"""Calls of reductions under masks, statistics, calculus and polynomials."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.ops.call import Call, flat, smooth
from tests.ops.sample import POSITIVE, TRUTH, complex_values, values

S, V, M, C = values(()), values((5,)), values((3, 4)), values((2, 3, 4))
W = values((4,), POSITIVE)
Z = complex_values((3, 4))
MASK, ROW = values((3, 4), TRUTH), np.array([True, False, True, True])
HOLES = np.where(values((3, 4), TRUTH), M, np.nan)
HOLES[:, 1] = M[:, 1]
HOLES[1] = M[1]


def _masked() -> Iterator[Call]:
    for name in ("sum", "prod", "mean", "var", "std", "max", "min"):
        first = {"initial": -0.4} if name in ("max", "min") else {}
        yield smooth(name, M, axis=1, where=ROW, **first)
        yield smooth(name, C, axis=(0, 2), where=ROW, keepdims=True, **first)
        yield smooth(name, M, where=MASK, **first)
    for name in ("sum", "prod"):
        yield smooth(name, M, 1, initial=2.5)
        yield smooth(name, M, 0, initial=1.5, where=MASK, keepdims=True)
        yield flat(
            name, np.array([[3, 1, 2]], np.int8), axis=1, initial=2, where=[True, False, True]
        )
        yield smooth(name, np.zeros((0, 3)), 0, initial=2.5)
        yield flat(name, MASK, where=ROW)
        yield flat(name, Z, axis=0, where=ROW)
    for name in ("max", "min"):
        yield smooth(name, M, 1, initial=0.05)
        yield flat(name, np.array([3, 1, 2]), initial=2, where=[False, True, True])
        yield smooth("a" + name, M, axis=0, keepdims=True)
        yield smooth(name, np.zeros((3, 0)), 1, initial=2.5)
    yield flat("max", MASK, axis=0, initial=False, where=ROW)
    for name in ("var", "std"):
        yield smooth(name, M, axis=1, where=ROW, ddof=1)
        yield smooth(name, M, axis=0, where=MASK[:1] | True, mean=M.mean(0, keepdims=True))
        yield flat(name, Z, axis=0, where=MASK[:, :1] | True)
    for name in ("all", "any"):
        yield flat(name, MASK, where=ROW, axis=1)
        yield flat(name, M > 0, where=MASK, axis=(0, 1), keepdims=True)
    for name, running in (("cumulative_sum", np.cumsum), ("cumulative_prod", np.cumprod)):
        first = 0 if name == "cumulative_sum" else 1

        def reference(
            x: Any, axis: int = 0, dtype: Any = None, include_initial: bool = False,
            running: Any = running, first: Any = first,
        ) -> Any:  # fmt: skip
            out = running(x, axis, dtype)
            start = np.full_like(out.take([0], axis), first)
            return np.concatenate([start, out], axis) if include_initial else out

        for x, options in (
            (V, {}),
            (C, {"axis": 1}),
            (C, {"axis": -1, "include_initial": True}),
            (V, {"include_initial": True}),
        ):
            yield Call(name, (x,), options, reference=reference)
        options = {"axis": 0, "include_initial": True}
        yield Call(name, (MASK,), options, smooth=False, reference=reference)


def _with_holes() -> Iterator[Call]:
    for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin"):
        for options in ({}, {"axis": 1}, {"axis": (0, 1), "keepdims": True}, {"axis": -2}):
            yield flat(name, HOLES, **options)
            yield smooth(name, M, **options)
        first = {"initial": -0.4} if name in ("nanmax", "nanmin") else {}
        yield flat(name, HOLES, axis=0, where=MASK | (ROW & (HOLES == HOLES)), **first)
        yield smooth(name, M, axis=1, where=ROW, **first)
        yield flat(name, np.arange(6).reshape(2, 3), axis=1)
    for name in ("nanvar", "nanstd"):
        yield flat(name, HOLES, axis=1, ddof=1)
        yield smooth(name, M, axis=1, ddof=2)
    yield flat("nansum", HOLES + 1j, axis=0)
    for name in ("nanargmax", "nanargmin"):
        for options in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}):
            yield flat(name, HOLES, **options)
        yield flat(name, np.array([3, 1, 2]))
    for name in ("nancumsum", "nancumprod"):
        yield flat(name, HOLES, axis=1)
        yield smooth(name, M, axis=0)
        yield smooth(name, M)
    for name in ("median", "nanmedian"):
        for options in ({}, {"axis": 1}, {"axis": (0, 2)}, {"axis": -2, "keepdims": True}):
            yield smooth(name, C, **options)
        yield smooth(name, V)
        yield flat(name, HOLES, axis=1)
        yield flat(name, np.array([[3, 1, 2], [5, 2, 4]]), axis=0)
        yield flat(name, Z, axis=1)  # in the order of the real parts
    yield smooth("nan_to_num", M)
    yield smooth("nan_to_num", M, nan=2.0)
    yield flat("nan_to_num", np.array([1.0, np.nan, np.inf, -np.inf]), nan=7.0, posinf=8.0)
    yield flat("nan_to_num", np.array([1.0, np.nan, np.inf, -np.inf]), True, 7.0, None, -9.0)
    yield flat("nan_to_num", np.array([1, 2]))


METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]


def _quantiles() -> Iterator[Call]:
    q = np.array([0.31, 0.87])
    for method in METHODS:
        yield smooth("quantile", C, q, axis=1, method=method)
        yield flat("nanquantile", HOLES, 0.31, axis=1, method=method)
        yield flat("quantile", np.arange(7.0), np.linspace(0, 1, 29), method=method)
    for name, unit in (("quantile", 1), ("percentile", 100)):
        for prefix in ("", "nan"):
            yield smooth(prefix + name, M, 0.3 * unit)
            yield smooth(prefix + name, M, unit * q, axis=(0, 1), keepdims=True)
            yield smooth(prefix + name, C, unit * q, axis=(0, -1), keepdims=True)
            yield smooth(prefix + name, M.T[::-1], np.float64(0.63 * unit), axis=0)
            yield flat(prefix + name, HOLES, [0, 0.2 * unit, unit], axis=1)
            yield flat(prefix + name, HOLES, 0.4 * unit)
            yield flat(prefix + name, np.array([[3, 1, 2], [5, 2, 4]]), 0.4 * unit, axis=1)
            yield flat(prefix + name, np.array([3, 1, 2]), [0, unit])
    weights = {"method": "inverted_cdf", "weights": W}
    yield smooth("quantile", M, q, axis=1, **weights)
    yield smooth("quantile", W, 0.41, **weights)
    yield smooth("percentile", M, 41.0, axis=0, method="inverted_cdf", weights=M * M)
    yield flat("quantile", M, [0.1, 0.5, 1.0], axis=1, method="inverted_cdf", weights=[0, 1, 0, 2])
    yield flat("nanquantile", HOLES, q, axis=1, method="inverted_cdf", weights=M * M)


def _moments() -> Iterator[Call]:
    yield smooth("average", M)
    yield smooth("average", M, 1, W)
    yield smooth("average", M, axis=0, weights=M * M, keepdims=True)
    yield smooth("average", M, weights=M * M, returned=True)
    yield smooth("average", M, 0, returned=True)
    yield flat("average", np.array([1, 2, 4]), weights=np.array([1, 0, 2]), returned=True)
    for x in (M, V, values((3, 1)) * np.ones(5) + values((3, 5))):
        yield smooth("cov", x)
        yield smooth("corrcoef", x) if x.ndim == 2 else flat("corrcoef", x)
    yield smooth("cov", M, values((2, 4)))
    yield smooth("cov", values((4,)), values((4,)), bias=True)
    yield smooth("cov", M, rowvar=False)
    yield smooth("cov", M, values((3, 2)), False, ddof=0)
    yield smooth("cov", M, fweights=np.array([1, 2, 0, 3]), ddof=2)
    yield smooth("cov", M, aweights=W)
    yield smooth("cov", M, aweights=W, fweights=np.array([1, 2, 1, 3]), bias=True)
    yield flat("cov", Z)
    yield flat("cov", np.arange(12).reshape(3, 4) ** 2)
    yield smooth("corrcoef", M, values((2, 4)))
    yield smooth("corrcoef", values((6,)), values((6,)))
    yield smooth("corrcoef", values((6, 2)), rowvar=False)
    yield flat("corrcoef", Z)


def _counts() -> Iterator[Call]:
    index = np.array([3, 0, 1, 3, 3])
    yield flat("bincount", index)
    yield smooth("bincount", index, V)
    yield smooth("bincount", index, V, minlength=7)
    yield flat("bincount", np.zeros(0, int), minlength=2)
    edges = np.array([-2.0, -0.5, 0.1, 0.7])
    for options in ({}, {"bins": 4}, {"bins": 3, "range": (-1.0, 1.5)}, {"bins": edges}):
        yield smooth("histogram", M, **options)
        yield smooth("histogram", V, weights=V * V, **options)
        yield smooth("histogram", M, density=True, **options)
    yield smooth("histogram", M, weights=M * M, density=True)
    yield flat("histogram", M, bins="auto")
    yield flat("histogram", np.array([1, 2, 2, 5]), 3)
    yield flat("histogram", np.array([2.0, 2.0]), 2)
    yield flat("histogram", np.zeros(0), 2)
    yield flat("histogram", np.array([0.0, 1, 2, 3, 3]), [0, 1, 3])
    yield smooth("histogram_bin_edges", M)
    yield smooth("histogram_bin_edges", M, 3, (0.0, 1.0))
    x, y = np.sin(np.arange(5, 11)), np.cos(np.arange(6) * 1.7)
    yield smooth("histogram2d", x, y)
    yield smooth("histogram2d", x, y, 3, weights=values((6,)), density=True)
    yield smooth("histogram2d", x, y, [2, edges], [[-1.0, 1.0], None])
    yield smooth("histogram2d", x, y, edges)
    sample = values((6, 3))
    yield smooth("histogramdd", sample + 0.05 * sample**2, 2)
    yield smooth("histogramdd", values((6, 2)), (3, 2), weights=values((6,)))
    yield smooth("histogramdd", values((6, 2)), [edges, 2], density=True)


def _calculus() -> Iterator[Call]:
    for options in ({}, {"n": 2}, {"axis": 0}, {"n": 0}, {"n": 3, "axis": 1}, {"prepend": 0.5}):
        yield smooth("diff", M, **options)
    yield smooth("diff", M, axis=0, prepend=values((1, 4)), append=values((2, 4)))
    yield smooth("diff", V, 1, -1, 0.3, 0.7)
    yield flat("diff", MASK)
    yield flat("diff", np.array([3, 1, 4, 1]), 2)
    yield smooth("ediff1d", M)
    yield smooth("ediff1d", V, values((2,)), 0.5)
    yield smooth("ediff1d", V, to_begin=values((2,)))
    yield flat("ediff1d", np.array([3, 1, 4, 1]), to_end=np.array([9, 8]))
    x, y = np.array([0.0, 0.3, 1.1]), np.array([-1.0, 0.0, 0.4, 2.0])
    for edge_order in (1, 2):
        yield smooth("gradient", M, edge_order=edge_order)
        yield smooth("gradient", M, 0.7, edge_order=edge_order)
        yield smooth("gradient", M, values((), POSITIVE), values((), POSITIVE))
        yield smooth("gradient", M, x, y, edge_order=edge_order)
        yield smooth("gradient", C, y, axis=-1, edge_order=edge_order)
        yield smooth("gradient", C, 2.0, y, axis=(1, 2), edge_order=edge_order)
    yield smooth("gradient", C, axis=(2, 1))
    yield smooth("gradient", M.T[::-1], y, axis=0)
    yield smooth("gradient", V[:2])
    yield flat("gradient", np.array([1, 4, 9, 16]), np.array([1, 2, 3, 4]))
    yield smooth("gradient", V, np.arange(5.0))
    for options in ({}, {"dx": 0.3}, {"axis": 0}, {"x": y}, {"x": M * M}, {"x": x, "axis": 0}):
        yield smooth("trapezoid", M, **options)
    yield smooth("trapezoid", V, values((5,)))
    yield flat("trapezoid", np.array([1, 4, 9]))
    points = np.array([[-0.55, 0.21], [1.3, -3.0]])
    yield smooth("interp", points, y, values((4,)))
    yield smooth("interp", points, y, values((4,)), left=0.5, right=-values(()))
    yield smooth("interp", np.append(points.ravel(), 7.0), y, values((4,)), period=3.7)
    yield smooth("interp", values(()), [-3.0, 3.0], values((2,)))
    yield smooth("interp", V, [0.5], values((1,)))
    yield flat("interp", points, y, complex_values((4,)))
    yield flat("interp", y, y, np.array([1, 4, 2, 3]))
    yield flat("interp", np.array([np.nan, 9.0]), y, y)
    angles = np.array([[0.3, 4.9, 5.1, -2.0], [1.0, 9.9, -3.0, -2.9]])
    for options in ({}, {"axis": 0}, {"discont": 4.0}, {"period": 3.0}):
        yield smooth("unwrap", angles, **options)
    yield flat("unwrap", np.array([0, 1, 2, -1, 0]), period=4)
    yield flat("unwrap", np.array([0, 1, 2, -1, 0]), period=3)
    for mode in ("full", "same", "valid"):
        for a, v in ((V, W), (W[:3], V), (V, V[:1]), (values((6,)), values((3,)))):
            yield smooth("convolve", a, v, mode)
            yield smooth("correlate", a, v, mode)
        yield flat("convolve", Z[0], V, mode)
        yield flat("correlate", V, Z[0], mode)
        yield flat("convolve", [1, 2, 3], np.array([0, 1]), mode)
    yield smooth("correlate", V, W)
    yield smooth("cross", values((4, 3)), values((3,)))
    yield smooth("cross", values((3, 2)), values((3, 2)), axis=0)
    yield smooth("cross", values((3, 4)), values((2, 1, 3)), axisa=0, axisc=1)
    yield smooth("i0", V)
    for points_, beta in ((1, S), (2, S), (7, np.float64(8.6))):
        yield smooth("kaiser", points_, beta)


def _polynomials() -> Iterator[Call]:
    p, q = values((4,)), values((3,))
    for x in (M, S, np.arange(3)):
        yield smooth("polyval", p, x)
    yield smooth("polyval", values((1,)), V)
    yield flat("polyval", [2, 0, 1], 3)
    yield flat("polyval", Z[0], 0.3)
    for name in ("polyadd", "polysub", "polymul", "polydiv"):
        yield smooth(name, p, q)
        yield smooth(name, q, p)
        if name != "polydiv":  # NumPy keeps what rounding leaves of a remainder
            yield smooth(name, p, S)
        yield flat(name, np.array([3, 1, 2]), [2, 5])
    for m in (0, 1, 2):
        yield smooth("polyder", p, m)
        yield smooth("polyint", p, m)
    yield smooth("polyint", p, 2, k=values((2,)))
    yield smooth("polyint", p, 2, k=values((1,)))
    yield smooth("polyint", p, k=values(()))
    yield flat("polyint", np.array([3, 1]))
    yield flat("polyder", np.array([3, 1, 4]))
    for options in ({}, {"N": 3}, {"N": 6, "increasing": True}, {"N": 0}):
        yield smooth("vander", V, **options)
    yield flat("vander", np.array([1, 2, 5]))
    yield flat("vander", Z[0])
    yield smooth("roots", np.array([1.3, -0.4, 2.1, 0.3]))
    yield flat("roots", np.array([1.3, -0.4, -2.1, 0.3]))  # real, where values are known
    yield flat("roots", np.array([0.0, 1.0, -3.0, 2.0, 0.0]))
    yield flat("roots", np.array([2, 1, -1]))
    yield flat("roots", Z[0])
    yield smooth("poly", V)
    yield flat("poly", Z[0])
    yield smooth("poly", np.array([[1.0, 2.0, 0.3], [0.2, 3.0, -1.0], [0.5, 0.1, -2.0]]))
    yield flat("poly", np.array([1 + 2j, 3, 1 - 2j]))
    yield flat("poly", np.array([3, 1]))


def _fits() -> Iterator[Call]:
    x, y, w = values((6,)), values((6,)), values((6,), POSITIVE)
    for options in (
        {},
        {"w": w},
        {"cov": True},
        {"cov": "unscaled"},
        {"w": w, "cov": True},
    ):
        yield smooth("polyfit", x, y, 2, **options)
        yield smooth("polyfit", x, values((6, 2)), 2, **options)
    yield smooth("polyfit", x, y, 0)
    yield smooth("polyfit", x, y, 1, rcond=1e-9)
    yield flat("polyfit", np.arange(4), np.array([1, 2, 4, 9]), 1)


def calls() -> Iterator[Call]:
    for part in (
        _masked,
        _with_holes,
        _quantiles,
        _moments,
        _counts,
        _calculus,
        _polynomials,
        _fits,
    ):
        yield from part()
