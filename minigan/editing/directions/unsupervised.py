"""Directions that need no measurement: what the generator's first layer reacts to most.

pca       GANSpace: Härkönen et al. 2020, https://arxiv.org/abs/2004.02546, section 2.2: principal
          components of what a layer computes, and the latents that go with each.
weights   SeFa: Shen and Zhou 2021, "Closed-Form Factorization of Latent Semantics in GANs",
          https://arxiv.org/abs/2007.06600, section 2.2: eigenvectors of A^T A, the first layer
          being A z + b. They are the right singular vectors of A.

Of the layer's output A z + b itself, for normal z, the components would be those of SeFa: its
covariance is A A^T. So GANSpace looks behind the activation here, where the two differ.
"""

from __future__ import annotations

import numpy as np

from minigan.editing.directions.first_layer import activations, linear_map
from minigan.editing.drawing import Drawing

FLAT = 1e-6  # of the largest singular value or variance: what is below is rounding


def by_weights(drawing: Drawing, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (count, d), the strongest first, and their singular values (count,).

    Raises:
        ValueError: no weight is multiplied by the latents.
    """
    _, values, directions = np.linalg.svd(linear_map(drawing), full_matrices=False)
    count = min(count, _large(values))
    return directions[:count], values[:count]


def by_pca(drawing: Drawing, z: np.ndarray, labels: np.ndarray, count: int
           ) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (count, d), and the share of the variance that each component has, (count,).

    z: float32 (n, d). labels: int64 (n,), all 0 where there are no classes. Each class's mean is
    removed from the activations: they would tell the classes apart first.

    Raises:
        ValueError: no weight is multiplied by the latents.
    """
    y = activations(drawing, z, labels)                             # (n, units)
    for label in np.unique(labels):
        y[labels == label] -= y[labels == label].mean(axis=0)

    scores, share = components(y, min(count, drawing.latent_size))
    latents = z - z.mean(axis=0, dtype=np.float64)
    # U = argmin of the sum of ||U x_j - z_j||^2: scores of two components are not correlated, so
    # each column of U is a regression of its own, and only its direction counts.
    directions = scores.T @ latents                                 # (count, d)
    return directions / np.linalg.norm(directions, axis=1, keepdims=True), share


def components(y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first principal components of centred rows y (n, units): scores (n, count) and the share
    of all variance (count,).

    The scores are the eigenvectors of y y^T, times the roots of their eigenvalues. Components that
    have nothing to explain are left out.
    """
    values, vectors = np.linalg.eigh(y @ y.T)
    values = values[::-1]                                           # the largest first
    vectors = vectors[:, ::-1]
    count = min(count, _large(values))
    scores = vectors[:, :count] * np.sqrt(values[:count])
    return scores, values[:count] / np.square(y).sum()


def _large(values: np.ndarray) -> int:
    """How many of these numbers, the largest first, are more than rounding beside it."""
    return int(np.count_nonzero(values > FLAT * values[0]))
