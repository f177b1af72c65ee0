"""Finding the directions of a model: draws, a method, and what moves along them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigan import checks
from minigan.editing.directions.attributes import ATTRIBUTES, measure, why_not
from minigan.editing.directions.effects import Effects, effects
from minigan.editing.directions.record import Directions
from minigan.editing.directions.supervised import conditional, regressed
from minigan.editing.directions.unsupervised import by_pca, by_weights
from minigan.editing.drawing import Drawing
from minigan.editing.fingerprint import fingerprint
from minigan.models.model import Model
from minigan.streams import Stream

DRAWS = 2000         # for a regression
UNSEEN = 500         # more draws, for the correlation
LOOKED_AT = 250      # of which so many are moved along each direction
COMPONENTS = 1000    # draws for principal components, at most: the time grows with the cube
COUNT = 8            # directions, where it is not the number of attributes
LEAST_SPREAD = 1e-6  # of an attribute
KINDS = ("attributes", "pca", "weights")


def find_directions(model: Model, by: str | None = None, n: int = DRAWS, seed: int = 0,
                    count: int = COUNT) -> Directions:
    """Directions of a model that starts from latents.

    by: "attributes" (boldness, slant, width and height of strokes, InterFaceGAN), "pca" (of the
    first layer, GANSpace) or "weights" (of the first layer, SeFa); by default attributes, or pca
    where the pictures show no strokes. n: draws to find them in. seed: of the draws. count: how
    many of pca and weights.

    A direction of pca or weights points to where pictures become lighter: as vectors they have no
    sign, and one that followed the vector's numbers would change with the seed.

    Raises:
        ValueError: the model starts from images; by is not one of these, n or count not a whole
            number, or too small; attributes are asked for where pictures have none.
    """
    drawing = Drawing(model)
    _check(drawing, by, n, count)
    sample = _Sample(drawing, n, seed)
    problem = why_not(drawing.pixels(sample.z[:LOOKED_AT], sample.labels[:LOOKED_AT]))
    if by is None:
        by = "pca" if problem else "attributes"
    if by == "attributes" and problem:
        raise ValueError(f"by: {model.name} has no attributes to measure, {problem}; \"pca\" and "
                         f"\"weights\" need none")
    measured = None if problem else _Measured(sample, 0 if by == "attributes" else n)

    names: tuple[str, ...] = ATTRIBUTES
    if by == "attributes" and measured is not None:
        vectors, strength, in_sample = measured.directions()
    else:
        vectors, strength = _of_first_layer(by, sample, count)
        if not len(vectors):
            raise ValueError(f"by: whatever the latents are, the first layer of {model.name} "
                             f"computes the same, so it has no directions")
        in_sample = np.full(len(vectors), np.nan)
        word = "weight" if by == "weights" else by
        names = tuple(f"{word}{i + 1}" for i in range(len(vectors)))

    few = slice(n, n + LOOKED_AT)
    seen = effects(drawing, vectors, sample.z[few], sample.labels[few], not problem)
    if by != "attributes":
        vectors, seen = _towards_light(vectors, seen)
    found = {"vectors": vectors, "strength": strength, "in_sample": in_sample,
             "change": seen.change, "means": seen.means,
             "spread": np.zeros(0) if measured is None else measured.spread}
    return Directions(
        names=names, kinds=(by,) * len(names), attributes=() if problem else ATTRIBUTES,
        fingerprint=fingerprint(model),
        **{name: array.astype(np.float32) for name, array in found.items()})


class _Sample:
    """Latents and labels: n draws to find directions in, and UNSEEN more."""

    def __init__(self, drawing: Drawing, n: int, seed: int) -> None:
        total = n + UNSEEN
        self.drawing = drawing
        self.n = n
        self.classes = _classes(drawing)
        self.z = drawing.latents(Stream(seed, "directions"), total).numpy()    # (total, d)
        self.labels = np.arange(total) % self.classes                          # (total,)


class _Measured:
    """The attributes of a sample's pictures from the `start`-th; those without ink are left out.

    values: float64 (m, 4). z, labels, found: (m, d), (m,), (m,), of the same pictures; `found` is
    False for what the regression has not seen. spread: within classes, (4,).
    """

    def __init__(self, sample: _Sample, start: int) -> None:
        z = sample.z[start:]
        labels = sample.labels[start:]
        blocks = []
        for first in range(0, len(z), LOOKED_AT):
            block = slice(first, first + LOOKED_AT)
            measured = measure(sample.drawing.pixels(z[block], labels[block]))
            blocks.append(np.stack([measured[name] for name in ATTRIBUTES], axis=1))
        values = np.concatenate(blocks)                             # (n + UNSEEN - start, 4)

        inked = values[:, 0] > 0
        self.classes = sample.classes
        self.values = values[inked]
        self.z = z[inked]
        self.labels = labels[inked]
        self.found = (np.arange(start, len(sample.z)) < sample.n)[inked]
        self.spread = _spread(self.values, self.labels)

    def directions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unit vectors (4, d), r on unseen draws, r on those of the regression, (4,) each.

        Raises:
            ValueError: an attribute is the same in all pictures.
        """
        for name, spread in zip(ATTRIBUTES, self.spread):
            if spread < LEAST_SPREAD:
                raise ValueError(f"by: {name} is the same in all pictures that were drawn, so no "
                                 f"direction changes it")
        own = self._picked(self.found)
        unseen = self._picked(~self.found)
        fit = regressed(*own, classes=self.classes)
        return conditional(fit.weights), fit.correlations(*unseen), fit.correlations(*own)

    def _picked(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """z, values and labels of some."""
        return self.z[which], self.values[which], self.labels[which]


def _of_first_layer(by: str, sample: _Sample, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (k, d) by pca or weights, and their strengths (k,)."""
    if by == "weights":
        return by_weights(sample.drawing, count)
    draws = slice(0, min(sample.n, COMPONENTS))
    return by_pca(sample.drawing, sample.z[draws], sample.labels[draws], count)


def _spread(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The standard deviation of each attribute within classes, (a,); 0 without pictures."""
    centred = values.copy()
    for label in np.unique(labels):
        centred[labels == label] -= values[labels == label].mean(axis=0)
    return np.sqrt(np.square(centred).sum(axis=0) / max(1, len(values)))


def _classes(drawing: Drawing) -> int:
    return drawing.model.n_classes if drawing.model.conditional else 1


def _towards_light(vectors: np.ndarray, seen: Effects) -> tuple[np.ndarray, Effects]:
    """The same directions, turned round where pictures become darker along them."""
    darker = seen.light[:, -1] < seen.light[:, 0]                   # (k,)
    sign = np.where(darker, -1.0, 1.0)
    turned = darker[:, None]
    light = np.where(turned, seen.light[:, ::-1], seen.light)
    means = np.where(turned[:, :, None], seen.means[:, ::-1], seen.means)
    return sign[:, None] * vectors, Effects(light, seen.change, means)


def _check(drawing: Drawing, by: Any, n: Any, count: Any) -> None:
    """Refuse settings of `find_directions`."""
    if by is not None and by not in KINDS:
        raise ValueError(f"by must be one of {', '.join(KINDS)}, got {by!r}")
    least = 2 * (drawing.latent_size + _classes(drawing))
    if not checks.is_whole(n) or n < least:
        raise ValueError(f"n must be a whole number of {least} or more, twice what the regression "
                         f"has to find, got {n!r}")
    if not checks.is_whole(count) or count < 1:
        raise ValueError(f"count must be a whole number of 1 or more, got {count!r}")
