"""`debug_nans`: which operation made a NaN or an infinity, where, and of what.

The traces and the backward walk know nothing of this but one name: while a block is active, each
trace's `apply` is one that looks at what it returns.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from . import tape
from .batch import Batch
from .errors import NonFiniteError, user_line
from .forward import Forward
from .tape import Node, Port, Tape
from .trace import Box, ShapeDtype

_TRACES = (Tape, Forward, Batch)
_PLAIN = {trace: trace.apply for trace in _TRACES}
_ACTIVE: ContextVar[bool] = ContextVar("debug_nans", default=False)
_LOCK = threading.Lock()
_blocks = 0  # how many are active, in all threads


@contextmanager
def debug_nans() -> Iterator[None]:
    """Within the block, the first operation that makes NaN or inf of finite numbers raises.

    It looks at operations on tensors and inside transforms, at their derivatives in forward mode,
    and at the backward pass of what was recorded in the block. The error, a
    `ga.NonFiniteError`, names the operation, the line of user code and the numbers that went in.
    Infinities and NaN that come in from outside may pass; what is made of an infinity may be one.

    >>> import gradarg as ga, numpy as np
    >>> with ga.debug_nans():
    ...     ga.grad(lambda x: np.sum(np.sqrt(x)))(np.array([4.0, 0.0]))
    Traceback (most recent call last):
    gradarg.NonFiniteError: The derivative of sqrt by argument 0 is inf at [1], where ...
    """
    _switch(1)
    token = _ACTIVE.set(True)
    try:
        yield
    finally:
        _ACTIVE.reset(token)
        _switch(-1)


def _switch(change: int) -> None:
    global _blocks
    with _LOCK:
        _blocks += change
        for trace in _TRACES:
            plain = _PLAIN[trace]
            trace.apply = _watched(plain) if _blocks else plain  # type: ignore[method-assign]
        tape.blame = _blame_rule if _blocks else None


def _watched(apply: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(apply)
    def run(self: Any, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        with np.errstate(all="ignore"):  # the error says more than NumPy's warning
            outs = apply(self, primitive, args, params)
        if _ACTIVE.get():
            for out in outs if primitive.multi else (outs,):
                node = getattr(out, "_node", None)
                node = node.node if isinstance(node, Port) else node
                if isinstance(node, Node):
                    node.where = user_line()
                _check(f"{primitive.name} gave", out, args, user_line)
                if isinstance(self, Forward) and self.owns(out):
                    tangents = [a._node for a in args if self.owns(a)]
                    what = f"The derivative (in forward mode) of {primitive.name} is"
                    _check(what, node, [*args, *tangents], user_line)
        return outs

    return run


def _blame_rule(node: Node, i: int, g: Any, c: Any, values: Any) -> None:
    """Called in the backward walk with each cotangent c that a rule has made of g."""
    if _ACTIVE.get():
        what = f"The derivative of {node.primitive.name} by argument {i} is"
        gs = g if node.primitive.multi else (g,)
        _check(what, c, [*values, *gs], lambda: tape.line_of(node))


def _check(what: str, out: Any, inputs: Sequence[Any], where: Callable[[], str]) -> None:
    made, given = _array(out), [_array(x) for x in inputs]
    if made is None or made.dtype.kind not in "fc":
        return
    given = [x for x in given if x is not None]
    for kind, found in (("NaN", np.isnan), ("inf", np.isinf)):
        bad = found(made)
        if not bad.any() or any(found(x).any() for x in given):
            continue
        place = tuple(map(int, np.argwhere(bad)[0]))
        at = f" at {list(place)}, where" if made.ndim else ", where"
        numbers = ", ".join(_shown(x, made.shape, place) for x in given)
        raise NonFiniteError(
            f"{what} {kind}{at} the numbers that went in are {numbers} (first of "
            f"{np.count_nonzero(bad)} of {made.size}).\n  at {where()}"
        )


def _array(x: Any) -> Any:
    """The array behind any boxes, hidden axes and all; None if there is none."""
    while isinstance(x, Box):
        x = x._inner
    return None if x is None or isinstance(x, ShapeDtype) else np.asarray(x)


def _shown(x: Any, shape: tuple[int, ...], place: tuple[int, ...]) -> str:
    """The number of an input that belongs to a place of the output, or what it holds in all."""
    try:
        return repr(np.broadcast_to(x, shape)[place].item())
    except ValueError:
        low, high = (np.min(np.real(x)), np.max(np.real(x))) if x.size else ("no", "no")
        return f"{x.shape} from {low} to {high}"
