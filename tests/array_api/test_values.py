"""Every function of the standard gives what array-api-strict gives, at drawn arguments.

The arrays have all dtypes and shapes, NaN, infinities, signed zeros and the ends of integers.
"""

import inspect
import operator

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gradarg as ga
from tests.array_api.strict import (
    ANY,
    INTEGER,
    REAL,
    agree,
    arrays,
    back,
    broadcastable,
    compare,
    names,
    operands,
    shapes,
    to,
)

few = settings(max_examples=settings().max_examples // 5)
matrices = hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=3)
filled = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)


def takes(*words):
    """The functions with exactly these arguments, by their names in the standard."""
    for name in names():
        if tuple(inspect.signature(getattr(strict, name)).parameters) == words:
            yield name


UNARY = [n for n in takes("x") if n not in ("matrix_transpose", "unstack", "iinfo", "finfo")]
BINARY = [n for n in takes("x1", "x2") if n != "matmul"]
REDUCTIONS = [*takes("x", "axis", "keepdims"), *takes("x", "axis", "dtype", "keepdims")]
REDUCTIONS += takes("x", "axis", "correction", "keepdims")
TRIED = {*UNARY, *BINARY, *REDUCTIONS}


@pytest.mark.parametrize("name", UNARY)
@few
@given(data=st.data())
def test_of_one(name, data):
    compare(name, *data.draw(operands(name, 1)))


@pytest.mark.parametrize("name", BINARY)
@few
@given(data=st.data())
def test_of_two(name, data):
    compare(name, *data.draw(operands(name, 2)))


numbers = st.one_of(
    st.booleans(),
    st.integers(-5, 5),
    st.floats(-9, 9, width=32),
    st.complex_numbers(max_magnitude=9),
)


@pytest.mark.parametrize("name", [n for n in BINARY if "isin" not in n])
@few
@given(number=numbers, first=st.booleans(), data=st.data())
def test_of_one_and_a_number(name, number, first, data):
    x = data.draw(operands(name, 2))[0]
    compare(name, *((number, x) if first else (x, number)))


@st.composite
def reduced(draw, dtypes=ANY):
    x = draw(arrays(dtypes, elements={"min_value": -50, "max_value": 50}, shape=shapes))
    axes = st.integers(-x.ndim, x.ndim - 1) if x.ndim else st.none()
    several = st.lists(st.integers(0, max(x.ndim - 1, 0)), unique=True, max_size=x.ndim).map(tuple)
    return x, draw(st.one_of(st.none(), axes, several)), draw(st.booleans())


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


@pytest.mark.parametrize("name", REDUCTIONS)
@few
@given(x=st.one_of(tame(), arrays(REAL)), keepdims=st.booleans(), data=st.data())
def test_reductions(name, x, keepdims, data):
    options = {"axis": data.draw(axis_for(x, not name.startswith("arg"))), "keepdims": keepdims}
    words = inspect.signature(getattr(strict, name)).parameters
    if "dtype" in words and data.draw(st.booleans()):
        options["dtype"] = np.dtype(data.draw(st.sampled_from(ANY[1:])))
    if "correction" in words:
        options["correction"] = data.draw(st.sampled_from([0, 0.0, 1, 0.5]))
        assume(np.isfinite(x).all())
    if name in ("sum", "mean", "prod"):
        assume(np.all(np.abs(x) < 1e15) and np.all((x == 0) | (np.abs(x) > 1e-9)))
    compare(name, x, **options)


# ---- functions with arguments of their own

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
    return ([x, x[()] if x.ndim == 0 else x],), {"axis": draw(st.integers(-x.ndim - 1, x.ndim))}


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


@pytest.mark.parametrize("name", CASES)
@few
@given(data=st.data())
def test_case(name, data):
    args, options = CASES[name](data.draw)
    if name == "can_cast" and not strict.can_cast(to(strict, args[0]), to(strict, args[1])):
        return  # gradarg, as NumPy, allows more than the standard promises
    if hasattr(strict, of(name)):  # older versions know fewer functions
        compare(of(name), *args, **options)


ELSEWHERE = {"finfo", "iinfo", "from_dlpack"}


def test_every_function_is_tried():
    assert set(names()) - TRIED - {of(c) for c in CASES} - ELSEWHERE == set()


# ---- the array object

OPERATORS = "add sub mul truediv floordiv mod pow and_ or_ xor lshift rshift lt le gt ge eq ne"


@pytest.mark.parametrize("name", OPERATORS.split())
@few
@given(xs=broadcastable(2), number=numbers, how=st.sampled_from(["arrays", "number", "reflected"]))
def test_operators(name, xs, number, how):
    x, y = {"arrays": xs, "number": (xs[0], number), "reflected": (number, xs[0])}[how]
    same_call(lambda a, b: getattr(operator, name)(a, b), x, y)


@pytest.mark.parametrize("name", ["neg", "pos", "abs", "invert"])
@few
@given(x=arrays())
def test_unary_operators(name, x):
    same_call(getattr(operator, name), x)


@few
@given(args=st.composite(matmul)())
def test_matmul_operator(args):
    same_call(operator.matmul, *args[0])


def same_call(f, *args):
    with np.errstate(all="ignore"):
        try:
            expected = f(*to(strict, args))
        except (TypeError, ValueError, OverflowError, IndexError):
            return
        agree(back(f(*to(ga, args))), back(expected), str(args))


@few
@given(x=tame(shape=shapes), data=st.data())
def test_indexing(x, data):
    index = data.draw(hnp.basic_indices(x.shape, allow_newaxis=True, allow_ellipsis=True))
    same_call(lambda a: a[index], x)


@few
@given(x=tame(shape=shapes), data=st.data())
def test_indexing_by_a_mask(x, data):
    mask = data.draw(hnp.arrays(bool, x.shape))
    same_call(lambda a, m: a[m], x, mask)


@few
@given(x=tame(shape=filled), data=st.data())
def test_indexing_by_integers(x, data):
    shape = data.draw(st.sampled_from([(2,), (0,), (2, 2)]))
    places = [
        data.draw(hnp.arrays("int64", shape, elements={"min_value": -n, "max_value": n - 1}))
        for n in x.shape
    ]
    same_call(lambda a, *p: a[tuple(p)], x, *places)


@few
@given(x=arrays(shape=()))
def test_conversions_to_numbers(x):
    for convert in (bool, int, float, complex, operator.index):
        try:
            expected = convert(strict.asarray(x))
        except (TypeError, ValueError, OverflowError):
            continue
        np.testing.assert_equal(convert(ga.asarray(x)), expected)


@few
@given(x=arrays())
def test_attributes(x):
    t, s = ga.asarray(x), strict.asarray(x)
    assert (t.ndim, t.shape, t.size, t.dtype) == (s.ndim, s.shape, s.size, s.dtype._np_dtype)
    if x.ndim >= 2:
        agree(t.mT.value, np.asarray(s.mT._array), "mT")
    if x.ndim == 2:
        agree(t.T.value, np.asarray(s.T._array), "T")
    assert t.to_device(t.device) is t


IN_PLACE = "iadd isub imul itruediv ifloordiv imod ipow iand ior ixor ilshift irshift"


@pytest.mark.parametrize("name", IN_PLACE.split())
@few
@given(number=numbers, scalar=st.booleans(), data=st.data())
def test_in_place_operators(name, number, scalar, data):
    x, y = data.draw(broadcastable(2, mixed=False))
    if np.broadcast_shapes(x.shape, y.shape) == x.shape:
        same_call(lambda a, b: getattr(operator, name)(a, b), x, number if scalar else y)


@few
@given(x=tame(shape=shapes), data=st.data())
def test_assignment(x, data):
    index = data.draw(hnp.basic_indices(x.shape, allow_newaxis=False, allow_ellipsis=True))
    value = data.draw(hnp.arrays(x.dtype, x[index].shape[-1:], elements=bounded(x.dtype.name)))
    for v in (value, value.ravel()[:1].reshape(()) if value.size else value, 1):
        same_call(lambda a, v: assigned(a, index, v), x, v)


@few
@given(x=tame(shape=shapes), data=st.data())
def test_assignment_by_a_mask(x, data):
    mask = data.draw(hnp.arrays(bool, x.shape))
    values = data.draw(hnp.arrays(x.dtype, (int(mask.sum()),), elements=bounded(x.dtype.name)))
    same_call(lambda a, m, v: assigned(a, m, v), x, mask, values)
    same_call(lambda a, m: assigned(a, m, 1), x, mask)


def assigned(a, index, value):
    a[index] = value
    return a
