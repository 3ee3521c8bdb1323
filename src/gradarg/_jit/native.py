"""The way from a Python call to a kernel and back, in machine code.

A kernel is called as a builtin: `call(*arrays)` reads the arrays' addresses where NumPy keeps them,
so that it costs a tenth of a microsecond, and hands everything unusual to a Python function. The
kernel's share is cut into chunks, which are done in any order, each with sums of its own; the
threads of a pool claim them by counting up.

Where Python's or NumPy's objects are not laid out as expected (`LAYOUT` is None), ctypes is used.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import compiler
from .native_ir import (
    ARRAY_KIND,
    ARRAYS,
    CHUNKS,
    COLUMNS,
    ENDS_STEP,
    EXTENT,
    FALLBACK,
    FUNCTION,
    JOB,
    JOB_SLOTS,
    KIND,
    LAYOUT,
    MOST,
    NEAR,
    NEXT,
    NONE,
    NOTHING,
    OTHER_KIND,
    ROWS,
    SCRATCH_STEP,
    SEQUENCE,
    SLOTS,
    TOTALS,
    WAKE,
    call_ir,
    numbers_ir,
    threads_ir,
)

_SERVE = ctypes.CFUNCTYPE(
    ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64
)
KERNEL = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, *[ctypes.c_int64] * 4, ctypes.c_void_p, ctypes.c_void_p
)


def head() -> str:
    """What every module begins with."""
    machine = compiler.target()
    layout = machine.target_data
    return f'target triple = "{machine.triple}"\ntarget datalayout = "{layout}"\n'


def new_job() -> Any:
    """A job that nobody has given yet."""
    whole = np.zeros(JOB_SLOTS + 16, np.int64)
    skipped = -whole.__array_interface__["data"][0] % 128 // 8
    job = whole[skipped : skipped + JOB_SLOTS]
    job[NEXT] = NOTHING
    return job


def sequence(job: Any) -> int:
    """How many jobs have been given."""
    return int(job[SEQUENCE])


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


@functools.cache
def server() -> Any:
    """`serve`, which a worker calls."""
    return _SERVE(*compiler.functions(head() + threads_ir(), "serve"))


class _Method(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_FASTCALL = 0x80


@functools.cache
def _method(name: str) -> Any:
    """`call` or `numbers`, as Python takes it."""
    import llvmlite.binding as llvm

    for known in (
        "PyObject_Vectorcall", "PyEval_SaveThread", "PyEval_RestoreThread", "Py_IncRef",
        "PyTuple_New", "PyTuple_SetItem", "PyFloat_FromDouble",
    ):  # fmt: skip
        at = ctypes.cast(getattr(ctypes.pythonapi, known), ctypes.c_void_p).value
        llvm.add_symbol(known, at)
    text = call_ir() if name == "call" else numbers_ir()
    return _Method(name.encode(), *compiler.functions(head() + text, name), _FASTCALL, None)


def ready() -> None:
    """Compile what every call needs, or raise now."""
    server() if LAYOUT is None else _method("call")


class _Plan(np.ndarray[Any, Any]):
    """The slots of a call, and what must live as long as it does."""

    held: Any


def _builtin(
    method: Any, slots: dict[int, int], fallback: Callable[..., Any], wake: Any = None
) -> Any:
    plan = np.zeros(SLOTS, np.int64).view(_Plan)
    for k, x in slots.items():
        plan[k] = x
    plan[FALLBACK], plan[NONE] = id(fallback), id(None)
    plan[WAKE] = id(wake)
    plan.held = fallback, wake
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return make(ctypes.addressof(method), plan, None)


def call(slots: dict[int, int], fallback: Callable[..., Any], wake: Any = None) -> Any:
    """A builtin that runs a kernel on arrays; it gives others to the fallback.

    It returns None, or a tuple of floats where the slots ask for totals.

    `wake()` is called, and returns None, when a job has been given to a pool.
    """
    kinds = {KIND: id(np.float32), OTHER_KIND: id(np.float64), ARRAY_KIND: id(np.ndarray)}
    return _builtin(_method("call"), slots | kinds, fallback, wake)


def numbers(function: int, inputs: int, outputs: int, fallback: Callable[..., Any]) -> Any:
    """A builtin that runs a kernel of single float64, or arrays of one: a tuple of np.float64."""
    slot = ctypes.pythonapi.PyType_GetSlot
    slot.restype, slot.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_int)
    slots = {
        FUNCTION: function, ARRAYS: inputs, ROWS: outputs, COLUMNS: slot(np.float64, 47),
        KIND: id(float), OTHER_KIND: id(np.float64), ARRAY_KIND: id(np.ndarray),
    }  # fmt: skip
    return _builtin(_method("numbers"), slots, fallback)


__all__ = [
    "ARRAYS",
    "CHUNKS",
    "COLUMNS",
    "ENDS_STEP",
    "EXTENT",
    "FUNCTION",
    "JOB",
    "KERNEL",
    "LAYOUT",
    "MOST",
    "NEAR",
    "ROWS",
    "SCRATCH_STEP",
    "TOTALS",
    "address",
    "call",
    "head",
    "new_job",
    "numbers",
    "ready",
    "sequence",
    "server",
]
