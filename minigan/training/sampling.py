"""What samples start from and how they are shown, the same in training and afterwards."""

from __future__ import annotations

import numpy as np

from minigan.backend import Stream, default
from minigan.data import Images, to_bytes, to_model
from minigan.engine import Tensor


def draw_images(data: Images, stream: Stream, n: int) -> Tensor:
    """n images of a data set in random order, float32 (n, H, W, C) on the default device.

    One comes again only when all others have come.
    """
    chosen = stream.permutation(len(data))[np.arange(n) % len(data)]
    return Tensor(default().from_host(to_model(data.images[chosen])))


def side_by_side(inputs: Tensor, samples: np.ndarray, truth: Tensor | None) -> np.ndarray:
    """Samples u8 (n, H, W, C) as they are, or as u8 (n, H, 3 W, C): input, sample, truth."""
    if truth is None:
        return samples
    return np.concatenate([to_bytes(inputs.numpy()), samples, to_bytes(truth.numpy())], axis=2)
