"""The picture test of a model that makes pictures from pictures: how far from the true ones?"""

from __future__ import annotations

import numpy as np

from minigan.metrics.feature_distances import distance_rows
from minigan.metrics.pictures import LEAST, PictureTest
from minigan.metrics.records import Real, Row


def translation_test(inputs: np.ndarray, images: np.ndarray, truth: np.ndarray, seen: bool,
                     seed: int = 0) -> PictureTest:
    """Measure pictures that a model made from inputs, compared with the true ones.

    inputs, images, truth: uint8 (N, H, W, C) each. seen: whether the model was trained on these
    pictures. seed: of the random choices.

    The bound of the error is the error of the input itself: a generator must do better than one
    that changes nothing. Copies are not looked for: for an input that was trained on, a copy of the
    truth is what is wanted.

    Raises:
        ValueError: fewer than LEAST pictures.
    """
    n = len(images)
    if n < LEAST:
        raise ValueError(f"images: expected {LEAST} or more pictures, got {n}")
    true = truth.astype(np.float32) / 255
    mean = np.broadcast_to(true.mean(0), true.shape)

    def error(made: np.ndarray) -> float:
        return float(np.abs(made - true).mean())

    note = "of pictures that it was trained on" if seen else "of pictures that it has not seen"
    rows = [
        Row("a", "error", error(images.astype(np.float32) / 255), n,
            bound=error(inputs.astype(np.float32) / 255),
            note=f"mean difference from the truth, 1 is white for black; {note}; the bound is that "
                 f"of the input itself"),
        Row("", "error of the mean", error(mean), n,
            note="what the mean of all true pictures gets"),
        *distance_rows(images, Real(truth), seed)]
    return PictureTest(tuple(rows), nearest=np.arange(n), distances=np.zeros(n, np.float32))
