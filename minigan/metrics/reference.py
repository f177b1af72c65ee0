"""What samples are compared with offline: statistics of MNIST test digits, which nobody trained on.

`benchmarks/make_reference.py` drew 5,000 of the 10,000 test digits at random and wrote what is
needed of them to `reference.npz`; the other 5,000, measured like samples of a GAN, gave the floors.
Random halves, not the file's own two, of which the second is harder.
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


class Reference(NamedTuple):
    """Statistics of real images that were held out."""

    features: np.ndarray   # float32 (3000, 64), of the first judge
    gaussian: Gaussian     # of the features of all 5,000
    distances: np.ndarray  # to the nearest of the package's digits: percentiles, float32 (101,)
    spreads: np.ndarray    # mean distance of two images of a class, float32 (10,)
    floors: dict[str, float]  # what the digit test finds for other test digits, by name


def class_spreads(images: np.ndarray, labels: np.ndarray, n_classes: int = 10) -> np.ndarray:
    """Mean distance of two different images of a class, pixels in [0, 1]: float32 (n_classes,).

    A generator that draws each class in one way only has small ones; NaN for a class with fewer
    than two images. images: u8 (N, H, W, C), labels: (N,).
    """
    x, found = vectors("images", images), np.full(n_classes, np.nan, np.float32)
    for digit in range(n_classes):
        own = x[labels == digit]
        if len(own) > 1:
            total = 0.0
            for rows, squared in blocks(own, own):
                here = np.arange(len(squared))
                squared[here, rows.start + here] = 0  # an image's distance to itself, but rounding
                total += float(np.sqrt(squared).sum(dtype=np.float64))
            found[digit] = total / (len(own) * (len(own) - 1))
    return found


def summarise(images: np.ndarray, labels: np.ndarray, distances: np.ndarray,
              floors: dict[str, float]) -> Reference:
    """The reference of real images u8 (N, 28, 28, 1) with labels (N,).

    distances: what `copies.nearest_training` says of them.
    """
    found = features(images)
    return Reference(found[:N_VECTORS], gaussian(found),
                     np.quantile(distances, PERCENT).astype(np.float32),
                     class_spreads(images, labels), floors)


def arrays(reference: Reference) -> dict[str, np.ndarray]:
    """A reference as the entries of an npz; the single vectors are rounded to float16."""
    return {"features": reference.features.astype(np.float16),
            "mean": reference.gaussian.mean, "covariance": reference.gaussian.covariance,
            "distances": reference.distances, "spreads": reference.spreads,
            **{f"floor/{name}": np.array(value) for name, value in reference.floors.items()}}


@lru_cache(maxsize=1)
def reference() -> Reference:
    """The reference in the package."""
    with np.load(PATH) as saved:
        return Reference(
            saved["features"].astype(np.float32), Gaussian(saved["mean"], saved["covariance"]),
            saved["distances"], saved["spreads"],
            {name.removeprefix("floor/"): saved[name].item() for name in saved.files
             if name.startswith("floor/")})
