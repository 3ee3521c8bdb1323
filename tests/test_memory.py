"""Memory: graphs die by reference count, passes keep only what rules read, nothing leaks."""

import gc
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, 1.25, 2.0])


# ---- freed by reference count alone


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def living():
    """How many objects of gradarg's classes there are: nodes, boxes, traces, ..."""
    return sum(str(type(o).__module__).startswith("gradarg.") for o in gc.get_objects())


def loss(x):
    y = np.tanh(np.sin(x) * x + x[0]) @ x
    return y + np.sum(np.sort(x) * np.concatenate([x, X])[2:5]) + np.linalg.slogdet(np.diag(x))[1]


BY_VJP = ga.custom_vjp(np.sin)
BY_VJP.defvjp(lambda x: (np.sin(x), x), lambda x, g: (g * np.cos(x),))
BY_JVP = ga.custom_jvp(np.sin)
BY_JVP.defjvp(lambda p, t: (np.sin(*p), np.cos(*p) * t[0]))


def eager(x):
    loss(ga.Tensor(x, requires_grad=True)).backward()


def eager_without_backward(x):
    loss(ga.Tensor(x, requires_grad=True))


def eager_create_graph(x):
    t = ga.Tensor(x, requires_grad=True)
    loss(t).backward(create_graph=True)
    slope, t.grad = t.grad, None
    np.sum(slope * slope).backward()


def eager_create_graph_without_second(x):
    t = ga.Tensor(x, requires_grad=True)
    loss(t).backward(create_graph=True)
    t.grad = None  # as in PyTorch, t.grad -> graph -> t is the one cycle that must be cut by hand


def retained(x):
    t = ga.Tensor(x, requires_grad=True)
    y = loss(t)
    y.backward(retain_graph=True)


RUNS = {
    "eager": eager,
    "without backward": eager_without_backward,
    "create_graph": eager_create_graph,
    "create_graph alone": eager_create_graph_without_second,
    "retain_graph": retained,
    "grad": ga.grad(loss),
    "grad of grad": ga.grad(lambda x: np.sum(ga.grad(loss)(x) ** 2)),
    "vjp": lambda x: ga.vjp(loss, x)[1](1.0),
    "vjp, unused": lambda x: ga.vjp(loss, x),
    "jvp": lambda x: ga.jvp(loss, (x,), (x,)),
    "jacobian": ga.jacobian(np.sin),
    "hessian": ga.hessian(loss),
    "hvp": lambda x: ga.hvp(loss)(x, x),
    "vmap": lambda x: ga.vmap(ga.grad(loss))(np.stack([x, x])),
    "stage": lambda x: ga.stage(ga.grad(loss), x)(x),
    "checkpoint": ga.grad(ga.checkpoint(loss)),
    "custom_vjp": ga.grad(lambda x: np.sum(BY_VJP(x))),
    "custom_vjp twice": ga.hessian(lambda x: np.sum(BY_VJP(x))),
    "custom_jvp": ga.grad(lambda x: np.sum(BY_JVP(x))),
    "no_grad": ga.no_grad()(ga.grad(loss)),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_nothing_is_left_for_the_collector(run, no_collector):
    run(X)  # caches fill
    gc.collect()
    before = living()
    run(X)
    assert living() == before
    assert gc.collect() == 0


def test_a_graph_dies_with_its_last_user(no_collector):
    t = ga.Tensor(np.ones(10**5), requires_grad=True)
    middle = np.sin(t)
    value = weakref.ref(middle.value.base if middle.value.base is not None else middle.value)
    y = np.sum(middle * middle)
    del middle
    assert value() is not None  # the graph needs it
    z = y * 2
    del y
    assert value() is not None
    del z
    assert value() is None


def test_backward_frees_as_it_goes(no_collector):
    t = ga.Tensor(np.ones(10**5), requires_grad=True)
    middle = np.sin(t)
    value = weakref.ref(middle.value.base if middle.value.base is not None else middle.value)
    y = np.sum(middle * middle)
    del middle
    y.backward()
    assert value() is None


def test_a_leaf_does_not_keep_the_graphs_it_was_in(no_collector):
    t = ga.Tensor(X, requires_grad=True)
    before = living()
    for _ in range(10):
        loss(t)
    assert living() == before


# ---- the peak of a forward and a backward pass


def share(t):
    return ga.sigmoid(t) * 0.5 + 0.25


CHAINS = {  # an operation, and how many arrays its rule must find again
    "t + 1": (lambda t: t + 1, 0),
    "1 - t": (lambda t: 1 - t, 0),
    "t * 0.9": (lambda t: t * 0.9, 0),
    "-t": (lambda t: -t, 0),
    "t / 2": (lambda t: t / 2, 0),
    "t + constant": (lambda t: t + CONSTANT, 0),
    "reshape and transpose": (lambda t: t.reshape(2, -1).T.reshape(-1), 0),
    "sin": (np.sin, 1),
    "cos": (np.cos, 1),
    "square": (lambda t: t**2, 1),
    "log": (lambda t: np.log(t + 1), 1),
    "exp, output shared": (lambda t: np.exp(t) * 0.3, 1),
    "tanh, output shared": (np.tanh, 1),
    "sqrt, output shared": (np.sqrt, 1),
    "sigmoid, output shared": (share, 1),
    "relu": (lambda t: ga.relu(t) + 0.01, 1),
    "t * t": (lambda t: t * t + 0.1, 1),
    "t * constant": (lambda t: t * CONSTANT, 0),
    "maximum": (lambda t: np.maximum(t, 0.5), 1),
    "where": (lambda t: np.where(MASK, t, 0.5), 0),
    "sin and exp": (lambda t: np.exp(-np.sin(t)), 2),
}
N = 2 * 10**5
CONSTANT = np.full(N, 0.9, np.float32)
MASK = CONSTANT > 0


def peak(f):
    gc.collect()
    tracemalloc.start()
    f()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def chained(operation, count):
    def f(t):
        for _ in range(count):
            t = operation(t)
        return np.sum(t)

    return f


@pytest.mark.parametrize(("operation", "saved"), CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("how", ["grad", "eager"])
def test_peak_memory_is_what_the_rules_read_plus_three_arrays(how, operation, saved):
    x = np.random.default_rng(0).uniform(0.2, 0.8, N).astype(np.float32)
    f = chained(operation, 30)

    def run():
        if how == "grad":
            ga.grad(f)(x)
        else:
            f(ga.Tensor(x, requires_grad=True)).backward()

    assert peak(run) / x.nbytes <= 30 * saved + 3 + 0.3  # 0.3: masks of bools


def test_peak_memory_of_ten_million_elements():
    x = np.full(10**7, 0.5, np.float32)
    assert peak(lambda: ga.grad(chained(lambda t: t + 1, 30))(x)) / x.nbytes <= 3
    assert peak(lambda: ga.grad(chained(np.sin, 4))(x)) / x.nbytes <= 4 + 3


def test_a_mixed_chain():
    """sin and exp each keep one array, additions and scalings none."""
    x = np.full(N, 0.5, np.float32)
    f = chained(lambda t: np.exp(-np.sin(t + 1) * 0.5) / 3, 10)
    assert peak(lambda: ga.grad(f)(x)) / x.nbytes <= 20 + 3.3


def test_constants_are_not_kept_where_no_rule_reads_them():
    x = np.ones(N, np.float32)

    def f(t):
        for k in range(20):
            t = t + (x + k)  # an array that only this operation sees
        return np.sum(t)

    assert peak(lambda: ga.grad(f)(x)) / x.nbytes <= 4.3


# ---- a thousand steps


def test_no_leak_over_a_thousand_steps():
    random = np.random.default_rng(0)
    A, y = random.normal(size=(20, 5)), random.normal(size=20)
    w = ga.Tensor(np.zeros(5), requires_grad=True)
    kept = []

    def step(k):
        error = np.mean((A @ np.tanh(w) - y) ** 2)
        w.grad = None
        error.backward()
        w.value = w.value - 0.01 * w.grad.value
        if k % 20 == 0:
            ga.hvp(lambda v: np.sum((A @ v - y) ** 2))(w.value, np.ones(5))
            ga.vmap(ga.grad(ga.checkpoint(lambda v: np.sum(np.sin(v)))))(A)
            ga.stage(ga.grad(lambda v: np.sum((A @ v - y) ** 2)), w)(w.value)
        kept[:] = [error.item()]

    for k in range(50):
        step(k)
    gc.collect()
    gc.disable()
    before = living()
    tracemalloc.start()
    base = tracemalloc.get_traced_memory()[0]
    for k in range(1000):
        step(k)
    assert living() == before
    gc.collect()  # for CPython's free lists of tuples and floats, which count as allocated
    gc.enable()
    grown = tracemalloc.get_traced_memory()[0] - base
    tracemalloc.stop()
    assert grown < 50_000


# ---- long chains


LONG = 200_000


def long_chain(x, count=LONG):
    for _ in range(count):
        x = x * 1.000001
    return x


def derivative(count):
    return pytest.approx(1.000001**count)


def leaf():
    return ga.Tensor(1.0, requires_grad=True)


def eager_long():
    t = leaf()
    long_chain(t).backward()
    assert t.grad.item() == derivative(LONG)


def retained_long():
    t = leaf()
    long_chain(t, LONG // 4).backward(retain_graph=True)
    assert t.grad.item() == derivative(LONG // 4)


def recorded_long():
    t = leaf()
    long_chain(t, LONG // 8).backward(create_graph=True)
    assert t.grad.item() == derivative(LONG // 8)
    t.grad = None


def grad_long():
    assert ga.grad(long_chain)(1.0) == derivative(LONG)


def jvp_long():
    assert ga.jvp(long_chain, (1.0,), (1.0,))[1] == derivative(LONG)


LONG_RUNS = {
    "eager": eager_long,
    "never walked": lambda: long_chain(leaf()),
    "retained": retained_long,
    "create_graph": recorded_long,
    "grad": grad_long,
    "vjp, never walked": lambda: ga.vjp(lambda x: long_chain(x, LONG // 4), 1.0),
    "jvp": jvp_long,
}


@pytest.mark.parametrize("run", LONG_RUNS.values(), ids=LONG_RUNS)
def test_two_hundred_thousand_operations_without_recursion(run):
    run()


def test_long_chains_need_no_deep_stack():
    done = []
    # CPython 3.13 unwinds by counting nested deallocations, up to more than half a MiB of stack
    kilobytes = 1024 if sys.version_info[:2] == (3, 13) else 256
    old = threading.stack_size(kilobytes * 1024)
    try:
        thread = threading.Thread(target=lambda: done.append(retained_long()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
    assert done == [None]


def test_a_long_chain_of_operations_with_several_outputs():
    a = np.diag([1.0, 2.0])

    def f(x):
        for _ in range(5000):
            x = x + 1e-4 * np.linalg.slogdet(a * (1 + x))[1]
        return x

    assert np.isfinite(ga.grad(f)(0.1))
    t = ga.Tensor(0.1, requires_grad=True)
    f(t)
