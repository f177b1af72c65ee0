"""How far samples are from real pictures in the features of `gist`, and how far real ones are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.metrics.coverage import density_coverage, precision_recall
from minigan.metrics.frechet import frechet_distance, gaussian
from minigan.metrics.gist import gist
from minigan.metrics.kernel import kernel_distance, mmd_squared
from minigan.metrics.records import Real, Row
from minigan.metrics.two_sample import one_nearest_neighbour
from minigan.streams import Stream

COMPARED = 2_000     # samples, at most, that are compared
DRAWS = 5            # how often few real pictures are halved, at most
SUBSET = 1_000       # samples, at most, of a kernel distance

# The rows, in their order, with a note each.
DISTANCES = {
    "Frechet distance": "in the features of metrics/gist.py, so not FID",
    "kernel distance": "in these features",
    "precision": "share of samples among the real",
    "recall": "share of the real among samples",
    "density": "",
    "coverage": "",
    "1-NN accuracy": "0.5 is best",
}


class Scale(NamedTuple):
    """Shifts and scales features so that those of real pictures have mean 0 and deviation 1."""

    mean: np.ndarray  # (D,)
    unit: np.ndarray  # (D,)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features (N, D), scaled: float32 (N, D)."""
        return ((features - self.mean) / self.unit).astype(np.float32)


def scale_of(features: np.ndarray) -> Scale:
    """The scale of real features (N, D).

    A feature that hardly varies, such as that of a border that is always black, is divided by a
    quarter of the median deviation: divided by its own, it would outweigh all others.
    """
    deviation = features.std(0)
    least = max(0.25 * float(np.median(deviation)), 1e-4)
    return Scale(features.mean(0), np.maximum(deviation, least))


def distance_rows(images: np.ndarray, real: Real, seed: int = 0) -> list[Row]:
    """The rows of `DISTANCES` for samples, uint8 (N, H, W, C), and real pictures.

    The real pictures are halved at random. As many samples as a half has, COMPARED at most, are
    compared with one half; the floor is what the other half gets. Few pictures are halved several
    times, and every number is a mean over the draws. The Frechet distance is divided by the number
    of features: samples that all equal the mean real picture get 1.
    """
    size = min(len(images), len(real.images) // 2, COMPARED)
    draws = max(1, min(DRAWS, COMPARED // size))
    stream = Stream(seed, "halves")
    among = stream.permutation(len(real.images))[:2 * COMPARED]
    of_real = gist(real.images[among])
    of_samples = gist(images[stream.permutation(len(images))[:COMPARED]])

    found: list[dict[str, float]] = []
    floors: list[dict[str, float]] = []
    for _ in range(draws):
        order = stream.permutation(len(of_real))
        one = of_real[order[:size]]
        other = of_real[order[size:2 * size]]
        fake = of_samples[stream.permutation(len(of_samples))[:size]]
        scale = scale_of(one)
        found.append(_distances(scale(one), scale(fake), seed))
        floors.append(_distances(scale(one), scale(other), seed))

    rows = []
    for name, note in DISTANCES.items():
        values = [each[name] for each in found]
        floor = np.mean([each[name] for each in floors])
        if draws > 1:
            varies = f"+- {np.std(values):.3f} over {draws} draws"
            note = f"{varies}; {note}" if note else varies
        rows.append(Row("", name, float(np.mean(values)), size, floor=float(floor), note=note))
    return rows


def _distances(real: np.ndarray, fake: np.ndarray, seed: int) -> dict[str, float]:
    """Everything in `DISTANCES` for equally many real and generated features (N, D)."""
    n, dimension = real.shape
    k = max(1, min(5, n // 10))
    precision, recall = precision_recall(real, fake, k)
    density, coverage = density_coverage(real, fake, k)
    if n > SUBSET:
        kernel = kernel_distance(real, fake, SUBSET, 5, seed).mean
    else:  # all subsets would be the whole set
        kernel = mmd_squared(real.astype(np.float64), fake.astype(np.float64))
    return {
        "Frechet distance": frechet_distance(gaussian(real), gaussian(fake)) / dimension,
        "kernel distance": kernel,
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "1-NN accuracy": one_nearest_neighbour(real, fake),
    }
