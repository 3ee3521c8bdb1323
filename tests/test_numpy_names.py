"""NumPy's own lists of names, walked: each is differentiated through plain NumPy, or has a reason.

A new NumPy that brings a name which is neither fails here, and so does a reason that is no longer
one.
"""

import inspect
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gradarg as ga
from gradarg._tensor import FUNCTIONS
from gradarg.testing import check_grads
from tests.numpy_names import (
    IN_PLACE,
    KEYWORDS,
    NO_METHOD,
    TAKE_NO_TENSOR,
    WITHOUT_DERIVATIVE,
)
from tests.ops.call import Call
from tests.ops.calls import CALLS
from tests.ops.samples import TABLE
from tests.ops.test_namespace import NUMBERS_ALONE, taken_apart

NAMESPACES = {"": np, "linalg.": np.linalg, "fft.": np.fft}
CONSTANTS = (bool, np.bool, int, float, complex, str, type(None), dict, tuple, types.ModuleType)


def walked() -> Iterator[tuple[str, Any]]:
    """Every public name of NumPy with what it means: functions, types and objects."""
    for prefix, module in NAMESPACES.items():
        for name in sorted({*module.__all__, *dir(module)}):
            if name.startswith("_") and name != "__array_namespace_info__":
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                value = getattr(module, name)
            if not isinstance(value, CONSTANTS) and name != "__array_namespace_info__":
                yield prefix + name, value


NAMES = dict(walked())


def listed(table: dict[str, str]) -> set[str]:
    return {name for names in table.values() for name in names.split()}


def has_entry(value: Any) -> bool:
    return callable(value) and not isinstance(value, type) and value in FUNCTIONS


# ---- what is differentiated, and where that is measured

X, Y = np.array([0.7, 1.9, 1.2]), np.array([2.5, 3.1, 0.4])
CREATED: dict[str, Callable[..., Any]] = {  # these look for tensors among their arguments ...
    "linspace": lambda x, y: np.linspace(x, y, 5),
    "logspace": lambda x, y: np.logspace(x, y, 4, base=3.0, axis=1),
    "geomspace": lambda x, y: np.geomspace(x, y, 3, endpoint=False),
}
LIKE: dict[str, Callable[..., Any]] = {  # ... and these only at like=
    "array": lambda x, y: np.array([x, y], like=x),
    "asarray": lambda x, y: np.asarray([x * y, y], like=x),
    "asanyarray": lambda x, y: np.asanyarray([x, x / y], like=x),
    "ascontiguousarray": lambda x, y: np.ascontiguousarray(x * y, like=x),
    "asfortranarray": lambda x, y: np.asfortranarray([x, y * y], like=x),
    "require": lambda x, y: np.require(x * y, requirements="C", like=x),
    "full": lambda x, y: np.full((2, 3), x * y, like=x),
    "fromfunction": lambda x, y: np.fromfunction(lambda i: i * x + y, (3,), like=x),
    "fromiter": lambda x, y: np.fromiter((v * v for v in x * y), float, like=x),
}
SMOOTH: dict[Any, Call] = {}
for _call in CALLS:
    if _call.smooth and _call.name not in NUMBERS_ALONE and taken_apart(_call)[1]:
        SMOOTH.setdefault(_call.numpy, _call)  # None: not NumPy's
SMOOTH.pop(None, None)
SAMPLED = {s.primitive.name for s in TABLE if s.primitive.vjps is not None}  # cholesky, eigh, ...


def measured(name: str, value: Any) -> bool:
    if name in CREATED or name in LIKE:
        return True
    return has_entry(value) and (value in SMOOTH or name.rpartition(".")[2] in SAMPLED)


DIFFERENTIATED = {name for name, value in NAMES.items() if measured(name, value)}


def test_every_name_is_differentiated_or_has_a_reason():
    reasons = listed(WITHOUT_DERIVATIVE) | listed(TAKE_NO_TENSOR) | set(IN_PLACE.split())
    unknown = sorted(set(NAMES) - DIFFERENTIATED - reasons)
    assert unknown == [], "neither a measured derivative nor a reason in tests/numpy_names.py"


def test_no_reason_is_stale():
    reasons = listed(WITHOUT_DERIVATIVE) | listed(TAKE_NO_TENSOR)
    assert sorted(DIFFERENTIATED & reasons) == []
    assert sorted(listed(WITHOUT_DERIVATIVE) & listed(TAKE_NO_TENSOR)) == []
    entries = {name for name, value in NAMES.items() if has_entry(value)}
    numbers = set(TAKE_NO_TENSOR["takes numbers, no arrays"].split())
    assert sorted(entries & listed(TAKE_NO_TENSOR) - numbers) == []
    assert sorted((listed(WITHOUT_DERIVATIVE) & set(NAMES)) - entries) == []
    assert set(IN_PLACE.split()) - entries == set()
    for table in (WITHOUT_DERIVATIVE, TAKE_NO_TENSOR, NO_METHOD):
        names = [name for words in table.values() for name in words.split()]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("call", SMOOTH.values(), ids=lambda c: c.name)
def test_derivatives_through_numpys_own_name(call: Call):
    """Fed arrays it is NumPy that is differenced; fed tensors, the protocols bring it here."""
    f, arrays = taken_apart(call)
    check_grads(lambda *x: f(*x, function=call.numpy), arrays)


@pytest.mark.parametrize("name", [*CREATED, *LIKE])
def test_derivatives_of_what_makes_arrays(name: str):
    f = {**CREATED, **LIKE}[name]
    check_grads(lambda x, y: f(x, y) ** 2, (X, Y), order=2)


OF_ONE_ARRAY = ["asarray_chkfinite", "r_", "c_", "min_scalar_type", "array_repr"]
OF_ONE_ARRAY += ["ndenumerate", "broadcast", "isfortran", "array2string", "savetxt"]


@pytest.mark.parametrize("name", OF_ONE_ARRAY)
def test_what_takes_no_tensor_raises(name: str):
    value = NAMES[name]
    call = value if callable(value) else value.__getitem__
    args = ("nowhere",) if name == "savetxt" else ()
    with pytest.raises((TypeError, AttributeError)):
        ga.grad(lambda x: call(*args, x) is None or np.sum(x))(X)


def test_a_polynomial_of_tensors():
    np.testing.assert_allclose(ga.grad(lambda x: np.poly1d(x)(2.0))(X), [4.0, 2.0, 1.0])


# ---- keywords

NO_KEYWORD = listed(KEYWORDS)


def has_signature(function: Any) -> bool:
    """Those of C have one since NumPy 2.4."""
    try:
        return bool(inspect.signature(function))
    except ValueError:
        return False


WITH_SIGNATURE = {
    name: value
    for name, value in NAMES.items()
    if has_entry(value) and not isinstance(value, np.ufunc) and has_signature(value)
}


@pytest.mark.parametrize("name", WITH_SIGNATURE)
def test_the_keywords_of_numpy_are_known(name: str):
    """By their names, and in NumPy's order; a positional-only one may be called otherwise."""
    theirs = inspect.signature(NAMES[name]).parameters.values()
    ours = inspect.signature(FUNCTIONS[NAMES[name]]).parameters
    kinds = {p.kind for p in ours.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return
    leading = sum(p.kind is p.POSITIONAL_ONLY for p in ours.values())
    named = [p.name for p in theirs if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    skipped = sum(p.kind is p.POSITIONAL_ONLY for p in theirs)
    for keyword in named[max(leading - skipped, 0) :]:
        excused = {keyword, f"{keyword}:{NAMES[name].__name__}"} & NO_KEYWORD
        assert keyword in ours or excused, keyword
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        flexible = inspect.Parameter.POSITIONAL_OR_KEYWORD
        places = [p.name for p in theirs if p.kind is flexible]
        order = [p.name for p in ours.values() if p.kind is flexible and p.name in places]
        assert order == [n for n in places if n in order], "another order than NumPy's"


# ---- the methods and attributes of an array


def test_a_tensor_has_the_methods_of_an_array():
    theirs = {name for name in dir(np.ndarray) if not name.startswith("_")}
    missing = {name for name in theirs if not hasattr(ga.Tensor, name)}
    assert sorted(missing - listed(NO_METHOD)) == []
    assert [name for name in sorted(listed(NO_METHOD)) if hasattr(ga.Tensor, name)] == []
