"""Convolution with fewer products: the trilinear form of a small tile, made diagonal.

    <y, conv2d(x, w)> = sum over p of (B x)_p (G w)_p (A y)_p        for one tile

B, G and A are small constant matrices (Toom 1963, Cook 1966; for convolutions Winograd 1980; Lavin
and Gray 2016). A tile of m x m outputs of a kernel r x r has P = (m + r - 1)^2 products instead of
m^2 r^2: 25 for 64 with m = 4, r = 2. Like the form itself it serves all three of its derivatives:

    y = A^T ((B x) * (G w)),   x = B^T ((A y) * (G w)),   w = G^T ((B x) * (A y)).

Each product is one of channels: a matrix product of (tiles, C_in) and (C_in, C_out). Kernels of
stride 2 become stride 1 by space-to-depth: 4x4 on C channels is 2x2 on 4 C. Where the transforms
cost more than they save, the direct form stays: `tile_size` counts both.

The transforms B x, G w and A y are calls of their own, since all three ask for them in pairs: a
recorded step makes each once.

Measured on one thread, batch 64, against the direct form, for y: 4x4 of stride 2 from (14, 14, 64)
to 128 channels in 5.9 ms instead of 7.4, from (32, 32, 64) to 128 in 25 instead of 38; 3x3 of 48
channels, (28, 28), in 17 instead of 24; 5x5 from (7, 7, 128) to 256 in 18 instead of 39. In a step
that shares transforms the first takes 4.5. The error in float32 is 0.6 to 6e-6 of the result's
size, with the direct form 0.4e-6.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Callable

import numpy as np

from minigan.backend.base import Array
from minigan.backend.cpu.blocks import BLOCK, SHARED
from minigan.geometry import Geometry
from minigan.system.threads import LARGE_PRODUCT, added_up, in_turn, parallel, threads

POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, 2.0, -0.5)  # small numbers and their inverses: small errors
SIZES = (2, 4)         # of tiles; larger ones would lose digits
PER_NUMBER = 38        # multiplications in the time in which a number is moved,
PER_TERM = 1.3         # in which a transform makes one,
PER_PATCH = 27         # and in which the direct form copies a number
WORTH_IT = 0.9         # of the counted cost: beside other processes the direct form suffers less
TILES = 128            # transformed at once; with fewer, threads would meet more often
WEIGHTS = 8192         # of each of P matrices, transformed at once: they stay in the cache
MANY_TILES = 1024      # from which they are multiplied block by block,
FEW_WEIGHTS = 1 << 18  # if the weights stay in the cache from one block to the next
KEPT = 6 << 20         # transformed numbers, 24 MB, that may lie about until they are needed again,
GROUP = 1 << 22        # or else are made, 16 MB at a time, wherever they are needed


@functools.lru_cache(1024)
def tile_size(g: Geometry, images: int, c_in: int, c_out: int) -> int:
    """The size m of the tiles with which this convolution is cheapest, 0 for the direct form."""
    stride, kernel = g.stride[0], g.kernel[0]
    if (g.stride not in ((1, 1), (2, 2)) or kernel != g.kernel[1] or g.dilation != (1, 1)
            or not images):
        return 0
    (oh, ow), r, channels = g.out_size, -(-kernel // stride), stride * stride * c_in
    best, least = 0, WORTH_IT * oh * ow * kernel * kernel * c_in * (c_out + PER_PATCH)
    for m in SIZES:
        if r < 2 or not r - 1 <= m <= max(oh, ow) or m + r - 2 > len(POINTS):
            continue
        tiles, products = -(-oh // m) * -(-ow // m), (m + r - 1) ** 2
        transform = PER_TERM * products + PER_NUMBER
        cost = tiles * products * channels * (c_out + transform) + tiles * m * m * c_out * transform
        cost += products * channels * c_out * 2 * PER_NUMBER / images  # an image's share
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
    """One convolution cut into tiles of m x m outputs.

    In the transformed domain x is (P, tiles, channels), y is (P, tiles, C_out), and the kernels are
    (P, channels, C_out).
    """

    def __init__(self, g: Geometry, m: int) -> None:
        self.g, self.m, self.stride, self.r = g, m, g.stride[0], -(-g.kernel[0] // g.stride[0])
        self.n = m + self.r - 1
        self.rows, self.columns = (-(-size // m) for size in g.out_size)
        self.tiles = self.rows * self.columns  # of an image

    def groups(self, images: int, c_in: int) -> list[slice]:
        """Which of N images, with so many channels of x, are transformed at once."""
        numbers = images * self.tiles * self.n ** 2 * self.stride ** 2 * c_in
        n = 1 if numbers <= KEPT else -(-numbers // GROUP)
        return _even(images, n)

    def of_x(self, x: Array) -> Array:
        """B x, for x (N, H, W, C_in)."""
        s, n, (top, left), c = self.stride, self.n, self._corner(), x.shape[-1]
        high, wide = ((tiles * self.m + self.r - 1) * s for tiles in (self.rows, self.columns))
        B = self._matrices(x)[2]

        def cut(images: Array, out: Array) -> None:
            padded = np.zeros((len(images), high, wide, c), x.dtype)
            inside = padded[:, top:top + x.shape[1], left:left + x.shape[2]]
            inside[...] = images[:, :inside.shape[1], :inside.shape[2]]
            by_n, by_h, by_w, by_c = padded.strides
            windows = np.ndarray(
                (len(images), self.rows, self.columns, n, n, s, s * c), x.dtype, padded, 0,
                (by_n, self.m * s * by_h, self.m * s * by_w, s * by_h, s * by_w, by_h, by_c))
            np.matmul(B, windows.reshape(-1, n * n, s * s * c), out=out)

        return self._transformed(cut, x, s * s * c)

    def of_y(self, y: Array) -> Array:
        """A y, for y (N, OH, OW, C_out)."""
        (oh, ow), m, c = self.g.out_size, self.m, y.shape[-1]
        high, wide = self.rows * m, self.columns * m
        A = self._matrices(y)[0]

        def cut(images: Array, out: Array) -> None:
            if (high, wide) != (oh, ow):
                whole = np.zeros((len(images), high, wide, c), y.dtype)
                whole[:, :oh, :ow] = images
                images = whole
            tiles = images.reshape(-1, self.rows, m, self.columns, m, c).swapaxes(2, 3)
            np.matmul(A, tiles.reshape(-1, m * m, c), out=out)

        return self._transformed(cut, y, c)

    def of_w(self, w: Array) -> Array:
        """G w, for w (KH, KW, C_in, C_out)."""
        r, s, k = self.r, self.stride, self.g.kernel[0]
        c_in, c_out = w.shape[2:]
        if k != r * s:
            whole = np.zeros((r * s, r * s, c_in, c_out), w.dtype)
            whole[:k, :k] = w
            w = whole
        w = w.reshape(r, s, r, s, -1).transpose(0, 2, 1, 3, 4).reshape(r * r, -1)
        return _times(self._matrices(w)[1], w).reshape(-1, s * s * c_in, c_out)

    def conv2d(self, of_x: Array, of_w: Array, out: Array | None = None) -> Array:
        """y (N, OH, OW, C_out) = A^T of the products; written to `out` where that is given."""
        m, (oh, ow), c = self.m, self.g.out_size, of_w.shape[-1]
        size = of_x.shape[1] // self.tiles, oh, ow, c
        y = np.empty(size, of_x.dtype) if out is None else out
        back = self._matrices(y)[0].T

        def put(tiles: Array, images: Array) -> None:
            outputs = (back @ tiles).reshape(-1, self.rows, self.columns, m, m, c).swapaxes(2, 3)
            images[...] = outputs.reshape(-1, self.rows * m, self.columns * m, c)[:, :oh, :ow]

        return self._put_together(put, of_x, of_w, y)

    def conv_transpose2d(self, of_y: Array, of_w: Array, out: Array | None = None) -> Array:
        """x (N, H, W, C_in) = B^T of the products, tiles that overlap by r - 1 added up.

        out: where it is written to, 0 where no y came from.
        """
        s, m, n, more, (top, left) = self.stride, self.m, self.n, self.r - 1, self._corner()
        rows, columns, (h, w), c = self.rows, self.columns, self.g.in_size, of_w.shape[1] // s**2
        down, across = _pieces(rows, m, rows * m * s < top + h), _pieces(
            columns, m, columns * m * s < left + w)
        high, wide = rows * m + more * (len(down) - 1), columns * m + more * (len(across) - 1)
        size = of_y.shape[1] // self.tiles, h, w, c
        x = np.zeros(size, of_y.dtype) if out is None else out  # 0 where no y came from
        back = self._matrices(x)[2].T

        def put(tiles: Array, images: Array) -> None:
            windows = (back @ tiles).reshape(-1, rows, columns, n, n, s, s * c)
            windows[:, 1:, :, :more] += windows[:, :-1, :, m:]
            windows[:, :, 1:, :, :more] += windows[:, :, :-1, :, m:]
            windows = windows.transpose(0, 1, 3, 5, 2, 4, 6)  # (N, rows, n, s, columns, n, s * c)
            whole = np.empty((len(images), high, s, wide, s * c), x.dtype)
            for row, inner_row, to_row in down:
                for column, inner, to in across:
                    piece = windows[:, row, inner_row, :, column, inner]
                    whole[:, to_row, :, to].reshape(piece.shape)[...] = piece
            pixels = whole.reshape(-1, high * s, wide * s, c)[:, top:top + h, left:left + w]
            images[:, :pixels.shape[1], :pixels.shape[2]] = pixels

        return self._put_together(put, of_y, of_w.swapaxes(1, 2), x)

    def conv2d_weight(self, of_x: Array, of_y: Array) -> Array:
        """w (KH, KW, C_in, C_out) = G^T of the products, which are sums over all tiles."""
        parts = _products(of_x.swapaxes(1, 2), of_y)
        r, s, (k, _), (channels, c_out) = self.r, self.stride, self.g.kernel, parts.shape[1:]
        w = _times(self._matrices(parts)[1].T, parts.reshape(len(parts), -1))
        w = w.reshape(r, r, s, s, -1).transpose(0, 2, 1, 3, 4)
        w = w.reshape(r * s, r * s, channels // s**2, c_out)
        return np.ascontiguousarray(w[:k, :k])

    def _corner(self) -> tuple[int, int]:
        return self.g.pads[0][0], self.g.pads[1][0]

    def _matrices(self, array: Array) -> tuple[Array, Array, Array]:
        return matrices(self.m, self.r, array.dtype)

    # Blocks of a few images, which stay in the cache while they are transformed.

    def _transformed(self, cut: Callable[[Array, Array], None], images: Array, channels: int
                     ) -> Array:
        result = np.empty((self.n ** 2, len(images) * self.tiles, channels), images.dtype)
        by_tile = result.swapaxes(0, 1)
        self._in_blocks(lambda block, tiles: cut(images[block], by_tile[tiles]), len(images),
                        result.size)
        return result

    def _put_together(self, put: Callable[[Array, Array], None], a: Array, b: Array, images: Array
                      ) -> Array:
        """put(a times b for some tiles: (tiles, P, channels), their images), until all are made."""
        if a.shape[1] >= MANY_TILES and b.size <= FEW_WEIGHTS:
            self._in_blocks(lambda block, tiles: put(
                np.matmul(a[:, tiles], b).swapaxes(0, 1), images[block]), len(images), a.size,
                2 * TILES)
        else:
            parts = _products(a, b)
            by_tile = parts.swapaxes(0, 1)
            self._in_blocks(lambda block, tiles: put(by_tile[tiles], images[block]), len(images),
                            parts.size)
        return images

    def _in_blocks(self, job: Callable[[slice, slice], None], images: int, transformed: int,
                   at_once: int = TILES) -> None:
        """Run job(slice of images, slice of their tiles)."""
        size = max(1, at_once // self.tiles)

        def block(i: int) -> None:
            start, stop = i * size, min((i + 1) * size, images)
            job(slice(start, stop), slice(start * self.tiles, stop * self.tiles))

        _share(transformed)(block, -(-images // size))


tiling = functools.lru_cache(1024)(Tiling)  # the same object for the same convolution


def _pieces(tiles: int, m: int, more: bool) -> list[tuple[slice, slice, slice]]:
    """Which tiles, what of them, and where to: the first m of each, and what the last has more."""
    pieces = [(slice(None), slice(m), slice(tiles * m))]
    return pieces + [(slice(-1, None), slice(m, None), slice(tiles * m, None))] * more


def _share(transformed: int) -> Callable[[Callable[[int], Any], int], None]:
    """`parallel` or `in_turn`, for so many transformed numbers: as for any pass."""
    return parallel if transformed >= SHARED * BLOCK else in_turn


def _times(matrix: Array, numbers: Array) -> Array:
    """matrix @ numbers, of which there are few rows and many columns."""
    result = np.empty((len(matrix), numbers.shape[1]), numbers.dtype)
    columns = [slice(i, i + WEIGHTS) for i in range(0, numbers.shape[1], WEIGHTS)]
    _share(result.size)(lambda i: np.matmul(matrix, numbers[:, columns[i]],
                                            out=result[:, columns[i]]), len(columns))
    return result


def _products(a: Array, b: Array) -> Array:
    """a[p] @ b[p] for every p; a few at a time, as threads meet between any two calls."""
    result = np.empty((len(a), a.shape[1], b.shape[2]), a.dtype)
    parts = _even(len(a), 2 * threads())
    share = parallel if a.size * b.shape[2] >= LARGE_PRODUCT else in_turn
    share(lambda i: np.matmul(a[parts[i]], b[parts[i]], out=result[parts[i]]), len(parts))
    return result


def _even(n: int, parts: int) -> list[slice]:
    """n things in so many parts of about the same size."""
    return [slice(n * i // parts, n * (i + 1) // parts) for i in range(parts)]


# The convolution family. part(run, *arrays) is run(*arrays), as `Tracing.part`.

Part = Callable[..., Array]


def conv2d(part: Part, x: Array, w: Array, g: Geometry, m: int) -> Array:
    """y (N, OH, OW, C_out)."""
    t, size = tiling(g, m), (len(x), *g.out_size, w.shape[3])
    return _in_groups(part, t.groups(*x.shape[::3]), t.of_x, x, part(t.of_w, w), t.conv2d, size)


def conv_transpose2d(part: Part, y: Array, w: Array, g: Geometry, m: int) -> Array:
    """x (N, H, W, C_in)."""
    t, size = tiling(g, m), (len(y), *g.in_size, w.shape[2])
    return _in_groups(part, t.groups(*size[::3]), t.of_y, y, part(t.of_w, w), t.conv_transpose2d,
                      size)


def conv2d_weight(part: Part, x: Array, y: Array, g: Geometry, m: int) -> Array:
    """w (KH, KW, C_in, C_out)."""
    t = tiling(g, m)
    groups = t.groups(*x.shape[::3])
    if len(groups) == 1:
        return part(t.conv2d_weight, part(t.of_x, x), part(t.of_y, y))
    return added_up({group.start: t.conv2d_weight(t.of_x(x[group]), t.of_y(y[group]))
                     for group in groups})


def _in_groups(part: Part, groups: list[slice], cut: Callable[[Array], Array], images: Array,
               of_w: Array, finish: Callable[..., Array], size: tuple[int, ...]) -> Array:
    """finish(cut(images), of_w), an array of that size, by a group of the images at a time."""
    if len(groups) == 1:
        return part(finish, part(cut, images), of_w)
    result = np.zeros(size, images.dtype)
    for group in groups:
        finish(cut(images[group]), of_w, result[group])
    return result
