"""cond, while_loop, fori_loop and scan, against Python's if, while and for written out."""

import operator
from typing import NamedTuple

import numpy as np
import pytest

import gradarg as ga

RNG = np.random.default_rng(7)
XS = RNG.normal(size=(5, 3))
W = RNG.normal(size=(3, 3)) * 0.5
H = RNG.normal(size=3)


def same(found, expected, tolerance=1e-9):
    a, b = ga.tree.flatten(found), ga.tree.flatten(expected)
    assert a[1] == b[1]
    for x, y in zip(a[0], b[0]):
        assert type(x) is type(y)
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def written_out(f, init, xs, length=None, reverse=False, checkpoint=False):
    """scan as a loop of Python."""
    leaves = ga.tree.flatten(xs)[0]
    count = leaves[0].shape[0] if leaves else length
    carry, ys = init, []
    for i in reversed(range(count)) if reverse else range(count):
        carry, y = f(carry, ga.tree.map(operator.itemgetter(i), xs))
        ys.append(y)
    if reverse:
        ys.reverse()
    return carry, ga.tree.map(lambda *y: np.stack(y), *ys)


class State(NamedTuple):
    h: object
    count: object


def recurrent(scan, **options):
    """A recurrent net: captured weights, a carry of a float and an integer, a tree of outputs."""

    def f(w, h, xs):
        def step(state, x):
            h = np.tanh(w @ state.h + x * state.count)
            return State(h, state.count + 1), {"sum": np.sum(h), "count": state.count}

        last, ys = scan(step, State(h, np.int8(1)), xs, **options)
        return np.sum(last.h**3) + np.sum(np.sin(ys["sum"])) + np.sum(ys["count"])

    return f


def of_second_order(f):
    return lambda *args: ga.grad(lambda w: np.sum(ga.grad(f, 0)(w, *args[1:]) ** 2))(args[0])


TRANSFORMS = {
    "value": lambda f: f(W, H, XS),
    "grad": lambda f: ga.grad(f, (0, 1, 2))(W, H, XS),
    "grad by the captured alone": lambda f: ga.grad(f)(W, H, XS),
    "grad by what begins": lambda f: ga.grad(f, 1)(W, H, XS),
    "grad by what is sliced": lambda f: ga.grad(f, 2)(W, H, XS),
    "jvp": lambda f: ga.jvp(f, (W, H, XS), (W[::-1], H * 2, XS + 1)),
    "jvp by one": lambda f: ga.jvp(lambda h: f(W, h, XS), (H,), (H + 1,)),
    "grad of grad": lambda f: of_second_order(f)(W, H, XS),
    "hvp": lambda f: ga.hvp(lambda w: f(w, H, XS))(W, W.T),
    "hessian": lambda f: ga.hessian(lambda h: f(W, h, XS))(H),
    "jvp of jvp": lambda f: ga.jvp(
        lambda w: ga.jvp(lambda h: f(w, h, XS), (H,), (H + 1,))[1], (W,), (W.T,)
    ),
    "grad of jvp": lambda f: ga.grad(lambda w: ga.jvp(lambda xs: f(w, H, xs), (XS,), (XS + 1,))[1])(
        W
    ),
    "vmap": lambda f: ga.vmap(f, (None, 0, None))(W, np.stack([H, -H]), XS),
    "vmap of what is sliced": lambda f: ga.vmap(f, (None, None, 1))(
        W, H, np.stack([XS, -XS, XS * 2], 1)
    ),
    "vmap of grad": lambda f: ga.vmap(ga.grad(f, (0, 1)), (0, None, None))(
        np.stack([W, W.T]), H, XS
    ),
    "grad of vmap": lambda f: ga.grad(
        lambda w, h: np.sum(ga.vmap(f, (None, 0, 0))(w, h, np.stack([XS, -XS]))), (0, 1)
    )(W, np.stack([H, -H])),
    "vmap of hessian": lambda f: ga.vmap(ga.hessian(lambda h: f(W, h, XS)))(np.stack([H, -H])),
    "stage": lambda f: ga.stage(f, W, H, XS)(W, H, XS),
    "stage of grad": lambda f: ga.stage(ga.grad(f, (0, 1, 2)), W, H, XS)(W, H, XS),
    "grad of stage": lambda f: ga.grad(ga.stage(f, W, H, XS), (0, 2))(W, H, XS),
    "stage of vmap of grad": lambda f: ga.stage(
        ga.vmap(ga.grad(f), (None, 0, None)), W, np.stack([H, -H]), XS
    )(W, np.stack([H, -H]), XS),
    "jvp of stage of grad": lambda f: ga.jvp(
        lambda w: ga.stage(ga.grad(f), W, H, XS)(w, H, XS), (W,), (W.T,)
    ),
    "float32": lambda f: ga.grad(f, (0, 1, 2))(*(a.astype(np.float32) for a in (W, H, XS))),
}


@pytest.mark.parametrize("options", [{}, {"reverse": True}, {"checkpoint": True}], ids=str)
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_scan(transform, options):
    loop = transform(recurrent(written_out, **options))
    single = any(x.dtype == np.float32 for x in ga.tree.flatten(loop)[0])
    same(transform(recurrent(ga.scan, **options)), loop, 1e-5 if single else 1e-9)


@pytest.mark.parametrize("length", [0, 1, 2, 4, 7, 9])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_scan_of_any_length(length, reverse, checkpoint):
    xs = RNG.normal(size=length)

    def f(w):
        carry, ys = ga.scan(
            lambda c, x: (c * w + x, c * c), 1.5, xs, reverse=reverse, checkpoint=checkpoint
        )
        return carry, ys

    carry, ys = 1.5, []
    for x in xs[::-1] if reverse else xs:
        ys.append(carry**2)
        carry = carry * 0.7 + x
    same(f(0.7), (np.float64(carry), np.array(ys[::-1] if reverse else ys)))

    def loss(w):
        carry, ys = f(w)
        return carry + np.sum(ys)

    step = 1e-30j  # complex numbers make another body: the derivative of the same polynomial
    same(ga.grad(loss)(0.7), np.imag(loss_by_hand(0.7 + step, xs, reverse)) / 1e-30)
    same(ga.jvp(loss, (0.7,), (2.0,))[1], 2 * ga.grad(loss)(0.7))


def loss_by_hand(w, xs, reverse):
    carry, total = 1.5 + 0 * w, 0
    for x in xs[::-1] if reverse else xs:
        total = total + carry**2
        carry = carry * w + x
    return np.complex128(carry + total)


def test_scan_on_the_eager_tape():
    for retain in (False, True):
        found = []
        for scan in (ga.scan, written_out):
            w, h = ga.Tensor(W, requires_grad=True), ga.Tensor(H, requires_grad=True)
            loss = recurrent(scan)(w, h, XS)
            assert isinstance(loss, ga.Tensor)
            loss.backward(create_graph=retain)
            if retain:
                first = w.grad
                w.grad = None
                np.sum(first**2).backward()
            found.append((np.asarray(w.grad.value), np.asarray(h.grad.detach().value)))
        same(*found)


def test_no_inputs_and_no_outputs():
    def f(x):
        carry, nothing = ga.scan(lambda c, _: ((c[0] * x, c[1] + 1), None), (1.0, 0), length=4)
        assert nothing is None
        assert not np.ndim(carry[1])
        return carry[0]

    same((f(3.0), ga.grad(f)(3.0)), (np.float64(81.0), np.float64(108.0)))
    carry, ys = ga.scan(lambda _, x: (None, x * 2), None, np.arange(3.0))
    assert carry is None
    same(ys, np.array([0.0, 2.0, 4.0]))


def test_nested_scans():
    def powers(scan):
        def f(w, xs):
            def outer(c, row):
                inner, ys = scan(lambda d, x: (np.sin(d * w + x * c), d * x), c * 0.5, row)
                return inner + c, np.sum(ys) * w

            c, ys = scan(outer, np.float64(0.3), xs)
            return c + np.sum(ys**2)

        return f

    for transform in (
        lambda f: f(0.7, XS),
        lambda f: ga.grad(f, (0, 1))(0.7, XS),
        lambda f: ga.grad(ga.grad(f))(0.7, XS),
        lambda f: ga.vmap(ga.grad(f), (0, None))(np.array([0.7, -0.2]), XS),
        lambda f: ga.stage(ga.grad(f), 0.7, XS)(0.7, XS),
    ):
        same(transform(powers(ga.scan)), transform(powers(written_out)))


def test_a_function_captured_twice_removed():
    """What each level of grad watches is captured by a body inside both."""

    def f(scan):
        def of(x):
            inner = lambda y: scan(lambda c, v: (c * x * y + v, c), 1.0, XS[0])[0]
            return ga.grad(inner)(x * 2)

        return ga.grad(of)(0.8)

    same(f(ga.scan), f(written_out))


def test_transforms_inside_a_step():
    def f(scan):
        def of(w):
            energy = lambda q: np.sum(np.cos(q * w))
            step = lambda q, _: (q - 0.1 * ga.grad(energy)(q), energy(q))
            q, ys = scan(step, H, None, length=4)
            return np.sum(q) + np.sum(ys)

        return ga.grad(of)(1.3), ga.vmap(of)(np.array([0.3, 2.0]))

    same(f(ga.scan), f(written_out))


def test_no_grad_within_a_step():
    def f(scan):
        def of(w):
            def step(c, x):
                with ga.no_grad():
                    k = np.sin(c * w)
                    slope = ga.grad(lambda v: v * c**2)(w)  # what starts inside works as usual
                return c * w + k * x * slope, k

            c, ys = scan(step, np.float64(0.5), H)
            return c + np.sum(ys)

        return ga.grad(of)(0.7), ga.jvp(of, (0.7,), (1.0,))[1]

    same(f(ga.scan), f(written_out))


def test_assignment_within_a_step():
    def f(scan):
        def of(w):
            def step(c, x):
                c = c + 0
                c[0] = c[0] * w + x
                c[1:] += w
                return c, c[0] * 1

            c, ys = scan(step, w * np.ones(3), H)
            return np.sum(c) + np.sum(ys)

        return ga.grad(of)(0.7), ga.grad(ga.grad(of))(0.7)

    same(f(ga.scan), f(written_out))


def test_a_captured_tensor_is_what_it_was_when_it_was_used():
    def f(w):
        t = w * np.ones(2)

        def step(c, _):
            c = c * t
            t[0] = 100.0
            return c, None

        return np.sum(ga.scan(step, np.ones(2), length=1)[0])

    same(ga.grad(f)(3.0), np.float64(2.0))


def test_each_within_each():
    """cond in scan, while_loop in scan, scan in cond."""
    signs = np.array([1.0, -1.0, 0.0, 2.0])

    def f(scan, cond):
        def of(w):
            def step(c, x):
                c = cond(x * c > 0, lambda c: np.sqrt(np.abs(c * x)) * w, lambda c: c * w + x, c)
                return c, c**2

            c, ys = scan(step, w * 2, signs)
            return c + np.sum(ys)

        return of

    def g(scan, loop):
        def of(w):
            def step(c, x):
                c = loop(lambda c: np.abs(c) > 1.0, lambda c: c * 0.5 * w, c + x * w)
                return c, c

            c, ys = scan(step, w * 2, signs)
            return c + np.sum(ys)

        return of

    def h(scan, cond):
        def of(w):
            sums = lambda s: lambda c: scan(lambda c, x: (c * w + s * x, None), c, signs)[0]
            return cond(w > 0, sums(1.0), sums(2.0), w)

        return of

    w = np.array([0.7, -0.3, 1.7])
    over = lambda f: np.stack([f(x) for x in w])
    for pair, plain in (
        (f(ga.scan, ga.cond), f(written_out, python_if)),
        (h(ga.scan, ga.cond), h(written_out, python_if)),
    ):
        for t in (ga.grad, ga.hessian, lambda f: lambda x: ga.jvp(ga.grad(f), (x,), (2.0,))[1]):
            expected = over(t(plain))
            same(over(t(pair)), expected)
            with np.errstate(all="ignore"):
                same(ga.vmap(t(pair))(w), expected)
                same(ga.stage(ga.vmap(t(pair)), w)(w), expected)
        with np.errstate(all="ignore"):
            same(ga.grad(lambda w: np.sum(ga.vmap(pair)(w)))(w), over(ga.grad(plain)))  # noqa: B023
    slope = lambda f: lambda w: ga.jvp(f, (w,), (1.0,))[1]
    expected = over(slope(g(written_out, python_while)))
    same(over(slope(g(ga.scan, ga.while_loop))), expected)
    same(ga.vmap(slope(g(ga.scan, ga.while_loop)))(w), expected)


def test_a_module_is_captured():
    cell = ga.nn.Linear(3, 3)
    xs = XS.astype(np.float32)
    found = []
    for scan in (ga.scan, written_out):
        step = lambda h, x: (np.tanh(cell(h) + x), h)
        np.sum(scan(step, np.zeros(3, np.float32), xs)[0] ** 2).backward()
        found.append(np.asarray(cell.weight.grad.value))
        cell.weight.grad = cell.bias.grad = None
    same(*found, 1e-5)


def test_debug_nans_names_the_loop():
    with ga.debug_nans(), pytest.raises(ga.NonFiniteError, match="scan gave NaN"):
        ga.grad(lambda w: ga.scan(lambda c, x: (np.sqrt(c * x), c), w, H)[0])(2.0)


def test_a_long_scan_is_one_operation():
    def f(w):
        return ga.scan(lambda c, _: (np.sin(c * w), None), 0.5, length=10_000)[0]

    assert [e.primitive.name for e in ga.stage(f, 1.0).equations] == ["scan"]
    graph = ga.stage(ga.grad(f), 1.0)
    assert [e.primitive.name for e in graph.equations].count("scan") == 2
    assert len(graph.equations) < 10
    assert "body = <lambda>(a: float64[]" in str(graph)


def test_checkpoint_keeps_the_root_of_the_carries():
    size = 4000

    def f(w, checkpoint):
        return ga.scan(
            lambda c, _: (np.sin(c * w), None), np.ones(size), length=100, checkpoint=checkpoint
        )[0]

    w = np.full(size, 0.9)
    peaks = []
    for checkpoint in (False, True):
        out, pullback = ga.vjp(lambda w: f(w, checkpoint), w)  # noqa: B023
        kept = sum(o.nbytes for o in pullback.nodes[0].node.out)
        peaks.append(kept / w.nbytes)
        del out
    assert peaks[0] > 100
    assert peaks[1] < 12


# ---- cond


def branch(cond):
    def f(w, x):
        return cond(
            np.sum(x) > 0.5,
            lambda x: {"y": np.sqrt(x[0]) * w, "z": x[1:]},
            lambda x: {"y": np.exp(x[0]) / w, "z": x[1:] * w},
            x,
        )

    def total(w, x):
        out = f(w, x)
        return out["y"] ** 2 + np.sum(out["z"] ** 3)

    return total


def python_if(pred, then, other, *operands):
    return (then if pred else other)(*operands)


YES, NO = np.array([4.0, 0.25]), np.array([-1.0, 0.75])
BOTH = np.stack([YES, NO, YES * 2])


def by_rows(f):
    """vmap by hand."""
    return lambda w, rows: ga.tree.map(lambda *r: np.stack(r), *[f(w, r) for r in rows])


@pytest.mark.parametrize("x", [YES, NO], ids=["taken", "not taken"])
def test_cond(x):
    for transform in (
        lambda f: f(1.7, x),
        lambda f: ga.grad(f, (0, 1))(1.7, x),
        lambda f: ga.hessian(lambda x: f(1.7, x))(x),
        lambda f: ga.jvp(f, (1.7, x), (2.0, x)),
    ):
        expected = transform(branch(python_if))
        same(transform(branch(ga.cond)), expected)
        # staged, the predicate is not known
        graph = ga.stage(branch(ga.cond), 1.7, x)
        assert "cond" in [e.primitive.name for e in graph.equations]
        same(transform(graph), expected)
        staged = ga.stage(lambda w, x: ga.grad(branch(ga.cond), (0, 1))(w, x), 1.7, x)
        same(staged(1.7, x), ga.grad(branch(python_if), (0, 1))(1.7, x))


def test_cond_mapped_over_its_predicate():
    for transform in (
        lambda f: f,
        lambda f: ga.grad(f, (0, 1)),
        lambda f: ga.hessian(f, 1),
        lambda f: lambda w, x: ga.jvp(f, (w, x), (2.0, x + 1))[1],
    ):
        found = ga.vmap(transform(branch(ga.cond)), (None, 0))(1.7, BOTH)
        same(found, by_rows(transform(branch(python_if)))(1.7, BOTH))
        graph = ga.stage(ga.vmap(transform(branch(ga.cond)), (None, 0)), 1.7, BOTH)
        with np.errstate(invalid="ignore"):  # the root of -1, in a branch that is not taken
            same(graph(1.7, BOTH), found)

    # the other order: the zero that where sends to the branch not taken meets an infinite slope
    def f(cond):
        return lambda x: cond(x > 0, np.sqrt, lambda x: x * 3, x)

    x = np.array([4.0, 0.0, 0.25])
    found = ga.grad(lambda x: np.sum(ga.vmap(f(ga.cond))(x)))(x)
    same(found, np.array([0.25, 3.0, 1.0]))


def test_cond_mapped_over_its_operands_stays_one():
    def f(flag, w, rows):
        return ga.vmap(lambda x: ga.cond(flag, lambda x: x * w, lambda x: x[::-1], x))(rows)

    graph = ga.stage(f, np.True_, 2.0, BOTH)
    assert [e.primitive.name for e in graph.equations] == ["cond"]
    same(graph(np.True_, 2.0, BOTH), BOTH * 2)
    same(graph(np.False_, 2.0, BOTH), BOTH[:, ::-1].copy())
    total = lambda w: np.sum(graph(np.True_, w, BOTH) ** 2)
    same(ga.grad(total)(2.0), np.float64(4 * np.sum(BOTH**2)))


def test_cond_runs_one_branch():
    calls = []

    @ga.custom_vjp
    def noted(x):
        calls.append(isinstance(x, np.ndarray))
        return x * 2

    noted.defvjp(lambda x: (x * 2, None), lambda _, g: (g * 2,))
    graph = ga.stage(lambda p, x: ga.cond(p, noted, lambda x: x, x), np.True_, H)
    calls.clear()
    graph(np.False_, H)
    assert calls == []
    same(graph(np.True_, H), H * 2)
    assert calls == [True]


def test_numbers_of_branches_take_the_dtype_of_the_other():
    x = np.float32(2.0)
    for f in (
        lambda p, x: ga.cond(p, lambda x: 0.0, lambda x: x * 3, x),
        lambda p, x: ga.cond(p, lambda x: x * 3, lambda x: 0, x),
    ):
        assert ga.stage(f, np.True_, x)(np.False_, x).dtype == np.float32


# ---- while_loop and fori_loop


def newton(loop):
    """The square root by Newton's steps, with a count of them."""

    def f(a):
        return loop(
            lambda s: np.abs(s["x"] ** 2 - a) > 1e-10,
            lambda s: {"x": (s["x"] + a / s["x"]) * 0.5, "n": s["n"] + 1},
            {"x": a * 1.0, "n": 0},
        )

    return f


def python_while(test, step, state):
    state = ga.tree.map(lambda x: x if hasattr(x, "dtype") else np.asarray(x)[()], state)
    while test(state):
        state = step(state)
    return state


def test_while_loop():
    root = lambda loop: lambda a: newton(loop)(a)["x"]
    for transform in (
        lambda loop: newton(loop)(np.float64(7.0)),
        lambda loop: ga.jvp(root(loop), (7.0,), (2.0,)),
        lambda loop: ga.jvp(lambda a: ga.jvp(root(loop), (a,), (a * 2,))[1], (7.0,), (1.5,)),
    ):
        expected = transform(python_while)
        same(transform(ga.while_loop), expected)
    staged = ga.stage(lambda a: ga.jvp(root(ga.while_loop), (a,), (2.0,)), 1.0)
    same(staged(7.0), ga.jvp(root(python_while), (7.0,), (2.0,)))
    assert abs(ga.jvp(root(ga.while_loop), (7.0,), (1.0,))[1] - 0.5 / np.sqrt(7)) < 1e-9


def test_while_loop_mapped():
    a = np.array([7.0, 2.0, 0.1, 400.0])
    found = ga.vmap(newton(ga.while_loop))(a)
    one_by_one = [newton(python_while)(x) for x in a]
    same(found, ga.tree.map(lambda *r: np.stack(r), *one_by_one))
    assert len(set(found["n"])) > 2  # each stops by itself
    slope = ga.vmap(lambda a: ga.jvp(newton(ga.while_loop), (a,), (1.0,))[1]["x"])
    same(slope(a), 0.5 / np.sqrt(a), 1e-6)
    slope = lambda a: ga.jvp(ga.vmap(newton(ga.while_loop)), (a,), (np.ones(4),))[1]["x"]
    same(slope(a), 0.5 / np.sqrt(a), 1e-6)

    # a predicate that is the same for all
    def f(x, n):
        return ga.while_loop(lambda s: s[1] < n, lambda s: (s[0] * x, s[1] + 1), (1.0, 0))

    x = np.array([1.0, 2.0, 3.0])
    same(ga.vmap(f, (0, None))(x, 3), (x**3, np.array([3, 3, 3])))
    # one that differs where nothing else does
    same(ga.vmap(f, (None, 0))(2.0, np.array([0, 3, 5])), (np.array([1.0, 8.0, 32.0]),
                                                          np.array([0, 3, 5])))  # fmt: skip


def test_while_loop_has_no_reverse_mode():
    with pytest.raises(ga.DerivativeError, match=r"while_loop.*reverse mode[\s\S]*scan.*fori_loop"):
        ga.grad(lambda a: newton(ga.while_loop)(a)["x"])(7.0)
    w = ga.Tensor(7.0, requires_grad=True)
    with pytest.raises(ga.DerivativeError, match="reverse mode"):
        newton(ga.while_loop)(w)["x"].backward()
    with pytest.raises(ga.DerivativeError, match="reverse mode"):  # of what is captured too
        ga.grad(lambda w: ga.while_loop(lambda x: x < 9.0, lambda x: x * w, 1.0))(2.0)

    # what does not vary carries no derivative, and none is asked for
    def counted(a):
        s = ga.while_loop(
            lambda s: s["n"] < 3.0, lambda s: {"x": s["x"] * a, "n": s["n"] + 1.0},
            {"x": a, "n": 0.0},
        )  # fmt: skip
        return s["n"] * a + ga.stop_gradient(s["x"])

    same(ga.grad(counted)(7.0), np.float64(3.0))


def test_fori_loop():
    def f(x, n=4, begin=1):
        return ga.fori_loop(begin, n, lambda i, s: s * x + i, 1.0)

    def by_hand(x, n=4, begin=1):
        s = 1.0
        for i in range(begin, n):
            s = s * x + i
        return np.float64(s)

    same(f(2.0), by_hand(2.0))
    same(f(2.0, 1), by_hand(2.0, 1))
    same(f(2.0, -3), np.float64(1.0))
    same(ga.grad(f)(2.0), np.imag(by_hand_complex(2.0)) / 1e-30)
    graph = ga.stage(f, 2.0, 4, 1)
    same(graph(2.0, 6, 2), by_hand(2.0, 6, 2))
    assert [e.primitive.name for e in graph.equations] == ["while_loop"]
    same(ga.vmap(f, (None, 0))(2.0, np.array([0, 3, 5])),
         np.array([by_hand(2.0, n) for n in (0, 3, 5)]))  # fmt: skip
    rows = ga.fori_loop(0, 3, lambda i, s: s + ga.take(XS, i, 0), np.zeros(3))
    same(rows, XS[:3].sum(0))


def by_hand_complex(x):
    s = 1.0
    for i in range(1, 4):
        s = s * (x + 1e-30j) + i
    return np.complex128(s)


# ---- dtypes, and what is refused


def test_float32_stays():
    xs = XS[0].astype(np.float32)
    carry, ys = ga.scan(lambda c, x: (c * 0.5 + x, c), 0.0, xs)
    assert carry.dtype == ys.dtype == np.float32
    w = np.float32(0.5)
    assert ga.scan(lambda c, x: (c * w + x, c), 1, xs)[0].dtype == np.float64  # 1 is int64
    assert ga.while_loop(lambda c: c < 3, lambda c: c + w, 0.0).dtype == np.float32
    assert ga.while_loop(lambda c: c < 3, lambda c: c + 0.5, 0).dtype == np.float64
    for far in (xs, ga.Tensor(xs), ga.Tensor(xs, requires_grad=True)):
        step = lambda c, _: (c * 0.5 + np.sum(far), c)  # noqa: B023
        assert {y.dtype for y in ga.scan(step, 0.0, length=2)} == {np.dtype(np.float32)}
    same(ga.jvp(lambda c: ga.while_loop(lambda c: c < 3, lambda c: c * 2, c), (w,), (w,)),
         (np.float32(4.0), np.float32(4.0)))  # fmt: skip


def test_complex():
    def f(scan):
        return lambda z: np.abs(scan(lambda c, x: (c * z + x, c), 1j * z, XS[0])[0])

    same(ga.grad(f(ga.scan))(0.3 + 0.4j), ga.grad(f(written_out))(0.3 + 0.4j))


def test_results_are_the_callers_own():
    h, xs = H.copy(), XS.copy()
    (a, b), ys = ga.scan(lambda c, x: ((c[0], x), x), (h, h), xs)
    for x in (a, b, ys):
        assert x.flags.writeable
        assert not np.shares_memory(x, h)
        assert not np.shares_memory(x, xs)
    w = ga.Tensor(2.0, requires_grad=True)
    table = np.ones(3)
    total = ga.scan(lambda c, x: (c + np.sum(x * w * table), None), 0.0, XS)[0]
    table[:] = 100.0  # captured, and changed before the way back
    total.backward()
    np.testing.assert_allclose(w.grad.value, XS.sum())


def test_mistakes():
    with pytest.raises(ga.TreeError, match=r"begins as float64\[3\].*makes float64\[2\]"):
        ga.scan(lambda c, x: (c[:2], x), H, XS)
    with pytest.raises(ga.TreeError, match=r"\{'a': float64\[3\]\}.*makes float64\[3\]"):
        ga.scan(lambda c, x: (c["a"], x), {"a": H}, XS)
    with pytest.raises(ga.TreeError, match=r"int64\[3\].*float64\[3\]"):
        ga.while_loop(lambda c: c[0] < 3, lambda c: c * 0.5, np.arange(3))
    with pytest.raises(ga.TreeError, match=r"pair \(carry, y\), not float64\[3\]"):
        ga.scan(lambda c, x: c, H, XS)
    with pytest.raises(ga.ShapeError, match=r"shapes are \(5, 3\), \(3,\), and length is None"):
        ga.scan(lambda c, x: (c, x), 0.0, (XS, H))
    with pytest.raises(ga.ShapeError, match="length is 4"):
        ga.scan(lambda c, x: (c, x), 0.0, XS, length=4)
    with pytest.raises(ga.ShapeError, match="length= must say"):
        ga.scan(lambda c, x: (c, x), 0.0)
    with pytest.raises(ga.ShapeError, match="without axes"):
        ga.scan(lambda c, x: (c, x), 0.0, 1.0)
    with pytest.raises(ga.ShapeError, match=r"one truth value, not bool\[3\]"):
        ga.while_loop(lambda c: c < 3, lambda c: c * 2, H)
    with pytest.raises(ga.ShapeError, match=r"one truth value[\s\S]*ga\.where"):
        ga.cond(H > 0, np.sin, np.cos, H)
    with pytest.raises(ga.TreeError, match=r"returns \(float64\[\],\), and .*float64\[3\]"):
        ga.stage(lambda p: ga.cond(p, lambda: (1.0,), lambda: H), True)
    with pytest.raises(ga.DerivativeError, match="neither a number nor an array"):
        ga.scan(lambda c, x: ("text", x), 0.0, XS)


def test_a_branch_on_what_is_not_known_names_what_to_write():
    def f(x):
        return x if x > 0 else -x

    for transform in (lambda: ga.vmap(f)(H), lambda: ga.stage(f, 1.0)):
        with pytest.raises(ga.ConcreteValueError, match=r"ga\.where.*ga\.cond.*while_loop.*scan"):
            transform()
    with pytest.raises(ga.ConcreteValueError, match=r"ga\.cond"):
        ga.scan(lambda c, x: (f(c), x), 0.0, XS)


def test_a_value_that_came_around_is_refused():
    """An operation of its own hides what it captures from the body."""

    def f(w):
        hidden = ga.checkpoint(lambda c: c * w)
        return ga.scan(lambda c, _: (hidden(c), None), 1.0, length=3)[0]

    with pytest.raises(ga.DerivativeError, match="that it was not passed"):
        ga.grad(f)(2.0)

    def put_out(w):
        hidden = ga.checkpoint(lambda x: x * w)
        return np.sum(ga.scan(lambda c, x: (c, hidden(x)), 1.0, H)[1])

    with pytest.raises(ga.DerivativeError, match="that it was not passed"):
        ga.grad(put_out)(2.0)

    def g(w):
        twice = ga.custom_vjp(lambda c: c * 2)
        twice.defvjp(lambda c: (c * 2, None), lambda _, g: (g * w,))
        return ga.scan(lambda c, _: (twice(c), None), w, length=2)[0]

    with pytest.raises(ga.DerivativeError, match="that it was not passed"):
        ga.grad(g)(2.0)


def test_a_value_that_leaks_is_refused():
    kept = []

    def step(c, x):
        kept.append(c)
        return c + x, None

    ga.scan(step, 0.0, H)
    with pytest.raises(ga.LeakedValueError, match="has ended"):
        kept[0] * 2


def counted(graph, name):
    return str(graph).count(f" = {name}(")


@pytest.mark.parametrize("reverse", [False, True])
def test_the_way_back_of_a_scan_computes_nothing_twice(reverse):
    def step(c, x):
        z = np.sin(c) @ W
        return np.tanh(z + x * 0.5), (np.exp(z) * c, x > z)

    def loss(c, xs, step=step, **options):
        c, (ys, _) = ga.scan(step, c, xs, reverse=reverse, **options)
        return np.sum(c**3) + np.sum(np.sin(ys))

    rng = np.random.default_rng(4)
    c, xs = rng.normal(size=(2, 3)), rng.normal(size=(5, 2, 3))
    saves = ga.stage(ga.grad(loss, (0, 1)), c, xs)
    again = ga.stage(ga.grad(lambda *a: loss(*a, step=ga.checkpoint(step)), (0, 1)), c, xs)
    assert [counted(saves, p) for p in ("tanh", "exp", "matmul")] == [1, 1, 2]
    assert counted(again, "tanh") >= 1 and counted(again, "checkpoint(step)") == 1
    assert "exp" in str(again).split("scan(")[-1]
    by_hand = ga.grad(lambda *a: loss(*a, checkpoint=True), (0, 1))(c, xs)
    for graph in (saves, again):
        same(graph(c, xs), by_hand)
    v = rng.normal(size=(2, 3))
    hvp = [ga.hvp(lambda c, s=s: loss(c, xs, s))(c, v) for s in (step, ga.checkpoint(step))]
    same(hvp[0], hvp[1])
    small = 1e-6
    around = [ga.grad(loss)(c + s * small * v, xs) for s in (1, -1)]
    np.testing.assert_allclose(hvp[0], (around[0] - around[1]) / (2 * small), rtol=1e-6)
