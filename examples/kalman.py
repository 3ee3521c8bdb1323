"""The flow of the Nile: a Kalman filter fitted by maximum likelihood, and its smoother for free.

    python examples/kalman.py [folder]

The level of the river walks at random, and each year's flow scatters around it. The filter is the
usual NumPy loop that fills its arrays by assignment. The gradient of its likelihood by the two
variances fits them; its gradient by the data turns the filter into the smoother, which knows the
years to come as well: the level is y + r * dL/dy, and its variance r + r**2 * d2L/dy2, with L the
log likelihood and r the variance of the scatter. The data, the model and its fit: J. Durbin and
S. J. Koopman, "Time Series Analysis by State Space Methods" (2001), chapter 2.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from scipy.optimize import minimize

import gradarg as ga

YEARS = np.arange(1871, 1971)
FLOW = np.array([
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180,
    799, 958, 1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833,
    701, 916, 692, 1020, 1050, 969, 831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845,
    864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845, 944, 984, 897, 822, 1010, 771, 676, 649,
    846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050, 918, 986, 797, 923, 975, 815,
    1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740.0,
])  # fmt: skip  # Aswan, 10^8 cubic metres a year


def kalman(y, transition, drift, observe, scatter, mean, covariance):
    """Filtered means (T, d) and covariances (T, d, d), and the log likelihood of the data (T,).

    x[t] = transition @ x[t-1] + noise of covariance `drift` (d, d)
    y[t] = observe @ x[t] + noise of variance `scatter`
    """
    like = y * scatter  # a tensor if one of them is
    means = np.zeros((len(y), len(mean)), like=like)
    covariances = np.zeros((len(y), len(mean), len(mean)), like=like)
    terms = np.zeros(len(y), like=like)
    for t in range(len(y)):
        error = y[t] - observe @ mean
        variance = observe @ covariance @ observe + scatter
        gain = covariance @ observe / variance
        means[t] = mean + gain * error
        covariances[t] = covariance - np.outer(gain, gain) * variance
        terms[t] = -(np.log(2 * np.pi * variance) + error**2 / variance) / 2
        mean = transition @ means[t]
        covariance = transition @ covariances[t] @ transition.T + drift
    return means, covariances, np.sum(terms)


def river(theta, y):
    """A level alone, of which nothing is known before; theta: log variances of scatter, drift."""
    scatter, drift = np.exp(theta)
    one = np.ones((1, 1))
    return kalman(y, one, drift * one, np.ones(1), scatter, np.zeros(1), 1e7 * one)


def log_likelihood(theta, y):
    return river(theta, y)[2]


def main(folder="runs/examples"):
    climb = ga.value_and_grad(log_likelihood)
    start = np.log([10_000.0, 10_000.0])
    fit = minimize(lambda theta: tuple(-v for v in climb(theta, FLOW)), start, jac=True, tol=1e-8)
    scatter, drift = np.exp(fit.x)
    means, covariances, _ = river(fit.x, FLOW)
    filtered = means[:, 0], np.sqrt(covariances[:, 0, 0])

    slope = ga.grad(log_likelihood, argnums=1)(fit.x, FLOW)
    curvature = np.diag(ga.hessian(log_likelihood, argnums=1)(fit.x, FLOW))
    smoothed = FLOW + scatter * slope, np.sqrt(scatter + scatter**2 * curvature)

    print(f"Log likelihood of {len(FLOW)} years: {-fit.fun:.3f}, after {fit.nfev} gradients")
    print(f"Variance of the scatter {scatter:.0f}, of the yearly change of level {drift:.1f}")
    print("Durbin and Koopman have          15099                             1469.1")
    found = {"filtered": filtered, "smoothed": smoothed}
    for name, (level, spread) in found.items():
        print(f"The level of {YEARS[50]}, {name}: {level[50]:.0f} ± {spread[50]:.0f}")

    draw(Path(folder), found)
    return {"fit": fit, **found}


def draw(folder, found):
    style.use(Path(__file__).with_name("gradarg.mplstyle"))
    figure = Figure(figsize=(11, 4.6))
    axes = figure.subplots()
    axes.plot(YEARS, FLOW, "o", color="0.5", markersize=4, label="measured")
    for colour, (name, (level, spread)) in zip(("C0", "C1"), found.items(), strict=True):
        low, high = level - 1.96 * spread, level + 1.96 * spread
        axes.plot(YEARS, level, colour, label=f"level, {name}, with 95 %")
        axes.fill_between(YEARS, low, high, color=colour, alpha=0.2)
    axes.set(title="The Nile at Aswan: a filter fitted, and made a smoother, by its gradient")
    axes.set(xlabel="year", ylabel="flow ($10^8$ m³ per year)", ylim=(400, 1450))
    axes.legend(loc="upper right")

    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "kalman.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
