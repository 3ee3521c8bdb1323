"""A module is a tree: it passes through tree functions and transforms whole."""

import numpy as np
import pytest

import gradarg as ga
from gradarg import nn
from gradarg.testing import check_grads

from .test_module import Block, Tied

X = np.array([[0.3, -0.7], [1.1, 0.4], [-0.2, 0.9]])


def loss(model, x=X):
    return np.mean(model(x) ** 2)


def arrays(model, dtype=float):
    """The model with plain arrays in place of parameters."""
    return ga.tree.map(lambda p: np.asarray(p.value, dtype), model)


def test_leaves_are_the_parameters_and_come_back_as_a_module():
    model = Block()
    leaves, structure = ga.tree.flatten(model)
    assert [id(leaf) for leaf in leaves] == [id(p) for p in model.parameters()]
    again = structure.unflatten(leaves)
    assert type(again) is Block and again.scale is model.scale and again.width == 2
    assert again.layers[2]["last"].weight is model.layers[2]["last"].weight
    assert again.layers is not model.layers and type(again.offsets) is tuple
    np.testing.assert_array_equal(again(X).value, model(X).value)


def test_unflatten_does_not_call_init():
    made = []

    class Counted(nn.Module):
        def __init__(self):
            made.append(1)
            self.w = nn.Parameter(1.0)

    ga.tree.map(lambda p: p, Counted())
    assert made == [1]


@pytest.mark.parametrize("leaf", [0, None, "axis", (1, 2), np.float32(3), ga.ShapeDtype((2,))])
def test_any_leaf_may_stand_in_for_a_parameter(leaf):
    model = Block()
    mapped = ga.tree.map(lambda p: leaf, model)
    assert mapped.scale is leaf and mapped.head[0].weight is leaf
    count = len(ga.tree.flatten(leaf)[0])
    assert len(ga.tree.flatten(mapped)[0]) == 8 * count
    if count == 1 and leaf is not None and not isinstance(leaf, tuple):
        assert ga.tree.flatten(mapped)[1] == ga.tree.flatten(model)[1]
        restored = ga.tree.map(lambda _, p: p, mapped, model)
        assert restored.scale is model.scale


def test_structures_compare_by_value():
    structures = {ga.tree.flatten(Block())[1] for _ in range(3)}
    assert len(structures) == 1
    wider, other, evaluated = Block(), Block(), Block().eval()
    wider.width = 3
    other.layers[1] = nn.ReLU()
    for different in (wider, other, evaluated):
        assert ga.tree.flatten(different)[1] not in structures


def test_constants_that_cannot_be_hashed_compare_by_identity():
    def model(table):
        m = nn.Linear(1, 1, rng=0)
        m.table = table
        return ga.tree.flatten(m)[1]

    table = np.arange(3)
    assert model(table) == model(table)
    assert model(table) != model(table.copy())
    assert model([1, 2]) == model([1, 2]) != model([1, 3])
    assert model({1, 2}) != model({1, 2})
    assert model(1) != model(True) and model(1) != model(1.0)


def test_no_parameter_of_a_module_inside_another_container_is_lost():
    tree = {"models": [nn.Linear(2, 1, rng=0), nn.Linear(1, 1, bias=False, rng=0)]}
    assert len(ga.tree.flatten(tree)[0]) == 3


# ------------------------------------------------------------------------------ sharing


def test_a_shared_parameter_is_one_leaf_with_the_whole_gradient():
    model, x = Tied(), np.array([0.2, -0.5, 0.9])
    assert len(ga.tree.flatten(model)[0]) == 1
    gradient = ga.grad(lambda m: np.sum(m(x) ** 2))(arrays(model))
    assert gradient.there.weight is gradient.back.weight
    w = np.asarray(model.there.weight.value, float)
    expected = ga.grad(lambda w: np.sum((w @ np.tanh(w @ x)) ** 2))(w)
    np.testing.assert_allclose(gradient.there.weight, expected, rtol=1e-12)


def test_sharing_survives_mapping_and_regrouping():
    mapped = arrays(Tied())
    assert mapped.back.weight is mapped.there.weight
    assert len(ga.tree.flatten(mapped)[0]) == 1
    regrouped = nn.Sequential(mapped.back, mapped.there)
    assert len(ga.tree.flatten(regrouped)[0]) == 1


def test_equal_leaves_of_different_parameters_are_not_shared():
    zero = np.zeros(())
    mapped = ga.tree.map(lambda p: zero, Block())
    assert len(ga.tree.flatten(mapped)[0]) == 8
    one, other = arrays(nn.Linear(1, 1)), arrays(nn.Linear(1, 1))
    one.weight = other.weight = zero
    assert len(ga.tree.flatten(nn.Sequential(one, other))[0]) == 4


def test_a_leaf_replaced_by_hand_is_no_longer_shared():
    mapped = arrays(Tied())
    mapped.back.weight = np.eye(3)
    assert len(ga.tree.flatten(mapped)[0]) == 2


# --------------------------------------------------------------------------- transforms


def test_grad_returns_a_module_of_gradients():
    model = Block()
    gradient = ga.grad(loss)(arrays(model))
    assert type(gradient) is Block
    assert all(type(g) is np.ndarray or g.ndim == 0 for g in gradient.parameters())
    loss(model).backward()
    for (name, p), g in zip(model.named_parameters(), gradient.parameters()):
        np.testing.assert_allclose(g, p.grad.value, rtol=1e-5, atol=1e-7, err_msg=name)


def test_grad_of_a_module_of_parameters():
    model = Block()
    with ga.no_grad():
        gradient = ga.grad(loss)(model)
    loss(model).backward()
    for p, g in zip(model.parameters(), gradient.parameters()):
        assert isinstance(g, ga.Tensor) and not g.requires_grad
        np.testing.assert_allclose(g.value, p.grad.value, rtol=1e-6)


def test_gradients_agree_with_differences():
    check_grads(loss, (arrays(Block()),), order=2)


def test_jvp_and_jacobian_over_a_module():
    model = arrays(nn.Linear(2, 3, rng=0))
    x = X[0]
    jacobian = ga.jacobian(lambda m: m(x))(model)
    assert type(jacobian) is nn.Linear
    np.testing.assert_allclose(jacobian.bias, np.eye(3))
    np.testing.assert_allclose(jacobian.weight, np.einsum("ij,k->ijk", np.eye(3), x))
    _, tangent = ga.jvp(lambda m: m(x), (model,), (model,))
    np.testing.assert_allclose(tangent, model(x))


def test_vmap_over_stacked_models_is_a_loop_over_them():
    models = [arrays(Block()) for _ in range(3)]
    for i, model in enumerate(models):
        model.layers[0].weight = model.layers[0].weight + i
    stacked = ga.tree.map(lambda *leaves: np.stack(leaves), *models)
    together = ga.vmap(lambda m, x: m(x), in_axes=(0, None))(stacked, X)
    np.testing.assert_allclose(together, np.stack([m(X) for m in models]), rtol=1e-12)
    gradients = ga.vmap(ga.grad(loss), in_axes=(0, None))(stacked, X)
    for i, model in enumerate(models):
        expected = ga.grad(loss)(model)
        for g, e in zip(gradients.parameters(), expected.parameters()):
            np.testing.assert_allclose(g[i], e, rtol=1e-10, atol=1e-14)


def test_vmap_takes_axes_as_a_module():
    model = arrays(nn.Linear(2, 3, rng=0))
    stacked = ga.tree.map(lambda p: np.stack([p, 2 * p], axis=-1), model)
    axes = ga.tree.map(lambda p: -1, model)
    out = ga.vmap(lambda m: m(X[0]), in_axes=(axes,))(stacked)
    np.testing.assert_allclose(out, [model(X[0]), 2 * model(X[0])])


def test_per_example_gradients():
    model = arrays(nn.Linear(2, 1, rng=0))
    each = ga.vmap(ga.grad(loss), in_axes=(None, 0))(model, X)
    expected = [2 * model(x) * x for x in X]
    np.testing.assert_allclose(each.weight[:, 0], expected, rtol=1e-12)


def test_a_staged_module():
    model = arrays(Block())
    graph = ga.stage(lambda m, x: m(x), model, X)
    assert len(graph.inputs) == 9
    np.testing.assert_allclose(graph(model, X), model(X), rtol=1e-12)
