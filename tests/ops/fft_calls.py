"""Calls of the Fourier transforms: lengths that cut and pad, axes, and each scale."""

from collections.abc import Iterator

from tests.ops.call import Call, smooth
from tests.ops.sample import complex_values, values

V, M, C, Z = values((5,)), values((3, 4)), values((2, 3, 4)), complex_values((3, 4))
NORMS = (None, "backward", "ortho", "forward")


def calls() -> Iterator[Call]:
    for name in ("fft", "ifft", "rfft", "ihfft", "irfft", "hfft"):
        yield smooth(f"fft.{name}", V)
        for norm in NORMS:
            yield smooth(f"fft.{name}", M, 6, axis=0, norm=norm)
        yield smooth(f"fft.{name}", C, n=3)
        yield smooth(f"fft.{name}", C, 1, 1)
        if name not in ("rfft", "ihfft"):
            yield smooth(f"fft.{name}", Z)
            yield smooth(f"fft.{name}", Z, 5, -2, "ortho")
    for name in ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"):
        yield smooth(f"fft.{name}", M)
        yield smooth(f"fft.{name}", C, axes=(2, 0), norm="ortho")
        yield smooth(f"fft.{name}", C, s=(3, 5), axes=(1, -1))
        yield smooth(f"fft.{name}", C, s=(-1, 2), axes=(0, 1), norm="forward")
        yield smooth(f"fft.{name}", C, axes=(1,))
        if not name.startswith("r"):
            yield smooth(f"fft.{name}", Z)
    yield smooth("fft.fftn", M, axes=(1, 0, 1))  # an axis named twice is transformed twice
    yield smooth("fft.rfftn", C)
    for name in ("fftshift", "ifftshift"):
        for axes in (None, 1, -1, (0, 2), [1]):
            yield smooth(f"fft.{name}", C, axes)
        yield smooth(f"fft.{name}", V)
        yield smooth(f"fft.{name}", Z)
