"""Convolution with fewer products: the trilinear form of a small tile, made diagonal.

    <y, conv2d(x, w)> = sum over p of (B x)_p (G w)_p (A y)_p        for one tile

B, G and A are small constant matrices (Toom 1963, Cook 1966; for convolutions Winograd 1980; Lavin
and Gray 2016). A tile of m x m outputs of a kernel r x r has P = (m + r - 1)^2 products instead of
m^2 r^2: 25 for 64 with m = 4, r = 2. Like the form itself it serves all three of its derivatives:

    y = A^T ((B x) * (G w)),   x = B^T ((A y) * (G w)),   w = G^T ((B x) * (A y)).

Each product is one of channels: a matrix product of (tiles, C_in) and (C_in, C_out). Kernels of
stride 2 become stride 1 by space-to-depth: 4x4 on C channels is 2x2 on 4 C. Where the transforms
cost more than they save, the direct form stays: `tile_size` counts both.

Measured on one thread, batch 64, against the direct form: (32, 32, 64) -> 128 channels with 4x4 of
stride 2 in 33 ms instead of 40, (16, 16, 128) -> 256 in 29 instead of 39, (8, 8, 256) -> 512 in 31
instead of 41; (7, 7, 256) -> 128 with 5x5 in 27 instead of 50. The error in float32 is 0.6 to 6e-6
of the result's size, with the direct form 0.4e-6.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Callable

import numpy as np

from minigan.backend.base import Array
from minigan.backend.geometry import Geometry
from minigan.backend.threads import added_up, parallel

POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, 2.0, -0.5)  # small numbers and their inverses: small errors
SIZES = (2, 4)         # of tiles; larger ones would lose digits
PER_NUMBER = 65        # multiplications in the time in which a number is moved or transformed
PER_PATCH = 27         # and in which the direct form copies one
WORTH_IT = 0.8         # of the counted cost: beside other processes the direct form suffers less
FEW_WEIGHTS = 1 << 20  # so many transformed weights stay in the cache from one block to the next


@functools.lru_cache(1024)
def tile_size(g: Geometry, images: int, c_in: int, c_out: int) -> int:
    """The size m of the tiles with which this convolution is cheapest, 0 for the direct form."""
    stride, kernel = g.stride[0], g.kernel[0]
    if g.stride not in ((1, 1), (2, 2)) or kernel != g.kernel[1] or g.dilation != (1, 1):
        return 0
    (oh, ow), r, channels = g.out_size, -(-kernel // stride), stride * stride * c_in
    best, least = 0, WORTH_IT * oh * ow * kernel * kernel * c_in * (c_out + PER_PATCH)
    for m in SIZES:
        if r < 2 or not r - 1 <= m <= max(oh, ow) or m + r - 2 > len(POINTS):
            continue
        tiles, products = -(-oh // m) * -(-ow // m), (m + r - 1) ** 2
        cost = tiles * products * channels * (c_out + 1.3 * products + PER_NUMBER)
        cost += tiles * m * m * c_out * (1.3 * products + PER_NUMBER)
        cost += products * channels * c_out * PER_NUMBER / max(images, 1)  # an image's share
        if cost < least:
            best, least = m, cost
    return best


@functools.cache
def matrices(m: int, r: int, dtype: Any) -> tuple[Array, Array, Array]:
    """A (P, m^2), G (P, r^2) and B (P, n^2) for a tile in two dimensions, P = n^2, n = m + r - 1.

    In one dimension: outputs and kernel as polynomials, multiplied by their values at n points, the
    last of which is infinity, and the whole transposed.
    """
    n = m + r - 1
    points = POINTS[:n - 1]

    def values(terms: int) -> np.ndarray:
        at_infinity = [0.0] * (terms - 1) + [1.0]
        return np.array([[p ** i for i in range(terms)] for p in points] + [at_infinity])

    scale = np.array([math.prod(p - q for q in points if q != p) for p in points] + [1.0])[:, None]
    one = values(m), values(r) / scale, np.linalg.inv(values(n)).T * scale
    a, g, b = (np.kron(matrix, matrix).astype(dtype) for matrix in one)
    return a, g, b


class Tiling:
    """One convolution cut into tiles of m x m outputs."""

    def __init__(self, g: Geometry, m: int, c_in: int, c_out: int, dtype: Any) -> None:
        self.g, self.m, self.c_in, self.c_out = g, m, c_in, c_out
        self.stride, self.r = g.stride[0], -(-g.kernel[0] // g.stride[0])
        self.n = m + self.r - 1
        self.A, self.G, self.B = matrices(m, self.r, np.dtype(dtype))
        self.rows, self.columns = (-(-size // m) for size in g.out_size)
        self.tiles, self.channels = self.rows * self.columns, self.stride ** 2 * c_in
        self.few_weights = len(self.G) * self.channels * c_out <= FEW_WEIGHTS

    # Cutting into tiles, and putting together again.

    def of_x(self, x: Array, out: Array | None = None) -> Array:
        """B x: (N, H, W, C_in) -> (tiles, P, channels)."""
        s, step, n, (top, left) = self.stride, self.m * self.stride, self.n, self._corner()
        padded = np.zeros((len(x), (self.rows * self.m + self.r - 1) * s,
                           (self.columns * self.m + self.r - 1) * s, self.c_in), x.dtype)
        inside = padded[:, top:top + x.shape[1], left:left + x.shape[2]]
        inside[...] = x[:, :inside.shape[1], :inside.shape[2]]
        by_n, by_h, by_w, by_c = padded.strides
        windows = np.lib.stride_tricks.as_strided(
            padded, (len(x), self.rows, self.columns, n, n, s, s * self.c_in),
            (by_n, step * by_h, step * by_w, s * by_h, s * by_w, by_h, by_c))
        return np.matmul(self.B, windows.reshape(-1, n * n, self.channels), out=out)

    def to_x(self, parts: Array, x: Array) -> None:
        """x = B^T parts, tiles that overlap by r - 1 added up."""
        s, m, n, more = self.stride, self.m, self.n, self.r - 1
        rows, columns, (top, left) = self.rows, self.columns, self._corner()
        windows = (self.B.T @ parts).reshape(len(x), rows, columns, n, n, s, s, self.c_in)
        windows = windows.transpose(0, 1, 3, 5, 2, 4, 6, 7)        # (N, rows, n, s, columns, n, ...
        whole = np.zeros((len(x), rows + 1, m, s, columns + 1, m, s, self.c_in), x.dtype)
        whole[:, :-1, :, :, :-1] = windows[:, :, :m, :, :, :m]
        whole[:, 1:, :more, :, :-1] += windows[:, :, m:, :, :, :m]
        whole[:, :-1, :, :, 1:, :more] += windows[:, :, :m, :, :, m:]
        whole[:, 1:, :more, :, 1:, :more] += windows[:, :, m:, :, :, m:]
        pixels = whole.reshape(len(x), (rows + 1) * m * s, (columns + 1) * m * s, self.c_in)
        pixels = pixels[:, top:top + x.shape[1], left:left + x.shape[2]]
        x[:, :pixels.shape[1], :pixels.shape[2]] = pixels

    def of_y(self, y: Array, out: Array | None = None) -> Array:
        """A y: (N, OH, OW, C_out) -> (tiles, P, C_out)."""
        n, (oh, ow), m = len(y), self.g.out_size, self.m
        high, wide = self.rows * m, self.columns * m
        if (high, wide) != (oh, ow):
            whole = np.zeros((n, high, wide, self.c_out), y.dtype)
            whole[:, :oh, :ow] = y
            y = whole
        tiles = y.reshape(n, self.rows, m, self.columns, m, self.c_out).transpose(0, 1, 3, 2, 4, 5)
        return np.matmul(self.A, tiles.reshape(n * self.tiles, m * m, self.c_out), out=out)

    def to_y(self, parts: Array, y: Array) -> None:
        """y = A^T parts."""
        m, (oh, ow) = self.m, self.g.out_size
        tiles = (self.A.T @ parts).reshape(len(y), self.rows, self.columns, m, m, self.c_out)
        y[...] = tiles.transpose(0, 1, 3, 2, 4, 5).reshape(
            len(y), self.rows * m, self.columns * m, self.c_out)[:, :oh, :ow]

    def of_w(self, w: Array) -> Array:
        """G w: (KH, KW, C_in, C_out) -> (P, channels, C_out)."""
        r, s, k = self.r, self.stride, self.g.kernel[0]
        if k != r * s:
            whole = np.zeros((r * s, r * s, *w.shape[2:]), w.dtype)
            whole[:k, :k] = w
            w = whole
        w = w.reshape(r, s, r, s, -1).transpose(0, 2, 1, 3, 4).reshape(r * r, -1)
        pieces, columns = 1 if self.few_weights else 8, w.shape[1]
        result = np.empty((len(self.G), columns), w.dtype)

        def block(i: int) -> None:
            part = slice(i * columns // pieces, (i + 1) * columns // pieces)
            np.matmul(self.G, w[:, part], out=result[:, part])

        parallel(block, pieces)
        return result.reshape(-1, self.channels, self.c_out)

    def to_w(self, parts: Array) -> Array:
        """w = G^T parts."""
        r, s, k = self.r, self.stride, self.g.kernel[0]
        w = (self.G.T @ parts.reshape(len(parts), -1)).reshape(r, r, s, s, self.c_in, self.c_out)
        w = w.transpose(0, 2, 1, 3, 4, 5).reshape(r * s, r * s, self.c_in, self.c_out)
        return np.ascontiguousarray(w[:k, :k])

    def _corner(self) -> tuple[int, int]:
        return self.g.pads[0][0], self.g.pads[1][0]

    # Blocks: a few images at a time, or, when the weights are many, one product at a time.

    def images(self, n: int, tiles: int = 128) -> list[slice]:
        """n images in blocks of about so many tiles; with fewer, threads meet too often."""
        size = max(1, tiles // self.tiles)
        return [slice(i, min(i + size, n)) for i in range(0, n, size)]

    def whole(self, cut: Callable[..., Array], images: Array, channels: int) -> Array:
        """`of_x` or `of_y` of all images: (tiles, P, channels)."""
        blocks = self.images(len(images))
        result = np.empty((len(images) * self.tiles, len(self.G), channels), images.dtype)
        parallel(lambda i: cut(images[blocks[i]], result[self._tiles(blocks[i])]), len(blocks))
        return result

    def apply(self, cut: Callable[..., Array], images: Array, weights: Array,
              put: Callable[[Array, Array], None], result: Array) -> None:
        """result = put(cut(images) times weights (P, channels in, channels out)), tile by tile."""
        blocks = self.images(len(images))
        if self.few_weights:
            def block(i: int) -> None:
                parts = cut(images[blocks[i]]).transpose(1, 0, 2) @ weights
                put(parts.transpose(1, 0, 2), result[blocks[i]])

            return parallel(block, len(blocks))
        tiles = self.whole(cut, images, weights.shape[1])
        products = np.empty((len(weights), len(tiles), weights.shape[2]), tiles.dtype)
        parallel(lambda p: np.matmul(tiles[:, p], weights[p], out=products[p]), len(weights))
        parallel(lambda i: put(products[:, self._tiles(blocks[i])].transpose(1, 0, 2),
                               result[blocks[i]]), len(blocks))

    def correlate(self, x: Array, y: Array) -> Array:
        """The sum over all tiles of B x times A y: (P, channels, C_out)."""
        if not self.few_weights:
            of_x = self.whole(self.of_x, x, self.channels)
            of_y = self.whole(self.of_y, y, self.c_out)
            products = np.empty((len(self.G), self.channels, self.c_out), x.dtype)
            parallel(lambda p: np.matmul(of_x[:, p].T, of_y[:, p], out=products[p]), len(products))
            return products
        blocks, parts = self.images(len(x), 256), dict[int, Array]()

        def block(i: int) -> None:
            rows, columns = self.of_x(x[blocks[i]]), self.of_y(y[blocks[i]])
            parts[i] = rows.transpose(1, 2, 0) @ columns.transpose(1, 0, 2)

        parallel(block, len(blocks))
        return added_up(parts)

    def _tiles(self, images: slice) -> slice:
        return slice(images.start * self.tiles, images.stop * self.tiles)


def conv2d(x: Array, w: Array, g: Geometry, m: int) -> Array:
    """y (N, OH, OW, C_out)."""
    t = Tiling(g, m, w.shape[2], w.shape[3], w.dtype)
    y = np.empty((len(x), *g.out_size, t.c_out), w.dtype)
    t.apply(t.of_x, x, t.of_w(w), t.to_y, y)
    return y


def conv_transpose2d(y: Array, w: Array, g: Geometry, m: int) -> Array:
    """x (N, H, W, C_in)."""
    t = Tiling(g, m, w.shape[2], w.shape[3], w.dtype)
    x = np.zeros((len(y), *g.in_size, t.c_in), w.dtype)  # zeros: where no output came from
    t.apply(t.of_y, y, t.of_w(w).transpose(0, 2, 1), t.to_x, x)
    return x


def conv2d_weight(x: Array, y: Array, g: Geometry, m: int) -> Array:
    """w (KH, KW, C_in, C_out)."""
    t = Tiling(g, m, x.shape[-1], y.shape[-1], x.dtype)
    return t.to_w(t.correlate(x, y))
