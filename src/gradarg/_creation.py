"""Making tensors: NumPy's and the array API's creation functions.

NumPy's own reach them through `like=`: `np.zeros(3, like=t)` is a tensor, to be filled row by row.
Values that are tensors keep their derivative: `ga.array([a, b])`, `np.linspace(a, b)`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ._core.errors import ConcreteValueError
from ._core.trace import Box, peek
from ._namespace import elementwise as ew
from ._namespace.arguments import array as _array
from ._namespace.arguments import axis_of, holds_box, number_or_array
from ._namespace.inspection import at_home
from ._namespace.manipulation import (
    broadcast_arrays,
    broadcast_to,
    concatenate,
    expand_dims,
    moveaxis,
    reshape,
)
from ._tensor import FUNCTIONS, Tensor

__all__ = [
    "arange",
    "array",
    "asanyarray",
    "asarray",
    "ascontiguousarray",
    "asfortranarray",
    "empty",
    "eye",
    "from_dlpack",
    "frombuffer",
    "fromfunction",
    "fromiter",
    "full",
    "geomspace",
    "identity",
    "linspace",
    "logspace",
    "ones",
    "require",
    "tri",
    "zeros",
]


# ---- from what there is


def asarray(
    obj: Any, /, dtype: Any = None, order: Any = None, *, device: Any = None, copy: Any = None
) -> Any:
    """A tensor of anything array-like; tensors, alone or in lists, stay in their graph.

    A tensor is returned as it is, unless it is to be changed or `copy`. The values of anything
    else are copied always, so `copy=False` is refused there.

    >>> import gradarg as ga
    >>> ga.asarray([1, 2], dtype="float32")
    Tensor([1., 2.], dtype=float32)
    """
    at_home(device, "asarray")
    if isinstance(obj, Tensor):
        same = dtype is None or np.dtype(dtype) == obj.dtype
        if copy is False and not same:
            raise ValueError(f"asarray: from {obj.dtype} to {np.dtype(dtype)} needs a copy.")
        return obj if same and not copy else ew.astype(obj, obj.dtype if same else dtype)
    if copy is False:
        raise ValueError(
            "asarray: copy=False asks for a tensor on memory that others may change, but the "
            "values of a tensor are its own. Leave copy out."
        )
    if isinstance(obj, (list, tuple)) and holds_box(obj):
        x = _array(obj)
        return x if dtype is None else ew.astype(x, dtype, copy=False)
    return Tensor(obj, dtype=dtype)  # at once: from another dtype large integers would be rounded


def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: Any = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    device: Any = None,
) -> Any:
    """As `asarray`, but a copy unless told otherwise, with at least `ndmin` dimensions."""
    x = asarray(object, dtype, device=device, copy=copy)
    return reshape(x, (1,) * (ndmin - x.ndim) + x.shape) if x.ndim < ndmin else x


def asanyarray(
    a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: Any = None
) -> Any:
    """As `asarray`: tensors have no subclasses to pass through."""
    return asarray(a, dtype, device=device, copy=copy)


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    """As `asarray`, with at least one dimension; the order in memory is of no meaning here."""
    return array(a, dtype, copy=None, ndmin=1)


def asfortranarray(a: Any, dtype: Any = None) -> Any:
    """As `asarray`; the order in memory is of no meaning here."""
    return asarray(a, dtype)


def require(a: Any, dtype: Any = None, requirements: Any = None) -> Any:
    """As `asarray`; what NumPy may require of memory is of no meaning here."""
    return asarray(a, dtype)


def from_dlpack(x: Any, /, *, device: Any = None, copy: Any = None) -> Any:
    """A tensor of the values of an array of another library, on the CPU.

    The values are copied, for a tensor's values are its own: `copy=False` is refused, except of
    a tensor. One that has a derivative to lose raises, as `t.__dlpack__()` does.
    """
    at_home(device, "from_dlpack")
    if copy is False and not isinstance(x, Tensor):
        raise ValueError(
            "from_dlpack: copy=False asks for a tensor on memory that others may change, but the "
            "values of a tensor are its own. Leave copy out."
        )
    return Tensor(np.from_dlpack(x))


def fromiter(iter: Any, dtype: Any, count: int = -1) -> Any:
    """A tensor of the numbers that an iterator gives (`count`, if given); tensors stay tensors."""
    items = [x for _, x in zip(range(count), iter)] if count >= 0 else list(iter)
    return asarray(items, dtype) if items else zeros((0,), dtype)


def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> Tensor:
    """A tensor of the numbers in a buffer."""
    return Tensor(np.frombuffer(buffer, dtype, count, offset))


def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float, **kw: Any) -> Any:
    """What a function gives for the coordinates of all elements of a shape, as tensors."""
    return function(*map(Tensor, np.indices(shape, dtype)), **kw)


# ---- of a shape


def zeros(shape: Any, dtype: Any = float, order: Any = "C", *, device: Any = None) -> Tensor:
    """A tensor of zeros."""
    at_home(device, "zeros")
    return Tensor(np.zeros(shape, dtype))


def ones(shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None) -> Tensor:
    """A tensor of ones."""
    at_home(device, "ones")
    return Tensor(np.ones(shape, dtype))


def empty(shape: Any, dtype: Any = float, order: Any = "C", *, device: Any = None) -> Tensor:
    """A tensor to be filled; of zeros, so that nothing depends on what memory held."""
    return zeros(shape, dtype, device=device)


def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", *, device: Any = None
) -> Any:
    """A tensor of one value; a tensor as the value keeps its derivative."""
    at_home(device, "full")
    if isinstance(fill_value, (list, tuple)) and holds_box(fill_value):
        fill_value = _array(fill_value)
    if isinstance(fill_value, Box):
        return asarray(broadcast_to(fill_value, shape), dtype, copy=True)
    return Tensor(np.full(shape, fill_value, dtype))


def eye(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = float,
    order: Any = "C",
    *,
    device: Any = None,
) -> Tensor:
    """N rows and M columns (N, if not given): ones on the k-th diagonal, zeros elsewhere."""
    at_home(device, "eye")
    return Tensor(np.eye(N, M, k, dtype))


def identity(n: int, dtype: Any = None) -> Tensor:
    """The n by n matrix with ones on its diagonal."""
    return Tensor(np.identity(n, dtype))


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = float) -> Tensor:
    """Ones at and below the k-th diagonal, zeros above."""
    return Tensor(np.tri(N, M, k, dtype))


# ---- of a range


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, dtype: Any = None, *, device: Any = None
) -> Any:
    """Evenly spaced numbers from start (0, if alone) up to but without stop.

    A tensor as start or step keeps its derivative; how many numbers there are depends on values,
    so those of all three must be known.
    """
    at_home(device, "arange")
    start, stop = (0, start) if stop is None else (start, stop)
    step = 1 if step is None else step
    numbers: Any = np.arange  # its stubs know no `Any`
    if not any(isinstance(x, Box) for x in (start, stop, step)):
        return Tensor(numbers(start, stop, step, dtype=dtype))
    known = [peek(x) if isinstance(x, Box) else x for x in (start, stop, step)]
    if any(x is None for x in known):
        raise ConcreteValueError(
            "arange has a length that depends on values, which are not known inside ga.vmap and "
            "ga.stage. Fix the length: start + step * ga.arange(n)."
        )
    k = numbers(len(numbers(*known)))
    dtype = np.result_type(*known) if dtype is None else np.dtype(dtype)
    return asarray(ew.add(start, ew.multiply(step, k)), dtype)


def _spread(start: Any, stop: Any, num: Any, endpoint: bool) -> tuple[Any, Any]:
    """The numbers along a new first axis, and their step: NaN where there is none."""
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"The number of samples must not be negative, but is {num}.")
    start, stop = start * 1.0, stop * 1.0  # Python numbers stay such, and promote nothing
    way, steps = _array(ew.subtract(stop, start)), num - 1 if endpoint else num
    k = np.arange(num, dtype=np.finfo(way.dtype).dtype).reshape((-1,) + (1,) * way.ndim)
    if steps <= 0:
        return ew.add(start, ew.multiply(way, k)), ew.multiply(way, np.nan)
    step = ew.divide(way, steps)
    out = ew.add(start, ew.multiply(step, k))
    return (ew.where(k == steps, stop, out) if endpoint else out), step


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """`num` evenly spaced numbers from start to stop, along a new axis; tensors keep derivatives.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda b: np.sum(np.linspace(1.0, b, 5)))(3.0)
    np.float64(2.5)
    """
    at_home(device, "linspace")
    start, stop = number_or_array(start), number_or_array(stop)
    if not (isinstance(start, Box) or isinstance(stop, Box)):
        made: Any = np.linspace
        out = made(start, stop, num, endpoint, retstep, dtype, axis)
        return (Tensor(out[0]), out[1]) if retstep else Tensor(out)
    out, step = _spread(start, stop, num, endpoint)
    if dtype is not None:
        out = ew.floor(out) if np.dtype(dtype).kind in "iu" else out
        out = ew.astype(out, dtype, copy=False)
    out = moveaxis(out, 0, axis_of(axis, out.ndim, "linspace"))
    return (out, step) if retstep else out


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """base**start to base**stop, along a new axis, the exponents evenly spaced."""
    start, stop, base = map(number_or_array, (start, stop, base))
    if not any(isinstance(x, Box) for x in (start, stop, base)):
        return Tensor(np.logspace(start, stop, num, endpoint, base, dtype, axis))
    rank = max(np.ndim(x) for x in (start, stop, base))
    start, stop = (
        reshape(x, (1,) * (rank - x.ndim) + x.shape) if 0 < np.ndim(x) < rank else x
        for x in (start, stop)
    )
    if np.ndim(base):
        base = reshape(base, (1,) * (rank - base.ndim) + base.shape)
        base = expand_dims(base, axis_of(axis, rank + 1, "logspace"))
        start, stop = broadcast_arrays(start, stop) if rank else (start, stop)
    out = ew.power(base, _on_axis(start, stop, num, endpoint, rank, axis))
    return out if dtype is None else ew.astype(out, dtype, copy=False)


def _on_axis(start: Any, stop: Any, num: int, endpoint: bool, rank: int, axis: int) -> Any:
    """The evenly spaced numbers between arrays of `rank` dimensions, along a new axis."""
    out = _spread(start, stop, num, endpoint)[0]
    out = reshape(out, (out.shape[0], *(1,) * (rank + 1 - out.ndim), *out.shape[1:]))
    return moveaxis(out, 0, axis_of(axis, rank + 1, "logspace"))


def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """start to stop, along a new axis, each number the same multiple of the one before."""
    start, stop = number_or_array(start), number_or_array(stop)
    if not (isinstance(start, Box) or isinstance(stop, Box)):
        return Tensor(np.geomspace(start, stop, num, endpoint, dtype, axis))
    for x in (start, stop):
        known = peek(x) if isinstance(x, Box) else x
        if known is not None and np.any(np.equal(known, 0)):
            raise ValueError("geomspace: no geometric sequence begins or ends at zero.")
    start, stop = broadcast_arrays(start * 1.0, stop * 1.0)
    kind = np.result_type(start.dtype, stop.dtype)
    start, stop = (ew.astype(x, kind, copy=False) for x in (start, stop))
    turn = ew.sign(start)  # a complex sequence is turned to begin on the real axis
    first, last = (ew.log10(ew.divide(x, turn)) for x in (start, stop))
    inner = ew.multiply(ew.power(10.0, _spread(first, last, num, endpoint)[0]), turn)
    parts = [inner]
    if num > 0:
        parts[:] = [expand_dims(start, 0), inner[1:]]
    if num > 1 and endpoint:
        parts[1:] = [inner[1:-1], expand_dims(stop, 0)]
    out = moveaxis(concatenate(parts, 0), 0, axis_of(axis, inner.ndim, "geomspace"))
    return out if dtype is None else ew.astype(out, dtype, copy=False)


def _read(function: Callable[..., Any]) -> Callable[..., Any]:
    """A tensor of what a function of NumPy reads from a file or text."""
    return lambda *args, **kw: Tensor(function(*args, **kw))


for _name in __all__:
    if callable(getattr(np, _name, None)):
        FUNCTIONS[getattr(np, _name)] = globals()[_name]
for _function in (np.fromfile, np.fromstring, np.genfromtxt, np.loadtxt):
    FUNCTIONS[_function] = _read(_function)
