"""Convolution, its transpose, and its weight gradient: one trilinear form.

    T(x, w, y) = <y, conv2d(x, w)> = <x, conv_transpose2d(y, w)> = <w, conv2d_weight(x, y)>

Each of the three functions is one partial derivative of T, so the gradients of each are the other
two, and the family is closed under differentiation of any order. `backend/base.py` shows how each
is computed: as a matrix product with rows of patches ("im2col"), or with the adjoint of cutting
patches out, which adds them up again ("col2im"). The adjoint of a linear function f is the g with
<y, f(x)> = <g(y), x> for all x and y; it is what carries a gradient back through f.

Shapes: x (N, H, W, C_in), w (KH, KW, C_in, C_out), y (N, OH, OW, C_out). All three take the same
`Geometry`, that of the forward convolution.
"""

from __future__ import annotations

import math
from typing import Any

from minigan.backend import Array, Backend, backend_of
from minigan.checks import check_image_pairs, check_images, check_kernel
from minigan.engine import Tensor, op
from minigan.geometry import Geometry, conv_geometry, pair, pool_geometry, transpose_geometry
from minigan.ops.arguments import of_tensors
from minigan.ops.arithmetic import widened
from minigan.ops.reductions import mean
from minigan.ops.shape import getitem, reshape

# ---------------------------------------------------------------- the three ops


@op(lambda gy, y, x, w, g: _conv_transpose2d(gy, w, g=g),
    lambda gy, y, x, w, g: _conv2d_weight(x, gy, g=g))
def _conv2d(xp: Backend, x: Array, w: Array, g: Geometry) -> Array:
    return xp.conv2d(x, w, g)                                         # (N, OH, OW, C_out)


@op(lambda gx, x, y, w, g: _conv2d(gx, w, g=g),
    lambda gx, x, y, w, g: _conv2d_weight(gx, y, g=g))
def _conv_transpose2d(xp: Backend, y: Array, w: Array, g: Geometry) -> Array:
    return xp.conv_transpose2d(y, w, g)                               # (N, H, W, C_in)


@op(lambda gw, w, x, y, g: _conv_transpose2d(y, gw, g=g),
    lambda gw, w, x, y, g: _conv2d(x, gw, g=g))
def _conv2d_weight(xp: Backend, x: Array, y: Array, g: Geometry) -> Array:
    return xp.conv2d_weight(x, y, g)                                  # (KH, KW, C_in, C_out)


# ---------------------------------------------------------------- as functions

@of_tensors
def conv2d(x: Tensor, w: Tensor, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Tensor:
    """Cross-correlation of images with kernels, called convolution in deep learning.

    y[n, i, j, o] = sum over k, l, c of x[n, i*s + k*d - top, j*s + l*d - left, c] * w[k, l, c, o]

    x: (N, H, W, C_in); w: (KH, KW, C_in, C_out); result: (N, OH, OW, C_out) with
    OH = floor((H + top + bottom - d*(KH - 1) - 1) / s) + 1.
    stride, dilation: an int or a pair. padding: an int, a pair, ((top, bottom), (left, right)), or
    "same", for which OH = ceil(H / s) and an odd pad goes to the bottom and the right (Keras).

    Raises:
        NotTensorError: x or w is not a tensor.
        ValueError: a shape or a setting is something else, or the kernel does not fit.
    """
    check_kernel("conv2d", "x", x.shape, w.shape, 2)
    g = conv_geometry("conv2d", x.shape[1:3], w.shape[:2], stride, padding, dilation)
    return _conv2d(widened(x), widened(w), g=g)


@of_tensors
def conv_transpose2d(y: Tensor, w: Tensor, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, dilation: Any = 1) -> Tensor:
    """The adjoint of `conv2d` with the same w, stride, padding and dilation.

    y: (N, H, W, C_out); w: (KH, KW, C_in, C_out), as in the convolution that it transposes;
    result: (N, OH, OW, C_in) with OH = (H - 1)*s - top - bottom + d*(KH - 1) + output_padding + 1,
    or H*s with padding "same". output_padding picks one of the sizes that conv2d maps to H.

    Raises:
        NotTensorError: y or w is not a tensor.
        ValueError: a shape or a setting is something else.
    """
    check_kernel("conv_transpose2d", "y", y.shape, w.shape, 3)
    g = transpose_geometry("conv_transpose2d", y.shape[1:3], w.shape[:2], stride, padding,
                           output_padding, dilation)
    return _conv_transpose2d(widened(y), widened(w), g=g)


@of_tensors
def conv2d_weight(x: Tensor, y: Tensor, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                  dilation: Any = 1) -> Tensor:
    """The gradient of <y, conv2d(x, w)> with respect to w.

    x: (N, H, W, C_in); y: (N, OH, OW, C_out); result: (KH, KW, C_in, C_out). kernel_size, an int or
    a pair, is needed because several kernels give the same OH when the stride leaves a remainder.

    Raises:
        NotTensorError: x or y is not a tensor.
        ValueError: a shape or a setting is something else, or y is not of the size that x gives.
    """
    check_image_pairs("conv2d_weight", x.shape, y.shape)
    kernel = pair("conv2d_weight: kernel_size", kernel_size, 1)
    g = conv_geometry("conv2d_weight", x.shape[1:3], kernel, stride, padding, dilation)
    if y.shape[1:3] != g.out_size:
        raise ValueError(f"conv2d_weight: y of shape {y.shape} should have the height and width "
                         f"{g.out_size} that x of shape {x.shape} gives")
    return _conv2d_weight(widened(x), widened(y), g=g)


# ---------------------------------------------------------------- pooling: windows without weights

@op(lambda gy, y, x, g: _unwindow(gy, g=g), view=True)
def _windows(xp: Backend, x: Array, g: Geometry) -> Array:
    n, *_, c = x.shape
    rows = xp.patches(x, g)                                           # (N*OH*OW, K*C)
    return rows.reshape(n, *g.out_size, math.prod(g.kernel), c)       # (N, OH, OW, K, C)


@op(lambda gx, x, y, g: _windows(gx, g=g))
def _unwindow(xp: Backend, y: Array, g: Geometry) -> Array:
    n, oh, ow, k, c = y.shape
    rows = y.reshape(n * oh * ow, k * c)                              # (N*OH*OW, K*C)
    return xp.fold(rows, g, c)                                        # (N, H, W, C)


@of_tensors
def avg_pool2d(x: Tensor, size: Any = 2, stride: Any = None) -> Tensor:
    """Mean of each window: (N, H, W, C) -> (N, OH, OW, C), without padding.

    size, stride: ints or pairs; stride is `size` if left out.

    Raises:
        NotTensorError: x is not a tensor.
        ValueError: x is not (N, H, W, C), or a setting is something else, or no window fits.
    """
    check_images("avg_pool2d: x", x.shape)
    g = pool_geometry("avg_pool2d", x.shape[1:3], size, stride)
    if g.kernel != g.stride:
        return mean(_windows(x, g=g), axis=3)

    n, h, w, c = x.shape
    (oh, ow), (kh, kw) = g.out_size, g.kernel
    if (h, w) != (oh * kh, ow * kw):
        x = x[:, :oh * kh, :ow * kw]  # pixels that fill no window are left out
    blocks = reshape(x, (n, oh, kh, ow, kw, c))  # side by side, so nothing is copied
    return mean(blocks, axis=(2, 4))


@op(None, converts=True)
def _first_largest(xp: Backend, windows: Array) -> Array:
    return xp.argmax(windows, axis=3)


@of_tensors
def max_pool2d(x: Tensor, size: Any = 2, stride: Any = None) -> Tensor:
    """Largest element of each window: (N, H, W, C) -> (N, OH, OW, C), without padding.

    size, stride: ints or pairs; stride is `size` if left out. The first of equal elements gets the
    gradient.

    Raises:
        NotTensorError: x is not a tensor.
        ValueError: x is not (N, H, W, C), or a setting is something else, or no window fits.
    """
    check_images("max_pool2d: x", x.shape)
    g = pool_geometry("max_pool2d", x.shape[1:3], size, stride)
    windows = _windows(x, g=g)                                        # (N, OH, OW, K, C)
    best = _first_largest(windows).data                               # (N, OH, OW, C)
    image, row, column, channel = _grid(best)
    return getitem(windows, (image, row, column, best, channel))      # (N, OH, OW, C)


def _grid(array: Array) -> list[Array]:
    """For each axis of an array the numbers 0 to size - 1 along that axis, as index arrays."""
    xp = backend_of(array)
    grid = []
    for axis, size in enumerate(array.shape):
        shape = [1] * array.ndim
        shape[axis] = -1
        grid.append(xp.arange(size).reshape(shape))
    return grid
