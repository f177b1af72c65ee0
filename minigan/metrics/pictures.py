"""The picture test: what can be said of samples of any pictures, with nobody who recognises them.

    a  copies: is a sample nearer to a training picture than one real picture is to another?
    b  spread: how far apart samples are, beside real pictures; alike: how many have a near double

These have bounds; a set of samples passes where it is neither copied nor collapsed. It may still be
bad: that show the distances between samples and real pictures in the features of `gist`, each
beside its floor, what as many other real pictures get. All of these reward copying.

Where the data have classes: whether the nearest real picture of a sample is of the requested class,
and the spread within a class; or without requests, which class comes more seldom than in the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, NamedTuple, Sequence

import numpy as np

from minigan.metrics.coverage import density_coverage, precision_recall
from minigan.metrics.digits import DigitTest, Row
from minigan.metrics.distances import blocks, nearest
from minigan.metrics.frechet import frechet_distance, gaussian
from minigan.metrics.gist import gist, reduced
from minigan.metrics.kernel import kernel_distance, mmd_squared
from minigan.metrics.reference import class_spreads
from minigan.metrics.two_sample import one_nearest_neighbour
from minigan.streams import Stream

BOUNDS = {"copies, near": 0.1, "spread": 0.5, "alike": 0.2}

LEAST = 4            # real pictures, and samples: two halves of two
COMPARED = 2_000     # samples, at most, that distances in features are of
LOOKED_AT = 1_000    # samples, at most, whose nearest training pictures are looked for
FEW = 200            # pictures: with fewer, numbers are noisy
DRAWS = 5            # of halves, where pictures are few
SUBSET = 1_000       # samples, at most, of a kernel distance
THUMBNAIL = 1024     # numbers of a picture that pixels are compared in, at most
MOST_KNOWN = 60_000  # training pictures, at most, among which copies are looked for
KNOWN = 10_000       # training pictures, at most, that tell a sample's class
LEAST_OF_CLASS = 5   # samples: a class with fewer is not judged by itself
SHIFTS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


class Real(NamedTuple):
    """Real pictures: u8 (M, H, W, C) or a stand-in for such an array, and labels (M,) or None."""

    images: Any
    labels: np.ndarray | None = None


@dataclass(frozen=True)
class PictureTest(DigitTest):
    """All numbers of one set of samples; of the first ones the nearest training pictures.

    nearest, distances: as in `DigitTest`, of LOOKED_AT samples at most, in thumbnails.
    """


def picture_test(images: np.ndarray, training: Real, labels: np.ndarray | None = None,
                 unseen: Real | None = None, names: Sequence[str] = (),
                 bounds: Mapping[str, float] | None = None, seed: int = 0) -> PictureTest:
    """Measure samples beside real pictures, as above.

    images: u8 (N, H, W, C), in random order. training: what the generator was trained on. labels:
    the requested classes, integers (N,), for conditional models. unseen: real pictures that it was
    not trained on, where there are some; else training pictures are compared with one another.
    names: of the classes. bounds: by name, in place of those of `BOUNDS`. seed: of the draws.

    Raises:
        ValueError: pictures of different shapes or too few of them; a bound that no row has.
    """
    bounds = {**BOUNDS, **_checked(images, training, unseen, bounds or {})}
    stream = Stream(seed, "picture test")
    rows, distances, which = _copies(images, training, unseen, bounds, stream)
    rows += _spread(images, training, bounds, stream)
    if training.labels is not None:
        rows += _classes(images, labels, training, names, stream)
    rows += distance_rows(images, unseen or training, seed)
    return PictureTest(tuple(rows), which, distances)


def _checked(images: np.ndarray, training: Real, unseen: Real | None,
             bounds: Mapping[str, float]) -> Mapping[str, float]:
    for name, real in (("training", training), ("unseen", unseen)):
        if real is not None and real.images.shape[1:] != images.shape[1:]:
            raise ValueError(f"{name}: pictures of {real.images.shape[1:]} beside samples of "
                             f"{images.shape[1:]}")
    for name, count in (("training", len(training.images)), ("images", len(images))):
        if count < LEAST:
            raise ValueError(f"{name}: expected {LEAST} or more pictures, got {count}")
    for unknown in bounds.keys() - BOUNDS.keys():
        raise ValueError(f"bounds: {unknown!r} is unknown; known are {', '.join(BOUNDS)}")
    return bounds


# ---------------------------------------------------------------- pixels

def thumbnails(images: np.ndarray) -> np.ndarray:
    """Pictures u8 (N, H, W, C) in [0, 1], float32 (N, h, w, C), of THUMBNAIL numbers at most.

    Small pictures stay as they are; the others are averaged over equal areas, which also takes most
    of a copy's noise away.
    """
    _, height, width, channels = images.shape
    side = max(1, int(np.sqrt(THUMBNAIL / channels)))
    size = min(height, side), min(width, side)
    parts = [reduced(images[i:i + 250].astype(np.float32) / np.float32(255), *size)
             for i in range(0, len(images), 250)]
    return np.concatenate(parts)


def nearest_pictures(some: np.ndarray, known: np.ndarray, own: np.ndarray | None = None
                     ) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of thumbnails `known` for each of `some`, over the nine shifts by up to a pixel.

    some, known: (N, h, w, C), (M, h, w, C). own: (N,), the place of each in `known`, where it is
    not its own neighbour. At the border of a shifted picture its last pixels are repeated.
    Returns distances, float32 (N,), and places in `known`, int64 (N,).
    """
    flat = known.reshape(len(known), -1)
    h, w = some.shape[1:3]
    wide = np.pad(some, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    best = np.full(len(some), np.inf, np.float32)
    places = np.zeros(len(some), np.int64)
    for dy, dx in SHIFTS:
        moved = wide[:, 1 - dy:1 - dy + h, 1 - dx:1 - dx + w].reshape(len(some), -1)
        for rows, squared in blocks(moved, flat):
            if own is not None:
                squared[np.arange(len(squared)), own[rows]] = np.inf
            found = squared.argmin(1)
            values = squared[np.arange(len(squared)), found]
            closer = values < best[rows]
            best[rows] = np.where(closer, values, best[rows])
            places[rows] = np.where(closer, found, places[rows])
    return np.sqrt(best), places


def _copies(images: np.ndarray, training: Real, unseen: Real | None, bounds: Mapping[str, float],
            stream: Stream) -> tuple[list[Row], np.ndarray, np.ndarray]:
    """Rows about copies; distances and places of the samples' nearest training pictures."""
    some = thumbnails(images[:LOOKED_AT])
    among = np.sort(stream.permutation(len(training.images))[:MOST_KNOWN])
    known = thumbnails(training.images if len(among) == len(training.images) else
                       training.images[among])
    distances, which = nearest_pictures(some, known)
    if unseen is not None:
        chosen = stream.permutation(len(unseen.images))[:LOOKED_AT]
        usual, _ = nearest_pictures(thumbnails(unseen.images[chosen]), known)
        beside = "unseen pictures"
    else:
        chosen = stream.permutation(len(known))[:LOOKED_AT]
        usual, _ = nearest_pictures(known[chosen], known, chosen)
        beside = "training pictures among each other"
    known_as = f"nearest of {len(known):,} training pictures"
    doubles = usual <= DOUBLE
    if doubles.any():
        beside += f" ({doubles.mean():.0%} of them are left out: they have a double there)"
        usual = usual[~doubles]
    if not len(usual):
        return [], distances, among[which]
    limit = float(np.quantile(usual, 0.01))
    near = float((distances <= limit).mean())
    median = float(np.median(distances) / np.median(usual))
    return [Row("a", "copies, near", near, len(some), bounds["copies, near"], 0.01,
                f"{known_as}, below the 1 % quantile of {beside}"),
            Row("", "copies, median", median, len(some), None, 1.0,
                f"{known_as}, over that of {beside}")], distances, among[which]


DOUBLE = 0.05  # distance of two thumbnails that are one picture, up to rounding


def _spread(images: np.ndarray, training: Real, bounds: Mapping[str, float], stream: Stream
            ) -> list[Row]:
    """Rows about how far apart samples are, beside as many training pictures."""
    count = min(len(images), len(training.images), LOOKED_AT)
    chosen = stream.permutation(len(training.images))[:count]
    own = thumbnails(images[:count]).reshape(count, -1)
    real = thumbnails(training.images[chosen]).reshape(count, -1)
    rows = []
    due = _mean_distance(real)
    if due > DOUBLE:
        rows.append(Row("b", "spread", _mean_distance(own) / due, count, bounds["spread"], 1.0,
                        "distance of two samples, over that of two training pictures"))
    usual = _to_nearest_other(real)
    doubles = usual <= DOUBLE
    if not doubles.all():
        limit = np.quantile(usual[~doubles], 0.01)
        alike = float((_to_nearest_other(own) <= limit).mean())
        rows.append(Row("b", "alike", alike, count, bounds["alike"] + float(doubles.mean()),
                        float((usual <= limit).mean()),
                        "samples with a neighbour as near as training pictures seldom have"))
    return rows


def _mean_distance(x: np.ndarray) -> float:
    """Mean distance of two different vectors of x (N, D)."""
    return float(class_spreads(x, np.zeros(len(x), int), 1)[0])


def _to_nearest_other(x: np.ndarray) -> np.ndarray:
    """Distance of each vector of x (N, D) to its nearest other: (N,)."""
    found = np.empty(len(x), np.float32)
    for rows, squared in blocks(x, x):
        here = np.arange(len(squared))
        squared[here, rows.start + here] = np.inf
        found[rows] = np.sqrt(squared.min(1))
    return found


# ---------------------------------------------------------------- features

class Scale(NamedTuple):
    """What brings features to mean 0 and deviation 1 of real pictures."""

    mean: np.ndarray  # (D,)
    unit: np.ndarray  # (D,)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return ((features - self.mean) / self.unit).astype(np.float32)


def scale_of(features: np.ndarray) -> Scale:
    """The scale of real features (N, D).

    A feature that hardly varies, as a border that is always black, is divided by a quarter of the
    median deviation: it would outweigh all others.
    """
    deviation = features.std(0)
    least = max(0.25 * float(np.median(deviation)), 1e-4)
    return Scale(features.mean(0), np.maximum(deviation, least))


def distance_rows(images: np.ndarray, real: Real, seed: int = 0) -> list[Row]:
    """How far samples u8 (N, H, W, C) are from real pictures in the features of `gist`.

    As many samples as half of the real pictures, COMPARED at most, are compared with a random half;
    the floor is what the other half gets. Few pictures are halved several times, and all numbers
    are means. The Frechet distance is divided by the number of features: samples that are all the
    mean real picture have 1.
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
        one, other = of_real[order[:size]], of_real[order[size:2 * size]]
        fake = of_samples[stream.permutation(len(of_samples))[:size]]
        scale = scale_of(one)
        found.append(_distances(scale(one), scale(fake), seed))
        floors.append(_distances(scale(one), scale(other), seed))
    rows = []
    for name, note in DISTANCES.items():
        values = [each[name] for each in found]
        if draws > 1:
            note = f"+- {np.std(values):.3f} over {draws} draws" + (f"; {note}" if note else "")
        floor = float(np.mean([each[name] for each in floors]))
        rows.append(Row("", name, float(np.mean(values)), size, None, floor, note))
    return rows


DISTANCES = {
    "Frechet distance": "in the features of metrics/gist.py: no FID",
    "kernel distance": "in these features",
    "precision": "share of samples among the real",
    "recall": "share of the real among samples",
    "density": "", "coverage": "",
    "1-NN accuracy": "0.5 is best",
}


def _distances(real: np.ndarray, fake: np.ndarray, seed: int) -> dict[str, float]:
    """Everything of `DISTANCES` for as many real and generated features (N, D)."""
    k = max(1, min(5, len(real) // 10))
    precision, recall = precision_recall(real, fake, k)
    density, coverage = density_coverage(real, fake, k)
    if len(real) > SUBSET:
        kernel = kernel_distance(real, fake, SUBSET, 5, seed).mean
    else:  # subsets of all of them would be all the same
        kernel = mmd_squared(real.astype(np.float64), fake.astype(np.float64))
    return {
        "Frechet distance": frechet_distance(gaussian(real), gaussian(fake)) / real.shape[1],
        "kernel distance": kernel,
        "precision": precision, "recall": recall, "density": density, "coverage": coverage,
        "1-NN accuracy": one_nearest_neighbour(real, fake)}


# ---------------------------------------------------------------- classes

def _classes(images: np.ndarray, labels: np.ndarray | None, training: Real, names: Sequence[str],
             stream: Stream) -> list[Row]:
    """Rows about classes; the class of a picture is that of the nearest training picture."""
    assert training.labels is not None
    n_classes = int(training.labels.max()) + 1
    chosen = stream.permutation(len(training.images))[:KNOWN]
    features = gist(training.images[chosen])
    scale, known_labels = scale_of(features), training.labels[chosen]
    known = scale(features)
    _, places = nearest(scale(gist(images)), known)
    seen = known_labels[places[:, 0]]
    tried = np.arange(min(len(known), LOOKED_AT))  # the same of real pictures, without themselves
    _, others = nearest(known[tried], known, 2)
    neighbour = np.where(others[:, 0] == tried, others[:, 1], others[:, 0])
    seen_of_real = known_labels[neighbour]
    name = _namer(names)
    if labels is None:
        return _shares(seen, seen_of_real, known_labels, n_classes, name)
    return _requests(images, labels, seen, training, known_labels[tried] == seen_of_real,
                     known_labels[tried], n_classes, name, stream)


def _namer(names: Sequence[str]) -> Callable[[Any], str]:
    return lambda label: f"class {names[label] if label < len(names) else label}"


def _shares(seen: np.ndarray, seen_of_real: np.ndarray, data: np.ndarray, n_classes: int,
            name: Callable[[Any], str]) -> list[Row]:
    """How much rarer than in the data the class is that lacks most."""
    due = np.bincount(data, minlength=n_classes) / len(data)
    judged = due * min(len(seen), len(seen_of_real)) >= LEAST_OF_CLASS
    if not judged.any():
        return []
    ratios = [np.where(judged, np.bincount(found, minlength=n_classes) / len(found)
                       / np.maximum(due, 1e-9), np.inf) for found in (seen, seen_of_real)]
    least = int(ratios[0].argmin())
    return [Row("", "least class", float(ratios[0][least]), len(seen), None,
                float(ratios[1].min()), f"{name(least)}: share of samples, told by their nearest "
                f"training picture, over that of the data")]


def _requests(images: np.ndarray, labels: np.ndarray, seen: np.ndarray, training: Real,
              right_of_real: np.ndarray, labels_of_real: np.ndarray, n_classes: int,
              name: Callable[[Any], str], stream: Stream) -> list[Row]:
    """Whether samples look as requested, and how they spread within a class."""
    assert training.labels is not None
    right = seen == labels
    rows = [Row("", "label right", float(right.mean()), len(images), None,
                float(right_of_real.mean()), "told by the nearest training picture")]
    counts = np.bincount(labels, minlength=n_classes)
    each = np.array([right[labels == k].mean() if counts[k] >= LEAST_OF_CLASS else np.nan
                     for k in range(n_classes)])
    if not np.isnan(each).all():
        worst = int(np.nanargmin(each))
        of_class = labels_of_real == worst
        floor = float(right_of_real[of_class].mean()) if of_class.any() else None
        rows.append(Row("", "label right, worst", float(each[worst]), int(counts[worst]), None,
                        floor, name(worst)))
    count = min(len(images), LOOKED_AT)
    chosen = stream.permutation(len(training.images))[:LOOKED_AT]
    own = class_spreads(thumbnails(images[:count]).reshape(count, -1), labels[:count], n_classes)
    real = class_spreads(thumbnails(training.images[chosen]).reshape(len(chosen), -1),
                         training.labels[chosen], n_classes)
    enough = (np.bincount(labels[:count], minlength=n_classes) >= LEAST_OF_CLASS) & (real > 0)
    if enough.any():
        ratio = np.where(enough, own / np.where(real > 0, real, 1), np.inf)
        rows.append(Row("", "spread, worst class", float(ratio.min()), count, None, 1.0,
                        f"{name(int(ratio.argmin()))}: distance of two of it, over the data's"))
    return rows


# ---------------------------------------------------------------- pictures of pictures

def translation_test(inputs: np.ndarray, images: np.ndarray, truth: np.ndarray, seen: bool,
                     seed: int = 0) -> PictureTest:
    """Measure pictures that a model made of inputs, beside the true ones; u8 (N, H, W, C) each.

    The bound of the error is what the input itself would have: a generator that leaves its input as
    it is gains nothing. Copies are not looked for: of an input that was trained on, the truth is
    what is wanted. seen: whether the model was trained on these pictures.

    Raises:
        ValueError: fewer than LEAST pictures.
    """
    if len(images) < LEAST:
        raise ValueError(f"images: expected {LEAST} or more pictures, got {len(images)}")
    unit = truth.astype(np.float32) / 255
    average = np.broadcast_to(unit.mean(0), unit.shape)
    note = "of pictures that it was trained on" if seen else "of pictures that it has not seen"
    errors = {name: float(np.abs(made - unit).mean()) for name, made in (
        ("error", images.astype(np.float32) / 255), ("input", inputs.astype(np.float32) / 255),
        ("mean", average))}
    rows = [Row("a", "error", errors["error"], len(images), errors["input"], None,
                f"mean difference from the truth, 1 is white for black; {note}; the bound is that "
                f"of the input itself"),
            Row("", "error of the mean", errors["mean"], len(images), None, None,
                "what the mean of all true pictures gets"),
            *distance_rows(images, Real(truth), seed)]
    return PictureTest(tuple(rows), np.arange(len(images)), np.zeros(len(images), np.float32))
