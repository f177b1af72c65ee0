"""Long sums made of short ones, so that their rounding error does not grow with their length.

Added one after another, float32 numbers lose whatever lies below the 24 bits of the sum so far: in
a sum of millions of numbers, several per cent of it. A tree of short sums loses a few roundings at
any length (pairwise summation; Higham, "The accuracy of floating point summation", 1993).
"""

from __future__ import annotations

import math
from typing import Any

FEW = 128    # a long sum adds so many terms one after another, then adds up these sums, and so on
PLAIN = 256  # the most terms of a short sum, which is made in one go


def shortened(module: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """x itself, or partial sums of it over `axis`, at most FEW of them, that have the same sum.

    module: the array module of x. Neighbours on the longest of the axes are added up until few are
    left, always in the same order. The other axes keep their sizes.
    """
    if x.size <= PLAIN or x.dtype.kind != "f" or _terms(x, axis) <= PLAIN:
        return x

    while _terms(x, axis) > FEW:
        longest = max(axis, key=x.shape.__getitem__)
        x = _neighbours_added(module, x, longest)
    return x


def _terms(x: Any, axis: tuple[int, ...]) -> int:
    return math.prod(x.shape[i] for i in axis)


def _neighbours_added(module: Any, x: Any, i: int) -> Any:
    """Sums of FEW neighbours along axis i; the remainder becomes one more sum."""
    n = x.shape[i]
    if n <= FEW:
        return module.sum(x, axis=i, dtype=x.dtype, keepdims=True)

    before = (slice(None),) * i
    blocks = n // FEW
    whole = x[before + (slice(0, blocks * FEW),)]
    cut = whole.reshape(*x.shape[:i], blocks, FEW, *x.shape[i + 1:])  # a view, whatever the strides
    sums = module.sum(cut, axis=i + 1, dtype=x.dtype)
    if blocks * FEW == n:
        return sums

    rest = x[before + (slice(blocks * FEW, n),)]
    sum_of_rest = module.sum(rest, axis=i, dtype=x.dtype, keepdims=True)
    return module.concatenate([sums, sum_of_rest], i)
