"""Do samples look real, and do they cover all that is real? Two pairs of numbers that tell."""

from __future__ import annotations

import numpy as np

from minigan.metrics.distances import blocks, radii, vectors


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float]:
    """Share of samples that lie among the real, and share of the real that lie among the samples.

        f(v, X)   = 1 if |v - x| <= |x - NN_k(x, X)| for some x of X, else 0             (eq. 1)
        precision = mean over samples of f(sample, real)                                 (eq. 2)
        recall    = mean over the real of f(real vector, samples)                        (eq. 2)

    NN_k(x, X) is x's k-th nearest neighbour in X: v lies among X if it is inside the ball around
    some x that just reaches that neighbour. Samples that do not look real lower the precision,
    missing modes the recall. Copies of real vectors score best in both: it rewards copying.

    real, fake: (N, D), (M, D). Source: Kynkaanniemi et al. 2019, eq. 1 and 2 (there k = 3).

    Raises:
        ValueError: not vectors of one length, or k or fewer of them.
    """
    real = vectors("real", real, k + 1)
    fake = vectors("fake", fake, k + 1)
    real_radii = radii(real, k)
    fake_radii = radii(fake, k)
    among_fake = np.zeros(len(real), bool)
    among_real = np.zeros(len(fake), bool)
    for rows, squared in blocks(real, fake):
        in_fake_ball = squared <= fake_radii
        in_real_ball = squared <= real_radii[rows, None]
        among_fake[rows] = in_fake_ball.any(1)
        among_real |= in_real_ball.any(0)
    precision = among_real.mean()
    recall = among_fake.mean()
    return float(precision), float(recall)


def density_coverage(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float]:
    """How many real balls hold a sample, on average, over k; share of real balls that hold one.

        density  = 1 / (k M) sum over samples of #{real balls that hold it}
        coverage = 1 / N     sum over real balls of [it holds a sample]

    with the balls of `precision_recall` around the real vectors only, so an outlier among the
    samples covers nothing. Equal distributions have density 1 and coverage of about 1 - 2^-k.

    real, fake: (N, D), (M, D). Source: Naeem et al. 2020, section 3.

    Raises:
        ValueError: not vectors of one length, or k or fewer real ones.
    """
    real = vectors("real", real, k + 1)
    fake = vectors("fake", fake)
    real_radii = radii(real, k)
    held = 0
    covered = np.zeros(len(real), bool)
    for rows, squared in blocks(real, fake):
        in_real_ball = squared <= real_radii[rows, None]
        held += int(in_real_ball.sum())
        covered[rows] = in_real_ball.any(1)
    density = held / (k * len(fake))
    return density, float(covered.mean())
