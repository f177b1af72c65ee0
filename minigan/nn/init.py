"""Initial weights: functions (shape, fan_in, fan_out, rng) -> array on the default device.

fan_in and fan_out are the numbers of inputs that feed one output and of outputs that one input
feeds. Each name below makes such a function, or is one.
"""

from __future__ import annotations

import math
from typing import Callable

from minigan.backend import Array, default
from minigan.streams import Stream

Init = Callable[[tuple[int, ...], float, float, Stream], Array]


def constant(value: float) -> Init:
    """Every element the same."""
    return lambda shape, fan_in, fan_out, rng: default().full(shape, value, dtype="float32")


zeros, ones = constant(0.0), constant(1.0)


def normal(std: float = 0.02, mean: float = 0.0) -> Init:
    """N(mean, std^2); DCGAN (Radford et al. 2015) starts from N(0, 0.02^2)."""
    return lambda shape, fan_in, fan_out, rng: rng.normal(shape, mean, std)


def uniform(limit: float) -> Init:
    """U(-limit, limit)."""
    return lambda shape, fan_in, fan_out, rng: rng.uniform(shape, -limit, limit)


def glorot_uniform(shape: tuple[int, ...], fan_in: float, fan_out: float, rng: Stream) -> Array:
    """U(-a, a) with a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    return uniform(math.sqrt(6 / (fan_in + fan_out)))(shape, fan_in, fan_out, rng)


def he_uniform(shape: tuple[int, ...], fan_in: float, fan_out: float, rng: Stream) -> Array:
    """U(-a, a) with a = sqrt(6 / fan_in) (He et al. 2015): keeps the variance through ReLUs."""
    return uniform(math.sqrt(6 / fan_in))(shape, fan_in, fan_out, rng)


def he_normal(shape: tuple[int, ...], fan_in: float, fan_out: float, rng: Stream) -> Array:
    """N(0, 2 / fan_in) (He et al. 2015, eq. 10)."""
    return normal(math.sqrt(2 / fan_in))(shape, fan_in, fan_out, rng)
