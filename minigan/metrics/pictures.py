"""The picture test: what can be said of samples of any pictures, without a network that knows them.

    a  copies: is a sample nearer to a training picture than one real picture is to another?
    b  spread: how far apart samples are, over real pictures; alike: how many have a near double

These have bounds; a set of samples passes if it is neither copied nor collapsed. It may still be
bad, which the distances between samples and real pictures show, in the features of `gist`: each is
reported with its floor, which is what the same number of other real pictures gets. All of these
distances reward copying.

If the data have classes: whether the nearest real picture of a sample is of the requested class,
and the spread within a class; or, without requests, which class is rarer than in the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, NamedTuple, Sequence

import numpy as np

from minigan.metrics.feature_distances import distance_rows
from minigan.metrics.picture_classes import class_rows
from minigan.metrics.records import Real, Result, Row
from minigan.metrics.thumbnails import (DOUBLE, LOOKED_AT, mean_distance, nearest_pictures,
                                        thumbnails, to_nearest_other)
from minigan.streams import Stream

BOUNDS = {"copies, near": 0.1, "spread": 0.5, "alike": 0.2}

LEAST = 4            # real pictures, and samples: two halves of two
FEW = 200            # pictures: with fewer, numbers are noisy
MOST_KNOWN = 60_000  # training pictures, at most, among which copies are looked for


@dataclass(frozen=True)
class PictureTest(Result):
    """All numbers of one set of samples, and the nearest training pictures of the first ones.

    nearest, distances: of LOOKED_AT samples at most; between thumbnails, up to a shift by a pixel.
    """


def picture_test(images: np.ndarray, training: Real, labels: np.ndarray | None = None,
                 unseen: Real | None = None, names: Sequence[str] = (),
                 bounds: Mapping[str, float] | None = None, seed: int = 0) -> PictureTest:
    """Measure samples and compare them with real pictures, as above.

    images: uint8 (N, H, W, C), in random order.
    training: the pictures that the generator was trained on.
    labels: the requested classes, integers (N,), for conditional models.
    unseen: real pictures that it was not trained on, if there are any; without them, training
    pictures are compared with one another.
    names: of the classes. bounds: by a row's name, in place of those of `BOUNDS`. seed: of the
    random choices.

    Raises:
        ValueError: pictures of different shapes or too few of them; no row has a bound's name.
    """
    _check(images, training, unseen, bounds or {})
    bounds = {**BOUNDS, **(bounds or {})}
    stream = Stream(seed, "picture test")
    copies = _copies(images, training, unseen, bounds["copies, near"], stream)
    rows = list(copies.rows)
    rows += _spread(images, training, bounds, stream)
    if training.labels is not None:
        rows += class_rows(images, labels, training, names, stream)
    rows += distance_rows(images, unseen or training, seed)
    return PictureTest(tuple(rows), copies.nearest, copies.distances)


def _check(images: np.ndarray, training: Real, unseen: Real | None,
           bounds: Mapping[str, float]) -> None:
    for name, real in (("training", training), ("unseen", unseen)):
        if real is not None and real.images.shape[1:] != images.shape[1:]:
            raise ValueError(f"{name}: pictures of {real.images.shape[1:]} beside samples of "
                             f"{images.shape[1:]}")
    for name, count in (("training", len(training.images)), ("images", len(images))):
        if count < LEAST:
            raise ValueError(f"{name}: expected {LEAST} or more pictures, got {count}")
    for unknown in bounds.keys() - BOUNDS.keys():
        raise ValueError(f"bounds: {unknown!r} is unknown; known are {', '.join(BOUNDS)}")


class Copies(NamedTuple):
    """Rows about copies, and what they were computed from."""

    rows: list[Row]
    nearest: np.ndarray    # (n,): each sample's nearest training picture
    distances: np.ndarray  # (n,): to it


def _copies(images: np.ndarray, training: Real, unseen: Real | None, bound: float, stream: Stream
            ) -> Copies:
    """How near samples are to training pictures, compared with real pictures that are no copies."""
    some = thumbnails(images[:LOOKED_AT])
    n_training = len(training.images)
    among = np.sort(stream.permutation(n_training)[:MOST_KNOWN])
    known = thumbnails(training.images if len(among) == n_training else training.images[among])
    distances, index = nearest_pictures(some, known)

    if unseen is not None:
        chosen = stream.permutation(len(unseen.images))[:LOOKED_AT]
        usual, _ = nearest_pictures(thumbnails(unseen.images[chosen]), known)
        beside = "unseen pictures"
    else:
        chosen = stream.permutation(len(known))[:LOOKED_AT]
        usual, _ = nearest_pictures(known[chosen], known, chosen)
        beside = "training pictures among each other"
    doubles = usual <= DOUBLE
    if doubles.any():
        beside += f" ({doubles.mean():.0%} of them are left out: they have a double there)"
        usual = usual[~doubles]
    rows = _copy_rows(distances, usual, bound, f"nearest of {len(known):,} training pictures",
                      beside)
    return Copies(rows, among[index], distances)


def _copy_rows(distances: np.ndarray, usual: np.ndarray, bound: float, nearest: str, beside: str
               ) -> list[Row]:
    """The rows from distances to the nearest training picture: of samples (n,), and the `usual`
    ones of real pictures (m,). nearest, beside: what these are, for the notes.
    """
    if not len(usual):
        return []
    n = len(distances)
    limit = float(np.quantile(usual, 0.01))
    near = (distances <= limit).mean()
    median = np.median(distances) / np.median(usual)
    return [Row("a", "copies, near", float(near), n, bound, 0.01,
                f"{nearest}, below the 1 % quantile of {beside}"),
            Row("", "copies, median", float(median), n, None, 1.0,
                f"{nearest}, over that of {beside}")]


def _spread(images: np.ndarray, training: Real, bounds: Mapping[str, float], stream: Stream
            ) -> list[Row]:
    """How far apart samples are, compared with as many training pictures."""
    n = min(len(images), len(training.images), LOOKED_AT)
    chosen = stream.permutation(len(training.images))[:n]
    some = thumbnails(images[:n]).reshape(n, -1)
    real = thumbnails(training.images[chosen]).reshape(n, -1)
    rows = []

    due = mean_distance(real)
    if due > DOUBLE:
        spread = mean_distance(some) / due
        rows.append(Row("b", "spread", spread, n, bounds["spread"], 1.0,
                        "distance of two samples, over that of two training pictures"))

    usual = to_nearest_other(real)
    doubles = usual <= DOUBLE
    if not doubles.all():
        limit = np.quantile(usual[~doubles], 0.01)
        alike = (to_nearest_other(some) <= limit).mean()
        floor = (usual <= limit).mean()
        bound = bounds["alike"] + float(doubles.mean())
        rows.append(Row("b", "alike", float(alike), n, bound, float(floor),
                        "samples with a neighbour as near as training pictures seldom have"))
    return rows
