"""Assignment means what it means in NumPy: one and the same code runs on arrays and on tensors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradarg as ga
from gradarg.testing import check_grads

X = np.array([[0.5, -1.25, 2.0, 0.75], [3.0, 0.875, -0.125, 1.5], [-2.5, 1.75, 0.25, -0.625]])
WEIGHTS = np.cos(np.arange(12.0)).reshape(3, 4) + 1.5


def value_of(x):
    return np.asarray(x.detach() if isinstance(x, ga.Tensor) else x)


# ---- programs, run on an array that is their own and on a tensor


def row_by_row(x):
    out = np.zeros_like(x)
    for i in range(len(x)):
        previous = out[i - 1]
        out[i] = np.sin(x[i]) + 0.5 * previous
    return out


def with_like(x):
    out = np.zeros_like(x, shape=(4, 5))
    out[:] = 0
    out[:-1, 1:] = x
    out[-1] = 2.0
    return out


def recurrence(x):
    out = np.ones_like(x[:, 0], shape=(x.size + 2,))
    for k, v in enumerate(x.reshape(-1)):
        out[k + 2] = 0.5 * out[k + 1] * v - out[k]
    return out


def augmented(x):
    y = x.copy()
    y += x
    y[0] *= 3
    y[1:] -= y[:-1] * x[1:]
    y[:, 1] /= 4
    y[[0, 2]] += y[[2, 0]]
    y[:, ::2] **= 2
    y[x > 0.6] -= x[x > 0.6]
    return y


def through_views(x):
    y = x * 1.0
    row, column, corner, turned = y[1], y[:, 2], y[1:, 1:], y.T
    row += 1
    column *= row[:3]
    corner[0] = turned[0]
    turned[3][:2] = x[0, 0]
    y[0] = row
    return y + turned.T + corner[0, 0] + column[:, None] + 2 * row


def flat_views(x):
    y = x * 1.0
    flat, lifted = y.reshape(-1), y[:, None]
    flat[3:6] = x[0, :3] ** 2
    lifted[2, 0] += flat[:4]
    y.ravel()[-1] = 0.5
    return np.concatenate([flat, lifted.reshape(12)])


def of_rows(x):
    y = x * 1.0
    for row in y:
        row *= row[0]
    for i, row in enumerate(y):
        y[i] = row - np.mean(row)
    return y


def aliases(x):
    y = z = x * 2.0
    y += 1
    y[0] = z[1]
    return y * z


def of_numbers(x):
    total = first = x[0, 0]
    total += x[1, 1]
    total *= 2
    return np.stack([total, first])


def masks(x):
    y = x * 1.0
    y[x > 1] = 0
    y[x < 0] *= -1
    y[np.array([True, False, True])] = x[1]
    y[y > 2.0] = y[0, 0]
    return y


def indices(x):
    y = x * 1.0
    y[[0, 2], [1, 3]] = x[1, :2]
    y[:, np.array([0, 2])] *= x[:, :2]
    y[np.array([1, 1, -1])] = x[::-1]
    y[..., 0] = 5
    y[1, None] = y[2]
    return y


def overlapping(x):
    y = x * 1.0
    y[:, 1:] = y[:, :-1]
    y[1:] += y[:-1]
    y.T[:3, :] = y[:, :3]
    return y[::-1]


def ufuncs(x):
    y = x * 1.0
    np.add(y, x[0], out=y)
    np.multiply(y[0], 3, out=y[1])
    np.add.at(y, [0, 0, 2], x)
    np.multiply.at(y, (np.array([0, 0]), np.array([1, 1])), x[0, :2])
    np.maximum.at(y, [2, 2], x[:2])
    np.subtract.at(y, (slice(None), 0), x[:, 1])
    np.negative.at(y, [1, 1, 0])
    return y


def functions(x):
    y, z = x * 1.0, x.T * 1.0
    np.copyto(y, x + 1, where=x > 0.7)
    np.put(y, [0, 5, -1], x[0])
    np.place(z, z > 1, x[1, :2])
    np.putmask(y, x < -1, x[2])
    np.put_along_axis(z, np.array([[1, 0, 2]]), x[:1, :3], 0)
    np.fill_diagonal(y, x[2, :2])
    np.cumsum(y, axis=1, out=y)
    y[2].fill(3.0)
    y[1].sort()
    return y @ z


PROGRAMS = [
    row_by_row, with_like, recurrence, augmented, through_views, flat_views, of_rows, aliases,
    of_numbers, masks, indices, overlapping, ufuncs, functions,
]  # fmt: skip
every = pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)


@every
def test_values_are_numpys(program):
    found = program(ga.Tensor(X))
    assert type(found) is ga.Tensor
    np.testing.assert_allclose(value_of(found), program(X.copy()), rtol=1e-13)


@every
def test_derivatives(program):
    assert type(ga.vjp(program, X)[0]) is np.ndarray
    check_grads(program, (X,), order=2)
    w = ga.Tensor(X, requires_grad=True)
    out = program(w)
    out.backward(np.ones(out.shape))
    expected = ga.grad(lambda x: np.sum(program(x)))(X)
    np.testing.assert_allclose(w.grad.value, expected, rtol=1e-13)


@every
def test_single_precision(program):
    x = X.astype(np.float32)
    out, pullback = ga.vjp(program, x)
    assert out.dtype == np.float32 and pullback(np.ones_like(out))[0].dtype == np.float32


WITH_UNKNOWN_COUNTS = (augmented, masks)  # boolean masks that choose so many elements
WITH_FLAT_VIEWS = (flat_views,)


def mapped(program):
    stack = np.stack([X, X[::-1] * 0.7 + 0.1])
    found = ga.vmap(program)(stack)
    np.testing.assert_allclose(found, [program(x) for x in stack.copy()], rtol=1e-13)
    slopes = ga.vmap(ga.grad(lambda x: np.sum(program(x))))(stack)
    expected = [ga.grad(lambda x: np.sum(program(x)))(x) for x in stack]
    np.testing.assert_allclose(slopes, expected, rtol=1e-12)


def staged(program):
    graph = ga.stage(program, X)
    np.testing.assert_allclose(graph(X), program(X.copy()), rtol=1e-13)
    slope = ga.stage(ga.grad(lambda x: np.sum(program(x))), X)
    np.testing.assert_allclose(slope(X), ga.grad(lambda x: np.sum(program(x)))(X), rtol=1e-13)


@pytest.mark.parametrize("way", [mapped, staged])
@every
def test_in_vmap_and_stage(program, way):
    if program in WITH_UNKNOWN_COUNTS:
        with pytest.raises(ga.ConcreteValueError, match=r"mask|not known"):
            way(program)
    elif program in WITH_FLAT_VIEWS:
        with pytest.raises(ga.ImmutableError, match=r"not known whether.*copy"):
            way(program)
    else:
        way(program)


def test_masks_of_unknown_values():
    """Where every chosen element gets the same, the choice need not be known."""

    def program(x):
        y = x * 1.0
        y[x > 1] = 0
        y[y < 0] = y[0, 0]
        rows = np.sum(x, axis=1) > 1
        y[rows] = x[0]
        return ga.asarray(y).at[x > 0].add(x[2, 1]).at[rows].multiply(x[1])

    mapped(program)
    staged(program)


# ---- any program of views and writes, drawn at random

INDICES = st.sampled_from(
    [
        0, -1, slice(None), slice(1, None), slice(None, -1), slice(None, None, -1), (Ellipsis, 0),
        (slice(None), slice(None, 1)), None, (None, 0), (0, slice(1, None)), Ellipsis,
    ]
)  # fmt: skip
VIEWS = st.one_of(
    st.tuples(st.just("index"), INDICES),
    st.tuples(
        st.sampled_from(["T", "flat", "fresh", "real", "squeeze", "swap", "flip"]), st.none()
    ),
)
COPIES = st.sampled_from([[0], [-1, 0], np.array([[0]])])
WRITES = st.tuples(
    st.sampled_from(["set", "add", "multiply", "out", "fancy", "mask"]), INDICES, COPIES
)
STEPS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.one_of(VIEWS, WRITES)), max_size=9
)


def taken(x, how, index):
    try:
        return {
            "index": lambda: x[index],
            "T": lambda: x.T,
            "flat": lambda: x.reshape(-1),
            "fresh": lambda: x * 1.5,
            "real": lambda: x.real,
            "squeeze": lambda: np.squeeze(x),
            "swap": lambda: np.swapaxes(x, 0, -1),
            "flip": lambda: np.flip(x),
        }[how]()
    except (IndexError, ValueError):  # of too few axes
        return x


def written(x, y, how, index, places):
    if how == "set":
        x[index] = np.mean(y) + 0.5
    elif how == "add":
        x += np.mean(y, axis=-1, keepdims=True).ravel()[:1] if y.ndim else 1.0
    elif how == "multiply":
        x[index] *= 1.25
    elif how == "out":
        np.subtract(x, np.mean(y), out=x)
    elif how == "fancy":
        x[places] = np.sum(y) * 0.25
    else:
        x[x > 0.314159] = np.mean(y)


def run(steps, x):
    known = [x * 1.0]
    for i, j, (how, *more) in steps:
        x, y = known[i % len(known)], known[j % len(known)]
        if len(more) == 1:
            new = taken(x, how, *more)
            if new.ndim and new.size:
                known.append(new)
        else:
            try:
                written(x, y, how, *more)
            except IndexError:
                continue
    return known


@settings(max_examples=400, deadline=None, derandomize=True)
@given(STEPS)
def test_any_program_is_numpys(steps):
    x = X[:2, :3]
    expected = run(steps, x.copy())
    found = run(steps, ga.Tensor(x))
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(value_of(a), b, rtol=1e-12)

    def f(x):
        return sum(np.sum(y * y) * (k + 1.0) for k, y in enumerate(run(steps, x)))

    h, d = 1e-6, np.array([[0.3, -0.7, 0.2], [0.5, 0.11, -0.4]])
    expected = (f(x + h * d) - f(x - h * d)) / (2 * h)
    tolerance = 1e-6 * (abs(expected) + abs(f(x)) + 1)
    assert abs(np.sum(ga.grad(f)(x) * d) - expected) < tolerance
    assert abs(ga.jvp(f, (x,), (d,))[1] - expected) < tolerance


# ---- what is left as it was


def test_arrays_and_recorded_values_stay():
    x = X.copy()
    ga.grad(lambda t: np.sum(augmented(t)))(x)

    def writes_into_its_argument(t):
        t[0] = t[1] ** 2
        return np.sum(t)

    gradient = ga.grad(writes_into_its_argument)(x)
    assert gradient.tolist() == (np.array([[0.0], [1.0], [1.0]]) + 2 * x * [[0], [1], [0]]).tolist()
    assert ga.stage(writes_into_its_argument, x)(x) == writes_into_its_argument(x.copy())
    assert ga.jvp(writes_into_its_argument, (x,), (x,))[0] == writes_into_its_argument(x.copy())
    assert x.tolist() == X.tolist()

    t = ga.Tensor(x, requires_grad=True)
    y = t * 1.0
    z = y * y  # recorded with the old y
    shown = y.value
    y[0] = 0
    np.sum(z).backward()
    np.testing.assert_array_equal(t.grad.value, 2 * X)
    assert shown.tolist() == X.tolist() and y.value[0].tolist() == [0.0] * 4


def test_a_parameter_within_no_grad():
    w = ga.Tensor(X, requires_grad=True)
    row = w[1]
    np.sum(w * w).backward()
    with ga.no_grad():
        w -= 0.25 * w.grad
        w[0] = 1
    assert w.is_leaf and w.requires_grad and w.grad is not None
    expected = X * 0.5
    expected[0] = 1
    assert w.value.tolist() == expected.tolist()
    assert row.detach().value.tolist() == expected[1].tolist()
    w.grad = None
    np.sum(row * row).backward()  # a view of a parameter keeps its derivative
    assert w.grad.value.tolist() == [[0.0] * 4, (2 * expected[1]).tolist(), [0.0] * 4]
    w.value = X
    assert row.detach().value.tolist() == X[1].tolist()


def test_a_value_of_a_transform_does_not_stay_in_a_tensor_from_outside():
    kept = ga.Tensor(X)

    def f(x):
        kept[0] = x[1]
        return np.sum(kept * x)

    ga.grad(f)(X)
    with pytest.raises(ga.LeakedValueError):
        np.sum(kept)
    parameter = ga.Tensor(X, requires_grad=True)
    with ga.no_grad(), pytest.raises(ga.ImmutableError, match=r"ga\.grad.*Return"):
        ga.grad(lambda x: (parameter.fill(x[0, 0]), np.sum(x))[1])(X)
    assert parameter.value.tolist() == X.tolist()


def test_functional_updates():
    x, v = X[0].copy(), np.array([10.0, 0.5, -3.0])
    for name in ("add", "multiply", "minimum", "maximum"):
        for index in ([0, 2, 0], np.array([3, 3, 3]), slice(1, None), [-1, 3, 1]):
            expected = x.copy()
            getattr(np, name).at(expected, index, v)
            update = getattr(
                ga.Tensor(x).at[index], {"minimum": "min", "maximum": "max"}.get(name, name)
            )
            np.testing.assert_array_equal(update(v).value, expected)

            def f(x, v, name=name, index=index):
                at = ga.asarray(x).at[index]
                return getattr(at, {"minimum": "min", "maximum": "max"}.get(name, name))(v)

            check_grads(f, (x, v), order=2)
    zeros = np.array([0.0, 0.0, 4.0])  # no division by an element
    slope = ga.grad(lambda v: ga.Tensor(x).at[[1, 1, 0]].multiply(v)[1])(zeros)
    assert slope.tolist() == [0.0, 0.0, 0.0]
    curve = ga.hessian(lambda v: ga.Tensor(x).at[[1, 1, 0]].multiply(v)[1])(zeros)
    assert curve[0, 1] == x[1]
    with pytest.raises(ga.ConcreteValueError, match="named twice"):
        ga.stage(lambda x: x.at[np.argsort(x)].multiply(2.0), x)
