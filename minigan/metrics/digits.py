"""The digit test: are these digits that anyone would recognise, all ten, varied, and not copied?

Some bad set of samples does well in each usual metric: ten pictures win the classifier score,
copies win every distance between distributions, and one classifier alone is sure of noise. So a set
passes when all of these are within their bounds:

    a  recognised: share that two judges of different architecture name alike, both at 0.9 or more
    b  least class: the rarest digit's share of all samples, counted among the recognised
    c  precision and recall, against test digits (k = 5)
    d  copies: distance to the nearest training digit up to a shift by one pixel; its median over
       that of unseen digits, and the share of samples nearer than all but 1 % of unseen digits
    e  if digits were requested: both judges see the requested one, on average and for the worst
       digit; mean distance of two samples of a class over that of real ones, for the worst digit

Further rows have no bound and are for comparison only: bad sets did well in each of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

import numpy as np

from minigan.metrics.classifier import SURE, classifier_score, recognised
from minigan.metrics.copies import copy_test, nearest_training
from minigan.metrics.coverage import density_coverage, precision_recall
from minigan.metrics.frechet import frechet_distance, gaussian
from minigan.metrics.judges import N_CLASSES, features, probabilities
from minigan.metrics.kernel import kernel_distance
from minigan.metrics.records import Result, Row
from minigan.metrics.reference import N_VECTORS, Reference, class_spreads, reference
from minigan.metrics.two_sample import one_nearest_neighbour

LEAST = 200  # samples: with fewer, no number here means much
COPIES_WIN = "rewards copying: see the copy row"

# The least, or for "copies, near" the most, that passes; a preset may promise more.
BOUNDS = {
    "recognised": 0.5,
    "least class": 0.03,
    "precision": 0.6,
    "recall": 0.5,
    "copies, median": 0.9,
    "copies, near": 0.03,
    "label right": 0.8,
    "label right, worst digit": 0.6,
    "spread, worst digit": 0.8,
}


@dataclass(frozen=True)
class DigitTest(Result):
    """All numbers of one set of samples, and each sample's nearest training digit.

    nearest, distances: of all N samples; up to a shift by a pixel, of pixels in [0, 1].
    """


def digit_test(images: np.ndarray, training: np.ndarray, labels: np.ndarray | None = None,
               bounds: Mapping[str, float] | None = None,
               against: Reference | None = None) -> DigitTest:
    """Measure samples, part by part as above. The first 3,000 are compared with 3,000 test digits.

    images: uint8 (N, 28, 28, 1), N 200 or more, in random order; floors were measured at N = 5,000.
    training: the images that they could be copies of, uint8 (M, 28, 28, 1).
    labels: the requested digits, integers (N,), for conditional models.
    bounds: by a row's name, in place of those of `BOUNDS`.
    against: by default the package's reference.

    Raises:
        ValueError: an argument has another shape, or no row has a bound's name.
    """
    _check(images, labels, bounds or {})
    if against is None:
        against = reference()
    p = probabilities(images)                                       # (2, N, 10)
    vectors = features(images)                                      # (N, 64)
    distances, nearest = nearest_training(images, training)         # (N,) each

    table = Table({**BOUNDS, **(bounds or {})}, against.floors)
    _add_recognition(table, p)
    _add_coverage(table, vectors[:N_VECTORS], against)
    _add_copies(table, distances, len(training), against)
    if labels is not None:
        _add_requests(table, images, labels, p, against)
    _add_comparisons(table, vectors, p, against)
    return DigitTest(tuple(table.rows), nearest, distances)


@dataclass
class Table:
    """Rows under construction; each gets its bound and floor by its name."""

    bounds: Mapping[str, float]
    floors: Mapping[str, float]
    rows: list[Row] = field(default_factory=list)

    def add(self, part: str, name: str, value: float, n: int, note: str = "") -> None:
        """Append a row; see `Row`."""
        bound = self.bounds.get(name)
        floor = self.floors.get(name)
        self.rows.append(Row(part, name, float(value), n, bound, floor, note))


def _check(images: np.ndarray, labels: Any, bounds: Mapping[str, float]) -> None:
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28, 1) or len(images) < LEAST:
        raise ValueError(f"images: expected {LEAST} or more digits, uint8 (N, 28, 28, 1), got "
                         f"{images.dtype} {images.shape}")
    if labels is not None:
        given = np.asarray(labels)
        if given.shape != (len(images),) or given.dtype.kind not in "iu":
            raise ValueError(f"labels: expected {len(images)} integers, got {given.dtype} "
                             f"{given.shape}")
    for unknown in bounds.keys() - BOUNDS.keys():
        raise ValueError(f"bounds: {unknown!r} is unknown; known are {', '.join(BOUNDS)}")


def _add_recognition(table: Table, p: np.ndarray) -> None:
    """Parts a and b, from the judges' probabilities (2, N, 10)."""
    named = recognised(p)                                           # (N,), -1 for none
    n = len(named)
    counts = np.bincount(named[named >= 0], minlength=N_CLASSES)
    shares = counts / n
    table.add("a", "recognised", (named >= 0).mean(), n, f"by two judges at {SURE} or more")
    table.add("b", "least class", shares.min(), n, f"digit {shares.argmin()}")


def _add_coverage(table: Table, some: np.ndarray, against: Reference) -> None:
    """Part c, from samples' features (n, 64)."""
    precision, recall = precision_recall(against.features, some)
    note = _compared(against)
    table.add("c", "precision", precision, len(some), note)
    table.add("c", "recall", recall, len(some), note)


def _compared(against: Reference) -> str:
    return f"{len(against.features):,} test digits; {COPIES_WIN}"


def _add_copies(table: Table, distances: np.ndarray, n_training: int, against: Reference) -> None:
    """Part d, from each sample's distance to its nearest training digit, (N,)."""
    copies = copy_test(distances, against.distances)
    n = len(distances)
    nearest = f"nearest of {n_training:,} training digits"
    table.add("d", "copies, median", copies.median, n, f"{nearest}, over test digits' median")
    table.add("d", "copies, near", copies.near, n, f"{nearest}, below test digits' 1 % quantile")


def _add_requests(table: Table, images: np.ndarray, labels: np.ndarray, p: np.ndarray,
                  against: Reference) -> None:
    """Part e, for samples of requested digits (N,)."""
    n = len(images)
    right = (p.argmax(-1) == labels).all(0)                         # (N,)
    by_digit = np.full(N_CLASSES, np.nan)
    for digit in range(N_CLASSES):
        asked = labels == digit
        if asked.any():
            by_digit[digit] = right[asked].mean()
    table.add("e", "label right", right.mean(), n, "by both judges")
    table.add("e", "label right, worst digit", np.nanmin(by_digit), n,
              f"digit {np.nanargmin(by_digit)}")

    spread = class_spreads(images, labels, N_CLASSES) / against.spreads
    table.add("e", "spread", np.nanmean(spread), n,
              "distance of two of a class, over test digits'")
    table.add("e", "spread, worst digit", np.nanmin(spread), n, f"digit {np.nanargmin(spread)}")


def _add_comparisons(table: Table, vectors: np.ndarray, p: np.ndarray, against: Reference) -> None:
    """Rows without a bound, from features (N, 64) and probabilities (2, N, 10)."""
    real = against.features
    some = vectors[:N_VECTORS]
    n = len(some)
    compared = _compared(against)

    frechet = frechet_distance(against.gaussian, gaussian(vectors))
    table.add("", "Frechet distance", frechet, len(vectors), f"5,000 test digits; {COPIES_WIN}")

    kernel = kernel_distance(real, some)
    table.add("", "kernel distance", kernel.mean, n,
              f"+- {kernel.deviation:.2f} over subsets; {compared}")

    density, coverage = density_coverage(real, some)
    table.add("", "density", density, n, compared)
    table.add("", "coverage", coverage, n, compared)

    accuracy = one_nearest_neighbour(real[:n], some[:len(real)])
    table.add("", "1-NN accuracy", accuracy, n, f"0.5 is best; {compared}")

    table.add("", "classifier score", classifier_score(p[0]), len(vectors), "ten pictures win it")
