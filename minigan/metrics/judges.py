"""Two judges of digits: classifiers of different architecture, whose weights are in the package.

`benchmarks/train_judges.py` trained them with minigan itself, on the MNIST training digits that are
not among the package's 5,000, so that a GAN is judged by networks that never saw what it learned
from. Each recognises all but 1 % of the 10,000 test digits; `judges.npz` holds their weights as
float16.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from minigan.backend import get_backend, use
from minigan.engine import Tensor, no_grad
from minigan.nn import (AvgPool2d, BatchNorm, Conv2d, Dense, Dropout, Flatten, LeakyReLU, Module,
                        ReLU, Sequential, init)
from minigan.streams import Stream

WEIGHTS = Path(__file__).with_name("judges.npz")
N_CLASSES = 10
N_FEATURES = 64
BLOCK = 250  # images computed at a time, which keeps the memory small


class Judge(Module):
    """A classifier of digits: images (N, 28, 28, 1) in [-1, 1] -> logits (N, 10).

    body: images -> features (N, 64), the layer before the last. head: features -> logits.
    """

    def __init__(self, body: Module, rng: Stream) -> None:
        self.body = body
        self.head = Dense(N_FEATURES, N_CLASSES, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def strided(rng: Stream) -> Judge:
    """The first judge: strided convolutions with batch norm, as in a DCGAN; 37,000 weights.

    All distances are measured in its features: there, noise lies outside the balls of real digits,
    and blurred digits cover few of them. Without batch norm, noise would lie among the digits.
    """
    he: Any = {"weight_init": init.he_normal, "rng": rng}
    body = Sequential(                                                      # (N, 28, 28, 1)
        Conv2d(1, 16, 4, stride=2, padding=1, bias=False, **he),            # (N, 14, 14, 16)
        BatchNorm(16), LeakyReLU(0.1),
        Conv2d(16, 24, 4, stride=2, padding=1, bias=False, **he),           # (N, 7, 7, 24)
        BatchNorm(24), LeakyReLU(0.1),
        Conv2d(24, 24, 3, stride=2, padding=1, bias=False, **he),           # (N, 4, 4, 24)
        BatchNorm(24), LeakyReLU(0.1),
        Flatten(), Dense(4 * 4 * 24, N_FEATURES, **he), ReLU())             # (N, 64)
    return Judge(body, rng)


def pooled(rng: Stream) -> Judge:
    """The second judge: wide kernels, pooling, a normalised last layer; 106,000 weights."""
    he: Any = {"weight_init": init.he_normal, "rng": rng}
    body = Sequential(                                                      # (N, 28, 28, 1)
        Conv2d(1, 16, 5, stride=2, padding=2, bias=False, **he),            # (N, 14, 14, 16)
        BatchNorm(16), ReLU(),
        Conv2d(16, 32, 3, padding=1, bias=False, **he),                     # (N, 14, 14, 32)
        BatchNorm(32), ReLU(), AvgPool2d(2),                                # (N, 7, 7, 32)
        Flatten(), Dense(7 * 7 * 32, N_FEATURES, bias=False, **he),         # (N, 64)
        BatchNorm(N_FEATURES), ReLU(), Dropout(0.2, rng))
    return Judge(body, rng)


ARCHITECTURES = {"strided": strided, "pooled": pooled}


@lru_cache(maxsize=1)
def judges() -> tuple[Judge, ...]:
    """Both judges with their weights, in evaluation mode, on NumPy."""
    result = []
    with np.load(WEIGHTS) as saved, use("numpy"):
        for name, build in ARCHITECTURES.items():
            judge = build(Stream(0, "judge"))
            prefix = f"{name}/"
            weights = {key.removeprefix(prefix): saved[key].astype(np.float32)
                       for key in saved.files if key.startswith(prefix)}
            judge.load_state_dict(weights)
            judge.eval()
            result.append(judge)
    return tuple(result)


def in_range(images: np.ndarray) -> np.ndarray:
    """Images as the judges take them: float32 (N, 28, 28, 1) in [-1, 1].

    images: uint8, or floats in [-1, 1].

    Raises:
        ValueError: another shape, or floats outside [-1, 1].
        TypeError: neither uint8 nor floats.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != (28, 28, 1):
        raise ValueError(f"images: the judges know digits of (N, 28, 28, 1), got {images.shape}")
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(127.5) - 1
    if images.dtype.kind != "f":
        raise TypeError(f"images: expected uint8, or floats in [-1, 1], got {images.dtype}")
    if images.size and not np.abs(images).max() <= 1.001:  # NaN is refused too
        raise ValueError(f"images: floats must be in [-1, 1], got {images.min()} to {images.max()}")
    return images.astype(np.float32)


def _by_blocks(network: Module, x: np.ndarray) -> np.ndarray:
    """The network's outputs for x (N, ...), on the host."""
    xp = get_backend("numpy")
    outputs = []
    with no_grad():
        for start in range(0, len(x), BLOCK):
            block = Tensor(xp.from_host(x[start:start + BLOCK]))
            outputs.append(network(block).numpy())
    return np.concatenate(outputs)


def probabilities(images: np.ndarray) -> np.ndarray:
    """What both judges think: float32 (2, N, 10), each row a softmax over the digits.

    images: (N, 28, 28, 1), uint8 or floats in [-1, 1], N at least 1.

    Raises:
        TypeError, ValueError: as `in_range`.
    """
    x = in_range(images)
    logits = np.stack([_by_blocks(judge, x) for judge in judges()])     # (2, N, 10)
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


def predictions(images: np.ndarray) -> np.ndarray:
    """The digit that each judge sees: int64 (2, N). images: as for `probabilities`.

    Raises:
        TypeError, ValueError: as `in_range`.
    """
    return probabilities(images).argmax(-1)


def features(images: np.ndarray) -> np.ndarray:
    """The first judge's last hidden layer, float32 (N, 64), in which distances are measured.

    images: (N, 28, 28, 1), uint8 or floats in [-1, 1], N at least 1.

    Raises:
        TypeError, ValueError: as `in_range`.
    """
    return _by_blocks(judges()[0].body, in_range(images))
