"""L2: `Tensor`, the array that remembers how it was computed.

Each operator and method is one line: the work is done by the functions of `_namespace`, which
NumPy's own functions reach too, through the two protocols below.
"""

from __future__ import annotations

import inspect
import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np

from ._core.errors import (
    ConcreteValueError,
    DerivativeError,
    ImmutableError,
    ShapeError,
)
from ._core.tape import EAGER, Leaf, Port, Tape, backward, match
from ._core.trace import Box, ShapeDtype, Trace, bind, box, constant, peek
from ._namespace import (
    assignment,
    calculus,
    contraction,
    diagonals,
    elementwise,
    fft,
    indexing,
    inspection,
    joining,
    linalg,
    manipulation,
    mapping,
    missing,
    padding,
    polynomial,
    quantiles,
    reductions,
    searching,
    selection,
    sets,
    statistics,
    ufuncs,
    views,
)
from ._ops import elementwise as ops
from ._ops import structure

_MODULES = (
    elementwise,
    reductions,
    indexing,
    manipulation,
    joining,
    diagonals,
    padding,
    selection,
    mapping,
    contraction,
    searching,
    sets,
    calculus,
    missing,
    quantiles,
    statistics,
    polynomial,
    assignment,
)
_CONST = ops.CONSTANT
_ACCUMULATE = threading.Lock()
_KNOWS_READ_ONLY = np.lib.NumpyVersion(np.__version__) >= "2.1.0"  # as DLPack 1.0 can


class Tensor(Box):
    """An array of numbers that remembers how it was computed.

    `value` is anything NumPy makes an array of; it is copied, for a tensor never changes under
    the graph. With `requires_grad`, operations on the tensor are recorded, and `y.backward()`
    leaves dy/dx in `x.grad`.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = np.sum(x * x)
    >>> y.backward()
    >>> x.grad
    Tensor([2., 4.])
    """

    __slots__ = ()
    __array_priority__ = 1000.0

    def __init__(self, value: Any, requires_grad: bool = False, *, dtype: Any = None) -> None:
        if isinstance(value, Tensor):
            value = value._concrete("Tensor(t)")
        elif isinstance(value, np.ndarray):
            value = constant(value, "Tensor")
        data = np.array(value, dtype=dtype, order="K", subok=False)
        if data.dtype.kind not in "biufc":
            raise DerivativeError(f"A Tensor holds numbers, not {value!r:.60} ({data.dtype}).")
        data.flags.writeable = False
        self._inner = data if data.ndim else data[()]
        self._trace, self._node = EAGER, None
        if requires_grad:
            self.requires_grad = True

    # ---- what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        shape: tuple[int, ...] = self._inner.shape[self._trace.hidden :]
        return shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._inner.shape) - self._trace.hidden

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        dtype: np.dtype[Any] = self._inner.dtype
        return dtype

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self.size * self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """The bytes of one element."""
        return self.dtype.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("A tensor without axes (shape ()) has no len().")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("A tensor without axes (shape ()) cannot be iterated over.")
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        if self._trace is not EAGER:
            return f"Tensor({_inside(self._inner)}, in {self._trace})"
        shown = np.array2string(np.asarray(self._inner), separator=", ", prefix="Tensor(")
        words = [shown] if self.size else [shown, f"shape={self.shape}"]
        if self.dtype not in (np.dtype(float), np.dtype(bool), np.dtype(int), np.dtype(complex)):
            words.append(f"dtype={self.dtype}")
        node = self._node.node if isinstance(self._node, Port) else self._node
        if isinstance(node, Leaf):
            words.append("requires_grad=True")
        elif node is not None:
            words.append(f"from={node.primitive.name}")
        return f"{type(self).__name__}({', '.join(words)})"

    def __format__(self, spec: str) -> str:
        """The value formatted, as for a log: f'{loss:.3f}'."""
        value = peek(self)
        return repr(self) if value is None or not spec else format(value, spec)

    # ---- leaving the graph, by name

    @property
    def value(self) -> np.ndarray[Any, Any]:
        """The value as a read-only array. Assigning a new one replaces it (a step of training).

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> w.value = w.value - 0.5
        >>> w
        Tensor([0.5, 1.5], requires_grad=True)
        """
        self._only_made("t.value")
        if self._trace is not EAGER:
            return cast(
                "np.ndarray[Any, Any]", box(self._inner, self._trace, None)
            )  # not known yet
        array = np.asarray(self._inner).view()
        array.flags.writeable = False
        return array

    @value.setter
    def value(self, new: Any) -> None:
        self._only_made("t.value = ...")
        if not (self._node is None or isinstance(self._node, Leaf)):
            raise ImmutableError(
                "Only a tensor you made can be given a new value; this one was "
                f"computed, by {self!r:.80}. Give the result a new name."
            )
        given = self._taken(new)
        if not np.can_cast(given.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"t.value = ...: values of dtype {given.dtype} do not cast to the tensor's "
                f"{self.dtype} without loss. Cast them first: new.astype({self.dtype})."
            )
        if isinstance(given, Tensor):
            fresh = elementwise.astype(given, self.dtype, copy=False)
        else:
            fresh = Tensor(given, dtype=self.dtype)
        if fresh.shape != self.shape:
            raise ShapeError(
                f"t.value = ...: a tensor of shape {self.shape} cannot take a value "
                f"of shape {fresh.shape}."
            )
        self._inner = self._trace.lower(fresh)
        views.refresh(self)

    def _taken(self, new: Any) -> Any:
        """A new value without derivative: an array, or a staged one."""
        if isinstance(new, Tensor) and not self._trace.level >= new._trace.level > 0:
            new = new._concrete("t.value = u")
        elif isinstance(new, Tensor):
            if self._trace.owns(new) and new._node is not None:
                new._concrete("t.value = u")
            return new
        return np.asarray(new)

    def numpy(self) -> np.ndarray[Any, Any]:
        """The value as a read-only array, as `value`."""
        return self.value

    def item(self, *args: Any) -> Any:
        """One element as a Python number, for logging: the only one, or that at an index."""
        self._only_eager("t.item()")
        return np.asarray(self._inner).item(*args)

    def tobytes(self, order: Any = "C") -> bytes:
        """The values as bytes."""
        return np.asarray(self._concrete("t.tobytes()")).tobytes(order)

    def tolist(self) -> Any:
        """The value as nested lists of Python numbers."""
        return np.asarray(self._concrete("t.tolist()")).tolist()

    def detach(self) -> Tensor:
        """The same value, as a constant."""
        return cast("Tensor", bind(structure.stop_gradient, (self,)))

    def _only_made(self, call: str) -> None:
        """Refuse where the tensor stands for a value inside of a transform."""
        if not self._trace.eager:
            self._only_eager(call)

    def _only_eager(self, call: str) -> None:
        """Refuse where the value is not known, or not all there is."""
        if self._trace is not EAGER:
            index = " To index an array by it, write ga.take(a, i, axis)."
            raise ConcreteValueError(
                f"{call} would take the value out of {self._trace}, and its derivative, or its "
                "place there, would be lost. Stay inside with NumPy's functions (np.sin for "
                "math.sin, np.stack for np.array, and np.zeros(shape, like=t) for an array to "
                "write into), or return it with has_aux=True."
                + (index if self.dtype.kind in "biu" else "")
            )

    def _concrete(self, call: str) -> Any:
        """The value, where no derivative is lost by leaving."""
        self._only_eager(call)
        if self._node is not None:
            raise ConcreteValueError(
                f"{call} would lose the derivative of {self!r:.99}. Stay in the graph with NumPy's "
                "functions (np.sin for math.sin, np.stack for np.array, np.zeros(shape, like=t) to "
                "have an array to write into), or leave it on purpose with t.item() or t.detach()."
            )
        return self._inner

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        objects = (
            " (np.vectorize does it; ga.vectorize does not)" if dtype == np.dtype(object) else ""
        )
        data = np.asarray(self._concrete(f"NumPy's conversion to an array{objects}"))
        if dtype is not None and dtype != data.dtype:
            return data.astype(dtype)
        if copy:
            return data.copy()
        view = data.view()
        view.flags.writeable = False
        return view

    def __float__(self) -> float:
        return float(self._concrete("float(t) (or a function of math)"))

    def __int__(self) -> int:
        return int(self._concrete("int(t)"))

    def __complex__(self) -> complex:
        return complex(self._concrete("complex(t)"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape:
            raise TypeError(f"Only an integer tensor of shape () can be an index, not {self!r:.80}")
        return int(self._concrete("An index"))

    def __bool__(self) -> bool:
        value = peek(self)
        if value is None:
            raise ConcreteValueError(
                f"The truth of a value was asked for (by if, while, and, or, not) inside "
                f"{_unknown(self)}, where it is not known: {self!r:.100}. Write ga.where(c, x, y) "
                "to select by element, ga.cond to run one of two functions, ga.while_loop or "
                "ga.scan to repeat one; or decide by something that does not depend on the inputs."
            )
        return bool(value)

    def __reduce__(self) -> Any:
        if not isinstance(self._node, Leaf):
            self._concrete("Pickling or copying a computed tensor")
        self._only_eager("Pickling or copying")
        return _rebuild, (type(self), np.asarray(self._inner), self._node is not None)

    # ---- derivatives

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        return not self._trace.eager or self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self._only_eager("t.requires_grad = ...")
        if not self.is_leaf:
            raise ImmutableError(
                "requires_grad can be set on a tensor you made, not on a computed "
                "one. Use t.detach()."
            )
        if wanted and self.dtype.kind not in "fc":
            raise DerivativeError(
                f"A tensor of {self.dtype} carries no derivative: integers and bools do not vary "
                "smoothly. Give it floats: ga.Tensor(value, dtype=float, requires_grad=True)."
            )
        if wanted != (self._node is not None):
            self._node = Leaf(self._inner) if wanted else None

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by hand, not computed from one that requires grad."""
        return self._trace.eager and (self._node is None or isinstance(self._node, Leaf))

    @property
    def grad(self) -> Tensor | None:
        """The derivative that backward passes have added up here; None before the first."""
        self._only_made("t.grad")
        if not isinstance(self._node, Leaf):
            return None
        return cast("Tensor | None", cast("Tape", self._trace).grad_of(self._node))

    @grad.setter
    def grad(self, new: Tensor | None) -> None:
        self._only_made("t.grad = ...")
        if not isinstance(self._node, Leaf):
            raise DerivativeError("Only a tensor made with requires_grad=True has a grad.")
        if new is not None:
            new = elementwise.astype(_tensor(new), self.dtype, copy=False)
            if new.shape != self.shape:
                raise ShapeError(f"t.grad: shape {new.shape} for a tensor of shape {self.shape}.")
            if not self._trace.owns(new):
                new = cast("Tensor", box(self._trace.lower(new), self._trace, None))
        self._node.grad, self._node.passes = new, int(new is not None)

    @property
    def grad_passes(self) -> int:
        """How many backward passes `grad` is the sum of, since it was last None or set."""
        self._only_made("t.grad_passes")
        return self._node.passes if isinstance(self._node, Leaf) else 0

    def backward(
        self, grad: Any = None, create_graph: bool = False, retain_graph: bool | None = None
    ) -> None:
        """Add the derivative of this tensor to `.grad` of every leaf it was computed from.

        `grad` is the cotangent (by default 1, for a single number). The graph is freed on the way
        unless `retain_graph`; with `create_graph` the pass itself is recorded, so that the grads
        can be differentiated again.
        """
        self._only_made("t.backward()")
        tape = cast("Tape", self._trace)
        if self._node is None:
            raise DerivativeError(
                f"backward() on {self!r:.80}, which was computed from no tensor with "
                "requires_grad=True (or under ga.no_grad()), so there is nothing to differentiate."
            )
        retain = create_graph if retain_graph is None else retain_graph
        leaves = backward(
            [(self._node, self._first_cotangent(grad, create_graph))],
            retain=retain,
            onto=tape if create_graph else None,
        )
        for leaf, g in leaves.items():
            if g.dtype.kind == "c":
                g = np.conjugate(g)
            with _ACCUMULATE:
                old = tape.grad_of(leaf)
                if old is not None:
                    plain = old._node is None and not tape.owns(g)
                    g = (old._inner if plain else old) + g
                leaf.grad = g if tape.owns(g) else box(g, tape, None)
                leaf.passes = 1 if old is None else leaf.passes + 1

    def _first_cotangent(self, grad: Any, create_graph: bool) -> Any:
        shape = self._inner.shape
        if grad is None:
            if self.dtype.kind == "c":
                raise DerivativeError(
                    f"backward() starts at a real number, but this tensor is {self.dtype}. "
                    "Take .real or np.abs of it, or pass grad=."
                )
            if shape == ():
                return self._inner.dtype.type(1)
            if self.size != 1:
                raise ShapeError(
                    f"backward() starts at a single number, but this tensor has the shape {shape}. "
                    "Reduce it (np.sum, np.mean) or pass grad=."
                )
            return np.ones(shape, self.dtype)
        grad = _tensor(grad)
        if grad.shape != shape:
            raise ShapeError(
                f"backward(grad): grad has the shape {grad.shape}, the tensor {shape}; "
                "they must be equal."
            )
        if grad.dtype.kind == "c" and self.dtype.kind != "c":
            raise DerivativeError(
                f"backward(grad): grad is complex ({grad.dtype}) for a real tensor ({self.dtype})."
            )
        g = match(grad if create_graph else self._trace.lower(grad), self)
        return np.conjugate(g) if g.dtype.kind == "c" else g

    # ---- NumPy's protocols

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **kwargs: Any
    ) -> Any:
        if method == "__call__" and not out and not kwargs and ufunc in UFUNCS:  # most calls
            return UFUNCS[ufunc](*inputs)
        name = f"np.{ufunc.__name__}"
        if method == "at":
            return assignment.at(ufunc, inputs, f"{name}.at")
        places = [o for o in out if o is not None]
        for place in places:
            assignment.target(place, f"{name}(..., out=) or an in-place operator")
        function = UFUNCS.get(ufunc) or _of_scipy(ufunc)
        if function is None or (method != "__call__" and method not in ufuncs.METHODS):
            raise _no_rule(ufunc, "" if method == "__call__" else f".{method}")
        if method != "__call__":
            result = _call(ufunc, ufuncs.METHODS[method], (ufunc, function, *inputs), kwargs)
        elif kwargs:
            if places:  # what is left where `where` is false
                kwargs["unset"] = tuple(places) if len(places) > 1 else places[0]
            result = _call(ufunc, ufuncs.call, (ufunc, function, inputs), kwargs)
        else:
            result = function(*inputs)
        return _stored(places, result, name) if places else result

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func not in FUNCTIONS:
            raise _no_rule(func)
        name = _spelled(func)
        out = kwargs.get("out")
        if out is not None:
            assignment.target(out, f"{name}(..., out=)")
        if "out" in kwargs:
            kwargs = {k: v for k, v in kwargs.items() if k != "out"}
        result = _call(func, FUNCTIONS[func], args, kwargs)
        return result if out is None else _stored([out], result, name)

    # ---- the array API standard, and exchange with other libraries

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The functions of the standard: gradarg itself."""
        namespace = sys.modules[__name__.partition(".")[0]]  # not imported here: it imports us
        known = ("2021.12", "2022.12", "2023.12", namespace.__array_api_version__)
        if api_version not in (None, *known):
            raise ValueError(
                f"There is no version {api_version!r} of the array API standard here, only "
                f"{', '.join(known)}."
            )
        return namespace

    @property
    def device(self) -> str:
        """Where the values are: always "cpu"."""
        return "cpu"

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """The tensor itself, for there is one device."""
        inspection.at_home(device, "t.to_device")
        if stream is not None:
            raise ValueError("t.to_device: the CPU has no streams, so stream must be None.")
        return self

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """The values for another library: a copy, or with `copy=False` the same memory, read-only.

        Not every library heeds that memory is read-only (PyTorch does not), and what it wrote
        there would make derivatives wrong without a word: hence the copy.
        """
        data = np.asarray(self._concrete("t.__dlpack__() (a conversion by from_dlpack)"))
        if dl_device not in (None, self.__dlpack_device__()):
            raise BufferError(f"t.__dlpack__: the values are on the CPU, not on {dl_device}.")
        old = max_version is None or max_version[0] < 1 or not _KNOWS_READ_ONLY
        if copy is False and old:
            raise BufferError(
                "t.__dlpack__(copy=False) shares memory that is read-only, and no DLPack before "
                f"1.0 can say so; max_version is {max_version} (NumPy {np.__version__}, from 2.1 "
                "on for 1.0). Pass max_version=(1, 0), or take a copy."
            )
        if copy is False:
            data = data.view()
            data.flags.writeable = False
        else:
            data = data.copy()
        if old:
            return data.__dlpack__(stream=stream)
        exported: Any = data.__dlpack__  # older stubs know no max_version
        return exported(stream=stream, max_version=max_version)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # the CPU

    # ---- indexing

    def __getitem__(self, index: Any) -> Any:
        return indexing.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        assignment.setitem(self, index, value)

    @property
    def at(self) -> indexing.AtIndexer:
        """Functional updates: `x.at[i].set(v)`, `.add(v)` and others return a changed copy."""
        return indexing.AtIndexer(self)

    # ---- operators

    def __add__(self, other: Any) -> Any:
        return bind(ops.add, (self, other))

    def __radd__(self, other: Any) -> Any:
        return bind(ops.add, (self, other))

    def __sub__(self, other: Any) -> Any:
        return bind(ops.subtract, (self, other))

    def __rsub__(self, other: Any) -> Any:
        return elementwise.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return bind(ops.multiply, (self, other))

    def __rmul__(self, other: Any) -> Any:
        return bind(ops.multiply, (self, other))

    def __truediv__(self, other: Any) -> Any:
        return bind(ops.divide, (self, other))

    def __rtruediv__(self, other: Any) -> Any:
        return elementwise.divide(other, self)

    def __mod__(self, other: Any) -> Any:
        return bind(ops.remainder, (self, other))

    def __rmod__(self, other: Any) -> Any:
        return bind(ops.remainder, (other, self))

    def __pow__(self, other: Any) -> Any:
        return elementwise.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return elementwise.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return contraction.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return contraction.matmul(other, self)

    def __divmod__(self, other: Any) -> Any:
        return elementwise.divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return elementwise.divmod(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return bind(_CONST["floor_divide"], (self, other))

    def __rfloordiv__(self, other: Any) -> Any:
        return bind(_CONST["floor_divide"], (other, self))

    def __and__(self, other: Any) -> Any:
        return bind(_CONST["bitwise_and"], (self, other))

    def __rand__(self, other: Any) -> Any:
        return bind(_CONST["bitwise_and"], (other, self))

    def __or__(self, other: Any) -> Any:
        return bind(_CONST["bitwise_or"], (self, other))

    def __ror__(self, other: Any) -> Any:
        return bind(_CONST["bitwise_or"], (other, self))

    def __xor__(self, other: Any) -> Any:
        return bind(_CONST["bitwise_xor"], (self, other))

    def __rxor__(self, other: Any) -> Any:
        return bind(_CONST["bitwise_xor"], (other, self))

    def __lshift__(self, other: Any) -> Any:
        return bind(_CONST["left_shift"], (self, other))

    def __rlshift__(self, other: Any) -> Any:
        return bind(_CONST["left_shift"], (other, self))

    def __rshift__(self, other: Any) -> Any:
        return bind(_CONST["right_shift"], (self, other))

    def __rrshift__(self, other: Any) -> Any:
        return bind(_CONST["right_shift"], (other, self))

    def __lt__(self, other: Any) -> Any:
        return bind(_CONST["less"], (self, other))

    def __le__(self, other: Any) -> Any:
        return bind(_CONST["less_equal"], (self, other))

    def __gt__(self, other: Any) -> Any:
        return bind(_CONST["greater"], (self, other))

    def __ge__(self, other: Any) -> Any:
        return bind(_CONST["greater_equal"], (self, other))

    def __eq__(self, other: object) -> Any:
        return False if other is None else bind(_CONST["equal"], (self, other))

    def __ne__(self, other: object) -> Any:
        return True if other is None else bind(_CONST["not_equal"], (self, other))

    __hash__ = object.__hash__

    def __neg__(self) -> Any:
        return bind(ops.negative, (self,))

    def __pos__(self) -> Any:
        return bind(ops.positive, (self,))

    def __abs__(self) -> Any:
        return bind(ops.absolute, (self,))

    def __round__(self, ndigits: int | None = None) -> Any:
        return elementwise.round(self, ndigits or 0)

    def __invert__(self) -> Any:
        return bind(_CONST["invert"], (self,))

    # ---- methods, as an array has them

    @property
    def T(self) -> Any:
        """The axes in reversed order."""
        return manipulation.transpose(self)

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        return manipulation.matrix_transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return elementwise.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return elementwise.imag(self)

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """The same elements in another shape, given as one tuple or as integers."""
        return manipulation.reshape(self, _spread(shape), order)

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order, given as one tuple or as integers; reversed by default."""
        return manipulation.transpose(self, None if axes in ((), (None,)) else _spread(axes))

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """The slices along an axis (elements, if None) at which the condition holds."""
        return selection.compress(condition, self, axis)

    @property
    def flat(self) -> Any:
        """All elements in one dimension, to iterate over or to index."""
        return manipulation.ravel(self)

    def view(self, dtype: Any = None) -> Any:
        """The tensor again; other types for the same bytes have no derivative."""
        if dtype is not None and np.dtype(dtype) != self.dtype:
            raise DerivativeError(
                f"t.view({dtype}) reads the bytes of {self.dtype} as other numbers, which has no "
                f"derivative. t.astype({dtype}) converts the values."
            )
        return manipulation.reshape(self, self.shape)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """NumPy's `clip`, as a method."""
        return elementwise.clip(self, min, max)

    def flatten(self, order: str = "C") -> Any:
        """A copy of all elements in one dimension."""
        return manipulation.copy(manipulation.ravel(self, order))

    def fill(self, value: Any) -> None:
        """Set all elements to one value, in place."""
        assignment.setitem(self, Ellipsis, value)

    def partition(self, kth: Any, axis: int = -1, kind: str = "introselect") -> None:
        """Partition along an axis, in place; `np.partition` gives a changed copy."""
        views.store(self, selection.partition(self, kth, axis, kind), "t.partition()")

    def sort(self, axis: int = -1, kind: Any = None, *, stable: Any = None) -> None:
        """Sort along an axis, in place; `np.sort` gives a sorted copy."""
        views.store(self, reductions.sort(self, axis, kind=kind, stable=stable), "t.sort()")


def _in_place(name: str, symbol: str) -> Callable[[Any, Any], Any]:
    """`x op= y`, which changes x itself, and with it whatever other names x has."""
    operation = getattr(Tensor, f"__{name}__")

    def operator(self: Tensor, other: Any) -> Any:
        result = operation(self, other)
        if result is NotImplemented or not (self.shape or views.is_array(self)):
            return result  # of a number, which never changes, a new one
        views.store(self, result, f"x {symbol}= y")
        return self

    operator.__name__ = operator.__qualname__ = f"__i{name}__"
    return operator


for _name, _symbol in {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "matmul": "@", "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
}.items():  # fmt: skip
    setattr(Tensor, f"__i{_name}__", _in_place(_name, _symbol))


def _stored(places: Sequence[Any], result: Any, name: str) -> Any:
    """Results written into the tensors given as `out`."""
    results = result if isinstance(result, tuple) else (result,)
    for place, value in zip(places, results):
        views.store(place, value, f"{name}(..., out=)")
    return places[0] if len(places) == 1 else tuple(places)


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else Tensor(value)


def _spread(numbers: tuple[Any, ...]) -> Any:
    """(2, 3) from either of t.reshape(2, 3) and t.reshape((2, 3))."""
    return numbers[0] if len(numbers) == 1 and not isinstance(numbers[0], int) else numbers


Box.kind = Tensor

# the other methods are the functions of the same name, with the tensor as first argument
_METHODS = (
    "all any argmax argmin argpartition argsort astype choose conj conjugate copy cumprod cumsum "
    "diagonal dot max mean min nonzero prod put ravel repeat round searchsorted squeeze std sum "
    "swapaxes take trace var"
)
for _name in _METHODS.split():
    setattr(Tensor, _name, next(vars(m)[_name] for m in _MODULES if _name in m.__all__))

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
for _module in _MODULES:
    for _name in _module.__all__:
        if callable(getattr(np, _name, None)) and not isinstance(getattr(np, _name), type):
            FUNCTIONS[getattr(np, _name)] = vars(_module)[_name]
FUNCTIONS |= {
    getattr(np.linalg, n): getattr(linalg, n) for n in linalg.__all__ if hasattr(np.linalg, n)
}
FUNCTIONS[np.lib.stride_tricks.sliding_window_view] = indexing.sliding_window_view
FUNCTIONS |= {getattr(np.fft, n): getattr(fft, n) for n in fft.__all__}
for _function in (np.can_cast, np.common_type, np.iscomplexobj, np.isrealobj, np.result_type):
    FUNCTIONS[_function] = vars(inspection)[_function.__name__]
UFUNCS = {f: g for f, g in FUNCTIONS.items() if isinstance(f, np.ufunc)}


def _call(func: Any, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """NumPy's call carried over, unless it asks for something that ours does not take."""
    if kwargs:
        code = function.__code__
        if code.co_posonlyargcount > len(args):  # which NumPy may take by name
            theirs = _parameters(func)[len(args) : code.co_posonlyargcount]
            named = list(itertools.takewhile(kwargs.__contains__, theirs))
            args = (*args, *(kwargs[name] for name in named))
            kwargs = {name: v for name, v in kwargs.items() if name not in named}
        known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        for name in kwargs:
            if name not in known and not code.co_flags & inspect.CO_VARKEYWORDS:
                raise _no_rule(func, f" with {name}=")
    return function(*args, **kwargs)


def _parameters(func: Any) -> list[str]:
    """The names of NumPy's parameters, where it tells them: older ones of C have no signature."""
    try:
        return list(inspect.signature(func).parameters)
    except ValueError:
        return []


def _of_scipy(ufunc: Any) -> Any:
    """Our function for one of SciPy's ufuncs, if SciPy is there at all."""
    if "scipy.special" not in sys.modules:
        return None
    from ._namespace import special

    return special.of_ufunc(ufunc)


def _spelled(func: Any) -> str:
    module = (getattr(func, "__module__", None) or "numpy").replace("numpy", "np")
    return f"{module}.{func.__name__}"


def _no_rule(func: Any, how: str = "") -> DerivativeError:
    return DerivativeError(
        f"{_spelled(func)}{how} has no derivative rule in gradarg, so a tensor cannot pass through "
        "it. Write it with functions that have one, give it one with ga.custom_vjp, or, where no "
        "derivative is wanted, call it on t.detach().value."
    )


def _unknown(t: Any) -> Trace:
    """The trace for which a value is not known."""
    while isinstance(t._inner, Box) and not t._trace.hidden:
        t = t._inner
    trace: Trace = t._trace
    return trace


def _inside(data: Any) -> str:
    """What a box holds, on one line."""
    return (
        repr(data)
        if isinstance(data, (Box, ShapeDtype))
        else (np.array2string(np.asarray(data), separator=", ", threshold=20).replace("\n", ""))
    )


def _rebuild(cls: type[Tensor], value: Any, requires_grad: bool) -> Tensor:
    return cls(value, requires_grad=requires_grad)
