"""Kernel distance (KID): a two-sample statistic without bias, and how much it varies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.metrics.distances import vectors
from minigan.streams import Stream


class KernelDistance(NamedTuple):
    """What `kernel_distance` finds, over its subsets."""

    mean: float
    deviation: float  # standard deviation of the subsets' values: of one value, not of the mean


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(<x, y> / D + 1)^3 for all pairs: (N, D), (M, D) -> (N, M)."""
    dimension = x.shape[1]
    return (x @ y.T / dimension + 1) ** 3


def mmd_squared(x: np.ndarray, y: np.ndarray) -> float:
    """Squared maximum mean discrepancy, unbiased: for equal distributions 0 on average, so it can
    be negative.

        mean over i != j of k(x_i, x_j) + mean over i != j of k(y_i, y_j) - 2 mean of k(x_i, y_j)

    x, y: (N, D), (M, D). Source: Gretton et al. 2012, eq. 3, with the kernel above.
    """
    among_x = _mean_of_pairs(polynomial_kernel(x, x))
    among_y = _mean_of_pairs(polynomial_kernel(y, y))
    between = polynomial_kernel(x, y).mean()
    return float(among_x + among_y - 2 * between)


def _mean_of_pairs(k: np.ndarray) -> float:
    """Mean over i != j of k (N, N)."""
    n = len(k)
    return (k.sum() - np.trace(k)) / (n * (n - 1))


def kernel_distance(real: np.ndarray, fake: np.ndarray, subset: int = 1000, subsets: int = 20,
                    seed: int = 0) -> KernelDistance:
    """Mean and deviation of `mmd_squared` over random subsets of both sets. It rewards copying.

    real, fake: (N, D), (M, D). subset: vectors in each; fewer where a set has fewer. seed: of the
    draws. Source: Binkowski et al. 2018 (KID), there in the features of the Inception network.

    Raises:
        ValueError: fewer than two vectors, or values that are not finite.
    """
    real = vectors("real", real, 2).astype(np.float64)
    fake = vectors("fake", fake, 2).astype(np.float64)
    size = min(subset, len(real), len(fake))
    stream = Stream(seed, "kernel distance")
    values = []
    for _ in range(subsets):
        some_real = real[stream.permutation(len(real))[:size]]
        some_fake = fake[stream.permutation(len(fake))[:size]]
        values.append(mmd_squared(some_real, some_fake))
    return KernelDistance(float(np.mean(values)), float(np.std(values)))
