"""Compiling kernels with LLVM, through llvmlite, and running them on the machine's threads."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .emit import module
from .kernel import Kernel

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_PARALLEL = 1 << 15  # elements: below, one thread is done sooner than two have met
_LOCK = threading.Lock()
_threads = max(
    1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
)
_pool: ThreadPoolExecutor | None = None


def set_num_threads(count: int) -> None:
    """How many threads a compiled function may use."""
    global _threads, _pool
    if count < 1:
        raise ValueError(f"set_num_threads: at least 1 thread is needed, not {count}.")
    with _LOCK:
        _threads, _pool = int(count), None


def get_num_threads() -> int:
    """How many threads a compiled function may use."""
    return _threads


def _workers() -> ThreadPoolExecutor:
    global _pool
    with _LOCK:
        if _pool is None:
            from concurrent.futures import ThreadPoolExecutor

            _pool = ThreadPoolExecutor(max(1, _threads - 1), "gradarg")
        return _pool


@functools.cache
def _target() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    wide = ",-prefer-256-bit" if features.get("avx512f") else ""
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features.flatten() + wide, opt=3, jit=True
    )


_FUNCTION = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, *[ctypes.c_int64] * 4, ctypes.c_void_p, ctypes.c_void_p
)
_built: dict[str, tuple[Any, Any]] = {}  # by IR: the engine, which owns the code, and the function


def build(kernel: Kernel) -> Any:
    """The machine code of a kernel, as a function to call. Equal kernels share it."""
    import llvmlite.binding as llvm

    machine = _target()
    text = module(kernel, machine.triple, str(machine.target_data))
    with _LOCK:
        if text not in _built:
            parsed = llvm.parse_assembly(text)
            parsed.verify()
            options = llvm.create_pipeline_tuning_options(speed_level=3)
            options.loop_vectorization, options.loop_unrolling = True, True
            builder = llvm.create_pass_builder(machine, options)
            builder.getModulePassManager().run(parsed, builder)
            engine = llvm.create_mcjit_compiler(parsed, _target_again())
            engine.finalize_object()
            _built[text] = engine, _FUNCTION(engine.get_function_address("k"))
        return _built[text][1]


def _target_again() -> Any:
    """A machine of its own for each engine, which takes it over."""
    return _target.__wrapped__()


class Runner:
    """A kernel that has been compiled."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.function = build(kernel)
        self.by_rows = kernel.by_rows
        self.kept = len(kernel.kept())
        self.totals = sum(v.op == "total" for v in kernel.ends)
        self.columns = len(kernel.ends) - self.totals
        self.itemsize = np.dtype(kernel.float).itemsize

    def __call__(self, rows: int, columns: int, arrays: Sequence[Any]) -> Any:
        """Run on contiguous arrays, inputs and outputs; the sums that end it come back."""
        pointers = (ctypes.c_void_p * len(arrays))(
            *[a.__array_interface__["data"][0] for a in arrays]
        )
        extent = rows if self.by_rows else columns
        parts = min(_threads, extent) if rows * columns >= _PARALLEL else 1
        width = self.totals + self.columns * columns
        width += -width % 32  # 256 bytes: no two threads write to one cache line
        ends = np.zeros((parts, width)) if width else np.empty((parts, 1))
        scratch = np.empty((parts, self.kept * columns + 64), self.kernel.float)
        address, step = ends.__array_interface__["data"][0], ends.strides[0]
        kept, kept_step = scratch.__array_interface__["data"][0], scratch.strides[0]

        def part(k: int) -> None:
            low, high = extent * k // parts, extent * (k + 1) // parts
            self.function(
                pointers, rows, columns, low, high, kept + k * kept_step, address + k * step
            )

        if parts == 1:
            part(0)
            return ends[0]
        others = [_workers().submit(part, k) for k in range(1, parts)]
        part(0)
        for other in others:
            other.result()
        return ends.sum(0)
