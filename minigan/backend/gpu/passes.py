"""The primitives of a device that runs our kernels: products, sums, passes, patches.

Anything that a kernel is not made for, such as an integer array or an axis in the middle of a
broadcast, takes the plain form in `base.py`.
"""

from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np

from minigan.backend.base import Array, Backend
from minigan.backend.gpu import cublas
from minigan.backend.gpu.cublas import Factor
from minigan.backend.gpu.kernels import REALS
from minigan.backend.gpu.operands import (LIMIT, MOST_CHUNKS, NO_OPERAND, Operand, Span, ceil_div,
                                          contiguous, fits, number, operand, operands, span)
from minigan.geometry import Geometry

MOST_BLOCKS = 4096  # of a pass; its threads take several elements each beyond that
PLAIN, PRODUCT, SQUARE_AWAY = 0, 1, 2  # forms of a sum: see sums.cu


class KernelPasses(Backend):
    """A device with kernels; a subclass says how one is launched and what multiplies matrices."""

    threads = 256  # of a block
    tile = 32      # columns that a block of `column_sums` adds up
    precisions = ("fp32", "tf32")

    # What a subclass says.

    def launch(self, kernel: str, dtype: Any, grid: tuple[int, int, int], threads: int,
               arguments: Sequence[Any]) -> None:
        """Launch a kernel; arguments are contiguous arrays, numbers, and None for no array.

        Raises:
            NotImplementedError: the subclass does not say how.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how a kernel is launched")

    def gemm(self, dtype: str, sizes: tuple[int, int, int], a: Factor, b: Factor, c: Array,
             batch: int = 1) -> None:
        """c = op(a) op(b), as `Cublas.gemm`, the factors being arrays.

        Raises:
            NotImplementedError: the subclass does not say how.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what multiplies matrices")

    def write(self, array: Array, values: np.ndarray) -> None:
        """Overwrite an array with values of the host, after everything that was asked before."""
        array.set(values)

    def each(self, kernel: str, dtype: Any, n: int, *arguments: Any) -> None:
        """Launch a kernel over n elements; n is its last argument."""
        blocks = min(ceil_div(n, self.threads), MOST_BLOCKS)
        self.launch(kernel, dtype, (blocks, 1, 1), self.threads, (*arguments, n))

    # Products.

    def product(self, a: Array, b: Array) -> Array:
        """(..., M, K) @ (..., K, N) by one routine; a transposed view is a flag, not a copy."""
        m, k = a.shape[-2:]
        n = b.shape[-1]
        if not _multiply(a, b):
            return super().product(a, b)
        if a.ndim > 2 and b.ndim == 2 and a.flags.c_contiguous:  # a stack of rows is more rows
            return self.product(a.reshape(-1, k), b).reshape(*a.shape[:-1], n)
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        left = cublas.stacked(a, batch, self.module.broadcast_to)
        right = cublas.stacked(b, batch, self.module.broadcast_to)
        c = self.module.empty((*batch, m, n), a.dtype)
        self.gemm(str(a.dtype), (m, n, k), left, right, c, math.prod(batch))
        return c

    # Sums.

    def total(self, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
        sums = self._sums(PLAIN, x, NO_OPERAND, axis, 1.0) if fits(x) else None
        if sums is None:
            return super().total(x, axis, keepdims)
        if keepdims:
            return sums
        return sums.reshape(tuple(n for i, n in enumerate(x.shape) if i not in axis))

    def dot(self, a: Array, b: Array, axis: tuple[int, ...]) -> Array:
        if b.size > a.size:
            a, b = b, a
        sums = self._paired_sums(PRODUCT, a, b, axis, 1.0)
        return super().dot(a, b, axis) if sums is None else sums

    def variance(self, x: Array, mean: Array, axis: tuple[int, ...]) -> Array:
        count = math.prod(x.shape[i] for i in axis)
        sums = self._paired_sums(SQUARE_AWAY, x, mean, axis, 1 / max(count, 1))
        return super().variance(x, mean, axis) if sums is None else sums

    def _paired_sums(self, form: int, a: Array, b: Array, axis: tuple[int, ...], scale: float
                     ) -> Array | None:
        if not fits(a):
            return None
        other = operand(b, a)
        if other is None:
            return None
        return self._sums(form, a, other, axis, scale)

    def _sums(self, form: int, a: Array, b: Operand, axis: tuple[int, ...], scale: float
              ) -> Array | None:
        """Sums over axes without a gap, kept with size 1; None where there is a gap."""
        of = span(a.shape, axis)
        if of is None:
            return None
        kept = tuple(1 if i in axis else n for i, n in enumerate(a.shape))
        return self._add_up(form, contiguous(a), b, of, scale).reshape(kept)

    def _add_up(self, form: int, a: Array, b: Operand, of: Span, scale: float) -> Array:
        """The sums of a span: (outer, inner) numbers.

        A long sum is cut into parts. The parts of very long ones are added up in the same way, so
        that no part is long.
        """
        outer, n, inner = of
        chunk = of.chunk
        chunks = ceil_div(n, chunk)
        sums = self.module.empty((outer, chunks, inner), a.dtype)
        now = scale if chunks == 1 else 1.0
        if inner == 1:
            self.launch("row_sums", a.dtype, (outer, chunks, 1), self.threads,
                        (form, a, *b, n, chunk, now, sums))
        else:
            columns = ceil_div(inner, self.tile)
            self.launch("column_sums", a.dtype, (columns, chunks, outer), self.threads,
                        (form, a, *b, n, inner, chunk, self.tile, now, sums))
        if chunks == 1:
            return sums
        if chunks > MOST_CHUNKS:
            return self._add_up(PLAIN, sums, NO_OPERAND, Span(outer, chunks, inner), scale)
        added = self.module.empty((outer, inner), a.dtype)
        self.each("sum_chunks", a.dtype, outer * inner, sums, chunks, inner, scale, added)
        return added

    # Passes over elements.

    def leaky_relu(self, x: Array, slope: float) -> Array:
        if not fits(x):
            return super().leaky_relu(x, slope)
        return self._pass("leaky_relu", x, slope)

    def gate(self, gy: Array, x: Array, slope: float) -> Array:
        if not (fits(x) and _alike(gy, x)):
            return super().gate(gy, x, slope)
        return self._pass("gate", gy, contiguous(x), slope)

    def keep(self, gy: Array, mask: Array) -> Array:
        small = operands(gy, mask)
        if small is None:
            return super().keep(gy, mask)
        return self._pass("keep", gy, *small[0])

    def biased(self, x: Array, bias: Array, slope: float) -> Array:
        if not fits(x) or bias.shape != x.shape[-1:]:
            return super().biased(x, bias, slope)
        return self._pass("bias_leaky", x, contiguous(bias), len(bias), slope)

    def scale_shift(self, x: Array, s: Array, t: Any) -> Array:
        small = operands(x, s, t)
        if small is None:
            return super().scale_shift(x, s, t)
        scale, shift = small
        return self._pass("scale_shift", x, *scale, *shift, number(t))

    def mix(self, a: Array, p: Array, b: Array, q: Array, r: Any) -> Array:
        small = operands(a, p, q, r)
        if small is None or not _alike(b, a):
            return super().mix(a, p, b, q, r)
        of_a, of_b, shift = small
        return self._pass("mix", a, *of_a, contiguous(b), *of_b, *shift, number(r))

    def _pass(self, kernel: str, x: Array, *arguments: Any) -> Array:
        """A kernel over the elements of x, which it takes first; its result, like x, comes last."""
        y = self.module.empty(x.shape, x.dtype)
        self.each(kernel, x.dtype, x.size, contiguous(x), *arguments, y)
        return y

    # Patches and rows.

    def patches(self, x: Array, g: Geometry) -> Array:
        n, _, _, c = x.shape
        shape = n * math.prod(g.out_size), math.prod(g.kernel) * c
        if not fits(x) or math.prod(shape) >= LIMIT:
            return super().patches(x, g)
        rows = self.module.empty(shape, x.dtype)
        self.each("patches", x.dtype, rows.size, contiguous(x), rows, *_sizes(g, c))
        return rows

    def fold(self, rows: Array, g: Geometry, channels: int) -> Array:
        if not fits(rows):
            return super().fold(rows, g, channels)
        n = rows.shape[0] // math.prod(g.out_size)
        x = self.module.empty((n, *g.in_size, channels), rows.dtype)
        self.each("fold", rows.dtype, x.size, contiguous(rows), x, *_sizes(g, channels))
        return x

    def put_add(self, shape: tuple[int, ...], index: Any, values: Array, repeats: bool) -> Array:
        """Rows that one array of ids has picked: each row is gathered, so no threads collide."""
        ids: Any = index[0] if len(index) == 1 else None
        if not (repeats and _picks_rows(ids) and fits(values)):
            return super().put_add(shape, index, values, repeats)
        out = self.module.empty(shape, values.dtype)
        if out.size:
            width = math.prod(shape[1:])
            self.each("scatter_rows", values.dtype, out.size,
                      contiguous(values), contiguous(ids), len(ids), shape[0], width, out)
        return out


def _multiply(a: Array, b: Array) -> bool:
    """Whether cuBLAS can multiply them: one float type, sizes that agree, not too many elements."""
    if str(a.dtype) not in REALS or a.dtype != b.dtype:
        return False
    if a.shape[-1] != b.shape[-2]:
        return False
    return min(a.size, b.size) > 0 and max(a.size, b.size) < LIMIT


def _alike(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype


def _picks_rows(ids: Any) -> bool:
    return ids is not None and ids.dtype == "int64" and ids.ndim == 1


def _sizes(g: Geometry, channels: int) -> tuple[int, ...]:
    """A geometry as images.cu takes it."""
    (top, _), (left, _) = g.pads
    return (*g.in_size, channels, *g.out_size, *g.kernel, *g.stride, *g.dilation, top, left)
