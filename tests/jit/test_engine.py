"""How kernels are called: any arrays, single numbers, shortcuts, recycled outputs."""

import gc
import itertools
import warnings
import weakref

import numpy as np
import pytest

import gradarg as ga
from gradarg._jit import buffers, native

RANDOM = np.random.default_rng(3)
EDGES = [0.0, -0.0, 1.0, -1.0, 0.3, 1e-310, -1e300, 1e300, 710.0, -750.0, np.inf, -np.inf, np.nan]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def neuron(a, b, x):
    return sigmoid(a * x + b)


# ---- arrays as they come


def unaligned(x):
    raw = np.empty(x.nbytes + 1, np.uint8)[1:]
    moved = raw.view(x.dtype).reshape(x.shape) if x.ndim else raw
    moved[...] = x
    return moved


LAYOUTS = {
    "plain": lambda x: x,
    "fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "unaligned": unaligned,
    "read only": lambda x: np.broadcast_to(x, x.shape),
    "spread": lambda x: np.broadcast_to(x[:1], x.shape),
}


@pytest.mark.parametrize("size", [(20, 30), (400, 300)], ids=["small", "parallel"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name, size):
    x = LAYOUTS[name](RANDOM.normal(size=size))
    y = RANDOM.normal(size=size)

    def f(x, y):
        return np.tanh(x) * y, np.sum(x * y), np.sum(x * y, axis=0)

    compiled = ga.jit(f)
    for _ in range(3):
        for found, expected in zip(compiled(x, y), f(x, y)):
            np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_without_the_layout_ctypes_does_it(monkeypatch):
    monkeypatch.setattr(native, "LAYOUT", None)
    x = RANDOM.normal(size=(300, 200))

    def f(x):
        return np.exp(x) * 2.0, np.sum(x * x)

    for found, expected in zip(ga.jit(f)(x.T), f(x.T)):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert abs(ga.jit(neuron)(1.0, 2.0, 0.5) - neuron(1.0, 2.0, 0.5)) < 1e-15


# ---- single numbers


def test_three_numbers_everywhere():
    f = ga.value_and_grad(neuron, argnums=(0, 1, 2))
    g = ga.jit(f)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for a, b, x in itertools.product(EDGES, repeat=3):
            if np.isfinite(a) and np.isfinite(x) and np.isinf(np.float64(a) * x):
                continue  # a * x + b is rounded once, so that the product does not overflow
            found, slopes = g(a, b, x)
            expected, others = f(np.float64(a), np.float64(b), np.float64(x))
            assert type(found) is type(expected) is np.float64
            np.testing.assert_allclose([found, *slopes], [expected, *others], rtol=1e-13, atol=0)


def test_numbers_of_any_kind():
    g = ga.jit(neuron)
    for a in (1.5, np.float64(1.5), np.array(1.5)):
        for b in (0.5, np.float64(0.5)):
            assert g(a, b, 2.0) == pytest.approx(neuron(1.5, 0.5, 2.0), rel=1e-14)
    assert type(g(np.float32(1.5), np.float32(0.5), np.float32(2.0))) is np.float32


def test_arrays_of_one_number_take_the_short_way():
    g = ga.jit(ga.value_and_grad(neuron, argnums=(0, 1, 2)))
    expected = g(1.5, 0.5, 2.0)
    backwards = np.array([0.0, 2.0, 0.0])[1:2].reshape(())
    swapped = np.array(0.5, ">f8")
    for args in [
        (np.array(1.5), np.array(0.5), np.array(2.0)),
        (np.array(1.5), 0.5, backwards),
        (np.array(1.5), swapped, np.float64(2.0)),
    ]:
        for _ in range(3):
            value, slopes = g(*args)
            assert type(value) is type(slopes[0]) is np.float64
            np.testing.assert_allclose([value, *slopes], [expected[0], *expected[1]], rtol=1e-14)


def test_results_of_numbers_are_not_shared():
    g = ga.jit(neuron)
    first = g(1.0, 2.0, 3.0)
    kept = float(first)
    g(4.0, 5.0, 6.0)
    assert first == kept


# ---- shortcuts


def test_a_shortcut_is_taken_only_by_its_kind():
    calls = []

    def f(p, x, n):
        calls.append(n)
        return {"y": x @ p["w"] * n + p["b"], "n": [np.sum(x)]}

    g = ga.jit(f)
    p = {"w": RANDOM.normal(size=(4, 3)), "b": np.float64(0.5)}
    x = RANDOM.normal(size=(5, 4))
    for args in [
        (p, x, 2),
        (p, x, 2),
        (p, x, 3),
        (p, x, True),
        (p, x[:2], 2),
        (p, x.astype(np.float32), 2),
        ({**p, "b": 0.5}, x, 2),
        ({**p, "c": 1.0}, x, 2),
        (dict(reversed(p.items())), x, 2),
        (p, x, 2),
    ]:
        found, expected = g(*args), f(*args)
        assert list(found) == list(expected) or sorted(found) == sorted(expected)
        np.testing.assert_allclose(found["y"], expected["y"], rtol=1e-6)
        np.testing.assert_allclose(found["n"][0], expected["n"][0], rtol=1e-5)
        assert found["y"].dtype == expected["y"].dtype
    with pytest.raises(TypeError):
        g(p, x)
    assert type(g(p, ga.Tensor(x), 2)["y"]) is ga.Tensor


def test_static_arguments_are_looked_at():
    g = ga.jit(lambda x, n: x * n, static_argnums=1)
    x = RANDOM.normal(size=100)
    for n in (2, 3, 2.0, 2, np.float64(4.0), True):
        np.testing.assert_allclose(g(x, n), x * n)
        assert g(x, n).dtype == np.float64


def test_results_are_the_callers_own():
    x = RANDOM.normal(size=200)
    for f in (
        lambda x: (x, x * 2.0),
        lambda x: (x[:100], np.reshape(x, (2, 100))),
        lambda x: (x * 2.0, x * 2.0),
        lambda x: (np.ones(200), x + 1.0),
    ):
        g = ga.jit(f)
        for _ in range(3):
            outs = g(x)
            for a, b in itertools.combinations([*outs, x], 2):
                assert not np.shares_memory(a, b)
            outs[0][...] = 7.0
            for found, expected in zip(g(x), f(x)):
                np.testing.assert_allclose(found, expected)


# ---- recycled outputs

LARGE = 300_000


@pytest.fixture
def fresh():
    buffers.clear()
    yield
    buffers.clear()


def test_memory_is_used_again_when_nobody_holds_it(fresh):
    f, x = ga.jit(lambda x: np.tanh(x)), RANDOM.normal(size=LARGE)
    f(x)
    at = f(x).__array_interface__["data"][0]
    assert f(x).__array_interface__["data"][0] == at


HOLDERS = {
    "name": lambda y: y,
    "view": lambda y: y[3:10],
    "view of view": lambda y: y.reshape(2, -1)[:, ::2],
    "memoryview": memoryview,
    "ctypes": lambda y: y.ctypes.data_as(__import__("ctypes").c_void_p),
    "weak": lambda y: (weakref.ref(y), y[:1]),
    "closure": lambda y: lambda: y,
    "dlpack": np.from_dlpack,
}


@pytest.mark.parametrize("name", HOLDERS)
def test_what_somebody_sees_is_never_written_to(fresh, name):
    f, x = ga.jit(lambda x: x + 1.0), np.zeros(LARGE)
    y = f(x)
    held = HOLDERS[name](y)
    address = y.__array_interface__["data"][0]
    del y
    for _ in range(4):
        assert f(x).__array_interface__["data"][0] != address
    del held
    gc.collect()


def test_all_that_are_held_differ(fresh):
    f, x = ga.jit(lambda x: x + 1.0), np.zeros(LARGE)
    held = [f(x + k) for k in range(20)]
    for k, y in enumerate(held):
        assert y[0] == y[-1] == k + 1.0


def test_changed_arrays_are_not_handed_out(fresh):
    f, x = ga.jit(lambda x: x + 1.0), np.zeros(LARGE)
    y = f(x)
    y.flags.writeable = False
    del y
    z = f(x)
    assert z.flags.writeable
    assert z.shape == (LARGE,)


def test_the_memory_kept_is_bounded(fresh, monkeypatch):
    monkeypatch.setattr(buffers, "MOST", 10 << 20)
    for n in range(1, 30):
        buffers.recycled((n << 17,), np.dtype(np.float64))
        assert sum(a.nbytes for kept in buffers._held.values() for a in kept) <= 10 << 20
        assert buffers._total <= 10 << 20


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
@pytest.mark.parametrize("bad", [7, -8, 10**9])
def test_a_label_that_is_no_column_raises(backend: str, bad: int):
    """And nothing outside of the row is read on the way."""

    def loss(x, labels):
        return -np.sum(ga.log_softmax(x, axis=1)[np.arange(40), labels])

    step = ga.jit(ga.value_and_grad(loss), backend=backend)
    x, labels = np.random.default_rng(3).normal(size=(40, 7)), np.arange(40) % 7
    labels[5] = -7
    expected = ga.value_and_grad(loss)(x, labels)
    for got, wanted in zip(step(x, labels), expected):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-15)
    labels[11] = bad
    with pytest.raises(IndexError, match=f"index {bad} is out of bounds"):
        step(x, labels)


def of_known(x, labels):
    """The entropy over examples whose label is a class."""
    return ga.nn.functional.cross_entropy(x, labels)


def of_some(x, labels):
    """The same, some labels ignored: what is left of them says so too."""
    counts = (labels != -100) & ~(labels > 5)
    chosen = np.where(counts, labels, 2)
    picked = ga.log_softmax(x, axis=1)[np.arange(len(x)), chosen]
    return -np.sum(np.where(counts, picked, 0.25)), counts, chosen


def of_others(x, labels):
    """Labels of some, turned, and no number of the others."""
    chosen = np.where((labels == 3) ^ (labels <= 0), 1, labels)
    return np.sum(np.tanh(x)[np.arange(len(x)), chosen] * np.where(labels >= 4, 0.5, x[:, 0]))


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.int8, np.uint8, np.uint64])
@pytest.mark.parametrize("f", [of_known, of_some, of_others])
def test_operations_on_labels(f, kind, backend: str):
    x = np.random.default_rng(3).normal(size=(40, 7)).astype(np.float32)
    labels = (np.arange(40) * 5 % 7).astype(kind)
    if f is of_some and kind not in (np.uint8, np.uint64):
        labels[3] = -100
    if f is of_known:
        labels[[7, 11]] = 7, 100
    step = ga.jit(lambda x, labels: (f(x, labels), ga.grad(first)(x, labels)), backend=backend)

    def first(x, labels):
        out = f(x, labels)
        return np.sum(out[0] if isinstance(out, tuple) else out)

    if f is of_known:  # eager raises: what is no class has no number, and no gradient
        loss, got = step(x, labels)
        assert np.isnan(loss) and not np.any(got[[7, 11]])
        labels[[7, 11]] = 3, 4
    expected = f(x, labels), ga.grad(first)(x, labels)
    for got, wanted in zip(ga.tree.flatten(step(x, labels))[0], ga.tree.flatten(expected)[0]):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-6)
    if backend == "llvm" and kind != np.uint64 and f is not of_some:
        program = step.source(x, labels).split("kernel k")[0]
        assert "where_(" not in program and "less_(" not in program


@pytest.mark.parametrize("bad", [7, -8])
def test_a_chosen_label_that_is_no_column_raises(bad: int):
    def loss(x, labels):
        chosen = np.where(labels != -100, labels, 0)
        return -np.sum(ga.log_softmax(x, axis=1)[np.arange(40), chosen])

    step = ga.jit(ga.value_and_grad(loss), backend="llvm")
    x, labels = np.random.default_rng(3).normal(size=(40, 7)), np.arange(40) % 7
    labels[5] = -100
    for got, wanted in zip(step(x, labels), ga.value_and_grad(loss)(x, labels)):
        np.testing.assert_allclose(got, wanted, 1e-12)
    labels[11] = bad
    with pytest.raises(IndexError):
        step(x, labels)
