"""Small versions of pictures, in which copies are looked for, and distances between them."""

from __future__ import annotations

import numpy as np

from minigan.metrics.copies import SHIFTS
from minigan.metrics.distances import blocks
from minigan.metrics.gist import reduced
from minigan.metrics.reference import class_spreads

NUMBERS = 1024       # of a thumbnail, at most
BLOCK = 250          # pictures made smaller at a time
LOOKED_AT = 1_000    # samples, at most, whose nearest pictures are looked for
DOUBLE = 0.05        # thumbnails no further apart than this are of the same picture


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Pictures uint8 (N, H, W, C) in [0, 1], float32 (N, h, w, C), with h w C at most NUMBERS.

    Small pictures stay as they are; the others are averaged over equal areas, which also takes most
    of a copy's noise away.
    """
    _, height, width, channels = images.shape
    side = max(1, int(np.sqrt(NUMBERS / channels)))
    h = min(height, side)
    w = min(width, side)
    smaller = []
    for start in range(0, len(images), BLOCK):
        block = images[start:start + BLOCK].astype(np.float32)
        smaller.append(reduced(block / np.float32(255), h, w))
    return np.concatenate(smaller)


def nearest_pictures(some: np.ndarray, known: np.ndarray, own: np.ndarray | None = None
                     ) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of thumbnails `known` for each of `some`, over the nine shifts by up to a pixel.

    some, known: (N, h, w, C), (M, h, w, C). own: (N,), the index of each in `known`, if it is there
    and must not be its own neighbour. At the border of a shifted picture its last pixels repeat.
    Returns distances, float32 (N,), and indices into `known`, int64 (N,).
    """
    flat = known.reshape(len(known), -1)
    h, w = some.shape[1:3]
    wide = np.pad(some, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    best = np.full(len(some), np.inf, np.float32)
    index = np.zeros(len(some), np.int64)
    for dy, dx in SHIFTS:
        top = 1 - dy
        left = 1 - dx
        moved = wide[:, top:top + h, left:left + w].reshape(len(some), -1)
        for rows, squared in blocks(moved, flat):
            each = np.arange(len(squared))
            if own is not None:
                squared[each, own[rows]] = np.inf
            which = squared.argmin(1)
            values = squared[each, which]
            closer = values < best[rows]
            best[rows] = np.where(closer, values, best[rows])
            index[rows] = np.where(closer, which, index[rows])
    return np.sqrt(best), index


def mean_distance(x: np.ndarray) -> float:
    """Mean distance of two different vectors of x (N, D)."""
    one_class = np.zeros(len(x), int)
    return float(class_spreads(x, one_class, 1)[0])


def to_nearest_other(x: np.ndarray) -> np.ndarray:
    """Distance of each vector of x (N, D) to its nearest other: float32 (N,)."""
    result = np.empty(len(x), np.float32)
    for rows, squared in blocks(x, x):
        each = np.arange(len(squared))
        squared[each, rows.start + each] = np.inf
        result[rows] = np.sqrt(squared.min(1))
    return result
