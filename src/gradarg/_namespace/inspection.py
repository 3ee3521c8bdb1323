"""What can be said of arrays without their elements: dtypes, promotion, limits, devices.

The dtypes are NumPy's objects, so `t.dtype == ga.float32` and `t.dtype in (ga.float32, ga.float64)`
hold, and every NumPy function takes them.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._core.errors import ShapeError
from .arguments import array

__all__ = [
    "bool",
    "broadcast_shapes",
    "can_cast",
    "common_type",
    "complex128",
    "complex64",
    "e",
    "finfo",
    "float16",
    "float32",
    "float64",
    "iinfo",
    "inf",
    "int16",
    "int32",
    "int64",
    "int8",
    "iscomplexobj",
    "isdtype",
    "isrealobj",
    "nan",
    "newaxis",
    "pi",
    "result_type",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
]

bool = np.dtype(np.bool)
int8, int16, int32, int64 = map(np.dtype, (np.int8, np.int16, np.int32, np.int64))
uint8, uint16, uint32, uint64 = map(np.dtype, (np.uint8, np.uint16, np.uint32, np.uint64))
float16, float32, float64 = map(np.dtype, (np.float16, np.float32, np.float64))
complex64, complex128 = map(np.dtype, (np.complex64, np.complex128))

e, inf, nan, newaxis, pi = np.e, np.inf, np.nan, np.newaxis, np.pi


def _dtype_of(x: Any) -> Any:
    dtype = getattr(x, "dtype", None)
    return dtype if isinstance(dtype, np.dtype) else x  # NumPy's scalar types have one too


def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """The dtype to which arrays, dtypes and Python numbers promote.

    >>> import gradarg as ga
    >>> ga.result_type(ga.float32, ga.int8, 1.0)
    dtype('float32')
    """
    return np.result_type(*map(_dtype_of, arrays_and_dtypes))


def can_cast(from_: Any, to: Any, /, casting: Any = "safe") -> builtins.bool:
    """Whether a dtype, or the dtype of an array, casts to another by a casting rule of NumPy's."""
    return np.can_cast(_dtype_of(from_), to, casting)


def common_type(*arrays: Any) -> Any:
    """The floating type that all arrays cast to; integers count as float64."""
    return np.common_type(*(np.empty(0, array(a).dtype) for a in arrays))


def isdtype(dtype: Any, kind: Any) -> builtins.bool:
    """Whether a dtype is of a kind: a dtype, a name as "real floating", or a tuple of them."""
    return np.isdtype(dtype, kind)


def iscomplexobj(x: Any) -> builtins.bool:
    """Whether the dtype is a complex one, whatever the elements."""
    return builtins.bool(array(x).dtype.kind == "c")


def isrealobj(x: Any) -> builtins.bool:
    """Whether the dtype is not a complex one."""
    return not iscomplexobj(x)


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape to which all shapes broadcast."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = ", ".join(map(str, shapes))
        raise ShapeError(f"broadcast_shapes: the shapes {listed} do not broadcast.") from None


@dataclass(frozen=True)
class FloatLimits:
    """The limits of a floating dtype, as Python floats; of a complex one, those of its parts."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    tiny: float
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class IntegerLimits:
    """The limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: np.dtype[Any]


def finfo(type: Any, /) -> FloatLimits:
    """The limits of a floating or complex dtype, or of that of an array.

    >>> import gradarg as ga
    >>> ga.finfo(ga.float32).eps
    1.1920928955078125e-07
    """
    f: Any = np.finfo(_dtype_of(type))
    eps, top, bottom, normal = map(float, (f.eps, f.max, f.min, f.smallest_normal))
    return FloatLimits(int(f.bits), eps, top, bottom, normal, normal, np.dtype(f.dtype))


def iinfo(type: Any, /) -> IntegerLimits:
    """The limits of an integer dtype, or of that of an array."""
    i: Any = np.iinfo(_dtype_of(type))
    return IntegerLimits(int(i.bits), int(i.max), int(i.min), np.dtype(i.dtype))


def at_home(device: Any, name: str) -> None:
    """Refuse any device but the one there is."""
    if device is not None and device != "cpu":
        raise ValueError(f'{name}: there is no device {device!r}; gradarg computes on the "cpu".')


class NamespaceInfo:
    """What the array API standard lets a program ask of a namespace."""

    _KINDS: ClassVar = {
        "bool": ("bool",),
        "signed integer": ("int8", "int16", "int32", "int64"),
        "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
        "real floating": ("float32", "float64"),
        "complex floating": ("complex64", "complex128"),
    }
    _GROUPS: ClassVar = {
        "integral": ("signed integer", "unsigned integer"),
        "numeric": (
            "signed integer",
            "unsigned integer",
            "real floating",
            "complex floating",
        ),
    }

    def capabilities(self) -> dict[str, Any]:
        """What depends on values is there; staging and vmap refuse it, and say so."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """The device of new tensors."""
        return "cpu"

    def devices(self) -> list[str]:
        """All devices."""
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype[Any]]:
        """The dtypes of new tensors, by the kind of number that they are made from."""
        at_home(device, "default_dtypes")
        return {
            "real floating": float64,
            "complex floating": complex128,
            "integral": np.dtype(int),
            "indexing": np.dtype(np.intp),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype[Any]]:
        """The dtypes of the standard, of all kinds or of those that are asked for."""
        at_home(device, "dtypes")
        if kind is None:
            kinds: tuple[str, ...] = tuple(self._KINDS)
        elif isinstance(kind, tuple):
            return {n: d for k in kind for n, d in self.dtypes(kind=k).items()}
        elif kind in self._KINDS or kind in self._GROUPS:
            kinds = self._GROUPS.get(kind, (kind,))
        else:
            known = ", ".join(map(repr, (*self._KINDS, *self._GROUPS)))
            raise ValueError(f"dtypes: the kind {kind!r} is none of {known}.")
        return {name: np.dtype(name) for k in kinds for name in self._KINDS[k]}


def __array_namespace_info__() -> NamespaceInfo:
    """The standard's inspection of this namespace."""
    return NamespaceInfo()
