"""Passes over elements, in blocks that stay in the processor's cache and are shared by the threads.

A GAN's networks spend a third of their time outside matrix products, in passes that do a few
operations for each number that they fetch. Three things made them two to three times faster:
several operations on a block while it is in the cache; constants that are as large as a block,
since NumPy's `maximum(x, 0)` takes three times as long as its `maximum(x, zeros)`, and a row of 64
channels repeated to a block takes half as long as the row broadcast; sums over rows as `ones @ x`.

Whatever does not fit, such as an array that is not contiguous, takes the plain form in `base.py`;
so do activations and arithmetic within one block, where nothing is gained.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Sequence

import numpy as np

from minigan.backend import long_sums
from minigan.backend.base import Array, Axes, Backend, Shape
from minigan.backend.cpu import blocks
from minigan.backend.cpu.blocks import (are_alike, constant, in_blocks, in_parts, length_of,
                                        rows_of, samples_of, sharing)
from minigan.backend.cpu.sums import (by_sample, column_sums, over_leading, products_added, summed,
                                      sums, within_samples)
from minigan.system.threads import threads

BITS = {  # integers as wide as a float, to take all of its bits or none
    np.dtype("float32"): np.dtype("int32"),
    np.dtype("float64"): np.dtype("int64"),
}


class BlockedPasses(Backend):
    """The passes of normalisations and activations, of arithmetic, and of optimizers.

    out: an array for the result, as `Out` in `base.py` says; without it the result is a new array.
    """

    def add(self, a: Any, b: Any, out: Array | None = None) -> Array:
        """a + b."""
        return _arithmetic(np.add, a, b, out)

    def subtract(self, a: Any, b: Any, out: Array | None = None) -> Array:
        """a - b."""
        return _arithmetic(np.subtract, a, b, out)

    def multiply(self, a: Any, b: Any, out: Array | None = None) -> Array:
        """a * b."""
        return _arithmetic(np.multiply, a, b, out)

    def each_block(self, job: Callable[..., None], arrays: Sequence[Array]) -> None:
        """An optimizer's rule is many calls, so its blocks are longer, and shared earlier."""
        n = arrays[0].size
        size = 2 * blocks.BLOCK

        def block(i: int) -> None:
            here = slice(i * size, (i + 1) * size)
            job(*[array[here] for array in arrays])

        share = sharing(2 * n)
        share(block, -(-n // size))

    # Activations.

    def leaky_relu(self, x: Array, slope: float, out: Array | None = None) -> Array:
        if x.size <= blocks.BLOCK or not are_alike(x):
            return _into(out, super().leaky_relu(x, slope))
        y = np.empty_like(x) if out is None else out
        in_parts(_leaky_relu, slope, x, y)
        return y

    def biased(self, x: Array, bias: Array, slope: float, out: Array | None = None) -> Array:
        fits = bias.shape == x.shape[-1:] and bias.dtype == x.dtype
        if x.size <= blocks.BLOCK or not fits or not are_alike(x):
            return _into(out, super().biased(x, bias, slope))

        y = np.empty_like(x) if out is None else out
        from_rows = x.reshape(-1, bias.size)
        to_rows = y.reshape(-1, bias.size)
        shift = rows_of(bias, x)

        def block(rows: slice) -> None:
            z = np.add(from_rows[rows], shift(rows), out=to_rows[rows])
            _leaky_relu(slope, z, z)

        in_blocks(block, *from_rows.shape)
        return y

    def gate(self, gy: Array, x: Array, slope: float, out: Array | None = None) -> Array:
        if x.size <= blocks.BLOCK or not are_alike(gy, x):
            return _into(out, super().gate(gy, x, slope))
        result = np.empty_like(gy) if out is None else out
        in_parts(_gate, slope, gy, x, result)
        return result

    def keep(self, gy: Array, mask: Array, out: Array | None = None) -> Array:
        if gy.dtype not in BITS:
            return _into(out, super().keep(gy, mask))
        if gy.size <= blocks.BLOCK or not are_alike(gy, mask):
            return _into(out, _kept(gy, mask != 0))
        result = np.empty_like(gy) if out is None else out
        in_parts(_keep, 0, gy, mask, result)
        return result

    # Products with small factors.

    def scale_shift(self, x: Array, s: Array, t: Any) -> Array:
        result = _mixed([x], [s], t)
        return super().scale_shift(x, s, t) if result is None else result

    def mix(self, a: Array, p: Array, b: Array, q: Array, r: Any, out: Array | None = None
            ) -> Array:
        result = _mixed([a, b], [p, q], r, out)
        if result is None:
            return _into(out, super().mix(a, p, b, q, r))
        return result

    # Sums.

    def total(self, x: Array, axis: Axes, keepdims: bool) -> Array:
        everything = len(axis) == x.ndim
        if everything and (x.size <= long_sums.PLAIN or x.flags.c_contiguous):
            return sums(x, None, keepdims)

        shape = _shape_of_sums(x, axis, keepdims)
        if over_leading(axis, x) and are_alike(x):
            return column_sums(x.reshape(-1, x.shape[-1])).reshape(shape)
        if axis and axis[0] > 0 and x.size > blocks.BLOCK:  # such as over the pixels of windows
            return by_sample(lambda n: sums(x[n], axis, keepdims), x, shape)
        return sums(x, axis, keepdims)

    def dot(self, a: Array, b: Array, axis: Axes) -> Array:
        if not are_alike(a, b):
            return super().dot(a, b, axis)

        shape = _shape_of_sums(a, axis, True)
        if over_leading(axis, a):
            a = a.reshape(-1, shape[-1])                          # (rows, C)
            b = b.reshape(-1, shape[-1])
            return summed(lambda rows: column_sums(a[rows] * b[rows]), a, shape)
        if within_samples(axis):
            size = len(a), -1, math.prod(shape[1:])
            a = a.reshape(size)                                   # (N, K, C)
            b = b.reshape(size)
            return by_sample(lambda n: products_added(a[n], b[n]), a, shape)
        return super().dot(a, b, axis)

    def variance(self, x: Array, mean: Array, axis: Axes) -> Array:
        if not are_alike(x) or x.ndim != mean.ndim:
            return super().variance(x, mean, axis)
        if over_leading(axis, x):
            return _variance_of_rows(x, mean)
        if within_samples(axis) and mean.size == len(x):
            return _variance_of_samples(x, mean)
        return super().variance(x, mean, axis)


def _shape_of_sums(x: Array, axis: Axes, keepdims: bool) -> Shape:
    if keepdims:
        return tuple(1 if i in axis else n for i, n in enumerate(x.shape))
    return tuple(n for i, n in enumerate(x.shape) if i not in axis)


def _into(out: Array | None, result: Array) -> Array:
    """What the plain form returned, copied to where it is wanted."""
    if out is None:
        return result
    out[...] = result
    return out


def _arithmetic(function: np.ufunc, a: Any, b: Any, out: Array | None = None) -> Array:
    """A large array with another of its shape, or with a row of channels, in blocks.

    On a single thread only the row gains: a fifth, as it is repeated.
    """
    if not isinstance(a, np.ndarray) or a.size <= blocks.BLOCK or not isinstance(b, np.ndarray):
        return function(a, b, out=out)

    is_row = b.shape == a.shape[-1:]
    fits = is_row or a.shape == b.shape and threads() > 1
    if not fits or not are_alike(a) or not b.flags.c_contiguous or a.dtype != b.dtype:
        return function(a, b, out=out)

    result = np.empty_like(a) if out is None else out
    if not is_row:
        in_parts(lambda _, x, y, z: function(x, y, out=z), 0, a, b, result)
        return result

    from_rows = a.reshape(-1, b.size)
    to_rows = result.reshape(-1, b.size)
    channels = rows_of(b, a)

    def block(rows: slice) -> None:
        function(from_rows[rows], channels(rows), out=to_rows[rows])

    in_blocks(block, *from_rows.shape)
    return result


def _leaky_relu(slope: float, x: Array, y: Array) -> None:
    other = x * slope if slope else constant(0.0, x.size, x.dtype).reshape(x.shape)
    np.maximum(x, other, out=y)


def _gate(slope: float, gy: Array, x: Array, result: Array) -> None:
    if slope == 0:
        _kept(gy, x > 0, result)
        return
    factor = (x > 0).view(np.int8).astype(gy.dtype)  # from booleans it takes twice as long
    np.maximum(factor, constant(slope, x.size, x.dtype), out=factor)
    np.multiply(factor, gy, out=result)


def _keep(_: float, gy: Array, mask: Array, result: Array) -> None:
    _kept(gy, mask != 0, result)


def _kept(gy: Array, chosen: Array, out: Array | None = None) -> Array:
    """gy where chosen, a boolean array, else 0: all bits of a number, or none of them.

    `np.where` takes eight times as long, and a product with 0 makes NaN of infinity.
    """
    bits = BITS[gy.dtype]
    all_or_none = np.negative(chosen.view(np.int8)).astype(bits)  # -1 has all bits, 0 has none
    to = None if out is None else out.view(bits)
    return np.bitwise_and(gy.view(bits), all_or_none, out=to).view(gy.dtype)


def _mixed(arrays: list[Array], factors: list[Any], shift: Any, out: Array | None = None
           ) -> Array | None:
    """The sum of array * factor over all pairs, plus a shift; None where no fast form fits.

    out: where it goes; it may be the first of the arrays.
    """
    x = arrays[0]
    small = [*factors, shift]
    if not are_alike(*arrays):
        return None
    if any(f.dtype != x.dtype for f in _arrays(small)):
        return None

    result = np.empty_like(x) if out is None else out
    if _are_of_channels(small, x):
        cut = rows_of
        channels = x.shape[-1]
        y = result.reshape(-1, channels)
        cut_arrays = [a.reshape(-1, channels) for a in arrays]
    elif _are_of_samples(small, x):
        cut = samples_of
        y = result
        cut_arrays = arrays
    else:
        return None

    first, *others = [cut(f, x) for f in factors]
    shifts = None if isinstance(shift, int) and shift == 0 else cut(shift, x)

    def block(here: slice) -> None:
        np.multiply(cut_arrays[0][here], first(here), out=y[here])
        for array, factor in zip(cut_arrays[1:], others):
            y[here] += array[here] * factor(here)
        if shifts is not None:
            y[here] += shifts(here)

    more = len(small)  # the more arrays, the smaller the blocks
    in_blocks(block, len(y), more * y[0].size // 2, length_of(y.size))
    return result


def _are_of_channels(factors: Sequence[Any], x: Array) -> bool:
    """Whether each factor is a scalar or has one number for each channel of x, its last axis."""
    if x.ndim == 0:
        return False
    row = x.shape[-1:]
    return all(f.shape[-1:] == row == (f.size,) for f in _arrays(factors))


def _are_of_samples(factors: Sequence[Any], x: Array) -> bool:
    """Whether each factor is a scalar or can be cut into samples beside x."""
    if x.ndim == 0:
        return False
    return all(f.ndim == x.ndim and f.shape[0] in (1, len(x)) for f in _arrays(factors))


def _arrays(factors: Sequence[Any]) -> list[Array]:
    """Those that are not scalars."""
    return [f for f in factors if isinstance(f, np.ndarray)]


def _variance_of_rows(x: Array, mean: Array) -> Array:
    """One for each channel: x (..., C), mean (1, ..., C)."""
    rows = x.reshape(-1, x.shape[-1])
    center = rows_of(mean, x)

    def squares(block: slice) -> Array:
        away = rows[block] - center(block)
        return column_sums(np.multiply(away, away, out=away))

    return summed(squares, rows, mean.shape) / len(rows)


def _variance_of_samples(x: Array, mean: Array) -> Array:
    """One for each sample: x (N, ...), mean (N, 1, ...)."""
    samples = x.reshape(len(x), -1, 1)          # (N, K, 1)
    middle = mean.reshape(-1, 1, 1)             # (N, 1, 1)

    def squares(n: slice) -> Array:
        away = samples[n] - middle[n]
        return products_added(away, away)

    return by_sample(squares, samples, mean.shape) / samples.shape[1]
