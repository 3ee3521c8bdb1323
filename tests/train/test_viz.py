"""Pictures and drawings."""

import sys

import numpy as np
import pytest

import gradarg as ga
from gradarg import nn, train, viz

HISTORY = [train.Epoch(i, 1 / i, 1 - 0.5 / i, 1.1 / i, 1 - 0.6 / i, 0.1 * i) for i in range(1, 6)]


def pixels(path):
    from matplotlib.image import imread

    return imread(path)[..., :3]


def reddish(image):
    return (image[..., 0] > 0.6) & (image[..., 1] < 0.3) & (image[..., 2] < 0.4)


def test_learning_curves_show_two_lines_of_different_colours(tmp_path):
    viz.learning_curves(tmp_path / "c.png", HISTORY, "Five epochs")
    image = pixels(tmp_path / "c.png")
    assert image.shape[0] > 400 and image.shape[1] > 1000
    blue, vermilion = np.array([0x00, 0x72, 0xB2]) / 255, np.array([0xD5, 0x5E, 0x00]) / 255
    for colour in (blue, vermilion):
        close = (np.abs(image - colour) < 0.02).all(axis=-1)
        assert close[:, : image.shape[1] // 2].sum() > 200
        assert close[:, image.shape[1] // 2 :].sum() > 200


def test_learning_curves_of_a_single_epoch(tmp_path):
    viz.learning_curves(tmp_path / "c.png", HISTORY[:1], "One epoch")
    assert pixels(tmp_path / "c.png").std() > 0.05


def sheet(tmp_path, mistakes):
    labels = np.arange(40) % 10
    predictions = labels.copy()
    predictions[:mistakes] = (predictions[:mistakes] + 1) % 10
    images = np.random.default_rng(0).random((40, 8, 8))
    viz.digit_sheet(tmp_path / "d.png", images, labels, predictions)
    return pixels(tmp_path / "d.png")


def test_a_sheet_marks_every_mistake_in_red(tmp_path):
    none, some, more = (reddish(sheet(tmp_path, n)).sum() for n in (0, 1, 13))
    assert none == 0 and some > 700  # a frame, and words
    assert 12 < more / some < 14
    assert reddish(sheet(tmp_path, 40)).sum() > 30 * some


def test_pictures_name_the_library_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "gradarg\[train\]"'):
        viz.learning_curves(tmp_path / "c.png", HISTORY, "")
    with pytest.raises(ImportError, match=r'pip install "gradarg\[train\]"'):
        viz.digit_sheet(tmp_path / "d.png", np.ones((1, 8, 8)), np.ones(1), np.ones(1))


def test_a_drawing_has_a_node_for_each_input_and_operation():
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.Tanh())
    graph = ga.stage(lambda model, x: model(x) * 2.0 + np.arange(2.0), model, np.ones((4, 3)))
    names = [name for name, _ in model.named_parameters()]
    drawing = viz.dot(graph, names)
    for name in ("0.weight", "0.bias", "input 2"):
        assert f'"{name}\\n' in drawing
    for operation in ("transpose", "matmul", "add", "tanh", "multiply"):
        assert f'[label="{operation}\\n' in drawing
    assert '"2.0", shape=plaintext' in drawing and '"float64[2]", shape=plaintext' in drawing
    nodes = [line.split()[0] for line in drawing.splitlines() if "shape=" in line]
    edges = [line.strip(" ;").split(" -> ") for line in drawing.splitlines() if " -> " in line]
    assert len(nodes) == len(set(nodes)) == 3 + len(graph.equations) + 2 + 1
    assert {end for edge in edges for end in edge} == set(nodes)
    assert len(edges) == sum(len(e.inputs) for e in graph.equations) + 1


def test_a_drawing_quotes_what_would_end_its_strings():
    drawing = viz.dot(ga.stage(lambda x: x, np.ones(1)), ['say "x\\y"'])
    assert '"say \\"x\\\\y\\"\\nfloat64[1]"' in drawing
