"""Lynx and hare: a differential equation fitted to data, and what the data leave open.

    python examples/predator_prey.py [folder]

Pelts that the Hudson's Bay Company bought from 1900 to 1920, and the equations of Lotka and
Volterra for the animals. The solver is a Runge-Kutta loop in NumPy. `ga.jacobian` differentiates
it for SciPy's least squares, and says how sure the parameters are; `ga.vmap` runs it for 500
sets of parameters at once, to show what that means for the animals. The data: C. Elton and M.
Nicholson (1942), as read by J. Howard, "Modeling basics" (2009).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from scipy.optimize import least_squares

import gradarg as ga

YEARS = np.arange(1900, 1921)
HARE = [30, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22, 25.4, 27.1, 40.3, 57, 76.6, 52.3, 19.5,
        11.2, 7.6, 14.6, 16.2, 24.7]  # fmt: skip
LYNX = [4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4, 8, 12.3, 19.5, 45.7, 51.1, 29.7,
        15.8, 9.7, 10.1, 8.6]  # fmt: skip
PELTS = np.array([HARE, LYNX]).T  # thousands
NAMES = ["hares born", "hares eaten", "lynx dying", "lynx born", "hares in 1900", "lynx in 1900"]


def slope(animals, rates):
    hare, lynx = animals
    return np.stack([(rates[0] - rates[1] * lynx) * hare, (rates[3] * hare - rates[2]) * lynx])


def solve(theta, substeps=6):
    """Both populations in each year, in thousands; theta is the logarithm of the six parameters."""
    rates, animals = np.exp(theta[:4]), np.exp(theta[4:])
    years, dt = [animals], 1 / substeps
    for _ in YEARS[1:]:
        for _ in range(substeps):
            a = slope(animals, rates)
            b = slope(animals + dt / 2 * a, rates)
            c = slope(animals + dt / 2 * b, rates)
            d = slope(animals + dt * c, rates)
            animals = animals + dt / 6 * (a + 2 * b + 2 * c + d)
        years.append(animals)
    return np.stack(years)


def residuals(theta):
    """Of the logarithms: pelts are counted with an error in proportion."""
    return np.ravel(np.log(solve(theta)) - np.log(PELTS))


def main(folder="runs/examples"):
    start = np.log([0.5, 0.025, 0.8, 0.025, 30.0, 4.0])
    sensitivity = ga.jacobian(residuals)
    exact = least_squares(residuals, start, jac=sensitivity, method="lm")
    differences = least_squares(residuals, start, method="lm")

    jacobian = sensitivity(exact.x)
    variance = 2 * exact.cost / (jacobian.shape[0] - jacobian.shape[1])
    covariance = variance * np.linalg.inv(jacobian.T @ jacobian)
    errors = np.sqrt(np.diag(covariance))
    draws = np.random.default_rng(0).multivariate_normal(exact.x, covariance, 500)
    bundle = ga.vmap(solve)(draws)

    apart = np.max(np.abs(exact.x - differences.x))
    print(f"Least squares: {exact.nfev} solutions and {exact.njev} Jacobians to the parameters")
    for name, value, error in zip(NAMES, np.exp(exact.x), errors, strict=True):
        print(f"    {name:14} {value:7.4f} ± {error:.0%}")
    print(f"By finite differences the logarithms of them come out within {apart:.0e}")
    period = 2 * np.pi / np.exp(exact.x[[0, 2]].mean())
    print(f"Small cycles would take {period:.1f} years")

    draw(Path(folder), solve(exact.x), bundle, covariance / np.outer(errors, errors))
    return {"exact": exact, "differences": differences, "jacobian": jacobian, "draws": draws,
            "bundle": bundle, "errors": errors}  # fmt: skip


def draw(folder, best, bundle, correlation):
    style.use(Path(__file__).with_name("gradarg.mplstyle"))
    figure = Figure(figsize=(11, 4.6))
    figure.suptitle("Lynx and hare: an equation fitted by the Jacobian of its solver")
    series, matrix = figure.subplots(1, 2, width_ratios=[1.6, 1])

    low, high = np.quantile(bundle, [0.025, 0.975], axis=0)
    for k, (name, mark) in enumerate({"hare": "o", "lynx": "^"}.items()):
        series.fill_between(YEARS, low[:, k], high[:, k], color=f"C{k}", alpha=0.2)
        series.plot(YEARS, best[:, k], f"C{k}", label=f"{name}: fitted, with 95 %")
        series.plot(YEARS, PELTS[:, k], f"C{k}{mark}", label=f"{name}: bought")
    series.set(title="Pelts", xlabel="year", ylabel="thousands", ylim=(0, 125))
    series.set_xticks(YEARS[::4])
    series.legend(ncols=2, loc="upper center")

    picture = matrix.imshow(correlation, cmap="PuOr", vmin=-1, vmax=1)
    matrix.set(title="How parameters correlate", xticks=range(6), yticks=range(6))
    matrix.set_xticklabels(NAMES, rotation=45, ha="right")
    matrix.set_yticklabels(NAMES)
    matrix.grid(False)
    figure.colorbar(picture, ax=matrix, label="correlation", shrink=0.8)

    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "predator_prey.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
