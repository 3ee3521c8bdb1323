"""The table of samples: for every primitive, arguments at which it is smooth, and NumPy's answer.

`TABLE` holds them all; `tests/ops/test_table.py` takes each through every test. A new primitive
needs a row here, or `test_every_primitive_has_a_sample` fails. The values of an array are spread
evenly over the primitive's domain and shuffled: no two are equal, so that no rule passes by
symmetry, and none stands at a kink.
"""

import itertools
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from gradarg import _ops
from gradarg._core.primitive import Primitive
from gradarg._ops import contract, elementwise, linalg, reduce, sorting, structure

Domain = tuple[float, float]
REAL, POSITIVE, INSIDE, ABOVE_ONE = (-2.3, 2.1), (0.3, 3.1), (-0.9, 0.85), (1.2, 4.0)
EXPONENT, SMALL, INTEGER, TRUTH = (-1.7, 2.4), (-1.2, 1.3), (1, 7), (0, 1)

_SEEDS = itertools.count(1)


def values(shape: tuple[int, ...] = (2, 3), domain: Domain = REAL) -> Any:
    """Distinct floats over a domain, or integers or truth values where the domain is of these."""
    random = np.random.default_rng(next(_SEEDS))
    size = int(np.prod(shape))
    if domain is TRUTH:
        return (random.permutation(size) % 3 > 0).reshape(shape)
    if domain is INTEGER:
        return random.integers(domain[0], domain[1], shape)
    spread = np.linspace(*domain, size) if size > 1 else np.full(size, domain[0] * 0.3 + 1.1)
    return random.permutation(spread).reshape(shape)[()]


def complex_values(shape: tuple[int, ...] = (2, 3), domain: Domain = REAL) -> Any:
    return values(shape, domain) + 0.7j * values(shape, domain)


def reversed_values(shape: tuple[int, ...], domain: Domain) -> Any:
    """Values whose strides are negative and whose axes are transposed in memory."""
    return values(shape[::-1], domain).T[::-1] if shape else values(shape, domain)


def rolled(x: Any, k: int) -> Any:
    """The k-th other value of an argument, for a batch; still in its domain."""
    if x.dtype == bool or (x.dtype.kind in "iu" and x.ndim):
        return np.roll(x, k)
    return x - k if x.dtype.kind in "iu" else np.roll(x, k) * (1 - 0.07 * k)


def scaled(x: Any, k: int) -> Any:
    """As `rolled`, for matrices that would not stay invertible or positive."""
    return x * (1 - 0.07 * k)


def _as_they_are(*args: Any) -> tuple[Any, ...]:
    return args


@dataclass(frozen=True)
class Sample:
    """One call of a primitive. `prepare` runs on the arguments first, to keep their structure."""

    primitive: Primitive
    reference: Callable[..., Any]
    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    prepare: Callable[..., tuple[Any, ...]] = _as_they_are
    vary: Callable[[Any, int], Any] = rolled

    @property
    def name(self) -> str:
        return f"{self.primitive.name}-{self.note}" if self.note else self.primitive.name

    def __call__(self, *args: Any) -> Any:
        return self.primitive(*self.prepare(*args), **self.params)

    def places(self, kinds: str) -> tuple[int, ...]:
        """The positions of the arrays of these kinds of dtype; numbers stay numbers."""
        return tuple(
            i for i, a in enumerate(self.args) if hasattr(a, "dtype") and a.dtype.kind in kinds
        )

    def of(self, places: tuple[int, ...]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The call as a function of the arguments at some places alone, and these arguments."""

        def f(*chosen: Any) -> Any:
            args = list(self.args)
            for i, a in zip(places, chosen):
                args[i] = a
            return self(*args)

        return f, tuple(self.args[i] for i in places)


def primitives() -> Iterator[Primitive]:
    """Every primitive that a module of `_ops` holds, by itself or in a dict."""
    seen = set()
    for module in pkgutil.iter_modules(_ops.__path__, _ops.__name__ + "."):
        for value in vars(import_module(module.name)).values():
            for p in value.values() if isinstance(value, dict) else (value,):
                if isinstance(p, Primitive) and id(p) not in seen:
                    seen.add(id(p))
                    yield p


# ---- elementwise: the domain of each argument; the shapes are the same for all

UNARY: dict[Domain, str] = {
    REAL: "positive negative square exp exp2 expm1 sin cos arctan sinh cosh tanh arcsinh deg2rad "
    "rad2deg sinc nan_to_num absolute fabs conjugate real imag sigmoid softplus log_sigmoid relu "
    "cbrt reciprocal",
    POSITIVE: "sqrt log log2 log10 log1p",
    INSIDE: "arcsin arccos arctanh tan",
    ABOVE_ONE: "arccosh",
}
BINARY: dict[tuple[Domain, Domain], str] = {
    (REAL, REAL): "add subtract multiply divide maximum minimum fmax fmin hypot arctan2 logaddexp "
    "logaddexp2 copysign heaviside remainder fmod",
    (POSITIVE, EXPONENT): "power float_power",
    (REAL, INTEGER): "ldexp",
}
CONSTANT: dict[tuple[Domain, ...], str] = {
    (REAL,): "floor ceil trunc rint sign spacing isfinite isinf isnan signbit logical_not",
    (REAL, REAL): "floor_divide equal not_equal less less_equal greater greater_equal",
    (TRUTH, TRUTH): "logical_and logical_or logical_xor",
    (INTEGER,): "invert",
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
    yield from _of_two_mixed(*_named("power"))
    yield from _number_powers()
    yield from _choices()


def _of_one(primitive: Primitive, reference: Any, domain: Domain) -> Iterator[Sample]:
    for shape in ((2, 3), (), (0, 2)):
        yield Sample(primitive, reference, (values(shape, domain),), note=f"{shape}")
    if domain is not INTEGER:
        yield Sample(primitive, reference, (reversed_values((3, 2), domain),), note="reversed")


def _of_two(primitive: Primitive, reference: Any, a: Domain, b: Domain) -> Iterator[Sample]:
    for note, (m, n) in SHAPES_OF_TWO.items():
        yield Sample(primitive, reference, (values(m, a), values(n, b)), note=note)
    x, y = values((2, 3), a), values((2, 3), b)
    yield Sample(primitive, reference, (x, y[0, 0].item()), note="array-number")
    if primitive is not elementwise.ldexp:
        yield Sample(primitive, reference, (x[0, 0].item(), y), note="number-array")
    yield Sample(primitive, reference, (x.T[::-1], y.T), note="reversed")


def _of_two_mixed(primitive: Primitive, reference: Any) -> Iterator[Sample]:
    x, z = values(domain=POSITIVE), complex_values((3,), POSITIVE)
    yield Sample(primitive, reference, (x, z), note="real-complex")
    yield Sample(primitive, reference, (z, x), note="complex-real")


def _number_powers() -> Iterator[Sample]:
    for n in (3, 2, 1, 0, -2, 0.5, 2.5, -0.5, 2.0):
        x = values(domain=POSITIVE if isinstance(n, float) else REAL)
        yield Sample(elementwise.power_number, np.power, (x, n), note=f"{n}")
    yield Sample(elementwise.power_number, np.power, (complex_values(), 3), note="complex")
    yield Sample(elementwise.power_number, np.power, (values((), POSITIVE), 1.5), note="scalar")
    for n in (2, 1, 0.3):
        yield Sample(elementwise.number_power, np.power, (n, values()), note=f"{n}")
    yield Sample(elementwise.number_power, np.power, (2.5, values(())), note="scalar")
    yield Sample(elementwise.number_power, np.power, (1.5 + 1j, values()), note="complex-real")


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
        ("reversed", reversed_values((3, 1), REAL), (3, 2)),
    ):
        yield Sample(structure.broadcast_to, np.broadcast_to, (x,), {"shape": shape}, note)
    for axis in ((0,), (1,), (0, 2), (0, 1, 2), ()):
        yield Sample(structure.sum, np.sum, (CUBE,), {"axis": axis}, f"{axis}")
    for note, x in {
        "scalar": values(()),
        "empty": EMPTY,
        "complex": complex_values(),
        "reversed": reversed_values((3, 2), REAL),
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
        ("reversed", reversed_values((3, 2), REAL), (2, 3)),
    ):
        yield Sample(structure.reshape, np.reshape, (x,), {"shape": shape}, note)
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
        (x.astype(np.float32), np.float32),
        (values((2, 3), INTEGER), np.float64),
        (values(()), np.float64),
    ):
        note = f"{source.dtype} to {np.dtype(target)}"
        yield Sample(structure.astype, cast, (source,), {"dtype": np.dtype(target)}, note)
    for target in (np.int32, bool):
        params = {"dtype": np.dtype(target)}
        yield Sample(structure.truncate, cast, (x,), params, np.dtype(target).name)
    yield Sample(structure.stop_gradient, lambda x: x, (x,))


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
        yield Sample(structure.pad, np.pad, (x,), {"widths": widths}, note)
