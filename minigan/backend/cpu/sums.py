"""Sums over rows, over samples, over everything: fast, with bits that no number of threads changes.

Sums over rows are made as `ones @ x`, which takes a sixth of the time of `x.sum(0)`. Long sums are
made of short ones, see `backend/long_sums.py`.
"""

from __future__ import annotations

from typing import Callable

import numpy as np

from minigan.backend import long_sums
from minigan.backend.base import Array, Axes, Shape
from minigan.backend.cpu import blocks
from minigan.backend.cpu.blocks import constant, in_blocks
from minigan.backend.long_sums import PLAIN

WIDE = 256  # columns from which a product with ones is fast; several narrower rows make a wide one
LANES = 16  # `einsum` adds contiguous numbers as at least so many sums at a time (SIMD lanes)


def over_leading(axis: Axes, x: Array) -> bool:
    """Whether `axis` is all axes of x but the last: sums over rows, one for each channel."""
    return x.ndim > 1 and axis == tuple(range(x.ndim - 1))


def within_samples(axis: Axes) -> bool:
    """Whether `axis` begins after the samples and has no gap: sums within each sample."""
    return bool(axis) and axis == tuple(range(1, 1 + len(axis)))


def sums(x: Array, axis: Axes | None, keepdims: bool) -> Array:
    """`x.sum` in the dtype of x, without NumPy's Python; long sums are made of short ones.

    Over the last axes of contiguous arrays, NumPy itself adds up in pairs.
    """
    if x.size > long_sums.PLAIN and axis:
        last = axis[0] == x.ndim - len(axis)
        if not (x.flags.c_contiguous and x.flags.aligned and last):
            x = long_sums.shortened(np, x, axis)
    return np.add.reduce(x, axis, x.dtype, None, keepdims)  # type: ignore[call-overload]


def column_sums(rows: Array, short: int = PLAIN) -> Array:
    """Sums over the first axis, as a product with ones: (N, C) -> (C,).

    More than `short` rows are cut into blocks of FEW, and so are the sums of these.
    """
    n, columns = rows.shape
    if n <= short:
        return constant(1.0, n, rows.dtype) @ rows

    few = long_sums.FEW
    beside = min(max(1, WIDE // columns), n // few)           # rows that make a wide one
    whole = n - n % (few * beside)
    cut = rows[:whole].reshape(-1, few, beside * columns)
    partial = constant(1.0, few, rows.dtype) @ cut            # (blocks, beside * C)
    partial = partial.reshape(-1, columns)
    if whole < n:
        rest = column_sums(rows[whole:], few)
        partial = np.concatenate([partial, rest[None]])
    return column_sums(partial, few)


def products_added(a: Array, b: Array) -> Array:
    """a * b summed over the middle axis, in blocks: (N, K, C) -> (N, C)."""
    n, k, c = a.shape
    few = long_sums.FEW * LANES if c == 1 else long_sums.FEW
    if k <= 2 * few:
        return np.einsum("nkc,nkc->nc", a, b)

    whole = k - k % few
    cut_a = a[:, :whole].reshape(n, -1, few, c)
    cut_b = b[:, :whole].reshape(n, -1, few, c)
    partial = np.einsum("nbkc,nbkc->nbc", cut_a, cut_b)
    if whole < k:
        rest = np.einsum("nkc,nkc->nc", a[:, whole:], b[:, whole:])
        partial = np.concatenate([partial, rest[:, None]], axis=1)
    return sums(partial, (1,), False)


def summed(job: Callable[[slice], Array], rows: Array, shape: Shape) -> Array:
    """The sum of job(slice of rows) over all slices in `shape`, always in the same order.

    job returns the sums of a block's rows, (C,).
    """
    made: dict[int, Array] = {}  # by the block's first row

    def keep(block: slice) -> None:
        made[block.start] = job(block)

    in_blocks(keep, len(rows), rows.shape[1], blocks.BLOCK)
    in_order = np.stack([made[start] for start in sorted(made)])
    return column_sums(in_order).reshape(shape)


def by_sample(job: Callable[[slice], Array], samples: Array, shape: Shape) -> Array:
    """job(slice of samples), one result below the other, in `shape`."""
    result = np.empty(shape, samples.dtype)
    flat = result.reshape(len(samples), -1)

    def block(n: slice) -> None:
        flat[n] = job(n).reshape(n.stop - n.start, -1)

    in_blocks(block, len(samples), samples[0].size)
    return result
