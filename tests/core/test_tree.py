"""Trees: containers taken apart into leaves and put together again."""

import dataclasses
import pickle
from collections import namedtuple
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradarg as ga
from gradarg import tree

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class Layer:
    w: Any
    b: Any = None
    count: ClassVar[int] = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    a: Any
    b: Any


@dataclasses.dataclass
class Wide(Layer):
    gain: Any = 1.0
    half: Any = dataclasses.field(init=False, default=0.5)


class Interval:
    def __init__(self, low, high, name="i"):
        if low > high:
            raise ValueError("the wrong way round")
        self.low, self.high, self.name = low, high, name


tree.register(
    Interval,
    lambda i: ((i.low, i.high), i.name),
    lambda name, children: _interval(name, *children),
)


def _interval(name, low, high):
    new = object.__new__(Interval)
    new.low, new.high, new.name = low, high, name
    return new


EXAMPLES = [
    (1, [1], "*"),
    (None, [], "None"),
    ([], [], "[]"),
    ((), [], "()"),
    ({}, [], "{}"),
    ((1,), [1], "(*,)"),
    ([1, (2, 3), [4]], [1, 2, 3, 4], "[*, (*, *), [*]]"),
    ({"w": 1, "b": None}, [1], "{'b': None, 'w': *}"),
    ({"b": 1, "a": [2, None, 3]}, [2, 3, 1], "{'a': [*, None, *], 'b': *}"),
    ({2: "two", 1: "one"}, ["one", "two"], "{1: *, 2: *}"),
    ({"b": 1, 2: 3}, [1, 3], "{'b': *, 2: *}"),
    (Point(1, Point(2, 3)), [1, 2, 3], "Point(*, Point(*, *))"),
    (Layer([1, 2], 3), [1, 2, 3], "Layer([*, *], *)"),
    (Layer(1), [1], "Layer(*, None)"),
    (Frozen(1, {"k": 2}), [1, 2], "Frozen(*, {'k': *})"),
    (Wide(1, 2, 3), [1, 2, 3, 0.5], "Wide(*, *, *, *)"),
    ("text", ["text"], "*"),
]


@pytest.mark.parametrize(("value", "leaves", "shown"), EXAMPLES, ids=[e[2] for e in EXAMPLES])
def test_flatten_and_unflatten(value, leaves, shown):
    found, structure = tree.flatten(value)
    assert found == leaves and str(structure) == shown and structure.count == len(leaves)
    again = structure.unflatten(found)
    assert again == value and type(again) is type(value)
    assert tree.flatten(again)[1] == structure and hash(tree.flatten(again)[1]) == hash(structure)
    assert pickle.loads(pickle.dumps(structure)) == structure


def test_what_is_not_a_known_container_is_a_leaf():
    for leaf in (
        {1, 2},
        frozenset(),
        range(3),
        np.zeros(3),
        ga.Tensor([1.0]),
        "ab",
        object(),
        Layer,
    ):
        assert tree.flatten(leaf)[0][0] is leaf


def test_registered_class():
    leaves, structure = tree.flatten([Interval(1, 2, "p"), Interval(3, 4, "q")])
    assert leaves == [1, 2, 3, 4]
    first, second = structure.unflatten([2, 1, 0, 0])  # an order that __init__ would refuse
    assert (first.low, first.high, first.name, second.name) == (2, 1, "p", "q")
    assert tree.flatten([Interval(1, 2, "p"), Interval(3, 4, "r")])[1] != structure


def test_a_rebuilt_dataclass_does_not_run_its_init():
    made = []

    @dataclasses.dataclass
    class Loud:
        a: Any

        def __post_init__(self):
            made.append(self)

    leaves, structure = tree.flatten(Loud(1))
    assert structure.unflatten([5]).a == 5 and leaves == [1] and len(made) == 1


def test_flattening_does_not_touch_the_tree_and_rebuilding_shares_no_container():
    value = {"b": [1, 2], "a": (3,)}
    leaves, structure = tree.flatten(value)
    again = structure.unflatten(leaves)
    again["b"].append(9)
    again["c"] = 1
    assert value == {"b": [1, 2], "a": (3,)} and list(value) == ["b", "a"]


def test_structures_tell_containers_keys_and_counts_apart():
    values = [[1], (1,), {"a": 1}, {"b": 1}, [1, 2], [[1]], 1, None, [None], Point(1, 2), (1, 2)]
    structures = {tree.flatten(v)[1] for v in values}
    assert len(structures) == len(values)
    assert tree.flatten({"a": 1, "b": 2})[1] == tree.flatten({"b": 3, "a": 4})[1]


def test_map():
    params = {"w": [1.0, 2.0], "b": None, "p": Point(3.0, 4.0)}
    grads = {"p": Point(10.0, 20.0), "w": [30.0, 40.0], "b": None}
    moved = tree.map(lambda p, g: p + g, params, grads)
    assert moved == {"w": [31.0, 42.0], "b": None, "p": Point(13.0, 24.0)}
    assert tree.map(lambda x: None, [1, 2]) == [None, None]


def test_errors_quote_both_structures():
    with pytest.raises(ga.TreeError, match=r"\[\*, \*\].*\[\*\].*expected"):
        tree.map(max, [1], [1, 2])
    with pytest.raises(ga.TreeError, match=r"\{'a': \*\}"):
        tree.map(max, {"a": 1}, {"b": 1})
    structure = tree.flatten([1, 2])[1]
    for leaves in ([1], [1, 2, 3]):
        with pytest.raises(ga.TreeError, match=rf"\[\*, \*\] holds 2 leaves, but {len(leaves)}"):
            structure.unflatten(leaves)


def test_unflatten_takes_any_iterable():
    assert tree.flatten([1, 2])[1].unflatten(k for k in (5, 6)) == [5, 6]


TREES = st.recursive(
    st.none() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3)
        | st.builds(Point, inner, inner)
        | st.builds(Layer, inner, inner)
    ),
    max_leaves=10,
)


@given(TREES)
def test_any_tree_survives(value):
    leaves, structure = tree.flatten(value)
    assert structure.unflatten(leaves) == value
    assert tree.map(lambda x: x, value) == value
    assert tree.flatten(tree.map(lambda x: -x, value))[0] == [-x for x in leaves]


@given(TREES)
def test_gradients_have_the_form_of_their_argument(value):
    """sum of k * leaf**2 over leaves, whose derivative is 2 k leaf."""
    floats = tree.map(lambda x: float(x % 7), value)
    leaves = tree.flatten(floats)[0]
    weights = range(1, len(leaves) + 1)

    def f(p):
        return sum((k * x * x for k, x in zip(weights, tree.flatten(p)[0], strict=True)), 0.0)

    expected = tree.flatten(floats)[1].unflatten(
        [2 * k * x for k, x in zip(weights, leaves, strict=True)]
    )
    assert ga.grad(f)(floats) == expected
    tangents = tree.map(lambda x: 1.0, floats)
    assert ga.jvp(f, (floats,), (tangents,))[1] == sum(tree.flatten(expected)[0])
    assert ga.vjp(f, floats)[1](1.0) == (expected,)
    assert ga.stage(ga.grad(f), floats)(floats) == expected
