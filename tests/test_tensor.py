"""`Tensor`: an immutable array with NumPy's protocols, and a derivative on request."""

import copy
import math
import operator
import pickle

import numpy as np
import pytest

import gradarg as ga

X = np.array([[0.5, -1.25, 2.0], [3.0, 0.75, -0.125]])


def tensor(value=X, requires_grad=True, **kwargs):
    return ga.Tensor(value, requires_grad=requires_grad, **kwargs)


def same(t, array):
    """A Tensor with this value and dtype."""
    assert type(t) is ga.Tensor
    np.testing.assert_array_equal(t.detach().value, array)
    assert t.dtype == np.asarray(array).dtype
    assert t.shape == np.shape(array)
    return True


# ---- the value


@pytest.mark.parametrize(
    "value",
    [
        3,
        2.5,
        True,
        1 + 2j,
        [1, 2],
        [[1.0], [2.0]],
        X,
        X[:, ::-1],
        X.T,
        np.float32(7),
        np.zeros((0, 2)),
    ],
    ids=repr,
)
def test_a_tensor_holds_the_array_that_numpy_makes_of_its_argument(value):
    t = ga.Tensor(value)
    assert same(t, np.array(value))
    assert (t.ndim, t.size, t.nbytes) == (np.ndim(value), np.size(value), np.array(value).nbytes)
    assert t.itemsize == np.array(value).itemsize
    assert not t.requires_grad and t.is_leaf and t.grad is None


def test_the_value_is_a_copy_and_cannot_be_written_through():
    source = X.copy()
    t = tensor(source)
    source[:] = 0
    assert same(t, X)
    for view in (t.value, t.numpy(), np.asarray(t.detach()), t.detach().value, (t * 2).value):
        assert not view.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            view[0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        t.value.flags.writeable = True


def test_value_is_a_view_not_a_copy():
    t = tensor()
    assert np.shares_memory(t.value, t.value)
    assert np.shares_memory(t.value, t.detach().value)
    assert np.shares_memory(np.asarray(t.detach()), t.value)
    assert not np.shares_memory(np.array(t.detach()), t.value)
    assert np.array(t.detach()).flags.writeable
    assert np.asarray(t.detach(), dtype=np.float32).dtype == np.float32


def test_dtype_argument():
    assert same(ga.Tensor([1, 2], dtype=np.float32), np.float32([1, 2]))
    assert ga.Tensor([1, 2], dtype=float, requires_grad=True).requires_grad


def test_a_new_value_replaces_the_old_and_leaves_the_graph_alone():
    w = tensor([1.0, 2.0], dtype=np.float32)
    y = np.sum(w * w)
    new = np.array([10.0, 20.0])
    w.value = new
    new[:] = -1
    assert same(w, np.float32([10, 20]))
    y.backward()
    assert same(w.grad, np.float32([2, 4]))  # of the value that y was computed from
    w.value = w.value - 0.5
    assert same(w, np.float32([9.5, 19.5]))
    with pytest.raises(ga.ShapeError, match=r"\(2,\).*\(3,\)"):
        w.value = np.ones(3)
    with pytest.raises(ga.ImmutableError, match="new name"):
        (w * 2).value = np.ones(2)


@pytest.mark.parametrize(
    ("old", "new"),
    [([1.0, 2.0], [1j, 2.0]), ([1, 2], [1.5, 2.5]), ([True, False], [3, 4]), ([1, 2], [1j, 2j])],
)
def test_a_new_value_that_would_lose_digits_is_refused(old, new):
    t = ga.Tensor(old)
    with pytest.raises(TypeError, match=r"dtype|cast|complex"):
        t.value = np.array(new)
    assert same(t, np.array(old))


# ---- NumPy's protocols

CALLS = {
    "np.sin(t)": np.sin,
    "np.add(t, t)": lambda t: np.add(t, t),
    "np.add(array, t)": lambda t: np.add(X, t),
    "np.sum(t, axis=0)": lambda t: np.sum(t, axis=0),
    "np.add.reduce": lambda t: np.add.reduce(t, axis=1),
    "np.mean(t, 1, keepdims=True)": lambda t: np.mean(t, 1, keepdims=True),
    "np.concatenate": lambda t: np.concatenate([t, X, t], axis=1),
    "np.stack": lambda t: np.stack([X, t]),
    "np.where": lambda t: np.where(X > 0, t, 0.0),
    "np.transpose": np.transpose,
    "np.reshape": lambda t: np.reshape(t, (3, -1)),
    "np.einsum": lambda t: np.einsum("ij,ij->i", t, X),
    "np.dot": lambda t: np.dot(X, t.T),
    "array @ t": lambda t: X.T @ t,
    "t @ array": lambda t: t @ X.T,
    "array * t": lambda t: X * t,
    "array - t": lambda t: X - t,
    "array / t": lambda t: X / t,
    "array ** t": lambda t: np.abs(X) ** t,
    "np.float64 * t": lambda t: np.float64(3) * t,
    "np.float32 - t": lambda t: np.float32(3) - t,
    "0-d array / t": lambda t: np.array(3.0) / t,
    "int array * t": lambda t: np.arange(3) * t,
    "number * t": lambda t: 3 * t + 2.5 - t / 2,
    "number / t": lambda t: 1 / t - 2**t,
    "list * t": lambda t: [1.0, 2.0, 3.0] * t,
    "t + list": lambda t: t + [[1.0], [2.0]],
    "array += is array + t": lambda t: operator.iadd(np.float64(1), t),
    "t[...]": lambda t: t[1, ::-1],
    "t[array]": lambda t: t[[1, 0, 1], [2, 2, 0]],
    "t[mask]": lambda t: t[X > 0.6],
    "t[t > 0]": lambda t: t[t > 0],
    "-t, +t, abs(t)": lambda t: -t + +t + abs(t),
    "t % number, t // number": lambda t: t % 0.7 + t // 0.7,
    "divmod": lambda t: divmod(t, 0.7)[1] + divmod(7.0, t)[0],
    "pow": lambda t: pow(abs(t), 1.5) + 2.0**t,
    "comparison": lambda t: (t > 0) | (t <= X) & ~(t == 2.0) ^ (t != 3.0),
    "t.T, t.mT": lambda t: t.T @ t.mT.T,
    "methods": lambda t: t.sum(0) + t.mean(axis=0) + t.reshape(3, 2).max(1),
    "more methods": lambda t: t.transpose(1, 0).astype(np.float32).clip(0, 1).ravel(),
    "t.reshape(tuple)": lambda t: t.reshape((1, 6)).squeeze().flatten(),
    "at": lambda t: t.at[0].set(1.0).at[:, [0, 0]].add(2.0) if isinstance(t, ga.Tensor) else AT,
}
AT = X.copy()
AT[0] = 1
AT[:, 0] += 4


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_numpy_protocols(call, requires_grad):
    assert same(call(tensor(requires_grad=requires_grad)), call(X))


def test_iteration_len_membership_and_unpacking():
    t = tensor()
    assert len(t) == 2
    for row, expected in zip(t, X, strict=True):
        assert same(row, expected)
    first, second = t
    assert same(first + second, X[0] + X[1])
    assert same(sum(t), X[0] + X[1])
    assert [r.item() for r in reversed(t[0])] == X[0, ::-1].tolist()
    assert 2.0 in t[0] and 2.5 not in t[0]
    for call in (len, iter):
        with pytest.raises(TypeError, match=r"shape \(\)"):
            call(t[0, 0])


def test_leaving_by_name():
    t = tensor()
    y = np.sum(t * t)
    assert (y.item(), type(y.item())) == (float(np.sum(X * X)), float)
    assert type(ga.Tensor(3).item()) is int and type(ga.Tensor([True]).item()) is bool
    assert f"{y:.3f}" == f"{np.sum(X * X):.3f}"
    assert f"{y}" == repr(y) == str(y)
    assert y.detach().tolist() == y.item()
    assert tensor().detach().tolist() == X.tolist()
    with pytest.raises(ValueError, match=r"one element|size 1|scalar"):
        t.item()
    assert not t.detach().requires_grad and same(t.detach(), X)


def test_constants_convert_freely():
    c = ga.Tensor(2.5)
    assert (float(c), int(c), complex(c), bool(c), math.sqrt(c)) == (
        2.5,
        2,
        2.5 + 0j,
        True,
        2.5**0.5,
    )
    assert list(range(ga.Tensor(3))) == [0, 1, 2] and X[0][ga.Tensor(1)] == X[0, 1]
    assert np.asarray(ga.Tensor(X)).tolist() == X.tolist() == ga.Tensor(X).tolist()
    with pytest.raises(TypeError, match="integer"):
        operator.index(c)


def test_truth():
    t = tensor([2.0, 3.0])
    assert t[0] > 1 and not t[0] > 2 and (t > 1).all() and not (t > 2).all()
    assert (1.0 if t[1] else 0.0) == 1.0
    with pytest.raises(ValueError, match="ambiguous"):
        bool(t > 0)


def test_hash_and_equality():
    t, u = tensor(), tensor()
    assert {t: 1, u: 2}[t] == 1 and len({t, u, t}) == 2 and hash(t) == hash(t)
    assert same(t == u, np.ones((2, 3), bool))
    assert (t == None) is False and (t != None) is True  # noqa: E711


# ---- copies


@pytest.mark.parametrize(
    "make", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("value", [X, np.float32(2), np.asfortranarray(X), np.zeros(0)])
def test_leaves_copy_and_pickle(make, requires_grad, value):
    t = tensor(value, requires_grad)
    u = make(t)
    assert u is not t and same(u, t.value) and u.requires_grad == requires_grad and u.is_leaf
    if requires_grad:
        np.sum(u * 3).backward()
        assert t.grad is None and same(u.grad, np.full(t.shape, 3, t.dtype))


def test_deepcopy_keeps_shared_tensors_shared():
    t = tensor()
    both = copy.deepcopy({"encoder": t, "decoder": t})
    assert both["encoder"] is both["decoder"] is not t


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_computed_tensor_does_not_copy_or_pickle(make):
    with pytest.raises(ga.ConcreteValueError, match=r"(?s)[Pp]ickling or copying.*detach"):
        make(tensor() * 2)
    make((tensor() * 2).detach())


# ---- repr


def test_repr_shows_value_dtype_and_origin():
    t = tensor([1.0, 2.5])
    assert repr(ga.Tensor([1.0, 2.5])) == "Tensor([1. , 2.5])"
    assert repr(t) == "Tensor([1. , 2.5], requires_grad=True)"
    assert repr(np.sin(t) * 2) == "Tensor([1.68294197, 1.19694429], from=multiply)"
    assert repr(ga.Tensor([1, 2], dtype=np.float32)) == "Tensor([1., 2.], dtype=float32)"
    assert repr(np.sum(t)) == "Tensor(3.5, from=sum)"
    assert repr(t.detach()) == "Tensor([1. , 2.5])"
    assert repr(ga.Tensor(3)) == "Tensor(3)" and repr(ga.Tensor(True)) == "Tensor(True)"
    assert "dtype=uint8" in repr(ga.Tensor(np.uint8(3)))
    assert len(repr(ga.Tensor(np.arange(1e5)))) < 300
    assert "(0, 3)" in repr(ga.Tensor(np.zeros((0, 3))))
    inside = []
    ga.grad(lambda x: inside.append(repr(x * 2)) or x)(3.0)
    ga.vmap(lambda x: inside.append(repr(x)) or x)(np.ones(4))
    ga.stage(lambda x: inside.append(repr(x)) or x, np.ones(4, np.float32))
    assert "6." in inside[0] and "ga.grad" in inside[0] and "<lambda>" in inside[0]
    assert "ga.vmap" in inside[1]
    assert "float32[4]" in inside[2] and "ga.stage" in inside[2]


# ---- requires_grad


def test_requires_grad_can_be_switched_on_a_leaf():
    t = ga.Tensor(X)
    assert not (t * 2).requires_grad
    t.requires_grad = True
    assert (t * 2).requires_grad and not (t * 2).is_leaf and t.is_leaf
    t.requires_grad = True  # not a new start: the grad stays
    np.sum(t).backward()
    t.requires_grad = True
    assert same(t.grad, np.ones((2, 3)))
    t.requires_grad = False
    assert t.grad is None and not (t * 2).requires_grad


def test_grad_can_be_set_and_has_the_dtype_of_its_tensor():
    t = tensor(X.astype(np.float32))
    t.grad = np.ones((2, 3))
    assert same(t.grad, np.ones((2, 3), np.float32))
    t.grad = ga.Tensor(X)
    assert same(t.grad, X.astype(np.float32))
    np.sum(t).backward()
    assert same(t.grad, (X + 1).astype(np.float32))
    t.grad = None
    assert t.grad is None
    with pytest.raises(ga.ShapeError, match=r"\(2,\).*\(2, 3\)"):
        t.grad = np.ones(2)
    with pytest.raises(ga.DerivativeError, match="requires_grad"):
        ga.Tensor(X).grad = X
