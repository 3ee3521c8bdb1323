"""Object code on disk: found again, never trusted where damaged, safe between processes."""

import os
import subprocess
import sys

import numpy as np
import pytest

from gradarg._jit import cache, compiler

CODE = """
import sys, numpy as np, gradarg as ga
from gradarg._jit import compiler
count, compiled = 0, compiler._compiled
def counting(*args):
    global count
    count += 1
    return compiled(*args)
compiler._compiled = counting
x = np.linspace(-1, 1, 1000)
f = ga.jit(ga.grad(lambda x: np.sum(np.tanh(x) * x)))
np.testing.assert_allclose(f(x), np.tanh(x) + x / np.cosh(x) ** 2, rtol=1e-12, atol=1e-15)
print(count)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADARG_CACHE", str(tmp_path / "deep" / "cache"))
    return tmp_path / "deep" / "cache"


def start():
    return subprocess.Popen(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def compiled(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return int(out)


def test_another_process_compiles_nothing_again(folder):
    assert compiled(start()) > 0
    assert compiled(start()) == 0


def test_damaged_files_are_made_again(folder):
    first = compiled(start())
    files = sorted(folder.iterdir())
    assert len(files) == first
    for k, file in enumerate(files):
        whole = file.read_bytes()
        file.write_bytes([b"", whole[:-7], whole[:-1] + b"?"][k % 3])
    assert compiled(start()) == first
    assert compiled(start()) == 0


def test_many_writers_at_once(folder):
    for process in [start() for _ in range(4)]:
        compiled(process)
    assert compiled(start()) == 0
    assert all(file.suffix == ".gao" for file in folder.iterdir())


def test_without_a_folder_it_works(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADARG_CACHE", "")
    assert compiled(start()) > 0
    assert not folder.exists()
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GRADARG_CACHE", str(tmp_path / "file"))
    assert compiled(start()) > 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes are POSIX")
def test_a_default_folder_that_others_can_write_to_is_not_used(tmp_path, monkeypatch):
    monkeypatch.delenv("GRADARG_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "gradarg"
    (tmp_path / "gradarg").mkdir()
    (tmp_path / "gradarg").chmod(0o777)
    assert cache.folder() is None


def test_the_oldest_go_beyond_the_limit(folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 1000)
    monkeypatch.setattr(cache, "_written", 0)
    for k in range(20):
        cache.store(f"n{k}", bytes(100))
        os.utime(folder / f"n{k}.gao", (k, k)) if (folder / f"n{k}.gao").exists() else None
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 1200
    assert cache.load("n0") is None
    assert cache.load("n19") == bytes(100)


def test_names_differ_with_every_part():
    assert len({cache.key("a", "b"), cache.key("ab"), cache.key("a", "c"), cache.key("b")}) == 4


def test_equal_modules_share_code(folder):
    text = "define i64 @k(i64 %x) {\n  %y = add i64 %x, 3\n  ret i64 %y\n}\n"
    assert compiler.functions(text, "k") == compiler.functions(text, "k")
    assert np.size(list(folder.iterdir())) <= 1
