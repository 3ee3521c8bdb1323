"""Computational graphs as drawings for Graphviz."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradarg as ga

__all__ = ["dot"]


def dot(graph: ga.Graph, names: Sequence[str] = ()) -> str:
    r"""A staged graph in Graphviz's language DOT, for `dot -Tsvg graph.dot -o graph.svg`.

    Ellipses are inputs, with their `names` where given (in the order of `graph.inputs`); boxes are
    operations, with their parameters and the shape of what they compute; grey ones are constants.

    >>> import numpy as np
    >>> graph = ga.stage(lambda w: 2.0 * np.tanh(w), np.ones(3))
    >>> print(dot(graph, ["w"]))
    digraph "<lambda>" {
      rankdir=LR;
      node [fontname="Helvetica", fontsize=11, style=filled, fillcolor=white];
      v0 [label="w\nfloat64[3]", shape=ellipse, fillcolor="#cfe8f7"];
      v1 [label="tanh\nfloat64[3]", shape=box];
      v0 -> v1;
      v2 [label="multiply\nfloat64[3]", shape=box];
      v1 -> v2;
      v3 [label="2.0", shape=plaintext, fillcolor="#eeeeee"];
      v3 -> v2;
      out0 [label="output", shape=plaintext];
      v2 -> out0;
    }
    """
    drawing = _Drawing()
    for i, var in enumerate(graph.inputs):
        label = f"{names[i] if i < len(names) else f'input {i}'}\n{var.type}"
        drawing.known[var] = drawing.node(label, 'shape=ellipse, fillcolor="#cfe8f7"')
    for equation in graph.equations:
        params = "".join(f"\n{key}={value}" for key, value in equation.params.items())
        types = ", ".join(str(var.type) for var in equation.outs)
        name = drawing.node(f"{equation.primitive.name}{params}\n{types}", "shape=box")
        for value in equation.inputs:
            drawing.edge(value, name)
        for var in equation.outs:
            drawing.known[var] = name
    for i, value in enumerate(graph.outputs):
        drawing.lines.append(f'out{i} [label="output", shape=plaintext];')
        drawing.edge(value, f"out{i}")
    style = [
        "rankdir=LR;",
        'node [fontname="Helvetica", fontsize=11, style=filled, fillcolor=white];',
    ]
    return "\n  ".join([f"digraph {_quoted(graph.name)} {{", *style, *drawing.lines]) + "\n}"


class _Drawing:
    """The lines of a drawing, and the name of the node of each variable."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.known: dict[Any, str] = {}
        self._count = 0

    def node(self, label: str, style: str) -> str:
        name = f"v{self._count}"
        self._count += 1
        self.lines.append(f"{name} [label={_quoted(label)}, {style}];")
        return name

    def edge(self, value: Any, target: str) -> None:
        shape = getattr(value, "shape", None)
        if shape is None and hasattr(value, "type"):  # a variable
            source = self.known[value]
        else:
            label = f"{value.dtype}{list(shape)}" if shape else str(value)
            source = self.node(label, 'shape=plaintext, fillcolor="#eeeeee"')
        self.lines.append(f"{source} -> {target};")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
