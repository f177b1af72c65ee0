"""Inversion: which latent vector makes the generator draw this picture?

Zhu et al. 2016, "Generative Visual Manipulation on the Natural Image Manifold",
https://arxiv.org/abs/1609.03552, "Projecting an Image onto the Manifold". The paper descends from
several draws and keeps the best end; here descent begins at the nearest of many draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan import checks
from minigan.data import to_bytes, to_model
from minigan.editing.descent import Objective, blocks, descend
from minigan.editing.drawing import Drawing
from minigan.editing.features import WEIGHT, judge_features
from minigan.editing.nearest import Draws
from minigan.errors import shown
from minigan.models.model import Model
from minigan.streams import Stream
from minigan.system.progress import Progress

# How closely z keeps to the length that normal vectors have. Measured with the generator in the
# package, whose latents should have the length 8, on 200 digits of MNIST, others than RESULTS.md's;
# "named": both judges see the digit that was asked for when a latent is drawn with the ten labels.
#
#     prior    error    ||z||             named
#     0        0.100    12.5, up to 21    0.949
#     0.01     0.107     8.6, up to 10    0.980
#     0.03     0.108     8.3, up to 9.1   0.986
#     0.1      0.109     8.1, up to 8.5   0.987
PRIOR = 0.03
LEARNING_RATE = 0.1


@dataclass(frozen=True)
class Inversion:
    """The latents of n pictures, and how well they draw them.

    z: float32 (n, d). labels: int64 (n,), those given or those that fit best; None for models
    without labels. images: what the generator draws of these, uint8 (n, H, W, C).
    error: RMS over the pixels on [-1, 1], float32 (n,). nearest: the same of the nearest draw,
    where the descent began. by_label: where labels were looked for, how far the nearest draws of
    each are, see `Draws.by_label`, float32 (n, n_classes); else None.
    """

    z: np.ndarray
    labels: np.ndarray | None
    images: np.ndarray
    error: np.ndarray
    nearest: np.ndarray
    by_label: np.ndarray | None = None


def invert(model: Model, images: np.ndarray, labels: Any = None, *, steps: int = 200,
           draws: int = 500, prior: float = PRIOR, learning_rate: float = LEARNING_RATE,
           features: str | None = None, seed: int = 0, progress: bool = False) -> Inversion:
    """Find a latent vector for each picture; the same seed gives the same bits.

    images: (n, H, W, C) of the model's shape, uint8, or floats in [-1, 1].
    labels: for conditional models, n integers; by default the label that fits best is looked for.
    steps: of Adam. draws: how many pictures are drawn, under each label, to begin at the nearest.
    prior: weight of the term that keeps ||z|| near its due size, see `Objective`.
    features: "judge" adds the distance in the features of the package's first judge of digits.
    progress: show a bar on standard error.

    Raises:
        TypeError: model is not a `Model`.
        ValueError: the model starts from images; or an argument does not fit or is out of range.
    """
    drawing = Drawing(model)
    x = _checked_images(images, drawing.shape)
    _check_settings(steps, draws, prior, learning_rate)
    checks.check_choice("features", features, (None, "judge"))
    given = _checked_labels(drawing, labels, len(x))

    judge = judge_features(drawing.shape) if features else None
    objective = Objective(drawing, prior, judge, WEIGHT)
    found = Draws(drawing, draws, Stream(seed, "edit"))
    by_label = None
    if given is None:
        by_label = found.by_label(x)                        # (n, K)
        given = by_label.argmin(1)                          # (n,)
    which, nearest = found.nearest(x, given)
    labelled = given if model.conditional else None
    with Progress(0, steps * blocks(len(x)), "invert", quiet=not progress) as bar:
        z = descend(objective, found.z[which], labelled, x, steps, learning_rate, bar.advance)
    drawn = drawing.images(z, labelled)
    error = rms_error(drawn, x)
    return Inversion(z, labelled, to_bytes(drawn), error, nearest, by_label)


def floor(model: Model, n: int = 50, *, seed: int = 0, **settings: Any) -> Inversion:
    """Invert n of the generator's own pictures: no real picture can be expected to do better.

    Conditional models draw all labels in turn, and the labels are given to `invert`. seed: of the
    pictures, which are not among the draws. settings: as for `invert`.

    Raises:
        TypeError, ValueError: as `invert`.
    """
    drawing = Drawing(model)
    n = checks.whole("n", n)
    z, labels = drawing.some(Stream(seed, "floor"), n)
    return invert(model, drawing.pixels(z, labels), labels, seed=seed, **settings)


def rms_error(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The root of the mean squared difference of each pair of pictures, float32 (n,)."""
    squares = np.square(a - b).mean((1, 2, 3))
    return np.sqrt(squares).astype(np.float32)


def _checked_images(images: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """The pictures as float32 in [-1, 1]."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != shape or not len(images):
        raise ValueError(f"images: the model draws pictures (n, {', '.join(map(str, shape))}), got "
                         f"{images.shape}")
    if images.dtype == np.uint8:
        return to_model(images)
    if images.dtype.kind != "f" or not np.abs(images).max() <= 1.001:  # NaN is refused too
        raise ValueError(f"images must be uint8, or floats in [-1, 1], got {images.dtype}")
    return images.astype(np.float32)


def _checked_labels(drawing: Drawing, labels: Any, n: int) -> np.ndarray | None:
    """The labels as int64 (n,), zeros for models without any; None if they must be looked for."""
    if not drawing.model.conditional:
        if labels is not None:
            raise ValueError(f"labels: {drawing.model.name} draws without labels, so none can be "
                             f"given")
        return np.zeros(n, np.int64)
    if labels is None:
        return None
    return np.array(drawing.model.checked_labels(labels, n).numpy())


def _check_settings(steps: Any, draws: Any, prior: Any, learning_rate: Any) -> None:
    checks.whole("steps", steps)
    checks.whole("draws", draws)
    checks.check_eps("prior", prior)
    if not (checks.is_number(learning_rate) and 0 < learning_rate < math.inf):
        raise ValueError(f"learning_rate must be above 0 and finite, got {shown(learning_rate)}")
