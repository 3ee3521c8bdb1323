"""stage: graphs of shapes and dtypes alone, printed, evaluated and transformed."""

import time
import tracemalloc

import numpy as np
import pytest

import gradarg as ga

X = np.array([0.5, -1.25, 2.0])
M = np.arange(6.0).reshape(2, 3) / 3 - 0.7
HUGE = ga.ShapeDtype((10**9,), np.float32)


def f(x):
    return np.sum(np.sin(x) * x)


def dedent(text):
    lines = text.strip("\n").split("\n")
    return "\n".join(line[4:] for line in lines).rstrip()


# ---- what a graph shows


def test_a_graph_prints_as_a_program():
    graph = ga.stage(f, X)
    assert isinstance(graph, ga.Graph)
    assert str(graph) == dedent("""
    f(a: float64[3]) -> float64[]:
        b: float64[3] = sin(a)
        c: float64[3] = multiply(b, a)
        d: float64[] = sum(c, axis=(0,))
        return d
    """)
    assert repr(graph) == "<ga.Graph f, 3 operations>"


def test_a_graph_prints_trees_constants_and_parameters():
    def g(p, k, flag):
        y = np.where(p["w"] > 0, p["w"], k) @ np.ones((3, 2), np.float32)
        return {"y": y[::-1], "c": 2.5, "x": k}

    text = str(ga.stage(g, {"w": X, "n": None}, np.float32(2), True))
    assert text.startswith("g(a: float64[3], b: float32[], c: bool[]) -> ")
    assert (
        text.splitlines()[-1] == "    return 2.5, b, " + text.splitlines()[-2].split(":")[0].strip()
    )
    assert "greater(a, 0)" in text and "<float32[3, 2]>" in text
    assert "index=(slice(None, None, -1),)" in text


def test_names_go_on_after_z():
    def chain(x):
        for _ in range(30):
            x = np.sin(x)
        return x

    lines = str(ga.stage(chain, 1.0)).splitlines()
    assert lines[25].strip().startswith("z: ") and lines[26].strip().startswith(
        "aa: float64[] = sin(z)"
    )
    assert lines[-1] == "    return ae"


# ---- what it computes


def test_evaluation():
    graph = ga.stage(f, X)
    assert graph(X) == f(X) and graph(M[0]) == f(M[0])
    assert type(graph(X)) is np.float64
    tree = ga.stage(
        lambda p, q: {"s": p["a"] * q[0], "n": None, "k": [3.0, p["a"]]}, {"a": X}, (2.0,)
    )
    out = tree({"a": M[0]}, (5.0,))
    np.testing.assert_array_equal(out["s"], M[0] * 5)
    assert out["n"] is None and out["k"][0] == 3.0
    np.testing.assert_array_equal(out["k"][1], M[0])


def test_arguments_may_be_arrays_numbers_tensors_or_shapes():
    for x in (X, ga.Tensor(X), ga.ShapeDtype((3,)), ga.ShapeDtype((3,), "float64")):
        assert ga.stage(f, x)(X) == f(X)
    for s in (2.0, np.float64(2), np.array(2.0), ga.ShapeDtype(())):
        graph = ga.stage(lambda s: s * s, s)
        assert graph(3.0) == graph(np.float64(3)) == graph(np.array(3.0)) == 9.0
    assert ga.stage(lambda i: i + 1, 1)(4) == 5
    assert ga.stage(lambda x, k: x * k, 2.0, k=3.0)(5.0) == 15.0


def test_a_graph_evaluates_on_tensors_and_under_every_transform():
    graph = ga.stage(f, X)
    t = ga.Tensor(X, requires_grad=True)
    graph(t).backward()
    expected = np.cos(X) * X + np.sin(X)
    np.testing.assert_allclose(t.grad.value, expected)
    np.testing.assert_allclose(ga.grad(graph)(X), expected)
    np.testing.assert_allclose(ga.jvp(graph, (X,), (X,))[1], expected @ X)
    np.testing.assert_allclose(ga.vmap(graph)(M), [f(r) for r in M])
    np.testing.assert_allclose(ga.vmap(ga.grad(graph))(M), np.cos(M) * M + np.sin(M))
    np.testing.assert_allclose(ga.hessian(graph)(X), ga.hessian(f)(X))
    np.testing.assert_allclose(ga.grad(ga.checkpoint(graph))(X), expected)
    assert str(ga.stage(graph, X)).splitlines()[1:] == str(graph).splitlines()[1:]


def test_one_call_of_the_function_and_none_in_evaluation():
    calls = []
    graph = ga.stage(lambda x: calls.append(1) or x * 2, X)
    graph(X)
    graph(X)
    assert len(calls) == 1


def test_several_outputs_of_one_operation():
    graph = ga.stage(lambda a: np.linalg.slogdet(a), np.eye(2))
    sign, logabsdet = graph(np.diag([2.0, -3.0]))
    assert sign == -1 and logabsdet == pytest.approx(np.log(6))
    assert "slogdet(a)" in str(graph)
    np.testing.assert_allclose(
        ga.grad(lambda a: graph(a)[1])(np.diag([2.0, -3.0])), np.diag([1 / 2, -1 / 3])
    )


def test_tensors_met_on_the_way_keep_their_derivative():
    w = ga.Tensor(X, requires_grad=True)
    graph = ga.stage(lambda x: np.sum(x * w), X)
    graph(M[0]).backward()
    np.testing.assert_array_equal(w.grad.value, M[0])
    assert "<float64[3]>" in str(graph)


def test_values_are_freed_after_their_last_use():
    def chain(x):
        for _ in range(20):
            x = np.sin(x)
        return np.sum(x)

    x = np.ones(10**6)
    graph = ga.stage(chain, x)
    tracemalloc.start()
    graph(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * x.nbytes


# ---- mistakes


def test_a_graph_is_for_its_shapes_and_dtypes_and_containers():
    graph = ga.stage(f, X)
    for wrong in (X.astype(np.float32), M, X[:2], 2.0):
        with pytest.raises(TypeError, match=r"f was staged for float64\[3\], but.*Stage it again"):
            graph(wrong)
    for args in ((), (X, X), ([X],)):
        with pytest.raises(ga.TreeError, match=r"f.*structure.*expected"):
            graph(*args)
    with pytest.raises(ga.DerivativeError, match="'text'"):
        graph("text")


def test_only_stage_takes_shapes_for_values():
    shape = ga.ShapeDtype((3,))
    for call in (
        lambda: ga.grad(np.sum)(shape),
        lambda: ga.vmap(np.sin)(shape),
        lambda: ga.jvp(np.sin, (shape,), (X,)),
        lambda: ga.vjp(np.sin, shape),
        lambda: ga.stage(np.sin, X)(shape),
    ):
        with pytest.raises((TypeError, ga.GradargError), match=r"ShapeDtype|float64\[3\]"):
            call()


@pytest.mark.parametrize("value", ["text", object(), {1, 2}, np.array(["a"]), np.array([None])])
def test_arguments_and_results_are_numbers(value):
    with pytest.raises(ga.DerivativeError, match=r"ga\.stage"):
        ga.stage(lambda x: 1.0, value)
    with pytest.raises(ga.DerivativeError, match=r"ga\.stage"):
        ga.stage(lambda x: value, 1.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: x + np.ones(4), r"\(3,\).*\(4,\).*broadcast"),
        (lambda x: x @ np.ones(4), r"\(3,\).*\(4,\)"),
        (lambda x: np.concatenate([x[None], np.ones((1, 4))]), r"\(1, 3\), \(1, 4\)"),
        (lambda x: x.reshape(2, 2), r"\(3,\).*\(2, 2\)"),
        (lambda x: np.linalg.inv(x), r"square.*\(3,\)"),
    ],
)
def test_shapes_are_checked_while_staging(call, words):
    with pytest.raises(ga.ShapeError, match=words):
        ga.stage(call, X)


# ---- nothing of the arguments' size is computed or allocated


def measured(make):
    make()  # what is set up once is not the graph's
    tracemalloc.start()
    start = time.perf_counter()
    graph = make()
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return graph, seconds, peak


def loss(w):
    y = np.tanh(w * 2 + 1) / (1 + np.exp(-w))
    return np.mean(np.where(y > 0, y, 0.1 * y) ** 2) + np.sum(np.abs(w)) * 1e-3


@pytest.mark.parametrize(
    "make",
    [
        lambda: ga.stage(loss, HUGE),
        lambda: ga.stage(ga.grad(loss), HUGE),
        lambda: ga.stage(ga.value_and_grad(loss), HUGE),
        lambda: ga.stage(ga.hvp(loss), HUGE, HUGE),
        lambda: ga.stage(lambda w: w - np.float32(0.1) * ga.grad(loss)(w), HUGE),
        lambda: ga.stage(lambda w, v: ga.jvp(loss, (w,), (v,)), HUGE, HUGE),
        lambda: ga.stage(ga.grad(ga.checkpoint(loss)), HUGE),
    ],
    ids=["loss", "grad", "value_and_grad", "hvp", "step", "jvp", "checkpoint"],
)
def test_a_billion_variables_take_milliseconds(make):
    graph, seconds, peak = measured(make)
    assert seconds < 0.1 and peak < 1e6
    assert "float32[1000000000]" in str(graph)


LARGE = ga.ShapeDtype((10**6,), np.float32)  # 4 MB: what is allocated by mistake is seen
ABSTRACT = {
    "sum": np.sum,
    "mean of a slice": lambda a: np.mean(a[1::2]),
    "max": np.max,
    "sort": lambda a: np.sort(a)[0],
    "cumsum": lambda a: np.cumsum(a)[-1],
    "concatenate": lambda a: np.sum(np.concatenate([a, a * 2]) ** 2),
    "concatenate with constants": lambda a: np.sum(np.concatenate([a, np.zeros(3, np.float32)])),
    "stack": lambda a: np.sum(np.stack([a, a])),
    "pad": lambda a: np.sum(np.pad(a, 1) ** 2),
    "flip and roll": lambda a: np.sum(np.flip(a) * np.roll(a, 3)),
    "reshape and transpose": lambda a: np.sum(a.reshape(1000, 1000).T),
    "matmul": lambda a: np.sum(a.reshape(1000, 1000) @ a.reshape(1000, 1000)),
    "broadcast": lambda a: np.sum(a.reshape(1000, 1, 1000) + a.reshape(1000, 1000)),
    "where": lambda a: np.sum(np.where(a > 0, a, 0)),
    "clip": lambda a: np.sum(np.clip(a, 0, 1)),
    "softmax": lambda a: ga.softmax(a)[0],
    "var": np.var,
    "std": np.std,
    "take": lambda a: np.sum(a[np.array([1, 2])]),
    "element": lambda a: a[5] * a[7],
    "repeat by broadcasting": lambda a: np.sum(np.broadcast_to(a, (2, 10**6))),
    "split": lambda a: np.sum(np.split(a, 2)[0]),
    "zeros_like": lambda a: np.sum(np.zeros_like(a) + a),
    "ones_like": lambda a: np.sum(np.ones_like(a) * a),
    "einsum": lambda a: np.einsum("i,i->", a, a),
    "cast": lambda a: np.sum(a.astype(np.float64)),
    "set": lambda a: np.sum(a.at[0].set(1.0)),
    "unused": lambda a: 3.0,
    "checkpoint": lambda a: ga.checkpoint(lambda a: np.sum(np.sin(a)))(a),
}


@pytest.mark.parametrize("f", ABSTRACT.values(), ids=ABSTRACT)
def test_staged_derivatives_allocate_nothing_of_the_size_of_the_input(f):
    for make in (
        lambda: ga.stage(f, LARGE),
        lambda: ga.stage(ga.grad(f), LARGE),
        lambda: ga.stage(ga.hvp(f), LARGE, LARGE),
    ):
        assert measured(make)[2] < 1e6
