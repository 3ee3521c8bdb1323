"""Weights on disk."""

import importlib.util
import sys

import numpy as np
import pytest

from gradarg import nn, train

MODEL = nn.Sequential(nn.Linear(3, 2, rng=0), nn.Linear(2, 1, dtype=np.float64, rng=1))


def test_weights_come_back(tmp_path):
    state = MODEL.state_dict()
    train.save_weights(tmp_path / "w.safetensors", state)
    loaded = train.load_weights(tmp_path / "w.safetensors")
    assert sorted(loaded) == sorted(state)
    for name, value in state.items():
        assert loaded[name].dtype == value.dtype
        np.testing.assert_array_equal(loaded[name], value)


@pytest.mark.parametrize(
    "value",
    [np.arange(6.0).reshape(2, 3).T, np.arange(9.0)[::2], np.arange(4)[::-1], np.array(2.5)],
)
def test_arrays_of_any_strides_are_saved_right(tmp_path, value):
    train.save_weights(tmp_path / "w.safetensors", {"w": value})
    np.testing.assert_array_equal(train.load_weights(tmp_path / "w.safetensors")["w"], value)


def test_pytorch_reads_the_weights(tmp_path):
    path = tmp_path / "w.safetensors"
    train.save_weights(path, MODEL.state_dict())
    if importlib.util.find_spec("torch") is not None:
        import torch
        from safetensors.torch import load_file

        twin = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1).double())
        twin.load_state_dict(load_file(path))
        np.testing.assert_array_equal(twin[0].weight.detach().numpy(), MODEL[0].weight.value)


def test_a_missing_library_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r'pip install "gradarg\[train\]"'):
        train.save_weights(tmp_path / "w.safetensors", {})
    with pytest.raises(ImportError, match=r'pip install "gradarg\[train\]"'):
        train.load_weights(tmp_path / "w.safetensors")
