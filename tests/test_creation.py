"""Making tensors: NumPy's values, the derivative of what they are made from, `like=`."""

import numpy as np
import pytest

import gradarg as ga
from gradarg.testing import check_grads
from tests.ops.checks import close, leaves, same

T = ga.Tensor([0.5, -1.25, 2.0])
X = np.array([0.5, -1.25, 2.0])

PLAIN = {
    "zeros": [((2, 3),), (4, "float32")],
    "ones": [((2, 3),), (4, int), ((), bool)],
    "empty": [((0, 3),)],
    "full": [((2,), 3), (3, 2.5), ((2, 3), [1, 2, 3]), (2, True), (2, 7, "float32")],
    "eye": [(3,), (2, 4, 1), (3, None, -1, "int8")],
    "identity": [(3,), (2, "complex64")],
    "tri": [(3,), (2, 4, -1, "float32")],
    "arange": [(5,), (1.5, 4), (7, 1, -2), (3, None, 1, "float32"), (2, 2)],
    "linspace": [(0, 1), (2, -3, 7), (0.5, 0.5, 1), (1, 9, 4, False), (X, 5, 3), (1, 9, 0)],
    "logspace": [(0, 2, 5), (X, 1, 4, True, 2.0)],
    "geomspace": [(1, 1000, 4), (-1, -8, 4), (1j, 16j, 5), (1, 9, 3, False)],
}


@pytest.mark.parametrize(("name", "args"), [(n, a) for n, rows in PLAIN.items() for a in rows])
def test_the_values_are_numpys(name, args):
    expected = getattr(np, name)(*args)
    for made in (getattr(ga, name)(*args), _like(name, args)):
        assert isinstance(made, ga.Tensor) and not made.requires_grad
        same(made.value[()], expected[()] if name != "empty" else np.zeros((0, 3)))


def _like(name, args):
    if name.endswith("space"):  # these know no `like`; they see a tensor among the arguments
        return getattr(np, name)(ga.Tensor(args[0]), *args[1:])
    return getattr(np, name)(*args, like=T)


def test_everything_numpy_makes_like_a_tensor(tmp_path):
    (tmp_path / "x.txt").write_text("1 2\n3 4\n")
    X.tofile(tmp_path / "x")
    cases = {
        "array": [1, 2], "asarray": (1.5, 2), "asanyarray": [True], "ascontiguousarray": 3,
        "asfortranarray": [[1, 2]], "require": [1.0], "frombuffer": X.tobytes(),
        "loadtxt": tmp_path / "x.txt", "genfromtxt": tmp_path / "x.txt", "fromfile": tmp_path / "x",
    }  # fmt: skip
    for name, arg in cases.items():
        made = getattr(np, name)(arg, like=T)
        assert isinstance(made, ga.Tensor), name
        same(made.value[()], getattr(np, name)(arg)[()])
    numbers = np.fromstring("1 2 3", sep=" ", like=T)
    assert isinstance(numbers, ga.Tensor) and numbers.tolist() == [1, 2, 3]
    made = np.fromfunction(lambda i, j, k: k * i + j, (2, 3), k=2, like=T)
    assert made.tolist() == [[0, 1, 2], [2, 3, 4]]


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (lambda x: ga.array([x[0], 2.0, x[1] * x[2]]), (X,)),
        (lambda x: ga.asarray([[x[0], x[1]], [x[2], 1]]), (X,)),
        (lambda x: np.array([[x[0], x[1]], [x[2], 1]], like=x), (X,)),
        (lambda x: np.array(x, ndmin=3, like=x) ** 2, (X,)),
        (lambda x: np.fromiter((k * x[0] for k in range(3)), float, like=x), (X,)),
        (lambda x: np.full((2, 3), x, like=x), (X,)),
        (lambda x: ga.full((2, 2), x[0] * x[1]), (X,)),
        (lambda x: np.full(2, [x[0], 3.0], like=x), (X,)),
        (lambda a, b: np.linspace(a, b, 5), (0.5, 2.25)),
        (lambda a, b: np.linspace(a, b, 4, endpoint=False, retstep=True), (0.5, X)),
        (lambda a, b: np.linspace(a, b, 3, axis=-1), (np.ones((2, 1)) * 0.7, X)),
        (lambda a: np.linspace(a, 3, 1), (0.5,)),
        (lambda a, b: np.logspace(a, b, 4), (0.5, 1.25)),
        (lambda a, c: np.logspace(a, 2, 4, base=c, axis=1), (X[:2], np.array([2.0, 3.0]))),
        (lambda c: np.logspace(0.5, 2, 4, base=c), (2.5,)),
        (lambda a, b: np.geomspace(a, b, 5), (0.5, 9.0)),
        (lambda a, b: np.geomspace(a, b, 4, endpoint=False), (-0.5, np.array([-9.0, -2.0]))),
        (lambda a, d: ga.arange(a, 3.0, d) ** 2, (0.5, 0.4)),
    ],
)
def test_derivatives_of_what_they_are_made_from(f, args):
    check_grads(f, args, order=2)
    plain = f(*map(ga.Tensor, args))
    for t in plain if isinstance(plain, tuple) else (plain,):
        assert isinstance(t, ga.Tensor) and t.dtype == float
    narrow = [np.float32(a)[()] for a in args]
    for t, x in zip(leaves(f(*map(ga.Tensor, narrow))), leaves(f(*narrow))):
        # NumPy's geomspace and arange go over to float64 by themselves
        dtype = np.float32 if {"geomspace", "arange"} & {*f.__code__.co_names} else x.dtype
        same(t.value[()], np.asarray(x).astype(dtype)[()], rtol=1e-6)


@pytest.mark.parametrize("made", [np.linspace, np.geomspace, np.logspace])
def test_ranges_of_tensors_have_numpys_values(made):
    a, b = np.array([0.5, 2.0]), np.array([1.75, 1.0])
    for num in (0, 1, 2, 6):
        for options in ({}, {"endpoint": False}, {"axis": -1}, {"dtype": np.float32}):
            expected = made(a, b, num, **options)
            same(made(ga.Tensor(a), b, num, **options).value, expected, rtol=1e-6)
    whole = np.linspace(ga.Tensor(-2.5), 4, 5, dtype=int)
    same(whole.value, np.linspace(-2.5, 4, 5, dtype=int))


def test_complex_ranges():
    a, b = 1 + 0.5j, -2.0 + 1j
    for made in (np.linspace, np.geomspace):
        same(made(ga.Tensor(a), b, 5).value, made(a, b, 5), rtol=1e-12)
        h = 1e-6 * (1 + 2j)
        slope = (made(a + h, b, 5) - made(a - h, b, 5)) / (2 * h)
        f = lambda a, made=made: made(a, b, 5)
        close(ga.jvp(f, (np.complex128(a),), (1 + 0j,))[1], slope)


def test_large_integers_are_not_rounded_on_the_way():
    large = [2**64 - 1024, 2**63 + 1, 0]
    for make in (ga.asarray, ga.array, lambda x, dtype: np.array(x, dtype, like=T)):
        assert make(large, "uint64").tolist() == large


def test_a_length_that_depends_on_values():
    with pytest.raises(ga.ConcreteValueError, match="arange has a length"):
        ga.stage(lambda a: ga.arange(a), 3.0)
    with pytest.raises(ValueError, match="zero"):
        np.geomspace(ga.Tensor(0.0), 1.0)


def test_copies():
    t = ga.Tensor(X, requires_grad=True)
    assert ga.asarray(t) is t and ga.asarray(t, copy=False) is t
    for copied in (ga.asarray(t, copy=True), ga.array(t), np.array(t, like=t)):
        assert copied is not t and copied.requires_grad
    assert ga.asarray(t, "float32").dtype == np.float32
    for made in (ga.asarray, ga.from_dlpack):
        with pytest.raises(ValueError, match="copy=False"):
            made(X, copy=False)
    with pytest.raises(ValueError, match="needs a copy"):
        ga.asarray(t, "float32", copy=False)
    x = X.copy()
    made = ga.asarray(x), ga.from_dlpack(x)
    x[0] = 9.0
    assert all(m.tolist() == X.tolist() for m in made)


def test_devices():
    assert T.device == "cpu" and T.to_device("cpu") is T
    assert ga.zeros(2, device="cpu").device == ga.asarray(X, device="cpu").device == "cpu"
    calls = [
        lambda d: T.to_device(d), lambda d: ga.zeros(2, device=d), lambda d: ga.ones(2, device=d),
        lambda d: ga.empty(2, device=d), lambda d: ga.full(2, 1, device=d),
        lambda d: ga.eye(2, device=d), lambda d: ga.arange(2, device=d),
        lambda d: ga.linspace(0, 1, device=d), lambda d: ga.asarray(X, device=d),
        lambda d: ga.from_dlpack(X, device=d),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match="cuda:0"):
            call("cuda:0")


# ---- DLPack


def test_dlpack_out():
    for t in (T, ga.Tensor([[1, 2]]), ga.Tensor(2.5), T * 2, ga.Tensor([True])):
        out = np.from_dlpack(t)
        same(out, np.asarray(t))
        assert not np.shares_memory(out, t.value)  # not all libraries heed what is read-only
        same(ga.from_dlpack(t).value[()], t.value[()])
    assert T.__dlpack_device__() == (1, 0)
    T.__dlpack__()
    with pytest.raises(BufferError, match="max_version"):
        T.__dlpack__(copy=False)
    with pytest.raises(BufferError, match="CPU"):
        T.__dlpack__(dl_device=(2, 0))


def test_dlpack_shares_memory_read_only():
    if np.lib.NumpyVersion(np.__version__) >= "2.1.0":  # which knows DLPack 1.0
        out = np.from_dlpack(T, copy=False)
        assert np.shares_memory(out, T.value) and not out.flags.writeable
        for copied in (np.from_dlpack(T), np.from_dlpack(T, copy=True)):
            copied[0] = 9.0
            assert T.tolist() == X.tolist()


def test_dlpack_loses_no_derivative():
    t = ga.Tensor(X, requires_grad=True)
    for convert in (np.from_dlpack, ga.from_dlpack):
        for x in (t, t * 2):
            with pytest.raises(ga.ConcreteValueError, match=r"__dlpack__.*\n*.*derivative"):
                convert(x)
        for transform in (ga.grad, ga.vmap):
            with pytest.raises(ga.ConcreteValueError, match="__dlpack__"):
                transform(lambda x, convert=convert: convert(x).sum())(X)
        same(np.asarray(convert(t.detach())), X)


# ---- places and sets, whose number depends on values


def test_places_are_found_where_values_are_known():
    x = np.array([3.0, 0.0, 3.0, -1.0])

    def f(x):
        rows = np.nonzero(x)[0]
        assert np.flatnonzero(x).tolist() == rows.tolist() == [0, 2, 3]
        return np.sum(x[rows] ** 2) + np.sum(np.unique(x) ** 3)

    expected = 2 * x + np.array([27.0, 0, 0, 3])  # the first of the equal elements has all of it
    close(ga.grad(f)(x), expected)
    close(ga.jvp(f, (x,), (np.arange(4.0),))[1], np.sum(expected * np.arange(4.0)))
    close(ga.grad(ga.grad(lambda a: np.sum(np.unique(a * x) ** 3)))(1.0), np.float64(6 * 26))


SETS = {
    "nonzero": lambda x: np.nonzero(x),
    "unique": lambda x: np.unique(x),
    "unique_values": lambda x: ga.unique_values(x),
    "union1d": lambda x: np.union1d(x, X),
    "intersect1d": lambda x: np.intersect1d(x, X),
    "setdiff1d": lambda x: np.setdiff1d(x, X, assume_unique=True),
    "setxor1d": lambda x: np.setxor1d(X, x, assume_unique=True),
}


@pytest.mark.parametrize("name", SETS)
def test_places_are_not_known_inside_vmap_and_stage(name):
    for transform in (lambda f: ga.vmap(f)(np.stack([X, X])), lambda f: ga.stage(f, X)):
        with pytest.raises(ga.ConcreteValueError, match="depends on the values"):
            transform(SETS[name])


def test_set_derivatives():
    x, y = np.array([2.0, -1.0, 0.5]), np.array([0.5, 3.0, 2.0])
    close(ga.grad(lambda x: np.sum(np.union1d(x, y) ** 2))(x), 2 * x)
    close(ga.grad(lambda y: np.sum(np.union1d(x, y) ** 2))(y), np.array([0.0, 6.0, 0.0]))
    close(ga.grad(lambda x: np.sum(np.intersect1d(x, y) ** 2))(x), np.array([4.0, 0.0, 1.0]))
    close(ga.grad(lambda x: np.sum(np.setdiff1d(x, y) ** 2))(x), np.array([0.0, -2.0, 0.0]))
    close(ga.grad(lambda y: np.sum(np.setxor1d(x, y) ** 2))(y), np.array([0.0, 6.0, 0.0]))
    rows = np.array([[1.0, 2.0], [0.5, 3.0], [1.0, 2.0]])
    close(ga.grad(lambda r: np.sum(np.unique(r, axis=0) ** 2))(rows), 2 * rows * [[1], [1], [0]])


# ---- the usual way to build a result: make it, then fill it


def test_a_result_filled_row_by_row():
    def f(x):
        out = np.empty((3, 2), like=x)
        for i in range(3):
            out[i, 0] = x[i] ** 2
            out[i, 1] = out[i, 0] * x[2 - i]
        return np.sum(out**2)

    def plain(x):
        first = x**2
        return np.sum(first**2) + np.sum((first * x[::-1]) ** 2)

    close(ga.grad(f)(X), ga.grad(plain)(X), 1e-12)
    close(ga.jvp(f, (X,), (X,))[1], ga.jvp(plain, (X,), (X,))[1], 1e-12)
    close(ga.hessian(f)(X), ga.hessian(plain)(X), 1e-12)
    close(ga.vmap(f)(np.stack([X, 2 * X])), np.stack([plain(X), plain(2 * X)]), 1e-12)
    close(ga.stage(f, X)(X), plain(X), 1e-12)
