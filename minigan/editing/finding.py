"""Finding the directions of a model: draws, a method, and what moves along them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigan.editing.attributes import ATTRIBUTES, measure, why_not
from minigan.editing.directions import Directions
from minigan.editing.drawing import Drawing
from minigan.editing.effects import Effects, effects
from minigan.editing.fingerprint import fingerprint
from minigan.editing.supervised import conditional, regressed
from minigan.editing.unsupervised import by_pca, by_weights
from minigan.models.model import Model
from minigan.streams import Stream

DRAWS = 2000      # for a regression
UNSEEN = 500      # more draws, for the correlation
LOOKED_AT = 250   # of which so many are moved along each direction
PICKED = 1000     # draws for principal components, at most: their cost grows with the cube
COUNT = 8         # directions, where it is not the number of attributes
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
    problem = why_not(sample.looked_at)
    if by is None:
        by = "pca" if problem else "attributes"
    if by == "attributes" and problem:
        raise ValueError(f"by: {model.name} has no attributes to measure, {problem}; \"pca\" and "
                         f"\"weights\" need none")

    values = None if problem else sample.attributes()
    spread = np.zeros(0) if values is None else _spread(values, sample.labels)
    names: tuple[str, ...] = ATTRIBUTES
    in_sample = np.full(min(count, drawing.latent_size), np.nan)
    if by == "attributes" and values is not None:
        vectors, strength, in_sample = _by_attributes(sample, values)
    elif by == "pca":
        picked = min(n, PICKED)
        vectors, strength = by_pca(drawing, sample.z[:picked], sample.labels[:picked], count)
        names = _numbered("pca", len(vectors))
    else:
        vectors, strength = by_weights(drawing, count)
        names = _numbered("weight", len(vectors))

    few = slice(n, n + LOOKED_AT)
    seen = effects(drawing, vectors, sample.z[few], sample.labels[few], not problem)
    if by != "attributes":
        vectors, seen = _towards_light(vectors, seen)
    found = {"vectors": vectors, "strength": strength, "in_sample": in_sample[:len(vectors)],
             "change": seen.change, "means": seen.means, "spread": spread}
    return Directions(
        names=names, kinds=(by,) * len(names), attributes=() if problem else ATTRIBUTES,
        fingerprint=fingerprint(model),
        **{name: array.astype(np.float32) for name, array in found.items()})


class _Sample:
    """Latents and labels of n + UNSEEN draws, and what the generator makes of them."""

    def __init__(self, drawing: Drawing, n: int, seed: int) -> None:
        total = n + UNSEEN
        classes = drawing.model.n_classes if drawing.model.conditional else 1
        self.drawing = drawing
        self.n = n
        self.z = drawing.latents(Stream(seed, "directions"), total).numpy()    # (total, d)
        self.labels = np.arange(total) % classes
        self.looked_at = drawing.pixels(self.z[:LOOKED_AT], self.labels[:LOOKED_AT])

    def attributes(self) -> np.ndarray:
        """The attributes of all, float64 (n + UNSEEN, 4)."""
        rest = self.drawing.pixels(self.z[LOOKED_AT:], self.labels[LOOKED_AT:])
        measured = measure(np.concatenate([self.looked_at, rest]))
        return np.stack([measured[name] for name in ATTRIBUTES], axis=1)


def _by_attributes(sample: _Sample, values: np.ndarray
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors (4, d), and r on unseen draws and on those of the regression, (4,) each."""
    n = sample.n
    z = sample.z
    labels = sample.labels
    inked = values[:n, 0] > 0  # a picture without ink has no attributes
    fit = regressed(z[:n][inked], values[:n][inked], labels[:n][inked])
    in_sample = fit.correlations(z[:n][inked], values[:n][inked], labels[:n][inked])
    unseen = fit.correlations(z[n:], values[n:], labels[n:])
    return conditional(fit.weights), unseen, in_sample


def _spread(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The standard deviation of each attribute within classes, (a,)."""
    centred = values.copy()
    for label in np.unique(labels):
        centred[labels == label] -= values[labels == label].mean(axis=0)
    return centred.std(axis=0)


def _towards_light(vectors: np.ndarray, seen: Effects) -> tuple[np.ndarray, Effects]:
    """The same directions, turned round where pictures become darker along them."""
    darker = seen.light[:, -1] < seen.light[:, 0]                   # (k,)
    sign = np.where(darker, -1.0, 1.0)
    turned = darker[:, None]
    light = np.where(turned, seen.light[:, ::-1], seen.light)
    means = np.where(turned[:, :, None], seen.means[:, ::-1], seen.means)
    return sign[:, None] * vectors, Effects(light, seen.change, means)


def _numbered(word: str, count: int) -> tuple[str, ...]:
    return tuple(f"{word}{i + 1}" for i in range(count))


def _check(drawing: Drawing, by: Any, n: Any, count: Any) -> None:
    """Refuse settings of `find_directions`."""
    if by is not None and by not in KINDS:
        raise ValueError(f"by must be one of {', '.join(KINDS)}, got {by!r}")
    least = 2 * drawing.latent_size
    if not isinstance(n, (int, np.integer)) or n < least:
        raise ValueError(f"n must be a whole number of {least} or more, twice the numbers of a "
                         f"latent, got {n!r}")
    if not isinstance(count, (int, np.integer)) or count < 1:
        raise ValueError(f"count must be a whole number of 1 or more, got {count!r}")
