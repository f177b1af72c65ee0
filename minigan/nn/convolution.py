"""Layers of images with weights: convolution and transposed convolution."""

from __future__ import annotations

from minigan.backend import Shape
from minigan.checks import whole
from minigan.engine import Tensor
from minigan.geometry import Padding, Size, check_padding, pair
from minigan.nn.dense import activated, bias_note
from minigan.nn.init import Init, glorot_uniform, zeros
from minigan.nn.module import Module, Parameter
from minigan.ops import conv2d, conv_transpose2d
from minigan.streams import Stream, stream_or_default


class _Conv(Module):
    """What a convolution and its transpose share: geometry, weight and bias."""

    def __init__(self, n_in: int, n_out: int, kernel_size: Size, stride: Size = 1,
                 padding: Padding = 0, dilation: Size = 1, bias: bool = True,
                 weight_init: Init = glorot_uniform, bias_init: Init = zeros,
                 rng: Stream | None = None) -> None:
        name = type(self).__name__
        self.n_in = whole(f"{name}: n_in", n_in)
        self.n_out = whole(f"{name}: n_out", n_out)
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        kernel = pair(f"{name}: kernel_size", kernel_size, 1)
        strides = pair(f"{name}: stride", stride, 1)
        pair(f"{name}: dilation", dilation, 1)
        check_padding(name, padding)
        rng = stream_or_default(name, rng, "init")
        fans = self._fans(kernel[0] * kernel[1], strides[0] * strides[1])
        self.weight = Parameter(weight_init(self._weight_shape(kernel), *fans, rng))
        self.bias = Parameter(bias_init((self.n_out,), *fans, rng), "bias") if bias else None

    def _weight_shape(self, kernel: tuple[int, int]) -> Shape:
        raise NotImplementedError

    def _fans(self, taps: int, steps: int) -> tuple[float, float]:
        """(fan_in, fan_out). taps: pixels of the kernel. steps: the product of the two strides."""
        raise NotImplementedError

    def _convolve(self, x: Tensor) -> Tensor:
        """The layer without its bias."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        y = self._convolve(x)
        return y if self.bias is None else y + self.bias

    def then_leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """leaky_relu(self(x), slope)."""
        return activated(self._convolve(x), self.bias, slope)

    def describe(self) -> str:
        return (f"{self.n_in} -> {self.n_out}, kernel {self.weight.shape[:2]}, stride "
                f"{self.stride}, padding {self.padding!r}{bias_note(self)}")


class Conv2d(_Conv):
    """Convolution of images: x (N, H, W, n_in) -> (N, OH, OW, n_out).

    OH = floor((H + top + bottom - dilation * (KH - 1) - 1) / stride) + 1, likewise OW.

    n_in, n_out: channels, 1 or more. kernel_size: an int, or (KH, KW). stride, dilation: an int, or
    a pair for (height, width), 1 or more; a dilation of d leaves d - 1 pixels between the kernel's.
    padding: zeros around the images, as an int, a pair for (height, width),
    ((top, bottom), (left, right)), or "same": then OH = ceil(H / stride), and an odd zero goes to
    the bottom and the right, as in Keras.
    bias: whether to add a number for each channel. weight_init, bias_init: initial values, see
    `nn.init`; by default Glorot's uniform, and zeros; fan_in is KH * KW * n_in, fan_out
    KH * KW * n_out / stride^2. rng: the stream that draws them; by default
    `minigan.stream("init")`.

    weight: (KH, KW, n_in, n_out). bias: (n_out,), or None. Both float32; `astype` converts.
    As is usual in deep learning, the kernel is not flipped (cross-correlation); see `ops.conv2d`.

    Raises:
        ValueError: a number is out of range; in a call, x is not (N, H, W, n_in), or smaller than
            the kernel.
        TypeError: rng is not a stream.
    """

    def _weight_shape(self, kernel: tuple[int, int]) -> Shape:
        return (*kernel, self.n_in, self.n_out)

    def _fans(self, taps: int, steps: int) -> tuple[float, float]:
        return taps * self.n_in, taps * self.n_out / steps

    def _convolve(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight, self.stride, self.padding, self.dilation)


class ConvTranspose2d(_Conv):
    """Transposed convolution, which makes images larger: x (N, H, W, n_in) -> (N, OH, OW, n_out).

    OH = (H - 1) * stride - top - bottom + dilation * (KH - 1) + output_padding + 1, likewise OW.

    It is the adjoint of the `Conv2d` from n_out to n_in channels with the same kernel, stride,
    padding and dilation. n_in, n_out, kernel_size, stride, dilation, bias, weight_init, bias_init,
    rng: as there, but fan_in is KH * KW * n_in / stride^2 and fan_out KH * KW * n_out.
    padding: as there; it is what that convolution pads, so here it makes the images smaller. With
    "same", OH = H * stride.
    output_padding: an int, or a pair for (height, width), 0 or more and smaller than the stride or
    the dilation; it picks one of the sizes that the convolution maps to H.

    weight: (KH, KW, n_out, n_in), the layout of Keras, which is that of the convolution's weight.
    bias: (n_out,), or None. Both float32; `astype` converts.

    Raises:
        ValueError: a number is out of range; in a call, x is not (N, H, W, n_in), or the result
            would be empty.
        TypeError: rng is not a stream.
    """

    def __init__(self, n_in: int, n_out: int, kernel_size: Size, stride: Size = 1,
                 padding: Padding = 0, output_padding: Size = 0, dilation: Size = 1,
                 bias: bool = True, weight_init: Init = glorot_uniform,
                 bias_init: Init = zeros, rng: Stream | None = None) -> None:
        pair("ConvTranspose2d: output_padding", output_padding, 0)
        self.output_padding = output_padding
        super().__init__(n_in, n_out, kernel_size, stride, padding, dilation, bias, weight_init,
                         bias_init, rng)

    def _weight_shape(self, kernel: tuple[int, int]) -> Shape:
        return (*kernel, self.n_out, self.n_in)

    def _fans(self, taps: int, steps: int) -> tuple[float, float]:
        return taps * self.n_in / steps, taps * self.n_out

    def _convolve(self, x: Tensor) -> Tensor:
        return conv_transpose2d(x, self.weight, self.stride, self.padding, self.output_padding,
                                self.dilation)
