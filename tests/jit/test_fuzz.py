"""Random programs of NumPy calls, compiled: the same numbers as eager, and the same derivatives."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradarg as ga
from tests.transform.programs import COMPLEX, MIXED, REAL, programs

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::gradarg.GradargWarning"),  # a program may mean it
]


@settings(max_examples=250 * settings().max_examples // 100)
@given(programs((REAL, MIXED, COMPLEX)), st.sampled_from(["llvm", "numpy"]))
def test_compiled_is_eager(program, backend):
    xs, every = program.inputs, tuple(range(len(program.inputs)))
    both = ga.value_and_grad(program, every)
    value, gradient = both(*xs)
    with patch("gradarg._jit.fusion.SMALL", 0):  # kernels for arrays of any size
        found = ga.jit(both, backend=backend)(*xs)
        other = ga.grad(ga.jit(program, backend=backend), every)(*xs)
    wide = all(x.dtype in (np.float64, np.complex128) for x in xs)
    for a, b in zip((found[0], *found[1], *other), (value, *gradient, *gradient), strict=True):
        assert a.dtype == b.dtype
        scale = (1e-9 if wide else 1e-4) * max(1.0, float(np.max(np.abs(b), initial=0)))
        np.testing.assert_allclose(a, b, rtol=1e-9 if wide else 1e-4, atol=scale)
