"""Libraries that take arrays of the standard take tensors, and are differentiated through."""

import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from einops import array_api as einops

import gradarg as ga
from gradarg.testing import check_grads
from tests.array_api.libraries import SCIPY, SKLEARN
from tests.layers import REPOSITORY

X = np.random.default_rng(5).normal(size=(2, 3, 4))


# ---- einops

PATTERNS = {
    "rearrange": lambda x: einops.rearrange(x, "a b c -> (a c) b") ** 2,
    "split": lambda x: einops.rearrange(x, "a b (c d) -> d a c b", d=2) ** 2,
    "mean": lambda x: einops.reduce(x, "a b c -> c a", "mean") ** 2,
    "max": lambda x: einops.reduce(x, "a b (c two) -> a b c", "max", two=2),
    "prod": lambda x: einops.reduce(x, "a b c -> b", "prod"),
    "sum": lambda x: einops.reduce(x, "a b c -> () b ()", "sum") ** 2,
    "repeat": lambda x: einops.repeat(x, "a b c -> a (b two) c", two=2) ** 3,
    "stack": lambda x: einops.rearrange([x[0], x[1] ** 2], "n b c -> c n b"),
    "pack": lambda x: einops.pack([x, x[:, 0] ** 2], "a * c")[0] ** 2,
    "unpack": lambda x: einops.unpack(x, [(2,), (1, 1)], "a * c")[1] ** 2,
}


@pytest.mark.parametrize("name", PATTERNS)
def test_einops(name):
    f = PATTERNS[name]
    check_grads(f, (ga.Tensor(X),), order=2)
    t = ga.Tensor(X, requires_grad=True)
    out = f(t)
    out.sum().backward()
    assert np.all(t.grad.value == ga.grad(lambda x: ga.sum(f(x)))(ga.Tensor(X)).value)
    assert f(ga.Tensor(X.astype(np.float32))).dtype == np.float32


def test_einops_values():
    t = ga.Tensor(X, requires_grad=True)
    np.testing.assert_array_equal(
        einops.rearrange(t, "a b c -> c (a b)").value, X.transpose(2, 0, 1).reshape(4, 6)
    )
    np.testing.assert_array_equal(einops.asnumpy(t.detach()), X)
    with pytest.raises(ga.ConcreteValueError, match="derivative"):
        einops.asnumpy(t)


# ---- SciPy and scikit-learn


@functools.cache
def told():
    """What the libraries' own process tells of each function."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.array_api.libraries"],
        cwd=REPOSITORY,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", [*SCIPY, *SKLEARN])
def test_libraries(name):
    assert told()[name] == ""
