"""Are the samples copies? The nearest training image of each, up to a shift by one pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.metrics.distances import nearest, vectors

SHIFTS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def shifted(images: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Images (N, H, W, C) moved down by dy and right by dx, one pixel at most; black comes in."""
    h, w = images.shape[1:3]
    wide = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    top = 1 - dy
    left = 1 - dx
    return wide[:, top:top + h, left:left + w]


def nearest_training(samples: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each sample's nearest training image over the nine shifts by up to one pixel.

    samples, training: uint8 (N, H, W, C), (M, H, W, C).
    Returns distances, float32 (N,), of pixels in [0, 1], and indices into training, int64 (N,).

    Raises:
        ValueError: they are not uint8 images of one shape.
    """
    bytes_only = samples.dtype == training.dtype == np.uint8
    if not bytes_only or samples.shape[1:] != training.shape[1:]:
        raise ValueError(f"samples and training must be uint8 images of one shape, got "
                         f"{samples.dtype} {samples.shape} and {training.dtype} {training.shape}")
    known = vectors("training", training)
    best = np.full(len(samples), np.inf, np.float32)
    index = np.zeros(len(samples), np.int64)
    for dy, dx in SHIFTS:
        moved = vectors("samples", shifted(samples, dy, dx))
        squared, which = nearest(moved, known)
        closer = squared[:, 0] < best
        best[closer] = squared[closer, 0]
        index[closer] = which[closer, 0]
    return np.sqrt(best), index


class CopyTest(NamedTuple):
    """What `copy_test` finds."""

    median: float  # of the samples' distances, over that of unseen images: 1 is as it should be
    near: float    # share of samples nearer than all but 1 % of unseen images: 0.01 as it should be


def copy_test(distances: np.ndarray, unseen: np.ndarray) -> CopyTest:
    """How near samples are to the training images, compared with real images not trained on.

    distances, unseen: what `nearest_training` finds for the samples, (N,), and for unseen real
    images, (M,); quantiles of the latter at equal steps will do.
    """
    limit = np.quantile(unseen, 0.01)
    median = np.median(distances) / np.median(unseen)
    near = (distances < limit).mean()
    return CopyTest(float(median), float(near))
