"""Samples of the primitives of statistics and calculus."""

from collections.abc import Iterator

import numpy as np
import scipy.special

from gradarg._ops import contract, elementwise, polynomial, sorting
from tests.ops.sample import Sample, complex_values, values


def samples() -> Iterator[Sample]:
    for note, x in {
        "": np.array([-40.5, -2.3, 0.4, 7.1, 29.8]),
        "scalar": np.float64(-1.7),
        "empty": np.zeros((0, 2)),
    }.items():
        yield Sample(elementwise.i0, np.i0, (x,), note=note)
        for order in (1, 2, 3):
            reference = lambda x, order: scipy.special.iv(order, x).astype(x.dtype)
            params = {"order": order}
            yield Sample(elementwise.bessel_i, reference, (x,), params, f"{order} {note}")
    for mode in ("full", "valid"):
        convolve = np.vectorize(np.convolve, excluded=["mode"], signature="(n),(m)->(k)")
        for note, x, y in (
            ("", values((5,)), values((3,))),
            ("stack", values((2, 1, 5)), values((3, 4))),
            ("one row", values((4,)), values((2, 3))),
            ("reversed", values((6, 2)).T[::-1], values((2,))[::-1]),
            ("complex", complex_values((4,)), values((2,))),
        ):
            yield Sample(contract.convolve, convolve, (x, y), {"mode": mode}, f"{mode} {note}")
    for note, p in {"real": np.array([1.0, -3.0, 2.0]), "complex": complex_values((4,))}.items():
        reference = lambda p: np.roots(p).astype(complex)
        yield Sample(polynomial.roots, reference, (p,), note=note)
    pick = lambda x, places: np.take_along_axis(np.argsort(x), np.broadcast_to(places, (2, 3)), -1)
    for note, places in {"": np.array([4, 0, 4]), "rows": np.array([[0, 4, 1], [3, 3, 2]])}.items():
        yield Sample(sorting.kth, pick, (values((2, 5)), places), note=note)
    many = np.arange(12)[::-1]
    sorts = lambda x, places: np.argsort(x)[::-1]
    yield Sample(sorting.kth, sorts, (values((12,)), many), note="many")
