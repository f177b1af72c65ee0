"""Can samples be told from real images by their nearest neighbour?"""

from __future__ import annotations

import numpy as np

from minigan.metrics.distances import blocks, vectors


def one_nearest_neighbour(real: np.ndarray, fake: np.ndarray) -> float:
    """Leave-one-out accuracy of a 1-nearest-neighbour classifier that tells real from fake.

    0.5 if the two cannot be told apart, 1 if they are far apart, below 0.5 if samples lie closer to
    these real vectors than the real vectors lie to each other. Copies of other real images get 0.5:
    it rewards copying. real, fake: (N, D) each, equally many, as another ratio has another floor.
    Source: Lopez-Paz and Oquab 2017, section 3, with this classifier.

    Raises:
        ValueError: fewer than two vectors, or not equally many of one length.
    """
    real = vectors("real", real, 2)
    fake = vectors("fake", fake, 2)
    if real.shape != fake.shape:
        raise ValueError(f"real and fake must be equally many vectors of one length, got "
                         f"{real.shape} and {fake.shape}")
    both = np.concatenate([real, fake])
    is_real = np.arange(len(both)) < len(real)
    right = 0
    for rows, squared in blocks(both, both):
        here = np.arange(len(both))[rows]
        squared[here - rows.start, here] = np.inf  # leave one out
        neighbour = squared.argmin(1)
        right += int((is_real[neighbour] == is_real[rows]).sum())
    return right / len(both)
