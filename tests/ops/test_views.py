"""What NumPy's functions return as views, ours do, and nothing else: shown by writing into it."""

from typing import Any

import numpy as np
import pytest

import gradarg as ga
from tests.ops.calls import CALLS, Call
from tests.ops.checks import leaves
from tests.ops.test_namespace import is_float


def written(call: Call, function: Any, wrap: Any) -> tuple[bool, list[Any]]:
    """Whether results of a call could be written to, and the arguments after that."""
    places, structure = ga.tree.flatten(call.args)
    arrays = [wrap(np.array(x)) if is_float(x) and x.ndim else x for x in places]
    out = function(*structure.unflatten(arrays), **call.options)
    writable = True
    for k, result in enumerate(leaves(out)):
        if isinstance(result, (np.ndarray, ga.Tensor)) and result.ndim:
            try:
                result[...] = k + 2
            except (ValueError, ga.ImmutableError):
                writable = False
    return writable, [np.array(x) for x in arrays if isinstance(x, (np.ndarray, ga.Tensor))]


APART = {
    "broadcast_arrays",  # NumPy's can be written to, with a warning; ours refuse
    "histogram", "histogramdd",  # NumPy returns the very edges that it was given
}  # fmt: skip
CALLED = [c for c in CALLS if c.numpy is not None and c.name not in APART]


@pytest.mark.parametrize("call", CALLED, ids=str)
def test_writing_into_a_result(call: Call):
    writable, expected = written(call, call.numpy, np.array)
    found_writable, found = written(call, call.function, ga.Tensor)
    if call.name == "einsum" and writable and not found_writable:
        return  # a diagonal: NumPy's einsum gives one that can be written to, np.diagonal does not
    assert found_writable == writable
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
