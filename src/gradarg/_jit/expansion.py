"""Operations written out in simpler ones, so that a kernel can hold them.

Each row is the operation in plain NumPy; it is staged in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.stage import Equation, Stage, Var
from .._core.trace import Box, bind, box
from .._ops import elementwise, reduce, special
from .._transform.graph import Graph
from .passes import _number, rebuilt


def _softmax(x: Any, axis: Any) -> Any:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _log_softmax(x: Any, axis: Any) -> Any:
    o = x - np.max(x, axis=axis, keepdims=True)
    return o - np.log(np.sum(np.exp(o), axis=axis, keepdims=True))


def _logsumexp(x: Any, axis: Any) -> Any:
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return np.reshape(total, tuple(n for i, n in enumerate(x.shape) if i not in axis))


def _expit(x: Any) -> Any:
    return bind(elementwise.sigmoid if x.dtype.kind == "f" else special.expit, (x,))


def _logaddexp(x: Any, y: Any) -> Any:
    for one, other in ((x, y), (y, x)):
        zero = not isinstance(one, Box) and _number(one) == 0
        if zero and np.broadcast_shapes(np.shape(one), other.shape) == other.shape:
            return bind(elementwise.softplus, (other,))
    far = np.maximum(x, y) + np.log1p(np.exp(-abs(x - y)))
    return np.where(x == y, x + math.log(2), far)  # equal infinities have no difference


ROWS: dict[Any, Callable[..., Any]] = {
    elementwise.logaddexp: _logaddexp,
    special.expit: _expit,
    reduce.softmax: _softmax,
    reduce.log_softmax: _log_softmax,
    reduce.logsumexp: _logsumexp,
}


def expanded(graph: Graph) -> Graph:
    """The graph with the operations of `ROWS` written out."""
    if not any(e.primitive in ROWS for e in graph.equations):
        return graph
    known: dict[Var, Any] = {}
    kept: list[Equation] = []
    with Stage("jit", None) as trace:
        trace.equations = kept
        for equation in graph.equations:
            inputs = tuple(known.get(i, i) if isinstance(i, Var) else i for i in equation.inputs)
            row = ROWS.get(equation.primitive)
            constant = not any(isinstance(i, Var) for i in inputs)
            if row is None or constant or equation.outs[0].type.dtype.kind != "f":
                kept.append(equation._replace(inputs=inputs))
                continue
            args = [box(i.type, trace, i) if isinstance(i, Var) else i for i in inputs]
            known[equation.outs[0]] = row(*args, **equation.params)._node
    outputs = [known.get(o, o) if isinstance(o, Var) else o for o in graph.outputs]
    return rebuilt(graph, kept, outputs)
