"""Random programs of NumPy calls, for Hypothesis to draw: what test_fuzz.py differentiates.

A program is drawn step by step; each step applies one operation to values made before it. Its
operations are smooth, or have kinks that an average program does not stand on, so that differences
are an oracle as well. Values stay near 1, however long the program.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import Any

import numpy as np
from hypothesis import note
from hypothesis import strategies as st

import gradarg as ga

SHAPES = [(), (1,), (3,), (2, 3), (3, 2), (1, 3), (2, 1, 3), (2, 3, 2)]
EMPTY = [(0,), (0, 3), (2, 0)]
REAL, MIXED, COMPLEX = (np.float64,), (np.float64, np.float32), (np.complex128, np.float64)
LARGEST = 200  # elements of a value

# ---- operations of one value and of two: of real ones, and of any

REAL_UNARY: dict[str, Callable[..., Any]] = {
    "sin": np.sin,
    "tanh": np.tanh,
    "exp": lambda x: np.exp(-x * x),
    "sqrt": lambda x: np.sqrt(1 + x * x),
    "cbrt": lambda x: np.cbrt(2 + np.sin(x)),
    "log": lambda x: np.log(2 + np.cos(x)),
    "log1p": lambda x: np.log1p(x * x),
    "expm1": lambda x: np.expm1(np.tanh(x)),
    "exp2": lambda x: np.exp2(np.sin(x)),
    "arctan": np.arctan,
    "arcsin": lambda x: np.arcsin(0.9 * np.sin(x)),
    "arccosh": lambda x: np.arccosh(1.5 + x * x),
    "arctanh": lambda x: np.arctanh(0.7 * np.tanh(x)),
    "sinc": lambda x: np.sinc(x / 2),
    "cube": lambda x: np.tanh((x / 2) ** 3),
    "reciprocal": lambda x: 1 / (1 + np.abs(x)) + x,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": ga.softplus,
    "relu": lambda x: ga.relu(x) - 0.1 * x,
    "where": lambda x: np.where(x > 0, np.tanh(x * x), np.sin(x) * x),
    "clip": lambda x: np.clip(x, -0.7, 0.9) + 0.1 * x,
    "spike": lambda x: np.where(x > 9, np.sqrt(x - 9) / (x - x), x),  # what is not taken is NaN
}
ANY_UNARY: dict[str, Callable[..., Any]] = {
    "square": lambda x: np.square(x) / (1 + np.abs(x)),
    "negative": lambda x: 0.75 - x,
    "int": lambda x: 2 * x - x / 2,
    "half sine": lambda x: np.sin(x / 4),
    "root": lambda x: np.sqrt(x + 9),
    "arcsinh": lambda x: np.arcsinh(x / 3),
    "inverse": lambda x: 3 / (9 + x),
    "exponential": lambda x: np.exp(x / (1 + np.abs(x))),
    "shrunk": lambda x: x / (1 + np.abs(x)),
    "unit": lambda x: x * np.abs(x + 2),
    "conjugate": lambda x: x * np.conj(x) / (1 + np.abs(x)) + np.conj(x),
    "parts": lambda x: np.real(x) * 0.5 + np.imag(x),
    "power": lambda x: (x / 8 + 2) ** 1.5 / 3,
}
REAL_BINARY: dict[str, Callable[..., Any]] = {
    "power": lambda x, y: (1.5 + np.tanh(x)) ** np.tanh(y),
    "hypot": lambda x, y: np.hypot(x, 1 + y * y),
    "arctan2": lambda x, y: np.arctan2(x, 2 + np.cos(y)),
    "logaddexp": np.logaddexp,
    "maximum": lambda x, y: np.maximum(x, y + 0.03),
    "minimum": lambda x, y: np.minimum(x + 0.05, 2 * y),
    "remainder": lambda x, y: np.remainder(x + 0.37, 3 + np.sin(y)),
}
ANY_BINARY: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: (x + y) / 2,
    "subtract": lambda x, y: x - 0.5 * y,
    "multiply": lambda x, y: x * y / (1 + np.abs(x * y)),
    "divide": lambda x, y: x / (3 + np.abs(y)),
    "divide by": lambda x, y: x / (9 + y),
    "where": lambda x, y: np.where(np.cos(np.arange(x.size)).reshape(x.shape) > 0, x, y),
}

# ---- operations along axes. Each takes x, of at least one axis and not empty

REAL_REDUCE: dict[str, Callable[..., Any]] = {
    "max": np.max,
    "min": np.min,
    "ptp": np.ptp,
    "var": np.var,
    "std": lambda x, **k: np.sqrt(0.1 + np.var(x, **k)),
    "logsumexp": ga.logsumexp,
    "median": np.median,
    "quantile": lambda x, **k: np.quantile(x, 0.3, **k),
}
ANY_REDUCE: dict[str, Callable[..., Any]] = {
    "sum": lambda x, **k: np.sum(x, **k) / 2,
    "mean": np.mean,
    "prod": lambda x, **k: np.prod(x / (1 + np.abs(x)), **k),
    "norm": lambda x, **k: np.sqrt(np.sum(np.abs(x) ** 2, **k) + 0.1),
}
REAL_MOVE: dict[str, Callable[..., Any]] = {
    "softmax": lambda x: ga.softmax(x, axis=-1),
    "log_softmax": lambda x: ga.log_softmax(x, axis=0) / 2,
    "sort": lambda x: np.sort(x, axis=-1),
    "interp": lambda x: np.interp(x, np.array([-3.0, -1, 0.2, 2]), np.array([-1.0, 1, -0.5, 1])),
}
ANY_MOVE: dict[str, Callable[..., Any]] = {
    "ravel": lambda x: x.reshape(-1),
    "transpose": lambda x: np.transpose(x) * np.arange(1.0, 2.0, 0.5)[0],
    "flip": lambda x: np.flip(x, 0),
    "cumsum": lambda x: np.cumsum(x, axis=-1) / 2,
    "cumprod": lambda x: np.cumprod(x / (1 + np.abs(x)), axis=0),
    "broadcast": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "roll": lambda x: np.roll(x, 1, axis=-1),
    "pad": lambda x: np.pad(x, 1, mode="edge"),
    "pad with zeros": lambda x: np.pad(x, [(1, 0)] * x.ndim),
    "tile": lambda x: np.tile(x, 2),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "diff": lambda x: np.diff(x, axis=-1, prepend=0),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "split": lambda x: np.array_split(x, 2, axis=-1)[0],
    "stack": lambda x: np.stack([x, np.flip(x, -1)], axis=1),
    "outer": lambda x: np.outer(x[..., 0], np.conj(x[0])) / 4,
    "triangle": lambda x: np.tril(x) if x.ndim > 1 else x,
    "trace": lambda x: np.trace(x) if x.ndim > 1 else x[0],
    "einsum": lambda x: np.einsum("...i,...j->...ij", x, np.conj(x)) / 4,
    "fft": lambda x: np.real(np.fft.fft(x, axis=-1)) / 2,
    "spectrum": lambda x: np.abs(np.fft.fft(x + 1, axis=0)) / 3,
}


def filled(x: Any) -> Any:
    """A recurrence that fills its result row by row."""
    out = np.zeros_like(x)
    for i in range(len(x)):
        out[i] = x[i] / 2 + (out[i - 1] / 3 if i else 0)
    return out


def changed(x: Any) -> Any:
    """Assignment to parts: to a row, a mirrored copy, the negative elements, all."""
    y = x.copy()
    y[0] = np.sin(y[-1] / 2)
    y[..., ::-1] += x / 3
    y[np.real(x) < -1] = 0.3
    y -= 0.1
    return y


ANY_MOVE |= {"filled": filled, "changed": changed}


def well_conditioned(x: Any) -> Any:
    """A matrix for each row of x, with a dominant diagonal."""
    n = x.shape[-1]
    a = x / (1 + np.abs(x))
    phases = np.cos(np.arange(n * n).reshape(n, n))
    return (a[..., :, None] - 0.5 * np.conj(a[..., None, :])) * phases / n + 2 * np.eye(n)


def hermitian(x: Any) -> Any:
    a = well_conditioned(x)
    return a @ np.conj(np.swapaxes(a, -1, -2)) + np.diag(np.arange(x.shape[-1]))


LINALG: dict[str, Callable[..., Any]] = {
    "inv": lambda x: np.linalg.inv(well_conditioned(x)),
    "solve": lambda x: np.linalg.solve(well_conditioned(x), x[..., None])[..., 0],
    "det": lambda x: np.linalg.det(well_conditioned(x) / 2),
    "slogdet": lambda x: np.linalg.slogdet(well_conditioned(x))[1],
    "cholesky": lambda x: np.linalg.cholesky(hermitian(x)) / 2,
    "qr": lambda x: np.linalg.qr(well_conditioned(x))[1] / 2,
    "svdvals": lambda x: np.linalg.svdvals(well_conditioned(x)) / 2,
    "eigvalsh": lambda x: np.linalg.eigvalsh(hermitian(x)) / 4,
    "pinv": lambda x: np.linalg.pinv(well_conditioned(x)),
    "norm": lambda x: np.linalg.norm(x + 0.4, axis=-1),
    "nuclear norm": lambda x: np.linalg.norm(well_conditioned(x), "nuc", axis=(-2, -1)) / 4,
    "matrix_power": lambda x: np.linalg.matrix_power(well_conditioned(x) / 2, 3),
}
HAVE = {name.partition(" ")[2] or name for name in LINALG} & set(ga.linalg.__all__)
LINALG = {n: f for n, f in LINALG.items() if (n.partition(" ")[2] or n) in HAVE}


@dataclass
class Program:
    """Inputs, and steps that each append one value computed from values before it."""

    inputs: list[Any]
    steps: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def values(self, *inputs: Any) -> list[Any]:
        values = list(inputs)
        for function, operands in self.steps:
            values.append(function(*(values[i] for i in operands)))
        return values

    def __call__(self, *inputs: Any) -> Any:
        """The values that the last steps made, both parts of each with weights of their own."""
        last = self.values(*inputs)[-len(self.weights) :]
        return sum(weighted(v, w) for v, w in zip(last, self.weights, strict=True))


def weighted(v: Any, w: Any) -> Any:
    if v.dtype.kind == "c":
        return np.sum(np.real(v) * w) + np.sum(np.imag(v) * np.cos(w))
    return np.sum(v * w)


def is_complex(x: Any) -> bool:
    return bool(x.dtype.kind == "c")


# ---- one step: a name, a function of arrays, and which values it takes


def draw_step(draw: Any, values: list[Any]) -> Any:
    i = draw(st.integers(0, len(values) - 1))
    x = values[i]
    kinds = ["unary", "binary"]
    if x.ndim:
        kinds += ["reduce", "move", "index", "join", "product"]
    if x.ndim and x.size:
        kinds += ["linalg"]
    kind = draw(st.sampled_from(kinds))
    return KINDS[kind](draw, values, i)


def named(draw: Any, functions: dict[str, Callable[..., Any]]) -> Any:
    name = draw(st.sampled_from(sorted(functions)))
    return name, functions[name]


def unary(draw: Any, values: list[Any], i: int) -> Any:
    real = {} if is_complex(values[i]) else REAL_UNARY
    return *named(draw, ANY_UNARY | real), (i,)


def binary(draw: Any, values: list[Any], i: int) -> Any:
    j = draw(st.sampled_from([k for k, y in enumerate(values) if broadcasts(values[i], y)]))
    real = {} if is_complex(values[i]) or is_complex(values[j]) else REAL_BINARY
    return *named(draw, ANY_BINARY | real), (i, j)


def reduce(draw: Any, values: list[Any], i: int) -> Any:
    x = values[i]
    axis, keepdims = draw(st.sampled_from(axes(x))), draw(st.booleans())
    if not x.size:
        name, function = "sum", np.sum
    else:
        name, function = named(draw, ANY_REDUCE | ({} if is_complex(x) else REAL_REDUCE))
    return f"{name} {axis} {keepdims}", lambda x: function(x, axis=axis, keepdims=keepdims), (i,)


def axes(x: Any) -> list[Any]:
    """Every choice of x's axes, in some notation that NumPy takes."""
    some = chain.from_iterable(combinations(range(x.ndim), n) for n in range(1, x.ndim + 1))
    return [None, *range(-x.ndim, x.ndim), *some, tuple(-1 - a for a in range(x.ndim))]


def move(draw: Any, values: list[Any], i: int) -> Any:
    x = values[i]
    if not x.size:
        return *named(draw, {k: ANY_MOVE[k] for k in ("ravel", "transpose", "flip", "cumsum")}), (
            i,
        )
    return *named(draw, ANY_MOVE | ({} if is_complex(x) else REAL_MOVE)), (i,)


def index(draw: Any, values: list[Any], i: int) -> Any:
    """An index that fits x, basic or with arrays."""
    x = values[i]
    n = x.shape[0]
    basic = [slice(None, None, -1), slice(1, None), None, Ellipsis, (Ellipsis, None)]
    basic += [(None, slice(0, 2))]
    if not x.size:
        at = draw(st.sampled_from(basic))
        return f"index {at}", lambda x: x[at], (i,)
    k = draw(st.integers(-n, n - 1))
    arrays = [[k, 0, k, n - 1], (..., np.zeros((2, 2), int)), np.arange(n) % 2 == 0, by_sine]
    if x.ndim > 1:
        arrays += [([0, 0, n - 1], slice(None)), (np.array([[0], [k]]), ..., [0, 0, -1])]
    at = draw(st.sampled_from([k, *basic]) if draw(st.booleans()) else st.sampled_from(arrays))
    return f"index {at}", at if at is by_sine else lambda x: x[at], (i,)


def by_order(x: Any, y: Any) -> Any:
    """The elements of x in the order of those of y."""
    return np.take_along_axis(x, np.argsort(np.real(y), axis=-1), -1)


def by_sine(x: Any) -> Any:
    return by_order(x, np.sin(x / 2))


def join(draw: Any, values: list[Any], i: int) -> Any:
    x = values[i]
    j = draw(st.sampled_from([k for k, y in enumerate(values) if y.shape == x.shape]))
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    function = draw(st.sampled_from([np.concatenate, np.stack, None]))
    if function is None:
        return "in the order of", by_order, (i, j)
    return function.__name__, lambda x, y: function([x, 2 * y, x], axis=axis), (i, j)


def product(draw: Any, values: list[Any], i: int) -> Any:
    x = values[i]
    j = draw(st.sampled_from([k for k, y in enumerate(values) if fits_matmul(x, y)] or [None]))
    if j is None:
        return "matmul self", lambda x: np.swapaxes(x[None], -1, -2) @ np.conj(x[None]) / 4, (i,)
    return "matmul", lambda x, y: x @ y / 3, (i, j)


def linalg(draw: Any, values: list[Any], i: int) -> Any:
    return *named(draw, LINALG), (i,)


KINDS: dict[str, Callable[..., Any]] = {
    "unary": unary,
    "binary": binary,
    "reduce": reduce,
    "move": move,
    "index": index,
    "join": join,
    "product": product,
    "linalg": linalg,
}


def broadcasts(x: Any, y: Any) -> bool:
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return True


def fits_matmul(x: Any, y: Any) -> bool:
    return bool(x.ndim and y.ndim and x.shape[-1] == y.shape[max(-2, -y.ndim)]) and broadcasts(
        np.empty(x.shape[:-2]), np.empty(y.shape[:-2])
    )


# ---- inputs


def laid_out(x: Any, layout: str) -> Any:
    """The same values with another layout in memory."""
    if layout == "F":
        return np.asfortranarray(x)[()]
    if layout == "strided" and x.ndim:
        wide = np.repeat(x, 2, axis=-1)
        return wide[..., ::2]
    if layout == "reversed" and x.ndim:
        return np.ascontiguousarray(x[::-1])[::-1]
    return x


def draw_input(draw: Any, dtypes: Any, shapes: Any) -> Any:
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    shape, dtype = draw(st.sampled_from(shapes)), draw(st.sampled_from(dtypes))
    x = np.asarray(random.uniform(-1.5, 1.5, shape))
    if np.dtype(dtype).kind == "c":
        x = x + 1j * random.uniform(-1.5, 1.5, shape)
    layout = draw(st.sampled_from(["C", "C", "F", "strided", "reversed"]))
    return laid_out(np.asarray(x).astype(dtype), layout)


@st.composite
def programs(draw: Any, kinds: Any = (REAL, COMPLEX)) -> Program:
    """A program of inputs of the dtypes of one kind; one in five has an empty one among them."""
    dtypes = draw(st.sampled_from(kinds))
    shapes = SHAPES + EMPTY if draw(st.integers(0, 4)) == 4 else SHAPES
    inputs = [draw_input(draw, dtypes, shapes) for _ in range(draw(st.integers(1, 3)))]
    program = Program(inputs)
    for _ in range(draw(st.integers(2, 10))):
        values = program.values(*inputs)
        name, function, operands = draw_step(draw, values)
        new = function(*(values[k] for k in operands))
        if new.size > LARGEST or new.ndim > 6:
            continue
        program.steps.append((function, operands))
        program.names.append(f"{name} of {operands}")
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    last = program.values(*inputs)[-2:]
    program.weights = [np.asarray(random.normal(size=(*v.shape, 1)))[..., 0] for v in last]
    note(f"inputs {[(x.shape, str(x.dtype), x.strides) for x in inputs]}, {program.names}")
    return program
