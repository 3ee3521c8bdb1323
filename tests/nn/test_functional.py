"""Losses and functions against SciPy, differences and, where it is installed, PyTorch."""

import importlib.util

import numpy as np
import pytest
from scipy import special

import gradarg as ga
from gradarg.nn import functional as F
from gradarg.testing import check_grads

RNG = np.random.default_rng(3)
LOGITS = 3 * RNG.standard_normal((5, 4))
LABELS = np.array([0, 3, 1, 1, 2])
PROBABILITIES = special.softmax(RNG.standard_normal((5, 4)), axis=1)
REDUCTIONS = {"mean": np.mean, "sum": np.sum, "none": lambda x: x}


def closed_form(logits, target, smoothing=0.0):
    """The loss of each example, from SciPy's log_softmax."""
    classes = logits.shape[1]
    if target.dtype.kind in "iu":
        target = np.moveaxis(np.eye(classes)[target], -1, 1)
    target = (1 - smoothing) * target + smoothing / classes
    return -(target * special.log_softmax(logits, axis=1)).sum(axis=1)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("target", [LABELS, LABELS.astype(np.uint8), PROBABILITIES])
def test_cross_entropy(reduction, smoothing, target):
    found = F.cross_entropy(LOGITS, target, reduction, label_smoothing=smoothing)
    expected = REDUCTIONS[reduction](closed_form(LOGITS, target, smoothing))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if importlib.util.find_spec("torch") is not None:
        import torch

        labels = target.astype(np.int64) if target.dtype.kind in "iu" else target
        theirs = torch.nn.functional.cross_entropy(
            torch.tensor(LOGITS),
            torch.tensor(labels),
            reduction=reduction,
            label_smoothing=smoothing,
        )
        np.testing.assert_allclose(found, theirs.numpy(), rtol=1e-12)


@pytest.mark.parametrize("target", [LABELS, PROBABILITIES])
def test_gradients_of_cross_entropy(target):
    gradient = ga.grad(lambda x: F.cross_entropy(x, target))(LOGITS)
    wanted = np.eye(4)[target] if target.ndim == 1 else target
    np.testing.assert_allclose(
        gradient, (special.softmax(LOGITS, axis=1) - wanted) / 5, rtol=1e-12, atol=1e-16
    )
    check_grads(lambda x: F.cross_entropy(x, target, label_smoothing=0.2), (LOGITS,))
    check_grads(lambda x, t: F.cross_entropy(x, t), (LOGITS, PROBABILITIES))


def test_cross_entropy_of_one_example_and_of_images():
    one = F.cross_entropy(LOGITS[1], np.array(3))
    np.testing.assert_allclose(one, closed_form(LOGITS, LABELS)[1])
    logits = RNG.standard_normal((2, 4, 3, 5))
    labels = RNG.integers(0, 4, (2, 3, 5))
    np.testing.assert_allclose(
        F.cross_entropy(logits, labels, "none"), closed_form(logits, labels), rtol=1e-12
    )


def test_cross_entropy_does_not_overflow():
    logits = np.array([[1e4, 0.0], [0.0, -1e4]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert F.cross_entropy(logits, np.array([0, 0])) == 0
        assert F.cross_entropy(logits, np.array([1, 0])) == 5000
        gradient = ga.grad(lambda x: F.cross_entropy(x, np.array([1, 1])))(logits)
    np.testing.assert_array_equal(gradient, [[0.5, -0.5], [0.5, -0.5]])


def test_a_class_that_is_ruled_out_adds_nothing():
    logits = np.array([[1.0, -np.inf, 2.0]])
    target = np.array([[0.25, 0.0, 0.75]])
    expected = -(target[0, [0, 2]] * special.log_softmax([1.0, 2.0])).sum()
    np.testing.assert_allclose(F.cross_entropy(logits, target), expected)
    assert np.isfinite(ga.grad(lambda x: F.cross_entropy(x, target))(logits)).all()


def test_float32_and_tensors():
    logits = ga.Tensor(LOGITS.astype(np.float32), requires_grad=True)
    loss = F.cross_entropy(logits, ga.Tensor(LABELS))
    assert type(loss) is ga.Tensor and loss.dtype == np.float32 and loss.shape == ()
    loss.backward()
    assert logits.grad.dtype == np.float32
    assert F.cross_entropy(logits, LABELS.tolist()).item() == loss.item()


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ([0, 4, 1, 1, 2], ValueError, r"1 of 5 labels .* the first is 4 at \[1\]\. .* in 0\.\.3"),
        ([0, 3, -1, 1, -100], ValueError, r"2 of 5 labels are out of range, the first is -1"),
        (LABELS[:, None], ga.ShapeError, r"labels of shape \(5, 1\) .* expected \(5,\)"),
        (LABELS[:4], ga.ShapeError, r"expected \(5,\)"),
        (PROBABILITIES[:, :3], ga.ShapeError, r"class probabilities of shape \(5, 3\)"),
        (LABELS.astype(float), ga.ShapeError, r"Labels are integers, not float64"),
        (LABELS > 1, TypeError, "not bool"),
    ],
)
def test_wrong_targets_are_refused(target, error, words):
    with pytest.raises(error, match=words):
        F.cross_entropy(LOGITS, target)
    with pytest.raises(error, match=words):
        F.cross_entropy(ga.Tensor(LOGITS, requires_grad=True), ga.Tensor(target))


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="reduction is 'mean', 'sum' or 'none', not 'avg'"):
        F.cross_entropy(LOGITS, LABELS, "avg")
    with pytest.raises(ValueError, match=r"label_smoothing is in 0\.\.1"):
        F.cross_entropy(LOGITS, LABELS, label_smoothing=1.5)
    with pytest.raises(ga.ShapeError, match="no axis of classes"):
        F.cross_entropy(1.0, 0)
    with pytest.raises(ga.ShapeError, match="no examples"):
        F.cross_entropy(np.ones((0, 3)), np.ones(0, int))


def test_labels_under_vmap():
    each = ga.vmap(F.cross_entropy)(LOGITS, LABELS)
    np.testing.assert_allclose(each, closed_form(LOGITS, LABELS), rtol=1e-12)
    gradients = ga.vmap(ga.grad(F.cross_entropy))(LOGITS, LABELS)
    np.testing.assert_allclose(
        gradients, special.softmax(LOGITS, axis=1) - np.eye(4)[LABELS], atol=1e-14
    )


def test_a_label_out_of_range_under_vmap_is_nan_and_not_another_class():
    for wrong in (-1, 4):
        each = ga.vmap(F.cross_entropy)(LOGITS, np.array([0, wrong, 1, 1, 2]))
        assert np.isnan(each).tolist() == [False, True, False, False, False]


def test_a_staged_loss():
    graph = ga.stage(F.cross_entropy, LOGITS, LABELS)
    np.testing.assert_allclose(graph(LOGITS, LABELS), closed_form(LOGITS, LABELS).mean())


# ----------------------------------------------------------------------------- the others


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_mse_loss(reduction):
    x, y = RNG.standard_normal((2, 3, 4))
    np.testing.assert_allclose(F.mse_loss(x, y, reduction), REDUCTIONS[reduction]((x - y) ** 2))
    check_grads(lambda x, y: F.mse_loss(x, y, reduction), (x, y))


@pytest.mark.parametrize(("x", "y"), [((3, 1), (3,)), ((3,), (3, 1)), ((2, 3), (3,)), ((), (1,))])
def test_mse_loss_does_not_broadcast(x, y):
    with pytest.raises(ga.ShapeError, match=r"mse_loss: the input has the shape .* must be equal"):
        F.mse_loss(np.ones(x), np.ones(y))


def test_mse_loss_refuses_no_examples_and_unknown_reductions():
    with pytest.raises(ga.ShapeError, match="no examples"):
        F.mse_loss(np.ones(0), np.ones(0))
    with pytest.raises(ValueError, match="not 'max'"):
        F.mse_loss(np.ones(1), np.ones(1), "max")


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (F.relu, lambda x: np.maximum(x, 0)),
        (F.tanh, np.tanh),
        (F.sigmoid, special.expit),
        (F.softmax, lambda x: special.softmax(x, axis=-1)),
        (F.log_softmax, lambda x: special.log_softmax(x, axis=-1)),
        (lambda x: F.softmax(x, 0), lambda x: special.softmax(x, axis=0)),
        (lambda x: F.log_softmax(x, dim=0), lambda x: special.log_softmax(x, axis=0)),
    ],
)
def test_functions(f, expected):
    np.testing.assert_allclose(f(LOGITS), expected(LOGITS), rtol=1e-12)
    assert f(LOGITS.astype(np.float32)).dtype == np.float32
    check_grads(f, (LOGITS,))
