"""What a direction changes: pictures at several amounts along it, measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.editing.directions.attributes import ATTRIBUTES, measure
from minigan.editing.drawing import Drawing

AMOUNTS = (-2, -1, 0, 1, 2)  # at which directions are measured


class Effects(NamedTuple):
    """What was seen at AMOUNTS along k directions.

    light: the mean of all pixels, from -1 to 1. change: how far pictures at the ends are apart,
    root mean square. means: of the attributes, in the order of ATTRIBUTES; (k, 5, 0) where they
    make no sense.
    """

    light: np.ndarray    # float64 (k, 5)
    change: np.ndarray   # float64 (k,)
    means: np.ndarray    # float64 (k, 5, a)


def moved(z: np.ndarray, vector: np.ndarray, amount: float) -> np.ndarray:
    """Latents (n, d) that are `amount` further along a unit vector (d,), as float32."""
    return (z + amount * vector).astype(np.float32)


def effects(drawing: Drawing, vectors: np.ndarray, z: np.ndarray, labels: np.ndarray,
            strokes: bool) -> Effects:
    """Move the same latents along each of the unit vectors (k, d), and look.

    z: float32 (n, d). labels: int64 (n,), which only conditional models read. strokes: whether the
    attributes make sense.
    """
    k = len(vectors)
    measured = len(ATTRIBUTES) if strokes else 0
    light = np.empty((k, len(AMOUNTS)))
    change = np.empty(k)
    means = np.empty((k, len(AMOUNTS), measured))
    middle = drawing.pixels(z, labels)                              # the same for all directions
    for i, vector in enumerate(vectors):
        pictures = []
        for amount in AMOUNTS:
            there = moved(z, vector, amount)
            pictures.append(drawing.pixels(there, labels) if amount else middle)
        light[i] = [each.mean() / 127.5 - 1 for each in pictures]
        apart = pictures[-1].astype(np.float32) - pictures[0]
        change[i] = np.sqrt(np.square(apart / 127.5).mean())
        if strokes:
            means[i] = [_mean_attributes(each) for each in pictures]
    return Effects(light, change, means)


def _mean_attributes(images: np.ndarray) -> np.ndarray:
    measured = measure(images)
    return np.array([measured[name].mean() for name in ATTRIBUTES])
