"""Every public function of arrays, against NumPy's, in each way that it can be called."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import gradarg as ga
from gradarg._namespace import (
    calculus,
    contraction,
    diagonals,
    elementwise,
    fft,
    indexing,
    joining,
    linalg,
    manipulation,
    mapping,
    missing,
    padding,
    polynomial,
    quantiles,
    reductions,
    searching,
    selection,
    sets,
    special,
    statistics,
    windows,
)
from gradarg.testing import check_grads
from tests.ops.call import Call
from tests.ops.calls import CALLS
from tests.ops.checks import direction, leaves, narrowed, same
from tests.ops.searching_calls import DEPENDS_ON_VALUES

MODULES = (
    elementwise,
    reductions,
    indexing,
    manipulation,
    joining,
    diagonals,
    padding,
    selection,
    mapping,
    contraction,
    searching,
    sets,
    calculus,
    missing,
    quantiles,
    statistics,
    polynomial,
    windows,
)
OF_SHAPES = {"shape", "ndim", "size", "diag_indices_from", "tril_indices_from", "triu_indices_from"}
NUMBERS_ALONE = {"kaiser"}  # NumPy's lets no array of another kind through
CREATION = {"fft.fftfreq", "fft.rfftfreq"}
OBJECTS = {"vectorize"}  # not called with arrays, and tested by itself
ERRORS = {"linalg.LinAlgError"}
IN_PLACE = {"sort", "partition", "put"}  # an array's methods of these names write into it


def is_float(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.floating)) and x.dtype.kind in "fc"


def taken_apart(call: Call) -> tuple[Any, list[Any]]:
    """The call as a function of the float arrays among its arguments and options, and these."""
    places, structure = ga.tree.flatten((call.args, call.options))

    def f(*arrays: Any, function: Any = call.function) -> Any:
        given = iter(arrays)
        args, options = structure.unflatten(next(given) if is_float(x) else x for x in places)
        return function(*args, **options)

    return f, [x for x in places if is_float(x)]


def values_of(result: Any) -> list[Any]:
    return [x.value[()] if isinstance(x, ga.Tensor) else np.asarray(x)[()] for x in leaves(result)]


def ways(call: Call) -> list[Any]:
    """How a user of NumPy writes the call: its function of that name, and the method."""
    out = []
    if call.numpy is not None and call.name not in NUMBERS_ALONE:
        out.append(call.numpy)
    method = getattr(ga.Tensor, call.name, None)
    if isinstance(call.args[0], np.ndarray) and callable(method) and call.name not in IN_PLACE:
        out.append(method)
    return out


every = pytest.mark.parametrize("call", CALLS, ids=str)
of_arrays = [c for c in CALLS if taken_apart(c)[1] and c.name not in OF_SHAPES]
smooth = pytest.mark.parametrize("call", [c for c in of_arrays if c.smooth], ids=str)
of_known_shape = pytest.mark.parametrize(
    "call", [c for c in of_arrays if c.smooth and c.name not in DEPENDS_ON_VALUES], ids=str
)


def test_every_public_function_is_called():
    public = {name for module in MODULES for name in module.__all__}
    public |= {
        f"{m.__name__.rpartition('.')[2]}.{n}" for m in (linalg, fft, special) for n in m.__all__
    }
    public -= CREATION | OBJECTS | ERRORS
    assert public - {call.name for call in CALLS} == set()


def test_every_public_function_is_under_its_name():
    for module in MODULES:
        for name in module.__all__:
            assert getattr(ga, name) is getattr(module, name)


@every
def test_arrays_in_arrays_out(call: Call):
    found, expected = call.function(*call.args, **call.options), call.expected()
    assert not any(isinstance(x, ga.Tensor) for x in leaves(found))
    same(values_of(found), values_of(expected), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("call", of_arrays, ids=str)
def test_tensors_in_tensors_out(call: Call):
    f, arrays = taken_apart(call)
    expected = values_of(call.expected())
    for way in (call.function, *ways(call)):
        found = f(*map(ga.Tensor, arrays), function=way)
        assert all(isinstance(x, ga.Tensor) for x in leaves(found))
        same(values_of(found), expected, rtol=1e-12, atol=1e-14)


# Seen once, from NumPy's own multi_dot of finite float32 numbers, and not in 40,000 calls since;
# the cause is not known. The values are compared all the same, so that a NaN would fail.
@pytest.mark.filterwarnings("ignore:invalid value encountered in (dot|matmul):RuntimeWarning")
@pytest.mark.parametrize("call", of_arrays, ids=str)
def test_single_precision(call: Call):
    f, arrays = taken_apart(call)
    narrow = narrowed(arrays)
    reference = call.reference or call.numpy
    expected = values_of(f(*narrow, function=reference))
    same(values_of(f(*narrow)), expected, rtol=1e-5, atol=1e-5)


@smooth
def test_derivatives(call: Call):
    f, arrays = taken_apart(call)
    check_grads(f, arrays, order=2)


def test_calls_of_numpy_have_these_derivatives():
    """As `np.f(x)` and as `x.f()`, those of `ga.f(x)`, which are held against differences above."""
    tried = set()
    for call in (c for c in of_arrays if c.smooth):
        f, arrays = taken_apart(call)
        tangents = direction(tuple(arrays), np.random.default_rng(1))
        expected = leaves(ga.jvp(f, tuple(arrays), tangents)[1])
        for way in ways(call):
            found = ga.jvp(partial(f, function=way), tuple(arrays), tangents)[1]
            same(leaves(found), expected, rtol=1e-12, atol=1e-14)
            tried.add(str(call))
    assert len(tried) > 1000


@of_known_shape
def test_vmap_is_a_loop(call: Call):
    f, arrays = taken_apart(call)
    rows = [arrays, [0.97 * x for x in arrays]]
    found = ga.vmap(lambda *x: tuple(leaves(f(*x))))(*map(np.stack, zip(*rows)))
    expected = [np.stack(outs) for outs in zip(*(leaves(f(*row)) for row in rows))]
    same(found, expected, rtol=1e-12, atol=1e-14)


@of_known_shape
def test_staged_is_eager(call: Call):
    f, arrays = taken_apart(call)
    graph = ga.stage(f, *arrays)
    same(values_of(graph(*arrays)), values_of(f(*arrays)))
