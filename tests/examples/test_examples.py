"""The examples run, draw their pictures, and find what others find."""

import importlib.util
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import approx_fprime, rosen_der, rosen_hess, rosen_hess_prod
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def example(request, tmp_path, capsys):
    """An example as a module, what its `main` returned, and what it printed."""
    module = load(request.param)
    with matplotlib.rc_context():
        module.results = module.main(tmp_path / "pictures")
    module.printed = capsys.readouterr().out
    picture = tmp_path / "pictures" / f"{request.param}.png"
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert 20_000 < picture.stat().st_size < 500_000
    return module


def runs(name):
    return pytest.mark.parametrize("example", [name], indirect=True)


def close(found, expected, rtol=1e-7, atol=0.0):
    np.testing.assert_allclose(found, expected, rtol, atol)


def test_each_example_is_tested():
    tested = {
        mark.args[1][0]
        for f in globals().values()
        for mark in getattr(f, "pytestmark", [])
        if mark.args[0] == "example"
    }
    drawn = {path.stem for path in EXAMPLES.glob("[a-z]*.py")} - {"billion"}
    assert tested == drawn


@runs("rosenbrock")
def test_rosenbrock(example):
    x, v = np.random.default_rng(1).normal(size=(2, 20))
    close(example.gradient(x), rosen_der(x), 1e-13, 1e-10)
    close(example.hessian(x), rosen_hess(x), 1e-13)
    close(example.hvp(x, v), rosen_hess_prod(x, v), 1e-12)

    results = example.results
    for name, result in results.items():
        close(result.x, 1, atol=1e-4 if "differences" in name else 1e-6)
        assert name in example.printed
    assert results["trust-exact, ga.hessian"].nit == results["trust-exact, by hand"].nit
    assert results["BFGS, differences"].calls > 10 * results["BFGS, ga.grad"].calls


@runs("gaussian_process")
def test_gaussian_process(example):
    r = example.results
    (x, y), (new, _), theta, theirs = r["train"], r["test"], r["fit"].x, r["theirs"]
    for point in (r["start"], theta):
        value, gradient = theirs.log_marginal_likelihood(point, eval_gradient=True)
        found, slope = example.ga.value_and_grad(example.log_likelihood)(point, x, y)
        close(found, value, 1e-10)
        close(slope, gradient, 1e-8, 1e-8)
    inside = np.exp(theta) < 0.99e3  # where no bound was met, the gradient vanishes
    assert np.max(np.abs(gradient[inside])) < 0.01
    assert theirs.log_marginal_likelihood(theta) > theirs.log_marginal_likelihood(r["start"]) + 10

    kernel = theirs.kernel_.clone_with_theta(theta)
    fitted = GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(x, y)
    guess, spread = fitted.predict(new, return_std=True)
    mean, scale = r["scale"]
    close(r["guess"], guess * scale + mean, 1e-8)
    close(r["spread"], spread * scale, 1e-8)
    error = r["guess"] - r["test"][1]
    assert np.sqrt(np.mean(error**2)) < 0.75 * scale
    assert 0.9 < np.mean(np.abs(error) < 1.96 * r["spread"]) < 1


@runs("nbody")
def test_nbody(example):
    def slope(_, state):
        places, velocities = state.reshape(2, 3, 2)
        apart = places[None] - places[:, None]
        cubes = np.sum(apart**2, -1) ** 1.5 + np.eye(3)
        return np.ravel([velocities, np.sum(apart / cubes[..., None], 1)])

    def flow(state):
        found = solve_ivp(
            slope, (0, example.PERIOD), state, method="DOP853", rtol=1e-11, atol=1e-11
        )
        return found.y[:, -1]

    start, r = example.START.ravel(), example.results
    close(example.acceleration(example.PLACES), slope(0, start)[6:].reshape(3, 2), 1e-12, 1e-12)
    close(flow(start), start, atol=1e-6)

    steps = 1e-5 * np.eye(12)
    monodromy = np.stack([(flow(start + e) - flow(start - e)) / 2e-5 for e in steps], 1)
    turn = np.max(np.angle(np.linalg.eigvals(monodromy))) / (2 * np.pi)
    assert r["rotation"] == pytest.approx(turn, abs=1e-4)
    assert r["symplectic"] < 1e-9
    close(np.abs(r["multipliers"]), 1, 1e-5)

    leapfrog, other = (np.abs(change) for change in r["drifts"].values())
    assert leapfrog[-500:].max() < 1.2 * leapfrog[:500].max()
    assert other[-1] > 2 * leapfrog.max()


@runs("newton_logistic")
def test_newton_logistic(example):
    r = example.results
    assert r["steps"] < 10
    close(r["w"], r["theirs"], 1e-8, 1e-10)
    x = np.column_stack([np.ones(len(r["x"])), r["x"]])
    share = 1 / (1 + np.exp(-x @ r["w"]))
    hessian = x.T * share * (1 - share) @ x + np.diag([0.0] + [1.0] * 30)
    close(r["errors"] ** 2, np.diag(np.linalg.inv(hessian)), 1e-7)


@runs("predator_prey")
def test_predator_prey(example):
    r = example.results
    theta = r["exact"].x
    a, b, c, d, *start = np.exp(theta)
    rates = lambda _, n: [(a - b * n[1]) * n[0], (d * n[0] - c) * n[1]]
    span, years = (0, 20), np.arange(21)
    there = solve_ivp(rates, span, start, t_eval=years, rtol=1e-10, atol=1e-10).y.T
    close(example.solve(theta), there, 1e-4)

    close(theta, r["differences"].x, atol=1e-6)
    close(r["jacobian"], approx_fprime(theta, example.residuals), 1e-4, 1e-5)
    close(r["bundle"][:3], [example.solve(draw) for draw in r["draws"][:3]], 1e-12)


@runs("kalman")
def test_kalman(example):
    y, r = example.FLOW, example.results
    theta = r["fit"].x
    scatter, drift = np.exp(theta)
    assert np.exp(theta) == pytest.approx([15099, 1469.1], rel=1e-3)

    # the same model without recursion: one normal distribution of all years
    turn = np.arange(len(y))
    level = 1e7 + drift * np.minimum(turn[:, None], turn)
    whole = level + scatter * np.eye(len(y))
    expected = multivariate_normal(np.zeros(len(y)), whole).logpdf(y)
    close(example.log_likelihood(theta, y), expected, 1e-10)
    smoothed = level @ np.linalg.solve(whole, y)
    variance = level - level @ np.linalg.solve(whole, level)
    close(r["smoothed"][0], smoothed, 1e-7)
    close(r["smoothed"][1] ** 2, np.diag(variance), 1e-6)
    for t in (0, 9, 99):
        past = slice(t + 1)
        filtered = level[t, past] @ np.linalg.solve(whole[past, past], y[past])
        close(r["filtered"][0][t], filtered, 1e-7)

    def trend(theta, y):  # two dimensions: the level has a slope of its own
        one, scatter = np.eye(2), np.exp(theta[0])
        drift = np.zeros((2, 2), like=theta)
        drift[[0, 1], [0, 1]] = np.exp(theta[1:])
        step = np.array([[1.0, 1.0], [0.0, 1.0]])
        return example.kalman(y, step, drift, one[0], scatter, 0 * one[0], 1e4 * one)[2]

    theta = np.log([15000.0, 1400.0, 50.0])
    steps = 1e-5 * np.eye(3)
    differences = [(trend(theta + e, y[:9]) - trend(theta - e, y[:9])) / 2e-5 for e in steps]
    close(example.ga.grad(trend)(theta, y[:9]), differences, 1e-6)


def test_a_billion_variables_when_there_are_a_million(capsys):
    pytest.importorskip("llvmlite")
    module = load("billion")
    figures = module.main(10**6)
    assert "a step of descent" in capsys.readouterr().out
    for f in module.RATES:
        before, after = figures[f"{f.__name__}, before and after"]
        assert after < before


@pytest.mark.parametrize("name", ["rosenbrock", "logistic"])
def test_variables_in_a_file_are_those_in_memory(tmp_path, name):
    module = load("billion")
    n, steps, f = 1000, 3, getattr(module, name)
    values = module.streamed(tmp_path / "x.bin", n, f, steps, chunk=64)
    x = np.empty(n, np.float32)
    module.fill(x)
    for value in values:
        close(value, f(x.astype(float)), 1e-6)
        x = x - np.float32(module.RATES[f]) * module.ga.grad(f)(x)
    close(np.fromfile(tmp_path / "x.bin", np.float32), x, 1e-5)
