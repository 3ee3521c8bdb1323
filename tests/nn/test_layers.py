"""Layers against their formulas."""

import importlib.util

import numpy as np
import pytest

import gradarg as ga
from gradarg import nn, random
from gradarg.testing import check_grads


def test_linear_is_x_wt_plus_b():
    layer = nn.Linear(3, 2, dtype=float, rng=0)
    w, b = layer.weight.value, layer.bias.value
    assert w.shape == (2, 3) and b.shape == (2,)
    for shape in [(3,), (5, 3), (4, 5, 3), (0, 3)]:
        x = np.random.default_rng(1).standard_normal(shape)
        np.testing.assert_allclose(layer(x).detach(), x @ w.T + b, rtol=1e-14)


def test_linear_without_bias():
    layer = nn.Linear(3, 2, bias=False, rng=0)
    assert layer.bias is None and list(layer.state_dict()) == ["weight"]
    np.testing.assert_array_equal(layer(np.eye(3)).value, layer.weight.value.T)


def test_gradients_of_linear():
    x = np.random.default_rng(0).standard_normal((4, 3))
    check_grads(lambda x, w, b: np.sin(nn.functional.linear(x, w, b)), (x, x[:2] + 1, x[0, :2]))


def test_float32_stays_float32():
    layer = nn.Linear(3, 2, rng=0)
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    y = layer(np.ones((5, 3), np.float32))
    assert y.dtype == np.float32
    np.sum(y).backward()
    assert layer.weight.grad.dtype == np.float32
    assert nn.Linear(3, 2, dtype=np.float64).weight.dtype == np.float64
    assert layer(np.ones((5, 3), np.uint8)).dtype == np.float32


def test_linear_starts_uniform_within_one_over_root_of_the_inputs():
    layer = nn.Linear(100, 400, dtype=float, rng=0)
    for p in (layer.weight.value, layer.bias.value):
        assert np.abs(p).max() <= 0.1
        assert abs(p).max() > 0.09 and abs(p.mean()) < 0.01
        assert p.std() == pytest.approx(0.2 / np.sqrt(12), rel=0.1)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((5, 4), r"\(5, 4\) has a last axis of 4, but the weight of shape \(2, 3\) takes 3"),
        ((), r"shape \(\) has no axis"),
    ],
)
def test_linear_names_the_axes_that_do_not_fit(shape, words):
    with pytest.raises(ga.ShapeError, match=words):
        nn.Linear(3, 2)(np.ones(shape))


def test_linear_refuses_a_stack_of_weights_and_a_wrong_bias():
    with pytest.raises(ga.ShapeError, match=r"ga\.vmap"):
        nn.functional.linear(np.ones(3), np.ones((5, 2, 3)))
    with pytest.raises(ga.ShapeError, match=r"bias of shape \(3,\) should have the shape \(2,\)"):
        nn.functional.linear(np.ones(3), np.ones((2, 3)), np.ones(3))


@pytest.mark.parametrize("size", [0, -1, 2.5, "3", None])
def test_linear_refuses_sizes_that_are_none(size):
    with pytest.raises(ga.ShapeError, match="in_features is an integer, 1 or more"):
        nn.Linear(size, 2)
    with pytest.raises(ga.ShapeError, match="out_features is an integer, 1 or more"):
        nn.Linear(2, size)


def test_activations():
    x = np.array([[-1e4, -0.5, 0.0, 0.5, 1e4]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_array_equal(nn.ReLU()(x), np.maximum(x, 0))
        np.testing.assert_allclose(nn.Tanh()(x), np.tanh(x))
        np.testing.assert_allclose(
            nn.Sigmoid()(x)[0], [0, 1 / (1 + np.exp(0.5)), 0.5, 1 / (1 + np.exp(-0.5)), 1]
        )
    slope = ga.grad(lambda x: np.sum(nn.ReLU()(x)))(x)
    np.testing.assert_array_equal(slope, [[0, 0, 0, 1, 1]])


def test_flatten():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(nn.Flatten()(x), x.reshape(2, 12))
    np.testing.assert_array_equal(nn.Flatten(0, 1)(x), x.reshape(6, 4))
    np.testing.assert_array_equal(nn.Flatten(-2, -1)(x), x.reshape(2, 12))
    np.testing.assert_array_equal(nn.Flatten(1, 1)(x), x)
    assert nn.Flatten()(np.zeros((0, 3, 4))).shape == (0, 12)
    for start, end in [(3, -1), (1, 3), (2, 1), (-4, 2)]:
        with pytest.raises(ga.ShapeError, match=r"flatten: an input of shape \(2, 3, 4\)"):
            nn.Flatten(start, end)(x)


def test_layers_take_lists_and_arrays_and_give_arrays_without_parameters():
    assert type(nn.ReLU()([1.0])) is np.ndarray
    assert type(nn.ReLU()(ga.Tensor([1.0]))) is ga.Tensor
    assert type(nn.Linear(1, 1)([1.0])) is ga.Tensor


# ---------------------------------------------------------------------------- sequential


def test_sequential():
    net = nn.Sequential(nn.Linear(4, 3, rng=0), nn.ReLU(), nn.Linear(3, 2, rng=1))
    x = np.random.default_rng(0).standard_normal((5, 4))
    first, _, last = net
    np.testing.assert_array_equal(net(x).value, last(nn.ReLU()(first(x))).value)
    assert len(net) == 3 and net[-1] is last and net[0] is first
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert list(net[1:].state_dict()) == ["1.weight", "1.bias"] and net[1:][1] is last
    with pytest.raises(IndexError, match="no part 3; there are 3"):
        net[3]


def test_sequential_of_named_parts():
    net = nn.Sequential({"first": nn.Linear(2, 2), "act": nn.ReLU()})
    assert list(net.state_dict()) == ["first.weight", "first.bias"]
    assert net.act is net[1]


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(TypeError, match=r"part 1 is <ufunc 'tanh'>, not a Module"):
        nn.Sequential(nn.ReLU(), np.tanh)
    for name in ("", "a.b", "forward"):
        with pytest.raises(ValueError, match="cannot have the name"):
            nn.Sequential({name: nn.ReLU()})


# -------------------------------------------------------------------------------- random


def test_a_seed_makes_layers_equal():
    def weights():
        return nn.Linear(3, 2).weight.value

    random.seed(5)
    one = weights()
    other = weights()
    random.seed(5)
    np.testing.assert_array_equal(one, weights())
    assert (one != other).all()
    np.testing.assert_array_equal(
        nn.Linear(3, 2, rng=5).weight.value,
        nn.Linear(3, 2, rng=np.random.default_rng(5)).weight.value,
    )


@pytest.mark.parametrize("bad", [-1, 1.5, "0", True, [1, 2]])
def test_what_is_no_seed_is_refused(bad):
    with pytest.raises(ValueError, match="A seed is an integer, 0 or more"):
        random.seed(bad)
    with pytest.raises(ValueError, match="A seed is an integer, 0 or more"):
        nn.Linear(1, 1, rng=bad)


# --------------------------------------------------------------------------- beside PyTorch


def torch_twin(net):
    """A network's twin in PyTorch with the same weights, or None where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    twin = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(12, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
    )
    twin.load_state_dict({k: torch.from_numpy(v) for k, v in net.state_dict().items()})
    return twin


def test_names_shapes_and_values_are_those_of_pytorch():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 5, rng=0), nn.Tanh(), nn.Linear(5, 3, rng=1))
    assert {k: v.shape for k, v in net.state_dict().items()} == {
        "1.weight": (5, 12),
        "1.bias": (5,),
        "3.weight": (3, 5),
        "3.bias": (3,),
    }
    x = np.random.default_rng(0).standard_normal((4, 3, 4)).astype(np.float32)
    w = list(net.state_dict().values())
    expected = np.tanh(x.reshape(4, 12) @ w[0].T + w[1]) @ w[2].T + w[3]
    np.testing.assert_allclose(net(x).value, expected, rtol=1e-6)
    if (twin := torch_twin(net)) is not None:
        import torch

        np.testing.assert_allclose(net(x).value, twin(torch.from_numpy(x)).detach(), rtol=1e-5)
        assert repr(net) == repr(twin)
        net.load_state_dict(twin.state_dict())
