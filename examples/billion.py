"""Gradients of functions of a billion variables, in the memory of two arrays.

    python examples/billion.py              100 million float32 variables: 0.8 GB
    python examples/billion.py 1000000000   a billion: 8 GB
    python examples/billion.py N file       streamed: they lie in a file, larger than memory
    python examples/billion.py N file logistic       so do those of the other function

Each function is one line of NumPy. `ga.jit` makes its value and gradient one loop over memory, and
a step of gradient descent another. What a call returns lies where the donated argument lay, so two
arrays are all that ten steps need. Each time is shown beside that of copying one array to the
other, which moves the same bytes.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import gradarg as ga

CHUNK = 1 << 24  # variables of a file in memory at a time


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def logistic(x):
    """The logistic loss of every variable, with a ridge."""
    return np.sum(ga.softplus(-x) + 0.005 * x**2)


RATES = {rosenbrock: 1e-4, logistic: 1.0}
NEIGHBOURS = {rosenbrock: 1, logistic: 0}  # on each side, that an element's gradient needs


def gradient_of(f):
    """The function of x and spare memory that returns the gradient."""
    return ga.jit(lambda x, spare: ga.grad(f)(x), donate_argnums=1)


def both_of(f):
    """The function of x and spare memory that returns f(x) and its gradient."""
    return ga.jit(lambda x, spare: ga.value_and_grad(f)(x), donate_argnums=1)


def step_of(f):
    """The function of x and spare memory that returns x after a step of gradient descent."""
    return ga.jit(lambda x, spare: x - RATES[f] * ga.grad(f)(x), donate_argnums=1)


def fill(x):
    """Numbers between 0.5 and 1.5, the same after every million, which takes little time."""
    some = np.random.default_rng(0).uniform(0.5, 1.5, min(len(x), 10**6)).astype(x.dtype)
    for start in range(0, len(x), len(some)):
        part = x[start : start + len(some)]
        part[:] = some[: len(part)]


def copy(source, target):
    """Copy an array on all threads."""
    threads = ga.get_num_threads()
    cuts = [len(source) * k // threads for k in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda a, b: np.copyto(target[a:b], source[a:b]), cuts[:-1], cuts[1:]))


def timed(call, times=3):
    """The least time of several calls, in seconds, and what the last returned."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        result = call()
        taken.append(time.perf_counter() - begun)
    return min(taken), result


def peak():
    """The most memory that this process has had, in bytes; 0 where nobody says."""
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # Windows
        return 0
    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_memory(n, steps=10):
    """Gradients and ten steps of descent in two arrays; figures by name."""
    ga.jit(lambda x: x + 1)(np.zeros(1000, np.float32))  # what a first call loads is not counted
    before = peak()
    x, spare = np.empty(n, np.float32), np.empty(n, np.float32)
    figures = {}
    for f in RATES:
        fill(x)
        figures["copy"], _ = timed(lambda x=x, spare=spare: copy(x, spare))
        gradient, both, step = gradient_of(f), both_of(f), step_of(f)
        seconds, spare = timed(lambda x=x, spare=spare, f=gradient: f(x, spare))
        figures[f"{f.__name__}, gradient"] = seconds
        check(f, x, spare)
        seconds, (value, spare) = timed(lambda x=x, spare=spare, f=both: f(x, spare))
        figures[f"{f.__name__}, value and gradient"] = seconds
        check(f, x, spare)
        for k in range(steps):
            if k == 1:  # the first compiles
                begun = time.perf_counter()
            x, spare = step(x, spare), x
        figures[f"{f.__name__}, a step of descent"] = (time.perf_counter() - begun) / (steps - 1)
        after, spare = both(x, spare)
        assert after < value
        figures[f"{f.__name__}, before and after"] = float(value), float(after)
    figures["memory"] = peak() - before
    return figures


def check(f, x, gradient):
    """Compare the gradient's ends with the formula, worked out by hand in float64."""
    for part in (slice(0, 1000), slice(len(x) - 1000, len(x))):
        u = x[part].astype(float)
        if f is logistic:
            expected, sure = 0.01 * u - 1 / (1 + np.exp(u)), slice(0, 1000)
        else:
            expected, r = np.zeros(len(u)), u[1:] - u[:-1] ** 2
            expected[1:] += 200 * r
            expected[:-1] -= 400 * u[:-1] * r + 2 * (1 - u[:-1])
            sure = slice(0 if part.start == 0 else 1, 1000 if part.stop == len(x) else 999)
        np.testing.assert_allclose(gradient[part][sure], expected[sure], 1e-4, 1e-3)


def streamed(path, n, f=rosenbrock, steps=2, chunk=CHUNK):
    """Steps of descent on a function of variables in a file; its value before each.

    Where an element's gradient needs its two neighbours, a chunk is read with one more on each
    side. The left one has been overwritten by then, and is remembered.
    """
    new = not Path(path).exists()
    x = np.memmap(path, np.float32, "w+" if new else "r+", shape=(n,))
    if new:
        fill(x)
    both, more = ga.jit(ga.value_and_grad(f)), NEIGHBOURS[f]
    values = []
    for _ in range(steps):
        total, left = 0.0, None
        for start in range(0, n, chunk):
            stop, low = min(start + chunk, n), max(start - more, 0)
            part = np.array(x[low : stop + more])
            inner = slice(start - low, stop - low)
            if low < start:
                part[0] = left
            value, gradient = both(part)
            total += float(value)
            if more and stop < n:  # this term is the next chunk's too
                total -= float(f(part[-2:].astype(float)))
            left = part[inner][-1]
            x[start:stop] = part[inner] - np.float32(RATES[f]) * gradient[inner]
        values.append(total)
    x.flush()
    return values


def main(n=10**8, path=None, name="rosenbrock"):
    if path is not None:
        begun = time.perf_counter()
        values = streamed(path, n, {f.__name__: f for f in RATES}[name])
        print(
            f"{name}, {n:,} variables in {path}: {8 * n / 1e9:.3g} GB read and written in each step"
        )
        print(f"values {', '.join(f'{v:.6g}' for v in values)}")
        print(f"{(time.perf_counter() - begun) / len(values):.3g} s a step, {peak() / 1e9:.3g} GB")
        return values
    figures = in_memory(n)
    copied = figures["copy"]
    print(f"{n:,} float32 variables, {ga.get_num_threads()} threads")
    print(f"copy of all: {copied * 1e3:.4g} ms, {8 * n / copied / 1e9:.3g} GB/s")
    for name, figure in figures.items():
        if "before and after" in name:
            print(f"{name}: {figure[0]:.6g}, {figure[1]:.6g}")
        elif name not in ("copy", "memory"):
            print(f"{name}: {figure * 1e3:.4g} ms, {figure / copied:.3g} of the copy")
    memory = figures["memory"]
    print(
        f"memory: {memory / 1e9:.3g} GB, {memory / (8 * n):.3g} of the variables and the gradient"
    )
    return figures


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]), *sys.argv[2:4])
