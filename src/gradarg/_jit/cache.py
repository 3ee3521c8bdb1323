"""Object code on disk, by content: what was compiled once is not compiled again.

A file's name is the hash of what it was made from, and it begins with the hash of what it holds:
one that was cut short or damaged is as good as none. Files are written aside and moved into place,
so that many processes can write at once. Where the folder cannot be written, nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path

LIMIT = 256 << 20  # bytes of all files; the longest unused go first
_SUFFIX = ".gao"
_written = 0  # bytes since the folder was last looked through


def folder() -> Path | None:
    """$GRADARG_CACHE, or gradarg in the user's folder for such files; empty: none at all."""
    named = os.environ.get("GRADARG_CACHE")
    if named is not None:
        return Path(named) if named else None
    try:
        if sys.platform == "win32":
            root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            root = Path.home() / "Library" / "Caches"
        else:
            root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        found = root / "gradarg"
        if hasattr(os, "getuid") and found.exists():
            status = found.stat()
            if status.st_uid != os.getuid() or status.st_mode & 0o022:
                return None  # others could put code there that we would run
        return found
    except (OSError, RuntimeError):  # there is no home
        return None


def key(*parts: str) -> str:
    """The name of what is made from these texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def load(name: str) -> bytes | None:
    """What was stored under this name, whole; else None."""
    where = folder()
    if where is None:
        return None
    path = where / f"{name}{_SUFFIX}"
    try:
        held = path.read_bytes()
    except OSError:
        return None
    if len(held) <= 32 or hashlib.sha256(held[32:]).digest() != held[:32]:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return held[32:]


def store(name: str, code: bytes) -> None:
    """Keep object code under this name, if that can be."""
    global _written
    where = folder()
    if where is None:
        return
    aside = None
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=where)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(aside, where / f"{name}{_SUFFIX}")
    except OSError:
        if aside is not None:
            with contextlib.suppress(OSError):
                os.unlink(aside)
        return
    if _written == 0 or _written > LIMIT // 16:
        _written = 0
        trim(where)
    _written += len(code)


def trim(where: Path) -> None:
    """Delete the longest unused files beyond the limit."""
    files = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(where):
            if entry.name.endswith(_SUFFIX):
                with contextlib.suppress(OSError):  # another process was sooner
                    status = entry.stat()
                    files.append((status.st_mtime, status.st_size, entry.path))
    held = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if held <= LIMIT:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        held -= size
