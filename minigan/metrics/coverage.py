"""Do the samples look real, and do they cover what is real? Two pairs of numbers for that."""

from __future__ import annotations

import numpy as np

from minigan.metrics.distances import blocks, radii, vectors


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float]:
    """Share of samples among the real, and share of the real among the samples.

    A vector is among a set X if it lies within the ball around some x of X that just reaches x's
    k-th nearest neighbour in X. Precision falls with samples that are not real, recall with modes
    that are missing. Copies of real vectors score best in both: it rewards copying.

    real, fake: (N, D), (M, D). Source: Kynkaanniemi et al. 2019, eq. 1 and 2 (there k = 3).
    """
    real, fake = vectors("real", real, k + 1), vectors("fake", fake, k + 1)
    real_radii, fake_radii = radii(real, k), radii(fake, k)
    recalled, precise = np.zeros(len(real), bool), np.zeros(len(fake), bool)
    for rows, squared in blocks(real, fake):
        recalled[rows] = (squared <= fake_radii).any(1)
        precise |= (squared <= real_radii[rows, None]).any(0)
    return float(precise.mean()), float(recalled.mean())


def density_coverage(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float]:
    """How many real balls hold a sample, on average, over k; share of real balls that hold one.

        density  = 1 / (k M) sum over samples of #{real balls that hold it}
        coverage = 1 / N     sum over real balls of [it holds a sample]

    with the balls of `precision_recall` around the real vectors only, so an outlier among the
    samples covers nothing. Equal distributions have density 1 and coverage 1 - 2^-k about.

    real, fake: (N, D), (M, D). Source: Naeem et al. 2020, section 3.
    """
    real, fake = vectors("real", real, k + 1), vectors("fake", fake)
    real_radii = radii(real, k)
    held, covered = 0, np.zeros(len(real), bool)
    for rows, squared in blocks(real, fake):
        inside = squared <= real_radii[rows, None]
        held += int(inside.sum())
        covered[rows] = inside.any(1)
    return held / (k * len(fake)), float(covered.mean())
