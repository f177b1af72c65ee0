"""Normalisation by mean and variance, right to any order: every rule is written in ops.

A normalisation by a batch's own statistics is y = x s + t, with s and t "small": tensors of as many
axes as x that hold one number for each channel or sample, and size 1 along the other axes. Its
gradient is gx = gy p + x q + r, with p, q and r small, too. So only three functions pass over all
elements: products with small factors (`_scale`, `_mix`) and their adjoint, a product that is summed
over axes (`_dot`). The gradients of each are among these three; the rest is arithmetic on small
tensors.
"""

from __future__ import annotations

import math

from minigan.backend import OVER_FIRST, Array, Backend
from minigan.checks import check_broadcasts, check_eps, check_images
from minigan.engine import Tensor, op
from minigan.ops.arguments import Axes, Axis, axes_of, check_floats, of_tensors
from minigan.ops.arithmetic import multiply, power, sqrt
from minigan.ops.reductions import mean, sum

# ---------------------------------------------------------------- passes over all elements


def _single(small: Tensor, ndim: int) -> Axes:
    """The axes along which `small` is repeated when it meets a tensor with ndim axes."""
    shape = (1,) * (ndim - small.ndim) + small.shape
    return tuple([i for i, n in enumerate(shape) if n == 1])


@op(lambda gy, y, x, s: _scale(gy, s),
    lambda gy, y, x, s: _dot(gy, x, axes=_single(s, x.ndim)))
def _scale(xp: Backend, x: Array, s: Array) -> Array:
    """x * s, s having as many axes as x."""
    return xp.scale_shift(x, s, 0)


@op(lambda g, y, a, p, b, q, r: _scale(g, p),
    lambda g, y, a, p, b, q, r: _dot(g, a, axes=_single(p, a.ndim)),
    lambda g, y, a, p, b, q, r: _scale(g, q),
    lambda g, y, a, p, b, q, r: _dot(g, b, axes=_single(q, a.ndim)),
    lambda g, y, a, p, b, q, r: sum(g, _single(r, a.ndim), keepdims=True), out=OVER_FIRST)
def _mix(xp: Backend, a: Array, p: Array, b: Array, q: Array, r: Array, **out: Array) -> Array:
    """a * p + b * q + r, all having as many axes as a."""
    return xp.mix(a, p, b, q, r, **out)


@op(lambda gy, y, a, b, axes: _scale(b, gy), lambda gy, y, a, b, axes: _scale(a, gy))
def _dot(xp: Backend, a: Array, b: Array, axes: Axes) -> Array:
    """a * b summed over axes, which are kept."""
    return xp.dot(a, b, axes)


def _variance_rule(gy: Tensor, y: Tensor, x: Tensor, mean: Tensor, axes: Axes) -> Tensor:
    count = math.prod([x.shape[i] for i in axes])
    return (x - mean) * (gy * 2 / count)


@op(_variance_rule, None)
def _variance(xp: Backend, x: Array, mean: Array, axes: Axes) -> Array:
    """The derivative with respect to `mean`, x's own, is 0, as the sum of x - mean is 0."""
    return xp.variance(x, mean, axes)


# ---------------------------------------------------------------- the normalisation

def _standardize_rule(gy: Tensor, y: Tensor, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor,
                      var: Tensor, eps: float, wanted: tuple[bool, ...]
                      ) -> tuple[Tensor | None, ...]:
    """Ioffe and Szegedy 2015, section 3, written as one formula for gx.

    x reaches y along three paths: directly, through its mean, and through its variance. gx is the
    sum of all three, so mean and var get no gradient of their own. With x^ = (x - mean) * rstd,
    gx = gamma * rstd * gy - rstd / count * (sum(gamma gy) + x^ sum(gamma gy x^)).
    """
    axes = _single(mean, x.ndim)
    both = tuple([i for i in axes if i in _single(gamma, x.ndim)])
    rstd = power(var + eps, -0.5)
    total = sum(gy, both, keepdims=True)                     # sum of gy, small
    slant = _dot(gy, x, axes=both) - mean * total            # sum of gy (x - mean), small

    gx = None
    if wanted[0]:
        count = math.prod([x.shape[i] for i in axes])
        share = multiply(rstd, -1 / count)
        q = share * rstd * rstd * sum(gamma * slant, axes, keepdims=True)
        r = share * sum(gamma * total, axes, keepdims=True) - q * mean
        gx = _mix(gy, gamma * rstd, x, q, r)

    ggamma = slant * rstd
    gbeta = total
    if not set(both) <= set(_single(beta, x.ndim)):  # beta is repeated along other axes than gamma
        gbeta = gy                                   # and the engine sums it to beta's shape
    return gx, ggamma, gbeta, None, None


@op(joint=_standardize_rule, broadcasts=True)
def _standardize(xp: Backend, x: Array, gamma: Array, beta: Array, mean: Array, var: Array,
                 eps: float) -> Array:
    scale = gamma / xp.sqrt(var + eps)
    return xp.scale_shift(x, scale, beta - mean * scale)


# ---------------------------------------------------------------- the public functions

def moments(x: Tensor, axes: Axis) -> tuple[Tensor, Tensor]:
    """Mean and population variance over `axes`, which are kept with size 1; x: floats.

    Raises:
        OperandError, NotFloatError: x is not a tensor of floats.
        ShapesError: x has no such axes.
    """
    axes = axes_of(x, axes, "moments", "axes")
    check_floats("moments", x=x)
    average = mean(x, axes, keepdims=True)
    return average, _variance(x, average, axes=axes)


def normalize(x: Tensor, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor,
              eps: float = 1e-5) -> Tensor:
    """gamma * (x - mean) / sqrt(var + eps) + beta, everything broadcast against x.

    mean and var may be anything; `standardize` is faster where they are x's own.
    """
    if var.dtype.kind != "f":
        var = var.astype(x.dtype)  # integers are constants of the floats' type
    return (x - mean) * (gamma / sqrt(var + eps)) + beta


def standardize(x: Tensor, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor,
                eps: float = 1e-5) -> Tensor:
    """`normalize` by exactly the tensors that `moments(x, axes)` returned."""
    return _standardize(x, gamma, beta, mean, var, eps=float(eps))


@of_tensors
def batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each channel over the batch (Ioffe and Szegedy 2015, algorithm 1).

    x: (N, ..., C) floats, statistics over all axes but the last; gamma, beta: (C,). eps: 0 or more,
    added to the variance.

    Raises:
        NotTensorError, NotFloatError: something other than tensors is given, or x is not of floats.
        ValueError: there is one value a channel, which would become 0 whatever it was; or a shape
            does not fit, or eps is something else.
    """
    _check("batch_norm", x, gamma, beta, eps)
    if math.prod(x.shape[:-1]) == 1:
        raise ValueError(f"batch_norm: x of shape {x.shape} has one value a channel; statistics "
                         f"need 2 or more")
    average, variance = moments(x, tuple(range(x.ndim - 1)))          # (1, ..., C) each
    return standardize(x, average, variance, gamma, beta, eps)


@of_tensors
def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, axes: Axis = (-1,),
               eps: float = 1e-5) -> Tensor:
    """Normalise each sample over `axes` (Ba et al. 2016, eq. 3); no sample sees another.

    x: floats. gamma, beta: any shape that broadcasts against x, such as (C,).

    Raises:
        NotTensorError, NotFloatError: something other than tensors is given, or x is not of floats.
        ShapesError: x has no such axes.
        ValueError: a shape does not fit, or eps is not a number of 0 or more.
    """
    _check("layer_norm", x, gamma, beta, eps)
    axes = axes_of(x, axes, "layer_norm", "axes")
    average, variance = moments(x, axes)
    return standardize(x, average, variance, gamma, beta, eps)


@of_tensors
def instance_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each channel of each image over its pixels (Ulyanov et al. 2016).

    x: (N, H, W, C) floats, statistics over H and W; gamma, beta: (C,).

    Raises:
        NotTensorError, NotFloatError: something other than tensors is given, or x is not of floats.
        ValueError: the images have one pixel, which would become 0 whatever it was; or a shape does
            not fit, or eps is not a number of 0 or more.
    """
    check_images("instance_norm: x", x.shape)
    if x.shape[1] * x.shape[2] == 1:
        raise ValueError(f"instance_norm: x of shape {x.shape} has one pixel an image and channel; "
                         f"statistics need 2 or more")
    _check("instance_norm", x, gamma, beta, eps)
    average, variance = moments(x, (1, 2))                            # (N, 1, 1, C) each
    return standardize(x, average, variance, gamma, beta, eps)


def _check(function: str, x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> None:
    check_floats(function, x=x)
    check_eps(f"{function}: eps", eps)
    check_broadcasts(f"{function}: gamma", gamma.shape, x.shape)
    check_broadcasts(f"{function}: beta", beta.shape, x.shape)
