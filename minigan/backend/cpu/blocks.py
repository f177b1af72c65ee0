"""Arrays cut into blocks that stay in the processor's cache and are shared by the threads."""

from __future__ import annotations

import functools
from typing import Any, Callable

import numpy as np

from minigan.backend.base import Array
from minigan.system.threads import in_turn, parallel, threads

BLOCK = 65_536  # elements: a block, its result and a temporary array fit the second-level cache
SHARED = 16     # blocks, so 4 MB, from which waking other threads costs less than it saves
NARROW = 512    # columns below which a row is repeated to the size of a block

Share = Callable[[Callable[[int], Any], int], None]  # share(job, n) runs job(0) to job(n - 1)


def sharing(numbers: int) -> Share:
    """`parallel` for a pass over so many numbers that other threads help, else `in_turn`."""
    return parallel if numbers >= SHARED * BLOCK else in_turn


def length_of(n: int) -> int:
    """How many of n elements a block holds.

    Twice as many where threads share them, which then meet half as often. A sum must not use this:
    its blocks may not depend on the number of threads.
    """
    return 2 * BLOCK if n >= SHARED * BLOCK and threads() > 1 else BLOCK


def in_blocks(job: Callable[[slice], Any], rows: int, columns: int, length: int = 0) -> None:
    """Run job(slice of rows), in any order, until all rows are done.

    length: about how many elements a slice holds; 0 leaves that to `length_of`.
    """
    elements = length or length_of(rows * columns)
    size = max(1, elements // max(columns, 1))

    def block(i: int) -> None:
        start = i * size
        job(slice(start, min(start + size, rows)))

    share = sharing(rows * columns)
    share(block, -(-rows // size))


def in_parts(job: Callable[..., None], setting: float, *arrays: Array) -> None:
    """Run job(setting, *parts of the arrays); the arrays are contiguous and of one size."""
    flat = [array.reshape(-1) for array in arrays]

    def block(here: slice) -> None:
        job(setting, *[array[here] for array in flat])

    in_blocks(block, flat[0].size, 1)


@functools.lru_cache(256)
def constant(value: float, n: int, dtype: Any) -> Array:
    """n times the same value, kept for the next call; read only."""
    array = np.full(n, value, dtype)
    array.flags.writeable = False
    return array


def rows_of(f: Any, x: Array) -> Callable[[slice], Any]:
    """A scalar, or a factor with one number for each channel of x, as f(slice of rows).

    A narrow row is repeated to the size of a block, as NumPy broadcasts a short one slowly.
    """
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


def samples_of(f: Any, x: Array) -> Callable[[slice], Any]:
    """A scalar, or a factor that can be cut into the samples of x, as f(slice of samples)."""
    if isinstance(f, np.ndarray) and f.shape[0] == len(x) > 1:
        return lambda block: f[block]
    return lambda block: f


def are_alike(*arrays: Array) -> bool:
    """Whether arrays are contiguous floats of one shape and dtype, and not empty."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    for a in arrays:
        if not a.flags.c_contiguous or a.shape != shape or a.dtype != dtype:
            return False
    return dtype.kind == "f" and arrays[0].size > 0
