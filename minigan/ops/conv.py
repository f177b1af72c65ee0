"""Convolution, its transpose, and its weight gradient: one trilinear form.

    T(x, w, y) = <y, conv2d(x, w)> = <x, conv_transpose2d(y, w)> = <w, conv2d_weight(x, y)>

Each of the three functions is one partial derivative of T, so the gradients of each are the other
two, and the family is closed under differentiation of any order. How each is computed, as a matrix
product with patch rows ("im2col") or their adjoint ("col2im"), stands in `backend/base.py`.

Shapes: x (N, H, W, C_in), w (KH, KW, C_in, C_out), y (N, OH, OW, C_out). All three take the same
`Geometry`, that of the forward convolution.
"""

from __future__ import annotations

import math
from typing import Any

from minigan import errors
from minigan.backend import backend_of
from minigan.engine import Tensor, op
from minigan.geometry import Geometry, conv_geometry, pair, transpose_geometry
from minigan.ops.arithmetic import widened
from minigan.ops.reductions import mean
from minigan.ops.shape import getitem, reshape


@op(lambda gy, y, x, w, g: _conv_transpose2d(gy, w, g=g),
    lambda gy, y, x, w, g: _conv2d_weight(x, gy, g=g))
def _conv2d(xp, x, w, g):
    return xp.conv2d(x, w, g)


@op(lambda gx, x, y, w, g: _conv2d(gx, w, g=g),
    lambda gx, x, y, w, g: _conv2d_weight(gx, y, g=g))
def _conv_transpose2d(xp, y, w, g):
    return xp.conv_transpose2d(y, w, g)


@op(lambda gw, w, x, y, g: _conv_transpose2d(y, gw, g=g),
    lambda gw, w, x, y, g: _conv2d(x, gw, g=g))
def _conv2d_weight(xp, x, y, g):
    return xp.conv2d_weight(x, y, g)


def _check(name: str, images: Tensor, which: str, w: Tensor, axis: int) -> None:
    """Images (N, H, W, C) and weights (KH, KW, C_in, C_out) whose channels agree."""
    errors.check_tensors(name, **{which: images, "w": w})
    hint = "images are (N, H, W, C); for (N, C, H, W) use transpose(x, (0, 2, 3, 1))"
    if images.ndim != 4:
        raise ValueError(f"{name}: {which} has shape {images.shape}; {hint}")
    if w.ndim != 4:
        raise ValueError(f"{name}: w has shape {w.shape}; weights are (KH, KW, C_in, C_out)")
    if images.shape[-1] != w.shape[axis]:
        raise ValueError(f"{name}: {which} of shape {images.shape} has {images.shape[-1]} channels "
                         f"and w of shape {w.shape} wants {w.shape[axis]}; {hint}")


def conv2d(x: Tensor, w: Tensor, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Tensor:
    """Cross-correlation of images with kernels, as every deep-learning library calls convolution.

    y[n, i, j, o] = sum over k, l, c of x[n, i*s + k*d - top, j*s + l*d - left, c] * w[k, l, c, o]

    x: (N, H, W, C_in); w: (KH, KW, C_in, C_out); result: (N, OH, OW, C_out) with
    OH = floor((H + top + bottom - d*(KH - 1) - 1) / s) + 1.
    stride, dilation: an int or a pair. padding: an int, a pair, ((top, bottom), (left, right)), or
    "same", for which OH = ceil(H / s) and an odd pad goes to the bottom and the right (Keras).
    """
    _check("conv2d", x, "x", w, 2)
    x, w = widened(x), widened(w)
    g = conv_geometry("conv2d", x.shape[1:3], w.shape[:2], stride, padding, dilation)
    return _conv2d(x, w, g=g)


def conv_transpose2d(y: Tensor, w: Tensor, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, dilation: Any = 1) -> Tensor:
    """The adjoint of `conv2d` with the same w, stride, padding and dilation.

    y: (N, H, W, C_out); w: (KH, KW, C_in, C_out), as in the convolution that it transposes;
    result: (N, OH, OW, C_in) with OH = (H - 1)*s - top - bottom + d*(KH - 1) + output_padding + 1,
    or H*s with padding "same". output_padding picks one of the sizes that conv2d maps to H.
    """
    _check("conv_transpose2d", y, "y", w, 3)
    y, w = widened(y), widened(w)
    g = transpose_geometry("conv_transpose2d", y.shape[1:3], w.shape[:2], stride, padding,
                           output_padding, dilation)
    return _conv_transpose2d(y, w, g=g)


def conv2d_weight(x: Tensor, y: Tensor, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                  dilation: Any = 1) -> Tensor:
    """The gradient of <y, conv2d(x, w)> with respect to w.

    x: (N, H, W, C_in); y: (N, OH, OW, C_out); result: (KH, KW, C_in, C_out). kernel_size is needed
    because several kernels give the same OH when the stride leaves a remainder.
    """
    errors.check_tensors("conv2d_weight", x=x, y=y)
    if x.ndim != 4 or y.ndim != 4 or x.shape[0] != y.shape[0]:
        raise ValueError(f"conv2d_weight: x and y must be (N, H, W, C) of one N, got {x.shape} and "
                         f"{y.shape}")
    kernel = pair("conv2d_weight: kernel_size", kernel_size, 1)
    g = conv_geometry("conv2d_weight", x.shape[1:3], kernel, stride, padding, dilation)
    if y.shape[1:3] != g.out_size:
        raise ValueError(f"conv2d_weight: y of shape {y.shape} should have the height and width "
                         f"{g.out_size} that x of shape {x.shape} gives")
    return _conv2d_weight(widened(x), widened(y), g=g)


# ---------------------------------------------------------------- pooling: windows without weights

@op(lambda gy, y, x, g: _unwindow(gy, g=g), view=True)
def _windows(xp, x, g):
    return xp.patches(x, g).reshape(x.shape[0], *g.out_size, math.prod(g.kernel), x.shape[-1])


@op(lambda gx, x, y, g: _windows(gx, g=g))
def _unwindow(xp, y, g):
    n, oh, ow, k, c = y.shape
    return xp.fold(y.reshape(n * oh * ow, k * c), g, c)


def _pool_geometry(name: str, x: Tensor, size: Any, stride: Any) -> Geometry:
    errors.check_tensors(name, x=x)
    if x.ndim != 4:
        raise ValueError(f"{name}: x has shape {x.shape}; images are (N, H, W, C)")
    kernel = pair(f"{name}: size", size, 1)
    return conv_geometry(name, x.shape[1:3], kernel, kernel if stride is None else stride, 0, 1)


def avg_pool2d(x: Tensor, size: Any = 2, stride: Any = None) -> Tensor:
    """Mean of each window: (N, H, W, C) -> (N, OH, OW, C); stride is `size` if left out."""
    g = _pool_geometry("avg_pool2d", x, size, stride)
    if g.kernel != g.stride:
        return mean(_windows(x, g=g), axis=3)
    (oh, ow), (kh, kw), (n, h, w, c) = g.out_size, g.kernel, x.shape
    whole = x if (h, w) == (oh * kh, ow * kw) else x[:, :oh * kh, :ow * kw]
    # Windows that lie side by side need not be copied.
    return mean(reshape(whole, (n, oh, kh, ow, kw, c)), axis=(2, 4))


@op(None, converts=True)
def _first_largest(xp, windows):
    return xp.argmax(windows, axis=3)


def max_pool2d(x: Tensor, size: Any = 2, stride: Any = None) -> Tensor:
    """Largest element of each window; the first of equal ones gets the gradient."""
    windows = _windows(x, g=_pool_geometry("max_pool2d", x, size, stride))  # (N, OH, OW, K, C)
    best = _first_largest(windows).data
    n, oh, ow, c = best.shape
    places = _grid(best, n, oh, ow, c)
    return getitem(windows, (places[0], places[1], places[2], best, places[3]))


def _grid(like: Any, *sizes: int) -> list[Any]:
    """Open index arrays 0 to size - 1, one an axis, on the device of `like`."""
    xp = backend_of(like)
    return [xp.arange(size).reshape([-1 if i == axis else 1 for i in range(len(sizes))])
            for axis, size in enumerate(sizes)]
