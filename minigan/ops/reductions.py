"""Functions that remove axes, such as sums: `axis` is an int, a tuple, or None for all axes.

keepdims: keep those axes, with size 1, so that the result broadcasts against x. All of them raise:
    OperandError: x is not a tensor.
    ShapesError: x has no such axis, or it is named twice.
"""

from __future__ import annotations

import math

from minigan.backend import Array, Backend
from minigan.checks import check_not_empty
from minigan.engine import Op, Tensor, core, op
from minigan.ops.arguments import Axes, Axis, axes_of, check_floats, dropped, kept
from minigan.ops.arithmetic import exp, log, sqrt, square, widened
from minigan.ops.masks import is_zero, keep, weigh
from minigan.ops.shape import broadcast_to, reshape

# ---------------------------------------------------------------- sums and means


def _spread(gy: Tensor, x: Tensor, axes: Axes) -> Tensor:
    """The adjoint of a sum over axes: gy repeated along those axes of x."""
    if axes != tuple(range(len(axes))):  # leading axes broadcast with no place kept for them
        gy = reshape(gy, kept(x, axes))
    return broadcast_to(gy, x.shape)


@op(lambda gy, y, x, axis, keepdims: _spread(gy, x, axis))
def _sum(xp: Backend, x: Array, axis: Axes, keepdims: bool) -> Array:
    return xp.total(x, axis, keepdims)


@core
def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum over `axis`; its rounding error does not grow with the number of terms.

    Of booleans and integers it is int64, as in NumPy and PyTorch: `sum(hits)` counts.
    """
    axes = axes_of(x, axis, "sum")
    return _sum(widened(x), axis=axes, keepdims=keepdims)


@op(lambda gy, y, x, axes, keepdims, count: _spread(gy / count, x, axes))
def _mean(xp: Backend, x: Array, axes: Axes, keepdims: bool, count: int) -> Array:
    return xp.total(x, axes, keepdims) / count


def mean(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Arithmetic mean over `axis`; x: floats."""
    axes = axes_of(x, axis, "mean")
    count = math.prod([x.shape[i] for i in axes])
    return _mean(x, axes=axes, keepdims=keepdims, count=count)


def var(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Population variance over `axis` (ddof = 0, as NumPy): the mean of (x - mean)^2; x: floats.

    Raises:
        NotFloatError: x has integers or booleans.
    """
    axes = axes_of(x, axis, "var")
    check_floats("var", x=x)
    away = x - mean(x, axes, keepdims=True)
    return mean(square(away), axes, keepdims)


# ---------------------------------------------------------------- largest and smallest

def _extreme_rule(gy: Tensor, y: Tensor, x: Tensor, axes: Axes) -> Tensor:
    """gy goes to the largest (smallest) elements, in equal shares."""
    best = reshape(y, kept(x, axes))
    return weigh(_spread(gy, x, axes), _shared(x, best, axes=axes))


@op(_extreme_rule)
def _max(xp: Backend, x: Array, axes: Axes) -> Array:
    return xp.max(x, axis=axes)


@op(_extreme_rule)
def _min(xp: Backend, x: Array, axes: Axes) -> Array:
    return xp.min(x, axis=axes)


@op(None, None)
def _shared(xp: Backend, x: Array, best: Array, axes: Axes) -> Array:
    """Where x is the best over the axes, 1 over how many are; elsewhere 0."""
    hits = xp.asarray(x == best).astype(x.dtype)
    return hits / xp.total(hits, axes, True)


def _extreme(function: Op, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    axes = axes_of(x, axis, function.name)
    check_not_empty(function.name, axes, x)
    y = function(x, axes=axes)
    return reshape(y, kept(x, axes)) if keepdims else y


def max(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest element over `axis`; equal ones share the gradient evenly.

    Raises:
        ShapesError: there are no elements over the axis.
    """
    return _extreme(_max, x, axis, keepdims)


def min(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest element over `axis`; equal ones share the gradient evenly.

    Raises:
        ShapesError: there are no elements over the axis.
    """
    return _extreme(_min, x, axis, keepdims)


# ---------------------------------------------------------------- logarithms of sums

@op(None)
def _shift(xp: Backend, x: Array, axes: Axes) -> Array:
    """The largest element over the axes, 0 where that is infinite: any constant is right here."""
    top = xp.max(x, axis=axes, keepdims=True)
    return xp.where(xp.isfinite(top), top, xp.zeros_like(top))


def logsumexp(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))) over `axis`, without overflow; x: floats.

    Raises:
        NotFloatError: x has integers or booleans.
        ShapesError: there are no elements over the axis.
    """
    return _logsumexp(x, axis, keepdims, "logsumexp")


def log_softmax(x: Tensor, axis: Axis = -1) -> Tensor:
    """log(softmax(x)) = x - logsumexp(x) over `axis`; x: floats.

    Raises:
        NotFloatError: x has integers or booleans.
        ShapesError: there are no elements over the axis.
    """
    return x - _logsumexp(x, axis, True, "log_softmax")


def softmax(x: Tensor, axis: Axis = -1) -> Tensor:
    """exp(x) / sum(exp(x)) over `axis`; x: floats.

    Raises:
        NotFloatError: x has integers or booleans.
        ShapesError: there are no elements over the axis.
    """
    return exp(x - _logsumexp(x, axis, True, "softmax"))


def _logsumexp(x: Tensor, axis: Axis, keepdims: bool, function: str) -> Tensor:
    axes = axes_of(x, axis, function)
    check_floats(function, x=x)
    check_not_empty(function, axes, x)
    shift = _shift(x, axes=axes)
    total = sum(exp(x - shift), axes, keepdims=True)
    y = log(total) + shift
    return y if keepdims else reshape(y, dropped(x, axes))


# ---------------------------------------------------------------- norms

@op(lambda gy, y, x, axes: _spread(gy, x, axes) * x * 2)
def _squares(xp: Backend, x: Array, axes: Axes) -> Array:
    """Sum of x^2 over axes, which are kept."""
    return xp.dot(x, x, axes)


def norm(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Euclidean norm sqrt(sum(x^2)) over `axis`; x: floats.

    The norm of a zero vector has gradient 0 and a finite second derivative: sqrt is taken of 1
    there, and the result is set to 0. So a gradient penalty is finite where a critic is flat.

    Raises:
        NotFloatError: x has integers or booleans.
    """
    axes = axes_of(x, axis, "norm")
    check_floats("norm", x=x)
    squares = _squares(x, axes=axes)
    y = keep(sqrt(squares + is_zero(squares)), squares)
    return y if keepdims else reshape(y, dropped(x, axes))
