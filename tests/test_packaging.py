"""What a user installs: a small pure-Python wheel that needs NumPy alone."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import gradarg

REPOSITORY = Path(__file__).resolve().parent.parent


def run(*command: str | Path) -> str:
    """What a command prints, run as from a user's shell."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHON"))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPOSITORY)
    return folder


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def test_wheel_is_pure_python_and_small(wheel):
    assert wheel.name == f"gradarg-{gradarg.__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < 1_000_000


def test_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"gradarg-{gradarg.__version__}.dist-info"
    sources = {p.relative_to(REPOSITORY / "src") for p in REPOSITORY.glob("src/gradarg/**/*.py")}
    assert {path.as_posix() for path in sources} <= names
    assert {"gradarg/py.typed", f"{info}/licenses/LICENSE"} <= names
    assert {name.partition("/")[0] for name in names} == {"gradarg", info}


def test_sdist_can_be_tested(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    here = "tests/" + Path(__file__).name
    assert {"LICENSE", "Makefile", "README.md", "pyproject.toml", here} <= names


def test_numpy_is_the_only_requirement(metadata):
    required = [r for r in metadata.get_all("Requires-Dist") if "extra ==" not in r]
    assert [r.partition(">=")[0] for r in required] == ["numpy"]
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Version"] == gradarg.__version__


USE = """
import json, sys

before = {name.partition(".")[0] for name in sys.modules}
import numpy as np
import gradarg as ga

after = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({
    "derivative": float(ga.grad(lambda x: np.sin(x) * x)(2.0)),
    "expected": float(np.cos(2.0) * 2.0 + np.sin(2.0)),
    "modules": sorted(after - before - set(sys.stdlib_module_names)),
    "path": ga.__file__,
}))
"""


def test_wheel_works_with_numpy_alone(wheel, tmp_path):
    environment = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(sys.executable, "-m", "pip", "--quiet", "--python", python, "install", wheel)

    seen = json.loads(run(python, "-I", "-W", "error", "-c", USE))

    assert Path(seen["path"]).is_relative_to(environment)
    assert seen["modules"] == ["gradarg", "numpy"]
    assert seen["derivative"] == pytest.approx(seen["expected"], rel=1e-15)
    assert "train" in run(python.with_name("gradarg"), "--help")
