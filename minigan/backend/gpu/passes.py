"""The primitives of a device that runs our kernels: products, sums, passes, patches.

Whatever a kernel is not made for, such as an integer array or an axis in the middle of a broadcast,
takes the plain form in `base.py`.
"""

from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np

from minigan.backend.base import Array, Backend
from minigan.backend.gpu import cublas
from minigan.backend.gpu.kernels import REALS
from minigan.geometry import Geometry

LIMIT = 2**31             # elements that a kernel can count
MOST_BLOCKS = 4096        # of a pass; its threads take several elements each beyond that
ROW_CHUNK, COLUMN_CHUNK, MOST_CHUNKS = 4096, 256, 64  # elements, rows and number of parts of a sum
LONGEST_ROW_CHUNK, LONGEST_COLUMN_CHUNK = 65_536, 2048  # so that a thread adds up 256 terms at most
PLAIN, PRODUCT, SQUARE_AWAY = 0, 1, 2  # of sums.cu

Broadcast = tuple[Array | None, int, int]  # an operand for `at` of common.cuh


class Passes(Backend):
    """A device with kernels; a subclass says how one is launched and what multiplies matrices."""

    threads, tile = 256, 32  # of a block; columns that a block of `column_sums` adds up
    precisions = ("fp32", "tf32")

    def run(self, kernel: str, dtype: Any, grid: tuple[int, int, int], threads: int,
            arguments: Sequence[Any]) -> None:
        """Launch a kernel; arguments are contiguous arrays, numbers, and None for no array."""
        raise NotImplementedError

    def gemm(self, dtype: str, sizes: tuple[int, int, int], a: Array, ta: bool, b: Array, tb: bool,
             c: Array, batch: int = 1, steps: tuple[int, int] = (0, 0)) -> None:
        """c = op(a) op(b), as `Cublas.gemm`."""
        raise NotImplementedError

    def each(self, kernel: str, dtype: Any, n: int, *arguments: Any) -> None:
        """Launch a kernel over n elements; n is its last argument."""
        blocks = min(-(-n // self.threads), MOST_BLOCKS)
        self.run(kernel, dtype, (blocks, 1, 1), self.threads, (*arguments, n))

    # Products.

    def product(self, a: Array, b: Array) -> Array:
        """By one routine; a transposed view is a flag for it, not a copy."""
        (m, k), n = a.shape[-2:], b.shape[-1]
        if str(a.dtype) not in REALS or a.dtype != b.dtype or k != b.shape[-2] or not (
                a.size and b.size and max(a.size, b.size) < LIMIT):
            return super().product(a, b)
        if a.ndim > 2 and b.ndim == 2 and a.flags.c_contiguous:  # a stack of rows is more rows
            return self.product(a.reshape(-1, k), b).reshape(*a.shape[:-1], n)
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, ta, step_a = cublas.stacked(a, batch, self.module.broadcast_to)
        b, tb, step_b = cublas.stacked(b, batch, self.module.broadcast_to)
        c = self.module.empty((*batch, m, n), a.dtype)
        self.gemm(str(a.dtype), (m, n, k), a, ta, b, tb, c, math.prod(batch), (step_a, step_b))
        return c

    # Sums.

    def total(self, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
        if not _fits(x):
            return super().total(x, axis, keepdims)
        sums = self._sums(PLAIN, x, (None, 1, 1), axis, 1.0)
        if sums is None:
            return super().total(x, axis, keepdims)
        return sums if keepdims else sums.reshape(
            tuple(n for i, n in enumerate(x.shape) if i not in axis))

    def dot(self, a: Array, b: Array, axis: tuple[int, ...]) -> Array:
        if b.size > a.size:
            a, b = b, a
        sums = self._paired_sums(PRODUCT, a, b, axis, 1.0)
        return super().dot(a, b, axis) if sums is None else sums

    def variance(self, x: Array, mean: Array, axis: tuple[int, ...]) -> Array:
        count = math.prod(x.shape[i] for i in axis)
        sums = self._paired_sums(SQUARE_AWAY, x, mean, axis, 1 / max(count, 1))
        return super().variance(x, mean, axis) if sums is None else sums

    def _paired_sums(self, what: int, a: Array, b: Array, axis: tuple[int, ...], scale: float
                     ) -> Array | None:
        other = self._operand(b, a) if _fits(a) else None
        return None if other is None else self._sums(what, a, other, axis, scale)

    def _sums(self, what: int, a: Array, b: Broadcast, axis: tuple[int, ...], scale: float
              ) -> Array | None:
        """Sums over axes without a gap, kept with size 1; None where there is a gap.

        The parts of very long sums are added up in the same way, so that no part is long.
        """
        kept = tuple(1 if i in axis else n for i, n in enumerate(a.shape))
        summed = [i for i in axis if a.shape[i] != 1]
        first, last = (min(summed), max(summed)) if summed else (0, -1)
        if any(i not in axis and a.shape[i] != 1 for i in range(first, last)):
            return None
        n = math.prod(a.shape[first:last + 1])
        outer, inner = math.prod(a.shape[:first]), math.prod(a.shape[last + 1:])
        if inner > 1 and outer > 65_535:  # more than a grid has
            return None
        least, most = ((ROW_CHUNK, LONGEST_ROW_CHUNK) if inner == 1 else
                       (COLUMN_CHUNK, LONGEST_COLUMN_CHUNK))
        chunk = max(least, min(-(-n // MOST_CHUNKS), most))
        chunks = -(-n // chunk)
        a, sums = contiguous(a), self.module.empty((outer, chunks, inner), a.dtype)
        now = scale if chunks == 1 else 1.0
        if inner == 1:
            self.run("row_sums", a.dtype, (outer, chunks, 1), self.threads,
                     (what, a, *b, n, chunk, now, sums))
        else:
            self.run("column_sums", a.dtype, (-(-inner // self.tile), chunks, outer), self.threads,
                     (what, a, *b, n, inner, chunk, self.tile, now, sums))
        if chunks > MOST_CHUNKS:
            parts = sums.reshape(outer, chunks, inner)
            sums = self._sums(PLAIN, parts, (None, 1, 1), (1,), scale)
        elif chunks > 1:
            parts, sums = sums, self.module.empty((outer, inner), a.dtype)
            self.each("sum_chunks", a.dtype, outer * inner, parts, chunks, inner, scale, sums)
        return sums.reshape(kept)

    # Passes over elements.

    def leaky_relu(self, x: Array, slope: float) -> Array:
        if not _fits(x):
            return super().leaky_relu(x, slope)
        y = self.module.empty(x.shape, x.dtype)
        self.each("leaky_relu", x.dtype, x.size, contiguous(x), slope, y)
        return y

    def gate(self, gy: Array, x: Array, slope: float) -> Array:
        if not _fits(x) or gy.shape != x.shape or gy.dtype != x.dtype:
            return super().gate(gy, x, slope)
        gx = self.module.empty(x.shape, x.dtype)
        self.each("gate", x.dtype, x.size, contiguous(gy), contiguous(x), slope, gx)
        return gx

    def keep(self, gy: Array, mask: Array) -> Array:
        operands = self._operands(gy, mask)
        if operands is None:
            return super().keep(gy, mask)
        gx = self.module.empty(gy.shape, gy.dtype)
        self.each("keep", gy.dtype, gy.size, contiguous(gy), *operands[0], gx)
        return gx

    def biased(self, x: Array, bias: Array, slope: float) -> Array:
        if not _fits(x) or bias.shape != x.shape[-1:]:
            return super().biased(x, bias, slope)
        y = self.module.empty(x.shape, x.dtype)
        self.each("bias_leaky", x.dtype, x.size, contiguous(x), contiguous(bias), len(bias), slope,
                  y)
        return y

    def scale_shift(self, x: Array, s: Array, t: Any) -> Array:
        operands = self._operands(x, s, t)
        if operands is None:
            return super().scale_shift(x, s, t)
        y = self.module.empty(x.shape, x.dtype)
        self.each("scale_shift", x.dtype, x.size, contiguous(x), *operands[0], *operands[1],
                  _number(t), y)
        return y

    def mix(self, a: Array, p: Array, b: Array, q: Array, r: Any) -> Array:
        operands = self._operands(a, p, q, r)
        if operands is None or b.shape != a.shape or b.dtype != a.dtype:
            return super().mix(a, p, b, q, r)
        y = self.module.empty(a.shape, a.dtype)
        self.each("mix", a.dtype, a.size, contiguous(a), *operands[0], contiguous(b), *operands[1],
                  *operands[2], _number(r), y)
        return y

    def _operands(self, x: Array, *others: Any) -> list[Broadcast] | None:
        """Each of the others as it broadcasts against x; None if one does not or x is not ours."""
        found = [self._operand(other, x) for other in others] if _fits(x) else [None]
        return None if None in found else found  # type: ignore[return-value]

    def _operand(self, other: Any, x: Array) -> Broadcast | None:
        if isinstance(other, (int, float)):
            return None if isinstance(other, bool) else (None, 1, 1)
        place = placed(other.shape, x.shape)
        if place is None or other.dtype != x.dtype:
            return None
        return contiguous(other), *place

    # Patches and rows.

    def patches(self, x: Array, g: Geometry) -> Array:
        n, _, _, c = x.shape
        shape = n * math.prod(g.out_size), math.prod(g.kernel) * c
        if not _fits(x) or math.prod(shape) >= LIMIT:
            return super().patches(x, g)
        rows = self.module.empty(shape, x.dtype)
        self.each("patches", x.dtype, rows.size, contiguous(x), rows, *_numbers(g, c))
        return rows

    def fold(self, rows: Array, g: Geometry, channels: int) -> Array:
        if not _fits(rows):
            return super().fold(rows, g, channels)
        n = rows.shape[0] // math.prod(g.out_size)
        x = self.module.empty((n, *g.in_size, channels), rows.dtype)
        self.each("fold", rows.dtype, x.size, contiguous(rows), x, *_numbers(g, channels))
        return x

    def put_add(self, shape: tuple[int, ...], index: Any, values: Array, repeats: bool) -> Array:
        """Rows picked by one array of ids are gathered again; no two threads meet at one place."""
        ids = index[0] if len(index) == 1 else None
        if not repeats or ids is None or not _fits(values) or ids.dtype != "int64" or ids.ndim != 1:
            return super().put_add(shape, index, values, repeats)
        out = self.module.empty(shape, values.dtype)
        if out.size:
            self.each("scatter_rows", values.dtype, out.size, contiguous(values), contiguous(ids),
                      len(ids), shape[0], math.prod(shape[1:]), out)
        return out


def placed(shape: tuple[int, ...], full: tuple[int, ...]) -> tuple[int, int] | None:
    """How an array of `shape` repeats in one of shape `full`: (block, width) of common.cuh's `at`.

    None where it does not broadcast, or repeats along axes with a gap between them.
    """
    shape = (1,) * (len(full) - len(shape)) + shape
    if len(shape) > len(full) or any(s not in (1, n) for s, n in zip(shape, full)):
        return None
    repeated = [i for i, (s, n) in enumerate(zip(shape, full)) if s != n]
    if not repeated:
        return math.prod(full), math.prod(full)
    first, last = repeated[0], repeated[-1]
    if any(shape[i] != 1 for i in range(first, last)):
        return None
    return math.prod(full[first:]), math.prod(full[last + 1:])


def contiguous(x: Array) -> Array:
    """x itself, or a copy in C order."""
    return x if x.flags.c_contiguous else x.copy(order="C")


def _fits(x: Array) -> bool:
    return str(x.dtype) in REALS and 0 < x.size < LIMIT


def _number(t: Any) -> float:
    return float(t) if isinstance(t, (int, float)) else 0.0


def _numbers(g: Geometry, channels: int) -> tuple[int, ...]:
    """A geometry as images.cu takes it."""
    (top, _), (left, _) = g.pads
    return (*g.in_size, channels, *g.out_size, *g.kernel, *g.stride, *g.dilation, top, left)
