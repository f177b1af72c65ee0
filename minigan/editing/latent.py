"""Walking through the latent space."""

from __future__ import annotations

import numpy as np


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray | float) -> np.ndarray:
    """From a (t = 0) to b (t = 1) along the sphere: sin((1-t) w) / sin w a + sin(t w) / sin w b.

    w is the angle between a and b (Shoemake 1985; for latents White 2016, "Sampling Generative
    Networks", section 2.1). Normal vectors of many numbers all have about the same length; the
    straight line between two of them passes far inside, where G was never trained.

    a, b: (..., d), float. t: any shape that broadcasts against (..., 1). Where a and b point in the
    same or in opposite directions, the line is straight. Returns (..., d), of a's dtype.
    """
    length_a = np.linalg.norm(a, axis=-1, keepdims=True)
    length_b = np.linalg.norm(b, axis=-1, keepdims=True)
    smallest = np.finfo(a.dtype).tiny
    product = np.sum(a * b, axis=-1, keepdims=True)
    cosine = product / np.maximum(length_a * length_b, smallest)
    w = np.arccos(np.clip(cosine, -1, 1))                                    # (..., 1)

    straight = np.sin(w) < 1e-3
    sine = np.where(straight, 1, np.sin(w))
    of_a = np.where(straight, 1 - t, np.sin((1 - t) * w) / sine)
    of_b = np.where(straight, t, np.sin(t * w) / sine)
    return (of_a * a + of_b * b).astype(a.dtype)
