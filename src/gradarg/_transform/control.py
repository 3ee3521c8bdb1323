"""Control flow that is staged, mapped and differentiated: cond, while_loop, fori_loop, scan."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core import tree
from .._core.errors import ShapeError, TreeError
from .._core.trace import Box, ShapeDtype, bind, describe, peek, shape_dtype
from .arguments import numeric, owned
from .body import Body, closed
from .drawn import baked
from .loops import COND, SCAN, WHILE, in_chunks

_NUMBERS = (bool, int, float, complex)
_BAKED = (
    ": a step draws from {}, but it runs once, to be staged, so the numbers would be the same in "
    "all steps. Draw them for all steps outside, and scan over them."
)


def _is_number(leaf: Any) -> bool:
    """A Python number, which takes the dtype of what it meets."""
    return isinstance(leaf, _NUMBERS) and not isinstance(leaf, np.generic)


def _fits(number: Any, dtype: Any) -> bool:
    try:
        return bool(np.result_type(number, dtype) == dtype)
    except OverflowError:
        return False


class _Staged:
    """A function of trees, staged as a body: its captured values, its result's structure.

    A Python number that the function returns takes the dtype of `like`, where it fits.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        arguments: tree.Structure,
        types: Sequence[ShapeDtype],
        where: str,
        like: Sequence[Any] = (),
    ) -> None:
        self.numbers: list[bool] = []
        results = []

        def on_leaves(*leaves: Any) -> tuple[Any, ...]:
            outs, result = tree.flatten(f(*arguments.unflatten(leaves)))
            results.append(result)
            self.numbers = [_is_number(o) for o in outs]
            for i, (o, t) in enumerate(zip(outs, like)):
                if t is not None and self.numbers[i] and _fits(o, t.dtype):
                    outs[i] = t.dtype.type(o)
            return tuple(numeric(o, f"{where}, what {_name(f)} returned") for o in outs)

        on_leaves.__name__ = _name(f)
        self.body, self.captured = closed(on_leaves, types)
        self.result: tree.Structure = results[0]

    @property
    def used(self) -> list[Any]:
        """The arrays that the function finds elsewhere."""
        inputs = [i for e in self.body.graph.equations for i in e.inputs]
        return [*self.captured, *(i for i in inputs if isinstance(i, (np.ndarray, np.generic)))]

    @property
    def shown(self) -> str:
        """The shapes and dtypes of the result, in its form."""
        return str(self.result.unflatten(self.body.types))


def _name(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _leaves(value: Any, where: str, beside: Sequence[Any] = ()) -> tuple[list[Any], tree.Structure]:
    """The leaves of a tree, each an array; Python floats in the width of the arrays beside them."""
    leaves, structure = tree.flatten(value)
    arrays = [numeric(x, where) for x in leaves]
    others = [*beside, *(a for a, x in zip(arrays, leaves) if not _is_number(x))]
    floats = [x.dtype for x in others if x.dtype.kind in "fc"]
    if floats:
        width = np.zeros(0, np.result_type(*floats)).real.dtype
        arrays = [width.type(x) if type(x) is float else a for a, x in zip(arrays, leaves)]
    return arrays, structure


def _merged(first: _Staged, second: _Staged) -> tuple[Body, Body, list[Any]]:
    """Two bodies with the captured values of both as their first arguments."""
    a, b = first.captured, second.captured
    return (
        first.body.taking([shape_dtype(x) for x in b], len(a)),
        second.body.taking([shape_dtype(x) for x in a], 0),
        [*a, *b],
    )


def cond(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any
) -> Any:
    """true_fun(*operands) if pred, else false_fun(*operands), where pred may not be known yet.

    Where `pred` is known, the function is simply called. Inside jit and stage both branches are
    staged, and must return the same structure, shapes and dtypes; one of them is run. Where vmap
    maps over `pred`, both are run, and their results selected.

    >>> import gradarg as ga, numpy as np
    >>> f = lambda x: ga.cond(x > 0, np.sqrt, np.exp, x)
    >>> ga.vmap(ga.grad(f))(np.array([4.0, 0.0]))
    array([0.25, 1.  ])
    """
    where = f"ga.cond({describe(true_fun)}, {_name(false_fun)})"
    pred = numeric(pred, where)
    if pred.shape != ():
        raise ShapeError(f"{where}: the predicate is one truth value, not of shape {pred.shape}. "
                         "Select by element with ga.where.")  # fmt: skip
    known = peek(pred)
    if known is not None:
        return (true_fun if known else false_fun)(*operands)
    leaves, structure = _leaves(operands, where)
    types = [shape_dtype(x) for x in leaves]
    then = _Staged(true_fun, structure, types, where)
    like = [None if n else t for t, n in zip(then.body.types, then.numbers)]
    other = _Staged(false_fun, structure, types, where, like)
    if then.body.types != other.body.types and any(then.numbers):
        then = _Staged(true_fun, structure, types, where, other.body.types)
    if then.result != other.result or then.body.types != other.body.types:
        raise TreeError(
            f"{where}: both branches must return the same structure, shapes and dtypes, but "
            f"{_name(true_fun)} returns {then.shown}, and {_name(false_fun)} {other.shown}."
        )
    first, second, captured = _merged(then, other)
    args = [pred, *captured, *leaves]
    outs = bind(COND, args, {"then": first, "other": second})
    return then.result.unflatten(owned(outs, args))


def _carried(
    f: Callable[..., Any],
    init: Any,
    more: tree.Structure | None,
    slices: Sequence[ShapeDtype],
    where: str,
) -> tuple[_Staged, list[Any], tree.Structure, int]:
    """A step, staged, with what it begins with: its carry must keep its form.

    Python floats that it begins with have the width of the arrays beside them, or, where there are
    none, of those that the step uses; Python numbers then take the dtype that the step gives them.
    """
    raw = tree.flatten(init)[0]
    leaves, structure = _leaves(init, where, slices)
    alone = all(map(_is_number, raw)) and not any(t.dtype.kind in "fc" for t in slices)
    arguments = tree.flatten((init,))[1] if more is None else _pair(structure, more)
    while True:
        types = [shape_dtype(x) for x in leaves]
        with baked(f, where + _BAKED, shared=True):
            staged = _Staged(f, arguments, [*types, *slices], where, types)
        if alone:
            alone = False
            leaves = _leaves(init, where, staged.used)[0]
            if [shape_dtype(x) for x in leaves] != types:
                continue
        result = staged.result
        if more is not None:
            if result.kind is not tuple or len(result.children) != 2:
                raise TreeError(f"{where}: a step returns a pair (carry, y), not {staged.shown}.")
            result = result.children[0]
        count = result.count
        if result != structure:
            break
        found = staged.body.types[:count]
        if found == types:
            return staged, leaves, structure, count
        grown = [
            t.dtype.type(r) if _is_number(r) and t.shape == () and _fits(r, t.dtype) else x
            for r, x, t in zip(raw, leaves, found)
        ]
        if [shape_dtype(x) for x in grown] == types:
            break
        leaves = grown
    begins = structure.unflatten([shape_dtype(x) for x in leaves])
    becomes = result.unflatten(staged.body.types[:count])
    raise TreeError(
        f"{where}: the carry must keep its structure, shapes and dtypes, but it begins as "
        f"{begins}, and a step makes {becomes} of it."
    )


def _pair(first: tree.Structure, second: tree.Structure) -> tree.Structure:
    return tree.Structure(tuple, None, (first, second), first.count + second.count)


def while_loop(cond_fun: Callable[..., Any], body_fun: Callable[..., Any], init: Any) -> Any:
    """The first of init, body_fun(init), body_fun(body_fun(init)), ... that is not cond_fun.

    The carry is any tree; its structure, shapes and dtypes stay what they are. Both functions are
    staged, however many steps there will be. It has derivatives of any order in forward mode;
    in reverse mode it raises, as the number of steps is not known: write `scan`, or `fori_loop`.

    >>> import gradarg as ga
    >>> f = lambda x: ga.while_loop(lambda y: y < 100.0, lambda y: y * y, x)
    >>> ga.jvp(f, (2.0,), (1.0,))
    (np.float64(256.0), np.float64(1024.0))
    """
    where = f"ga.while_loop({describe(body_fun)})"
    step, leaves, structure, _ = _carried(body_fun, init, None, (), where)
    arguments = tree.flatten((init,))[1]
    test = _Staged(cond_fun, arguments, [shape_dtype(x) for x in leaves], where)
    if [t.shape for t in test.body.types] != [()] or test.result != tree.LEAF:
        raise ShapeError(f"{where}: {_name(cond_fun)} must return one truth value, not "
                         f"{test.shown}.")  # fmt: skip
    first, second, captured = _merged(test, step)
    args = [*captured, *leaves]
    outs = bind(WHILE, args, {"test": first, "body": second, "consts": len(captured)})
    return structure.unflatten(owned(outs, args))


def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    checkpoint: bool = False,
) -> Any:
    """(final carry, ys): carry, y = f(carry, x) for each x along the first axis of xs, y stacked.

    The carry, x and y are any trees; the carry keeps its structure, shapes and dtypes. Without
    `xs`, `length` says how many steps there are, and x is None. With `reverse`, the steps go from
    the last x to the first.

    f is staged once, however many steps there are, and what it captures is differentiated too.
    Random numbers that it draws are thus the same in all steps: pass them as xs. For the way back
    each step keeps what it computed and its derivative needs (an f that is a `ga.checkpoint` keeps
    its arguments alone); with `checkpoint`, about sqrt(length) carries are kept, and each step runs
    twice.

    >>> import gradarg as ga, numpy as np
    >>> f = lambda r: ga.scan(lambda c, x: (c * r + x, c), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> f(2.0)
    (np.float64(11.0), array([0., 1., 4.]))
    >>> ga.grad(lambda r: f(r)[0])(2.0)
    np.float64(6.0)
    """
    where = f"ga.scan({describe(f)})"
    sliced, xs_structure = tree.flatten(xs)
    sliced = [numeric(x, where) for x in sliced]
    steps = _steps(sliced, length, where)
    slices = [ShapeDtype(x.shape[1:], x.dtype) for x in sliced]
    staged, leaves, structure, carries = _carried(f, init, xs_structure, slices, where)
    consts = len(staged.captured)
    args = [*staged.captured, *leaves, *sliced]
    if checkpoint and steps > 1:
        found = in_chunks(staged.body, args, consts, carries, steps, bool(reverse))
    else:
        params = {"consts": consts, "carries": carries, "length": steps, "reverse": bool(reverse)}
        found = bind(SCAN, args, {"body": staged.body, **params})
    outs = owned(found, args)
    return structure.unflatten(outs[:carries]), staged.result.children[1].unflatten(outs[carries:])


def _steps(xs: Sequence[Any], length: int | None, where: str) -> int:
    if any(x.shape == () for x in xs):
        raise ShapeError(f"{where}: an array without axes is among xs, which has nothing to go "
                         "along. Pass it in the carry, or use it inside the function.")  # fmt: skip
    found = {x.shape[0] for x in xs} | ({operator.index(length)} if length is not None else set())
    if not found:
        raise ShapeError(f"{where}: without xs, length= must say how many steps there are.")
    if len(found) > 1 or min(found) < 0:
        shown = ", ".join(str(x.shape) for x in xs) or "none"
        raise ShapeError(f"{where}: the first axes of xs and length must be one number of steps, "
                         f"but the shapes are {shown}, and length is {length}.")  # fmt: skip
    return found.pop()


def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init: Any) -> Any:
    """The carry after carry = body_fun(i, carry) for i in range(lower, upper), from init.

    With bounds that are known it is a `scan`, and has derivatives in both modes; with others (an
    argument inside jit), it is a `while_loop`.

    >>> import gradarg as ga
    >>> ga.grad(lambda x: ga.fori_loop(0, 3, lambda i, y: y * x + i, 1.0))(2.0)
    np.float64(13.0)
    """
    low, high = (peek(b) if isinstance(b, Box) else b for b in (lower, upper))
    if low is not None and high is not None:
        counter = np.arange(operator.index(low), operator.index(high))
        counter.flags.writeable = False

        def step(carry: Any, i: Any) -> tuple[Any, None]:
            return body_fun(i, carry), None

        step.__name__ = _name(body_fun)
        return scan(step, init, counter)[0]

    def further(state: Any) -> Any:
        i, end, carry = state
        return i + 1, end, body_fun(i, carry)

    further.__name__ = _name(body_fun)
    start = (numeric(lower, "ga.fori_loop"), numeric(upper, "ga.fori_loop"), init)
    return while_loop(lambda state: state[0] < state[1], further, start)[2]


__all__ = ["cond", "fori_loop", "scan", "while_loop"]
