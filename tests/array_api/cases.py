"""Calls of the functions whose arguments are of their own kind, as Hypothesis draws them."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.array_api.strict import ANY, INTEGER, REAL, arrays, broadcastable, shapes

matrices = hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=3)
filled = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)
numbers = st.one_of(
    st.booleans(),
    st.integers(-5, 5),
    st.floats(-9, 9, width=32),
    st.complex_numbers(max_magnitude=9),
)


def bounded(dtype):
    """Numbers whose sums and products stay exact enough to compare."""
    if dtype == "bool":
        return {}
    if dtype in INTEGER:
        return {"min_value": 0 if dtype[0] == "u" else -9, "max_value": 9}
    if dtype in REAL:
        return {"min_value": -9, "max_value": 9, "allow_subnormal": False}
    return {"max_magnitude": 9, "allow_subnormal": False}


@st.composite
def tame(draw, dtypes=ANY, shape=shapes):
    dtype = draw(st.sampled_from(dtypes))
    return draw(hnp.arrays(dtype, shape, elements=bounded(dtype)))


def axis_for(x, several=False):
    if not x.ndim:
        return st.none()
    one = st.one_of(st.none(), st.integers(-x.ndim, x.ndim - 1))
    if not several:
        return one
    many = st.lists(st.integers(0, x.ndim - 1), unique=True, max_size=x.ndim).map(tuple)
    return st.one_of(one, many)


CASES = {}


def case(function):
    """A test that draws one call: its name is that of the function, up to a suffix."""
    CASES[function.__name__] = function
    return function


def of(name):
    return name.split("__")[0].removesuffix("_")


@case
def arange(draw):
    start, stop = draw(st.integers(-9, 9)), draw(st.one_of(st.none(), st.integers(-9, 9)))
    step = draw(st.sampled_from([1, 2, -1, -3]))
    return (start, stop, step), {"dtype": draw(st.sampled_from([None, *map(np.dtype, ANY[5:11])]))}


@case
def arange__floats(draw):
    return (draw(st.floats(-5, 5)), draw(st.floats(-5, 5)), draw(st.sampled_from([0.5, -1.25]))), {}


@case
def asarray(draw):
    numbers = st.one_of(st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.just(2j))
    nested = st.one_of(
        numbers,
        st.lists(numbers, max_size=3),
        st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=2),
    )
    return (draw(nested),), {"dtype": draw(st.sampled_from([None, np.dtype("float32")]))}


@case
def astype(draw):
    x = draw(arrays(ANY, elements=None) if draw(st.booleans()) else tame())
    target = np.dtype(draw(st.sampled_from(ANY)))
    if x.dtype.kind == "f" and target.kind in "biu":
        assume(
            np.all(np.isfinite(x))
            and np.all(np.abs(x) < 100)
            and (target.kind != "u" or np.all(x >= 0))
        )
    return (x, target), {"copy": draw(st.booleans())}


@case
def broadcast_arrays(draw):
    return tuple(draw(broadcastable(3))), {}


@case
def broadcast_to(draw):
    x, like = draw(broadcastable(2))
    return (x, np.broadcast_shapes(x.shape, like.shape)), {}


@case
def clip(draw):
    x = draw(tame(ANY[1:11]))
    lo, hi = draw(hnp.arrays(x.dtype, 3, elements=bounded(x.dtype.name))), 5
    return (
        x,
        draw(st.sampled_from([None, lo[0], lo.min()])),
        draw(st.sampled_from([None, hi])),
    ), {}


@case
def concat(draw):
    x = draw(tame(shape=filled))
    axis = draw(axis_for(x))
    return ([x, x[:1], x] if axis in (0, -x.ndim) else (x, x.astype(draw(st.sampled_from(ANY[1:]))))
            if x.dtype.kind in "iu" else (x, x),), {"axis": axis}  # fmt: skip


@case
def cumulative_sum(draw):
    x = draw(tame(ANY[1:], filled))
    axis = draw(axis_for(x)) if x.ndim == 1 else draw(st.integers(-x.ndim, x.ndim - 1))
    return (x,), {"axis": axis, "include_initial": draw(st.booleans())}


@case
def cumulative_prod(draw):
    return cumulative_sum(draw)


@case
def diff(draw):
    x = draw(tame(ANY[1:], filled))
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    ends = {w: x for w in ("prepend", "append") if draw(st.booleans())}
    return (x,), {"axis": axis, "n": draw(st.integers(0, 2)), **ends}


@case
def empty(draw):
    return (draw(shapes.filter(lambda s: 0 in s)),), {"dtype": np.dtype(draw(st.sampled_from(ANY)))}


@case
def zeros(draw):
    shape = draw(st.one_of(shapes, st.integers(0, 3)))
    return (shape,), {"dtype": draw(st.sampled_from([None, *map(np.dtype, ANY)]))}


@case
def ones(draw):
    return zeros(draw)


@case
def full(draw):
    value = draw(st.sampled_from([True, 3, 2.5, 1 + 2j]))
    kinds = {bool: ANY, int: ANY[1:], float: ANY[9:], complex: ANY[11:]}[type(value)]
    return (draw(shapes), value), {"dtype": draw(st.sampled_from([None, *map(np.dtype, kinds)]))}


@case
def full_like(draw):
    return (draw(arrays()), 1), {"dtype": draw(st.sampled_from([None, *map(np.dtype, ANY)]))}


@case
def zeros_like(draw):
    return (draw(arrays()),), {"dtype": draw(st.sampled_from([None, *map(np.dtype, ANY)]))}


@case
def ones_like(draw):
    return zeros_like(draw)


@case
def empty_like(draw):
    return (draw(arrays(shape=(0, 2))),), {"dtype": np.dtype(draw(st.sampled_from(ANY)))}


@case
def expand_dims(draw):
    x = draw(tame())
    return (x,), {"axis": draw(st.integers(-x.ndim - 1, x.ndim))}


@case
def eye(draw):
    sides = st.one_of(st.none(), st.integers(0, 4))
    options = {
        "k": draw(st.integers(-5, 5)),
        "dtype": draw(st.sampled_from([None, *map(np.dtype, ANY)])),
    }
    return (draw(st.integers(0, 4)), draw(sides)), options


@case
def flip(draw):
    x = draw(tame())
    return (x,), {"axis": draw(axis_for(x, True))}


@case
def isdtype(draw):
    kinds = ["bool", "signed integer", "unsigned integer", "integral", "real floating", "numeric"]
    kind = draw(
        st.sampled_from([*kinds, "complex floating", ("bool", "integral"), np.dtype("int8")])
    )
    return (np.dtype(draw(st.sampled_from(ANY))), kind), {}


@case
def isin(draw):
    dtype = draw(st.sampled_from(INTEGER))
    x, y = (draw(hnp.arrays(dtype, shapes, elements=bounded(dtype))) for _ in range(2))
    return (x, y), {}  # array-api-strict 2.6 takes invert=, and forgets it


@case
def linspace(draw):
    ends = st.one_of(st.integers(-9, 9), st.floats(-9, 9, width=32))
    options = {
        "dtype": draw(st.sampled_from([None, np.dtype("float32")])),
        "endpoint": draw(st.booleans()),
    }
    return (draw(ends), draw(ends)), {"num": draw(st.integers(0, 6)), **options}


@case
def matmul(draw):
    ranks = draw(
        st.sampled_from(
            [
                ((3,), (3,)),
                ((2, 3), (3,)),
                ((3,), (3, 2)),
                ((2, 1, 2, 3), (4, 3, 1)),
                ((0, 3), (3, 2)),
                ((2, 0), (0, 2)),
            ]
        )
    )
    dtype = draw(st.sampled_from(ANY[1:]))
    return tuple(draw(hnp.arrays(dtype, s, elements=bounded(dtype))) for s in ranks), {}


@case
def matrix_transpose(draw):
    return (draw(tame(shape=matrices)),), {}


@case
def meshgrid(draw):
    dtype = draw(st.sampled_from(ANY[1:]))
    vectors = [draw(hnp.arrays(dtype, (n,), elements=bounded(dtype))) for n in (2, 0, 3)]
    return tuple(vectors[: draw(st.integers(1, 3))]), {
        "indexing": draw(st.sampled_from(["xy", "ij"]))
    }


@case
def moveaxis(draw):
    x = draw(tame(shape=filled))
    axes = st.permutations(range(x.ndim))
    if draw(st.booleans()):
        return (x, draw(axes)[0], draw(axes)[0] - x.ndim), {}
    return (x, tuple(draw(axes)), tuple(draw(axes))), {}


@case
def permute_dims(draw):
    x = draw(tame())
    return (x, tuple(draw(st.permutations(range(x.ndim))))), {}


@case
def repeat(draw):
    x = draw(tame(shape=filled))
    axis = draw(axis_for(x))
    n = x.size if axis is None else x.shape[axis]
    counts = st.one_of(
        st.integers(0, 3), hnp.arrays("int64", (n,), elements={"min_value": 0, "max_value": 3})
    )
    return (x, draw(counts)), {"axis": axis}


@case
def reshape(draw):
    x = draw(tame())
    shape = draw(st.sampled_from([x.shape[::-1], (x.size,), (-1,), (1, x.size, 1), (x.size, -1)]))
    return (x, shape), {"copy": draw(st.sampled_from([None, True]))}


@case
def result_type(draw):
    return tuple(draw(broadcastable(2))), {}


@case
def roll(draw):
    x = draw(tame(shape=filled))
    axis = draw(axis_for(x, True).filter(lambda a: a != ()))
    if isinstance(axis, tuple):
        shift = tuple(draw(st.integers(-4, 4)) for _ in axis)
        return (x, draw(st.sampled_from([shift, shift[0]]))), {"axis": axis}
    return (x, draw(st.integers(-4, 4))), {"axis": axis}


@case
def searchsorted(draw):
    dtype = draw(st.sampled_from(ANY[1:11]))
    x = draw(hnp.arrays(dtype, (5,), elements=bounded(dtype)))
    v = draw(hnp.arrays(dtype, shapes, elements=bounded(dtype)))
    side = draw(st.sampled_from(["left", "right"]))
    if draw(st.booleans()):
        return (x, v), {"side": side, "sorter": np.argsort(x)}
    return (np.sort(x), v), {"side": side}


@case
def sort(draw):
    x = draw(st.one_of(tame(ANY[1:11], filled), arrays(ANY[1:11], filled)))
    assume(not np.isnan(x).any())  # whose place the standard leaves open
    options = {"descending": draw(st.booleans()), "stable": True}
    return (x + 0,), {"axis": draw(st.integers(-x.ndim, x.ndim - 1)), **options}


@case
def argsort(draw):
    return sort(draw)


@case
def squeeze(draw):
    x = draw(tame(shape=filled))
    return (x[None, :, None], draw(st.sampled_from([0, 2, (0, 2), -x.ndim - 2]))), {}


@case
def stack(draw):
    x = draw(tame())
    return ([x, x],), {"axis": draw(st.integers(-x.ndim - 1, x.ndim))}


@case
def take(draw):
    x = draw(tame(shape=filled))
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    n = x.shape[axis]
    shape = draw(st.sampled_from([(0,), (1,), (4,), (2, 2)]))
    places = draw(hnp.arrays("int64", shape, elements={"min_value": 0, "max_value": n - 1}))
    return (x, places), {"axis": axis}


@case
def take_along_axis(draw):
    x = draw(tame(shape=filled))
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    shape = list(x.shape)
    shape[axis] = draw(st.integers(0, 4))
    bounds = {"min_value": 0, "max_value": x.shape[axis] - 1}
    return (x, draw(hnp.arrays("int64", tuple(shape), elements=bounds))), {"axis": axis}


@case
def tensordot(draw):
    dtype = draw(st.sampled_from(ANY[1:]))
    x = draw(hnp.arrays(dtype, (2, 3, 2), elements=bounded(dtype)))
    y, axes = draw(
        st.sampled_from([((3, 2, 1), 2), ((2, 4), 1), ((2,), 0), ((2, 2), ((0, 2), (1, 0)))])
    )
    return (x, draw(hnp.arrays(dtype, y, elements=bounded(dtype)))), {"axes": axes}


@case
def tile(draw):
    repetitions = st.lists(st.integers(0, 3), max_size=4).map(tuple)
    return (draw(tame()), draw(repetitions)), {}


@case
def tril(draw):
    return (draw(tame(shape=matrices)),), {"k": draw(st.integers(-4, 4))}


@case
def triu(draw):
    return tril(draw)


@case
def unstack(draw):
    x = draw(tame(shape=filled))
    return (x,), {"axis": draw(st.integers(-x.ndim, x.ndim - 1))}


@case
def vecdot(draw):
    dtype = draw(st.sampled_from(ANY[1:]))
    x = draw(hnp.arrays(dtype, (2, 3, 2), elements=bounded(dtype)))
    y = draw(
        hnp.arrays(
            dtype, draw(st.sampled_from([(2, 3, 2), (1, 1, 2), (3, 2)])), elements=bounded(dtype)
        )
    )
    return (x, y), {"axis": -1}


@case
def where(draw):
    condition, x, y = draw(broadcastable(3))
    return (condition.astype(bool), x, y), {}


@case
def where__number(draw):
    condition, x = draw(broadcastable(2))
    return (condition.astype(bool), *draw(st.permutations([x, draw(numbers)]))), {}


@case
def can_cast(draw):
    return (draw(arrays()), np.dtype(draw(st.sampled_from(ANY)))), {}


@case
def broadcast_shapes(draw):
    return tuple(x.shape for x in draw(broadcastable(3))), {}
