"""From a first guess to the latent of a picture: Adam on the objective, many at once."""

from __future__ import annotations

import math
from typing import Callable

import numpy as np

from minigan import ops
from minigan.backend import default
from minigan.capturing import capture
from minigan.editing.drawing import Drawing
from minigan.engine import Tensor, grad
from minigan.nn.module import Parameter
from minigan.optim import Adam

BLOCK = 100  # pictures in a batch


class Objective:
    """What an inversion minimises for each picture x (Zhu et al. 2016, eq. 5 and 6):

        mean over pixels of (G(z, y) - x)^2  +  prior * mean over the d numbers of z^2

    The paper leaves z free within its interval. For normal noise, the second term is its negative
    log density: the sum is least for the z that is most probable given x, if pixels have normal
    errors of variance prior * pixels / d.
    """

    def __init__(self, drawing: Drawing, prior: float) -> None:
        self.drawing = drawing
        self.prior = prior

    def __call__(self, z: Tensor, labels: Tensor | None, x: Tensor) -> Tensor:
        """The objective of each picture, (N,). z: (N, d). labels: (N,). x: (N, H, W, C)."""
        images = self.drawing(z, labels)
        pixels = ops.mean(ops.square(images - x), (1, 2, 3))
        size = ops.mean(ops.square(z), 1)
        return pixels + self.prior * size


def descend(objective: Objective, z: np.ndarray, labels: np.ndarray | None, images: np.ndarray,
            steps: int, learning_rate: float, counted: Callable[[], None]) -> np.ndarray:
    """Latents after `steps` of Adam, float32 (N, d); pictures do not influence each other.

    z: where it begins, (N, d). labels: int64 (N,) or None. images: float32 (N, H, W, C). counted:
    is called after each step of each block.
    """
    result = np.empty_like(z)
    for start in range(0, len(z), BLOCK):
        block = slice(start, start + BLOCK)
        some = None if labels is None else labels[block]
        result[block] = _descend(objective, z[block], some, images[block], steps, learning_rate,
                                 counted)
    return result


def blocks(n: int) -> int:
    """How many blocks n pictures take."""
    return math.ceil(n / BLOCK)


def _descend(objective: Objective, start: np.ndarray, labels: np.ndarray | None,
             images: np.ndarray, steps: int, learning_rate: float, counted: Callable[[], None]
             ) -> np.ndarray:
    """`descend` for one block, whose step is recorded once and replayed."""
    xp = default()
    z = Parameter(xp.from_host(start))
    x = Tensor(xp.from_host(images))
    wanted = objective.drawing.labels(labels, len(start))
    optimizer = Adam([z], learning_rate, (0.9, 0.999))
    limit = objective.drawing.limit

    def step() -> Tensor:
        loss = ops.sum(objective(z, wanted, x))
        optimizer.step(grad(loss, [z]))
        if limit is not None:
            xp.limit(z.data, -limit, limit)
        return loss.detach()

    replay: Callable[[], Tensor] = step
    for k in range(steps):
        if k == 1 and xp.capturable:
            replay = capture(step, [z, x])
        optimizer.lr = learning_rate * rate(k / steps)
        replay()
        counted()
    return np.array(z.numpy())


def rate(share: float) -> float:
    """The learning rate's factor after this share of the steps: 1, then down to 0 as a cosine."""
    return 0.5 + 0.5 * math.cos(math.pi * share)
