"""Every name of the Python array API standard is there, and takes what the standard passes."""

import inspect

import array_api_compat
import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.array_api import make_strategies_namespace

import gradarg as ga
from tests.array_api.strict import names

FUNCTIONS = [*names(), *(f"linalg.{n}" for n in names(strict.linalg))]
FUNCTIONS += [f"fft.{n}" for n in names(strict.fft)]


def both(name):
    found, expected = ga, strict
    for part in name.split("."):
        found, expected = getattr(found, part), getattr(expected, part)
    return found, expected


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature(name):
    """Each argument can be passed as the standard passes it, and left out where it says so."""
    found, expected = both(name)
    ours = inspect.signature(found).parameters
    places = [p for p in ours.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    many = any(p.kind is p.VAR_POSITIONAL for p in ours.values())
    for i, (word, p) in enumerate(inspect.signature(expected).parameters.items()):
        if p.kind is p.VAR_POSITIONAL:
            assert many
            continue
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            assert i < len(places), f"{name} takes no argument at the place of {word}"
            if p.kind is p.POSITIONAL_OR_KEYWORD:
                assert places[i].name == word, f"{name} has {places[i].name} in the place of {word}"
            if p.default is not p.empty:
                assert places[i].default is not p.empty, f"{name} needs {word}"
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            assert word in ours, f"{name} knows no {word}="
            assert ours[word].kind is not p.POSITIONAL_ONLY, f"{name} knows no {word}="
            if p.default is not p.empty:
                assert ours[word].default is not p.empty, f"{name} needs {word}="


def test_clip_takes_its_bounds_as_the_standard_and_as_numpy():
    t = ga.asarray([1.0, 5.0, 9.0])
    calls = [ga.clip(t, 2.0, 6.0), ga.clip(t, 2.0, max=6.0), ga.clip(t, min=2.0, max=6.0)]
    calls += [np.clip(t, 2.0, 6.0), np.clip(t, a_min=2.0, a_max=6.0), t.clip(2.0, max=6.0)]
    for found in calls:
        np.testing.assert_array_equal(found.value, [2.0, 5.0, 6.0])


ATTRIBUTES = [n for n in dir(strict.asarray(0).__class__) if n not in (*dir(object), "__buffer__")]


@pytest.mark.parametrize("name", [n for n in ATTRIBUTES if n.startswith("__") or n[0] != "_"])
def test_array_attribute(name):
    assert hasattr(ga.Tensor, name)


@pytest.mark.parametrize("name", ["e", "inf", "nan", "newaxis", "pi"])
def test_constant(name):
    np.testing.assert_equal(getattr(ga, name), getattr(strict, name))


def test_namespace():
    t = ga.asarray([1.0, 2.0])
    assert t.__array_namespace__() is t.__array_namespace__(api_version="2024.12") is ga
    assert array_api_compat.array_namespace(t, ga.zeros(2)) is ga
    assert array_api_compat.is_array_api_obj(t) and array_api_compat.device(t) == "cpu"
    assert ga.__array_api_version__ >= "2024.12"
    with pytest.raises(ValueError, match=r"2099\.12"):
        t.__array_namespace__(api_version="2099.12")


def test_dtypes_are_found_by_equality_and_by_hash():
    for name in strict.__array_namespace_info__().dtypes():
        dtype = getattr(ga, name)
        assert ga.zeros(1, dtype=dtype).dtype == dtype and dtype in {dtype, ga.int8}
        assert ga.zeros(1, dtype=dtype).dtype in {dtype} and dtype == np.dtype(name)


KINDS = ["bool", "signed integer", "unsigned integer", "integral", "real floating"]
KINDS += ["complex floating", "numeric", ("bool", "integral"), None]


@pytest.mark.parametrize("kind", KINDS)
def test_info(kind):
    found, expected = ga.__array_namespace_info__(), strict.__array_namespace_info__()
    assert set(found.dtypes(kind=kind)) == set(expected.dtypes(kind=kind))
    for name, dtype in found.dtypes(kind=kind).items():
        assert dtype == getattr(ga, name)
        assert all(ga.isdtype(dtype, k) for k in (kind,) if k is not None)
    with pytest.raises(ValueError, match="none of"):
        found.dtypes(kind="quaternion")


def test_info_of_defaults():
    info = ga.__array_namespace_info__()
    assert info.default_device() in info.devices() == ["cpu"]
    assert info.capabilities()["boolean indexing"] is True
    assert info.capabilities()["data-dependent shapes"] is True
    defaults = info.default_dtypes(device="cpu")
    made = {"real floating": 1.0, "complex floating": 1j, "integral": 1}
    for kind, number in made.items():
        assert ga.asarray(number).dtype == defaults[kind]
    assert ga.argmax(ga.zeros(2)).dtype == defaults["indexing"]
    with pytest.raises(ValueError, match="gpu"):
        info.default_dtypes(device="gpu")


XPS = make_strategies_namespace(ga)


@settings(max_examples=settings().max_examples // 2)
@given(x=XPS.arrays(XPS.scalar_dtypes(), XPS.array_shapes(min_dims=0)), data=st.data())
def test_hypothesis_draws_tensors(x, data):
    """Its strategies for the standard, which the public suite draws from, use the namespace."""
    assert isinstance(x, ga.Tensor)
    index = data.draw(XPS.indices(x.shape, allow_newaxis=True))
    np.testing.assert_array_equal(x[index].value, x.value[index])


@pytest.mark.parametrize("name", ["float32", "float64", "complex64", "complex128"])
def test_finfo(name):
    dtype = getattr(ga, name)
    for known in (dtype, ga.zeros(2, dtype)):
        found, expected = ga.finfo(known), np.finfo(name)
        assert found.dtype == expected.dtype and found.bits == expected.bits
        for word in ("eps", "max", "min", "smallest_normal"):
            assert type(getattr(found, word)) is float
            assert getattr(found, word) == float(getattr(expected, word))


def test_iinfo():
    for name in ("int8", "int64", "uint8", "uint64"):
        found, expected = ga.iinfo(ga.zeros(2, name)), np.iinfo(name)
        assert (found.bits, found.min, found.max) == (expected.bits, expected.min, expected.max)
        assert found.dtype == name and type(found.max) is int


def test_promotion():
    for a in strict.__array_namespace_info__().dtypes():
        for b in strict.__array_namespace_info__().dtypes():
            try:
                expected = strict.result_type(getattr(strict, a), getattr(strict, b))
            except TypeError:
                continue
            assert ga.result_type(getattr(ga, a), ga.zeros(2, b)) == expected._np_dtype
            cast = strict.can_cast(getattr(strict, a), getattr(strict, b))
            assert ga.can_cast(ga.zeros(2, a), getattr(ga, b)) == cast
    assert ga.result_type(ga.float32, 1.0) == ga.result_type(1, ga.zeros(2, "float32")) == "float32"
    assert np.result_type(ga.zeros(2, "float32"), np.int8) == np.float32
    assert np.can_cast(ga.zeros(2, "float64"), "float32") is False
