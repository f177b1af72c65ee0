"""The map between bytes and the model's range, float32 in [-1, 1], that of a tanh output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def to_model(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bytes to the model's range: x = u / 127.5 - 1, so 0 is -1 and 255 is exactly 1.

    images: uint8, any shape. Returns a new float32 array of the same shape, in [-1, 1].

    Raises:
        TypeError: images is not a uint8 array.
    """
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise TypeError(f"images: expected a uint8 NumPy array, got {named_type(images)}")
    x = images.astype(np.float32)
    x /= 127.5
    x -= 1
    return x


def to_bytes(x: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The model's range to bytes: u = clip(rint((x + 1) * 127.5), 0, 255), to_model's inverse.

    It rounds: cutting the fraction off would return 63 of the 256 values one too low.

    x: a float array, any shape; what lies outside [-1, 1] is clipped. Returns a new uint8 array of
    the same shape.

    Raises:
        TypeError: x is not a float array.
        ValueError: x holds a NaN, for which there is no byte (the cast would make one up).
    """
    if not isinstance(x, np.ndarray) or not np.issubdtype(x.dtype, np.floating):
        raise TypeError(f"x: expected a float NumPy array, got {named_type(x)}")
    if np.isnan(x).any():
        raise ValueError(f"x: holds {np.count_nonzero(np.isnan(x))} NaN of {x.size} values")
    levels: NDArray[np.floating] = np.clip(np.rint((x + 1) * 127.5), 0, 255)
    return levels.astype(np.uint8)


def named_type(value: object) -> str:
    """What an argument is, for an error."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"a {type(value).__name__}"
