"""Statistics of MNIST test digits, with which samples are compared without a download.

`benchmarks/make_reference.py` drew 5,000 of the 10,000 test digits at random and wrote their
statistics to `reference.npz`; the other 5,000, measured like samples of a GAN, gave the floors. The
halves are random because the second half of MNIST's file is harder than the first.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigan.metrics.distances import blocks, vectors
from minigan.metrics.frechet import Gaussian, gaussian
from minigan.metrics.judges import features

PATH = Path(__file__).with_name("reference.npz")
N_VECTORS = 3000  # of the reference that are kept one by one
PERCENT = np.linspace(0, 1, 101)
FLOOR = "floor/"  # what the names of floors begin with in the file


class Reference(NamedTuple):
    """Statistics of real images that were held out."""

    features: np.ndarray   # float32 (3000, 64), of the first judge
    gaussian: Gaussian     # of the features of all 5,000
    distances: np.ndarray  # to the nearest of the package's digits: percentiles, float32 (101,)
    spreads: np.ndarray    # mean distance of two images of a class, float32 (10,)
    floors: dict[str, float]  # what the digit test finds for other test digits, by a row's name


def class_spreads(images: np.ndarray, labels: np.ndarray, n_classes: int = 10) -> np.ndarray:
    """Mean distance of two different images of a class, pixels in [0, 1]: float32 (n_classes,).

    It is small for a generator that draws each class in one way only, and NaN for a class with
    fewer than two images. images: uint8 (N, H, W, C) or vectors (N, D); labels: integers (N,).

    Raises:
        ValueError: no images, or values that are not finite.
    """
    x = vectors("images", images)
    spreads = np.full(n_classes, np.nan, np.float32)
    for label in range(n_classes):
        own = x[labels == label]
        n = len(own)
        if n < 2:
            continue
        total = 0.0
        for rows, squared in blocks(own, own):
            here = np.arange(len(squared))
            squared[here, rows.start + here] = 0  # to itself, where rounding may leave more
            total += float(np.sqrt(squared).sum(dtype=np.float64))
        spreads[label] = total / (n * (n - 1))
    return spreads


def summarise(images: np.ndarray, labels: np.ndarray, distances: np.ndarray,
              floors: dict[str, float]) -> Reference:
    """The reference of real images uint8 (N, 28, 28, 1) with labels (N,).

    distances: what `copies.nearest_training` finds for them. floors: by the names of rows.
    """
    vectors_of_images = features(images)
    return Reference(
        features=vectors_of_images[:N_VECTORS],
        gaussian=gaussian(vectors_of_images),
        distances=np.quantile(distances, PERCENT).astype(np.float32),
        spreads=class_spreads(images, labels),
        floors=floors)


def arrays(reference: Reference) -> dict[str, np.ndarray]:
    """A reference as the entries of an npz; the single vectors are rounded to float16."""
    entries = {
        "features": reference.features.astype(np.float16),
        "mean": reference.gaussian.mean,
        "covariance": reference.gaussian.covariance,
        "distances": reference.distances,
        "spreads": reference.spreads,
    }
    for name, value in reference.floors.items():
        entries[FLOOR + name] = np.array(value)
    return entries


@lru_cache(maxsize=1)
def reference() -> Reference:
    """The reference in the package."""
    with np.load(PATH) as saved:
        floors = {name.removeprefix(FLOOR): saved[name].item() for name in saved.files
                  if name.startswith(FLOOR)}
        return Reference(
            features=saved["features"].astype(np.float32),
            gaussian=Gaussian(saved["mean"], saved["covariance"]),
            distances=saved["distances"],
            spreads=saved["spreads"],
            floors=floors)
