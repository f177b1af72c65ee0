"""The picture of directions: a row each, the same latent further and further along it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from minigan import plot
from minigan.editing.directions.effects import moved
from minigan.editing.directions.record import Directions
from minigan.editing.drawing import Drawing
from minigan.models.model import Model
from minigan.streams import Stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = (-3, -2, -1, 0, 1, 2, 3)   # amounts, a column each
WIDTH = 60                         # screen pixels of a picture, at least
LABEL = 3                          # of the latent, where there are labels: a digit of many strokes


def directions_picture(model: Model, directions: Directions, seed: int = 0) -> Figure:
    """A row for each direction and a column for each amount from -3 to 3, of one latent.

    seed: of the latent. An amount of 3 is three standard deviations of a latent's number: further
    on, the generator has seen little.
    """
    drawing = Drawing(model)
    z = drawing.latents(Stream(seed, "directions picture"), 1).numpy()   # (1, d)
    rows = [np.concatenate([moved(z, vector, amount) for amount in SHOWN])
            for vector in directions.vectors]
    latents = np.concatenate(rows)
    labels = np.full(len(latents), LABEL % model.n_classes)
    images = drawing.pixels(latents, labels)

    amounts = [f"{amount:+d}" if amount else "0" for amount in SHOWN]
    scale = math.ceil(WIDTH / model.shape[1])
    return plot.image_grid(images, len(SHOWN), amounts, scale=scale, names=directions.names)
