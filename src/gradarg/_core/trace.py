"""Boxes, traces and `bind`: how an operation finds the interpreter that must see it.

A `Box` is a value under watch: it holds the value, the `Trace` that watches, and that trace's
mark on it (a graph node, a tangent, a variable). Every transform makes a trace with a level of
its own, higher than all before it. An operation goes to the trace of the highest level among its
arguments; that trace lowers its own boxes and binds the operation again, one level further down,
until plain arrays are left. This is why transforms nest in any order without confusing each
other's derivatives.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import numpy as np

from .errors import DerivativeError, LeakedValueError, ShapeError

if TYPE_CHECKING:
    from .primitive import Primitive

_LEVELS = itertools.count(1)
_NO_PARAMS: dict[str, Any] = {}
_NUMBERS = (bool, int, float, complex, np.generic)


class Box:
    """A value under watch by a trace. `Tensor` is the one subclass users meet."""

    __slots__ = ("__weakref__", "_base", "_inner", "_node", "_trace", "_views")

    _inner: Any  # the value, one level down: an array, a box of an outer trace, a ShapeDtype
    _trace: Trace
    _node: Any  # the trace's mark: a Node, a tangent, a Var, ...
    _base: Any  # of a view: what it is a view of. Unset where there is none, as is _views
    _views: Any

    kind: ClassVar[type[Box]]  # what operations return; _tensor.py says


def box(data: Any, trace: Trace, node: Any) -> Box:
    """A new box, past the public constructor."""
    new = object.__new__(Box.kind)
    new._inner, new._trace, new._node = data, trace, node
    return new


def bare(value: Any) -> Any:
    """The array of an eager tensor without derivative: a constant of every transform."""
    if isinstance(value, Box) and value._trace.level == 0 and value._node is None:
        return value._inner
    return value


class Trace:
    """An interpreter of operations, alive while its transform runs the user's function."""

    hidden = 0  # how many leading axes of the data the user does not see
    eager = False  # whether its boxes are what the user made: with grad, backward() and value

    def __init__(self, transform: str, function: Any = None) -> None:
        self.level = next(_LEVELS)
        self.transform = transform
        self.function = function
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def __str__(self) -> str:
        return f"ga.{self.transform}({describe(self.function)})"

    def owns(self, value: Any) -> bool:
        return isinstance(value, Box) and value._trace is self

    def lower(self, value: Any) -> Any:
        """The value one level down; constants of this trace are there already."""
        if isinstance(value, Box):
            return value._inner if value._trace is self else bare(value)
        return constant(value, self)

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Interpret one operation, at least one of whose arguments is a box of this trace."""
        raise NotImplementedError

    @property
    def recording(self) -> bool:
        return self.level >= _NO_GRAD_BELOW.get()

    def refuse(self, where: str) -> NoReturn:
        """A value of this trace was met after the trace had ended."""
        raise LeakedValueError(
            f"{where} met a value that belongs to {self}, which has ended. "
            "The function must have put it where it outlived the call: a global, an attribute, "
            "a list of the caller. Return it instead (has_aux=True helps), or keep "
            "ga.stop_gradient(x) of it."
        )


def describe(function: Any) -> str:
    """A function's name, file and line, for messages."""
    # ufuncs have no __qualname__ before NumPy 2.1, and other objects no name at all
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    name = name or repr(function)
    while hasattr(function, "__wrapped__"):  # of grad(f), the place of f
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    return f"{name}, {code.co_filename}:{code.co_firstlineno}" if code else str(name)


def bind(primitive: Primitive, args: Sequence[Any], params: dict[str, Any] = _NO_PARAMS) -> Any:
    """Apply a primitive to values of any level: the one door all operations go through."""
    trace, level = None, -1
    for a in args:
        if isinstance(a, Box):
            of = a._trace
            if of is not trace and of.level > level:
                trace, level = of, of.level
    if trace is None:
        try:
            return primitive.impl(*args, **params)
        except ValueError as error:
            raise explained(primitive, args, error) from None
    return trace.apply(primitive, args, params)


def explained(primitive: Primitive, args: Sequence[Any], error: ValueError) -> ValueError:
    """NumPy's error about shapes, with the operation, the shapes and the line of user code."""
    words = ("shape", "broadcast", "dimension", "mismatch")
    if type(error) is not ValueError or not any(w in str(error) for w in words):
        return error  # one of ours already, LinAlgError, or about something else
    shapes = " and ".join(str(np.shape(a)) for a in args if not isinstance(a, str))
    return ShapeError(f"{primitive.name} of shapes {shapes}: {str(error).strip()}.")


def constant(value: Any, where: object) -> Any:
    """A non-box argument as NumPy sees it: arrays and numbers as they are, sequences as arrays."""
    if isinstance(value, _NUMBERS) or (type(value) is np.ndarray and value.dtype.kind in "biufc"):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise DerivativeError(
            f"{where} met a MaskedArray, whose mask would be lost. Pass "
            "x.filled(...), and select with np.where."
        )
    if isinstance(value, np.matrix):
        raise DerivativeError(
            f"{where} met a np.matrix, for which * is the matrix product. Pass "
            "np.asarray(x), and write @ for products."
        )
    array = value if type(value) is np.ndarray else np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise DerivativeError(
            f"{where} takes numbers and arrays of numbers, but met {type(value).__name__} "
            f"of dtype {array.dtype}: {value!r:.60}"
        )
    return array


class ShapeDtype:
    """The shape and dtype of an array, without its data: what staging computes with.

    >>> ShapeDtype((2, 3), np.float32)
    float32[2, 3]
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Sequence[int], dtype: Any = np.float64) -> None:
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        size = 1
        for n in self.shape:
            size *= n
        return size

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ShapeDtype)
            and self.shape == other.shape
            and self.dtype == other.dtype
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


def shape_dtype(value: Any) -> ShapeDtype:
    """The shape and dtype of any value: array, box or number."""
    if not hasattr(value, "shape"):
        value = np.asarray(value)
    return ShapeDtype(value.shape, value.dtype)


def refuse_captured(name: str, trace: Trace) -> NoReturn:
    """A function that is one operation used a value that it was not passed."""
    raise DerivativeError(
        f"{name} uses a value of {trace} that it was not passed: its derivative with respect to "
        "it would be lost. Pass the value as an argument."
    )


def passed_only(name: str, trace: Trace, outs: Sequence[Any]) -> Sequence[Any]:
    """The outputs of an operation of `trace`, which must lie below it."""
    for o in outs:
        if isinstance(o, Box) and o._trace.level >= trace.level:
            refuse_captured(name, o._trace)
    return outs


def peek(value: Any) -> Any:
    """The number or array behind a value's boxes, if one is known; None if not."""
    while isinstance(value, Box):
        if value._trace.hidden or isinstance(value._inner, ShapeDtype):
            return None
        value = value._inner
    return value


def zeros(like: Any) -> Any:
    """Zeros in the shape and dtype of a value: one number with zero strides, of no size."""
    return np.broadcast_to(np.zeros((), like.dtype), like.shape)


def ones(like: Any) -> Any:
    """Ones in the shape and dtype of a value, of no size as well."""
    return np.broadcast_to(np.ones((), like.dtype), like.shape)


# Traces below this level record nothing: no_grad silences what is active, not what starts inside.
_NO_GRAD_BELOW: ContextVar[int] = ContextVar("no_grad_below", default=0)


@contextmanager
def recorded() -> Iterator[None]:
    """Within the block operations record their derivatives, whatever no_grad says outside."""
    token = _NO_GRAD_BELOW.set(0)
    try:
        yield
    finally:
        _NO_GRAD_BELOW.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Within the block (or function, as a decorator), operations record no derivative.

    Transforms that start inside the block work as usual.

    >>> import gradarg as ga
    >>> w = ga.Tensor([1.0, 2.0], requires_grad=True)
    >>> with ga.no_grad():
    ...     (w * 2).requires_grad
    False
    """
    token = _NO_GRAD_BELOW.set(next(_LEVELS))
    try:
        yield
    finally:
        _NO_GRAD_BELOW.reset(token)
