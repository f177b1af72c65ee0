"""NumPy: the reference device."""

from __future__ import annotations

import math
from typing import Callable

import numpy as np

from minigan.backend.base import Array
from minigan.backend.cpu import winograd
from minigan.backend.cpu.capture.tracing import Tracing
from minigan.geometry import Geometry
from minigan.system import blas
from minigan.system.threads import LARGE_PRODUCT, added_up, in_turn, parallel

PATCHES = 1 << 20  # numbers in the patches of a block of images, 4 MB: fewer blocks wait less
FEW_CHANNELS = 2  # of grey images; with three both forms take the same time
FEWER = 4         # so many times fewer channels are far fewer


class NumpyBackend(Tracing):
    """NumPy arrays, computed by the processor."""

    def __init__(self) -> None:
        super().__init__("numpy", np, np.ndarray)

    def describe(self) -> str:
        return f"NumPy {np.__version__}"

    def notice(self) -> str:
        return blas.trouble()

    def product(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """Large products in blocks of the result, on all threads; outer ones without BLAS."""
        if a.shape[-1] == b.shape[-2] == 1:
            return np.multiply(a, b, out=out)
        if a.ndim != 2 or b.ndim != 2 or a.size * b.shape[1] < LARGE_PRODUCT:
            return np.matmul(a, b, out=out)
        (m, _), (_, n) = a.shape, b.shape
        result = np.empty((m, n), np.result_type(a, b)) if out is None else out
        parts = 2 * -(-max(m, n) // 1024)

        def block(i: int) -> None:
            if m > 128:  # rows: each block writes contiguous memory
                rows = slice(m * i // parts, m * (i + 1) // parts)
                np.matmul(a[rows], b, out=result[rows])
            else:
                columns = slice(n * i // parts, n * (i + 1) // parts)
                np.matmul(a, b[:, columns], out=result[:, columns])

        parallel(block, parts)
        return result

    def broadcast_to(self, x: Array, shape: tuple[int, ...]) -> Array:
        """One element repeated is a view with strides of 0, made without NumPy's checks."""
        if x.size == 1 and x.ndim <= len(shape) and x.flags.c_contiguous:
            return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
        return np.broadcast_to(x, shape)

    # The convolution family in blocks of images, which bound the memory of the patches and are what
    # the threads share. Block sizes depend on the geometry alone. With stride 1 a transposed
    # convolution is a convolution by the turned kernel, from y to x; this form has no overlapping
    # sums, and patches of the side that is given, so it serves where that has not far more channels
    # than the other.

    def conv2d(self, x: Array, w: Array, g: Geometry) -> Array:
        c_in, c_out = w.shape[2:]
        if FEWER * c_out <= c_in and (back := _turned_geometry(g)):
            return self.conv_transpose2d(x, self.part(_turned, w), back)
        if m := _tile(x, w, g, c_in, c_out):
            return winograd.conv2d(self.part, x, w, g, m)
        n, (oh, ow) = len(x), g.out_size
        kernels = w.reshape(-1, c_out)
        y = np.empty((n, oh, ow, c_out), np.result_type(x, w))

        def block(images: slice) -> None:
            np.matmul(self.patches(x[images], g), kernels, out=y[images].reshape(-1, c_out))

        _over_images(block, n, oh * ow * kernels.shape[0], c_out)
        return y

    def conv_transpose2d(self, y: Array, w: Array, g: Geometry) -> Array:
        n, (c_in, c_out) = len(y), w.shape[2:]
        if FEWER * c_in > c_out and (back := _turned_geometry(g)):
            return self.conv2d(y, self.part(_turned, w), back)
        if m := _tile(y, w, g, c_in, c_out):
            return winograd.conv_transpose2d(self.part, y, w, g, m)
        divides = all(k % s == 0 and s > 1 for k, s in zip(g.kernel, g.stride))
        if divides and g.dilation == (1, 1) and c_in >= 4:
            return self._by_phases(y, w, g)
        kernels = w.reshape(-1, c_out).T
        x = np.empty((n, *g.in_size, c_in), np.result_type(y, w))

        def block(images: slice) -> None:
            x[images] = self.fold(y[images].reshape(-1, c_out) @ kernels, g, c_in)

        _over_images(block, n, math.prod(g.out_size) * kernels.shape[1], c_out)
        return x

    def strided(self, x: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
        """Without NumPy's function for it, which keeps other threads waiting for its Python."""
        if x.flags.c_contiguous and x.size:
            return np.ndarray(shape, x.dtype, x, 0, strides)
        return super().strided(x, shape, strides)

    def patches(self, x: Array, g: Geometry) -> Array:
        """Of one or a few channels pixel by pixel of the kernel: long runs instead of short ones.

        The result is the transpose of a contiguous array, which a matrix product takes as well.
        """
        if x.shape[-1] > FEW_CHANNELS or not x.size:
            return super().patches(x, g)
        fields = self.fields(x, g).transpose(3, 4, 5, 0, 1, 2)
        return fields.reshape(math.prod(fields.shape[:3]), -1).T

    def fold(self, rows: Array, g: Geometry, channels: int) -> Array:
        """As many neighbouring columns at once as the stride leaves untouched by each other."""
        (sh, sw), (kh, kw), (oh, ow) = g.stride, g.kernel, g.out_size
        if sw == 1 or g.dilation != (1, 1) or channels < 2:
            return super().fold(rows, g, channels)
        (top, _), (left, _), (h, w), taps = *g.pads, g.in_size, -(-kw // sw)
        fields = rows.reshape(-1, oh, ow, kh, kw * channels)
        size = (len(fields), max(top + h, sh * (oh - 1) + kh),
                max(-(-(left + w) // sw), ow - 1 + taps), sw * channels)
        if g.kernel == g.stride and size[1:3] == (sh * oh, ow):  # each number goes to its own place
            out = np.empty(size, rows.dtype)
            out.reshape(-1, oh, sh, ow, kw * channels)[...] = fields.swapaxes(2, 3)
        else:
            out = np.zeros(size, rows.dtype)
            for i in range(kh):
                for j in range(taps):
                    columns = fields[:, :, :, i, j * sw * channels:(j + 1) * sw * channels]
                    out[:, i:i + sh * (oh - 1) + 1:sh, j:j + ow, :columns.shape[-1]] += columns
        pixels = out.reshape(len(fields), out.shape[1], out.shape[2] * sw, channels)
        return pixels[:, top:top + h, left:left + w]

    def _by_phases(self, y: Array, w: Array, g: Geometry) -> Array:
        """Transposed convolution without overlapping sums: each output pixel is written once.

        With stride s, the output pixels of one phase (their position modulo s) are a convolution of
        stride 1 of y with every s-th row and column of the kernel. All phases share the patches of
        y, so they are one matrix product, whose result is the output in another order. It costs
        more products at the rim than `fold` and no sums, which pays unless channels are very few.
        """
        n, (c_in, c_out), (sh, sw) = len(y), w.shape[-2:], g.stride
        th, tw = taps = g.kernel[0] // sh, g.kernel[1] // sw   # of one phase
        qh, qw = places = g.out_size[0] + th - 1, g.out_size[1] + tw - 1
        windows = Geometry(g.out_size, taps, (1, 1), ((th - 1, th - 1), (tw - 1, tw - 1)), (1, 1),
                           places)
        kernels = w.reshape(th, sh, tw, sw, c_in, c_out)[::-1, :, ::-1].transpose(
            0, 2, 5, 1, 3, 4).reshape(th * tw * c_out, sh * sw * c_in)
        (top, _), (left, _) = g.pads
        height, width = (min(size, q * s - before) for size, q, s, before
                         in zip(g.in_size, places, g.stride, (top, left)))
        x = (np.zeros if (height, width) != g.in_size else np.empty)(
            (n, *g.in_size, c_in), np.result_type(y, w))

        def block(images: slice) -> None:
            phases = (self.patches(y[images], windows) @ kernels).reshape(-1, qh, qw, sh, sw, c_in)
            pixels = phases.transpose(0, 1, 3, 2, 4, 5).reshape(-1, qh * sh, qw * sw, c_in)
            x[images, :height, :width] = pixels[:, top:top + height, left:left + width]

        _over_images(block, n, qh * qw * (th * tw * c_out + sh * sw * c_in), c_out)
        return x

    def conv2d_weight(self, x: Array, y: Array, g: Geometry) -> Array:
        c_in, c_out = x.shape[-1], y.shape[-1]
        if FEWER * c_out <= c_in and (back := _turned_geometry(g)):
            return np.ascontiguousarray(_turned(self.conv2d_weight(y, x, back)))
        if m := _tile(x, y, g, c_in, c_out):
            return winograd.conv2d_weight(self.part, x, y, g, m)
        rows = math.prod(g.kernel) * c_in
        parts = {-1: np.zeros((rows, c_out), np.result_type(x, y))}  # of no images

        def block(images: slice) -> None:
            parts[images.start] = self.patches(x[images], g).T @ y[images].reshape(-1, c_out)

        _over_images(block, len(x), math.prod(g.out_size) * rows, c_out, least=8)
        return added_up(parts).reshape(*g.kernel, c_in, c_out)


def _turned_geometry(g: Geometry) -> Geometry | None:
    """The geometry from y to x, where stride 1 allows one."""
    if g.stride != (1, 1) or g.dilation != (1, 1) or any(
            max(pads) >= k for pads, k in zip(g.pads, g.kernel)):
        return None
    (top, bottom), (left, right) = g.pads
    kh, kw = g.kernel
    pads = (kh - 1 - top, kh - 1 - bottom), (kw - 1 - left, kw - 1 - right)
    return Geometry(g.out_size, g.kernel, g.stride, pads, g.dilation, g.in_size)


def _turned(w: Array) -> Array:
    """Kernels upside down, with the channels of y for those of x."""
    return w[::-1, ::-1].swapaxes(2, 3)


def _tile(a: Array, b: Array, g: Geometry, c_in: int, c_out: int) -> int:
    """The tile size of Winograd's form where that is faster, else 0."""
    same = a.dtype == b.dtype and a.dtype.kind == "f"
    return winograd.tile_size(g, len(a), c_in, c_out) if same else 0


def _over_images(block: Callable[[slice], None], n: int, patches: int, channels: int,
                 least: int = 2) -> None:
    """Run block(images) over n images, in two blocks at least, whose patches take 4 MB at most.

    patches: how many numbers those of an image are; each is multiplied for so many channels.
    """
    size = max(1, min(16, -(-n // 2), max(least, PATCHES // max(patches, 1))))
    share = parallel if n * patches * channels >= LARGE_PRODUCT else in_turn
    share(lambda i: block(slice(i * size, min((i + 1) * size, n))), -(-n // size))
