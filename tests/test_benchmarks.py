"""The comparison's report, and what it calls slower."""

import importlib
import sys
import xml.etree.ElementTree as tree
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("compare")
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "") or "").startswith(str(BENCHMARKS)):
            del sys.modules[name]


def result(jit: float) -> dict[str, Any]:
    times = {
        "numpy": [10.0, 11.0, 12.0],
        "gradarg jit": [jit] * 3,
        "torch": [20.0] * 3,
        "limit": [1.0],
    }
    row = {"times": times, "first": {"gradarg jit": 0.1}, "notes": {"mygrad": "has none"}}
    return {
        "rows": {"exp & log": row}, "versions": {"numpy": "2.4"}, "absent": ["jax jit"],
        "date": "today", "load": [0.5, 0.6], "cpu": "a CPU", "threads": 2, "python": "3.11",
        "sizes": {"numpy": {"import_ms": 70.0, "installed_mb": 60.0}},
    }  # fmt: skip


def test_slower_is_by_ratio_to_numpy(compare):
    assert compare.slower(result(2.0), result(2.0)) == []
    assert compare.slower(result(2.5), result(2.0)) == []
    (said,) = compare.slower(result(3.0), result(2.0))
    assert "gradarg jit" in said and "exp & log" in said
    gone = result(2.0)
    del gone["rows"]["exp & log"]["times"]["gradarg jit"]
    assert "no longer runs" in compare.slower(gone, result(2.0))[0]


def test_the_table_and_the_picture(compare):
    text = compare.markdown(result(2.0))
    assert "| exp & log | 0.10 | 2 us (0%)" in text
    assert "Left out, not installed: jax jit." in text and "mygrad: has none" in text
    picture = tree.fromstring(compare.picture(result(2.0)))
    assert picture.tag.endswith("svg")


def test_gradarg_gives_what_numpy_gives(compare):
    worker = importlib.import_module("_worker")
    rows = importlib.import_module("rows").ROWS
    contender = worker.Contender("gradarg")
    for name in rows:
        if any(word in name for word in ("sigmoid", "1e3", "Hessian of", "64-32", "256x1000")):
            assert contender.prepare(name)["ok"], name
