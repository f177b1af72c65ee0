"""What is measured: the same weights, images and noise for minigan and for every rival.

gan:seed is the smallest network of the catalogue (z 100 -> 128 -> 784, 784 -> 128 -> 1, batch 64),
where the cost of the engine itself shows most.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BATCH, LATENT, HIDDEN, PIXELS = 64, 100, 128, 784
LEARNING_RATE, BETAS, EPS, SLOPE = 2e-4, (0.5, 0.999), 1e-8, 0.01


def gan_seed(dtype: Any = np.float32, batches: int = 16) -> dict[str, Any]:
    """Weights, images in [-1, 1] (batches, 64, 784) and noise (batches, 64, 100) of gan:seed."""
    random = np.random.Generator(np.random.Philox(2014))

    def glorot(n_in: int, n_out: int) -> np.ndarray:
        limit = (6 / (n_in + n_out)) ** 0.5
        return random.uniform(-limit, limit, (n_in, n_out)).astype(dtype)

    def dense(n_in: int, n_out: int) -> list[np.ndarray]:
        return [glorot(n_in, n_out), np.zeros(n_out, dtype)]

    return {
        "generator": dense(LATENT, HIDDEN) + dense(HIDDEN, PIXELS),
        "discriminator": dense(PIXELS, HIDDEN) + dense(HIDDEN, 1),
        "images": random.uniform(-1, 1, (batches, BATCH, PIXELS)).astype(dtype),
        "noise": random.standard_normal((batches, BATCH, LATENT)).astype(dtype),
    }
