"""Complex numbers: the gradient of a real loss is the direction of steepest ascent, as in PyTorch.

With z = x + iy it is df/dx + i df/dy: the conjugate of the plain derivative, where there is one.
Every gradient here is held against differences along both axes of the plane, for each element of
each argument; and against PyTorch's, where it is installed.
"""

import importlib
import importlib.util
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradarg as ga
from gradarg.testing import check_grads
from tests.ops.calls import CALLS
from tests.ops.sample import POSITIVE, complex_values, values
from tests.ops.test_namespace import taken_apart, values_of

TORCH = importlib.import_module("torch") if importlib.util.find_spec("torch") else None

# ---- holomorphic functions, at a point of each quadrant

HOLOMORPHIC = {
    "square": lambda z: 2 * z,
    "reciprocal": lambda z: -1 / z**2,
    "sqrt": lambda z: 0.5 / np.sqrt(z),
    "exp": np.exp,
    "exp2": lambda z: np.log(2) * 2**z,
    "expm1": np.exp,
    "log": lambda z: 1 / z,
    "log2": lambda z: 1 / (z * np.log(2)),
    "log10": lambda z: 1 / (z * np.log(10)),
    "log1p": lambda z: 1 / (1 + z),
    "sin": np.cos,
    "cos": lambda z: -np.sin(z),
    "tan": lambda z: 1 / np.cos(z) ** 2,
    "arcsin": lambda z: 1 / np.sqrt(1 - z * z),
    "arccos": lambda z: -1 / np.sqrt(1 - z * z),
    "arctan": lambda z: 1 / (1 + z * z),
    "sinh": np.cosh,
    "cosh": np.sinh,
    "tanh": lambda z: 1 / np.cosh(z) ** 2,
    "arcsinh": lambda z: 1 / np.sqrt(1 + z * z),
    "arccosh": lambda z: 1 / (np.sqrt(z - 1) * np.sqrt(z + 1)),
    "arctanh": lambda z: 1 / (1 - z * z),
    "sinc": lambda z: (np.cos(np.pi * z) - np.sinc(z)) / z,
    "sigmoid": lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
}
QUADRANTS = [0.7 + 0.4j, -0.6 + 1.3j, -1.2 - 0.5j, 0.3 - 1.7j, 2.5 - 0.2j, -2.4 + 0.1j]


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_holomorphic_functions(name):
    f = getattr(ga, name)
    for z in map(np.complex128, QUADRANTS):
        slope = HOLOMORPHIC[name](z)
        assert_allclose(ga.jacobian(f)(z), slope, rtol=1e-12)
        assert_allclose(ga.jvp(f, (z,), (1j,))[1], 1j * slope, rtol=1e-12)
        assert_allclose(ga.vjp(f, z)[1](1j)[0], 1j * np.conj(slope), rtol=1e-12)
        assert_allclose(ga.grad(lambda z: ga.real(f(z)))(z), np.conj(slope), rtol=1e-12)
        narrow = ga.jacobian(f)(np.complex64(z))
        assert narrow.dtype == np.complex64
        assert_allclose(narrow, slope, rtol=2e-5)


# ---- functions of a namespace, NumPy's or PyTorch's, and their gradients

V, W = complex_values((4,)), complex_values((4,))
A, B = complex_values((3, 4)), complex_values((4, 2))
S = complex_values((2, 3, 3)) + 3.5 * np.eye(3)
R = values((3, 4))
Z = np.array([1 + 2j, 0, 0.5j, 0])

CASES = {
    "abs": (lambda xp, z: xp.abs(z), A),
    "abs at 0": (lambda xp, z: xp.abs(z), Z),
    "abs squared": (lambda xp, z: xp.abs(z) ** 2, A),
    "angle": (lambda xp, z: xp.angle(z), A),
    "angle of negatives": (lambda xp, z: xp.angle(-z * z), A),
    "conj": (lambda xp, z: xp.conj(z) * z * z, A),
    "real and imag": (lambda xp, z: xp.real(z) * xp.imag(z) + 1j * z.real, A),
    "sign": (lambda xp, z: (xp.sgn if xp is TORCH else xp.sign)(z), V),
    "sign at 0": (lambda xp, z: (xp.sgn if xp is TORCH else xp.sign)(z), Z),
    "both parts as real": (lambda xp, z: xp.sin(z.real) * xp.exp(z.imag), V),
    "product": (lambda xp, z, w: z * w * w, V, W),
    "quotient": (lambda xp, z, w: z / w, V, W),
    "power": (lambda xp, z, w: z**w, V, W / 3),
    "power of a number": (lambda xp, z: z**3 + z**-2 + z**0.5, V),
    "number to a power": (lambda xp, z: 2.5**z, V),
    "real times complex": (lambda xp, x, z: x * z, R, V),
    "complex over real": (lambda xp, z, x: z / x, V, values((3, 4), POSITIVE)),
    "real to a complex power": (lambda xp, x, z: x**z, values((4,), POSITIVE), W / 3),
    "real and a constant": (lambda xp, x: xp.exp(1j * x) * x, R),
    "where": (lambda xp, z, w: xp.where(xp.abs(z) > 1.5, z * z, w.conj()), V, W),
    "sum": (lambda xp, z: xp.sum(z * z, 0), A),
    "mean": (lambda xp, z: xp.mean(z, 1) ** 2, A),
    "prod": (lambda xp, z: xp.prod(z, 1), A),
    "prod with zeros": (lambda xp, z: xp.prod(z, 0), Z),
    "cumprod": (lambda xp, z: xp.cumprod(z, 1), A),
    "cumsum": (lambda xp, z: xp.cumsum(z * z, 0), A),
    "matmul": (lambda xp, z, w: xp.matmul(z, w), A, B),
    "real matmul": (lambda xp, x, w: xp.matmul(x + 0j, w), R, B),
    "einsum": (lambda xp, z, w: xp.einsum("ij,jk,ij->ki", z, w, xp.conj(z)), A, B),
    "vdot": (lambda xp, z, w: xp.vdot(z, w), V, W),
    "outer": (lambda xp, z, w: xp.outer(z, w), V, W),
    "index": (lambda xp, z: z[[0, 2, 0]] * z[1, 2].conj(), A),
    "stack": (lambda xp, z, w: xp.stack([z, w.conj()]) ** 2, V, W),
    "concatenate": (lambda xp, z, w: xp.concatenate([z, z * w.conj()]), V, W),
    "movement": (lambda xp, z: xp.flip(z.T.reshape(2, 6), (1,)) * z.conj().reshape(2, 6), A),
    "inv": (lambda xp, a: xp.linalg.inv(a), S),
    "det": (lambda xp, a: xp.linalg.det(a), S),
    "log of |det|": (lambda xp, a: xp.linalg.slogdet(a)[1], S),
    "sign of det": (lambda xp, a: xp.linalg.slogdet(a)[0], S),
    "solve": (lambda xp, a, b: xp.linalg.solve(a, b), S, S[0, :, :2]),
    "cholesky": (lambda xp, a: xp.linalg.cholesky(a @ a.conj().mT), S),
    "a Rayleigh quotient": (
        lambda xp, a, v: (v.conj() @ a[0] @ v) / (v.conj() @ v).real,
        S,
        V[:3],
    ),
}
cases = pytest.mark.parametrize("case", CASES)


def loss_of(f):
    """A real function of arrays, in which every part of f has a weight of its own."""

    def loss(xp, *args):
        out = f(xp, *args)
        size = int(np.prod(out.shape))
        re, im = (np.cos(k + np.arange(1.0, 1 + size)).reshape(out.shape) for k in (0, 1))
        if xp is TORCH:
            re, im = TORCH.tensor(re), TORCH.tensor(im)
        if "complex" not in str(out.dtype):
            return xp.sum(re * out)
        return xp.sum(re * xp.real(out) + im * xp.imag(out))

    return loss


def gradient_by_differences(loss, args, step=1e-3):
    """df/dx + i df/dy for each element of each argument, by differences of the fourth order."""
    found = []
    for i, a in enumerate(args):
        g = np.zeros(a.shape, a.dtype)
        for place in np.ndindex(a.shape):
            for axis in (1, 1j) if a.dtype.kind == "c" else (1,):
                unit = np.zeros(a.shape, a.dtype)
                unit[place] = axis * step

                def at(k, i=i, a=a, unit=unit):
                    return loss(*args[:i], a + k * unit, *args[i + 1 :])

                g[place] += axis * (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)
        found.append(g)
    return found


def gradient_of_torch(loss, args):
    tensors = [TORCH.tensor(a, requires_grad=True) for a in args]
    loss(TORCH, *tensors).backward()
    return [t.grad.resolve_conj().numpy() for t in tensors]


def ours(case):
    f, *args = CASES[case]
    loss = loss_of(f)
    return lambda *xs: loss(np, *xs), args, tuple(range(len(args)))


@cases
def test_gradients(case):
    loss, args, every = ours(case)
    found = ga.grad(loss, every)(*args)
    assert [g.dtype for g in found] == [a.dtype for a in args]
    if "at 0" not in case:
        for a, b in zip(found, gradient_by_differences(loss, args)):
            assert_allclose(a, b, rtol=1e-8, atol=1e-8)
    if TORCH is not None:
        for a, b in zip(found, gradient_of_torch(loss_of(CASES[case][0]), args)):
            assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@cases
def test_eager_forward_staged_and_mapped(case):
    """Each other way to the gradient finds the same one."""
    loss, args, every = ours(case)
    gradient = ga.grad(loss, every)
    expected = gradient(*args)
    tensors = [ga.Tensor(a, requires_grad=True) for a in args]
    loss(*tensors).backward()
    for t, g in zip(tensors, expected):
        assert_allclose(t.grad.value, g, rtol=1e-12, atol=1e-14)
    for a, b in zip(ga.stage(gradient, *args)(*args), expected):
        assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    rows = [args, [0.9 * a for a in args]]
    mapped = ga.vmap(gradient)(*map(np.stack, zip(*rows)))
    for m, looped in zip(mapped, zip(*(gradient(*row) for row in rows))):
        assert_allclose(m, np.stack(looped), rtol=1e-10, atol=1e-12)
    random = np.random.default_rng(1)
    directions = [random.normal(size=a.shape) for a in args]
    directions = [d * (1 + 0.5j) if a.dtype.kind == "c" else d for d, a in zip(directions, args)]
    slope = sum(np.sum(np.real(np.conj(g) * d)) for g, d in zip(expected, directions))
    assert_allclose(ga.jvp(loss, args, directions)[1], slope, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", [c for c in CASES if "at 0" not in c])
def test_second_derivatives(case):
    f, *args = CASES[case]
    check_grads(lambda *xs: f(np, *xs), args, order=2, rtol=1e-5, atol=1e-5)


@cases
def test_single_precision(case):
    loss, args, every = ours(case)
    single = {"f": np.float32, "c": np.complex64}
    narrow = [a.astype(single[a.dtype.kind]) for a in args]
    f = CASES[case][0]
    assert f(np, *narrow).dtype in (np.float32, np.complex64)
    assert np.asarray(f(np, *map(ga.Tensor, narrow)).value).dtype == f(np, *narrow).dtype
    found = ga.grad(loss, every)(*narrow)
    assert [g.dtype for g in found] == [a.dtype for a in narrow]
    for a, b in zip(found, ga.grad(loss, every)(*args)):
        assert_allclose(a, b, rtol=1e-3, atol=1e-3)


# ---- every public function that takes complex numbers, with each choice of complex arguments


def one_of_each():
    """The first smooth call of each of NumPy's functions with a few elements in its arrays."""
    first = {}
    for call in CALLS:
        arrays = taken_apart(call)[1]
        if call.smooth and call.numpy and arrays and all(0 < x.size < 30 for x in arrays):
            first.setdefault(call.name, call)
    return list(first.values())


def moved(arrays, places):
    """Arrays, of which those at some places lie off the real axis."""
    turns = [0.3 + 0.1 * np.cos(np.arange(x.size)).reshape(x.shape) for x in arrays]
    wanted = [*places, *[False] * len(arrays)]
    return [x + 1j * t if w else x for x, t, w in zip(arrays, turns, wanted)]


FREE_PHASE = {"linalg.eig", "linalg.eigh", "linalg.svd"}  # complex vectors, up to exp(i phi)


def moduli(f):
    return lambda *xs: tuple(np.abs(x) for x in f(*xs))


@pytest.mark.parametrize("call", one_of_each(), ids=str)
def test_public_functions(call):
    f, real = taken_apart(call)
    for places in product((False, True), repeat=min(len(real), 2)):
        arrays = moved(real, places)
        try:
            with np.errstate(all="ignore"):
                expected = values_of(f(*arrays, function=call.reference or call.numpy))
        except (TypeError, ValueError, np.exceptions.ComplexWarning):
            continue  # NumPy's function takes no complex numbers, or drops the imaginary part
        if any(places) and any(x.dtype.kind in "fc" for x in expected):
            try:
                found = values_of(f(*arrays))
            except (ga.GradargError, TypeError, np.exceptions.ComplexWarning):
                continue  # refused: docs/coverage.md tells
            assert [x.dtype for x in found] == [x.dtype for x in expected]
            for a, b in zip(found, expected):
                assert_allclose(a, b, rtol=1e-10, atol=1e-12)
            smooth = moduli(f) if call.name in FREE_PHASE else f
            check_grads(smooth, arrays, order=2, rtol=1e-5, atol=1e-5)


# ---- what has no complex answer says so


def test_a_complex_output_has_no_gradient():
    with pytest.raises(ga.DerivativeError, match=r"ga\.grad.*complex128.*ga\.jacobian.*ga\.vjp"):
        ga.grad(np.exp)(1j)
    with pytest.raises(ga.DerivativeError, match="complex"):
        np.exp(ga.Tensor(1j, requires_grad=True)).backward()


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize(
    "f",
    [
        np.conj,
        lambda z: 1e-12 * np.conj(z),
        lambda z: z + 1e-4 * np.conj(z),
        lambda z: z * np.conj(z),
        lambda z: np.stack([1e8 * z, np.conj(z)]),
        lambda z: np.abs(z) + 0j,
        np.sign,
    ],
)
def test_a_jacobian_of_what_is_not_holomorphic(f, mode):
    """At any scale, mapped too; where the values are not known, its entries are NaN."""
    jacobian = ga.jacobian(f, mode=mode)
    with pytest.raises(ga.DerivativeError, match="holomorphic"):
        jacobian(0.5 + 2j)
    with pytest.raises(ga.DerivativeError, match="holomorphic"):
        ga.vmap(jacobian)(np.array([0.5 + 2j, 1 - 1j]))
    try:
        found = ga.stage(jacobian, 0.5 + 2j)(0.5 + 2j)
    except ga.DerivativeError as error:
        assert "holomorphic" in str(error)
    else:
        assert np.any(np.isnan(found))


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_a_jacobian_of_what_is_holomorphic(mode):
    z = np.array([0.5 + 2j, -1 - 0.3j])
    for f, slope in [
        (lambda z: np.exp(z) * z, np.diag(np.exp(z) * (1 + z))),
        (lambda z: np.conj(np.exp(np.conj(z))), np.diag(np.exp(z))),
        (lambda z: np.stack([1e8 * z[0], z[1]]), np.diag([1e8, 1])),
    ]:
        jacobian = ga.jacobian(f, mode=mode)
        assert_allclose(jacobian(z), slope)
        assert_allclose(ga.vmap(jacobian)(np.stack([z, z])), np.stack([slope, slope]))
        assert_allclose(ga.stage(jacobian, z)(z), slope)
        narrow = jacobian(z.astype(np.complex64))
        assert narrow.dtype == np.complex64
        assert_allclose(narrow, slope, rtol=1e-5)


def test_integer_and_real_views_of_complex_numbers():
    for f in (np.floor, np.cbrt, np.hypot, np.arctan2, np.fmod):
        z = ga.Tensor(1j, requires_grad=True)
        with pytest.raises(TypeError):
            f(z, z) if f.nin == 2 else f(z)


# ---- single points


def test_powers_of_negative_numbers():
    p = 0.5 - 1j
    slope = (-1.5 + 0j) ** p * np.log(-1.5 + 0j)
    for f in (lambda p: (-1.5) ** p, lambda p: np.power(np.array(-1.5), p)):
        assert_allclose(ga.jacobian(f)(p), slope)
    assert ga.grad(lambda x, p: abs(x**p), 0)(-1.5, p).dtype == np.float64


def test_sigmoid_far_out():
    for z, expected in [(-800 + 1j, 0), (800 + 1j, 1), (-800 - 3j, 0)]:
        assert_allclose(ga.sigmoid(z), expected)
        assert_allclose(ga.jacobian(ga.sigmoid)(z), 0)


def test_parts_that_are_not_finite():
    z = np.array([complex(np.nan, 1), complex(2, np.inf), 1 + 1j])
    assert_array_equal(ga.nan_to_num(z, posinf=9.0), [1j, 2 + 9j, 1 + 1j])
    found = ga.grad(lambda z: ga.sum(ga.real(ga.nan_to_num(z, posinf=9.0) * (3 - 5j))))(z)
    assert_array_equal(found, [5j, 3, 3 + 5j])


def test_moduli_whose_squares_are_no_floats():
    for scale in (1e-200, 1e200):
        assert_allclose(ga.grad(np.abs)(scale * (3 + 4j)), 0.6 + 0.8j)
        assert_allclose(ga.grad(np.angle)(scale * (3 + 4j)), (-0.16 + 0.12j) / scale)


def test_angles_in_degrees():
    z = complex_values((3,))
    assert_allclose(np.angle(ga.Tensor(z), deg=True).value, np.angle(z, deg=True))
    found = ga.grad(lambda z: np.sum(np.angle(z, deg=True)))(z)
    assert_allclose(found, 180 / np.pi * ga.grad(lambda z: np.sum(np.angle(z)))(z))


def test_trees_with_real_and_complex_leaves():
    p = {"z": V, "r": R, "pair": (W, 2.0)}

    def loss(p):
        w, s = p["pair"]
        return np.sum(np.abs(p["r"] * p["z"] * w.conj()) ** 2) * s

    gradient = ga.grad(loss)(p)
    size = 2 * np.sum(p["r"] ** 2, 0) * 2
    assert_allclose(gradient["z"], size * np.abs(W) ** 2 * V)
    assert_allclose(gradient["pair"][0], size * np.abs(V) ** 2 * W)
    assert gradient["r"].dtype == np.float64
    assert_allclose(gradient["r"], 4 * p["r"] * np.abs(V * W) ** 2)


def test_steepest_ascent():
    """A step along the gradient raises the loss most, of all steps of its length."""
    f = lambda z: np.sum(np.abs(np.exp(z) - z.conj()) ** 2)
    g = ga.grad(f)(V / 3)
    step = 1e-6 * g / np.linalg.norm(g)
    rise = f(V / 3 + step) - f(V / 3)
    assert_allclose(rise, 1e-6 * np.linalg.norm(g), rtol=1e-5)
