"""The network that draws a model's samples, as a function of latents that has derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigan.backend import default
from minigan.data import to_bytes
from minigan.engine import Tensor, no_grad
from minigan.errors import shown
from minigan.models.model import Model
from minigan.nn import evaluation_mode
from minigan.streams import Stream

BLOCK = 250      # images that are drawn at once: 5,000 need gigabytes
LOOKED_AT = 256  # latents that are drawn to see how they are distributed


class Drawing:
    """The generator as `Model.sample` uses it: the moving average of the weights, where the model
    keeps one, in evaluation mode. Unlike `sample`, it records a graph.

    model: any that starts from latent vectors, conditional or not. Do not train it meanwhile.

    network: the network that draws. shape: of one image, (H, W, C). latent_size: d, the numbers in
    a latent vector. size: the mean square of these numbers, 1 for standard normal noise. limit: the
    largest number that a latent may hold, where the model draws them from an interval (uniform
    noise); None for normal noise.

    Raises:
        TypeError: model is not a `Model`.
        ValueError: it starts from images, or its latents are not vectors.
    """

    def __init__(self, model: Model) -> None:
        if not isinstance(model, Model):
            raise TypeError("model must be a minigan model, as minigan.load(run).model is, "
                            f"got {shown(model)}")
        if model.starts_from_images():
            raise ValueError(f"model: {model.name} starts from images, so there is no latent "
                             f"vector to look for; models that start from latents can be edited")
        self.model = model
        self.network = model.drawing_network()
        self.shape = model.shape
        some = self.latents(Stream(0, "edit"), LOOKED_AT).numpy()
        if some.ndim != 2:
            raise ValueError(f"model: latents must be vectors, (n, d); those of {model.name} are "
                             f"{some.shape}")
        self.latent_size = some.shape[1]
        self.size = _size(some)
        self.limit = _limit(some)

    def __call__(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, H, W, C) in [-1, 1] of latents z (N, d); a graph leads back to z.

        labels: for conditional models, int64 (N,), as `labels` returns them.

        Raises:
            ValueError: the network draws something else than images, such as points.
        """
        inputs = [z] if labels is None else [z, labels]
        with evaluation_mode():
            images = self.network(*inputs)
        if images.shape != (len(z), *self.shape):
            raise ValueError(f"model: {self.model.name} draws {images.shape}, not images "
                             f"{(len(z), *self.shape)}")
        return images

    def latents(self, stream: Stream, n: int) -> Tensor:
        """n latents (n, d), as the model draws them."""
        return self.model.latent_from(stream, n)

    def some(self, stream: Stream, n: int) -> tuple[np.ndarray, np.ndarray | None]:
        """n latents, float32 (n, d), and all labels in turn, int64 (n,); None without labels."""
        labels = np.arange(n) % self.model.n_classes if self.model.conditional else None
        return self.latents(stream, n).numpy(), labels

    def labels(self, labels: Any, n: int) -> Tensor | None:
        """n labels as a tensor, int64 (n,), checked; None for models without labels.

        Raises:
            ValueError: the model needs labels and there are none, or they do not fit.
        """
        return self.model.checked_labels(labels, n) if self.model.conditional else None

    def images(self, z: np.ndarray, labels: Any = None) -> np.ndarray:
        """Images float32 (N, H, W, C) in [-1, 1] of latents z, float32 (N, d), block by block.

        labels: N integers, for conditional models.

        Raises:
            ValueError: z is not (N, d), or labels are missing or do not fit.
        """
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.latent_size:
            raise ValueError(f"z must be (N, {self.latent_size}), latents of {self.model.name}, "
                             f"got {z.shape}")
        numbers = self.labels(labels, len(z))
        result = np.empty((len(z), *self.shape), np.float32)
        xp = default()
        for start in range(0, len(z), BLOCK):
            block = slice(start, start + BLOCK)
            wanted = None if numbers is None else numbers[block]
            with self.model.turn, no_grad():
                result[block] = self(Tensor(xp.from_host(z[block])), wanted).numpy()
        return result

    def pixels(self, z: np.ndarray, labels: Any = None) -> np.ndarray:
        """The same as bytes, uint8 (N, H, W, C).

        Raises:
            ValueError: as `images`.
        """
        return to_bytes(self.images(z, labels))


def _size(z: np.ndarray) -> float:
    """The mean square of latents' numbers; exactly 1 where they can be standard normal ones.

    Of n numbers with the mean square 1, the mean differs from 1 by more than 4 sqrt(2 / n) once in
    ten thousand times.
    """
    measured = float(np.square(z, dtype=np.float64).mean())
    return 1.0 if abs(measured - 1) < 4 * math.sqrt(2 / z.size) else measured


def _limit(z: np.ndarray) -> float | None:
    """The end of the interval that latents (n, d) fill; None if they are not from one.

    Uniform numbers in [-a, a] have the deviation 0.58 a. Of a thousand normal numbers one is
    further out than three deviations.
    """
    largest = float(np.abs(z).max())
    return largest if largest < 2 * z.std() else None
