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
from tests.array_api.cases import CASES, axis_for, bounded, filled, matmul, numbers, of, tame
from tests.array_api.strict import (
    ANY,
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


@pytest.mark.parametrize("name", [n for n in BINARY if "isin" not in n])
@few
@given(number=numbers, first=st.booleans(), data=st.data())
def test_of_one_and_a_number(name, number, first, data):
    x = data.draw(operands(name, 2))[0]
    compare(name, *((number, x) if first else (x, number)))


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
