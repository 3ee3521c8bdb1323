"""Passes over a staged graph: each is a pure function from Graph to Graph, and is tested alone.

`optimised` runs them all: constants are folded, the rows of `ROWS` applied, equal operations
computed once, and what nobody uses dropped.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .._core.stage import Equation, Var
from .._core.trace import ShapeDtype, shape_dtype
from .._ops import contract, elementwise, structure, triangular
from .._transform.graph import Graph

_FOLD = 1 << 16  # elements: constants are computed once for all up to here


def optimised(graph: Graph) -> Graph:
    """The graph after all passes."""
    for one_pass in (
        without_dead_code, folded, simplified, turned, with_common_parts, without_dead_code,
        with_common_constants,
    ):  # fmt: skip
        graph = one_pass(graph)
    return graph


def rebuilt(graph: Graph, equations: Iterable[Equation], outputs: Iterable[Any]) -> Graph:
    """A graph of the same arguments with other operations."""
    return Graph(
        graph.name, graph.inputs, tuple(equations), tuple(outputs), graph.arguments, graph.result
    )


def without_dead_code(graph: Graph) -> Graph:
    """Without the operations whose results reach no output."""
    needed = {o for o in graph.outputs if isinstance(o, Var)}
    kept = []
    for equation in reversed(graph.equations):
        if any(o in needed for o in equation.outs):
            kept.append(equation)
            needed.update(i for i in equation.inputs if isinstance(i, Var))
    return rebuilt(graph, kept[::-1], graph.outputs)


Known = dict[Var, Any]  # what a variable stands for: another, or a constant


def _read(known: Known, x: Any) -> Any:
    return known.get(x, x) if isinstance(x, Var) else x


def folded(graph: Graph) -> Graph:
    """With what is computed from constants alone computed now, where the result is small."""
    known: Known = {}
    kept = []
    for equation in graph.equations:
        inputs = tuple(_read(known, i) for i in equation.inputs)
        small = all(o.type.size <= _FOLD for o in equation.outs)
        if equation.primitive is structure.ones_like:
            known[equation.outs[0]] = structure.constant_array(
                equation.outs[0].type.dtype.type(1), equation.outs[0].type.shape
            )
        elif (constant := _spread(equation, inputs)) is not None:
            known[equation.outs[0]] = constant
        elif small and not any(isinstance(i, Var) for i in inputs):
            with np.errstate(all="ignore"):
                out = equation.primitive.impl(*inputs, **equation.params)
            outs = out if equation.primitive.multi else (out,)
            known.update(zip(equation.outs, map(_fixed, outs)))
        else:
            kept.append(equation._replace(inputs=inputs))
    return rebuilt(graph, kept, (_read(known, o) for o in graph.outputs))


def _fixed(x: Any) -> Any:
    """A constant that nobody can write to: it may be shared."""
    if isinstance(x, np.ndarray) and _number(x) is None:
        x = x.copy()
        x.flags.writeable = False
    return x


def _spread(equation: Equation, inputs: tuple[Any, ...]) -> Any:
    """What is one number throughout: an array of no size, however large."""
    moves = equation.primitive in (structure.broadcast_to, structure.reshape)
    if not (moves or equation.primitive.spreads):
        return None
    numbers = [_number(i) for i in inputs]
    if any(n is None for n in numbers):
        return None
    type = equation.outs[0].type
    if moves:
        return structure.constant_array(type.dtype.type(numbers[0]), type.shape)
    singles = [type_of(i).dtype.type(n) if np.ndim(i) else i for i, n in zip(inputs, numbers)]
    with np.errstate(all="ignore"):
        one = equation.primitive.impl(*singles, **equation.params)
    return structure.constant_array(type.dtype.type(one), type.shape)


def with_common_parts(graph: Graph) -> Graph:
    """With equal operations on equal arguments done once."""
    known: Known = {}
    seen: dict[Any, tuple[Var, ...]] = {}
    kept = []
    for equation in graph.equations:
        inputs = tuple(_read(known, i) for i in equation.inputs)
        key = (id(equation.primitive), *map(_identity, inputs), repr(equation.params))
        if key in seen:
            known.update(zip(equation.outs, seen[key]))
        else:
            seen[key] = equation.outs
            kept.append(equation._replace(inputs=inputs))
    return rebuilt(graph, kept, (_read(known, o) for o in graph.outputs))


def with_common_constants(graph: Graph) -> Graph:
    """With equal constants as one, whole in memory, where nobody can write to them."""
    known: dict[Any, Any] = {}

    def common(x: Any) -> Any:
        if not isinstance(x, np.ndarray) or _number(x) is not None or not _settled(x):
            return x
        key = x.dtype.str, x.shape, x.tobytes()
        return known.setdefault(key, x if x.flags.c_contiguous else np.ascontiguousarray(x))

    equations = [e._replace(inputs=tuple(map(common, e.inputs))) for e in graph.equations]
    return rebuilt(graph, equations, graph.outputs)


def _settled(x: Any) -> bool:
    """Whether a small array, and what it is a view of, is read-only."""
    small = x.size <= _FOLD
    while isinstance(x, np.ndarray) and not x.flags.writeable:
        x = x.base
    return small and x is None


def _identity(x: Any) -> Any:
    if isinstance(x, (bool, int, float, complex)):
        return (type(x), repr(x))
    if isinstance(x, np.generic) or (isinstance(x, np.ndarray) and x.size == 1):
        return (x.dtype.str, np.shape(x), x.tobytes())
    return id(x)


# ---- algebra: one row for each name; a row returns what the result is, or None

Maker = Callable[[Var], Equation | None]  # the operation that made a variable


def _number(x: Any) -> Any:
    """The one number that a constant holds throughout, or None."""
    if isinstance(x, Var):
        return None
    if isinstance(x, np.ndarray) and x.ndim:
        if not x.size or any(x.strides):
            return None
        x = x[(0,) * x.ndim]
    return x.item() if isinstance(x, (np.generic, np.ndarray)) else x


def _same(x: Any, out: Var) -> Any:
    """x, if it has the shape and dtype of the result."""
    return x if isinstance(x, (Var, np.ndarray)) and type_of(x) == out.type else None


def _neutral(number: float, right_only: bool = False) -> Callable[..., Any]:
    """x op number = x, and number op x too unless right_only."""

    def row(equation: Equation, _made_by: Maker) -> Any:
        x, y = equation.inputs
        out = equation.outs[0]
        if _number(y) == number and _same(x, out) is not None:
            return x
        if not right_only and _number(x) == number and _same(y, out) is not None:
            return y
        return None

    return row


def _multiply(equation: Equation, made_by: Maker) -> Any:
    """x * 2 * c = x * (2 c): a power of two rounds nothing."""
    outer = _scaled(equation)
    maker = made_by(outer[1]) if outer else None
    inner = (
        _scaled(maker) if maker is not None and maker.primitive is elementwise.multiply else None
    )
    if outer is None or inner is None:
        return _neutral(1.0)(equation, made_by)
    factor, limits = outer[0] * inner[0], np.finfo(equation.outs[0].type.dtype)
    exact = any(abs(math.frexp(n)[0]) == 0.5 for n in (outer[0], inner[0]))
    if not exact or not limits.tiny <= abs(factor) <= limits.max:
        return None
    return equation._replace(inputs=(inner[1], factor))


def _scaled(equation: Equation) -> tuple[float, Var] | None:
    """c and x, of the type of c * x, if that is the operation, on floats."""
    type = equation.outs[0].type
    for x, y in (equation.inputs, equation.inputs[::-1]):
        number = _number(x)
        alike = isinstance(y, Var) and y.type == type and type.dtype.kind == "f"
        if alike and isinstance(number, int | float) and not isinstance(number, bool):
            return float(number), y
    return None


def _product(equation: Equation, _made_by: Maker) -> Any:
    """0 * inf is not met where one factor is a number other than 0 and inf."""
    if any((n := _number(i)) and np.isfinite(n) for i in equation.inputs):
        return equation._replace(primitive=elementwise.multiply)
    return None


def _exp(equation: Equation, made_by: Maker) -> Any:
    """exp(x - log(s)) = exp(x) / s, for which exp(x) is there already in a softmax.

    And exp(x - log(1 + exp(x))) is the sigmoid.
    """
    inner = _inner(equation, made_by)
    if inner is None or inner.primitive is not elementwise.subtract:
        return None
    x, y = inner.inputs
    log = made_by(y) if isinstance(y, Var) else None
    if log is not None and log.primitive is elementwise.softplus and log.inputs[0] is x:
        return equation._replace(primitive=elementwise.sigmoid, inputs=(x,))
    if log is None or log.primitive is not elementwise.log or not isinstance(x, Var):
        return None
    e = Var(x.type)
    return [
        Equation((e,), elementwise.exp, (x,), {}),
        Equation(equation.outs, elementwise.divide, (e, log.inputs[0]), {}),
    ]


def _equal(equation: Equation, made_by: Maker) -> Any:
    """log(1 + exp(x)) is nowhere below 0."""
    inner, number = _inner(equation, made_by), _number(equation.inputs[1])
    if inner is None or inner.primitive is not elementwise.softplus:
        return None
    if number is None or not number < 0:
        return None
    return structure.constant_array(np.bool_(False), equation.outs[0].type.shape)


def _where(equation: Equation, _made_by: Maker) -> Any:
    """One of the two, where the condition is the same throughout."""
    condition, x, y = equation.inputs
    number = _number(condition)
    return None if number is None else _same(x if number else y, equation.outs[0])


def _whole(equation: Equation, _made_by: Maker) -> Any:
    return _same(equation.inputs[0], equation.outs[0])


def _twice(equation: Equation, made_by: Maker) -> Any:
    inner = _inner(equation, made_by)
    if inner is not None and inner.primitive is equation.primitive:
        return _same(inner.inputs[0], equation.outs[0])
    return None


def _inner(equation: Equation, made_by: Maker) -> Equation | None:
    """What made the first argument."""
    x = equation.inputs[0]
    return made_by(x) if isinstance(x, Var) else None


def _reshape(equation: Equation, made_by: Maker) -> Any:
    inner = _inner(equation, made_by)
    if inner is not None and inner.primitive is structure.reshape:
        equation = equation._replace(inputs=inner.inputs)
        return _whole(equation, made_by) or equation
    return _whole(equation, made_by)


def _transpose(equation: Equation, made_by: Maker) -> Any:
    axes = equation.params["axes"]
    if axes == tuple(range(len(axes))):
        return equation.inputs[0]
    inner = _inner(equation, made_by)
    if inner is not None and inner.primitive is structure.transpose:
        both = tuple(inner.params["axes"][a] for a in axes)
        return equation._replace(inputs=inner.inputs, params={"axes": both})
    return None


def _conjugate(equation: Equation, made_by: Maker) -> Any:
    real = equation.outs[0].type.dtype.kind != "c"
    return _whole(equation, made_by) if real else _twice(equation, made_by)


def _matmul(equation: Equation, made_by: Maker) -> Any:
    """A column times a row, which a kernel can hold; X.T y and x Y.T as y.T X and Y x.T."""
    x, y = equation.inputs
    if type_of(x).shape[-1] == 1:
        return equation._replace(primitive=elementwise.multiply)
    (out,) = equation.outs
    if out.type.ndim != 2 or 1 not in out.type.shape:
        return None
    column = out.type.shape[1] == 1  # with a vector on the right
    inner = _made_matrix(x if column else y, made_by)
    if inner is None:
        return None
    vector = y if column else x
    turned, product = Var(_turned_type(vector)), Var(_turned_type(out))
    given = (turned, inner) if column else (inner, turned)
    return [
        Equation((turned,), structure.reshape, (vector,), {"shape": turned.type.shape}),
        equation._replace(outs=(product,), inputs=given),
        Equation((out,), structure.reshape, (product,), {"shape": out.type.shape}),
    ]


def _made_matrix(x: Any, made_by: Maker) -> Any:
    """What a matrix is the transpose of."""
    maker = made_by(x) if isinstance(x, Var) else None
    if maker is None or maker.primitive is not structure.transpose:
        return None
    return maker.inputs[0] if len(maker.params["axes"]) == 2 else None


def _solve(equation: Equation, made_by: Maker) -> Any:
    """Cholesky factors are triangles."""
    maker, lower = _inner(equation, made_by), True
    if maker is not None and maker.primitive is structure.transpose:
        axes = maker.params["axes"]
        if axes != (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2):
            return None
        maker, lower = _inner(maker, made_by), False
    if maker is None or maker.primitive is not triangular.cholesky:
        return None
    form = {"lower": lower, "unit": False}
    return equation._replace(primitive=triangular.solve_triangular, params=form)


def _sum(equation: Equation, _made_by: Maker) -> Any:
    return equation.inputs[0] if equation.params["axis"] == () else None


ROWS: dict[str, Callable[[Equation, Maker], Any]] = {
    "add": _neutral(0.0),
    "subtract": _neutral(0.0, right_only=True),
    "multiply": _multiply,
    "product": _product,
    "divide": _neutral(1.0, right_only=True),
    "quotient": _neutral(1.0, right_only=True),
    "exp": _exp,
    "equal": _equal,
    "where": _where,
    "power": _neutral(1.0, right_only=True),
    "negative": _twice,
    "conjugate": _conjugate,
    "matmul": _matmul,
    "solve": _solve,
    "positive": _whole,
    "stop_gradient": _whole,
    "astype": _whole,
    "broadcast_to": _whole,
    "reshape": _reshape,
    "transpose": _transpose,
    "sum": _sum,
}


def _unknown(_v: Var) -> None:
    return None


def simplified(graph: Graph) -> Graph:
    """With the rows of `ROWS` applied once to each operation, in order."""
    known: Known = {}
    made: dict[Var, Equation] = {}
    kept = []
    for equation in graph.equations:
        equation = equation._replace(inputs=tuple(_read(known, i) for i in equation.inputs))
        row = ROWS.get(equation.primitive.name)
        found = None
        if row is not None and len(equation.outs) == 1:
            found = row(equation, made.get)
        if isinstance(found, list):
            for new in found:
                made[new.outs[0]] = new
            kept += found
            continue
        if isinstance(found, Equation):
            equation, found = found, None
            row = ROWS.get(equation.primitive.name)
            again = row(equation, _unknown) if row is not None else None
            found = again if isinstance(again, Var) else None
        if found is not None:
            known[equation.outs[0]] = found
            continue
        made[equation.outs[0]] = equation
        kept.append(equation)
    return rebuilt(graph, kept, (_read(known, o) for o in graph.outputs))


def turned(graph: Graph) -> Graph:
    """With (x @ y).T as y.T @ x.T where x @ y is used nowhere else: BLAS turns its arguments."""
    uses = Counter(i for e in graph.equations for i in e.inputs if isinstance(i, Var))
    uses.update(o for o in graph.outputs if isinstance(o, Var))
    made = {e.outs[0]: e for e in graph.equations if e.primitive is contract.matmul}
    kept = []
    for equation in graph.equations:
        product = (
            made.get(equation.inputs[0]) if equation.primitive is structure.transpose else None
        )
        if product is None or uses[product.outs[0]] > 1 or equation.params["axes"] != (1, 0):
            kept.append(equation)
            continue
        x, y = (Var(_turned_type(i)) for i in product.inputs)
        for v, i in zip((x, y), product.inputs):
            kept.append(Equation((v,), structure.transpose, (i,), {"axes": (1, 0)}))
        kept.append(product._replace(outs=equation.outs, inputs=(y, x)))
    return simplified(rebuilt(graph, kept, graph.outputs))


def _turned_type(x: Any) -> ShapeDtype:
    type = type_of(x)
    return ShapeDtype(type.shape[::-1], type.dtype)


def type_of(x: Any) -> ShapeDtype:
    """The shape and dtype of a variable or constant."""
    return x.type if isinstance(x, Var) else shape_dtype(x)
