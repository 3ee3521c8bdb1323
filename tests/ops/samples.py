"""The table of samples: for every primitive, arguments at which it is smooth, and NumPy's answer.

`tests/ops/test_table.py` takes each sample through every test. A new primitive needs a row here,
or `test_every_primitive_has_a_sample` fails.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradarg._core.primitive import Primitive
from gradarg._ops import contract, elementwise, reduce, sorting, structure
from tests.ops import (
    fft_samples,
    linalg_samples,
    searching_samples,
    special_samples,
    statistics_samples,
    window_samples,
)
from tests.ops.sample import (
    ABOVE_ONE,
    DIVIDEND,
    DIVISOR,
    EXPONENT,
    INSIDE,
    INTEGER,
    NEGATIVE,
    POSITIVE,
    REAL,
    TRUTH,
    Domain,
    Sample,
    complex_values,
    reversed_values,
    values,
)

# ---- elementwise: the domain of each argument; the shapes are the same for all

UNARY: dict[Domain, str] = {
    REAL: "positive negative square exp exp2 expm1 sin cos arctan sinh cosh tanh arcsinh deg2rad "
    "rad2deg sinc nan_to_num absolute fabs conjugate real imag sigmoid softplus log_sigmoid relu",
    NEGATIVE: "cbrt reciprocal",
    POSITIVE: "sqrt log log2 log10 log1p",
    INSIDE: "arcsin arccos arctanh tan",
    ABOVE_ONE: "arccosh",
}
BINARY: dict[tuple[Domain, Domain], str] = {
    (REAL, REAL): "add subtract multiply maximum minimum fmax fmin hypot arctan2 logaddexp "
    "logaddexp2 copysign heaviside nextafter",
    (DIVIDEND, DIVISOR): "remainder fmod",
    (REAL, NEGATIVE): "divide",
    (POSITIVE, EXPONENT): "power float_power",
    (REAL, INTEGER): "ldexp",
}
CONSTANT: dict[tuple[Domain, ...], str] = {
    (REAL,): "floor ceil trunc rint sign spacing isfinite isinf isnan signbit logical_not",
    (REAL, REAL): "floor_divide equal not_equal less less_equal greater greater_equal",
    (TRUTH, TRUTH): "logical_and logical_or logical_xor",
    (INTEGER,): "invert bitwise_count",
    (INTEGER, INTEGER): "bitwise_and bitwise_or bitwise_xor left_shift right_shift gcd lcm",
}
COMPLEX: dict[int, str] = {
    1: "positive negative square reciprocal sqrt exp exp2 expm1 log log2 log10 log1p sin cos tan "
    "arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh sinc nan_to_num absolute "
    "conjugate real imag sigmoid",
    2: "add subtract multiply divide power float_power",
}
REFERENCE: dict[str, Callable[..., Any]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "relu": lambda x: np.where(x > 0, x, 0),
}
SHAPES_OF_TWO = {
    "equal": ((2, 3), (2, 3)),
    "outer": ((2, 1, 3), (4, 1)),
    "column": ((3, 1), (3, 2)),
    "scalar-array": ((), (3,)),
    "array-scalar": ((3,), ()),
    "scalars": ((), ()),
    "empty": ((0, 3), (3,)),
}


def _named(name: str) -> tuple[Primitive, Callable[..., Any]]:
    primitive = elementwise.CONSTANT.get(name) or getattr(elementwise, name)
    return primitive, REFERENCE.get(name) or getattr(np, name)


def _elementwise() -> Iterator[Sample]:
    unary = [((domain,), names) for domain, names in UNARY.items()]
    for domains, names in [*unary, *BINARY.items(), *CONSTANT.items()]:
        for name in names.split():
            make = _of_one if len(domains) == 1 else _of_two
            yield from make(*_named(name), *domains)
    for count, names in COMPLEX.items():
        for name in names.split():
            primitive, reference = _named(name)
            args = tuple(complex_values(domain=POSITIVE) for _ in range(count))
            yield Sample(primitive, reference, args, note="complex")
    yield from _of_two_mixed(*_named("multiply"))
    yield from _of_two_mixed(*_named("float_power"))
    yield from _number_powers()
    yield from _choices()
    yield from _helpers()


def _of_one(primitive: Primitive, reference: Any, domain: Domain) -> Iterator[Sample]:
    for shape in ((2, 3), (), (0, 2)):
        yield Sample(primitive, reference, (values(shape, domain),), note=f"{shape}")
    if domain is not INTEGER:
        yield Sample(primitive, reference, (reversed_values((3, 2), domain),), note="reversed")


def _of_two(primitive: Primitive, reference: Any, a: Domain, b: Domain) -> Iterator[Sample]:
    for note, (m, n) in SHAPES_OF_TWO.items():
        yield Sample(primitive, reference, (values(m, a), values(n, b)), note=note)
    x, y = values((2, 3), a), values((2, 3), b)
    if primitive is not elementwise.power:  # where numbers have rows of their own
        yield Sample(primitive, reference, (x, y[0, 0].item()), note="array-number")
        yield Sample(primitive, reference, (x[0, 0].item(), y), note="number-array")
    yield Sample(primitive, reference, (x.T[::-1], y.T), note="reversed")


def _of_two_mixed(primitive: Primitive, reference: Any) -> Iterator[Sample]:
    x, z = values(domain=POSITIVE), complex_values((3,), POSITIVE)
    yield Sample(primitive, reference, (x, z), note="real-complex")
    yield Sample(primitive, reference, (z, x), note="complex-real")


def _number_powers() -> Iterator[Sample]:
    for n in (3, 2, 1, 0, -2, 0.5, 2.5, -0.5, 2.0):
        x = values(domain=POSITIVE if isinstance(n, float) else NEGATIVE)
        yield Sample(elementwise.power_number, np.power, (x, n), note=f"array ** {n}")
    yield Sample(elementwise.power_number, np.power, (complex_values(), 3), note="complex ** 3")
    yield Sample(
        elementwise.power_number, np.power, (values((), POSITIVE), 1.5), note="scalar ** 1.5"
    )
    for n in (2, 1, 0.3):
        yield Sample(elementwise.number_power, np.power, (n, values()), note=f"{n} ** array")
    yield Sample(elementwise.number_power, np.power, (2.5, values(())), note="2.5 ** scalar")
    args = (1.5 + 1j, values())
    yield Sample(elementwise.number_power, np.power, args, note="complex ** array")


def _sinc_slope(x: Any, order: int) -> Any:
    return (np.cos(np.pi * x) - np.sinc(x)) / x


def _sinc_curvature(x: Any, order: int) -> Any:
    return -(np.pi**2) * np.sinc(x) - 2 / x * _sinc_slope(x, 1)


def _helpers() -> Iterator[Sample]:
    """Rows that other rows are made of."""
    for note, args in {
        "equal": (values(), values(domain=NEGATIVE)),
        "broadcast": (values((3,)), values((4, 2, 1), NEGATIVE)),
        "scalars": (values(()), values((), NEGATIVE)),
        "complex": (complex_values(), complex_values(domain=NEGATIVE)),
    }.items():
        yield Sample(elementwise.quotient, np.divide, args, note=note)
        yield Sample(elementwise.product, np.multiply, args, note=note)
    for decimals in (0, 1, -1):
        params = {"decimals": decimals}
        for note, x in {"": 30 * values(), "integers": np.array([[14], [-25]])}.items():
            yield Sample(elementwise.round, np.round, (x,), params, f"{note} {decimals}")
    for order, reference in ((1, _sinc_slope), (2, _sinc_curvature)):
        params = {"order": order}
        yield Sample(elementwise.sinc_derivative, reference, (values(),), params, f"{order}")


def _choices() -> Iterator[Sample]:
    where = elementwise.where
    c = values((2, 3), TRUTH)
    for note, args in {
        "equal": (c, values(), values()),
        "broadcast": (c, values((3,)), values((4, 2, 1))),
        "condition": (values((3,), TRUTH), values((2, 3)), values((2, 1))),
        "numbers": (c, values(), 0),
        "number first": (c, 1.5, values((3,))),
        "scalars": (np.True_, values(()), values(())),
        "complex": (c, complex_values(), values()),
        "empty": (c[:0], values((0, 3)), values((3,))),
        "reversed": (c.T[::-1], values((2, 3)).T, values((3, 2))[:, ::-1]),
    }.items():
        yield Sample(where, np.where, args, note=note)


# ---- structure

EMPTY = values((2, 0, 3))
CUBE = values((2, 3, 4))


def _placed(x: Any, index: Any, shape: Any) -> Any:
    out = np.zeros(shape, x.dtype)
    out[index] = x
    return out


def _scattered(x: Any, *index: Any, shape: Any) -> Any:
    out = np.zeros(shape, x.dtype)
    np.add.at(out, index, x)
    return out


def _padded(x: Any, widths: Any) -> Any:
    return np.pad(x, widths) if widths else x


def _put(x: Any, v: Any, index: Any) -> Any:
    out = x.copy()
    out[index] = v
    return out


def _indices(*entries: Any) -> tuple[Any, ...]:
    return tuple(np.asarray(e)[()] for e in entries)


INDICES: dict[str, tuple[Any, ...]] = {
    "vector": _indices([2, 0, 0, -1]),
    "matrix": _indices([[1, 0], [2, 2], [0, -2]]),
    "pair": _indices([1, 0, 1, 1], [2, -1, 2, 0]),
    "crossed": _indices([[1], [0]], [2, 0, 2]),
    "number": _indices(1),
    "number, vector": _indices(1, [0, 2, 2]),
    "empty": _indices(np.zeros(0, int)),
    "int32": _indices(np.array([2, 1], np.int32)),
}
BASIC: dict[str, tuple[Any, ...]] = {
    "number": (1,),
    "slice": (slice(None), slice(0, 2)),
    "steps": (slice(None, None, -1), slice(None), slice(3, None, -2)),
    "new axes": (None, 0, Ellipsis, None, slice(1, 3)),
    "all": (1, -1, 2),
    "nothing": (),
    "empty": (slice(5, None),),
}


def _structure() -> Iterator[Sample]:
    for note, x, shape in (
        ("lead", values((3,)), (2, 3)),
        ("ones", values((2, 1, 3)), (5, 2, 4, 3)),
        ("scalar", values(()), (2, 3)),
        ("same", values(), (2, 3)),
        ("empty", values((1, 3)), (0, 3)),
        ("complex", complex_values((3, 1)), (3, 2)),
        ("reversed", reversed_values((3, 1)), (3, 2)),
    ):
        yield Sample(structure.broadcast_to, np.broadcast_to, (x,), {"shape": shape}, note)
    for axis in ((0,), (1,), (0, 2), (0, 1, 2), ()):
        yield Sample(structure.sum, np.sum, (CUBE,), {"axis": axis}, f"{axis}")
    for note, x in {
        "scalar": values(()),
        "empty": EMPTY,
        "complex": complex_values(),
        "reversed": reversed_values((3, 2)),
        "bool": values((4, 3), TRUTH),
        "int8": values((4, 3), INTEGER).astype(np.int8),
        "ones": values((1, 3, 1)),
    }.items():
        axis = tuple(range(x.ndim))[:2]
        yield Sample(structure.sum, np.sum, (x,), {"axis": axis}, note)
        yield Sample(structure.sum, np.sum, (x,), {"axis": axis, "keepdims": True}, note + " kept")
    for note, x, shape in (
        ("", CUBE, (4, 6)),
        ("scalar", values(()), (1, 1)),
        ("to scalar", values((1, 1)), ()),
        ("empty", EMPTY, (0, 5)),
        ("reversed", reversed_values((3, 2)), (2, 3)),
    ):
        yield Sample(
            structure.reshape, lambda x, shape: x.reshape(shape), (x,), {"shape": shape}, note
        )
    for x, axes in ((CUBE, (2, 0, 1)), (values(()), ()), (EMPTY, (1, 0, 2)), (values(), (1, 0))):
        yield Sample(structure.transpose, np.transpose, (x,), {"axes": axes}, f"{axes}")
    yield from _casts()
    for note, index in BASIC.items():
        x = values(CUBE[index].shape)
        params = {"index": index}
        yield Sample(structure.getitem, lambda x, index: x[index], (CUBE,), params, note)
        params = {"index": index, "shape": CUBE.shape}
        yield Sample(structure.place, _placed, (x,), params, note)
        yield Sample(structure.put, _put, (CUBE, x), {"index": index}, note)
    yield Sample(structure.put, _put, (CUBE, values(())), {"index": (0, 1)}, "one for many")
    yield Sample(structure.put, _put, (CUBE, values((3, 1))), {"index": (1,)}, "broadcast")
    for note, idx in INDICES.items():
        x = values((3, 4, 2) if len(idx) == 1 else (2, 3, 2))
        y = values(x[idx].shape)
        yield Sample(structure.gather, lambda x, *i: x[i], (x, *idx), {}, note)
        yield Sample(structure.scatter_add, _scattered, (y, *idx), {"shape": x.shape}, note)
        yield Sample(structure.update, lambda x, v, *i: _put(x, v, i), (x, y, *idx), {}, note)
    yield from _joins()


def _casts() -> Iterator[Sample]:
    def cast(x: Any, dtype: Any) -> Any:
        return np.asarray(x).astype(dtype)

    x = values()
    for source, target in (
        (x, np.complex128),
        (x, np.float64),
        (values((2, 3), INTEGER), np.float64),
        (values(()), np.complex128),
    ):
        note = f"{source.dtype}[{source.ndim}] to {np.dtype(target)}"
        yield Sample(structure.astype, cast, (source,), {"dtype": np.dtype(target)}, note)
    for target in (np.int32, bool):
        params = {"dtype": np.dtype(target)}
        yield Sample(structure.truncate, cast, (x,), params, np.dtype(target).name)
    yield Sample(elementwise.exponent, lambda x: np.frexp(x)[1], (x,))
    yield Sample(structure.stop_gradient, lambda x: x, (x,))
    yield Sample(structure.ones_like, np.ones_like, (x,))
    yield Sample(structure.ones_like, np.ones_like, (values(()),), note="scalar")


def _joins() -> Iterator[Sample]:
    def join(*parts: Any, axis: int) -> Any:
        return np.concatenate(parts, axis)

    for note, parts, axis in (
        ("two", (values(), values((4, 3))), 0),
        ("three", (values(), values((2, 1)), values((2, 2))), 1),
        ("one", (values(),), 1),
        ("empty", (values((0, 3)), values()), 0),
        ("mixed", (values(), values((1, 3), INTEGER)), 0),
        ("complex", (complex_values(), values()), 0),
        ("reversed", (values((3, 2)).T[::-1], values((3, 2)).T), 1),
    ):
        yield Sample(structure.concatenate, join, parts, {"axis": axis}, note)
    for note, x, widths in (
        ("", values(), ((1, 0), (2, 3))),
        ("none", values((3,)), ((0, 0),)),
        ("empty", values((0, 2)), ((1, 2), (0, 1))),
        ("scalar", values(()), ()),
    ):
        yield Sample(structure.pad, _padded, (x,), {"widths": widths}, note)


# ---- reductions, cumulations, sorting


def _softmax(x: Any, axis: Any) -> Any:
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "logsumexp": lambda x, axis: np.log(np.sum(np.exp(x), axis=axis)),
    "softmax": _softmax,
    "log_softmax": lambda x, axis: np.log(_softmax(x, axis)),
    "all": np.all,
    "any": np.any,
}
ALONG: dict[Primitive, Callable[..., Any]] = {
    reduce.cumsum: np.cumsum,
    reduce.cumprod: np.cumprod,
    sorting.sort: np.sort,
    sorting.argsort: np.argsort,
    sorting.ranks: lambda x, axis: np.argsort(np.argsort(x, axis), axis),
    sorting.argmax: np.argmax,
    sorting.argmin: np.argmin,
}


def _reductions() -> Iterator[Sample]:
    for name, reference in REDUCTIONS.items():
        domain = TRUTH if name in ("all", "any") else REAL
        for note, x, axis in (
            ("rows", values((3, 4), domain), (1,)),
            ("columns", values((3, 4), domain), (0,)),
            ("two axes", values((2, 3, 4), domain), (0, 2)),
            ("everything", values((2, 1, 3), domain), (0, 1, 2)),
            ("no axis", values((2, 3), domain), ()),
            ("scalar", values((), domain), ()),
            ("empty", values((0, 3), domain), (1,)),
            ("reversed", reversed_values((3, 4), domain), (1,)),
            ("integers", values((2, 3), INTEGER), (1,)),
        ):
            yield Sample(getattr(reduce, name), reference, (x,), {"axis": axis}, note)
    yield Sample(reduce.prod, np.prod, (complex_values(),), {"axis": (1,)}, "complex")
    yield Sample(reduce.prod, np.prod, (values((2, 0)),), {"axis": (1,)}, "nothing")
    int8 = values((2, 3), INTEGER).astype(np.int8)
    yield Sample(reduce.prod, np.prod, (int8,), {"axis": (1,)}, "int8")
    for primitive, reference in ALONG.items():
        for note, x, axis in (
            ("rows", values((3, 4)), 1),
            ("columns", values((3, 4)), 0),
            ("middle", values((2, 4, 3)), 1),
            ("vector", values((5,)), 0),
            ("one", values((1, 3)), 0),
            ("empty", values((0, 3)), 1),
            ("reversed", reversed_values((3, 4)), 1),
            ("integers", np.array([[3, 1, 4], [1, 5, 2]]), 1),
            ("int8", np.array([[3, 1, 4], [1, 5, 2]], np.int8), 0),
        ):
            yield Sample(primitive, reference, (x,), {"axis": axis}, note)
    for kth, x in {(1,): values((3, 4)), (0, 2): values((2, 4, 3)), (-1,): values((0, 3))}.items():
        params = {"kth": kth, "axis": 1}
        yield Sample(sorting.argpartition, np.argpartition, (x,), params, f"kth {kth}")
    for primitive in (reduce.cumsum, reduce.cumprod):
        yield Sample(primitive, ALONG[primitive], (complex_values(),), {"axis": 1}, "complex")
        yield Sample(primitive, ALONG[primitive], (values((0,)),), {"axis": 0}, "nothing")


# ---- products


def _products() -> Iterator[Sample]:
    for note, m, n in (
        ("", (2, 3), (3, 4)),
        ("stack", (5, 2, 3), (5, 3, 4)),
        ("stack, one", (5, 2, 3), (3, 4)),
        ("one, stack", (2, 3), (5, 3, 4)),
        ("crossed", (5, 1, 2, 3), (4, 3, 2)),
        ("thin", (1, 3), (3, 1)),
        ("empty", (2, 0), (0, 3)),
        ("no rows", (0, 3), (3, 2)),
    ):
        yield Sample(contract.matmul, np.matmul, (values(m), values(n)), note=note)
    x, y = reversed_values((2, 3)), reversed_values((3, 4))
    yield Sample(contract.matmul, np.matmul, (x, y), note="reversed")
    yield Sample(contract.matmul, np.matmul, (complex_values(), values((3, 2))), note="complex")

    def einsum(*operands: Any, subscripts: str) -> Any:
        return np.einsum(subscripts, *operands)

    for subscripts, shapes in {
        "ij,jk->ik": ((2, 3), (3, 4)),
        "ij,ij->": ((2, 3), (2, 3)),
        "i,j->ji": ((2,), (3,)),
        "bij,bjk->bki": ((2, 3, 4), (2, 4, 2)),
        "ij,jk,kl->il": ((2, 3), (3, 4), (4, 2)),
        "ij->ji": ((2, 3),),
        ",i->i": ((), (3,)),
        "ij,jk->ki": ((2, 1), (3, 4)),
        "ij,kj,i->ik": ((2, 3), (4, 1), (1,)),
        "i,i->": ((0,), (0,)),
        "i,ij->j": ((0,), (0, 3)),
    }.items():
        args = tuple(map(values, shapes))
        yield Sample(contract.einsum, einsum, args, {"subscripts": subscripts}, subscripts)
    args = (complex_values(), values((3,)))
    yield Sample(contract.einsum, einsum, args, {"subscripts": "ij,j->i"}, "complex")
    args = (values((200, 60)), values((60, 3)))  # large enough for NumPy's planner
    yield Sample(contract.einsum, einsum, args, {"subscripts": "ij,jk->ik"}, "planned")


TABLE = [
    *searching_samples.SAMPLES,
    *_elementwise(),
    *_structure(),
    *_reductions(),
    *_products(),
    *linalg_samples.samples(),
    *fft_samples.samples(),
    *special_samples.samples(),
    *statistics_samples.samples(),
    *window_samples.samples(),
]
