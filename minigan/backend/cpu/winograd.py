"""Convolution with fewer products: the trilinear form of a small tile, made diagonal.

    <y, conv2d(x, w)> = sum over p of (B x)_p (G w)_p (A y)_p        for one tile

B, G and A are small constant matrices (Toom 1963, Cook 1966; for convolutions Winograd 1980). A
tile of m x m outputs of a kernel r x r takes P = (m + r - 1)^2 products instead of m^2 r^2: 25 for
64 with m = 4, r = 2. Like the form itself it serves all three of its derivatives:

    y = A^T ((B x) * (G w)),   x = B^T ((A y) * (G w)),   w = G^T ((B x) * (A y)).

The first is equation 8 of Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR
2016 (their B^T is our B). Summed over channels, each of the P products is a matrix product of
(tiles, C_in) and (C_in, C_out), their equation 12. Kernels of stride 2 become stride 1 by
space-to-depth: 4x4 on C channels is 2x2 on 4 C.

It is written here because NumPy has no convolution at all, and the libraries with this form
(oneDNN, cuDNN) belong to whole frameworks. Where the transforms cost more than they save, the
direct form stays: `tile_size` counts both.

The transforms B x, G w and A y are calls of their own (`Backend.part`), since each is needed by two
members of the family: a recorded step makes each once.

Measured on one thread, batch 64, against the direct form, for y: 4x4 of stride 2 from (14, 14, 64)
to 128 channels in 5.9 ms instead of 7.4, from (32, 32, 64) to 128 in 25 instead of 38; 3x3 of 48
channels, (28, 28), in 17 instead of 24; 5x5 from (7, 7, 128) to 256 in 18 instead of 39. In a step
that shares transforms the first takes 4.5. The error in float32 is 0.6e-6 to 6e-6 of the result's
size; with the direct form it is 0.4e-6.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Callable, NamedTuple

import numpy as np

from minigan.backend.base import Array
from minigan.backend.cpu.blocks import sharing
from minigan.geometry import Geometry
from minigan.system.threads import LARGE_PRODUCT, added_up, in_turn, parallel, threads

POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, 2.0, -0.5)  # small numbers and their inverses: small errors
SIZES = (2, 4)         # of tiles; larger ones would lose digits

# Costs, in multiplications.
PER_NUMBER = 38        # to move a number
PER_TERM = 1.3         # to make one of the multiplications of a transform
PER_PATCH = 27         # to copy a number of a patch in the direct form
WORTH_IT = 0.9         # of the direct form's cost, which rises less when other processes compute

# Sizes of blocks.
TILES = 128            # transformed at once; with fewer, threads would meet more often
WEIGHTS = 8192         # of each of P matrices, transformed at once: they stay in the cache
MANY_TILES = 1024      # so many tiles or more are multiplied block by block,
FEW_WEIGHTS = 1 << 18  # if no more weights than these have to stay in the cache
KEPT = 6 << 20         # up to so many transformed numbers, 24 MB, are kept until needed again;
GROUP = 1 << 22        # more are made where they are needed, 16 MB at a time


# Which tiles.

def tile_size(g: Geometry, images: int, c_in: int, c_out: int) -> int:
    """The size m of the tiles with which this convolution is cheapest, 0 for the direct form."""
    if not images:
        return 0
    best = 0
    least = WORTH_IT * direct_cost(g, c_in, c_out)
    for m in sizes(g):
        tiled = cost(g, m, images, c_in, c_out)
        if tiled < least:
            best, least = m, tiled
    return best


def sizes(g: Geometry) -> list[int]:
    """The sizes that tiles of this convolution can have; none where the form does not fit."""
    if g.stride not in ((1, 1), (2, 2)) or g.dilation != (1, 1):
        return []
    r = _taps(g)
    if r < 2 or g.kernel[0] != g.kernel[1]:
        return []
    least = r - 1
    most = min(max(g.out_size), len(POINTS) + 2 - r)
    return [m for m in SIZES if least <= m <= most]


def direct_cost(g: Geometry, c_in: int, c_out: int) -> int:
    """What an image costs by patches: multiplications, and moving the patches."""
    patches = math.prod(g.out_size) * math.prod(g.kernel) * c_in
    return patches * (c_out + PER_PATCH)


def cost(g: Geometry, m: int, images: int, c_in: int, c_out: int) -> float:
    """What an image costs by tiles of m x m: products, transforms, and a share of the kernels'."""
    r = _taps(g)
    stride = g.stride[0]
    channels = stride * stride * c_in
    oh, ow = g.out_size
    tiles = -(-oh // m) * -(-ow // m)
    products = (m + r - 1) ** 2

    transform = PER_TERM * products + PER_NUMBER   # of a number
    of_x = tiles * products * channels * (c_out + transform)
    of_y = tiles * m * m * c_out * transform
    of_w = products * channels * c_out * 2 * PER_NUMBER / images
    return of_x + of_y + of_w


def _taps(g: Geometry) -> int:
    """r, the kernel's size when its stride has become 1."""
    return -(-g.kernel[0] // g.stride[0])


class Matrices(NamedTuple):
    """The transforms of a tile in two dimensions, P = n^2 with n = m + r - 1."""

    A: Array   # (P, m^2), of outputs
    G: Array   # (P, r^2), of kernels
    B: Array   # (P, n^2), of inputs


@functools.cache
def matrices(m: int, r: int, dtype: Any) -> Matrices:
    """A, G and B for tiles of m x m outputs and kernels r x r.

    In one dimension: outputs and kernel as polynomials, multiplied by their values at n points, the
    last of which is infinity, and the whole transposed. In two, the Kronecker product with itself.
    """
    n = m + r - 1
    points = POINTS[:n - 1]

    def values(terms: int) -> np.ndarray:
        powers = [[p ** i for i in range(terms)] for p in points]
        at_infinity = [0.0] * (terms - 1) + [1.0]
        return np.array([*powers, at_infinity])                    # (n, terms)

    differences = [math.prod(p - q for q in points if q != p) for p in points]
    scale = np.array([*differences, 1.0])[:, None]                 # (n, 1)
    a = values(m)
    g = values(r) / scale
    b = np.linalg.inv(values(n)).T * scale
    squared = [np.kron(one, one) for one in (a, g, b)]
    return Matrices(*[matrix.astype(dtype) for matrix in squared])


# One convolution in tiles.

class Tiling:
    """One convolution cut into tiles of m x m outputs, P products each.

    In the transformed domain x is (P, tiles, S), y is (P, tiles, C_out) and the kernels are
    (P, S, C_out), where S = s^2 C_in are the channels of x after space-to-depth by the stride s.
    """

    def __init__(self, g: Geometry, m: int) -> None:
        self.g = g
        self.m = m
        self.stride = g.stride[0]
        self.r = _taps(g)
        self.n = m + self.r - 1                                    # inputs of a tile, one way
        self.rows, self.columns = (-(-size // m) for size in g.out_size)
        self.tiles = self.rows * self.columns                      # of an image

    def groups(self, images: int, c_in: int) -> list[slice]:
        """Which images, of C_in channels, are transformed at once."""
        numbers = images * self.tiles * self.n ** 2 * self.stride ** 2 * c_in
        groups = 1 if numbers <= KEPT else -(-numbers // GROUP)
        return _even(images, groups)

    # Transforms: into the domain of products.

    def of_x(self, x: Array) -> Array:
        """B x, for x (N, H, W, C_in)."""
        s = self.stride
        m = self.m
        n = self.n
        h, w, c = x.shape[1:]
        top, left = self._corner()
        high = (self.rows * m + self.r - 1) * s
        wide = (self.columns * m + self.r - 1) * s
        B = self._matrices(x).B

        def cut(images: Array, out: Array) -> None:
            padded = np.zeros((len(images), high, wide, c), x.dtype)
            inside = padded[:, top:top + h, left:left + w]
            inside[...] = images[:, :inside.shape[1], :inside.shape[2]]
            by_n, by_h, by_w, by_c = padded.strides
            shape = len(images), self.rows, self.columns, n, n, s, s * c
            from_tile = m * s * by_h, m * s * by_w
            strides = by_n, *from_tile, s * by_h, s * by_w, by_h, by_c
            windows = np.ndarray(shape, x.dtype, padded, 0, strides)
            windows = windows.reshape(-1, n * n, s * s * c)        # (tiles, n^2, S)
            np.matmul(B, windows, out=out)                         # (tiles, P, S)

        return self._transformed(cut, x, s * s * c)

    def of_y(self, y: Array) -> Array:
        """A y, for y (N, OH, OW, C_out)."""
        oh, ow = self.g.out_size
        m = self.m
        c = y.shape[-1]
        high = self.rows * m
        wide = self.columns * m
        A = self._matrices(y).A

        def cut(images: Array, out: Array) -> None:
            if (high, wide) != (oh, ow):
                whole = np.zeros((len(images), high, wide, c), y.dtype)
                whole[:, :oh, :ow] = images
                images = whole
            tiles = images.reshape(-1, self.rows, m, self.columns, m, c)
            tiles = tiles.swapaxes(2, 3)                           # (N, rows, columns, m, m, C_out)
            tiles = tiles.reshape(-1, m * m, c)                    # (tiles, m^2, C_out)
            np.matmul(A, tiles, out=out)                           # (tiles, P, C_out)

        return self._transformed(cut, y, c)

    def of_w(self, w: Array) -> Array:
        """G w, for w (KH, KW, C_in, C_out)."""
        r = self.r
        s = self.stride
        k, _, c_in, c_out = w.shape
        if k != r * s:
            whole = np.zeros((r * s, r * s, c_in, c_out), w.dtype)
            whole[:k, :k] = w
            w = whole
        taps = w.reshape(r, s, r, s, -1)
        taps = taps.transpose(0, 2, 1, 3, 4)                       # (r, r, s, s, C_in * C_out)
        taps = taps.reshape(r * r, -1)                             # (r^2, S * C_out)
        G = self._matrices(w).G
        return _times(G, taps).reshape(-1, s * s * c_in, c_out)    # (P, S, C_out)

    # The family: products of two transforms, and the way back.

    def conv2d(self, of_x: Array, of_w: Array, out: Array | None = None) -> Array:
        """y (N, OH, OW, C_out) = A^T of the products; written to `out` where that is given."""
        oh, ow = self.g.out_size
        m = self.m
        c = of_w.shape[-1]
        size = of_x.shape[1] // self.tiles, oh, ow, c
        y = np.empty(size, of_x.dtype) if out is None else out
        back = self._matrices(y).A.T                               # (m^2, P)

        def put(tiles: Array, images: Array) -> None:
            outputs = back @ tiles                                 # (tiles, m^2, C_out)
            outputs = outputs.reshape(-1, self.rows, self.columns, m, m, c)
            outputs = outputs.swapaxes(2, 3)                       # (N, rows, m, columns, m, C_out)
            outputs = outputs.reshape(-1, self.rows * m, self.columns * m, c)
            images[...] = outputs[:, :oh, :ow]

        return self._put_together(put, of_x, of_w, y)

    def conv_transpose2d(self, of_y: Array, of_w: Array, out: Array | None = None) -> Array:
        """x (N, H, W, C_in) = B^T of the products; tiles overlap by r - 1, and are added up there.

        out: where it is written to; it holds 0 where no y reaches.
        """
        s = self.stride
        m = self.m
        n = self.n
        rows = self.rows
        columns = self.columns
        h, w = self.g.in_size
        top, left = self._corner()
        c = of_w.shape[1] // s**2
        size = of_y.shape[1] // self.tiles, h, w, c
        x = np.zeros(size, of_y.dtype) if out is None else out
        back = self._matrices(x).B.T                               # (n^2, P)

        over = self.r - 1                                          # of a tile in the next one
        down = _pieces(rows, m, rows * m * s < top + h)
        across = _pieces(columns, m, columns * m * s < left + w)
        high = rows * m + over * (len(down) - 1)
        wide = columns * m + over * (len(across) - 1)

        def put(tiles: Array, images: Array) -> None:
            windows = back @ tiles                                 # (tiles, n^2, S)
            windows = windows.reshape(-1, rows, columns, n, n, s, s * c)
            windows[:, 1:, :, :over] += windows[:, :-1, :, m:]
            windows[:, :, 1:, :, :over] += windows[:, :, :-1, :, m:]
            windows = windows.transpose(0, 1, 3, 5, 2, 4, 6)       # (N, rows, n, s, columns, ...)
            size = len(images), high, s, wide, s * c
            whole = np.empty(size, x.dtype)
            for row, inner_row, to_row in down:
                for column, inner, to in across:
                    piece = windows[:, row, inner_row, :, column, inner]
                    whole[:, to_row, :, to].reshape(piece.shape)[...] = piece
            pixels = whole.reshape(-1, high * s, wide * s, c)
            pixels = pixels[:, top:top + h, left:left + w]
            images[:, :pixels.shape[1], :pixels.shape[2]] = pixels

        return self._put_together(put, of_y, of_w.swapaxes(1, 2), x)

    def conv2d_weight(self, of_x: Array, of_y: Array) -> Array:
        """w (KH, KW, C_in, C_out) = G^T of the products, which are sums over all tiles."""
        r = self.r
        s = self.stride
        k = self.g.kernel[0]
        products = _products(of_x.swapaxes(1, 2), of_y)            # (P, S, C_out)
        n_products, channels, c_out = products.shape
        back = self._matrices(products).G.T                        # (r^2, P)
        w = _times(back, products.reshape(n_products, -1))         # (r^2, S * C_out)
        w = w.reshape(r, r, s, s, -1)
        w = w.transpose(0, 2, 1, 3, 4)                             # (r, s, r, s, C_in * C_out)
        w = w.reshape(r * s, r * s, channels // s**2, c_out)
        return np.ascontiguousarray(w[:k, :k])

    def _corner(self) -> tuple[int, int]:
        (top, _), (left, _) = self.g.pads
        return top, left

    def _matrices(self, array: Array) -> Matrices:
        return matrices(self.m, self.r, array.dtype)

    # Blocks of a few images, which stay in the cache while they are transformed.

    def _transformed(self, cut: Callable[[Array, Array], None], images: Array, channels: int
                     ) -> Array:
        """cut(some images, to here: (their tiles, P, channels)) for all: (P, tiles, channels)."""
        n = len(images)
        size = self.n ** 2, n * self.tiles, channels
        result = np.empty(size, images.dtype)
        by_tile = result.swapaxes(0, 1)

        def block(some: slice, tiles: slice) -> None:
            cut(images[some], by_tile[tiles])

        self._in_blocks(block, n, result.size)
        return result

    def _put_together(self, put: Callable[[Array, Array], None], a: Array, b: Array, images: Array
                      ) -> Array:
        """put(a times b for some tiles: (tiles, P, channels), their images), until all are made."""
        n = len(images)
        if a.shape[1] >= MANY_TILES and b.size <= FEW_WEIGHTS:

            def multiply_and_put(some: slice, tiles: slice) -> None:
                products = np.matmul(a[:, tiles], b)
                put(products.swapaxes(0, 1), images[some])

            self._in_blocks(multiply_and_put, n, a.size, 2 * TILES)
        else:
            products = _products(a, b)
            by_tile = products.swapaxes(0, 1)

            def only_put(some: slice, tiles: slice) -> None:
                put(by_tile[tiles], images[some])

            self._in_blocks(only_put, n, products.size)
        return images

    def _in_blocks(self, job: Callable[[slice, slice], None], images: int, transformed: int,
                   at_once: int = TILES) -> None:
        """Run job(slice of images, slice of their tiles) over all of them.

        transformed: how many numbers that are in all. at_once: about how many tiles a block has.
        """
        size = max(1, at_once // self.tiles)

        def block(i: int) -> None:
            start = i * size
            stop = min(start + size, images)
            tiles = slice(start * self.tiles, stop * self.tiles)
            job(slice(start, stop), tiles)

        share = sharing(transformed)
        share(block, -(-images // size))


tiling = functools.lru_cache(1024)(Tiling)  # the same object for the same convolution


Piece = tuple[slice, slice, slice]  # which tiles, which of their pixels, and where to


def _pieces(tiles: int, m: int, more: bool) -> list[Piece]:
    """How tiles are put together when their overlaps are added up: the first m pixels of each.

    more: whether what the last tile has beyond those is wanted, too.
    """
    end = tiles * m
    pieces = [(slice(None), slice(m), slice(end))]
    if more:
        last = slice(-1, None)
        pieces.append((last, slice(m, None), slice(end, None)))
    return pieces


def _times(matrix: Array, numbers: Array) -> Array:
    """matrix @ numbers, where numbers have few rows and many columns."""
    width = numbers.shape[1]
    result = np.empty((len(matrix), width), numbers.dtype)

    def block(i: int) -> None:
        columns = slice(i * WEIGHTS, (i + 1) * WEIGHTS)
        np.matmul(matrix, numbers[:, columns], out=result[:, columns])

    share = sharing(result.size)
    share(block, -(-width // WEIGHTS))
    return result


def _products(a: Array, b: Array) -> Array:
    """a[p] @ b[p] for every p; a few at a time, as threads meet between any two calls."""
    size = len(a), a.shape[1], b.shape[2]
    result = np.empty(size, a.dtype)
    parts = _even(len(a), 2 * threads())

    def block(i: int) -> None:
        some = parts[i]
        np.matmul(a[some], b[some], out=result[some])

    share = parallel if a.size * b.shape[2] >= LARGE_PRODUCT else in_turn
    share(block, len(parts))
    return result


def _even(n: int, parts: int) -> list[slice]:
    """n things in so many parts of about the same size."""
    return [slice(n * i // parts, n * (i + 1) // parts) for i in range(parts)]


# The convolution family. part(run, *arrays) is run(*arrays), as `Backend.part`.

Part = Callable[..., Array]


def conv2d(part: Part, x: Array, w: Array, g: Geometry, m: int) -> Array:
    """y (N, OH, OW, C_out)."""
    t = tiling(g, m)
    groups = t.groups(len(x), x.shape[3])
    of_w = part(t.of_w, w)
    if len(groups) == 1:
        return part(t.conv2d, part(t.of_x, x), of_w)

    size = len(x), *g.out_size, w.shape[3]
    y = np.zeros(size, x.dtype)
    for group in groups:
        t.conv2d(t.of_x(x[group]), of_w, y[group])
    return y


def conv_transpose2d(part: Part, y: Array, w: Array, g: Geometry, m: int) -> Array:
    """x (N, H, W, C_in)."""
    t = tiling(g, m)
    groups = t.groups(len(y), w.shape[2])
    of_w = part(t.of_w, w)
    if len(groups) == 1:
        return part(t.conv_transpose2d, part(t.of_y, y), of_w)

    size = len(y), *g.in_size, w.shape[2]
    x = np.zeros(size, y.dtype)
    for group in groups:
        t.conv_transpose2d(t.of_y(y[group]), of_w, x[group])
    return x


def conv2d_weight(part: Part, x: Array, y: Array, g: Geometry, m: int) -> Array:
    """w (KH, KW, C_in, C_out)."""
    t = tiling(g, m)
    groups = t.groups(len(x), x.shape[3])
    if len(groups) == 1:
        return part(t.conv2d_weight, part(t.of_x, x), part(t.of_y, y))

    sums = {}
    for group in groups:
        of_x = t.of_x(x[group])
        of_y = t.of_y(y[group])
        sums[group.start] = t.conv2d_weight(of_x, of_y)
    return added_up(sums)
