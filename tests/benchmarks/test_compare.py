"""The comparison's report, and what it calls slower."""

import importlib
import json
import sys
import xml.etree.ElementTree as tree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("compare")
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "") or "").startswith(str(BENCHMARKS)):
            del sys.modules[name]


def result(jit: float, **more: Any) -> dict[str, Any]:
    times = {
        "numpy": [10.0, 11.0, 12.0],
        "gradarg": [30.0] * 3,
        "gradarg jit": [jit] * 3,
        "gradarg numpy": [15.0] * 3,
        "torch": [20.0] * 3,
        "limit": [1.0],
    }
    row = {"times": times, "notes": {"mygrad": "has none"}, "target": 0.15}
    return {
        "rows": {"exp & log": row}, "versions": {"numpy": "2.4"}, "absent": ["jax jit"],
        "left out": ["autograd"], "large": ["exp & log"],
        "compile": {"exp & log": {"gradarg jit": 0.05, "jax jit": 0.2}},
        "date": "today", "load": [0.5, 0.6], "cpu": "a CPU", "threads": 2, "python": "3.11",
        "sizes": {"numpy": {"import_ms": 70.0, "installed_mb": 60.0}},
        "billion": [
            {"contender": "gradarg jit", "variables": 10**9, "gigabytes": 24.0, "seconds": 0.3,
             "bytes": 8e9},
            {"contender": "torch", "variables": 10**8, "gigabytes": 2.4, "seconds": 3.0,
             "bytes": 2.8e9, "failed": "out of memory"},
        ],
    } | more  # fmt: skip


def test_slower_is_by_ratio_to_numpy(compare):
    assert compare.slower(result(2.0), result(2.0)) == {}
    assert compare.slower(result(2.5), result(2.0)) == {}
    ((said,),) = compare.slower(result(3.0), result(2.0)).values()
    assert "gradarg jit" in said and "exp & log" in said
    slow_machine = result(4.0)
    slow_machine["rows"]["exp & log"]["times"]["numpy"] = [22.0] * 3
    assert compare.slower(slow_machine, result(2.0)) == {}
    gone = result(2.0)
    del gone["rows"]["exp & log"]["times"]["gradarg jit"]
    assert "no longer runs: no figure" in compare.slower(gone, result(2.0))["exp & log"][0]
    assert compare.slower(result(3.0), {"rows": {}}) == {}


@pytest.mark.parametrize(
    ("figures", "status", "said"),
    [
        ([2.1], 0, "1 rows, none slower"),
        ([3.0, 2.1], 0, "1 rows, none slower"),  # a slow spell
        ([3.0, 3.0], 1, "now 0.273"),
    ],
)
def test_slower_has_to_happen_twice(compare, monkeypatch, tmp_path, capsys, figures, status, said):
    monkeypatch.setattr(compare, "RESULTS", tmp_path)
    assert compare.checked(["exp & log"], 2, "here") == 2
    assert "No results of this machine" in capsys.readouterr().err

    (tmp_path / "here.json").write_text(json.dumps(result(9.0, date="2026-01-01")))
    (tmp_path / "here-quick.json").write_text(json.dumps(result(2.0, date="2026-01-02")))
    left = iter(figures)

    def compared(names, threads, pace):
        assert names == ["exp & log"] and pace is compare.CHECK
        return result(next(left))

    monkeypatch.setattr(compare, "compared", compared)
    assert compare.checked(["exp & log", "a new row"], 2, "here") == status
    assert said in capsys.readouterr().out
    assert not list(left)


def test_a_row_gets_its_share_of_the_time(compare):
    class Fast:
        name, asked = "numpy", 0

        def say(self, **what):
            self.what = what

        def hear(self):
            self.asked += "seconds" in self.what
            return {"ok": True} if "row" in self.what else {"us": 1.0}

        def ask(self, **what):
            self.say(**what)
            return self.hear()

    name = next(iter(compare.ROWS))
    for deadline, rounds in ((0.0, 3), (float("inf"), 9)):
        fast = Fast()
        row = compare.measured(name, [fast], compare.QUICK, deadline)
        assert fast.asked == rounds and row["times"] == {"numpy": [1.0] * rounds}


def test_the_table_and_the_picture(compare):
    text = compare.markdown(result(2.0))
    assert "| exp & log | 0.10 | 0.15 | 2 us | 20 us | torch | 2 |" in text
    assert "| exp & log | 2 us (0%)" in text
    assert "0.10. 0 of 1 rows are behind the best peer, and 0 miss their target" in text
    assert "Without jax jit, autograd:" in text and "mygrad: has none" in text
    assert "gradarg takes 0.25 of JAX's time" in text and "| exp & log | 0.50 |" in text
    assert "| torch | 1e+08 | 2.4 GB | out of memory | 2.80 GB | 3 s |" in text
    assert "0.20 (missed)" in compare.markdown(result(4.0))
    assert "1.10 (behind)" in compare.markdown(result(22.0))
    picture = tree.fromstring(compare.picture(result(2.0)))
    assert picture.tag.endswith("svg")

    quick = {k: v for k, v in result(2.0).items() if k not in ("compile", "billion", "sizes")}
    text = compare.markdown(quick)
    assert "Compile time" not in text and "billion" not in text and "import" not in text


def test_gradarg_gives_what_numpy_gives(compare):
    worker = importlib.import_module("_worker")
    small = ("sigmoid", "1e3", "Hessian of", "64-32", "256x1000", "recurrence")
    for contender in map(worker.Contender, ("gradarg", "gradarg jit")):
        for name in compare.ROWS:
            if any(word in name for word in small):
                assert contender.prepare(name) == {"ok": True}, name


def test_what_differs_is_told(compare):
    worker = importlib.import_module("_worker")
    row = next(iter(compare.ROWS.values()))
    same = np.arange(3.0)
    off = np.array([0.0, 1.0, np.nan])
    assert worker.difference([same], [same], row, True) is None
    assert "off by nan" in worker.difference([off], [same], row, True)
    assert "off by 5.0e-01" in worker.difference([same + [0, 1, 0]], [same], row, True)
    assert "2 results, not 1" in worker.difference([same, same], [same], row, True)
    assert "float32" in worker.difference([same.astype(np.float32)], [same], row, True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_a_contender_without_the_memory(compare):
    billion = importlib.import_module("billion")
    enough, few = (billion.outcome("gradarg", 10**6, gb, 1) for gb in (0.5, 0.01))
    assert 4e6 < enough["bytes"] < 1e8 and enough["seconds"] > 0
    assert few["failed"] == "out of memory"
