"""Functions that fold axes away: `axis` is an int, a tuple, or None for all axes."""

from __future__ import annotations

import math

from numpy.lib.array_utils import normalize_axis_tuple

from minigan import errors
from minigan.backend import Array, Backend
from minigan.engine import Op, Tensor, core, op
from minigan.ops.arithmetic import exp, log, sqrt, square, widened
from minigan.ops.masks import keep, weigh
from minigan.ops.shape import broadcast_to, reshape

Axis = int | tuple[int, ...] | None


def axes_of(x: Tensor, axis: Axis, function: str, name: str = "axis") -> tuple[int, ...]:
    """`axis` (int, tuple or None for all) as a sorted tuple of non-negative axes of x.

    Raises:
        ValueError: x has no such axis, or it is named twice; names the function and the argument.
    """
    if not isinstance(x, Tensor):
        raise errors.OperandError(function, x)
    ndim = x.data.ndim
    if axis is None:
        return tuple(range(ndim))
    try:
        return tuple(sorted(normalize_axis_tuple(axis, ndim)))
    except (TypeError, ValueError):
        raise errors.bad_axis(function, name, axis, x) from None


# ---------------------------------------------------------------- sums and means

def spread(gy: Tensor, x: Tensor, axis: tuple[int, ...]) -> Tensor:
    """The adjoint of a sum over `axis`: gy repeated along those axes of x."""
    if axis != tuple(range(len(axis))):  # leading axes broadcast with no place kept for them
        gy = reshape(gy, _kept(x, axis))
    return broadcast_to(gy, x.shape)


@op(lambda gy, y, x, axis, keepdims: spread(gy, x, axis))
def _sum(xp: Backend, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return xp.total(x, axis, keepdims)


@core
def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum over `axis` (int, tuple or None for all axes).

    Of booleans and integers it is int64, as in NumPy and PyTorch: `sum(hits)` counts.
    """
    axes = axes_of(x, axis, "sum")
    return _sum(widened(x), axis=axes, keepdims=keepdims)


def _kept(x: Tensor, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


@op(lambda gy, y, x, axes, keepdims, count: spread(gy / count, x, axes))
def _mean(xp, x, axes, keepdims, count):
    return xp.total(x, axes, keepdims) / count


def mean(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Arithmetic mean over `axis`."""
    axes = axes_of(x, axis, "mean")
    return _mean(x, axes=axes, keepdims=keepdims, count=math.prod(x.shape[i] for i in axes))


def var(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Population variance over `axis` (ddof = 0, as NumPy): the mean of (x - mean)^2."""
    axis = axes_of(x, axis, "var")
    errors.check_floats("var", x=x)
    return mean(square(x - mean(x, axis, keepdims=True)), axis, keepdims)


def _extreme_rule(gy: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    best = reshape(y, _kept(x, axes))
    return weigh(spread(gy, x, axes), _shared(x, best, axes=axes))


@op(_extreme_rule)
def _max(xp, x, axes):
    return xp.max(x, axis=axes)


@op(_extreme_rule)
def _min(xp, x, axes):
    return xp.min(x, axis=axes)


@op(None, None)
def _shared(xp, x, best, axes):
    """Where x is the best over the axes one over their number, elsewhere 0."""
    hits = xp.asarray(x == best).astype(x.dtype)
    return hits / xp.total(hits, axes, True)


def _extreme(function: Op, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    axes = axes_of(x, axis, function.name)
    errors.check_not_empty(function.name, axes, x)
    y = function(x, axes=axes)
    return reshape(y, _kept(x, axes)) if keepdims else y


def max(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest element over `axis`; equal ones share the gradient evenly."""
    return _extreme(_max, x, axis, keepdims)


def min(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest element over `axis`; equal ones share the gradient evenly."""
    return _extreme(_min, x, axis, keepdims)


@op(None)
def _shift(xp, x, axes):
    """The largest element over the axes, 0 where that is infinite: any constant is right here."""
    top = xp.max(x, axis=axes, keepdims=True)
    return xp.where(xp.isfinite(top), top, xp.zeros_like(top))


def logsumexp(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))) over `axis`, without overflow."""
    return _logsumexp(x, axis, keepdims, "logsumexp")


def _logsumexp(x: Tensor, axis: Axis, keepdims: bool, function: str) -> Tensor:
    axes = axes_of(x, axis, function)
    errors.check_floats(function, x=x)
    errors.check_not_empty(function, axes, x)
    shift = _shift(x, axes=axes)
    y = log(sum(exp(x - shift), axes, keepdims=True)) + shift
    return y if keepdims else reshape(y, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def _log_softmax(x: Tensor, axis: Axis, function: str) -> Tensor:
    total = _logsumexp(x, axis, True, function)
    return x - total


def log_softmax(x: Tensor, axis: Axis = -1) -> Tensor:
    """log(softmax(x)) over `axis`."""
    return _log_softmax(x, axis, "log_softmax")


def softmax(x: Tensor, axis: Axis = -1) -> Tensor:
    """exp(x) / sum(exp(x)) over `axis`."""
    return exp(_log_softmax(x, axis, "softmax"))


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
    axes = axes_of(x, axis, "norm")
    errors.check_floats("norm", x=x)
    squares = _squares(x, axes=axes)
    y = keep(sqrt(squares + _zero(squares)), squares)
    return y if keepdims else reshape(y, tuple(n for i, n in enumerate(x.shape) if i not in axes))
