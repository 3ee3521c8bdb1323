"""Products that sum over axes, under NumPy's names: all made of `matmul` and `einsum`."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.errors import ShapeError
from .._core.trace import bind
from .._ops import contract, elementwise, structure
from .arguments import array, axis_of
from .diagonals import diagonal
from .elementwise import astype
from .manipulation import moveaxis, ravel, reshape, transpose

__all__ = [
    "dot",
    "einsum",
    "inner",
    "kron",
    "matmul",
    "outer",
    "matvec",
    "tensordot",
    "vdot",
    "vecdot",
    "vecmat",
]


def matmul(x1: Any, x2: Any, /) -> Any:
    """The matrix product over the last axis of x1 and the last but one of x2.

    Vectors count as a row on the left and as a column on the right; further axes broadcast.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda w: np.sum(np.array([[1.0, 2.0], [3.0, 4.0]]) @ w))(np.ones(2))
    array([4., 6.])
    """
    x, y = array(x1), array(x2)
    if x.ndim == 0 or y.ndim == 0:
        raise ShapeError(f"matmul: {_shapes(x, y)} holds a single number; multiply with * instead.")
    return _product("matmul", x, y)


def _product(name: str, x: Any, y: Any) -> Any:
    m, n = x.ndim, y.ndim
    if x.shape[-1] != y.shape[0 if n == 1 else -2]:
        raise ShapeError(
            f"{name}: {_shapes(x, y)} do not fit: the last axis on the left has {x.shape[-1]} "
            f"elements, the {'only' if n == 1 else 'last but one'} on the right "
            f"{y.shape[0 if n == 1 else -2]}."
        )
    if m >= 2 and n >= 2:
        return bind(contract.matmul, (x, y))
    if m == 1:
        x = bind(structure.reshape, (x,), {"shape": (1, *x.shape)})
    if n == 1:
        y = bind(structure.reshape, (y,), {"shape": (*y.shape, 1)})
    out = bind(contract.matmul, (x, y))
    kept = out.shape[:-2] + (out.shape[-2:-1] if m > 1 else ()) + (out.shape[-1:] if n > 1 else ())
    return bind(structure.reshape, (out,), {"shape": kept})


def _shapes(x: Any, y: Any) -> str:
    return f"shapes {tuple(x.shape)} and {tuple(y.shape)}"


def dot(a: Any, b: Any) -> Any:
    """The sum over the last axis of a and the last but one (or only) of b, without broadcasting."""
    a, b = array(a), array(b)
    if a.ndim == 0 or b.ndim == 0:
        return bind(elementwise.multiply, (a, b))
    if a.ndim <= 2 and b.ndim <= 2:
        return _product("dot", a, b)
    return _sum_over("dot", a, b, [a.ndim - 1], [max(b.ndim - 2, 0)])


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum over pairs of axes: the last n of a with the first n of b, or the listed ones."""
    a, b = array(a), array(b)
    if isinstance(axes, int):
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        left, right = (list(x) if isinstance(x, (list, tuple)) else [x] for x in axes)
    left = [axis_of(i, a.ndim, "tensordot") for i in left]
    right = [axis_of(i, b.ndim, "tensordot") for i in right]
    return _sum_over("tensordot", a, b, left, right)


def _sum_over(name: str, a: Any, b: Any, left: list[int], right: list[int]) -> Any:
    sizes = [a.shape[i] for i in left]
    if sizes != [b.shape[i] for i in right]:
        raise ShapeError(f"{name}: {_shapes(a, b)} differ in the axes {left} and {right}.")
    rows = [i for i in range(a.ndim) if i not in left]
    columns = [i for i in range(b.ndim) if i not in right]
    shared = int(np.prod(sizes, dtype=int))
    # lengths are spelled out, since -1 is ambiguous beside an empty axis
    m = int(np.prod([a.shape[i] for i in rows], dtype=int))
    n = int(np.prod([b.shape[i] for i in columns], dtype=int))
    x = reshape(transpose(a, rows + left), (m, shared))
    y = reshape(transpose(b, right + columns), (shared, n))
    shape = tuple(a.shape[i] for i in rows) + tuple(b.shape[i] for i in columns)
    return reshape(bind(contract.matmul, (x, y)), shape)


def outer(a: Any, b: Any) -> Any:
    """The product of every element of a with every element of b, as a matrix."""
    a, b = ravel(a), ravel(b)
    return bind(elementwise.multiply, (reshape(a, (a.size, 1)), reshape(b, (1, b.size))))


def inner(a: Any, b: Any) -> Any:
    """The sum over the last axes of a and b."""
    a, b = array(a), array(b)
    if a.ndim == 0 or b.ndim == 0:
        return bind(elementwise.multiply, (a, b))
    return _sum_over("inner", a, b, [a.ndim - 1], [b.ndim - 1])


def vdot(a: Any, b: Any) -> Any:
    """The sum of conj(a) * b over all elements."""
    a, b = array(a), array(b)
    if a.size != b.size:
        raise ShapeError(f"vdot: {_shapes(a, b)} differ in the number of elements.")
    return _product("vdot", ravel(_conjugated(a)), ravel(b))


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """The sum of conj(x1) * x2 along an axis."""
    x, y = array(x1), array(x2)
    if x.shape[axis_of(axis, x.ndim, "vecdot")] != y.shape[axis_of(axis, y.ndim, "vecdot")]:
        raise ShapeError(f"vecdot: {_shapes(x, y)} differ in the axis {axis}.")
    x, y = moveaxis(_conjugated(x), axis, -1), moveaxis(y, axis, -1)
    product = bind(elementwise.multiply, (x, y))
    total = bind(structure.sum, (product,), {"axis": (product.ndim - 1,)})
    return astype(total, product.dtype, copy=False)  # a sum of small integers is of larger ones


def _conjugated(x: Any) -> Any:
    return bind(elementwise.conjugate, (x,)) if x.dtype.kind == "c" else x


def matvec(x1: Any, x2: Any, /) -> Any:
    """Each matrix of x1 times the vector of x2: the sum over the last axis of both."""
    x2 = array(x2)
    return matmul(x1, reshape(x2, (*x2.shape, 1)))[..., 0]


def vecmat(x1: Any, x2: Any, /) -> Any:
    """The conjugate of each vector of x1 times the matrix of x2."""
    x1 = _conjugated(array(x1))
    return matmul(reshape(x1, (*x1.shape[:-1], 1, x1.shape[-1])), x2)[..., 0, :]


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product: every element of a times the whole of b."""
    a, b = array(a), array(b)
    rank = max(a.ndim, b.ndim)
    m = (1,) * (rank - a.ndim) + tuple(a.shape)
    n = (1,) * (rank - b.ndim) + tuple(b.shape)
    x = reshape(a, tuple(d for k in m for d in (k, 1)))
    y = reshape(b, tuple(d for k in n for d in (1, k)))
    return reshape(bind(elementwise.multiply, (x, y)), tuple(i * j for i, j in zip(m, n)))


# ---- einsum


def einsum(subscripts: Any, /, *operands: Any, optimize: Any = None) -> Any:
    """The sum of products that the subscripts spell, in Einstein's notation.

    In NumPy's other form each operand is followed by the list of its indices, and the indices of
    the output may come last: `einsum(a, [0, 1], b, [1], [0])`.

    >>> import gradarg as ga, numpy as np
    >>> ga.grad(lambda a: ga.einsum("ij,j->", a, np.array([1.0, 2.0])))(np.zeros((2, 2)))
    array([[1., 2.],
           [1., 2.]])
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists((subscripts, *operands))
    arrays = [array(x) for x in operands]
    inputs, output = _explicit(subscripts, arrays)
    if len(arrays) == 1 and len(inputs[0]) == len(output):  # a view, as in NumPy
        return transpose(arrays[0], [inputs[0].index(c) for c in output])
    for i, letters in enumerate(inputs):
        arrays[i], inputs[i] = _distinct(arrays[i], letters)
    for i, letters in enumerate(inputs):
        elsewhere = set(output).union(*(inputs[:i] + inputs[i + 1 :]))
        arrays[i], inputs[i] = _summed(arrays[i], letters, elsewhere)
    if len(arrays) == 1 and inputs[0] == output:
        return arrays[0]
    params = {"subscripts": f"{','.join(inputs)}->{output}"}
    try:
        return bind(contract.einsum, arrays, params)
    except ValueError:
        contract.einsum.shape(*arrays, **params)  # which names the operation and the lengths
        raise


def _from_lists(items: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Operands and their lists of indices, in turn, as subscripts and operands."""
    even = len(items) // 2 * 2
    lists = [*items[1:even:2], *items[even:]]
    if not all(isinstance(indices, (list, tuple)) for indices in lists):
        raise ShapeError(
            "einsum takes its subscripts as a string first, such as 'ij,jk->ik', or a list of "
            "integers after each operand."
        )
    letters = string.ascii_uppercase + string.ascii_lowercase
    words = ["".join("..." if i is Ellipsis else letters[i] for i in each) for each in lists]
    count = even // 2
    return ",".join(words[:count]) + "".join(f"->{w}" for w in words[count:]), items[:even:2]


def _explicit(subscripts: str, arrays: Sequence[Any]) -> tuple[list[str], str]:
    """The subscripts of each operand and of the output, without ellipses."""
    text = subscripts.replace(" ", "")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(arrays):
        raise ShapeError(
            f"einsum: '{subscripts}' names {len(inputs)} operands, but {len(arrays)} were given."
        )
    free = [c for c in map(chr, range(ord("A"), ord("Z") + 1)) if c not in text]
    extra = [
        x.ndim - len(s.replace("...", "")) if "..." in s else 0 for s, x in zip(inputs, arrays)
    ]
    shared = "".join(free[: max(0, *extra)])
    for i, (s, x) in enumerate(zip(inputs, arrays)):
        inputs[i] = s.replace("...", shared[len(shared) - extra[i] :] if extra[i] > 0 else "")
        if len(inputs[i]) != x.ndim:
            raise ShapeError(
                f"einsum: '{s}' of '{subscripts}' does not fit an operand of shape "
                f"{tuple(x.shape)}."
            )
    if arrow:
        if shared and "..." not in output:
            raise ShapeError(
                f"einsum: the Ellipsis (...) of '{subscripts}' stands for axes of the operands, so "
                "the output needs one too."
            )
        output = output.replace("...", shared)
    else:
        counts = Counter("".join(inputs))
        output = shared + "".join(sorted(c for c in counts if counts[c] == 1 and c not in shared))
    unknown = set(output) - set("".join(inputs))
    if unknown or len(set(output)) != len(output):
        raise ShapeError(
            f"einsum: the output of '{subscripts}' must name letters of the inputs, each once."
        )
    return inputs, output


def _distinct(x: Any, letters: str) -> tuple[Any, str]:
    """An operand with the diagonal taken of each letter that stands twice."""
    for c in dict.fromkeys(letters):
        while letters.count(c) > 1:
            i = letters.index(c)
            j = letters.index(c, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError(
                    f"einsum: '{letters}' repeats {c} over axes of the lengths "
                    f"{x.shape[i]} and {x.shape[j]}."
                )
            x = diagonal(x, 0, i, j)
            letters = letters[:i] + letters[i + 1 : j] + letters[j + 1 :] + c
    return x, letters


def _summed(x: Any, letters: str, elsewhere: set[str]) -> tuple[Any, str]:
    """An operand summed over the letters that stand nowhere else."""
    axes = tuple(i for i, c in enumerate(letters) if c not in elsewhere)
    if not axes:
        return x, letters
    return (
        bind(structure.sum, (x,), {"axis": axes}),
        "".join(c for c in letters if c in elsewhere),
    )
