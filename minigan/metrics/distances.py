"""Distances between two sets of vectors, block by block: a set of 10,000 takes little memory.

    |a - b|^2 = |a|^2 + |b|^2 - 2 <a, b>

turns all pairs into one matrix product; a block of rows is used up before the next is computed.
"""

from __future__ import annotations

from typing import Iterator

import numpy as np

ROWS = 500  # of a block of distances: 500 x 10,000 float32 are 20 MB


def vectors(name: str, x: np.ndarray, least: int = 1) -> np.ndarray:
    """x as float vectors (N, D): features as they are, uint8 images (N, H, W, C) in [0, 1].

    name: of x, for the errors. least: how many vectors there must be.

    Raises:
        ValueError: fewer than `least` vectors, or values that are not finite.
    """
    x = np.asarray(x)
    if x.ndim < 2 or len(x) < least:
        raise ValueError(f"{name}: expected {least} or more vectors (N, D), got {x.shape}")
    flat = x.reshape(len(x), -1)
    if flat.dtype == np.uint8:
        return flat / np.float32(255)
    flat = flat.astype(np.result_type(flat, np.float32), copy=False)
    if not np.isfinite(flat).all():
        raise ValueError(f"{name}: holds values that are not finite")
    return flat


def blocks(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared distances (rows, M) of a block of a's rows to all of b; a: (N, D), b: (M, D)."""
    b_squares = (b * b).sum(1)
    b_transposed = b.T
    for start in range(0, len(a), ROWS):
        rows = a[start:start + ROWS]
        squared = rows @ b_transposed
        squared *= -2
        squared += (rows * rows).sum(1)[:, None]
        squared += b_squares
        np.maximum(squared, 0, out=squared)  # rounding may leave -1e-7 of 0
        yield slice(start, start + len(rows)), squared


def radii(x: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each vector to its k-th nearest other: (N, D) -> (N,)."""
    result = np.empty(len(x), x.dtype)
    for rows, squared in blocks(x, x):  # the nearest of all, at index 0, is the vector itself
        result[rows] = np.partition(squared, k, axis=1)[:, k]
    return result


def nearest(a: np.ndarray, b: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Each of a's k nearest in b, nearest first: squared distances (N, k), indices (N, k)."""
    best = np.empty((len(a), k), a.dtype)
    index = np.empty((len(a), k), np.int64)
    for rows, squared in blocks(a, b):
        few = np.argpartition(squared, k - 1, axis=1)[:, :k]   # in no order
        values = np.take_along_axis(squared, few, 1)
        order = values.argsort(1, kind="stable")
        best[rows] = np.take_along_axis(values, order, 1)
        index[rows] = np.take_along_axis(few, order, 1)
    return best, index
