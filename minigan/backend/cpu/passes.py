"""Passes over elements, in blocks that stay in the processor's cache and are shared by the threads.

A GAN's networks spend a third of their time outside matrix products, in passes that do a few
operations for each number that they fetch. Three things made them two to three times faster:
several operations a block while it is in the cache; constants that are as large as a block, since
NumPy's `maximum(x, 0)` takes three times as long as its `maximum(x, zeros)`, and a row of 64
channels repeated to a block half as long as the row broadcast; sums over rows as `ones @ x`. Long
sums are made of short ones, see `shortened` in `base.py`.

Whatever does not fit, such as an array that is not contiguous, takes the plain form in `base.py`;
so do activations and arithmetic within one block, where nothing is gained.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Callable, Sequence

import numpy as np

from minigan.backend.base import FEW, PLAIN, Array, Backend, shortened
from minigan.system.threads import in_turn, parallel, threads

BITS = {np.dtype("float32"): np.dtype("int32"), np.dtype("float64"): np.dtype("int64")}
BLOCK = 65_536  # elements: a block, its result and a temporary array fit the second-level cache
SHARED = 16     # blocks, so 4 MB, from which to wake other threads takes less than it saves
NARROW = 512    # columns below which a row is repeated to the size of a block
WIDE = 256      # columns from which a product with ones is fast; narrower rows lie side by side
LANES = 16      # sums at least that `einsum` makes side by side, of numbers that lie side by side


def in_blocks(job: Callable[[slice], Any], rows: int, columns: int, length: int = 0) -> None:
    """Run job(slice of rows) so that a slice holds about `length` elements, else `length_of`."""
    size = max(1, (length or length_of(rows * columns)) // max(columns, 1))
    blocks = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
    share = parallel if rows * columns >= SHARED * BLOCK else in_turn
    share(lambda i: job(blocks[i]), len(blocks))


def length_of(n: int) -> int:
    """How many of n elements a block holds: twice as many where threads share them, who then meet
    half as often; within a sum it may not depend on that."""
    return 2 * BLOCK if n >= SHARED * BLOCK and threads() > 1 else BLOCK


def in_parts(job: Callable[..., None], setting: float, *arrays: Array) -> None:
    """Run job(setting, *parts of the arrays), which are contiguous and of one size."""
    flat = [array.reshape(-1) for array in arrays]
    in_blocks(lambda part: job(setting, *[array[part] for array in flat]), flat[0].size, 1)


def summed(job: Callable[[slice], Array], rows: Array, shape: tuple[int, ...]) -> Array:
    """The sum of job(slice of rows) over all slices, always in the same order."""
    parts: dict[int, Array] = {}

    def keep(block: slice) -> None:
        parts[block.start] = job(block)

    in_blocks(keep, len(rows), rows.shape[1], BLOCK)
    return _column_sums(np.stack([parts[start] for start in sorted(parts)])).reshape(shape)


@functools.lru_cache(256)
def constant(value: float, n: int, dtype: Any) -> Array:
    """n times the same value, kept for the next call; read only."""
    array = np.full(n, value, dtype)
    array.flags.writeable = False
    return array


def _alike(*arrays: Array) -> bool:
    """Whether arrays are contiguous floats of one shape and dtype, and not empty."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    for a in arrays:
        if not a.flags.c_contiguous or a.shape != shape or a.dtype != dtype:
            return False
    return dtype.kind == "f" and arrays[0].size > 0


def _of_channels(x: Array, *factors: Any) -> bool:
    """Whether every factor is a scalar or holds one number for each channel of x, its last axis."""
    return x.ndim > 0 and all(not isinstance(f, np.ndarray)
                              or f.shape[-1:] == x.shape[-1:] == (f.size,) for f in factors)


def _of_samples(x: Array, *factors: Any) -> bool:
    """Whether every factor is a scalar or can be cut into samples beside x."""
    return x.ndim > 0 and all(not isinstance(f, np.ndarray)
                              or f.ndim == x.ndim and f.shape[0] in (1, len(x)) for f in factors)


def _rows_of(f: Any, x: Array) -> Callable[[slice], Any]:
    """A factor of channels as f(slice of rows): it repeats a narrow one to the size of a block."""
    columns = x.shape[-1]
    if not isinstance(f, np.ndarray):
        return lambda block: f
    row = f.reshape(columns)
    rows = min(x.size // columns, max(1, length_of(x.size) // columns))
    if columns >= NARROW or rows < 2:
        return lambda block: row
    repeated = np.empty((rows, columns), f.dtype)
    repeated[...] = row
    return lambda block: repeated[:block.stop - block.start]


def _samples_of(f: Any, x: Array) -> Callable[[slice], Any]:
    """A factor cut into samples, as f(slice of samples)."""
    if isinstance(f, np.ndarray) and f.shape[0] == len(x) > 1:
        return lambda block: f[block]
    return lambda block: f


class Passes(Backend):
    """The passes of normalisations and activations, of arithmetic, and of optimizers."""

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
        """A rule is many calls, so long blocks are shared earlier."""
        n, size = arrays[0].size, 2 * BLOCK
        share = parallel if 4 * n >= SHARED * size else in_turn
        share(lambda i: job(*[array[i * size:(i + 1) * size] for array in arrays]), -(-n // size))

    def leaky_relu(self, x: Array, slope: float, out: Array | None = None) -> Array:
        if x.size <= BLOCK or not _alike(x):
            return _in(out, super().leaky_relu(x, slope))
        y = np.empty_like(x) if out is None else out
        in_parts(_leaky_relu, slope, x, y)
        return y

    def biased(self, x: Array, bias: Array, slope: float, out: Array | None = None) -> Array:
        if (x.size <= BLOCK or not _alike(x) or bias.shape != x.shape[-1:]
                or bias.dtype != x.dtype):
            return _in(out, super().biased(x, bias, slope))
        y = np.empty_like(x) if out is None else out
        rows, to, shift = x.reshape(-1, bias.size), y.reshape(-1, bias.size), _rows_of(bias, x)

        def block(part: slice) -> None:
            z = np.add(rows[part], shift(part), out=to[part])
            np.maximum(z, z * slope if slope else constant(0.0, z.size, z.dtype).reshape(z.shape),
                       out=z)

        in_blocks(block, *rows.shape)
        return y

    def gate(self, gy: Array, x: Array, slope: float, out: Array | None = None) -> Array:
        if x.size <= BLOCK or not _alike(gy, x):
            return _in(out, super().gate(gy, x, slope))
        result = np.empty_like(gy) if out is None else out
        in_parts(_gate, slope, gy, x, result)
        return result

    def keep(self, gy: Array, mask: Array, out: Array | None = None) -> Array:
        if gy.dtype not in BITS:
            return _in(out, super().keep(gy, mask))
        if gy.size <= BLOCK or not _alike(gy, mask):
            return _in(out, _kept(gy, mask != 0))
        result = np.empty_like(gy) if out is None else out
        in_parts(_keep, 0, gy, mask, result)
        return result

    def scale_shift(self, x: Array, s: Array, t: Any) -> Array:
        result = _mixed(((x, s),), t)
        return super().scale_shift(x, s, t) if result is None else result

    def mix(self, a: Array, p: Array, b: Array, q: Array, r: Any, out: Array | None = None
            ) -> Array:
        result = _mixed(((a, p), (b, q)), r, out)
        return _in(out, super().mix(a, p, b, q, r)) if result is None else result

    def total(self, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
        if len(axis) == x.ndim and (x.size <= PLAIN or x.flags.c_contiguous):
            return _sums(x, None, keepdims)
        shape = tuple(1 if i in axis else size for i, size in enumerate(x.shape)
                      if keepdims or i not in axis)
        if _leading(axis, x) and _alike(x):
            return _column_sums(x.reshape(-1, x.shape[-1])).reshape(shape)
        if axis and axis[0] > 0 and x.size > BLOCK:  # as of windows
            return _by_sample(lambda n: _sums(x[n], axis, keepdims), x, shape)
        return _sums(x, axis, keepdims)

    def dot(self, a: Array, b: Array, axis: tuple[int, ...]) -> Array:
        if not _alike(a, b):
            return super().dot(a, b, axis)
        shape = tuple(1 if i in axis else n for i, n in enumerate(a.shape))
        if _leading(axis, a):
            a, b = (array.reshape(-1, shape[-1]) for array in (a, b))
            return summed(lambda rows: _column_sums(a[rows] * b[rows]), a, shape)
        if _inside(axis, a):
            a, b = (array.reshape(len(a), -1, math.prod(shape[1:])) for array in (a, b))
            return _by_sample(lambda n: _products_added(a[n], b[n]), a, shape)
        return super().dot(a, b, axis)

    def variance(self, x: Array, mean: Array, axis: tuple[int, ...]) -> Array:
        if not _alike(x) or x.ndim != mean.ndim:
            return super().variance(x, mean, axis)
        if _leading(axis, x):
            rows, center = x.reshape(-1, x.shape[-1]), _rows_of(mean, x)

            def squares(block: slice) -> Array:
                away = rows[block] - center(block)
                return _column_sums(np.multiply(away, away, out=away))

            return summed(squares, rows, mean.shape) / len(rows)
        if _inside(axis, x) and mean.size == len(x):
            samples, middle = x.reshape(len(x), -1, 1), mean.reshape(-1, 1, 1)

            def lengths(n: slice) -> Array:
                away = samples[n] - middle[n]
                return _products_added(away, away)

            return _by_sample(lengths, samples, mean.shape) / samples.shape[1]
        return super().variance(x, mean, axis)


def _arithmetic(function: np.ufunc, a: Any, b: Any, out: Array | None = None) -> Array:
    """A large array with another of its shape, or with a row of channels, in blocks.

    Where one thread computes, only the row gains: a fifth, as it is repeated.
    """
    if not isinstance(a, np.ndarray) or a.size <= BLOCK or not isinstance(b, np.ndarray):
        return function(a, b, out=out)
    row = b.shape == a.shape[-1:]
    if (not _alike(a) or not b.flags.c_contiguous or a.dtype != b.dtype
            or not row and (a.shape != b.shape or threads() < 2)):
        return function(a, b, out=out)
    result = np.empty_like(a) if out is None else out
    if not row:
        in_parts(lambda _, x, y, z: function(x, y, out=z), 0, a, b, result)
    else:
        rows, to, channels = a.reshape(-1, b.size), result.reshape(-1, b.size), _rows_of(b, a)
        in_blocks(lambda part: function(rows[part], channels(part), out=to[part]), *rows.shape)
    return result


def _in(out: Array | None, result: Array) -> Array:
    """What the plain form returned, where it is wanted."""
    if out is None:
        return result
    out[...] = result
    return out


def _leaky_relu(slope: float, x: Array, y: Array) -> None:
    np.maximum(x, x * slope if slope else constant(0.0, x.size, x.dtype), out=y)


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
    whole = np.negative(chosen.view(np.int8)).astype(bits)  # -1 has all bits
    to = None if out is None else out.view(bits)
    return np.bitwise_and(gy.view(bits), whole, out=to).view(gy.dtype)


def _leading(axis: tuple[int, ...], x: Array) -> bool:
    """Whether `axis` is all axes of x but the last: sums over rows, one for each channel."""
    return x.ndim > 1 and axis == tuple(range(x.ndim - 1))


def _inside(axis: tuple[int, ...], x: Array) -> bool:
    """Whether `axis` begins after the samples and has no gap: sums within each sample."""
    return bool(axis) and axis == tuple(range(1, 1 + len(axis)))


def _sums(x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    """`x.sum` in the dtype of x, without NumPy's Python; long sums are made of short ones.

    Over the last axes of contiguous arrays, NumPy itself adds up in pairs.
    """
    if x.size > PLAIN and axis and not (
            x.flags.c_contiguous and x.flags.aligned and axis[0] == x.ndim - len(axis)):
        x = shortened(np, x, axis)
    return np.add.reduce(x, axis, x.dtype, None, keepdims)  # type: ignore[call-overload]


def _column_sums(rows: Array, short: int = PLAIN) -> Array:
    """Sums over the first axis, as a product with ones: a sixth of the time of `rows.sum(0)`.

    More than `short` rows are cut into blocks of FEW, and so are the sums of these.
    """
    n, columns = rows.shape
    if n <= short:
        return constant(1.0, n, rows.dtype) @ rows
    beside = min(max(1, WIDE // columns), n // FEW)  # rows that make a long one
    whole = n - n % (FEW * beside)
    blocks = rows[:whole].reshape(-1, FEW, beside * columns)
    sums = (constant(1.0, FEW, rows.dtype) @ blocks).reshape(-1, columns)
    if whole < n:
        over = _column_sums(rows[whole:], FEW)
        sums = np.concatenate([sums, over[None]])
    return _column_sums(sums, FEW)


def _products_added(a: Array, b: Array) -> Array:
    """a * b summed over the middle axis, in blocks: (N, K, C) -> (N, C)."""
    n, k, c = a.shape
    few = FEW * LANES if c == 1 else FEW
    if k <= 2 * few:
        return np.einsum("nkc,nkc->nc", a, b)
    whole = k - k % few
    blocks = [array[:, :whole].reshape(n, -1, few, c) for array in (a, b)]
    sums = np.einsum("nbkc,nbkc->nbc", *blocks)
    if whole < k:
        over = np.einsum("nkc,nkc->nc", a[:, whole:], b[:, whole:])
        sums = np.concatenate([sums, over[:, None]], axis=1)
    return _sums(sums, (1,), False)


def _by_sample(job: Callable[[slice], Array], samples: Array, shape: tuple[int, ...]) -> Array:
    """job(slice of samples) one below the other, in `shape`."""
    result = np.empty(shape, samples.dtype)
    flat = result.reshape(len(samples), -1)

    def block(n: slice) -> None:
        flat[n] = job(n).reshape(n.stop - n.start, -1)

    in_blocks(block, len(samples), samples[0].size)
    return result


def _mixed(terms: tuple[tuple[Array, Array], ...], shift: Any, out: Array | None = None
           ) -> Array | None:
    """The sum of array * factor over the terms, plus a shift; None where no fast form fits.

    out: where it goes; it may be the first term's array.
    """
    arrays, factors = [a for a, _ in terms], [*(f for _, f in terms), shift]
    x = arrays[0]
    if not _alike(*arrays) or any(isinstance(f, np.ndarray) and f.dtype != x.dtype
                                  for f in factors):
        return None
    result = np.empty_like(x) if out is None else out
    if _of_channels(x, *factors):
        cut, (y, *arrays) = _rows_of, [a.reshape(-1, x.shape[-1]) for a in (result, *arrays)]
    elif _of_samples(x, *factors):
        cut, y = _samples_of, result
    else:
        return None
    first, *others = [cut(f, x) for f in factors]

    def block(part: slice) -> None:
        np.multiply(arrays[0][part], first(part), out=y[part])
        for array, factor in zip(arrays[1:], others):
            y[part] += array[part] * factor(part)
        if not (isinstance(shift, int) and shift == 0):
            y[part] += others[-1](part)

    in_blocks(block, len(y), len(factors) * y[0].size // 2,   # of more arrays, smaller blocks
              length_of(y.size))
    return result
