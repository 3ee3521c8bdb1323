"""A Gaussian process fitted to scikit-learn's diabetes data by its marginal likelihood.

    python examples/gaussian_process.py [folder]

442 patients, ten measurements of each, and how far the disease had come a year later. The kernel
has one length scale for each measurement, so that fitting it tells which of them matter. The
likelihood is plain NumPy (a Cholesky factor and linear systems), and L-BFGS climbs it by
gradients of gradarg. Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006),
equations 2.25, 2.26 and 2.30.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

import gradarg as ga

TRAINED_ON = 300


def kernel(theta, a, b):
    """s * exp(-|(a - b) / l|^2 / 2), with theta the logarithms of s, of all l, and of the noise."""
    a, b = a / np.exp(theta[1:-1]), b / np.exp(theta[1:-1])
    distance = np.sum(a**2, 1)[:, None] + np.sum(b**2, 1) - 2 * a @ b.T
    return np.exp(theta[0] - distance / 2)


def factor(theta, x):
    return np.linalg.cholesky(kernel(theta, x, x) + np.exp(theta[-1]) * np.eye(len(x)))


def log_likelihood(theta, x, y):
    lower = factor(theta, x)
    white = np.linalg.solve(lower, y)
    return -white @ white / 2 - np.sum(np.log(np.diag(lower))) - len(y) / 2 * np.log(2 * np.pi)


def predict(theta, x, y, new):
    """Mean and standard deviation of new observations."""
    lower = factor(theta, x)
    across = np.linalg.solve(lower, kernel(theta, x, new))
    variance = np.exp(theta[0]) + np.exp(theta[-1]) - np.sum(across**2, 0)
    return across.T @ np.linalg.solve(lower, y), np.sqrt(variance)


def main(folder="runs/examples"):
    data = load_diabetes()
    order = np.random.default_rng(0).permutation(len(data.target))
    x, target = data.data[order] / np.std(data.data, 0), data.target[order]
    mean, scale = np.mean(target[:TRAINED_ON]), np.std(target[:TRAINED_ON])
    y = (target - mean) / scale
    train, test = (x[:TRAINED_ON], y[:TRAINED_ON]), (x[TRAINED_ON:], target[TRAINED_ON:])

    climb = ga.value_and_grad(log_likelihood)
    start = np.log([1.0, *[3.0] * 10, 0.5])
    bounds = np.log([(1e-2, 1e2), *[(1e-1, 1e3)] * 10, (1e-3, 1e1)])
    fit = minimize(
        lambda theta: tuple(-v for v in climb(theta, *train)),
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
    )

    theirs = ConstantKernel() * RBF([1.0] * 10) + WhiteKernel()
    theirs = GaussianProcessRegressor(theirs, alpha=0, optimizer=None).fit(*train)
    expected, gradient = theirs.log_marginal_likelihood(start, eval_gradient=True)
    value, found = climb(start, *train)
    error = np.max(np.abs(found - gradient)) / np.max(np.abs(gradient))

    guess, spread = predict(fit.x, *train, test[0])
    guess, spread = guess * scale + mean, spread * scale
    rmse = np.sqrt(np.mean((guess - test[1]) ** 2))
    covered = np.mean(np.abs(guess - test[1]) < 1.96 * spread)

    print(f"Log marginal likelihood of {TRAINED_ON} patients: {value:.3f} at the start,")
    print(f"{-fit.fun:.3f} after {fit.nit} iterations and {fit.nfev} gradients of {len(fit.x)}")
    print(f"At the start scikit-learn has {expected:.3f}; the gradients differ by {error:.0e}")
    print(f"The other {len(guess)}: root mean square error {rmse:.1f} of a spread of {scale:.1f};")
    print(f"{covered:.0%} lie within the intervals that should hold 95%")

    relevance = dict(zip(data.feature_names, np.exp(-fit.x[1:-1]), strict=True))
    draw(Path(folder), relevance, test[1], guess, spread)
    return {"fit": fit, "start": start, "train": train, "test": test, "theirs": theirs,
            "guess": guess, "spread": spread, "scale": (mean, scale)}  # fmt: skip


NAMES = {"bmi": "body mass index", "bp": "blood pressure", "s1": "total cholesterol",
         "s2": "LDL cholesterol", "s3": "HDL cholesterol", "s4": "cholesterol / HDL",
         "s5": "log triglycerides", "s6": "blood sugar"}  # fmt: skip


def draw(folder, relevance, observed, guess, spread):
    style.use(Path(__file__).with_name("gradarg.mplstyle"))
    figure = Figure(figsize=(11, 4.6))
    figure.suptitle("A Gaussian process on the diabetes data, fitted by its gradient")
    bars, band = figure.subplots(1, 2)

    names = sorted(relevance, key=relevance.get)
    bars.barh([NAMES.get(n, n) for n in names], [relevance[n] for n in names])
    bars.set(title="Which measurements matter", xlabel="1 / length scale (per standard deviation)")
    bars.grid(axis="y", visible=False)

    order, rank = np.argsort(guess), np.arange(len(guess))
    low, high = (guess - 1.96 * spread)[order], (guess + 1.96 * spread)[order]
    band.fill_between(rank, low, high, alpha=0.2, label="95 % interval")
    band.plot(rank, guess[order], label="predicted")
    band.plot(rank, observed[order], "o", markersize=4, label="observed")
    band.set(title="Patients it was not trained on", xlabel="patient, by what is predicted")
    band.set_ylabel("progression of the disease (score)")
    band.legend(loc="upper left")

    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "gaussian_process.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
