"""Functions that fold axes away: `axis` is an int, a tuple, or None for all axes."""

from __future__ import annotations

import math

from minigan.engine import Axis, Tensor, axes_of, keep, log, op, reshape, spread, sum
from minigan.ops.elementwise import exp, sqrt, square, weigh


def _kept(x: Tensor, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


@op(lambda gy, y, x, axes, keepdims, count: spread(gy / count, x, axes))
def _mean(xp, x, axes, keepdims, count):
    return xp.total(x, axes, keepdims) / count


def mean(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Arithmetic mean over `axis`."""
    axes = axes_of(x, axis)
    return _mean(x, axes=axes, keepdims=keepdims, count=math.prod(x.shape[i] for i in axes))


def var(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Population variance over `axis` (ddof = 0, as NumPy): the mean of (x - mean)^2."""
    return mean(square(x - mean(x, axis, keepdims=True)), axis, keepdims)


@op(lambda gy, y, x, axes, sign: weigh(spread(gy, x, axes), _extreme(x, axes=axes, sign=sign)))
def _max(xp, x, axes, sign):
    return (xp.max if sign > 0 else xp.min)(x, axis=axes)


@op(None)
def _extreme(xp, x, axes, sign):
    """At the extreme elements one over their number, elsewhere 0."""
    best = (x == (xp.max if sign > 0 else xp.min)(x, axis=axes, keepdims=True)).astype(x.dtype)
    return best / xp.total(best, axes, True)


def max(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest element over `axis`; equal ones share the gradient evenly."""
    y = _max(x, axes=axes_of(x, axis), sign=1)
    return reshape(y, _kept(x, axes_of(x, axis))) if keepdims else y


def min(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest element over `axis`; equal ones share the gradient evenly."""
    y = _max(x, axes=axes_of(x, axis), sign=-1)
    return reshape(y, _kept(x, axes_of(x, axis))) if keepdims else y


@op(None)
def _shift(xp, x, axes):
    """The largest element over the axes, 0 where that is infinite: any constant is right here."""
    top = xp.max(x, axis=axes, keepdims=True)
    return xp.where(xp.isfinite(top), top, xp.zeros_like(top))


def logsumexp(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))) over `axis`, without overflow."""
    axes = axes_of(x, axis)
    shift = _shift(x, axes=axes)
    y = log(sum(exp(x - shift), axes, keepdims=True)) + shift
    return y if keepdims else reshape(y, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def log_softmax(x: Tensor, axis: Axis = -1) -> Tensor:
    """log(softmax(x)) over `axis`."""
    return x - logsumexp(x, axis, keepdims=True)


def softmax(x: Tensor, axis: Axis = -1) -> Tensor:
    """exp(x) / sum(exp(x)) over `axis`."""
    return exp(log_softmax(x, axis))


@op(lambda gy, y, x, axes: spread(gy, x, axes) * x * 2)
def _squares(xp, x, axes):
    """Sum of x^2 over axes, which are kept."""
    return xp.dot(x, x, axes)


@op(None)
def _zero(xp, x):
    return (x == 0).astype(x.dtype)


def norm(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Euclidean norm sqrt(sum(x^2)) over `axis`.

    The norm of a zero vector has gradient 0 and a finite second derivative: sqrt is taken of 1
    there, and the result is set to 0. So a gradient penalty is finite where a critic is flat.
    """
    axes = axes_of(x, axis)
    squares = _squares(x, axes=axes)
    y = keep(sqrt(squares + _zero(squares)), squares)
    return y if keepdims else reshape(y, tuple(n for i, n in enumerate(x.shape) if i not in axes))
