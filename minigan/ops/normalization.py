"""Normalisation by mean and variance, right to any order: every rule is written in ops.

A normalisation by a batch's own statistics is y = x s + t, with s and t small; its gradient is
gx = gy p + x q + r, with p, q and r small. So what passes over all elements are three functions, a
product with small factors (`_scale`, `_mix`) and its adjoint, a product summed over axes (`_dot`),
which are one another's gradients; the rest is arithmetic on one number a channel or a sample.
"""

from __future__ import annotations

import math

from minigan import errors
from minigan.engine import Tensor, op
from minigan.ops.arithmetic import multiply, power, sqrt
from minigan.ops.reductions import Axis, axes_of, mean, sum


def _check(op: str, x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> None:
    errors.check_tensors(op, x=x, gamma=gamma, beta=beta)
    errors.check_floats(op, x=x)
    errors.check_eps(f"{op}: eps", eps)
    for name, other in (("gamma", gamma), ("beta", beta)):
        if other.ndim > x.ndim or any(n not in (1, m) for n, m in zip(other.shape[::-1],
                                                                      x.shape[::-1])):
            raise ValueError(f"{op}: {name} of shape {other.shape} does not broadcast against x of "
                             f"shape {x.shape}")


# ---------------------------------------------------------------- passes over all elements

def _single(small: Tensor, ndim: int) -> tuple[int, ...]:
    """The axes along which `small` is repeated when it meets a tensor with ndim axes."""
    shape = (1,) * (ndim - small.ndim) + small.shape
    return tuple(i for i, n in enumerate(shape) if n == 1)


@op(lambda gy, y, x, s: _scale(gy, s), lambda gy, y, x, s: _dot(gy, x, axes=_single(s, x.ndim)))
def _scale(xp, x, s):
    """x * s, s having as many axes as x."""
    return xp.scale_shift(x, s, 0)


@op(lambda g, y, a, p, b, q, r: _scale(g, p),
    lambda g, y, a, p, b, q, r: _dot(g, a, axes=_single(p, a.ndim)),
    lambda g, y, a, p, b, q, r: _scale(g, q),
    lambda g, y, a, p, b, q, r: _dot(g, b, axes=_single(q, a.ndim)),
    lambda g, y, a, p, b, q, r: sum(g, _single(r, a.ndim), keepdims=True), out=(0,))
def _mix(xp, a, p, b, q, r, **out):
    """a * p + b * q + r, all having as many axes as a."""
    return xp.mix(a, p, b, q, r, **out)


@op(lambda gy, y, a, b, axes: _scale(b, gy), lambda gy, y, a, b, axes: _scale(a, gy))
def _dot(xp, a, b, axes):
    """a * b summed over axes, which are kept."""
    return xp.dot(a, b, axes)


@op(lambda gy, y, x, mean, axes: (x - mean) * (gy * 2 / math.prod(x.shape[i] for i in axes)), None)
def _variance(xp, x, mean, axes):
    """Of `mean`, which is x's own, the derivative is zero: the sum of x - mean is."""
    return xp.variance(x, mean, axes)


def _standardize_rule(gy: Tensor, y: Tensor, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor,
                      var: Tensor, eps: float, wanted: tuple[bool, ...]
                      ) -> tuple[Tensor | None, ...]:
    """Ioffe and Szegedy 2015, section 3, with the two ways through the statistics collected.

    mean and var are x's own, so gx holds their part already.
    """
    axes = _single(mean, x.ndim)
    both = tuple(i for i in axes if i in _single(gamma, x.ndim))
    rstd = power(var + eps, -0.5)
    total = sum(gy, both, keepdims=True)                     # <gy, 1>, small
    slant = _dot(gy, x, axes=both) - mean * total            # <gy, x - mean>, small
    gx = None
    if wanted[0]:
        share = multiply(rstd, -1 / math.prod(x.shape[i] for i in axes))
        q = share * rstd * rstd * sum(gamma * slant, axes, keepdims=True)
        r = share * sum(gamma * total, axes, keepdims=True) - q * mean
        gx = _mix(gy, gamma * rstd, x, q, r)
    if not set(both) <= set(_single(beta, x.ndim)):  # beta is repeated along other axes than gamma
        total = gy                                   # and the engine sums it to beta's shape
    return gx, slant * rstd, total, None, None


@op(joint=_standardize_rule, broadcasts=True)
def _standardize(xp, x, gamma, beta, mean, var, eps):
    scale = gamma / xp.sqrt(var + eps)
    return xp.scale_shift(x, scale, beta - mean * scale)


# ---------------------------------------------------------------- the public functions

def moments(x: Tensor, axes: Axis) -> tuple[Tensor, Tensor]:
    """Mean and population variance over `axes`, which are kept with size 1."""
    axes = axes_of(x, axes, "moments", "axes")
    errors.check_floats("moments", x=x)
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
    """`normalize` by the very tensors that `moments(x, axes)` returned."""
    return _standardize(x, gamma, beta, mean, var, eps=float(eps))


def batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each channel over the batch (Ioffe and Szegedy 2015, algorithm 1).

    x: (N, ..., C), statistics over all axes but the last; gamma, beta: (C,).

    Raises:
        ValueError: there is one value a channel, whose normalised value is 0 whatever it was; or a
            shape does not fit.
    """
    _check("batch_norm", x, gamma, beta, eps)
    if math.prod(x.shape[:-1]) == 1:
        raise ValueError(f"batch_norm: x of shape {x.shape} has one value a channel; statistics "
                         f"need 2 or more")
    return standardize(x, *moments(x, tuple(range(x.ndim - 1))), gamma, beta, eps)


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, axes: Axis = (-1,),
               eps: float = 1e-5) -> Tensor:
    """Normalise each sample over `axes` (Ba et al. 2016, eq. 3); it mixes no batch.

    gamma, beta: any shape that broadcasts against x, such as (C,).
    """
    _check("layer_norm", x, gamma, beta, eps)
    axes = axes_of(x, axes, "layer_norm", "axes")
    return standardize(x, *moments(x, axes), gamma, beta, eps)


def instance_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each channel of each image over its pixels (Ulyanov et al. 2016).

    x: (N, H, W, C), statistics over H and W; gamma, beta: (C,).

    Raises:
        ValueError: the images have one pixel, whose normalised value is 0 whatever it was; or a
            shape does not fit.
    """
    errors.check_tensors("instance_norm", x=x)
    if x.ndim != 4:
        raise ValueError(f"instance_norm: x has shape {x.shape}; images are (N, H, W, C)")
    if x.shape[1] * x.shape[2] == 1:
        raise ValueError(f"instance_norm: x of shape {x.shape} has one pixel an image and channel; "
                         f"statistics need 2 or more")
    _check("instance_norm", x, gamma, beta, eps)
    return standardize(x, *moments(x, (1, 2)), gamma, beta, eps)
