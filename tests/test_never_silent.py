"""Every way out of the graph carries the derivative or raises, and says what to do instead."""

import copy
import importlib
import importlib.util
import io
import math
import operator
import pickle

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, 1.25, 2.0])


def eager(f):
    return f(ga.Tensor(X, requires_grad=True))


def computed(f):
    return f(ga.Tensor(X, requires_grad=True) * 1.0)


def in_grad(f):
    return ga.grad(lambda t: (f(t), 1.0)[1])(X)


def in_jvp(f):
    return ga.jvp(lambda t: (f(t), 1.0)[1], (X,), (X,))


def in_vjp(f):
    return ga.vjp(lambda t: (f(t), 1.0)[1], X)


def in_vmap(f):
    return ga.vmap(lambda t: (f(t), 1.0)[1])(np.stack([X, X]))


def in_stage(f):
    return ga.stage(lambda t: (f(t), 1.0)[1], X)


def in_both(f):
    return ga.vmap(ga.grad(lambda t: (f(t), 1.0)[1]))(np.stack([X, X]))


INSIDE = {
    in_grad: "ga.grad",
    in_jvp: "ga.jvp",
    in_vjp: "ga.vjp",
    in_vmap: "ga.vmap",
    in_stage: "ga.stage",
    in_both: "ga.grad",
}
everywhere = pytest.mark.parametrize("where", [eager, computed, *INSIDE])
inside = pytest.mark.parametrize("where", INSIDE)


def rows(table):
    return pytest.mark.parametrize(("call", "words"), table.values(), ids=table)


# ---- numbers and arrays

TO_ARRAY = "conversion to an array"
CONVERSIONS = {
    "np.asarray(t)": (np.asarray, TO_ARRAY),
    "np.array(t)": (np.array, TO_ARRAY),
    "np.array([t, t])": (lambda t: np.array([t, t]), TO_ARRAY),
    "np.array of elements": (lambda t: np.array([t[0], t[1]]), TO_ARRAY),
    "np.ascontiguousarray": (np.ascontiguousarray, TO_ARRAY),
    "np.float64(t)": (lambda t: np.float64(t[0]), TO_ARRAY),
    "np.full": (lambda t: np.full(3, t[0]), TO_ARRAY),
    "np.arange": (lambda t: np.arange(t[0]), TO_ARRAY),
    "np.sum of a list": (lambda t: np.sum([t[0], t[1]]), TO_ARRAY),
    "np.fill_diagonal(array, t)": (lambda t: np.fill_diagonal(np.eye(3), t), TO_ARRAY),
    "array[:] = t": (lambda t: operator.setitem(np.zeros(3), slice(None), t), TO_ARRAY),
    "array[mask] = t": (lambda t: operator.setitem(np.zeros(3), X > 0, t), TO_ARRAY),
    "objects[:] = t": (lambda t: operator.setitem(np.empty(3, object), slice(None), t), TO_ARRAY),
    "a random number": (lambda t: np.random.default_rng(0).normal(t), TO_ARRAY),
    "np.ma.asarray": (np.ma.asarray, ""),
    "float(t)": (lambda t: float(t[0]), r"float\(t\)"),
    "int(t)": (lambda t: int(t[0]), r"int\(t\)"),
    "complex(t)": (lambda t: complex(t[0]), r"complex\(t\)"),
    "math.sin(t)": (lambda t: math.sin(t[0]), "math"),
    "math.hypot": (lambda t: math.hypot(*t), "math"),
    "math.fsum": (math.fsum, "math"),
    "math.floor": (lambda t: math.floor(t[0]), "math"),
    "'%f' % t": (lambda t: "%f" % t[0], "float"),  # noqa: UP031
    "t.tolist()": (lambda t: t.tolist(), r"t\.tolist\(\)"),
    "ga.Tensor(t)": (ga.Tensor, r"Tensor\(t\)"),
}


@rows(CONVERSIONS)
@everywhere
def test_conversions(where, call, words):
    with pytest.raises(ga.ConcreteValueError, match=f"(?s){words}.*derivative") as caught:
        where(call)
    message = str(caught.value)
    if where in INSIDE:
        assert INSIDE[where] in message and "test_never_silent.py" in message
        assert "has_aux=True" in message or "stop_gradient" in message
    else:
        assert "t.detach()" in message


def test_the_way_out_that_a_message_names_is_open():
    t = ga.Tensor(X, requires_grad=True) * 2
    assert np.asarray(t.detach()).tolist() == (2 * X).tolist() == t.detach().tolist()
    assert float(t[0].detach()) == t[0].item() == math.sqrt(t[0].detach()) == 1.0
    gradient, aux = ga.grad(lambda x: (np.sum(x * x), x * 2), has_aux=True)(X)
    assert aux.tolist() == (2 * X).tolist() and gradient.tolist() == (2 * X).tolist()


EAGER_ONLY = {
    "t.item()": (lambda t: t[0].item(), r"t\.item\(\)"),
    "t.value": (lambda t: t.value, r"t\.value"),
    "t.numpy()": (lambda t: t.numpy(), r"t\.(value|numpy\(\))"),
    "t.value = ...": (lambda t: setattr(t, "value", X), r"t\.value = "),
    "t.requires_grad = ...": (lambda t: setattr(t, "requires_grad", False), "requires_grad"),
    "t.backward()": (lambda t: t[0].backward(), r"t\.backward\(\)"),
    "copy.copy": (copy.copy, "copying"),
    "copy.deepcopy": (copy.deepcopy, "copying"),
    "pickle": (pickle.dumps, "[Pp]ickling"),
}


@rows(EAGER_ONLY)
@inside
def test_what_only_an_eager_tensor_can_do(where, call, words):
    with pytest.raises(ga.GradargError, match=f"(?s){words}") as caught:
        where(call)
    assert INSIDE[where] in str(caught.value)


@inside
def test_a_value_inside_has_no_grad(where):
    with pytest.raises(ga.GradargError, match="grad"):
        where(lambda t: setattr(t, "grad", X))


@pytest.mark.parametrize("where", [in_vmap, in_stage])
def test_an_index_that_is_not_known(where):
    with pytest.raises(ga.ConcreteValueError, match=r"(?s)index.*ga\."):
        where(lambda t: range(np.argmax(t)))
    with pytest.raises(ga.ConcreteValueError, match=r"(?s)ga\."):
        where(lambda t: X[np.argmax(t)])
    with pytest.raises(ga.ConcreteValueError, match=r"(?s)ga\."):
        where(lambda t: X[t > 1])


WRAPPED = {
    "array[0] = t": lambda t: operator.setitem(np.zeros(3), 0, t[0]),
    "array.fill(t)": lambda t: np.zeros(3).fill(t[0]),
    "np.fromiter": lambda t: np.fromiter(t, float),
}


@pytest.mark.parametrize("call", WRAPPED.values(), ids=WRAPPED)
@everywhere
def test_where_numpy_wraps_the_error_its_cause_tells(where, call):
    with pytest.raises(ValueError, match="setting an array element") as caught:
        where(call)
    cause = caught.value.__cause__
    assert isinstance(cause, ga.ConcreteValueError) and "derivative" in str(cause)


@pytest.mark.parametrize("dtype", [object, str, "S8", "m8[s]", [("a", float)]])
@everywhere
def test_dtypes_that_are_not_numbers(where, dtype):
    with pytest.raises(ga.DerivativeError, match=r"astype\(.*derivative.*numeric"):
        where(lambda t: t.astype(dtype))
    with pytest.raises((ga.DerivativeError, TypeError)):
        where(lambda t: t * np.zeros(3, dtype))


BUFFERS = {
    "memoryview": memoryview,
    "bytes": bytes,
    "np.frombuffer": np.frombuffer,
    "np.nditer": np.nditer,
    "io": lambda t: io.BytesIO().write(t),
}


@pytest.mark.parametrize("call", BUFFERS.values(), ids=BUFFERS)
@everywhere
def test_a_tensor_is_no_buffer(where, call):
    with pytest.raises(TypeError):
        where(call)


# ---- functions of NumPy and SciPy without a rule

NO_RULE = {
    "np.save": (lambda t: np.save(io.BytesIO(), t), r"np\.save"),
    "np.frompyfunc": (lambda t: np.frompyfunc(lambda a: a, 1, 1)(t), r"np\."),
}


@rows(NO_RULE)
@everywhere
def test_functions_without_a_rule(where, call, words):
    with pytest.raises(ga.DerivativeError, match=f"(?s){words}.*no derivative rule.*custom_vjp"):
        where(call)


FOREIGN = {}
if importlib.util.find_spec("scipy"):
    special, linalg = map(importlib.import_module, ("scipy.special", "scipy.linalg"))
    sparse = importlib.import_module("scipy.sparse")
    A = sparse.csr_array(np.diag(X))
    FOREIGN |= {
        "scipy.special without ufuncs": lambda t: special.spherical_jn(1, t),
        "scipy.linalg": lambda t: linalg.norm(t),
        "sparse @ t": lambda t: A @ t,
        "sparse * t": lambda t: A * t,
        "sparse.dot": lambda t: A.dot(t),
        "t @ sparse": lambda t: t @ A,
        "t * sparse": lambda t: t * A,
        "sparse + t": lambda t: A + t,
    }


@everywhere
def test_other_libraries(where):
    for call in FOREIGN.values():
        with pytest.raises(ga.GradargError):
            where(call)


# ---- writing

INTO_ARRAYS = {
    "array += t": lambda t: operator.iadd(np.zeros(3), t),
    "array @= t": lambda t: operator.imatmul(np.eye(3), np.outer(t, t)),
    "np.add(out=array)": lambda t: np.add(t, 1, out=np.zeros(3)),
    "np.cumsum(out=array)": lambda t: np.cumsum(t, out=np.zeros(3)),
    "np.concatenate(out=array)": lambda t: np.concatenate([t, t], out=np.zeros(6)),
    "np.fft.fft(out=array)": lambda t: np.fft.fft(t, out=np.zeros(3, complex)),
    "np.copyto": lambda t: np.copyto(np.zeros(3), t),
    "np.put": lambda t: np.put(np.zeros(3), [0], t),
    "np.place": lambda t: np.place(np.zeros(3), X > 0, t),
    "np.putmask": lambda t: np.putmask(np.zeros(3), X > 0, t),
    "np.put_along_axis": lambda t: np.put_along_axis(np.zeros(3), np.array([0]), t, 0),
    "np.full_like": lambda t: np.full_like(X, t),
    "np.add.at": lambda t: np.add.at(np.zeros(3), [0, 1, 2], t),
    "np.multiply.at": lambda t: np.multiply.at(np.zeros(3), [0, 1, 2], t),
}


@pytest.mark.parametrize("call", INTO_ARRAYS.values(), ids=INTO_ARRAYS)
@everywhere
def test_writing_a_tensor_into_an_array(where, call):
    match = r"np\.(\w|\.)+.*write a tensor into ndarray.*derivative.*lost.*like=t.*x = x \+ t"
    with pytest.raises(ga.ImmutableError, match=match):
        where(call)


WRITES = {
    "t[0] = v": lambda t: operator.setitem(t, 0, 1.0),
    "t[:] = v": lambda t: operator.setitem(t, slice(None), 1.0),
    "t[mask] = v": lambda t: operator.setitem(t, X > 1, 1.0),
    "t[[0, 1]] = v": lambda t: operator.setitem(t, [0, 1], 1.0),
    "t += v": lambda t: operator.iadd(t, 1.0),
    "t[0:2] += v": lambda t: operator.iadd(t[0:2], 1.0),
    "t.T[0] = v": lambda t: operator.setitem(t.T, 0, 1.0),
    "t.fill(v)": lambda t: t.fill(1.0),
    "t.sort()": lambda t: t.sort(),
    "np.add(out=t)": lambda t: np.add(X, 1, out=t),
    "np.sum(out=t)": lambda t: np.cumsum(X, out=t),
    "np.add.at": lambda t: np.add.at(t, [0], 1.0),
    "np.copyto": lambda t: np.copyto(t, X),
    "np.put": lambda t: np.put(t, [0], 1.0),
}


@pytest.mark.parametrize("call", WRITES.values(), ids=WRITES)
def test_writing_into_a_parameter(call):
    w = ga.Tensor(X, requires_grad=True)
    with pytest.raises(ga.ImmutableError, match=r"requires_grad.*x\.copy\(\).*no_grad"):
        call(w)
    assert w.value.tolist() == X.tolist() and w.is_leaf


def test_what_cannot_be_written():
    t = ga.Tensor(X)
    for view in (np.broadcast_to(t, (2, 3)), np.diagonal(np.outer(t, t))):
        with pytest.raises(ga.ImmutableError, match=r"read-only.*copy"):
            view[0] = 1.0
    with pytest.raises((TypeError, AttributeError)):
        del t[0]
    for name in ("shape", "dtype", "T", "anything"):
        with pytest.raises(AttributeError):
            setattr(t, name, 1)
    whole = ga.Tensor([1, 2, 3])
    w = ga.Tensor(X, requires_grad=True)
    with pytest.raises(TypeError, match=r"float64.*int64.*derivative lost.*astype"):
        whole[:] = w
    with pytest.raises(TypeError, match=r"float64.*int64"):
        whole += w
    with pytest.raises(TypeError, match=r"complex128.*float64"):
        t[0] = w[0] * 1j
    with pytest.raises(ga.ShapeError, match=r"\(2, 3\).*\(3,\)"):
        t += np.ones((2, 3))
    assert whole.tolist() == [1, 2, 3] and t.tolist() == X.tolist()
