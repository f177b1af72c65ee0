"""Layers without weights: activations, dropout, changes of shape and size."""

from __future__ import annotations

import math
from typing import Any

from minigan import errors
from minigan.engine import Tensor
from minigan.geometry import pair
from minigan.nn.module import Module
from minigan.ops import (avg_pool2d, dropout, leaky_relu, relu, reshape, sigmoid, tanh,
                         upsample_nearest)
from minigan.ops.elementwise import check_slope
from minigan.streams import Stream, stream


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        return relu(x)

    def leak(self) -> float:
        return 0.0


class LeakyReLU(Module):
    """x where x > 0, else slope * x."""

    def __init__(self, slope: float = 0.01) -> None:
        check_slope("LeakyReLU", slope)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(x, self.slope)

    def leak(self) -> float:
        return self.slope

    def describe(self) -> str:
        return str(self.slope)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        return tanh(x)


class Sigmoid(Module):
    """1 / (1 + e^-x)."""

    def forward(self, x: Tensor) -> Tensor:
        return sigmoid(x)


class ToImages(Module):
    """2 x - 1: from [0, 1], a sigmoid's range, to [-1, 1], the images'."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 - 1


class Dropout(Module):
    """In training, zero a share `rate` of the elements and scale the rest by 1 / (1 - rate)."""

    def __init__(self, rate: float, rng: Stream | None = None) -> None:
        errors.check_share("Dropout: rate", rate)
        if rng is not None and not isinstance(rng, Stream):
            raise TypeError(f"Dropout: rng must be a stream, as minigan.stream('dropout') "
                            f"is, got {errors.shown(rng)}")
        self.rate, self.rng = rate, rng or stream("dropout")

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.rate, self.rng) if self.training and self.rate else x

    def describe(self) -> str:
        return str(self.rate)


class Flatten(Module):
    """(N, ...) -> (N, everything else)."""

    def forward(self, x: Tensor) -> Tensor:
        return reshape(x, (x.shape[0], math.prod(x.shape[1:])))


class Reshape(Module):
    """(N, ...) -> (N, *shape)."""

    def __init__(self, *shape: int) -> None:
        if not all(isinstance(size, int) for size in shape):
            raise ValueError(f"Reshape: sizes are ints, as in Reshape(7, 7, 128), got {shape}")
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return reshape(x, (x.shape[0], *self.shape))

    def describe(self) -> str:
        return ", ".join(map(str, self.shape))


class Upsample(Module):
    """Every pixel repeated `scale` times in both directions."""

    def __init__(self, scale: int = 2) -> None:
        if not errors.is_whole(scale) or scale < 1:
            raise ValueError(f"Upsample: scale must be a whole number of 1 or more, got "
                             f"{errors.shown(scale)}")
        self.scale = int(scale)

    def forward(self, x: Tensor) -> Tensor:
        return upsample_nearest(x, self.scale)

    def describe(self) -> str:
        return str(self.scale)


class AvgPool2d(Module):
    """Mean of each window of `size`; stride is `size` if left out."""

    def __init__(self, size: Any = 2, stride: Any = None) -> None:
        pair("AvgPool2d: size", size, 1)
        if stride is not None:
            pair("AvgPool2d: stride", stride, 1)
        self.size, self.stride = size, stride

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool2d(x, self.size, self.stride)

    def describe(self) -> str:
        return str(self.size)
