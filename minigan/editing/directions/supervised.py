"""Directions from what is measured: InterFaceGAN, Shen et al. 2020, "Interpreting the Latent Space
of GANs for Semantic Face Editing", https://arxiv.org/abs/1907.10786.

The paper separates latents with and without an attribute by a hyperplane, whose normal is the
direction. Where an attribute is a number, a linear regression finds the normal without a threshold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RIDGE = 1.0  # added to the squares of the latents' n numbers: it counts only where draws are few


class Regression(NamedTuple):
    """How attributes follow from latents: value = class mean + (z - centre) weights."""

    weights: np.ndarray   # float64 (d, a)
    centre: np.ndarray    # float64 (d,)
    means: np.ndarray     # float64 (classes, a)

    def predicted(self, z: np.ndarray) -> np.ndarray:
        """What the latents say of the attributes, (n, a), less the mean of the class."""
        return (z - self.centre) @ self.weights

    def residual(self, values: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Attributes (n, a) less the mean of their class."""
        return values - self.means[labels]

    def correlations(self, z: np.ndarray, values: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Pearson's r of prediction and attribute within classes, (a,); 0 where one is constant."""
        predicted = self.predicted(z)
        wanted = self.residual(values, labels)
        predicted = predicted - predicted.mean(axis=0)
        wanted = wanted - wanted.mean(axis=0)
        spread = np.sqrt((predicted ** 2).sum(axis=0) * (wanted ** 2).sum(axis=0))
        return (predicted * wanted).sum(axis=0) / np.where(spread > 0, spread, 1)


def regressed(z: np.ndarray, values: np.ndarray, labels: np.ndarray, classes: int = 1
              ) -> Regression:
    """The ridge regression of attributes on latents, with the means of the classes removed.

    z: (n, d). values: (n, a). labels: integers (n,) below `classes`. An attribute whose classes
    differ, such as the width of 0 and 1, is explained within the classes only.
    """
    z = z.astype(np.float64)
    counts = np.bincount(labels, minlength=classes)
    means = np.zeros((classes, values.shape[1]))
    np.add.at(means, labels, values)
    means /= np.maximum(counts, 1)[:, None]

    centre = z.mean(axis=0)
    z = z - centre
    squares = z.T @ z + RIDGE * np.eye(z.shape[1])
    weights = np.linalg.solve(squares, z.T @ (values - means[labels]))
    return Regression(weights, centre, means)


def conditional(weights: np.ndarray) -> np.ndarray:
    """Unit directions (a, d), each of which leaves the other attributes where they are.

    Conditional manipulation, section 2.2 of the paper: from each column of `weights` (d, a) its
    projection onto the space that the other columns span is subtracted. So what the regression
    predicts of the other attributes does not change along it.

    Raises:
        ValueError: nothing is left of a direction: there are more attributes than numbers in a
            latent, or one attribute follows from the others.
    """
    directions = np.empty_like(weights.T)
    for i, own in enumerate(weights.T):
        others = np.delete(weights, i, axis=1)                      # (d, a - 1)
        share = np.linalg.lstsq(others, own, rcond=None)[0]
        rest = own - others @ share
        length = np.linalg.norm(rest)
        if length <= 1e-6 * np.linalg.norm(own):
            raise ValueError(f"directions: latents of {len(weights)} numbers have no direction "
                             f"that moves one of {weights.shape[1]} attributes alone")
        directions[i] = rest / length
    return directions
