"""Each sample of the table of primitives, compiled, on every backend."""

from typing import Any

import numpy as np
import pytest

import gradarg as ga
from tests.ops.checks import direction, leaves, narrowed, types_of
from tests.ops.sample import Sample
from tests.ops.samples import TABLE

BACKENDS = ["llvm", "numpy"]


def near(found: Any, expected: Any, tolerance: float) -> None:
    assert types_of(found) == types_of(expected)
    for a, b in zip(leaves(found), leaves(expected)):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def enlarged(sample: Sample) -> list[Any]:
    """Arguments of the sample; kernels take over only from some size on."""
    return list(sample.args)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sample", TABLE, ids=lambda s: s.name)
def test_compiled_is_eager(sample: Sample, backend: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gradarg._jit.fusion.SMALL", 0)
    f, wide = sample.of(sample.places())
    for xs, tolerance in ((wide, 1e-12), (narrowed(wide), 1e-5)):
        near(ga.jit(f, backend=backend)(*xs), f(*xs), tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "sample", [s for s in TABLE if s.primitive.vjps is not None and s.places("fc")],
    ids=lambda s: s.name,
)  # fmt: skip
def test_compiled_derivatives_are_eager(
    sample: Sample, backend: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gradarg._jit.fusion.SMALL", 0)
    f, xs = sample.of(sample.places("fc"))
    random = np.random.default_rng(7)
    d, c = direction(xs, random), direction(f(*xs), random)
    pushed = ga.jit(lambda *x: ga.jvp(f, x, d)[1], backend=backend)
    near(pushed(*xs), ga.jvp(f, xs, d)[1], 1e-10)
    pulled = ga.jit(lambda *x: ga.vjp(f, *x)[1](c), backend=backend)
    near(pulled(*xs), ga.vjp(f, *xs)[1](c), 1e-10)
