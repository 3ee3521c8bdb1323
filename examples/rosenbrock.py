"""SciPy's minimisers on the Rosenbrock function, with derivatives of plain NumPy code.

    python examples/rosenbrock.py [folder]

The function is written once, in NumPy. gradarg gives its gradient, its Hessian and the product of
its Hessian with a vector; SciPy's own `rosen_der` and `rosen_hess`, worked out by hand, are there
to compare with, and so are finite differences, which SciPy takes where it is given no derivative.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from scipy.optimize import minimize, rosen_der, rosen_hess

import gradarg as ga


def rosen(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


gradient, hessian, hvp = ga.grad(rosen), ga.hessian(rosen), ga.hvp(rosen)

RUNS = {
    "BFGS, differences": {"method": "BFGS"},
    "BFGS, ga.grad": {"method": "BFGS", "jac": gradient},
    "BFGS, by hand": {"method": "BFGS", "jac": rosen_der},
    "Newton-CG, ga.hvp": {"method": "Newton-CG", "jac": gradient, "hessp": hvp},
    "trust-ncg, ga.hvp": {"method": "trust-ncg", "jac": gradient, "hessp": hvp},
    "trust-exact, ga.hessian": {"method": "trust-exact", "jac": gradient, "hess": hessian},
    "trust-exact, by hand": {"method": "trust-exact", "jac": rosen_der, "hess": rosen_hess},
}


def run(start, **options):
    """The result of a minimisation, with the points it passed and the calls it took to each."""
    calls = 0
    points, taken = [start], [1]

    def counted(f):
        def call(*args):
            nonlocal calls
            calls += 1
            return f(*args)

        return call

    def passed(intermediate_result):
        points.append(intermediate_result.x.copy())
        taken.append(calls)

    options |= {k: counted(f) for k, f in options.items() if callable(f)}
    result = minimize(counted(rosen), start, tol=1e-8, callback=passed, **options)
    result.points, result.taken, result.calls = np.array(points), taken, calls
    return result


def main(folder="runs/examples"):
    start = np.random.default_rng(0).normal(size=20)
    results = {name: run(start, **options) for name, options in RUNS.items()}

    print("The Rosenbrock function of 20 variables, whose minimum is at (1, 1, ..., 1)")
    print(f"{'':25}{'iterations':>10}{'calls':>8}{'distance':>10}{'|gradient|':>12}")
    for name, r in results.items():
        distance, slope = np.max(np.abs(r.x - 1)), np.max(np.abs(rosen_der(r.x)))
        print(f"{name:25}{r.nit:10}{r.calls:8}{distance:10.0e}{slope:12.0e}")

    draw(Path(folder), results)
    return results


def draw(folder, results):
    style.use(Path(__file__).with_name("gradarg.mplstyle"))
    figure = Figure(figsize=(11, 4.6))
    figure.suptitle("Minimising the Rosenbrock function of plain NumPy with SciPy")
    plane, progress = figure.subplots(1, 2)

    x, y = np.meshgrid(np.linspace(-1.7, 1.7, 200), np.linspace(-0.8, 2.2, 200))
    height = 100 * (y - x**2) ** 2 + (1 - x) ** 2
    plane.contour(x, y, height, 10.0 ** np.arange(-1, 4, 0.5), colors="0.75", linewidths=0.8)
    for name in ("BFGS, ga.grad", "trust-exact, ga.hessian"):
        r = run(np.array([-1.2, 1.0]), **RUNS[name])
        plane.plot(*r.points.T, ".-", label=f"{name}: {r.nit} iterations")
    plane.plot(1, 1, "k*", markersize=11, label="minimum")
    plane.set(title="Two variables", xlabel="$x_1$", ylabel="$x_2$")
    plane.grid(False)
    plane.legend(loc="lower left", frameon=True, edgecolor="none", framealpha=1)

    for name, r in results.items():
        if "hand" not in name:
            values = [rosen(p) for p in r.points]
            progress.plot(r.taken, values, ":" if "differences" in name else "-", label=name)
    progress.set(title="Twenty variables", xlabel="calls of the function and its derivatives")
    progress.set(ylabel="value of the function", xscale="log", yscale="log", ylim=(1e-14, None))
    progress.legend()

    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "rosenbrock.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
