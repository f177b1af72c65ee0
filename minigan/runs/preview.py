"""The fixed inputs of sample grids, and how samples are shown, in training and afterwards."""

from __future__ import annotations

from functools import partial

import numpy as np

from minigan import plot
from minigan.backend import default
from minigan.data import Images, to_bytes, to_model
from minigan.engine import Tensor
from minigan.errors import check_finite
from minigan.models.model import Model
from minigan.streams import Stream

ROWS = 8       # of a sample grid, and columns, unless there is a column for each label
COLUMNS = 20   # for labels, at most; there are none for the labels after these

PAIRED = "input, sample and truth side by side, the inputs made from training pictures"


class Preview:
    """The fixed inputs of a run, and what the model makes of them now.

    They come from a random stream of their own, so drawing samples does not change the training.
    labels: one for each column if the model is conditional, int64 (ROWS * columns,), else None.
    truth: see `Model.inputs_from`.
    """

    def __init__(self, model: Model, data: Images | None) -> None:
        self.model = model
        self.columns = min(model.n_classes, COLUMNS) if model.conditional else ROWS
        self.labels = np.tile(np.arange(self.columns), ROWS) if model.conditional else None

        stream = Stream(model.streams.seed, "preview")
        draw = partial(draw_images, data)
        self.inputs, self.truth = model.inputs_from(stream, ROWS * self.columns, draw)

    def images(self) -> np.ndarray:
        """Images uint8 (ROWS * columns, H, W, C).

        Raises:
            NotFinite: a pixel is infinite or NaN.
        """
        values = self.model.sample(self.inputs, self.labels).numpy()
        check_finite({"a pixel of the samples": values})
        return to_bytes(values)

    def grid(self, images: np.ndarray) -> np.ndarray:
        """Such images as one picture, each between its input and the truth, if there is a truth."""
        return plot.tile(side_by_side(self.inputs, images, self.truth), self.columns)


def draw_images(data: Images | None, stream: Stream, n: int) -> Tensor:
    """n images of a data set in random order, float32 (n, H, W, C) on the default device.

    No image repeats until every other one has been drawn.

    Raises:
        ValueError: there is no data set.
    """
    if data is None:
        raise ValueError("data: this model starts from images, and none were given")
    order = stream.permutation(len(data))
    chosen = order[np.arange(n) % len(data)]
    return Tensor(default().from_host(to_model(data.images[chosen])))


def side_by_side(inputs: Tensor, samples: np.ndarray, truth: Tensor | None) -> np.ndarray:
    """Samples uint8 (n, H, W, C) as they are; with a truth, input, sample and truth side by side,
    uint8 (n, H, 3 W, C). inputs, truth: (n, H, W, C) in [-1, 1].
    """
    if truth is None:
        return samples
    return np.concatenate([to_bytes(inputs.numpy()), samples, to_bytes(truth.numpy())], axis=2)
