"""Calls of every public function of arrays, each with NumPy's answer where NumPy has the function.

`CALLS` holds them all; `tests/ops/test_namespace.py` takes each through every test.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.ops import (
    fft_calls,
    linalg_calls,
    manipulation_calls,
    searching_calls,
    special_calls,
    statistics_calls,
    window_calls,
)
from tests.ops.call import Call, flat, smooth
from tests.ops.sample import POSITIVE, TRUTH, Domain, complex_values, values
from tests.ops.samples import BINARY, CONSTANT, REFERENCE, UNARY

S, V, M, N, C = values(()), values((4,)), values((3, 4)), values((3, 4)), values((2, 3, 4))
ONES = values((1, 3, 1, 2))
MASK, Z = values((3, 4), TRUTH), complex_values((3, 4))
NONE = values((0, 4))


# ---- elementwise

ALIASES = {
    "abs": "absolute", "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh",
    "atan": "arctan", "atan2": "arctan2", "atanh": "arctanh", "conj": "conjugate",
    "degrees": "rad2deg", "radians": "deg2rad", "true_divide": "divide", "mod": "remainder",
    "pow": "power", "bitwise_not": "invert", "bitwise_invert": "invert",
    "bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift",
}  # fmt: skip


def _elementwise() -> Iterator[Call]:
    domains: dict[str, tuple[Domain, ...]] = {}
    for domain, names in UNARY.items():
        domains |= dict.fromkeys(names.split(), (domain,))
    for table in (BINARY, CONSTANT):
        domains |= {name: given for given, names in table.items() for name in names.split()}
    constant = {name for names in CONSTANT.values() for name in names.split()}
    domains |= {alias: domains[name] for alias, name in ALIASES.items()}
    for name, given in domains.items():
        args = tuple(values((2, 3), d) for d in given)
        plain = ALIASES.get(name, name) in constant
        yield Call(name, args, smooth=not plain, reference=REFERENCE.get(name))
    for n in (3, 2.5, -1, 0):
        yield smooth("power", values((3,), POSITIVE), n)
    yield smooth("power", 2.5, V)
    yield flat("float_power", values((3,), POSITIVE).astype(np.float32), 2)
    yield smooth("where", MASK, M, V)
    yield smooth("where", MASK, 0.0, M)
    yield smooth("clip", M, -1, 1)
    yield smooth("clip", M, None, V)
    yield smooth("clip", M, V - 0.5, None)
    yield Call("angle", (Z,), smooth=False)  # the differences of complex arguments are elsewhere
    yield smooth("angle", V, deg=True)
    yield flat("nan_to_num", np.array([1.5, np.nan, np.inf, -np.inf]), nan=2.0, posinf=9.0)
    yield flat("angle", Z, deg=True)
    yield flat("real_if_close", Z)
    yield flat("real_if_close", Z.real + 1e-16j)
    yield flat("real_if_close", M)
    yield flat("fix", 3 * M)
    yield flat("around", M, 1)
    if np.lib.NumpyVersion(np.__version__) >= "2.1.0":
        yield smooth("clip", M, max=V)
        yield smooth("clip", M)
    yield smooth("modf", V)
    yield smooth("frexp", V)
    yield smooth("divmod", values((3,)) + 9, values((3,)) + 5.02)
    yield flat("sign", Z)
    for decimals in (0, 1, -1):
        yield flat("round", 30 * M, decimals)
        yield flat("round", np.array([1, 25, -35, 4444]), decimals)
    yield Call("astype", (M, complex), reference=np.ndarray.astype)
    yield Call("astype", (M, np.float32), smooth=False, reference=np.ndarray.astype)
    yield Call("astype", (M, int), smooth=False, reference=np.ndarray.astype)
    yield Call("astype", (M, bool), {"copy": False}, smooth=False, reference=np.ndarray.astype)
    yield Call("stop_gradient", (M,), smooth=False, reference=lambda x: x)


# ---- reductions


def _reductions() -> Iterator[Call]:
    for name in ("sum", "mean", "prod", "max", "min", "var", "std", "ptp"):
        for options in ({}, {"axis": 1}, {"axis": -3}, {"axis": (0, -1)}, {"axis": ()}):
            if options != {"axis": ()} or name not in ("ptp", "std"):
                yield smooth(name, C, **options)
        yield smooth(name, C, axis=(2, 0), keepdims=True)
        yield smooth(name, M, keepdims=True)
        yield smooth(name, V)
        yield smooth(name, NONE, axis=1)
        yield flat(name, np.array([[3, 1, 2]], np.int8), axis=1)
    for name in ("sum", "mean", "prod", "var", "std"):
        yield flat(name, MASK)
        yield flat(name, M.astype(np.float32), dtype=np.float64)
        yield flat(name, Z, axis=0)
    for name in ("var", "std"):
        yield smooth(name, M, ddof=1, axis=1)
        yield smooth(name, M, axis=0, correction=2, keepdims=True)
        yield smooth(name, M, axis=0, mean=M.mean(0, keepdims=True))
    for name in ("all", "any", "count_nonzero"):
        for options in ({}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}):
            yield flat(name, MASK, **options)
        yield flat(name, np.array([0.0, 2.0]))
    for name in ("argmax", "argmin"):
        for options in ({}, {"axis": 1}, {"axis": -3, "keepdims": True}, {"keepdims": True}):
            yield flat(name, C, **options)
    for name in ("cumsum", "cumprod", "sort", "argsort"):
        for options in ({"axis": None}, {"axis": 1}, {"axis": -1}, {}):
            yield Call(name, (C,), options, smooth=name != "argsort")
        yield Call(name, (V,), smooth=name != "argsort")
        yield flat(name, np.array([[3, 1], [2, 2]], np.int8), axis=0)
    for name in ("cumsum", "cumprod"):
        yield flat(name, MASK, axis=0)
        yield flat(name, MASK, axis=0, dtype=np.float32)
    exp_sum = {"axis": 1}, {"axis": (0, -1)}, {}
    for options in exp_sum:
        yield Call("logsumexp", (C,), options, reference=_logsumexp)
        yield Call("softmax", (C,), options, reference=_softmax)
        yield Call(
            "log_softmax", (C,), options, reference=lambda *a, **k: np.log(_softmax(*a, **k))
        )
    yield Call("logsumexp", (C,), {"axis": 0, "keepdims": True}, reference=_logsumexp)
    yield Call("softmax", (np.array([[1, 2], [5, 4]]),), smooth=False, reference=_softmax)


def _logsumexp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(a), axis, keepdims=keepdims))


def _softmax(a: Any, axis: Any = -1) -> Any:
    return np.exp(a) / np.sum(np.exp(a), axis, keepdims=True)


# ---- shapes


def _shapes() -> Iterator[Call]:
    for shape in ((6, 4), (-1,), (2, -1, 2), 24, (4, 1, -1)):
        yield smooth("reshape", C, shape)
        yield smooth("reshape", C, shape, order="F")
    yield smooth("reshape", NONE, (4, 0))
    yield smooth("reshape", C.T[::-1], (6, 4))
    for order in "CF":
        yield smooth("ravel", C, order)
    yield smooth("ravel", S)
    for axes in ((2, 0, 1), (-1, 0, -2), None):
        yield smooth("transpose", C, axes)
        yield smooth("permute_dims", C, axes)
    yield smooth("swapaxes", C, 0, -1)
    yield smooth("matrix_transpose", C)
    for source, target in ((0, 2), (-1, 0), ([0, 1], [2, 0]), ((2, 0), (-3, -1)), ([], [])):
        yield smooth("moveaxis", C, source, target)
    for axis, start in ((2, 0), (0, 3), (1, 1), (-1, 1), (0, -1), (1, 2)):
        yield smooth("rollaxis", C, axis, start)
    for axis in (0, -1, (0, 2), (-1, 0), [1]):
        yield smooth("expand_dims", M, axis)
    for axis in (None, 0, -2, (0, 2)):
        yield smooth("squeeze", ONES, axis)
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        for x in (S, V, M, C, values((1, 2, 3, 2))):
            yield smooth(name, x)
        yield smooth(name, S, M)
    yield smooth("broadcast_to", V, (2, 3, 4))
    yield smooth("broadcast_to", S, 3)
    yield smooth("broadcast_to", values((3, 1)), (3, 0))
    yield smooth("broadcast_arrays", V, values((3, 1)), S)
    yield smooth("copy", M)
    for name in ("shape", "ndim", "size"):
        yield flat(name, C)
    yield flat("size", C, 1)
    for name in ("zeros_like", "ones_like"):
        yield flat(name, M)
        yield flat(name, M, dtype=np.int32, shape=(2,))
    yield flat("full_like", M, 3)
    yield flat("full_like", np.array([1, 2]), 2.7)


def _joins() -> Iterator[Call]:
    pairs = [M, values((2, 4))], [C, values((2, 3, 4)), values((2, 3, 4))]
    for parts in pairs:
        yield smooth("concatenate", parts)
        yield smooth("concat", tuple(parts), axis=None)
    yield smooth("concatenate", [M, values((3, 2))], axis=-1)
    yield smooth("concatenate", [M.T, N.T[::-1]], axis=1)
    yield smooth("concatenate", [NONE, M])
    for axis in (0, 1, -1, 2):
        yield smooth("stack", [M, N], axis)
    yield smooth("stack", [S, S])
    for name in ("vstack", "hstack", "dstack", "column_stack"):
        yield smooth(name, [V, values((4,))])
        yield smooth(name, [M, N])
    yield smooth("column_stack", [values((3,)), M])
    yield smooth("vstack", [V, M])
    for axis in (0, -1):
        rows = lambda x, axis: tuple(np.moveaxis(x, axis, 0))
        yield Call("unstack", (C,), {"axis": axis}, reference=rows)
    yield smooth("split", C, 3, axis=1)
    yield smooth("split", C, [1, 3], axis=-1)
    yield smooth("array_split", V, 3)
    yield smooth("array_split", C, [0, 2, 2, 9], 2)
    yield smooth("vsplit", C, 2)
    yield smooth("hsplit", C, [1])
    yield smooth("hsplit", V, 2)
    yield smooth("dsplit", C, 4)


def _repeats() -> Iterator[Call]:
    yield smooth("repeat", M, 2)
    yield smooth("repeat", M, 3, axis=-1)
    yield smooth("repeat", M, [2, 0, 1], axis=0)
    yield smooth("repeat", M, np.array([2]), axis=1)
    for reps in (2, (2, 3), (2, 1, 2), (0, 1), 1):
        yield smooth("tile", M, reps)
    yield smooth("tile", S, (2, 2))
    yield smooth("tile", C, 2)
    for axis in (None, 0, -1, (0, 2), ()):
        yield smooth("flip", C, axis)
    yield smooth("flipud", M)
    yield smooth("fliplr", M)
    for k in (0, 1, 2, 3, 4, -1):
        yield smooth("rot90", M, k)
        yield smooth("rot90", C, k, (2, 0))
        yield smooth("rot90", C, k, axes=(-2, -1))
    for shift, axis in ((2, None), (-7, None), (1, 0), (5, -1), ((1, -2), (0, 2)), (1, (0, 1))):
        yield smooth("roll", C, shift, axis)
    yield smooth("roll", M, (1, 1), 1)
    yield smooth("roll", NONE, 1, 0)


def _diagonals() -> Iterator[Call]:
    for k in (0, 1, -2, 9, -9):
        for name in ("diag", "tril", "triu"):
            yield smooth(name, M, k)
        yield smooth("diag", V, k)
        yield smooth("diagonal", M, k)
        yield smooth("trace", M, k)
    for name in ("diagonal", "trace"):
        yield smooth(name, C)
        yield smooth(name, C, 1, 2, 0)
        yield smooth(name, C, offset=-1, axis1=-2, axis2=-1)
    for name in ("tril", "triu"):
        yield smooth(name, C, 1)
        yield smooth(name, V)
        yield flat(name, np.arange(6).reshape(2, 3))


def _taken() -> Iterator[Call]:
    for indices in (1, -1, [2, 0, 0], np.array([[0, 1], [2, -1]]), np.zeros(0, int)):
        yield smooth("take", C, indices, axis=1)
        yield smooth("take", C, indices)
    yield smooth("take", V, 3)
    rows = np.array([[1, 0, 2], [0, 0, -1]])
    yield smooth("take_along_axis", C, rows[:, :, None], axis=2)
    yield smooth("take_along_axis", C, rows[:1, :, None] % 2, 0)
    yield smooth("take_along_axis", C, np.array([3, 23, 0]), axis=None)
    for x, *args in ((V, 2), (M, (2, 3)), (C, 3, 1), (C, (2, 1), (-1, 0)), (M, (2, 2), (1, 1))):
        yield Call("sliding_window_view", (x, *args), reference=sliding_window_view)


# ---- products


def _products() -> Iterator[Call]:
    ranks = {n: values((2, 3, 4)[3 - n :]) for n in range(1, 4)}
    right = {1: values((4,)), 2: values((4, 5)), 3: values((2, 4, 3))}
    for m, x in ranks.items():
        for n, y in right.items():
            yield smooth("matmul", x, y)
            yield smooth("dot", x, y)
            yield smooth("inner", x, np.moveaxis(y, -2, -1) if n > 1 else y)
            yield smooth("kron", x, y[..., :2])
            yield smooth("tensordot", x, y, ([m - 1], [max(n - 2, 0)]))
            yield smooth("tensordot", x, y, 0)
            yield smooth("outer", x, y)
    for name in ("dot", "inner", "kron", "outer"):
        yield smooth(name, S, M)
        yield smooth(name, V, S)
        yield smooth(name, S, values(()))
    yield smooth("kron", np.ones((2, 1, 1)), V)
    yield smooth("matmul", values((2, 1, 3, 4)), values((5, 4, 2)))
    yield smooth("matmul", values((0, 4)), values((4, 2)))
    yield smooth("matmul", values((3, 0)), values((0, 2)))
    yield smooth("tensordot", C, values((3, 4, 2)))
    yield smooth("tensordot", C, values((4, 3)), axes=([1, -1], [1, 0]))
    yield smooth("tensordot", C, values((5, 3)), axes=(1, 1))
    yield smooth("vdot", M, N)
    yield flat("vdot", Z, M)
    yield Call("matvec", (M, V), reference=np.matmul)  # which NumPy has since 2.2
    yield Call("vecmat", (V, M.T), reference=lambda x, a: np.conj(x) @ a)
    yield smooth("vecdot", M, V)
    yield smooth("vecdot", C, values((2, 1, 4)))
    yield smooth("vecdot", M, N, axis=0)
    yield flat("vecdot", Z, Z)


EINSUM = {
    "ij,jk": ((2, 3), (3, 4)), "ij,jk->ki": ((2, 3), (3, 4)), "ji": ((2, 3),), "ii": ((3, 3),),
    "ii->i": ((3, 3),), "iij->j": ((2, 2, 3),), "i,i": ((3,), (3,)), "i,j": ((2,), (3,)),
    "ij->": ((2, 3),), "...ij,...jk->...ik": ((5, 2, 3), (3, 4)), "...i,...i": ((2, 3), (3,)),
    "...": ((2, 3),), "i...->...": ((2, 3),), "b...,b": ((2, 3), (2,)),
    "ij,jk,kl": ((2, 3), (3, 4), (4, 2)),
    "ij,ij,ij->i": ((2, 3), (2, 3), (1, 3)), "iij,ki->kj": ((2, 2, 3), (4, 2)),
    " a b , b -> a ": ((2, 3), (3,)), "ij,j->i": ((2, 1), (3,)), "ij,jk->ik": ((2, 0), (0, 3)),
    "i,->i": ((3,), ()), "a,b,c->cab": ((2,), (3,), (4,)), "aB,Bc->ca": ((2, 3), (3, 2)),
    "...ii->...i": ((2, 3, 3),), "ab...,b...->a...": ((2, 3, 4), (3, 4)), "iii->i": ((2, 2, 2),),
    "...a,...b->...ab": ((3, 1, 2), (4, 2)), "ij,kl->": ((2, 3), (4, 2)),
}  # fmt: skip


def _einsums() -> Iterator[Call]:
    for subscripts, shapes in EINSUM.items():
        yield smooth("einsum", subscripts, *map(values, shapes))
    yield smooth("einsum", "ij,jk->ik", values((120, 50)), values((50, 110)), optimize=True)


CALLS = [
    *searching_calls.calls(),
    *_elementwise(),
    *_reductions(),
    *_shapes(),
    *_joins(),
    *_repeats(),
    *_diagonals(),
    *_taken(),
    *_products(),
    *_einsums(),
    *linalg_calls.calls(),
    *fft_calls.calls(),
    *manipulation_calls.calls(),
    *special_calls.calls(),
    *statistics_calls.calls(),
    *window_calls.calls(),
]
