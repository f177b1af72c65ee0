"""Whether samples are of the requested classes, judged by the nearest real picture of each."""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

import numpy as np

from minigan.metrics.distances import nearest
from minigan.metrics.feature_distances import scale_of
from minigan.metrics.gist import gist
from minigan.metrics.records import Real, Row
from minigan.metrics.reference import class_spreads
from minigan.metrics.thumbnails import LOOKED_AT, thumbnails
from minigan.streams import Stream

KNOWN = 10_000       # training pictures, at most, among which the nearest is looked for
LEAST_OF_CLASS = 5   # samples: a class with fewer is not judged by itself

Namer = Callable[[int], str]


class Seen(NamedTuple):
    """Classes as integers; a picture's is that of the known picture nearest to it in `gist`."""

    samples: np.ndarray      # (N,): of the samples
    real: np.ndarray         # (R,): of real pictures, each compared with the others
    real_labels: np.ndarray  # (R,): the true ones of these
    labels: np.ndarray       # (K,): the true ones of all known pictures


def class_rows(images: np.ndarray, labels: np.ndarray | None, training: Real, names: Sequence[str],
               stream: Stream) -> list[Row]:
    """Rows about classes; a sample's class is that of the nearest training picture.

    images: uint8 (N, H, W, C). labels: the requested classes, integers (N,), or None. training:
    with labels. names: of the classes, in the order of the labels. stream: for the pictures chosen.
    """
    assert training.labels is not None
    n_classes = int(training.labels.max()) + 1

    def name(label: int) -> str:
        return f"class {names[label] if label < len(names) else label}"

    seen = _look(images, training.images, training.labels, stream)
    if labels is None:
        return _shares(seen, n_classes, name)
    rows = _requests(labels, seen, n_classes, name)
    return rows + _spreads(images, labels, training, n_classes, name, stream)


def _look(images: np.ndarray, known_images: np.ndarray, known_labels: np.ndarray, stream: Stream
          ) -> Seen:
    chosen = stream.permutation(len(known_images))[:KNOWN]
    features = gist(known_images[chosen])
    labels = known_labels[chosen]
    scale = scale_of(features)
    known = scale(features)                                           # (K, D)

    _, index = nearest(scale(gist(images)), known)
    samples = labels[index[:, 0]]

    # The same for real pictures: the nearest to each is itself, or a picture equal to it.
    tried = np.arange(min(len(known), LOOKED_AT))
    _, index = nearest(known[tried], known, 2)
    neighbour = np.where(index[:, 0] == tried, index[:, 1], index[:, 0])
    return Seen(samples, labels[neighbour], labels[tried], labels)


def _shares(seen: Seen, n_classes: int, name: Namer) -> list[Row]:
    """The share of the class that is rarest, compared with its share of the data."""
    n = len(seen.samples)
    due = np.bincount(seen.labels, minlength=n_classes) / len(seen.labels)
    judged = due * min(n, len(seen.real)) >= LEAST_OF_CLASS
    if not judged.any():
        return []

    def over_due(classes: np.ndarray) -> np.ndarray:
        share = np.bincount(classes, minlength=n_classes) / len(classes)
        return np.where(judged, share / np.maximum(due, 1e-9), np.inf)

    ratios = over_due(seen.samples)
    floors = over_due(seen.real)
    least = int(ratios.argmin())
    note = (f"{name(least)}: share of samples, told by their nearest training picture, over that "
            f"of the data")
    return [Row("", "least class", float(ratios[least]), n, floor=float(floors.min()), note=note)]


def _requests(labels: np.ndarray, seen: Seen, n_classes: int, name: Namer) -> list[Row]:
    """Whether samples look like what was requested, on average and for the worst class."""
    right = seen.samples == labels
    right_of_real = seen.real_labels == seen.real
    rows = [Row("", "label right", float(right.mean()), len(labels),
                floor=float(right_of_real.mean()), note="told by the nearest training picture")]

    counts = np.bincount(labels, minlength=n_classes)
    by_class = np.full(n_classes, np.nan)
    for label in range(n_classes):
        if counts[label] >= LEAST_OF_CLASS:
            by_class[label] = right[labels == label].mean()
    if not np.isnan(by_class).all():
        worst = int(np.nanargmin(by_class))
        of_class = seen.real_labels == worst
        floor = float(right_of_real[of_class].mean()) if of_class.any() else None
        rows.append(Row("", "label right, worst", float(by_class[worst]), int(counts[worst]),
                        floor=floor, note=name(worst)))
    return rows


def _spreads(images: np.ndarray, labels: np.ndarray, training: Real, n_classes: int, name: Namer,
             stream: Stream) -> list[Row]:
    """How far apart two samples of a class are, over two real ones, for the worst class."""
    assert training.labels is not None
    count = min(len(images), LOOKED_AT)
    chosen = stream.permutation(len(training.images))[:LOOKED_AT]
    some = thumbnails(images[:count]).reshape(count, -1)
    real = thumbnails(training.images[chosen]).reshape(len(chosen), -1)
    spread = class_spreads(some, labels[:count], n_classes)
    due = class_spreads(real, training.labels[chosen], n_classes)

    counts = np.bincount(labels[:count], minlength=n_classes)
    judged = (counts >= LEAST_OF_CLASS) & (due > 0)
    if not judged.any():
        return []
    safe = np.where(due > 0, due, 1)
    ratios = np.where(judged, spread / safe, np.inf)
    note = f"{name(int(ratios.argmin()))}: distance of two of it, over the data's"
    return [Row("", "spread, worst class", float(ratios.min()), count, floor=1.0, note=note)]
