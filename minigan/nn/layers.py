"""Layers with weights: dense, convolution, transposed convolution, embedding."""

from __future__ import annotations

from typing import Any

from minigan import errors
from minigan.engine import Tensor
from minigan.geometry import check_padding, pair
from minigan.nn import init
from minigan.nn.module import Module, Parameter
from minigan.ops import (affine, bias_leaky_relu, conv2d, conv_transpose2d, embedding, leaky_relu,
                         matmul, max, reshape)
from minigan.streams import Stream, stream


def _positive(name: str, value: Any) -> int:
    if not errors.is_whole(value) or value < 1:
        raise ValueError(f"{name} must be a whole number of 1 or more, got {errors.shown(value)}")
    return int(value)


def _initial(name: str, rng: Any) -> Stream:
    """The stream that draws a layer's first weights: the one that is given, or the common one."""
    if rng is None:
        return stream("init")
    if not isinstance(rng, Stream):
        raise TypeError(f"{name}: rng must be a stream, as minigan.stream('init') is, got "
                        f"{errors.shown(rng)}")
    return rng


def _bias_note(layer: Any) -> str:
    return "" if layer.bias is not None else ", no bias"


def _activated(y: Tensor, bias: Tensor | None, slope: float) -> Tensor:
    return leaky_relu(y, slope) if bias is None else bias_leaky_relu(y, bias, slope)


class Dense(Module):
    """y = x W + b. x: (..., n_in); weight: (n_in, n_out); bias: (n_out,); y: (..., n_out)."""

    def __init__(self, n_in: int, n_out: int, bias: bool = True,
                 weight_init: init.Init = init.glorot_uniform, bias_init: init.Init = init.zeros,
                 rng: Stream | None = None) -> None:
        n_in, n_out = _positive("Dense: n_in", n_in), _positive("Dense: n_out", n_out)
        rng = _initial("Dense", rng)
        self.weight = Parameter(weight_init((n_in, n_out), n_in, n_out, rng))
        self.bias = Parameter(bias_init((n_out,), n_in, n_out, rng), "bias") if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return matmul(x, self.weight) if self.bias is None else affine(x, self.weight, self.bias)

    def then_leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """leaky_relu(self(x), slope)."""
        return _activated(matmul(x, self.weight), self.bias, slope)

    def describe(self) -> str:
        return " -> ".join(map(str, self.weight.shape)) + _bias_note(self)


class Maxout(Module):
    """The largest of `pieces` dense layers, unit by unit (Goodfellow et al. 2013).

    x: (N, n_in) -> (N, n_out). settings: those of the `Dense` that holds all pieces.
    """

    def __init__(self, n_in: int, n_out: int, pieces: int, **settings: Any) -> None:
        self.dense = Dense(n_in, n_out * _positive("Maxout: pieces", pieces), **settings)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        y = self.dense(x)
        return max(reshape(y, (*y.shape[:-1], -1, self.pieces)), axis=-1)


class _Conv(Module):
    """What a convolution and its transpose share: weight, bias and geometry."""

    def __init__(self, n_in: int, n_out: int, kernel_size: Any, stride: Any, padding: Any,
                 dilation: Any, bias: bool, weight_init: init.Init, bias_init: init.Init,
                 rng: Stream | None) -> None:
        name = type(self).__name__
        self.n_in, self.n_out = _positive(f"{name}: n_in", n_in), _positive(f"{name}: n_out", n_out)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        kernel = pair(f"{name}: kernel_size", kernel_size, 1)
        sh, sw = pair(f"{name}: stride", stride, 1)
        pair(f"{name}: dilation", dilation, 1)
        check_padding(name, padding)
        rng = _initial(name, rng)
        shape, fans = self._shape_and_fans(kernel, kernel[0] * kernel[1], sh * sw)
        self.weight = Parameter(weight_init(shape, *fans, rng))
        self.bias = Parameter(bias_init((n_out,), *fans, rng), "bias") if bias else None

    def _shape_and_fans(self, kernel: tuple[int, int], taps: int, strides: int
                        ) -> tuple[tuple[int, ...], tuple[float, float]]:
        raise NotImplementedError

    def _convolve(self, x: Tensor) -> Tensor:
        """The layer without its bias."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        y = self._convolve(x)
        return y if self.bias is None else y + self.bias

    def then_leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """leaky_relu(self(x), slope)."""
        return _activated(self._convolve(x), self.bias, slope)

    def describe(self) -> str:
        return (f"{self.n_in} -> {self.n_out}, kernel {self.weight.shape[:2]}, stride "
                f"{self.stride}, padding {self.padding!r}{_bias_note(self)}")


class Conv2d(_Conv):
    """Convolution. x: (N, H, W, n_in); weight: (KH, KW, n_in, n_out); y: (N, OH, OW, n_out)."""

    def __init__(self, n_in: int, n_out: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, bias: bool = True,
                 weight_init: init.Init = init.glorot_uniform, bias_init: init.Init = init.zeros,
                 rng: Stream | None = None) -> None:
        super().__init__(n_in, n_out, kernel_size, stride, padding, dilation, bias, weight_init,
                         bias_init, rng)

    def _shape_and_fans(self, kernel: tuple[int, int], taps: int, strides: int
                        ) -> tuple[tuple[int, ...], tuple[float, float]]:
        return (*kernel, self.n_in, self.n_out), (taps * self.n_in, taps * self.n_out / strides)

    def _convolve(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight, self.stride, self.padding, self.dilation)


class ConvTranspose2d(_Conv):
    """Transposed convolution. x: (N, H, W, n_in) -> (N, OH, OW, n_out).

    weight: (KH, KW, n_out, n_in), as Keras: it is the weight of the convolution from n_out to n_in
    channels that this layer transposes.
    """

    def __init__(self, n_in: int, n_out: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 output_padding: Any = 0, dilation: Any = 1, bias: bool = True,
                 weight_init: init.Init = init.glorot_uniform, bias_init: init.Init = init.zeros,
                 rng: Stream | None = None) -> None:
        pair("ConvTranspose2d: output_padding", output_padding, 0)
        self.output_padding = output_padding
        super().__init__(n_in, n_out, kernel_size, stride, padding, dilation, bias, weight_init,
                         bias_init, rng)

    def _shape_and_fans(self, kernel: tuple[int, int], taps: int, strides: int
                        ) -> tuple[tuple[int, ...], tuple[float, float]]:
        return (*kernel, self.n_out, self.n_in), (taps * self.n_in / strides, taps * self.n_out)

    def _convolve(self, x: Tensor) -> Tensor:
        return conv_transpose2d(x, self.weight, self.stride, self.padding, self.output_padding,
                                self.dilation)


class Embedding(Module):
    """A learned vector for each of `count` ids. ids: (...) integers -> (..., size)."""

    def __init__(self, count: int, size: int, weight_init: init.Init = init.normal(1.0),
                 rng: Stream | None = None) -> None:
        count, size = _positive("Embedding: count", count), _positive("Embedding: size", size)
        rng = _initial("Embedding", rng)
        self.weight = Parameter(weight_init((count, size), count, size, rng))

    def forward(self, ids: Any) -> Tensor:
        return embedding(ids, self.weight)

    def describe(self) -> str:
        return " x ".join(map(str, self.weight.shape))
