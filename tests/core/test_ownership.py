"""Who owns which memory: no array that a user may write to is shared with a graph or a result."""

import itertools

import numpy as np
import pytest

import gradarg as ga
from gradarg import tree

SMALL, LARGE = 5, 20_000  # copied; too large to copy, so watched


def arrays(value):
    return [leaf for leaf in tree.flatten(value)[0] if isinstance(leaf, np.ndarray)]


def assert_owned(results, given):
    """Writable arrays that share no memory with one another or with what was given."""
    found = arrays(results)
    assert found
    for a in found:
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in arrays(given))
    for a, b in itertools.combinations(found, 2):
        assert not np.shares_memory(a, b)


def twice(x):
    return {"a": x, "b": x, "c": x[::-1], "d": x.reshape(1, -1)}


def reshaped(x, y):
    return np.sum(x.reshape(-1, 1) * y)


def two_of_one(x, y):
    return np.sum((x.reshape(1, -1) + y.reshape(1, -1)) ** 2)


def with_aux(x):
    return np.sum(x * x), (x, np.exp(x))


def pair(x, y):
    return np.sum((x + y) ** 2 + x[:2].T @ y[:2])


def kept(x):
    return x


def repeated(x):
    y = x * 2
    return y, y, y.T


CALLS = {
    "grad": lambda x: ga.grad(pair, (0, 1))(x, x),
    "grad of a sum": lambda x: ga.grad(lambda p: np.sum(p[0] + p[1]))([x, x]),
    "grad of a constant": lambda x: ga.grad(lambda x, y: 3.0, (0, 1))(x, x),
    "grad, reshaped": lambda x: ga.grad(reshaped, (0, 1))(x, x[:1]),
    "grad, a cotangent for two": lambda x: ga.grad(two_of_one, (0, 1))(x, x),
    "grad with aux": lambda x: ga.grad(with_aux, has_aux=True)(x),
    "value_and_grad with aux": lambda x: ga.value_and_grad(with_aux, has_aux=True)(x),
    "vjp, out": lambda x: ga.vjp(twice, x)[0],
    "vjp, repeated out": lambda x: ga.vjp(repeated, x)[0],
    "vjp, pullback": lambda x: ga.vjp(lambda x, y: (x, y, x), x, x)[1]((x, x, x)),
    "vjp, cotangents straight through": lambda x: ga.vjp(lambda x: x.T, x)[1](x),
    "vjp with aux": lambda x: ga.vjp(with_aux, x, has_aux=True)[::2],
    "jvp": lambda x: ga.jvp(twice, (x,), (x,)),
    "jvp, repeated": lambda x: ga.jvp(repeated, (x,), (x,)),
    "jvp with aux": lambda x: ga.jvp(with_aux, (x,), (x,), has_aux=True)[2],
    "jvp of a constant": lambda x: ga.jvp(lambda y: (x, y), (x,), (x,)),
    "vmap": lambda x: ga.vmap(lambda r: (r, r, r * 1.0))(x),
    "vmap, repeated": lambda x: ga.vmap(repeated)(x),
    "vmap, used whole": lambda x: ga.vmap(lambda r, y: (r, y, y), (0, None), (0, None, 0))(x, x),
    "vmap, moved": lambda x: ga.vmap(lambda r: (r, r), 1, (1, 0))(np.ones((2, 1)) * x),
    "jacobian, reverse": lambda x: ga.jacobian(pair_of_vectors, (0, 1), mode="reverse")(x, x),
    "jacobian, forward": lambda x: ga.jacobian(pair_of_vectors, (0, 1), mode="forward")(x, x),
    "hessian": lambda x: ga.hessian(pair, (0, 1))(x, x),
    "hvp": lambda x: ga.hvp(lambda x: np.sum(x * x))(x, x),
    "staged": lambda x: ga.stage(twice, x)(x),
    "staged grad": lambda x: ga.stage(ga.grad(pair, (0, 1)), x, x)(x, x),
}


def pair_of_vectors(x, y):
    return x + y, x[::-1] * 1.0


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_results_belong_to_the_caller(call, n, request):
    if any(word in request.node.name for word in ("jacobian", "hessian", "used whole")):
        n = min(n, 100)  # the result has n**2 elements
    x = np.linspace(0.5, 1.5, n)
    assert_owned(call(x), [x])
    x.flags.writeable = False
    assert_owned(call(x), [x])
    assert_owned(call(np.broadcast_to(2.0, n)), [])
    assert_owned(call(np.ones(2 * n)[::2]), [])


@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_staged_constants_stay_out_of_reach(n):
    c = np.ones(n)
    graph = ga.stage(lambda x: (x + c, c, c), c)
    for array in arrays(graph(c)):
        array[:] = 7
    np.testing.assert_array_equal(graph(np.zeros(n))[0], np.ones(n))
    np.testing.assert_array_equal(graph(np.zeros(n))[1], np.ones(n))


@pytest.mark.parametrize("n", [SMALL, LARGE])
@pytest.mark.parametrize(
    "f",
    [np.exp, lambda x: np.tanh(x * 2), lambda x: x, lambda x: x.reshape(-1) * x, np.sort],
    ids=["exp", "tanh", "identity", "product", "sort"],
)
def test_writing_to_what_vjp_returns_does_not_reach_its_pullback(f, n):
    x, ones = np.linspace(-1, 2, n), np.ones(n)
    expected = ga.vjp(f, x)[1](ones)[0]
    out, pullback = ga.vjp(f, x)
    out[:] = 99
    np.testing.assert_array_equal(pullback(ones)[0], expected)
    grads = pullback(ones)[0]
    grads[:] = 99
    np.testing.assert_array_equal(pullback(ones)[0], expected)
    assert (ones == 1).all()


@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_writing_to_aux_does_not_reach_the_pullback(n):
    def f(x):
        e = np.exp(x)
        return e * e, (e, x)

    x = np.linspace(0, 1, n)
    _, pullback, aux = ga.vjp(f, x, has_aux=True)
    for array in aux:
        array[:] = 99
    np.testing.assert_allclose(pullback(np.ones(n))[0], 2 * np.exp(2 * np.linspace(0, 1, n)))


# ---- arrays that change between the forward and the backward pass


def product(t, a):
    return np.sum(t * a)


USES = {
    "multiply": product,
    "divide": lambda t, a: np.sum(t / a),
    "matmul": lambda t, a: t @ a,
    "einsum": lambda t, a: np.einsum("i,i->", t, a),
    "where": lambda t, a: np.sum(np.where(a > 0.5, t, 2 * t)),
    "mask": lambda t, a: np.sum(np.where((a > 0.5), t * t, 2 * t)),
    "gather": lambda t, a: np.sum(t[np.argsort(a)] * np.arange(t.size)),
    "power": lambda t, a: np.sum(t**a),
    "maximum": lambda t, a: np.sum(np.maximum(t, a) ** 2),
    "checkpoint": lambda t, a: ga.checkpoint(product)(t, a),
    "concatenate": lambda t, a: np.sum(np.concatenate([t, a]) ** 2),
    "view": lambda t, a: np.sum(t[1:] * a[:-1]),
    "custom": lambda t, a: CUSTOM(t, a),
}
CUSTOM = ga.custom_vjp(product)
CUSTOM.defvjp(lambda t, a: (product(t, a), (t, a)), lambda r, g: (g * r[1], g * r[0]))
CHANGES = {
    "filled": lambda a: a.fill(-3.0),
    "scaled": lambda a: np.multiply(a, 2, out=a),
    "reversed": lambda a: a.__setitem__(slice(None), a[::-1].copy()),
    "shuffled": lambda a: np.random.default_rng(0).shuffle(a),
}
POKES = {
    "one element": lambda a: a.__setitem__(a.size // 3 + 1, -50.0),
    "the last element": lambda a: a.__setitem__(-1, np.nan),
    "two exchanged": lambda a: a.__setitem__([3, 1], a[[1, 3]]),
}


def gradient_of_changed(how, use, change, x, a):
    """The gradient of use(x, a) by x, where a changes between the two passes."""
    if how == "grad":
        return ga.grad(lambda t: [use(t, a), change(a)][0])(x)
    if how == "vjp":
        _, pullback = ga.vjp(lambda t: use(t, a), x)
        change(a)
        return pullback(1.0)[0]
    t = ga.Tensor(x, requires_grad=True)
    y = use(t, a)
    change(a)
    y.backward()
    return t.grad.value


def right_or_refused(how, use, change, n):
    a, x = np.linspace(0.2, 1.2, n), np.linspace(1.5, 0.5, n)
    expected = ga.grad(use)(x, a.copy())
    try:
        found = gradient_of_changed(how, use, change, x, a)
    except ga.MutatedArrayError as error:
        message = str(error)
        return n == LARGE and "changed in place" in message and "copy()" in message
    return np.allclose(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_a_changed_operand_gives_the_right_gradient_or_an_error(use, n):
    for name, change in CHANGES.items():
        for how in ("eager", "vjp", "grad"):
            assert right_or_refused(how, use, change, n), (name, how)


@pytest.mark.parametrize("change", POKES.values(), ids=POKES)
@pytest.mark.parametrize("use", [product, USES["matmul"], USES["custom"]])
@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_so_does_an_operand_with_one_changed_element(use, change, n):
    assert right_or_refused("eager", use, change, n)


@pytest.mark.parametrize("n", [SMALL, LARGE])
@pytest.mark.parametrize("change", [*CHANGES.values(), *POKES.values()], ids=[*CHANGES, *POKES])
def test_a_changed_primal_gives_the_right_gradient_or_an_error(change, n):
    x = np.linspace(0.2, 1.2, n)
    expected = 3 * x**2
    _, pullback = ga.vjp(lambda x: np.sum(x**3), x)
    change(x)
    try:
        right = np.allclose(pullback(1.0)[0], expected)
    except ga.MutatedArrayError as error:
        right = n == LARGE and "ga.vjp" in str(error)
    assert right


def test_large_arrays_are_not_copied_and_a_refill_raises():
    a = np.ones(LARGE)
    t = ga.Tensor(np.ones(LARGE), requires_grad=True)
    y = np.sum(t * a)
    a[:] = 5
    with pytest.raises(ga.MutatedArrayError, match=r"\(20000,\).*multiply.*x\.copy\(\)"):
        y.backward(retain_graph=True)
    assert t.grad is None
    a[:] = 1
    y.backward()  # back as it was
    assert (t.grad.value == 1).all()


@pytest.mark.parametrize("n", [SMALL, LARGE])
@pytest.mark.parametrize(
    "kind", ["view", "read-only view", "subclass", "memmap", "0-d", "interface"]
)
def test_memory_reached_another_way(kind, n, tmp_path):
    base = np.ones(2 * n)
    a = base[:n]
    if kind == "read-only view":
        a.flags.writeable = False
    elif kind == "subclass":
        a = a.view(type("Sub", (np.ndarray,), {}))
    elif kind == "memmap":
        a = base = np.memmap(tmp_path / "a", dtype=float, shape=n, mode="w+")
        base[:] = 1
    elif kind == "0-d":
        a = base = np.array(1.0)
    elif kind == "interface":
        a = type("Foreign", (), {"__array_interface__": a.__array_interface__})()
    t = ga.Tensor(np.ones(n), requires_grad=True)
    y = np.sum(t * a)
    base[...] = 9
    try:
        y.backward()
    except ga.MutatedArrayError:
        assert n == LARGE
    else:
        np.testing.assert_array_equal(t.grad.value, np.ones(n))


def test_lists_and_cotangents_may_change_as_well():
    t = ga.Tensor(np.ones(3), requires_grad=True)
    weights, seed = [1.0, 2.0, 3.0], np.ones(3)
    y = t * weights
    weights[:] = [0.0, 0.0, 0.0]
    z = t + 0.0
    y.backward(seed)
    z.backward(seed)
    seed[:] = 50
    np.testing.assert_array_equal(t.grad.value, [2, 3, 4])


@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_an_index_that_changes_is_noticed(n):
    index = np.arange(n)
    t = ga.Tensor(np.ones(n), requires_grad=True)
    y = np.sum(t[index] * np.arange(n))
    index[:] = 0
    try:
        y.backward()
    except ga.MutatedArrayError:
        assert n == LARGE
    else:
        np.testing.assert_array_equal(t.grad.value, np.arange(n))


@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_what_a_checkpoint_closes_over_must_not_change(n):
    """It is read again in the backward pass, which would find another value."""
    a = np.ones(n)
    t = ga.Tensor(np.ones(n), requires_grad=True)
    y = ga.checkpoint(lambda t: np.sum(t * t * a))(t)
    a[:] = 5
    with pytest.raises(ga.GradargError, match=r"again|checkpoint"):
        y.backward()


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: ga.grad(f)(1.0),
        lambda f: ga.jvp(f, (1.0,), (1.0,)),
        lambda f: ga.hvp(f)(1.0, 1.0),
        lambda f: ga.vmap(ga.grad(f))(np.ones(3)),
        lambda f: ga.grad(lambda x: np.sum(ga.vmap(f)(x)))(np.ones(3)),
        lambda f: f(ga.Tensor(1.0, requires_grad=True)).backward(),
    ],
    ids=["grad", "jvp", "hvp", "vmap of grad", "grad of vmap", "eager"],
)
def test_a_checkpoint_that_draws_random_numbers_is_refused(transform):
    """Its value would be that of one draw, its derivative that of the next."""
    random = np.random.default_rng(0)
    f = ga.checkpoint(lambda x: x**3 * random.normal())
    with pytest.raises(ga.GradargError, match=r"again|checkpoint"):
        transform(f)
