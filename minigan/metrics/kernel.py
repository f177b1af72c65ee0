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
    return (x @ y.T / x.shape[1] + 1) ** 3


def mmd_squared(x: np.ndarray, y: np.ndarray) -> float:
    """Squared maximum mean discrepancy, unbiased: 0 on average for one distribution, or negative.

        mean over i != j of k(x_i, x_j) + mean over i != j of k(y_i, y_j) - 2 mean of k(x_i, y_j)

    x, y: (N, D), (M, D). Source: Gretton et al. 2012, eq. 3, with the kernel above.
    """
    inner = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))
             for k in (polynomial_kernel(x, x), polynomial_kernel(y, y))]
    return float(sum(inner) - 2 * polynomial_kernel(x, y).mean())


def kernel_distance(real: np.ndarray, fake: np.ndarray, subset: int = 1000, subsets: int = 20,
                    seed: int = 0) -> KernelDistance:
    """Mean and deviation of `mmd_squared` over random subsets of both sets. It rewards copying.

    real, fake: (N, D), (M, D). subset: vectors of each; fewer where a set has fewer.
    Source: Binkowski et al. 2018 (KID), there in the features of the Inception network.
    """
    real, fake = (vectors(name, x, 2).astype(np.float64)
                  for name, x in (("real", real), ("fake", fake)))
    size, stream = min(subset, len(real), len(fake)), Stream(seed, "kernel distance")
    found = [mmd_squared(real[stream.permutation(len(real))[:size]],
                         fake[stream.permutation(len(fake))[:size]]) for _ in range(subsets)]
    return KernelDistance(float(np.mean(found)), float(np.std(found)))
