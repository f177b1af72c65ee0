"""Arrays as kernels take them: contiguous, not too large, repeated along axes without a gap."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from minigan.backend.base import Array
from minigan.backend.gpu.kernels import REALS

LIMIT = 2**31      # elements that a kernel can count
MOST_ROWS = 65_535  # blocks along the last axis of a grid

# Elements that one part of a sum adds up, at least and at most: so a thread adds up 256 at most.
ROW_CHUNKS = 4096, 65_536    # along the last axis
COLUMN_CHUNKS = 256, 2048    # along an earlier one
MOST_CHUNKS = 64             # parts of a sum that are added up one after another


class Operand(NamedTuple):
    """What the function `at` of common.cuh takes: an array, and two numbers for how it repeats.

    An operand (A, 1, B) within (A, M, B) has block = M * B and width = B.
    """

    array: Array | None
    block: int
    width: int


NO_OPERAND = Operand(None, 1, 1)


class Span(NamedTuple):
    """An array seen as (outer, n, inner) by a sum over the n in the middle."""

    outer: int
    n: int
    inner: int

    @property
    def chunk(self) -> int:
        """How many elements one part of the sum has; it depends on the sizes alone."""
        least, most = ROW_CHUNKS if self.inner == 1 else COLUMN_CHUNKS
        due = ceil_div(self.n, MOST_CHUNKS)
        return max(least, min(due, most))


def fits(x: Array) -> bool:
    """Whether kernels can take x: floats, at least one, and not too many to count."""
    return str(x.dtype) in REALS and 0 < x.size < LIMIT


def contiguous(x: Array) -> Array:
    """x itself, or a copy in C order."""
    return x if x.flags.c_contiguous else x.copy(order="C")


def operand(other: Any, x: Array) -> Operand | None:
    """`other`, an array or a number, as it broadcasts against x; None if a kernel cannot do that.

    A number gets an operand without an array; the kernel is told it separately, see `number`.
    """
    if isinstance(other, bool):
        return None
    if isinstance(other, (int, float)):
        return NO_OPERAND
    repeats = block_and_width(other.shape, x.shape)
    if repeats is None or other.dtype != x.dtype:
        return None
    return Operand(contiguous(other), *repeats)


def operands(x: Array, *others: Any) -> list[Operand] | None:
    """Each of the others as it broadcasts against x; None if one of them, or x itself, is unfit."""
    if not fits(x):
        return None
    fitting = []
    for other in others:
        one = operand(other, x)
        if one is None:
            return None
        fitting.append(one)
    return fitting


def number(t: Any) -> float:
    """The number that a kernel uses where t is not an array; 0 where it is."""
    return float(t) if isinstance(t, (int, float)) else 0.0


def block_and_width(shape: tuple[int, ...], full: tuple[int, ...]) -> tuple[int, int] | None:
    """How an array of `shape` repeats within one of shape `full`: (block, width) of an `Operand`.

    None where it does not broadcast, or repeats along axes with a gap between them.
    """
    shape = (1,) * (len(full) - len(shape)) + shape
    if len(shape) > len(full):
        return None
    if any(size not in (1, n) for size, n in zip(shape, full)):
        return None
    repeated = [i for i, (size, n) in enumerate(zip(shape, full)) if size != n]
    if not repeated:
        return math.prod(full), math.prod(full)
    first, last = repeated[0], repeated[-1]
    if any(shape[i] != 1 for i in range(first, last)):
        return None
    return math.prod(full[first:]), math.prod(full[last + 1:])


def span(shape: tuple[int, ...], axis: tuple[int, ...]) -> Span | None:
    """How a kernel sums an array of `shape` over `axis`; None where the axes have a gap."""
    summed = [i for i in axis if shape[i] != 1]
    if not summed:
        return Span(1, 1, math.prod(shape))
    first, last = min(summed), max(summed)
    if any(i not in axis and shape[i] != 1 for i in range(first, last)):
        return None
    outer = math.prod(shape[:first])
    inner = math.prod(shape[last + 1:])
    if inner > 1 and outer > MOST_ROWS:
        return None
    return Span(outer, math.prod(shape[first:last + 1]), inner)


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)
