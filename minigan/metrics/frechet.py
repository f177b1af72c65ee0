"""Frechet distance: how far apart two sets are, taken as two Gaussians."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.metrics.distances import vectors


class Gaussian(NamedTuple):
    """The statistics of a set of vectors that `frechet_distance` compares, in float64."""

    mean: np.ndarray        # m: (D,)
    covariance: np.ndarray  # C: (D, D), divided by N - 1


def gaussian(x: np.ndarray) -> Gaussian:
    """Mean and covariance of vectors (N, D), N at least 2.

    Raises:
        ValueError: not such vectors, or values that are not finite.
    """
    x = vectors("x", x, 2).astype(np.float64)
    covariance = np.atleast_2d(np.cov(x, rowvar=False))
    return Gaussian(x.mean(0), covariance)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """The squared 2-Wasserstein distance of N(m_a, C_a) and N(m_b, C_b):

        |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).

    The trace of the root is that of (S C_b S)^(1/2) with S = C_a^(1/2), which is symmetric, so its
    eigenvalues are real. Small sets look further apart than they are: compare equal N only. It
    rewards copying. Source: Dowson and Landau 1982; for samples Heusel et al. 2017, eq. 6, there in
    the features of the Inception network, so numbers in papers cannot be compared with this one.
    """
    values, axes = np.linalg.eigh(a.covariance)
    roots = np.sqrt(np.maximum(values, 0))                        # rounding may leave -1e-12 of 0
    s = (axes * roots) @ axes.T                                   # S
    product = np.linalg.eigvalsh(s @ b.covariance @ s)            # eigenvalues of S C_b S

    shift = ((a.mean - b.mean) ** 2).sum()                        # |m_a - m_b|^2
    traces = shift + np.trace(a.covariance) + np.trace(b.covariance)
    distance = traces - 2 * np.sqrt(np.maximum(product, 0)).sum()
    return float(max(distance, 0.0))
