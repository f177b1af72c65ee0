"""A feature space for any pictures: what they look like from afar, and where their edges are.

    colours  the mean of each channel in 4x4 places
    edges    how strong differences of neighbouring pixels are, in 4 directions, in 4x4 places, at
             3 scales: the pictures themselves, and made smaller to a half and to a quarter

After the gist of Oliva and Torralba 2001, "Modeling the shape of the scene", which measures edges
with Gabor filters; here they are plain differences. Nothing is trained and nothing is random: the
same pictures have the same features everywhere, without a download. Blur weakens the edges of the
first scale, noise strengthens them, another mixture of motifs moves the means, and a missing motif
leaves regions of the space empty. The features do not know what is drawn: a distance between them
is not an FID (Heusel et al. 2017), which needs a network that was trained on a million photographs;
compare it with what real pictures get, and with other runs on the same pictures.
"""

from __future__ import annotations

import numpy as np

PLACES = 4   # each way
SCALES = 3
BLOCK = 250  # pictures computed at a time


def gist(images: np.ndarray) -> np.ndarray:
    """Features, float32 (N, D), of pictures uint8 (N, H, W, C) of any size and number of channels.

    D is 16 C for the colours and up to 192 for the edges; a scale of a single pixel has none.

    Raises:
        ValueError: images are not uint8 (N, H, W, C), one or more.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or not images.size:
        raise ValueError(f"images: expected uint8 (N, H, W, C), one or more, got {images.dtype} "
                         f"{images.shape}")
    starts = range(0, len(images), BLOCK)
    return np.concatenate([_features(images[start:start + BLOCK]) for start in starts])


def _features(images: np.ndarray) -> np.ndarray:
    """The features (n, D) of pictures (n, H, W, C)."""
    x = images.astype(np.float32) / np.float32(255)                     # (n, H, W, C)
    maps = [reduced(x, PLACES, PLACES)]
    for _ in range(SCALES):
        height, width = x.shape[1:3]
        if min(height, width) < 2:
            break
        maps += [reduced(edges, PLACES, PLACES) for edges in _edges(x)]
        x = reduced(x, (height + 1) // 2, (width + 1) // 2)
    flat = [each.reshape(len(images), -1) for each in maps]
    return np.concatenate(flat, axis=1)


def _edges(x: np.ndarray) -> list[np.ndarray]:
    """How much neighbours differ, to the right, below and on both diagonals: (n, H-1, W-1, 1)."""
    here = x[:, :-1, :-1]
    right = x[:, :-1, 1:]
    below = x[:, 1:, :-1]
    across = x[:, 1:, 1:]
    pairs = [(right, here), (below, here), (across, here), (below, right)]
    return [np.abs(a - b).mean(axis=3, keepdims=True) for a, b in pairs]


def reduced(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pictures (n, H, W, C) as (n, height, width, C): each new pixel is the mean of its area."""
    n, h, w, c = x.shape
    rows = _areas(h, height)                                            # (height, H)
    columns = _areas(w, width)                                          # (width, W)
    y = rows @ x.reshape(n, h, w * c)                                   # (n, height, W C)
    y = y.reshape(n * height, w, c)
    return (columns @ y).reshape(n, height, width, c)


def _areas(size: int, parts: int) -> np.ndarray:
    """The share of each of `size` pixels in each of `parts` equal areas: (parts, size)."""
    borders = np.arange(parts + 1) * size / parts
    pixel = np.arange(size)
    starts = np.maximum(borders[:-1, None], pixel)                      # of the overlap
    ends = np.minimum(borders[1:, None], pixel + 1)
    overlap = np.maximum(ends - starts, 0)
    return (overlap * parts / size).astype(np.float32)
