"""Runs the vector math as a kernel would: a loop over arrays, optimised for this machine."""

import ctypes
import re
from functools import cache

import llvmlite.binding as llvm
import numpy as np

from gradarg._jit.vector_math import FUNCTIONS, definitions, symbol

TYPES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}

LOOP = """
define void @loop(ptr noalias %px, ptr noalias %py, ptr noalias %out, i64 %n) {{
entry:
  %any = icmp sgt i64 %n, 0
  br i1 %any, label %body, label %end
body:
  %i = phi i64 [0, %entry], [%next, %body]
  %ax = getelementptr inbounds {type}, ptr %px, i64 %i
  %ay = getelementptr inbounds {type}, ptr %py, i64 %i
  %ao = getelementptr inbounds {type}, ptr %out, i64 %i
  %x = load {type}, ptr %ax
  %y = load {type}, ptr %ay
  %o = call {type} {symbol}({arguments})
  store {type} %o, ptr %ao
  %next = add nsw i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %body, label %end
end:
  ret void
}}
"""


def machine(cpu: str = "", features: str = "") -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    if not cpu:
        cpu = llvm.get_host_cpu_name()
        features = llvm.get_host_cpu_features().flatten()
        if "+avx512f" in features:
            features += ",-prefer-256-bit"
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(opt=3, cpu=cpu, features=features, jit=True)


def module(name: str, type: str, target: llvm.TargetMachine) -> llvm.ModuleRef:
    arguments = ", ".join(f"{type} %{a}" for a in "xy"[: FUNCTIONS[name]])
    loop = LOOP.format(type=type, symbol=symbol(name, type), arguments=arguments)
    parsed = llvm.parse_assembly(definitions([(name, type)]) + loop)
    parsed.triple = target.triple
    parsed.data_layout = str(target.target_data)
    parsed.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = True
    passes = llvm.create_pass_builder(target, tuning)
    passes.getModulePassManager().run(parsed, passes)
    return parsed


def widths(parsed: llvm.ModuleRef, type: str) -> set[int]:
    """The vectors of the type in the optimised code, by their number of elements."""
    return {int(n) for n in re.findall(rf"store <(\d+) x {type}>", str(parsed))}


@cache
def compiled(name: str, type: str) -> tuple[object, object]:
    """The engine, which owns the code, and the loop: addresses of x, y, out, and their length."""
    target = machine()
    engine = llvm.create_mcjit_compiler(module(name, type, target), target)
    engine.finalize_object()
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    call = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, size)
    return engine, call(engine.get_function_address("loop"))


def apply(name: str, x: np.ndarray, y: np.ndarray | None = None, out: np.ndarray | None = None):
    """The function of every element of contiguous arrays of one type."""
    y = x if y is None else y
    out = np.empty_like(x) if out is None else out
    assert x.dtype == y.dtype and x.shape == y.shape
    assert x.flags.c_contiguous and y.flags.c_contiguous
    call = compiled(name, TYPES[x.dtype])[1]
    call(x.ctypes.data, y.ctypes.data, out.ctypes.data, x.size)
    return out
