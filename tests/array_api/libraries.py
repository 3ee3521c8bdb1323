"""Functions of SciPy and scikit-learn that take arrays of the standard, differentiated through.

Run as a program, for SciPy reads SCIPY_ARRAY_API when it is imported: it prints for each function
what is wrong, or nothing, as one JSON object. The answers expected are the libraries' own for
NumPy's arrays, and central differences of these.
"""

import json
import os
import sys
import traceback
import warnings
from types import SimpleNamespace

import numpy as np

import gradarg as ga

RANDOM = np.random.default_rng(7)
X, Y = RANDOM.normal(size=(2, 5, 3))
P, Q = RANDOM.uniform(0.4, 2.0, size=(2, 6))
M = SimpleNamespace()  # the libraries' modules, imported by main

SCIPY = {
    "special.softmax": (lambda x: M.special.softmax(x, axis=1), X),
    "special.logsumexp": (lambda x: M.special.logsumexp(x, axis=1), X),
    "special.log_softmax": (lambda x: M.special.log_softmax(x, axis=0), X),
    "stats.zscore": (lambda x: M.stats.zscore(x, axis=0), X),
    "stats.variation": (lambda p: M.stats.variation(p), P),
    "stats.tmean": (lambda p: M.stats.tmean(p, (0.5, 1.9)), P),
    "stats.tvar": (lambda p: M.stats.tvar(p), P),
    "stats.lmoment": (lambda p: M.stats.lmoment(p), P),
    "stats.describe": (lambda x: M.stats.describe(x).variance, X),
    "cluster.whiten": (lambda x: M.cluster.vq.whiten(x), X),
    "signal.hilbert": (lambda p: M.signal.hilbert(p).imag, P),
    "signal.oaconvolve": (lambda p, q: M.signal.oaconvolve(p, q), P, Q[:2]),
    "optimize.rosen_der": (lambda p: M.optimize.rosen_der(p), P),
    "optimize.rosen_hess": (lambda p: M.optimize.rosen_hess(p), P),
    "stats.gmean": (lambda p: M.stats.gmean(p), P),
    "stats.hmean": (lambda p: M.stats.hmean(p), P),
    "stats.pmean": (lambda p: M.stats.pmean(p, 2.5), P),
    "stats.skew": (lambda x: M.stats.skew(x, axis=0), X),
    "stats.kurtosis": (lambda x: M.stats.kurtosis(x, axis=1), X),
    "stats.moment": (lambda x: M.stats.moment(x, 3, axis=0), X),
    "stats.sem": (lambda x: M.stats.sem(x, axis=0), X),
    "stats.circmean": (lambda p: M.stats.circmean(p), P),
    "stats.directional_stats": (lambda x: M.stats.directional_stats(x).mean_direction, X),
    "integrate.trapezoid": (lambda p, q: M.integrate.trapezoid(p, q), P, Q),
    "integrate.cumulative_trapezoid": (lambda p: M.integrate.cumulative_trapezoid(p, dx=0.3), P),
    "signal.fftconvolve": (lambda p, q: M.signal.fftconvolve(p, q), P, Q[:4]),
    "optimize.rosen": (lambda p: M.optimize.rosen(p), P),
    "fft.rfft": (lambda p: abs(M.fft.rfft(p)), P),
}
# SciPy finds these special functions in ga.special
SPECIAL = {
    "special.expit": (lambda x: M.special.expit(x), X),
    "special.gammaln": (lambda p: M.special.gammaln(p), P),
    "special.entr": (lambda p: M.special.entr(p), P),
    "stats.entropy": (lambda p: M.stats.entropy(p), P),
    "stats.ttest_1samp": (lambda p: M.stats.ttest_1samp(p, 0.8).statistic, P),
    "stats.ttest_ind": (lambda p, q: M.stats.ttest_ind(p, q).statistic, P, Q),
    "stats.ttest_ind.pvalue": (lambda p, q: M.stats.ttest_ind(p, q).pvalue, P, Q),
    "stats.pearsonr": (lambda p, q: M.stats.pearsonr(p, q).statistic, P, Q),
    "stats.jarque_bera": (lambda p: M.stats.jarque_bera(p).statistic, P),
    "stats.power_divergence": (lambda p: M.stats.power_divergence(p).statistic, P),
    "stats.bartlett": (lambda p, q: M.stats.bartlett(p, q).statistic, P, Q),
}
SCIPY |= SPECIAL
SKLEARN = {
    "euclidean_distances": (lambda x, y: M.pairwise.euclidean_distances(x, y), X, Y),
    "linear_kernel": (lambda x, y: M.pairwise.linear_kernel(x, y), X, Y),
    "polynomial_kernel": (lambda x, y: M.pairwise.polynomial_kernel(x, y, degree=3), X, Y),
    "rbf_kernel": (lambda x, y: M.pairwise.rbf_kernel(x, y, gamma=0.4), X, Y),
    "sigmoid_kernel": (lambda x, y: M.pairwise.sigmoid_kernel(x, y), X, Y),
    "laplacian_kernel": (lambda x, y: M.pairwise.laplacian_kernel(x, y), X, Y),
    "cosine_similarity": (lambda x, y: M.pairwise.cosine_similarity(x, y), X, Y),
    "mean_squared_error": (
        lambda x, y: M.metrics.mean_squared_error(x, y, multioutput="raw_values"),
        X,
        Y,
    ),
    "r2_score": (lambda x, y: M.metrics.r2_score(x, y, multioutput="raw_values"), X, Y),
    "MinMaxScaler": (lambda x: M.preprocessing.MinMaxScaler().fit_transform(x), X),
    "Normalizer": (lambda x: M.preprocessing.Normalizer().fit_transform(x), X),
    "PolynomialFeatures": (lambda x: M.preprocessing.PolynomialFeatures().fit_transform(x), X),
    "Ridge": (lambda x, p: M.Ridge(alpha=0.3, solver="svd").fit(x, p).coef_, X, P[:5]),
    "LDA": (lambda x: M.LDA().fit(x, labels_like(x)).decision_function(x), X),
    "PCA": (lambda x: M.PCA(2, svd_solver="full").fit(x).explained_variance_, X),
    "PCA.fit_transform": (lambda x: M.PCA(2, svd_solver="full").fit_transform(x) ** 2, X),
}


def labels_like(x):
    labels = np.array([0, 1, 0, 1, 1])
    return ga.asarray(labels) if isinstance(x, ga.Tensor) else labels


def value(result):
    return result.value if isinstance(result, ga.Tensor) else np.asarray(result)


def wrong(f, args):
    """What is wrong with the derivative of f through tensors; empty if nothing is."""
    expected = value(f(*args))
    tensors = [ga.Tensor(a, requires_grad=True) for a in args]
    out = f(*tensors)
    if not isinstance(out, ga.Tensor):
        return f"a tensor went in and {type(out).__name__} came out"
    np.testing.assert_allclose(out.value, expected, rtol=1e-11, atol=1e-12)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, expected.shape)
    along = [np.random.default_rng(2 + i).normal(size=a.shape) for i, a in enumerate(args)]
    step = 1e-3

    def at(k):
        return np.sum(weights * value(f(*(a + k * step * d for a, d in zip(args, along)))))

    slope = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)
    ga.sum(out * weights).backward()
    by_backward = sum(np.sum(t.grad.value * d) for t, d in zip(tensors, along))

    def loss(*xs):
        return ga.sum(f(*xs) * weights)

    places = tuple(range(len(args)))
    # of tensors, so that all is of one namespace: of arrays, what has no derivative is an array
    grads = ga.grad(loss, argnums=places)(*map(ga.Tensor, args))
    by_grad = sum(np.sum(value(g) * d) for g, d in zip(grads, along))
    by_jvp = value(ga.jvp(loss, *(tuple(map(ga.Tensor, xs)) for xs in (args, along)))[1])
    for found in (by_backward, by_grad, by_jvp):
        np.testing.assert_allclose(found, slope, rtol=1e-7, atol=1e-7)
    return ""


def tell(f, args):
    try:
        return wrong(f, args)
    except Exception as error:
        places = traceback.extract_tb(error.__traceback__)[-3:]
        where = " < ".join(f"{os.path.basename(p.filename)}:{p.lineno}" for p in places[::-1])
        return f"{type(error).__name__}: {error} ({where})"


def main():
    import scipy.cluster
    import scipy.fft
    import scipy.integrate
    import scipy.optimize
    import scipy.signal
    import scipy.special
    import scipy.stats
    import sklearn
    from sklearn import decomposition, discriminant_analysis, linear_model, metrics, preprocessing
    from sklearn.metrics import pairwise

    vars(M).update(vars(scipy))
    M.pairwise, M.metrics, M.preprocessing = pairwise, metrics, preprocessing
    M.PCA, M.Ridge = decomposition.PCA, linear_model.Ridge
    M.LDA = discriminant_analysis.LinearDiscriminantAnalysis
    warnings.simplefilter("error")
    found = {name: tell(f, args) for name, (f, *args) in SCIPY.items()}
    with sklearn.config_context(array_api_dispatch=True):
        found |= {name: tell(f, args) for name, (f, *args) in SKLEARN.items()}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
