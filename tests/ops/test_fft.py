"""Fourier transforms: spectra, scales, lengths, repeated axes and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradarg as ga
from gradarg.testing import check_grads

RANDOM = np.random.default_rng(5)
X, Z = RANDOM.normal(size=(3, 6)), RANDOM.normal(size=(3, 6)) + 1j * RANDOM.normal(size=(3, 6))


def test_every_name_is_there():
    assert set(np.fft.__all__) <= set(ga.fft.__all__)


def test_energy_in_both_domains():
    """Parseval: the derivative of the energy of a spectrum is twice the signal."""
    for f in (np.fft.fft, np.fft.fftn, np.fft.ifft):
        energy = lambda x, f=f: np.sum(np.abs(f(x, norm="ortho")) ** 2)
        assert_allclose(ga.grad(energy)(X), 2 * X)
        assert_allclose(ga.grad(energy)(Z), 2 * Z)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_there_and_back(n, norm):
    x = RANDOM.normal(size=(2, n))
    c = RANDOM.normal(size=(2, n))
    back = lambda x: np.fft.irfft(np.fft.rfft(x, norm=norm), n, norm=norm)
    out, pullback = ga.vjp(back, x)
    assert_allclose(out, x, atol=1e-14)
    assert_allclose(pullback(c)[0], c, atol=1e-14)
    assert_allclose(ga.jvp(back, (x,), (c,))[1], c, atol=1e-14)


def test_convolution_by_the_spectrum():
    a, b = RANDOM.normal(size=5), RANDOM.normal(size=3)
    convolved = lambda a, b: np.fft.irfft(np.fft.rfft(a, 7) * np.fft.rfft(b, 7), 7)
    assert_allclose(convolved(a, b), np.convolve(a, b))
    check_grads(convolved, (a, b))


def test_what_is_ignored_has_no_derivative():
    """The imaginary parts of the first bin and, for even n, of the last."""
    for n, ignored in ((4, [0, 2]), (5, [0])):
        z = RANDOM.normal(size=3) + 1j * RANDOM.normal(size=3)
        g = ga.grad(lambda z, n=n: np.sum(np.fft.irfft(z, n) ** 3))(z)
        assert_array_equal(np.flatnonzero(g.imag == 0), ignored)
        check_grads(lambda z, n=n: np.fft.irfft(z, n), (z,))


def test_single_precision():
    x = X.astype(np.float32)
    assert np.fft.fft(ga.Tensor(x)).dtype == np.complex64
    assert np.fft.irfft(ga.Tensor(x)).dtype == np.float32
    for f in (np.fft.fft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.fftn):
        loss = lambda x, f=f: np.sum(np.abs(f(x)) ** 2)
        assert ga.grad(loss)(x).dtype == np.float32
        assert_allclose(ga.grad(loss)(x), ga.grad(loss)(X), rtol=1e-4)
        assert ga.hvp(loss)(x, x).dtype == np.float32


def test_frequencies_are_tensors():
    for name in ("fftfreq", "rfftfreq"):
        for n in (1, 4, 5):
            found = getattr(ga.fft, name)(n, 0.25)
            assert isinstance(found, ga.Tensor)
            assert_array_equal(found.value, getattr(np.fft, name)(n, 0.25))
        assert getattr(ga.fft, name)(4, dtype=np.float32).dtype == np.float32
        for module in (np, ga):
            f = lambda d, module=module, name=name: np.sum(getattr(module.fft, name)(6, d) ** 2)
            check_grads(f, (0.3,))


def test_integers_and_truth_values():
    for x in (np.arange(6), np.array([True, False, True])):
        for name in ("fft", "rfft", "irfft", "ihfft", "fftshift"):
            found, expected = (getattr(np.fft, name)(y) for y in (ga.Tensor(x), x))
            assert found.dtype == expected.dtype
            assert_allclose(found.value, expected, atol=1e-14)


def test_mistakes():
    for call, message in (
        (lambda x: np.fft.fft(x, 0), r"fft: .*at least one point.* 0"),
        (lambda x: np.fft.irfft(x[:, :1]), r"irfft: .*at least one point.* 0"),
        (lambda x: np.fft.fft(x, axis=2), r"fft: axis 2"),
        (lambda x: np.fft.fftn(x, (3,), (0, 1)), r"fftn: s=\(3,\).*\(0, 1\)"),
        (lambda x: np.fft.rfftn(x, axes=()), r"rfftn"),
    ):
        with pytest.raises(ga.ShapeError, match=message):
            call(ga.Tensor(X))
    with pytest.raises(ValueError, match=r"fft: norm='orto'"):
        np.fft.fft(ga.Tensor(X), norm="orto")
    with pytest.raises(TypeError, match=r"rfft takes real numbers.*complex128"):
        np.fft.rfft(ga.Tensor(Z))
