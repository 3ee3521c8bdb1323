"""Convolution and pooling by PyTorch's names: against PyTorch where it is installed."""

import itertools

import numpy as np
import pytest

import gradarg as ga
import gradarg.nn.functional as F

RANDOM = np.random.default_rng(11)
SIZES = {1: (9,), 2: (7, 6), 3: (4, 5, 3)}
KERNELS = {1: (3,), 2: (3, 2), 3: (2, 3, 1)}


def normal(*shape):
    return RANDOM.standard_normal(shape)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_as_torch(n):
    torch = pytest.importorskip("torch")
    x = normal(2, 4, *SIZES[n])
    w = normal(6, 2, *KERNELS[n])
    pairs = [
        (f"conv{n}d", (x, w, normal(6)), {"stride": s, "padding": p, "dilation": d, "groups": 2})
        for s, p, d in itertools.product((1, 2), (0, 1, "same"), (1, 2))
        if (s == 1 or p != "same") and min(SIZES[n]) > 2 + d
    ]
    wt = normal(4, 3, *KERNELS[n])
    for s, p, o in [(1, 0, 0), (2, 1, 1), (3, 1, 2)]:
        options = {"stride": s, "padding": p, "output_padding": o, "groups": 2}
        pairs.append((f"conv_transpose{n}d", (x, wt, normal(6)), options))
    options = {"stride": 1, "padding": 0, "output_padding": 1, "dilation": 2}
    pairs.append((f"conv_transpose{n}d", (x, wt, None), options))
    for k, s, p, c in itertools.product((2, 3), (None, 2), (0, 1), (False, True)):
        options = {"stride": s, "padding": p, "ceil_mode": c}
        pairs.append((f"max_pool{n}d", (x, k), options))
        for inside in (True, False):
            pairs.append((f"avg_pool{n}d", (x, k), {**options, "count_include_pad": inside}))
    for name, args, options in pairs:
        arrays = [a for a in args if isinstance(a, np.ndarray)]
        ours = [ga.Tensor(a, requires_grad=True) for a in arrays]
        theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
        rest = args[len(arrays) :]
        out = getattr(F, name)(*ours, *rest, **options)
        expected = getattr(torch.nn.functional, name)(*theirs, *rest, **options)
        np.testing.assert_allclose(out.value, expected.detach().numpy(), rtol=1e-9, atol=1e-9)
        c = normal(*out.shape)
        out.backward(c)
        expected.backward(torch.tensor(c))
        for a, b in zip(ours, theirs):
            np.testing.assert_allclose(a.grad.value, b.grad.numpy(), rtol=1e-9, atol=1e-9)


def test_ties_and_nan_are_as_in_torch():
    x = np.array([[[1.0, 2, 2, 2, -np.inf, -np.inf, np.nan, 3, np.nan, 1]]])
    w = ga.Tensor(x, requires_grad=True)
    y = F.max_pool1d(w, 2)
    np.testing.assert_array_equal(y.value, [[[2, 2, -np.inf, np.nan, np.nan]]])
    y.backward(np.arange(1.0, 6.0).reshape(1, 1, 5))
    np.testing.assert_array_equal(w.grad.value, [[[0, 1, 2, 0, 3, 0, 4, 0, 5, 0]]])


def test_adaptive():
    torch = pytest.importorskip("torch")
    x = normal(2, 3, 7, 5)
    for size in (1, 3, (7, 2), (4, None)):
        expected = torch.nn.functional.adaptive_avg_pool2d(torch.tensor(x), size)
        np.testing.assert_allclose(F.adaptive_avg_pool2d(x, size), expected, rtol=1e-12)


def test_adaptive_averages():
    x = np.arange(12.0).reshape(1, 3, 4)
    np.testing.assert_allclose(F.adaptive_avg_pool2d(x, 1), [[[5.5]]])
    np.testing.assert_allclose(F.adaptive_avg_pool2d(x, (1, 2)), [[[4.5, 6.5]]])


def test_one_image_without_an_axis_for_many():
    x, w, b = normal(2, 5, 4), normal(3, 2, 3, 3), normal(3)
    np.testing.assert_allclose(F.conv2d(x, w, b), F.conv2d(x[None], w, b)[0])
    np.testing.assert_allclose(F.conv_transpose2d(x, normal(2, 1, 2, 2)).shape, (1, 6, 5))
    assert F.max_pool2d(x, 2).shape == F.avg_pool2d(x, 2).shape == (2, 2, 2)


def test_dtypes_stay():
    for dtype in (np.float32, np.float64):
        x, w, b = (a.astype(dtype) for a in (normal(1, 2, 5), normal(3, 2, 3), normal(3)))
        for y in (F.conv1d(x, w, b), F.max_pool1d(x, 2), F.avg_pool1d(x, 3, 1, 1, False, False)):
            assert y.dtype == dtype


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: F.conv2d(normal(1, 3, 5), normal(4, 3, 3, 3)), r"weights"),
        (lambda: F.conv2d(normal(3), normal(4, 3, 3, 3)), r"\(N, C, H, W\)"),
        (lambda: F.conv1d(normal(1, 3, 5), normal(4, 2, 3)), r"groups=1"),
        (lambda: F.conv1d(normal(1, 3, 5), normal(4, 3, 6)), r"smaller window"),
        (lambda: F.conv1d(normal(1, 3, 5), normal(4, 3, 3), normal(3)), r"bias is \(4,\)"),
        (lambda: F.conv1d(normal(1, 3, 5), normal(4, 3, 3), stride=0), r"stride"),
        (lambda: F.conv1d(normal(1, 3, 5), normal(4, 3, 3), padding="full"), r"'same'"),
        (lambda: F.conv1d(normal(1, 3, 5), normal(4, 3, 3), stride=2, padding="same"), r"'same'"),
        (lambda: F.max_pool1d(normal(1, 3, 5), 2, padding=2), r"half"),
        (lambda: F.avg_pool2d(normal(1, 1, 3, 3), 4), r"smaller window"),
        (lambda: F.conv_transpose1d(normal(1, 2, 3), normal(2, 1, 2), output_padding=1), "less"),
        (lambda: F.max_pool1d(normal(1, 3, 5) * 1j, 2), r"real"),
    ],
)  # fmt: skip
def test_errors_say_what(call, says):
    with pytest.raises((ga.ShapeError, ValueError, TypeError), match=says):
        call()
