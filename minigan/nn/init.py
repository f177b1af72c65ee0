"""Initial weights: functions (shape, fan_in, fan_out, rng) -> float32 array, on the default device.

fan_in: how many inputs feed one output. fan_out: how many outputs one input feeds. rng: the stream
that random weights are drawn from. Each name below is such a function, or returns one:

    Dense(100, 128, weight_init=init.he_normal)
    Dense(100, 128, weight_init=init.normal(0.02))
"""

from __future__ import annotations

import math
from typing import Callable

from minigan.backend import Array, Shape, default
from minigan.streams import Stream

Init = Callable[[Shape, float, float, Stream], Array]


def constant(value: float) -> Init:
    """Every element the same number."""
    return lambda shape, fan_in, fan_out, rng: default().full(shape, value, dtype="float32")


zeros = constant(0.0)
ones = constant(1.0)


def normal(std: float = 0.02, mean: float = 0.0) -> Init:
    """N(mean, std^2). DCGAN starts from N(0, 0.02^2) (Radford et al. 2015, section 4)."""
    return lambda shape, fan_in, fan_out, rng: rng.normal(shape, mean, std)


def uniform(limit: float) -> Init:
    """U(-limit, limit)."""
    return lambda shape, fan_in, fan_out, rng: rng.uniform(shape, -limit, limit)


def glorot_uniform(shape: Shape, fan_in: float, fan_out: float, rng: Stream) -> Array:
    """U(-a, a) with a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16).

    It keeps the variance of activations and gradients about the same from layer to layer.
    """
    limit = math.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(shape, -limit, limit)


def he_uniform(shape: Shape, fan_in: float, fan_out: float, rng: Stream) -> Array:
    """U(-a, a) with a = sqrt(6 / fan_in): the variance of `he_normal`."""
    limit = math.sqrt(6 / fan_in)
    return rng.uniform(shape, -limit, limit)


def he_normal(shape: Shape, fan_in: float, fan_out: float, rng: Stream) -> Array:
    """N(0, 2 / fan_in) (He et al. 2015, eq. 10): keeps the variance through ReLUs."""
    return rng.normal(shape, 0.0, math.sqrt(2 / fan_in))
