"""The machine code of a call: how it reads NumPy's arrays, and how threads share a kernel out."""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

import numpy as np

MOST = 128  # arrays of a call
FLAGS = 0x101  # C-contiguous and aligned


def _layout() -> tuple[int, int, int] | None:
    """Where an object's type is, an array's address (a float's value), an array's flags."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    head = object.__basicsize__
    kind, data, flags = head - 8, head, head + 48

    def word(x: Any, offset: int) -> int:
        return ctypes.c_int64.from_address(id(x) + offset).value

    whole = np.zeros((3, 5))
    for x in (whole, whole[1:], whole[:, 1:], whole.T, whole[0], np.zeros(3, np.float32)):
        is_whole = word(x, flags) & FLAGS == FLAGS
        address = x.__array_interface__["data"][0]
        if word(x, kind) != id(np.ndarray) or word(x, data) != address:
            return None
        if is_whole != x.flags.c_contiguous:
            return None
    for number in (1.5, np.float64(1.5), np.float32(1.5)):
        held = ctypes.c_float if number.__class__ is np.float32 else ctypes.c_double
        at = held.from_address(id(number) + data).value
        if word(number, kind) != id(type(number)) or at != 1.5:
            return None
    return kind, data, flags


LAYOUT = _layout()

# Slots of a plan, of 8 bytes each.
FUNCTION, ARRAYS, ROWS, COLUMNS, EXTENT, CHUNKS, SCRATCH_STEP, ENDS_STEP, JOB, FALLBACK = range(10)
# addresses differ from run to run: not in IR
KIND, OTHER_KIND, ARRAY_KIND, NONE, WAKE, SLOTS = 10, 11, 12, 13, 14, 16
TOTALS = 15  # of a call without threads: how many sums come back as floats
NEAR = 4096  # bytes of scratch that such a call has; it has room for NEAR // 128 totals
# Slots of a job; those that threads write to are 128 bytes apart.
NEXT, SEQUENCE, ACTIVE, JOB_SLOTS = 16, 32, 48, 64
NOTHING = 1 << 61  # of a counter: all chunks are taken


def _slots(base: str, names: dict[str, int]) -> str:
    return "\n".join(
        f"  %{name} = getelementptr i64, ptr {base}, i64 {k}" for name, k in names.items()
    )


def _loads(names: dict[str, int]) -> str:
    lines = []
    for name in names:
        lines.append(f"  %{name}v = load volatile i64, ptr %{name}")
    return "\n".join(lines)


_FIELDS = {
    "fn": 0, "args": 1, "rows": 2, "columns": 3, "extent": 4, "chunks": 5, "scratch": 6,
    "scratchstep": 7, "ends": 8, "endsstep": 9,
}  # fmt: skip


def threads_ir() -> str:
    machine = platform.machine().lower()
    x86 = machine in ("x86_64", "amd64", "i686", "x86")
    declare = "declare void @llvm.x86.sse2.pause()" if x86 else ""
    pause = "call void @llvm.x86.sse2.pause()" if x86 else "fence seq_cst"
    posix = sys.platform != "win32"
    declare += "\ndeclare i32 @sched_yield()" if posix else ""
    give_way = "%ignored = call i32 @sched_yield()" if posix else pause
    fields = ", ".join(f"i64 %{n}x" for n in _FIELDS)
    stores = "\n".join(f"  store volatile i64 %{n}x, ptr %{n}" for n in _FIELDS)
    return f"""
{declare}
define internal void @work(ptr %job, i64 %who) {{
entry:
{_slots("%job", {**_FIELDS, "next": NEXT})}
  br label %claim
claim:
  %c = atomicrmw add ptr %next, i64 1 seq_cst
  %n = load volatile i64, ptr %chunks
  %some = icmp slt i64 %c, %n
  br i1 %some, label %do, label %out
do:
{_loads(_FIELDS)}
  %from = mul i64 %extentv, %c
  %low = sdiv i64 %from, %n
  %c1 = add i64 %c, 1
  %to = mul i64 %extentv, %c1
  %high = sdiv i64 %to, %n
  %so = mul i64 %scratchstepv, %who
  %sa = add i64 %scratchv, %so
  %eo = mul i64 %endsstepv, %c
  %ea = add i64 %endsv, %eo
  %f = inttoptr i64 %fnv to ptr
  %ap = inttoptr i64 %argsv to ptr
  %sp = inttoptr i64 %sa to ptr
  %ep = inttoptr i64 %ea to ptr
  call void %f(ptr %ap, i64 %rowsv, i64 %columnsv, i64 %low, i64 %high, ptr %sp, ptr %ep)
  br label %claim
out:
  ret void
}}

; nobody claims before `next` is 0, and who claims is counted in `active` before
define void @give(ptr %job, {fields}) {{
entry:
{_slots("%job", {**_FIELDS, "next": NEXT, "sequence": SEQUENCE})}
{stores}
  store atomic i64 0, ptr %next seq_cst, align 8
  %s = atomicrmw add ptr %sequence, i64 1 seq_cst
  ret void
}}

define void @finish(ptr %job) {{
entry:
{_slots("%job", {"next": NEXT, "active": ACTIVE})}
  call void @work(ptr %job, i64 0)
  store atomic i64 {NOTHING}, ptr %next seq_cst, align 8
  br label %wait
wait:
  %k = phi i64 [0, %entry], [%k1, %again], [%k1, %yield]
  %busy = load atomic i64, ptr %active seq_cst, align 8
  %free = icmp eq i64 %busy, 0
  %k1 = add i64 %k, 1
  %long = icmp sgt i64 %k, 1000
  br i1 %free, label %out, label %more
more:
  br i1 %long, label %yield, label %again
again:
  {pause}
  br label %wait
yield: ; the worker may need this processor
  {give_way}
  br label %wait
out:
  ret void
}}

; a worker: does what comes, looks out for more `spins` times, and gives up
define i64 @serve(ptr %job, i64 %last, i64 %who, i64 %spins) {{
entry:
{_slots("%job", {"sequence": SEQUENCE, "active": ACTIVE})}
  br label %look
look:
  %k = phi i64 [0, %entry], [0, %do], [%k1, %again]
  %old = phi i64 [%last, %entry], [%new, %do], [%old, %again]
  %new = load atomic i64, ptr %sequence seq_cst, align 8
  %same = icmp eq i64 %new, %old
  br i1 %same, label %idle, label %do
do:
  %a = atomicrmw add ptr %active, i64 1 seq_cst
  call void @work(ptr %job, i64 %who)
  %b = atomicrmw sub ptr %active, i64 1 seq_cst
  br label %look
idle:
  %k1 = add i64 %k, 1
  %enough = icmp sgt i64 %k1, %spins
  br i1 %enough, label %out, label %again
again:
  {pause}
  br label %look
out:
  ret i64 %old
}}
"""


_PYTHON = """
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare void @Py_IncRef(ptr)
declare ptr @PyTuple_New(i64)
declare ptr @PyFloat_FromDouble(double)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
"""


def call_ir() -> str:
    assert LAYOUT is not None
    kind, data, flags = LAYOUT
    plan = {
        "fn": FUNCTION, "arrays": ARRAYS, "rows": ROWS, "columns": COLUMNS, "extent": EXTENT,
        "chunks": CHUNKS, "scratchstep": SCRATCH_STEP, "endsstep": ENDS_STEP, "job": JOB,
        "fallback": FALLBACK, "array": ARRAY_KIND, "single": KIND, "double": OTHER_KIND,
        "nothing": NONE, "wake": WAKE, "totals": TOTALS,
    }  # fmt: skip
    loads = "\n".join(f"  %{n}v = load i64, ptr %{n}" for n in plan)
    fields = ", ".join(
        f"i64 %{n}v" if n not in ("args", "scratch", "ends") else f"i64 %{n}i" for n in _FIELDS
    )
    return f"""{threads_ir()}{_PYTHON}
define ptr @call(ptr %self, ptr %given, i64 %count) {{
entry:
  %pointers = alloca [{MOST + 2} x ptr]
  %own = alloca [{JOB_SLOTS} x i64], align 64
  %near = alloca [{NEAR} x i8], align 128
  %sums = alloca [{NEAR // 128} x double]
  %planp = getelementptr i8, ptr %self, i64 {data}
  %plan = load ptr, ptr %planp
{_slots("%plan", plan)}
{loads}
  %all = icmp eq i64 %count, %arraysv
  br i1 %all, label %loop, label %unusual
loop:
  %i = phi i64 [0, %entry], [%i1, %take]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %ready
one:
  %xp = getelementptr ptr, ptr %given, i64 %i
  %x = load ptr, ptr %xp
  %kindp = getelementptr i8, ptr %x, i64 {kind}
  %kind = load i64, ptr %kindp
  %isarray = icmp eq i64 %kind, %arrayv
  %heldp = getelementptr i8, ptr %x, i64 {data}
  br i1 %isarray, label %look, label %number
number: ; which holds its value itself
  %issingle = icmp eq i64 %kind, %singlev
  %isdouble = icmp eq i64 %kind, %doublev
  %known = or i1 %issingle, %isdouble
  br i1 %known, label %take, label %unusual
look:
  %flagsp = getelementptr i8, ptr %x, i64 {flags}
  %flags = load i32, ptr %flagsp
  %both = and i32 %flags, {FLAGS}
  %whole = icmp eq i32 %both, {FLAGS}
  %elsewherep = load ptr, ptr %heldp
  br i1 %whole, label %take, label %unusual
take:
  %data = phi ptr [%heldp, %number], [%elsewherep, %look]
  %to = getelementptr ptr, ptr %pointers, i64 %i
  store ptr %data, ptr %to
  %i1 = add i64 %i, 1
  br label %loop
ready:
  %k0 = sub i64 %count, 2
  %k1 = sub i64 %count, 1
  %has = icmp ne i64 %scratchstepv, 0
  %s0 = select i1 %has, i64 %k0, i64 0
  %s1 = select i1 %has, i64 %k1, i64 0
  %scratchp = getelementptr ptr, ptr %pointers, i64 %s0
  %endsp = getelementptr ptr, ptr %pointers, i64 %s1
  %scratch = load ptr, ptr %scratchp
  %ends = load ptr, ptr %endsp
  %f = inttoptr i64 %fnv to ptr
  %direct = icmp eq i64 %chunksv, 0
  br i1 %direct, label %alone, label %shared
alone:
  %counted = icmp ne i64 %totalsv, 0
  br i1 %counted, label %sum, label %plain
sum:
  call void %f(ptr %pointers, i64 %rowsv, i64 %columnsv, i64 0, i64 %extentv,
    ptr %near, ptr %sums)
  %tuple = call ptr @PyTuple_New(i64 %totalsv)
  %notuple = icmp eq ptr %tuple, null
  br i1 %notuple, label %failed, label %pack
pack:
  %o = phi i64 [0, %sum], [%o1, %put]
  %moreo = icmp slt i64 %o, %totalsv
  br i1 %moreo, label %new, label %packed
new:
  %sump = getelementptr double, ptr %sums, i64 %o
  %sumv = load double, ptr %sump
  %item = call ptr @PyFloat_FromDouble(double %sumv)
  %noitem = icmp eq ptr %item, null
  br i1 %noitem, label %failed, label %put
put:
  %ignored = call i32 @PyTuple_SetItem(ptr %tuple, i64 %o, ptr %item)
  %o1 = add i64 %o, 1
  br label %pack
packed:
  ret ptr %tuple
plain:
  call void %f(ptr %pointers, i64 %rowsv, i64 %columnsv, i64 0, i64 %extentv,
    ptr %scratch, ptr %ends)
  br label %out
shared:
  %argsi = ptrtoint ptr %pointers to i64
  %scratchi = ptrtoint ptr %scratch to i64
  %endsi = ptrtoint ptr %ends to i64
  %pooled = icmp ne i64 %jobv, 0
  %pooledp = inttoptr i64 %jobv to ptr
  %ownactive = getelementptr i64, ptr %own, i64 {ACTIVE}
  store i64 0, ptr %ownactive
  %ownsequence = getelementptr i64, ptr %own, i64 {SEQUENCE}
  store i64 0, ptr %ownsequence
  %where = select i1 %pooled, ptr %pooledp, ptr %own
  ; a worker must find the job when it wakes
  call void @give(ptr %where, {fields})
  br i1 %pooled, label %rouse, label %finish
rouse:
  %wakep = inttoptr i64 %wakev to ptr
  %woken = call ptr @PyObject_Vectorcall(ptr %wakep, ptr null, i64 0, ptr null)
  %raised = icmp eq ptr %woken, null
  br label %finish
finish:
  %interrupted = phi i1 [false, %shared], [%raised, %rouse]
  %state = call ptr @PyEval_SaveThread()
  call void @finish(ptr %where)
  call void @PyEval_RestoreThread(ptr %state)
  br i1 %interrupted, label %failed, label %out
failed:
  ret ptr null
out:
  %none = inttoptr i64 %nothingv to ptr
  call void @Py_IncRef(ptr %none)
  ret ptr %none
unusual:
  %fallbackp = inttoptr i64 %fallbackv to ptr
  %result = call ptr @PyObject_Vectorcall(ptr %fallbackp, ptr %given, i64 %count, ptr null)
  ret ptr %result
}}
"""


def numbers_ir() -> str:
    assert LAYOUT is not None
    kind, data, flags = LAYOUT
    plan = {
        "fn": FUNCTION, "arrays": ARRAYS, "outs": ROWS, "alloc": COLUMNS, "fallback": FALLBACK,
        "float": KIND, "double": OTHER_KIND, "array": ARRAY_KIND,
    }  # fmt: skip
    loads = "\n".join(f"  %{n}v = load i64, ptr %{n}" for n in plan)
    return f"""{_PYTHON}
; of a kernel of single float64: floats or arrays of one in, a tuple of np.float64 out
define ptr @numbers(ptr %self, ptr %given, i64 %count) {{
entry:
  %pointers = alloca [{MOST + 2} x ptr]
  %values = alloca [{MOST + 2} x double]
  %planp = getelementptr i8, ptr %self, i64 {data}
  %plan = load ptr, ptr %planp
{_slots("%plan", plan)}
{loads}
  %total = add i64 %arraysv, %outsv
  %all = icmp eq i64 %count, %arraysv
  br i1 %all, label %loop, label %unusual
loop:
  %i = phi i64 [0, %entry], [%i1, %take]
  %value = getelementptr double, ptr %values, i64 %i
  %to = getelementptr ptr, ptr %pointers, i64 %i
  store ptr %value, ptr %to
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %rest
one:
  %xp = getelementptr ptr, ptr %given, i64 %i
  %x = load ptr, ptr %xp
  %kindp = getelementptr i8, ptr %x, i64 {kind}
  %kind = load i64, ptr %kindp
  %isfloat = icmp eq i64 %kind, %floatv
  %isdouble = icmp eq i64 %kind, %doublev
  %known = or i1 %isfloat, %isdouble
  %heldp = getelementptr i8, ptr %x, i64 {data}
  br i1 %known, label %take, label %neither
neither:
  %isarray = icmp eq i64 %kind, %arrayv
  br i1 %isarray, label %look, label %unusual
look:
  %flagsp = getelementptr i8, ptr %x, i64 {flags}
  %flags = load i32, ptr %flagsp
  %both = and i32 %flags, {FLAGS}
  %whole = icmp eq i32 %both, {FLAGS}
  %elsewherep = load ptr, ptr %heldp
  br i1 %whole, label %take, label %unusual
take:
  %from = phi ptr [%heldp, %one], [%elsewherep, %look]
  %data = load double, ptr %from
  store double %data, ptr %value
  %i1 = add i64 %i, 1
  br label %loop
rest:
  %j = phi i64 [%i, %loop], [%j1, %rest]
  %valuej = getelementptr double, ptr %values, i64 %j
  %toj = getelementptr ptr, ptr %pointers, i64 %j
  store ptr %valuej, ptr %toj
  %j1 = add i64 %j, 1
  %morej = icmp slt i64 %j1, %total
  br i1 %morej, label %rest, label %ready
ready:
  %f = inttoptr i64 %fnv to ptr
  call void %f(ptr %pointers, i64 1, i64 1, i64 0, i64 1, ptr null, ptr null)
  %tuple = call ptr @PyTuple_New(i64 %outsv)
  %failed = icmp eq ptr %tuple, null
  br i1 %failed, label %error, label %pack
pack:
  %o = phi i64 [0, %ready], [%o1, %put]
  %moreo = icmp slt i64 %o, %outsv
  br i1 %moreo, label %new, label %out
new:
  %allocp = inttoptr i64 %allocv to ptr
  %kindd = inttoptr i64 %doublev to ptr
  %item = call ptr %allocp(ptr %kindd, i64 0)
  %none = icmp eq ptr %item, null
  br i1 %none, label %error, label %put
put:
  %at = add i64 %arraysv, %o
  %resultp = getelementptr double, ptr %values, i64 %at
  %result = load double, ptr %resultp
  %held = getelementptr i8, ptr %item, i64 {data}
  store double %result, ptr %held
  %ignored = call i32 @PyTuple_SetItem(ptr %tuple, i64 %o, ptr %item)
  %o1 = add i64 %o, 1
  br label %pack
out:
  ret ptr %tuple
error:
  ret ptr null
unusual:
  %fallbackp = inttoptr i64 %fallbackv to ptr
  %other = call ptr @PyObject_Vectorcall(ptr %fallbackp, ptr %given, i64 %count, ptr null)
  ret ptr %other
}}
"""
