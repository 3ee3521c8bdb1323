"""The threads of the compiled functions: few, and asleep unless a kernel has just run.

A kernel cut into chunks is given out as a job; workers claim chunks beside the caller, in machine
code, without the lock of the interpreter. When there has been none for some microseconds they go
to sleep, so that they stand in nobody's way, BLAS's threads least of all. If a worker wakes too
late the caller has done it all.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import threading
from typing import Any

from . import native

_SPINS = 500  # looks for another job before a worker sleeps: about 20 microseconds


def _default() -> int:
    named = os.environ.get("GRADARG_NUM_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _processor() -> Any:
    """What says on which processor a thread runs, where that can be chosen too; else None."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


_FEW = 4  # threads: of more, the system finds free processors
_threads = _default()
_lock = threading.Lock()
_pool: Pool | None = None


def set_num_threads(count: int) -> None:
    """Let compiled functions use this many threads; at first, as many as there are processors.

    `GRADARG_NUM_THREADS` in the environment sets it too. Results are the same from call to call
    for one number of threads; sums can differ in the last place between two.
    """
    global _threads, _pool
    if count < 1:
        raise ValueError(f"set_num_threads takes a number of at least 1, not {count}.")
    with _lock:
        _threads = int(count)
        old, _pool = _pool, None
    if old is not None:
        old.stop()


def get_num_threads() -> int:
    """How many threads compiled functions may use."""
    return _threads


def pool() -> Pool:
    """The pool of as many threads as are allowed now."""
    global _pool
    found = _pool
    if found is None:
        with _lock:
            if _pool is None:
                _pool = Pool(_threads)
            found = _pool
    return found


class Pool:
    """Workers, one fewer than threads: the caller is one too."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.busy = threading.Lock()  # one job at a time
        self.job = native.new_job()
        self.address = native.address(self.job)
        self._serve = native.server()
        self._stopped = False
        self._asleep = [False] * (threads - 1)
        self._beds = [threading.Lock() for _ in self._asleep]
        self._workers: list[threading.Thread] = []
        self._processor = _processor() if threads <= _FEW else None
        self._callers = -1  # the processor that workers keep off

    def wake(self) -> None:
        """Have the workers look for the job that has been given."""
        if not self._workers:
            for k, bed in enumerate(self._beds):
                bed.acquire()
                worker = threading.Thread(
                    target=self._work, args=(k,), name=f"gradarg-{k + 1}", daemon=True
                )
                self._workers.append(worker)
                worker.start()
        if self._processor is not None and True in self._asleep:
            self._keep_off(self._processor())
        for k, asleep in enumerate(self._asleep):
            if asleep:
                self._asleep[k] = False
                self._rouse(k)

    def _keep_off(self, here: int) -> None:
        """Have workers wake elsewhere than on the caller's processor.

        Some systems wake a thread beside the one that wakes it, to let other processors sleep; the
        caller goes on to compute, and the two would take turns.
        """
        if here == self._callers:
            return
        self._callers = here
        with contextlib.suppress(OSError):
            others = os.sched_getaffinity(0) - {here}
            for worker in self._workers:
                if others and worker.native_id is not None:
                    os.sched_setaffinity(worker.native_id, others)

    def _rouse(self, k: int) -> None:
        try:
            self._beds[k].release()
        except RuntimeError:  # it is awake already
            return

    def _work(self, k: int) -> None:
        last = native.sequence(self.job)
        while not self._stopped:
            last = self._serve(self.address, last, k + 1, _SPINS)
            self._asleep[k] = True
            if native.sequence(self.job) != last:
                self._asleep[k] = False
                continue
            self._beds[k].acquire()
            self._asleep[k] = False

    def stop(self) -> None:
        """Send the workers away, and wait until they are."""
        with self.busy:
            self._stopped = True
            for k in range(len(self._workers)):
                self._rouse(k)
        for worker in self._workers:
            if worker is not threading.current_thread():
                worker.join(1.0)


def _at_exit() -> None:
    """Workers must be out of the machine code before it goes."""
    global _pool
    old, _pool = _pool, None
    if old is not None:
        old.stop()


def _after_fork() -> None:
    """A child has none of its parent's threads, and its own locks."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
