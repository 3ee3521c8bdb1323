"""Handwritten digits: 1,797 real images of 8 x 8 pixels, which scikit-learn ships."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .extras import needs

__all__ = ["Digits", "digits"]


class Digits(NamedTuple):
    """Images (n, 8, 8) of float32 in 0..1, 1 being ink, and labels (n,) of integers in 0..9."""

    train_images: np.ndarray[Any, Any]
    train_labels: np.ndarray[Any, Any]
    test_images: np.ndarray[Any, Any]
    test_labels: np.ndarray[Any, Any]


def digits() -> Digits:
    """The digits in their fixed split: the last fifth, 359 images, is for the test.

    The images stand in the order in which they were collected, writer by writer, so those for the
    test are largely in hands that the training images do not show: harder than a random split.

    From E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", UCI Machine
    Learning Repository (1998). Raises `ImportError` without scikit-learn
    (`pip install "gradarg[sklearn]"`).

    >>> data = digits()
    >>> data.train_images.shape, data.test_labels.shape
    ((1438, 8, 8), (359,))
    """
    with needs("sklearn", "The set of digits"):
        from sklearn.datasets import load_digits
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 8, 8)
    first = len(images) - len(images) // 5
    return Digits(images[:first], labels[:first], images[first:], labels[first:])
