"""Layers without weights: activations, dropout, changes of shape and size."""

from __future__ import annotations

import math

from minigan import checks
from minigan.engine import Tensor
from minigan.geometry import Size, pair
from minigan.nn.module import Module
from minigan.ops import (avg_pool2d, dropout, leaky_relu, relu, reshape, sigmoid, tanh,
                         upsample_nearest)
from minigan.streams import Stream, stream_or_default

# ---------------------------------------------------------------- activations, of any shape


class ReLU(Module):
    """max(x, 0); the derivative at 0 is 0."""

    def forward(self, x: Tensor) -> Tensor:
        return relu(x)

    def leak(self) -> float:
        return 0.0


class LeakyReLU(Module):
    """x where x > 0, else slope * x; the derivative at 0 is the slope (Maas et al. 2013).

    slope: from 0 to 1, 0.01 by default; DCGAN uses 0.2.

    Raises:
        ValueError: slope is not between 0 and 1.
    """

    def __init__(self, slope: float = 0.01) -> None:
        checks.check_slope("LeakyReLU", slope)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(x, self.slope)

    def leak(self) -> float:
        return self.slope

    def describe(self) -> str:
        return str(self.slope)


class Tanh(Module):
    """The hyperbolic tangent, in (-1, 1): the last layer of generators of images."""

    def forward(self, x: Tensor) -> Tensor:
        return tanh(x)


class Sigmoid(Module):
    """1 / (1 + e^-x), in (0, 1). No discriminator here ends in one: losses take logits."""

    def forward(self, x: Tensor) -> Tensor:
        return sigmoid(x)


class ToImages(Module):
    """2 x - 1: from [0, 1], a sigmoid's range, to [-1, 1], the range of images."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 - 1


# ---------------------------------------------------------------- dropout

class Dropout(Module):
    """Zero a random share of the elements while training (Srivastava et al. 2014).

    In training mode each element of x, of any shape, becomes 0 with probability `rate`, and
    otherwise x / (1 - rate), so its mean is x. In evaluation mode the layer does nothing.

    rate: in [0, 1); 0 does nothing. rng: the stream that draws the masks, a new one in every call;
    by default `minigan.stream("dropout")`.

    Raises:
        ValueError: rate is not in [0, 1).
        TypeError: rng is not a stream.
    """

    def __init__(self, rate: float, rng: Stream | None = None) -> None:
        checks.check_share("Dropout: rate", rate)
        self.rng = stream_or_default("Dropout", rng, "dropout")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        return dropout(x, self.rate, self.rng)

    def describe(self) -> str:
        return str(self.rate)


# ---------------------------------------------------------------- shapes and sizes

class Flatten(Module):
    """Each sample as a vector: (N, ...) -> (N, the product of the rest)."""

    def forward(self, x: Tensor) -> Tensor:
        n, *rest = x.shape
        return reshape(x, (n, math.prod(rest)))


class Reshape(Module):
    """Each sample in another shape: (N, ...) -> (N, *shape), as in Reshape(7, 7, 128).

    shape: ints; one of them may be -1, for the size that the others leave.

    Raises:
        ValueError: a size is not an int; in a call, a sample has another number of elements.
    """

    def __init__(self, *shape: int) -> None:
        if not all(isinstance(size, int) for size in shape):
            raise ValueError(f"Reshape: sizes are ints, as in Reshape(7, 7, 128), got {shape}")
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return reshape(x, (x.shape[0], *self.shape))

    def describe(self) -> str:
        return ", ".join(map(str, self.shape))


class Upsample(Module):
    """Every pixel repeated in both directions: (N, H, W, C) -> (N, H * scale, W * scale, C).

    scale: a whole number of 1 or more.

    Raises:
        ValueError: scale is something else; in a call, x is not (N, H, W, C).
    """

    def __init__(self, scale: int = 2) -> None:
        self.scale = checks.whole("Upsample: scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        return upsample_nearest(x, self.scale)

    def describe(self) -> str:
        return str(self.scale)


class AvgPool2d(Module):
    """The mean of each window: (N, H, W, C) -> (N, OH, OW, C), OH = floor((H - size) / stride) + 1.

    size, stride: an int, or a pair for (height, width), 1 or more; stride is `size` if left out,
    and rows and columns that fill no window are dropped.

    Raises:
        ValueError: size or stride is something else; in a call, x is not (N, H, W, C), or smaller
            than a window.
    """

    def __init__(self, size: Size = 2, stride: Size | None = None) -> None:
        pair("AvgPool2d: size", size, 1)
        if stride is not None:
            pair("AvgPool2d: stride", stride, 1)
        self.size = size
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool2d(x, self.size, self.stride)

    def describe(self) -> str:
        return str(self.size)
