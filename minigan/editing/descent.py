"""From a first guess to the latent of a picture: Adam on the objective, many at once."""

from __future__ import annotations

import math
from typing import Callable

import numpy as np

from minigan import ops
from minigan.backend import default
from minigan.capturing import capture
from minigan.editing.drawing import Drawing
from minigan.engine import Tensor, grad, no_grad
from minigan.nn.module import Parameter
from minigan.optim import Adam

BLOCK = 100  # pictures in a batch

# Gradients shrink by much while a picture is found, and Adam's usual 0.999 remembers for too long
# how large they were: 0.9 reaches in 100 steps what 0.999 does in 150.
BETAS = (0.9, 0.9)


class Objective:
    """What an inversion minimises for each picture x (after Zhu et al. 2016, see `inversion`):

        mean over pixels of (G(z, y) - x)^2  +  prior * (q - 1)^2,  q = ||z||^2 / its due size

    The due size is what ||z||^2 is on average where the model draws z: d for normal noise. Normal
    vectors of d numbers all have about that length, so G was trained on no others. The paper leaves
    z free; a squared length in place of (q - 1)^2, z's negative log density, pulls towards 0, where
    no z is ever drawn.

    features: if given, a function from images (N, H, W, C) to vectors (N, k), for instance
    `judge_features`; `weight` times the mean of their squared differences is added.
    """

    def __init__(self, drawing: Drawing, prior: float,
                 features: Callable[[Tensor], Tensor] | None = None, weight: float = 0.0) -> None:
        self.drawing = drawing
        self.prior = prior
        self.features = features
        self.weight = weight

    def __call__(self, z: Tensor, labels: Tensor | None, x: Tensor, seen: Tensor | None = None
                 ) -> Tensor:
        """The objective of each picture, (N,).

        z: (N, d). labels: (N,). x: (N, H, W, C). seen: the features of x, (N, k), if there are any.
        """
        images = self.drawing(z, labels)
        total = ops.mean(ops.square(images - x), (1, 2, 3))
        if self.features is not None and seen is not None:
            differences = self.features(images) - seen
            total = total + self.weight * ops.mean(ops.square(differences), 1)
        q = ops.mean(ops.square(z), 1) * (1 / self.drawing.size)
        return total + self.prior * ops.square(q - 1)


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
    optimizer = Adam([z], learning_rate, BETAS)
    limit = objective.drawing.limit
    seen = None
    if objective.features is not None:
        with no_grad():
            seen = objective.features(x)

    def step() -> Tensor:
        loss = ops.sum(objective(z, wanted, x, seen))
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
    """The learning rate's factor after this share of the steps: 1, in the last tenth down to 0.

    A longer decay, a cosine for instance, stops in the middle of the way.
    """
    return min(1.0, 10 * (1 - share))
