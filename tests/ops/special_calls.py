"""Calls of the special functions, each with SciPy's answer."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.special

from tests.ops.call import Call
from tests.ops.sample import values
from tests.ops.special_samples import POSITIVE, REAL, REALS, VALUES, narrow, scipys

PUBLIC = {"_riemann_zeta": "zeta", "_zeta": "zeta"}  # the function of a primitive


def _call(name: str, *args: Any, **options: Any) -> Call:
    function = getattr(scipy.special, name)
    return Call(
        f"special.{name}",
        args,
        options,
        reference=lambda *args, **options: narrow(function(*args, **options), args),
    )


def calls() -> Iterator[Call]:
    for domains, names in REALS.items():
        for name in names.split():
            args = tuple(values((2,), d) if isinstance(d, tuple) else d for d in domains)
            public = f"special.{PUBLIC.get(name, name)}"
            yield Call(public, args, reference=scipys(name))
    for count, names in VALUES.items():
        for name in names.split():
            args = tuple(np.array([1, 2]) + i for i in range(count))
            yield Call(f"special.{name}", args, smooth=False, reference=scipys(name))
    x, m = values((2,), POSITIVE), values((2, 3), REAL)
    yield _call("digamma", x)
    yield _call("jn", 2, x)
    yield _call("polygamma", 2, x)
    yield _call("multigammaln", 3 + values((), POSITIVE), 3)
    yield _call("lambertw", x)
    yield _call("softplus", m)
    yield _call("sinc", m)
    yield Call("special.round", (m,), smooth=False, reference=scipy.special.round)
    for options in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}):
        yield _call("logsumexp", m, **options)
    yield _call("logsumexp", m, axis=1, b=np.array([0.5, 1.0, 2.0]))
    for axis in (None, 1):
        yield _call("softmax", m, axis=axis)
        yield _call("log_softmax", m, axis=axis)
    for name in ("jvp", "yvp", "ivp", "kvp", "h1vp", "h2vp"):
        yield _call(name, 1.5, x, 2)
