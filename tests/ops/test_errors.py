"""What the public functions refuse: each message names the function, and what did not fit."""

import re

import numpy as np
import pytest

import gradarg as ga

M, V = np.ones((3, 4)), np.ones(4)
ALONG = (
    "sum mean prod max min var std ptp all any argmax argmin cumsum cumprod sort argsort softmax "
    "log_softmax logsumexp count_nonzero flip squeeze expand_dims unstack size"
)
AXES = {
    **{name: {"axis": 7} for name in ALONG.split()},
    "take": {"indices": [0], "axis": 7},
    "take_along_axis": {"indices": np.zeros((3, 4), int), "axis": 7},
    "repeat": {"repeats": 2, "axis": 7},
    "roll": {"shift": 1, "axis": 7},
    "swapaxes": {"axis1": 0, "axis2": 7},
    "moveaxis": {"source": 7, "destination": 0},
    "rollaxis": {"axis": 7},
    "split": {"indices_or_sections": 2, "axis": 7},
    "array_split": {"indices_or_sections": 2, "axis": 7},
    "transpose": {"axes": (0, 7)},
    "diagonal": {"axis2": 7},
    "trace": {"axis2": 7},
    "rot90": {"axes": (0, 7)},
}


@pytest.mark.parametrize("name", AXES)
def test_an_axis_that_there_is_not(name):
    for x in (M, ga.Tensor(M)):
        with pytest.raises(ga.ShapeError, match=f"^{name}: axis 7 .* [23] dimensions"):
            getattr(ga, name)(x, **AXES[name])


@pytest.mark.parametrize("name", ["sum", "max", "softmax", "flip"])
def test_an_axis_named_twice(name):
    with pytest.raises(ga.ShapeError, match=f"^{name}: .*twice"):
        getattr(ga, name)(M, axis=(0, -2))


@pytest.mark.parametrize("name", ["concatenate", "stack"])
def test_an_axis_to_join_along(name):
    with pytest.raises(ga.ShapeError, match=f"^{name}: axis 7"):
        getattr(ga, name)([M, M], axis=7)


SHAPES = {
    "matmul": (M, M),
    "dot": (M, M),
    "inner": (M, np.ones((4, 3))),
    "vdot": (M, V),
    "vecdot": (M, np.ones(3)),
    "tensordot": (M, M.T),
    "reshape": (M, (5, 2)),
    "broadcast_to": (M, (4, 4)),
    "squeeze": (M, 0),
    "take_along_axis": (M, np.zeros((2, 2, 2), int), 0),
    "concatenate": ([M, np.ones((2, 3))],),
    "vstack": ([M, np.ones((2, 3))],),
    "hstack": ([M, np.ones((2, 3))],),
    "stack": ([M, V],),
    "einsum": ("ij,jk", M, M),
    "split": (M, 2),
    "diag": (np.ones((2, 2, 2)),),
    "linalg.solve": (np.eye(3), V),
    "linalg.solve_triangular": (np.eye(3), V),
    "linalg.inv": (M,),
    "linalg.det": (M,),
    "linalg.slogdet": (M,),
    "linalg.cholesky": (M,),
    "matrix_transpose": (V,),
    "broadcast_arrays": (M, np.ones(3)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_do_not_fit(name):
    function = getattr(ga.linalg, name[7:]) if name.startswith("linalg.") else getattr(ga, name)
    args = SHAPES[name]
    shapes = [
        x.shape for x in (args[0] if isinstance(args[0], list) else args) if hasattr(x, "shape")
    ]
    tensors = ga.tree.map(lambda x: ga.Tensor(x) if isinstance(x, np.ndarray) else x, args)
    for given in (args, tensors):
        with pytest.raises(ga.ShapeError) as caught:
            function(*given)
        message = str(caught.value)
        name = {"vstack": "concatenate", "hstack": "concatenate"}.get(name, name)
        assert re.match(name.removeprefix("linalg.") + r"\b", message), message
        assert all(str(shape) in message for shape in shapes) or name == "split", message


def test_an_axis_that_is_not_there():
    """As NumPy's error it is a ValueError and an IndexError, and says where."""
    for call in (
        lambda x: ga.expand_dims(x, 4),
        lambda x: ga.sum(x, axis=2),
        lambda x: np.cumsum(x, axis=-3),
    ):
        for error in (np.exceptions.AxisError, IndexError, ga.ShapeError):
            with pytest.raises(error, match="out of bounds for an array of") as caught:
                call(ga.Tensor(M))
        assert "test_errors.py" in str(caught.value)


def test_shapes_that_do_not_fit_in_a_graph():
    for name in ("add", "multiply", "where", "matmul", "logaddexp"):
        args = [ga.ShapeDtype((3, 4)), ga.ShapeDtype((3,))]
        if name == "where":
            args.append(ga.ShapeDtype(()))
        with pytest.raises(ga.ShapeError, match=rf"{name}: .*\(3, 4\).*\(3,\)"):
            ga.stage(getattr(ga, name), *args)
    with pytest.raises(ga.ShapeError, match=r"concatenate: .*\(3, 4\), \(3, 5\)"):
        ga.stage(lambda *x: ga.concatenate(x), ga.ShapeDtype((3, 4)), ga.ShapeDtype((3, 5)))


def test_einsum():
    for subscripts, args, message in [
        ("ij,jk", (M,), "2 operands, but 1"),
        ("ijk", (M,), r"'ijk'.*\(3, 4\)"),
        ("ij->ik", (M,), "output"),
        ("ij->ii", (M,), "output"),
        ("ii", (M,), "3 and 4"),
        ("ij,j", (M, np.ones(3)), "j has the lengths 4 and 3"),
        ("...i->i", (M,), "Ellipsis"),
    ]:
        with pytest.raises(ga.ShapeError, match=message):
            ga.einsum(subscripts, *args)


def test_updates():
    for index, values in [(0, np.ones(3)), ([0, 1], np.ones((3, 4))), ((0, 0), V)]:
        for change in ("set", "add"):
            with pytest.raises(ga.ShapeError, match=r"x\.at\[\.\.\.\]: .*shape \(3|\(4"):
                getattr(ga.Tensor(M).at[index], change)(values)


def test_modes_and_orders_that_there_are_not():
    with pytest.raises(ga.ShapeError, match=r"pad: .*'mirror'.*'?linear_ramp"):
        ga.pad(M, 1, mode="mirror")
    with pytest.raises(ValueError, match=r"pad: .*'edge' takes no stat_length"):
        ga.pad(M, 1, mode="edge", stat_length=2)
    with pytest.raises(ga.ShapeError, match=r"pad: axis 0 .*\(0, 3\) is empty"):
        ga.pad(M[:0, :3], 1, mode="wrap")
    with pytest.raises(ga.ShapeError, match=r"pad: pad_width .* pair"):
        ga.pad(M, (1, 2, 3))
    for order in "AK":
        with pytest.raises(ga.ShapeError, match=f"'{order}'"):
            ga.reshape(M, (4, 3), order=order)
    with pytest.raises(ga.ShapeError, match="moveaxis"):
        ga.moveaxis(np.ones((2, 3, 4)), (0, 1), (2,))
    with pytest.raises(ga.ShapeError, match=r"moveaxis: .*twice"):
        ga.moveaxis(np.ones((2, 3, 4)), (0, 0), (1, 2))
    with pytest.raises(ga.ShapeError, match="transpose"):
        ga.transpose(M, (0, 0))
