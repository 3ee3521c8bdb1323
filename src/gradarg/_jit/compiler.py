"""From LLVM IR to machine code in memory, by way of the cache on disk."""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

from . import cache

_LOCK = threading.Lock()
_built: dict[str, tuple[Any, Any]] = {}  # by IR: the engine, which owns the code, and the addresses


def _machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=_features(), opt=3, jit=True
    )


@functools.cache
def _features() -> str:
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    wide = ",-prefer-256-bit" if features.get("avx512f") else ""
    return str(features.flatten() + wide)


@functools.cache
def target() -> Any:
    """This machine, to compile for; its triple and its data layout head every module."""
    return _machine()


@functools.cache
def vectors() -> tuple[int, bool]:
    """The bits of a vector, and whether some of its lanes are loaded as fast as all."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    wide = bool(features.get("avx512f") and features.get("avx512bw") and features.get("avx512vl"))
    return (512 if wide else 256 if features.get("avx2") else 128), wide


@functools.cache
def _version() -> str:
    import llvmlite
    import llvmlite.binding as llvm

    parts = (llvmlite.__version__, llvm.llvm_version_info, llvm.get_host_cpu_name(), _features())
    return repr((3, *parts))


def functions(text: str, *names: str, effort: int = 0) -> tuple[int, ...]:
    """The addresses of functions of a module of IR. Equal modules share the code, for good.

    What LLVM does for its loops is the `effort`: nothing (0) where they are written in vectors;
    find their vectors (1), which takes as long again as all the rest; unroll them too (2), which
    can take five times as long, and makes few of them faster.
    """
    with _LOCK:
        if text not in _built:
            name = cache.key(_version(), str(effort), text)
            engine = _linked(cache.load(name))
            if engine is None:
                code = _compiled(text, effort)
                cache.store(name, code)
                engine = _linked(code)
            if engine is None:
                raise RuntimeError("LLVM does not load what it has compiled.")
            _built[text] = engine, {}
        engine, found = _built[text]
        for name in names:
            if name not in found:
                found[name] = engine.get_function_address(name)
        return tuple(found[name] for name in names)


# The passes of a module whose loops are as they should be: functions in their places, variables in
# registers, and nothing computed twice.
_PASSES = ("always_inliner", "sroa", "simplify_cfg", "instruction_combine", "new_gvn")


def _compiled(text: str, effort: int) -> bytes:
    import llvmlite.binding as llvm

    parsed = llvm.parse_assembly(text)
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=1 + effort)
    options.loop_vectorization, options.loop_interleaving = True, True
    options.loop_unrolling = effort > 1
    builder = llvm.create_pass_builder(target(), options)
    if effort:
        passes = builder.getModulePassManager()
    else:
        passes = llvm.create_new_module_pass_manager()
        for name in _PASSES:
            getattr(passes, f"add_{name}_pass")()
    passes.run(parsed, builder)
    return bytes(target().emit_object(parsed))


def _linked(code: bytes | None) -> Any:
    import llvmlite.binding as llvm

    if code is None:
        return None
    target()
    try:
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
    except RuntimeError:
        return None
    return engine


def _after_fork() -> None:
    """A child has its own lock: a thread of its parent may have held the old one."""
    global _LOCK
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
