"""The house rules hold, and the checker in `tests/layers.py` reports each kind of breach."""

import ast
import textwrap
from pathlib import Path

import pytest

from tests.layers import REPOSITORY, package_files, violations


def test_house_rules_hold():
    found = violations(REPOSITORY)
    assert not found, "\n" + "\n".join(found)


def test_every_import_of_the_package_is_read():
    files = package_files(REPOSITORY)
    assert files
    for file in files:
        text = (REPOSITORY / file.path).read_text(encoding="utf-8")
        statements = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
        lines = {taken.line for taken in file.imports}
        assert {statement.lineno for statement in statements} <= lines, file.path


SOUND = {
    "src/gradarg/scalar.py": "from math import exp",
    "src/gradarg/_core/__init__.py": "",
    "src/gradarg/_core/tree.py": """
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from .tape import Tape
        """,
    "src/gradarg/_core/tape.py": "import numpy as np\nfrom . import tree\nlen('tree')",
    "src/gradarg/_ops/__init__.py": "from .reduce import mean",
    "src/gradarg/_ops/structure.py": "from .._core.tape import Tape",
    "src/gradarg/_ops/reduce.py": "from .structure import add\nfrom gradarg._ops import structure",
    "src/gradarg/_tensor.py": "from ._core import tape\nfrom ._ops import reduce",
    "src/gradarg/_jit/__init__.py": "def build():\n    import llvmlite.ir",
    "src/gradarg/__init__.py": """
        from ._tensor import Tensor

        def __getattr__(name):
            if name == "nn":
                from . import nn
                return nn
            import importlib
            return importlib.import_module(f".{name}", __name__)
        """,
    "src/gradarg/nn/__init__.py": "from ._linear import Linear\nfrom gradarg import random",
    "src/gradarg/nn/_linear.py": "import gradarg as ga\nfrom gradarg import Tensor\nga.__doc__",
    "src/gradarg/random.py": "import gradarg",
    "src/gradarg/train/__init__.py": """
        from typing import TYPE_CHECKING

        import gradarg as ga

        if TYPE_CHECKING:
            from tqdm import tqdm

        def train(model: ga.nn.Linear):
            import tqdm

        bar = lambda: __import__("tqdm")
        """,
    "src/gradarg/sklearn.py": "from gradarg.train import train",
    "tests/ops/test_reduce.py": "from gradarg._ops import reduce",
    "tests/nn/test_linear.py": "from gradarg import nn",
    "tests/test_random.py": "import gradarg.random",
    "docs/guide.md": "We import\ngradarg, then\nfrom gradarg, as said, all follows.\n",
}


def house(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    return folder


def test_a_sound_house_passes(tmp_path):
    assert violations(house(tmp_path, SOUND)) == []


CORE, OPS = "src/gradarg/_core", "src/gradarg/_ops"


@pytest.mark.parametrize(
    ("name", "text", "line", "rule"),
    [
        # layers
        (f"{CORE}/tape.py", "import math\nfrom .._ops import reduce", 2, "not from _ops"),
        (f"{CORE}/tape.py", "from gradarg._ops.reduce import mean", 1, "not from _ops"),
        (f"{CORE}/tape.py", "import gradarg._tensor as t", 1, "not from _tensor"),
        (f"{CORE}/tape.py", "from .. import Tensor", 1, "not from gradarg"),
        (f"{CORE}/tape.py", "def f():\n    from .._ops import reduce", 2, "not from _ops"),
        (f"{CORE}/tape.py", "f = lambda: __import__('gradarg.nn')", 1, "not from nn"),
        (
            f"{CORE}/tape.py",
            "import typing\nif typing.TYPE_CHECKING:\n    from .._tensor import Tensor",
            3,
            "not from _tensor",
        ),
        (
            f"{CORE}/tape.py",
            "from importlib import import_module\nimport_module('.._ops', __package__)",
            2,
            "not from _ops",
        ),
        (f"{CORE}/tape.py", "import importlib\nimportlib.import_module(x)", 2, "cannot be checked"),
        ("src/gradarg/__init__.py", "from . import nn", 1, "not from nn"),
        ("src/gradarg/random.py", "from gradarg import train", 1, "not from train"),
        ("src/gradarg/nn/_linear.py", "import gradarg as ga\n\nga.train.fit()", 3, "from train"),
        ("src/gradarg/stray.py", "", 1, "'stray' has no place in HOUSE"),
        ("src/gradarg/random.py", "import gradarg.stray", 1, "'stray' has no place in HOUSE"),
        # order inside _ops
        (f"{OPS}/structure.py", "from .reduce import mean", 1, "structure not from reduce"),
        (f"{OPS}/structure.py", "from . import mean", 1, "structure not from __init__"),
        (f"{OPS}/stray.py", "from .structure import add", 1, "'stray' has no place in ORDER"),
        # scalar
        ("src/gradarg/scalar.py", "import numpy", 1, "stands alone"),
        ("src/gradarg/scalar.py", "import math\nimport random", 2, "stands alone"),
        ("src/gradarg/scalar.py", "from ._core import tree", 1, "stands alone"),
        ("src/gradarg/__init__.py", "from .scalar import Scalar", 1, "nothing in the package"),
        ("src/gradarg/viz.py", "from gradarg.scalar import exp", 1, "nothing in the package"),
        # third-party modules
        (f"{CORE}/tape.py", "import scipy", 1, "no third-party module but numpy, not scipy"),
        (f"{CORE}/tape.py", "def f():\n    import scipy", 2, "but numpy, not scipy"),
        ("src/gradarg/_jit/__init__.py", "import llvmlite", 1, "but numpy, not llvmlite"),
        ("src/gradarg/train/__init__.py", "import tqdm", 1, "inside the functions"),
        ("src/gradarg/viz.py", "try:\n    import pylab\nexcept E:\n    pass", 2, "inside the"),
        ("src/gradarg/viz.py", "class A:\n    from pylab import plot", 2, "inside the"),
        # the public line
        ("src/gradarg/nn/_linear.py", "from .._core import tree", 1, "not '_core'"),
        ("src/gradarg/nn/_linear.py", "from gradarg import _tensor", 1, "not '_tensor'"),
        ("src/gradarg/nn/_linear.py", "import gradarg\ngradarg._tensor.Tensor", 2, "'_tensor'"),
        ("src/gradarg/nn/_linear.py", "from gradarg import Tensor\nTensor._node", 2, "'_node'"),
        ("src/gradarg/train/__init__.py", "from gradarg.nn import _linear", 1, "not '_linear'"),
        ("src/gradarg/train/__init__.py", "from gradarg.nn import _helper", 1, "not '_helper'"),
        ("benchmarks/speed.py", "import gradarg._jit", 1, "not '_jit'"),
        ("examples/a/b.py", "def f():\n    from gradarg import _core", 2, "not '_core'"),
        ("docs/conf.py", "from gradarg._ops.reduce import mean", 1, "not '_ops'"),
        ("docs/guide.md", "Text.\n\n>>> from gradarg._core import tree\n", 3, "not '_core'"),
        ("docs/guide.ipynb", '{\n  "source": [\n   "import gradarg._ops\\n"\n', 3, "not '_ops'"),
        ("README.md", "```python\nimport gradarg._tensor as t\n```", 2, "not '_tensor'"),
        ("tests/nn/test_linear.py", "from gradarg._core import tree", 1, "not '_core'"),
        ("tests/test_random.py", "from gradarg import _core", 1, "not '_core'"),
        # cycles
        (f"{CORE}/tree.py", "from . import tape", 1, "gradarg._core.tree"),
        (f"{CORE}/tree.py", "def f():\n    from .tape import Tape", 2, "import cycle: "),
        ("src/gradarg/random.py", "from gradarg.nn import Linear", 1, "import cycle: "),
    ],
)
def test_a_breach_is_reported(tmp_path, name, text, line, rule):
    found = violations(house(tmp_path, SOUND | {name: text}))
    assert any(v.startswith(f"{name}:{line}: ") and rule in v for v in found), found
    assert all(v.startswith(name) or "cycle" in v for v in found), found


def test_a_cycle_names_every_module_in_it(tmp_path):
    (found,) = violations(
        house(
            tmp_path,
            {
                "src/gradarg/_core/a.py": "from . import b",
                "src/gradarg/_core/b.py": "from .c import x",
                "src/gradarg/_core/c.py": "import os\nfrom gradarg._core.a import x",
            },
        )
    )
    path = "gradarg._core.a -> gradarg._core.b -> gradarg._core.c -> gradarg._core.a"
    assert found == f"src/gradarg/_core/c.py:2: import cycle: {path}"


def test_parts_on_one_line_form_no_cycle(tmp_path):
    found = violations(
        house(
            tmp_path,
            {
                "src/gradarg/nn/a.py": "from gradarg.optim import x",
                "src/gradarg/nn/b.py": "",
                "src/gradarg/optim/__init__.py": "from gradarg.nn import b",
            },
        )
    )
    assert found == ["src/gradarg/optim/__init__.py:1: import cycle: nn/ -> optim/ -> nn/"]
