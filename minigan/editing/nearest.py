"""Where the search for a latent begins: at the nearest of many pictures that G draws."""

from __future__ import annotations

import numpy as np

from minigan.editing.drawing import Drawing
from minigan.streams import Stream


class Draws:
    """Latents that the model draws, each with its picture under every label.

    n: how many. The same latents serve all labels. z: float32 (n, d). images: by label, float32
    (n, H * W * C); a model without labels has one entry.
    """

    def __init__(self, drawing: Drawing, n: int, stream: Stream) -> None:
        model = drawing.model
        self.z = drawing.latents(stream, n).numpy()
        classes = range(model.n_classes) if model.conditional else [None]
        self.images = []
        for label in classes:
            labels = None if label is None else np.full(n, label)
            self.images.append(drawing.images(self.z, labels).reshape(n, -1))

    def nearest(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each picture and label, which draw is nearest, and its RMS error.

        images: float32 (N, H, W, C) in [-1, 1]. Returns int64 (N, K) and float32 (N, K), K labels.
        """
        x = images.reshape(len(images), -1)
        which = np.empty((len(x), len(self.images)), np.int64)
        error = np.empty((len(x), len(self.images)), np.float32)
        rows = np.arange(len(x))
        for label, drawn in enumerate(self.images):
            squares = squared_distances(x, drawn)
            best = squares.argmin(1)
            which[:, label] = best
            error[:, label] = np.sqrt(squares[rows, best] / x.shape[1])
        return which, error


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """||a_i - b_j||^2, float32 (N, M), of rows a (N, k) and b (M, k)."""
    of_a = np.square(a).sum(1)[:, None]
    of_b = np.square(b).sum(1)
    return np.maximum(of_a + of_b - 2 * (a @ b.T), 0)
