"""The digit test: are these digits that anyone would recognise, all ten, varied, and not copied?

Each usual metric is passed by some bad set: ten pictures win the classifier score, copies win every
distance between distributions, and one classifier is sure of noise. So a set of samples passes when
all of these hold:

    a  recognised: share that two judges of different architecture name alike, both at 0.9 or more
    b  least class: the rarest digit's share of all samples, counted among the recognised
    c  precision and recall, against test digits (k = 5)
    d  copies: distance to the nearest training digit up to a shift by one pixel; its median beside
       unseen digits' own, and the share nearer than all but 1 % of those
    e  where digits were requested: both judges see the requested one, on average and for the worst
       digit; mean distance of two samples of a class beside the real one, for the worst digit

Further rows without a bound are there to be compared: they were beaten by bad sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np

from minigan.metrics.classifier import SURE, classifier_score, recognised
from minigan.metrics.copies import copy_test, nearest_training
from minigan.metrics.coverage import density_coverage, precision_recall
from minigan.metrics.frechet import frechet_distance, gaussian
from minigan.metrics.judges import N_CLASSES, features, probabilities
from minigan.metrics.kernel import kernel_distance
from minigan.metrics.reference import N_VECTORS, Reference, class_spreads, reference
from minigan.metrics.two_sample import one_nearest_neighbour

LEAST = 200  # samples: with fewer, nothing here means much
COPIES_WIN = "rewards copying: see the copy row"

# The least, or for "copies, near" the most, that counts as digits; a preset may promise more.
BOUNDS = {"recognised": 0.5, "least class": 0.03, "precision": 0.6, "recall": 0.5,
          "copies, median": 0.9, "copies, near": 0.03, "label right": 0.8,
          "label right, worst digit": 0.6, "spread, worst digit": 0.8}
UPPER = {"copies, near", "alike", "error"}  # the value must not be above the bound


@dataclass(frozen=True)
class Row:
    """One number of the digit test."""

    part: str             # "a" to "e"; empty where nothing depends on it
    name: str
    value: float
    n: int                # samples it was computed from
    bound: float | None   # None: only for comparison
    floor: float | None   # the same of real test digits
    note: str = ""        # what it was compared with, what it cannot see

    @property
    def passed(self) -> bool:
        """Whether the value keeps the bound; without a bound, yes. NaN does not."""
        return self.bound is None or bool(
            self.value <= self.bound if self.name in UPPER else self.value >= self.bound)


@dataclass(frozen=True)
class DigitTest:
    """All numbers of one set of samples, and for a picture each sample's nearest training digit."""

    rows: tuple[Row, ...]
    nearest: np.ndarray    # int64 (N,): indices into the training images
    distances: np.ndarray  # float32 (N,): how far that one is, up to a shift by a pixel

    def __getitem__(self, name: str) -> float:
        return next(row.value for row in self.rows if row.name == name)

    @property
    def failed(self) -> str:
        """The parts that fail, as "ac"; empty if the set passes."""
        return "".join(sorted({row.part for row in self.rows if not row.passed}))

    @property
    def passed(self) -> bool:
        """Whether every bound is kept."""
        return not self.failed

    def lines(self) -> list[str]:
        """A table for people: every number with bound, floor, N, and what it was compared with."""
        lines = [f"   {'':25}{'samples':>7}{'bound':>9}{'floor':>7}"]
        for row in self.rows:
            sign = "<=" if row.name in UPPER else ">="
            bound = "" if row.bound is None else f"{sign} {row.bound:.2f}"
            floor = "" if row.floor is None else _number(row.floor)
            verdict = "" if row.bound is None else "ok" if row.passed else "FAILS"
            lines.append(f"{row.part:3}{row.name:25}{_number(row.value):>7}{bound:>9}{floor:>7}  "
                         f"{verdict:7}N = {row.n:,}{row.note and f'; {row.note}'}")
        return lines

    def record(self) -> dict[str, Any]:
        """The same for a JSON file."""
        return {"passed": self.passed, "failed": self.failed, "rows": [
            {"part": row.part, "name": row.name, "value": _finite(row.value), "n": row.n,
             "bound": row.bound, "floor": row.floor, "passed": row.passed, "note": row.note}
            for row in self.rows]}


def digit_test(images: np.ndarray, training: np.ndarray, labels: np.ndarray | None = None,
               bounds: Mapping[str, float] | None = None,
               against: Reference | None = None) -> DigitTest:
    """Measure samples, part by part as above. The first 3,000 are compared with 3,000 test digits.

    images: u8 (N, 28, 28, 1), in no order of digits, N 200 or more; floors are of N = 5,000.
    training: what they could be copies of, u8 (M, 28, 28, 1).
    labels: the requested digits, integers (N,), for conditional models.
    bounds: by name, in place of those of `BOUNDS`. against: by default the package's reference.

    Raises:
        ValueError: an argument has another shape, or a bound a name that no row has.
    """
    against = against or reference()
    bounds = {**BOUNDS, **_checked(images, labels, bounds or {})}
    n, first = len(images), min(len(images), N_VECTORS)
    p = probabilities(images)
    named, agreed = recognised(p), p.argmax(-1)
    shares = np.bincount(named[named >= 0], minlength=N_CLASSES) / n
    found = features(images)
    some, real = found[:first], against.features
    precision, recall = precision_recall(real, some)
    density, coverage = density_coverage(real, some)
    kernel = kernel_distance(real, some)
    distances, nearest = nearest_training(images, training)
    copies = copy_test(distances, against.distances)
    rows: list[Row] = []

    def add(part: str, name: str, value: float, note: str = "", count: int = n) -> None:
        rows.append(Row(part, name, float(value), count, bounds.get(name),
                        against.floors.get(name), note))

    compared = f"{len(real):,} test digits; {COPIES_WIN}"
    add("a", "recognised", (named >= 0).mean(), f"by two judges at {SURE} or more")
    add("b", "least class", shares.min(), f"digit {shares.argmin()}")
    add("c", "precision", precision, compared, first)
    add("c", "recall", recall, compared, first)
    known = f"nearest of {len(training):,} training digits"
    add("d", "copies, median", copies.median, f"{known}, over test digits' median")
    add("d", "copies, near", copies.near, f"{known}, below test digits' 1 % quantile")
    if labels is not None:
        right = (agreed == labels).all(0)
        each = np.array([right[labels == k].mean() if (labels == k).any() else np.nan
                         for k in range(N_CLASSES)])
        spread = class_spreads(images, labels, N_CLASSES) / against.spreads
        add("e", "label right", right.mean(), "by both judges")
        add("e", "label right, worst digit", np.nanmin(each), f"digit {np.nanargmin(each)}")
        add("e", "spread", np.nanmean(spread), "distance of two of a class, over test digits'")
        add("e", "spread, worst digit", np.nanmin(spread), f"digit {np.nanargmin(spread)}")
    add("", "Frechet distance", frechet_distance(against.gaussian, gaussian(found)),
        f"5,000 test digits; {COPIES_WIN}")
    add("", "kernel distance", kernel.mean, f"+- {kernel.deviation:.2f} over subsets; {compared}",
        first)
    add("", "density", density, compared, first)
    add("", "coverage", coverage, compared, first)
    add("", "1-NN accuracy", one_nearest_neighbour(real[:first], some[:len(real)]),
        f"0.5 is best; {compared}", first)
    add("", "classifier score", classifier_score(p[0]), "ten pictures win it")
    return DigitTest(tuple(rows), nearest, distances)


def _checked(images: np.ndarray, labels: Any, bounds: Mapping[str, float]) -> Mapping[str, float]:
    """The bounds, after a look at all arguments."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28, 1) or len(images) < LEAST:
        raise ValueError(f"images: expected {LEAST} or more digits, uint8 (N, 28, 28, 1), got "
                         f"{images.dtype} {images.shape}")
    if labels is not None and (np.shape(labels) != (len(images),)
                               or np.asarray(labels).dtype.kind not in "iu"):
        raise ValueError(f"labels: expected {len(images)} integers, got {np.asarray(labels).dtype} "
                         f"{np.shape(labels)}")
    for unknown in bounds.keys() - BOUNDS.keys():
        raise ValueError(f"bounds: {unknown!r} is unknown; known are {', '.join(BOUNDS)}")
    return bounds


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
