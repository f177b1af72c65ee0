"""Normalisation by mean and variance, composed of ops: right to any order by construction."""

from __future__ import annotations

from minigan.engine import Axis, Tensor, axes_of
from minigan.ops.elementwise import sqrt, square
from minigan.ops.reductions import mean


def _check(op: str, x: Tensor, gamma: Tensor, beta: Tensor) -> None:
    for name, other in (("gamma", gamma), ("beta", beta)):
        if other.ndim > x.ndim or any(n not in (1, m) for n, m in zip(other.shape[::-1],
                                                                      x.shape[::-1])):
            raise ValueError(f"{op}: {name} of shape {other.shape} does not broadcast against x of "
                             f"shape {x.shape}")


def moments(x: Tensor, axes: Axis) -> tuple[Tensor, Tensor]:
    """Mean and population variance over `axes`, which are kept with size 1."""
    average = mean(x, axes, keepdims=True)
    return average, mean(square(x - average), axes, keepdims=True)


def normalize(x: Tensor, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor,
              eps: float = 1e-5) -> Tensor:
    """gamma * (x - mean) / sqrt(var + eps) + beta, everything broadcast against x."""
    return (x - mean) * (gamma / sqrt(var + eps)) + beta


def batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each channel over the batch (Ioffe and Szegedy 2015, algorithm 1).

    x: (N, ..., C), statistics over all axes but the last; gamma, beta: (C,).
    """
    _check("batch_norm", x, gamma, beta)
    return normalize(x, *moments(x, tuple(range(x.ndim - 1))), gamma, beta, eps)


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, axes: Axis = (-1,),
               eps: float = 1e-5) -> Tensor:
    """Normalise each sample over `axes` (Ba et al. 2016, eq. 3); it mixes no batch.

    gamma, beta: any shape that broadcasts against x, such as (C,).
    """
    _check("layer_norm", x, gamma, beta)
    return normalize(x, *moments(x, axes_of(x, axes)), gamma, beta, eps)


def instance_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each channel of each image over its pixels (Ulyanov et al. 2016).

    x: (N, H, W, C), statistics over H and W; gamma, beta: (C,).
    """
    if x.ndim != 4:
        raise ValueError(f"instance_norm: x has shape {x.shape}; images are (N, H, W, C)")
    _check("instance_norm", x, gamma, beta)
    return normalize(x, *moments(x, (1, 2)), gamma, beta, eps)
