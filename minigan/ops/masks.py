"""Masks, and products with them: how a gradient is stopped, halved or let through.

A mask is made by an op whose rules are None: it is a constant for the gradient, and no path leads
through it. Where a mask is 0 the gradient is 0 whatever arrives, infinities and NaN included, as in
PyTorch. So masks are applied by `keep`, `weigh` and `gate`, never by a product alone, as 0 times
infinity is NaN. Each of the three is linear in gy, so its rule is the function itself: gg, the
gradient that arrives at its result, is masked as gy was. "Flat in mask" means that the derivative
with respect to the mask is 0.
"""

from __future__ import annotations

from minigan.backend import OVER_FIRST, Array, Backend
from minigan.engine import op


@op(lambda gg, g, gy, mask: keep(gg, mask), None, broadcasts=True, out=OVER_FIRST)
def keep(xp: Backend, gy: Array, mask: Array, **out: Array) -> Array:
    """gy where mask is not 0, else 0: linear in gy, flat in mask, which broadcasts against gy."""
    return xp.keep(gy, mask, **out)


@op(lambda gg, g, gy, share: weigh(gg, share), None)
def weigh(xp: Backend, gy: Array, share: Array) -> Array:
    """gy * share, and 0 where share is 0, whatever gy is: linear in gy, flat in share."""
    return xp.multiply(xp.keep(gy, share), share)


@op(lambda ggx, gx, gy, x, slope: gate(ggx, x, slope=slope), None, out=OVER_FIRST)
def gate(xp: Backend, gy: Array, x: Array, slope: float, **out: Array) -> Array:
    """gy where x > 0, else slope * gy: linear in gy, flat in x."""
    return xp.gate(gy, x, slope, **out)


@op(None)
def is_zero(xp: Backend, x: Array) -> Array:
    """1 where x is 0, else 0, in x's dtype."""
    return xp.asarray(x == 0).astype(x.dtype)


@op(None)
def at_least(xp: Backend, x: Array, limit: float) -> Array:
    """1 where x >= limit, else 0, in x's dtype."""
    return xp.asarray(x >= limit).astype(x.dtype)


@op(None)
def in_range(xp: Backend, x: Array, low: float, high: float) -> Array:
    """1 where x is in [low, high], else 0, in x's dtype."""
    return ((x >= low) & (x <= high)).astype(x.dtype)


@op(None, None, broadcasts=True)
def larger(xp: Backend, a: Array, b: Array) -> Array:
    """1 where a > b, 1/2 where they are equal, else 0; a or b may be a number."""
    dtype = a.dtype if hasattr(a, "dtype") else b.dtype
    above = xp.greater(a, b).astype(dtype)
    return (above + xp.greater_equal(a, b)) / 2
