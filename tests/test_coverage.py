"""docs/coverage.md tells what is measured: each row again, and that no public name is missing."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parent.parent / "docs" / "coverage.py"


def _module():
    spec = importlib.util.spec_from_file_location("gradarg_docs_coverage", PATH)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


coverage = _module()
WRITTEN = coverage.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("names", coverage.every_row(), ids=" ".join)
def test_row(names):
    """`make coverage` writes the page anew, after a look at what has changed."""
    assert coverage.measured(names) in WRITTEN.splitlines()


def test_the_page_has_the_rows_of_today_and_no_others():
    written = (line for line in WRITTEN.splitlines() if line.startswith("| `"))
    assert coverage.page(lambda names: next(written)) == WRITTEN
    assert next(written, None) is None


def test_a_wrong_result_has_no_mark():
    call = coverage.Call("exp", coverage.CALLS[0].args)
    wrong = coverage.Function(call)
    with pytest.raises(coverage.Wrong):
        coverage.agree(wrong(*wrong.points), [2 * wrong(*wrong.points)[0]], 1e-6)
