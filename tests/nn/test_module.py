"""Modules: what is found in them, names, saving and loading, modes, how they look."""

import copy
import pickle
import re

import numpy as np
import pytest

import gradarg as ga
from gradarg import nn


class Block(nn.Module):
    def __init__(self):
        self.scale = nn.Parameter(np.array([1.0, 2.0]))
        self.width = 2
        self.layers = [nn.Linear(2, 3, rng=0), nn.Tanh(), {"last": nn.Linear(3, 2, rng=1)}]
        self.head = nn.Sequential(nn.Linear(2, 1, bias=False, rng=2))
        self.offsets = (nn.Parameter(0.5), nn.Parameter(0.25))

    def forward(self, x):
        x = x * self.scale
        x = self.layers[2]["last"](self.layers[1](self.layers[0](x)))
        return self.head(x) + self.offsets[0] - self.offsets[1]


NAMES = [
    "scale",
    "layers.0.weight",
    "layers.0.bias",
    "layers.2.last.weight",
    "layers.2.last.bias",
    "head.0.weight",
    "offsets.0",
    "offsets.1",
]


class Tied(nn.Module):
    """The same weight there and back."""

    def __init__(self):
        self.there = nn.Linear(3, 3, bias=False, rng=0)
        self.back = nn.Linear(3, 3, bias=False, rng=1)
        self.back.weight = self.there.weight

    def forward(self, x):
        return self.back(np.tanh(self.there(x)))


# ------------------------------------------------------------------------------- parameters


def test_a_parameter_is_a_tensor_that_requires_grad():
    p = nn.Parameter([1.0, 2.0])
    assert isinstance(p, ga.Tensor) and p.requires_grad and p.is_leaf
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad
    assert nn.Parameter([1.0], dtype=np.float32).dtype == np.float32
    assert repr(p) == "Parameter([1., 2.], requires_grad=True)"


def test_results_of_operations_are_plain_tensors():
    p = nn.Parameter([1.0, 2.0])
    for result in (p + 1, np.sin(p), p[0], p.detach(), p.T):
        assert type(result) is ga.Tensor


def test_parameters_are_found_in_order_of_definition():
    model = Block()
    assert [name for name, _ in model.named_parameters()] == NAMES
    parameters = list(model.parameters())
    assert [id(p) for _, p in model.named_parameters()] == [id(p) for p in parameters]
    assert parameters[0] is model.scale and parameters[3] is model.layers[2]["last"].weight


def test_modules_and_children_are_found_in_lists_and_dicts():
    model = Block()
    assert [name for name, _ in model.named_children()] == [
        "layers.0",
        "layers.1",
        "layers.2.last",
        "head",
    ]
    assert [name for name, _ in model.named_modules()] == [
        "",
        "layers.0",
        "layers.1",
        "layers.2.last",
        "head",
        "head.0",
    ]
    assert next(model.modules()) is model
    assert list(model.children())[3] is model.head


def test_what_is_added_later_to_a_list_is_found():
    model = Block()
    model.layers.append(nn.Linear(1, 1, bias=False))
    assert "layers.3.weight" in dict(model.named_parameters())


def test_a_removed_parameter_is_gone():
    layer = nn.Linear(2, 1)
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert layer(np.ones(2)).shape == (1,)


def test_a_shared_parameter_is_one_parameter_of_two_names():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["there.weight"]
    assert list(model.state_dict()) == ["there.weight", "back.weight"]


def test_a_shared_module_is_visited_once():
    relu = nn.ReLU()
    model = nn.Sequential(relu, nn.Sequential(relu))
    assert [name for name, _ in model.named_modules()] == ["", "0", "1"]


# --------------------------------------------------------------- mistakes with attributes


def test_a_parameter_is_not_overwritten_by_an_array():
    layer = nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"Linear\.weight is a Parameter.*\.weight\.value = "):
        layer.weight = np.zeros((1, 2))
    assert isinstance(layer.weight, nn.Parameter)


def test_a_tensor_that_requires_grad_must_be_a_parameter():
    model = nn.Module()
    with pytest.raises(TypeError, match=r"Make it an nn\.Parameter"):
        model.w = ga.Tensor([1.0], requires_grad=True)
    model.constant = ga.Tensor([1.0])  # is none
    assert list(model.parameters()) == []


def test_parameters_in_other_containers_are_refused():
    pair = __import__("collections").namedtuple("Pair", "a b")
    with pytest.raises(TypeError, match="but not in Pair"):
        nn.Module().pair = pair(nn.Parameter(1.0), 2)
    nn.Module().pair = pair(1, 2)


def test_a_module_that_holds_itself_is_refused():
    model = nn.Sequential(nn.Linear(1, 1))
    model[0].parent = model
    with pytest.raises(ga.TreeError, match="Sequential > Linear"):
        list(model.parameters())


def test_two_parameters_of_one_name_are_refused():
    model = nn.Module()
    model.parts = {"a": {"b": nn.Parameter(1.0)}, "a.b": nn.Parameter(2.0)}
    with pytest.raises(ga.TreeError, match=r"the name 'parts\.a\.b'"):
        model.state_dict()


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty has no forward"):
        Empty()(1.0)


# ------------------------------------------------------------------------- saving, loading


def test_state_dict_holds_contiguous_copies():
    model = Block()
    model.scale.value = [5.0, 6.0]
    model.layers[0].weight.value = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    state = model.state_dict()
    assert list(state) == NAMES
    assert {name: v.shape for name, v in state.items()}["layers.0.weight"] == (3, 2)
    assert state["layers.0.weight"].dtype == np.float32
    for value in state.values():
        assert type(value) is np.ndarray and value.flags.c_contiguous and value.flags.writeable
    state["scale"][:] = 0
    assert model.scale.value.tolist() == [5.0, 6.0]


def test_state_dict_round_trip():
    one, other = Block(), Block()
    for p in one.parameters():
        p.value = p.value + 0.125
    x = np.array([[0.3, -0.7]])
    assert one(x).item() != other(x).item()
    report = other.load_state_dict(one.state_dict())
    assert report == nn.LoadReport([], [])
    assert one(x).item() == other(x).item()
    one.scale.value = [9.0, 9.0]
    assert other.scale.value.tolist() == [1.125, 2.125]


def test_loading_reports_all_that_is_wrong_and_changes_nothing():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = model.state_dict()
    state = {
        "0.weight": np.ones((3, 2)),
        "0.bias": np.ones(4),
        "1.weight": np.ones((1, 3), complex),
        "2.bias": np.ones(1),
    }
    with pytest.raises(ga.TreeError) as caught:
        model.load_state_dict(state)
    message = str(caught.value)
    assert "missing: 1.bias" in message and "unexpected: 2.bias" in message
    assert "0.bias: shape (4,), but the parameter has (3,)" in message
    assert "1.weight: complex128, but the parameter holds float32" in message
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_loading_loosely_reports_names_but_not_wrong_shapes():
    model = nn.Linear(2, 1)
    report = model.load_state_dict({"weight": [[1, 2]], "more": 0}, strict=False)
    assert report == (["bias"], ["more"])
    assert model.weight.value.tolist() == [[1.0, 2.0]] and model.weight.dtype == np.float32
    with pytest.raises(ga.TreeError, match="shape"):
        model.load_state_dict({"weight": [1, 2]}, strict=False)


def test_loading_into_a_mapped_module_is_refused():
    arrays = ga.tree.map(lambda p: p.value, nn.Linear(2, 1))
    with pytest.raises(TypeError, match="weight is ndarray, not a parameter"):
        arrays.load_state_dict(arrays.state_dict())


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_independent(again):
    model = Tied().eval()
    twin = again(model)
    assert twin.back.weight is twin.there.weight and not twin.training
    np.testing.assert_array_equal(twin.there.weight.value, model.there.weight.value)
    twin.there.weight.value = np.zeros((3, 3))
    assert model.there.weight.value.any()


# ------------------------------------------------------------------- modes, grads, repr


def test_train_and_eval_reach_every_module():
    model = Block()
    assert all(m.training for m in model.modules())
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    model.head.train()
    assert [m.training for m in model.modules()] == [False, False, False, False, True, True]


def test_zero_grad():
    model = Block()
    model.offsets[1].requires_grad = False
    np.sum(model(np.array([[0.3, -0.7]]))).backward()
    assert sum(p.grad is not None for p in model.parameters()) == 7
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_repr_is_a_tree():
    expected = """
    Block(
      (layers.0): Linear(in_features=2, out_features=3, bias=True)
      (layers.1): Tanh()
      (layers.2.last): Linear(in_features=3, out_features=2, bias=True)
      (head): Sequential(
        (0): Linear(in_features=2, out_features=1, bias=False)
      )
    )"""
    assert repr(Block()) == re.sub(r"^    ", "", expected, flags=re.M).strip()
    assert repr(nn.Flatten(0)) == "Flatten(start_dim=0, end_dim=-1)"
    assert repr(nn.Sequential()) == "Sequential()"


def test_repr_shows_a_module_s_own_words_above_its_children():
    class Named(nn.Module):
        def __init__(self):
            self.act = nn.ReLU()

        def extra_repr(self):
            return "times=2"

    assert repr(Named()) == "Named(\n  times=2\n  (act): ReLU()\n)"
