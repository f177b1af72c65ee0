"""Normalising layers: batch, layer and instance norm."""

from __future__ import annotations

import math

from minigan import errors
from minigan.backend import default
from minigan.engine import Tensor, no_grad
from minigan.nn.module import Module, Parameter
from minigan.ops import instance_norm, layer_norm, moments, normalize, reshape
from minigan.ops.normalization import standardize
from minigan.ops.reductions import Axis


class _Norm(Module):
    """A gain gamma and a bias beta for each of `features` channels, the last axis."""

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        name = type(self).__name__
        if not errors.is_whole(features) or features < 1:
            raise ValueError(f"{name}: features must be a whole number of 1 or more, got "
                             f"{errors.shown(features)}")
        errors.check_eps(f"{name}: eps", eps)
        self.eps = eps
        self.gamma = Parameter(default().ones(features, "float32"), "gain")
        self.beta = Parameter(default().zeros(features, "float32"), "bias")

    def describe(self) -> str:
        return str(self.gamma.size)


class BatchNorm(_Norm):
    """Batch normalisation over all axes but the last (Ioffe and Szegedy 2015).

    x: (N, ..., features). In training mode the batch's own mean and population variance normalise
    it, and every forward moves the running statistics by `momentum` towards the batch's mean and
    unbiased variance; in evaluation mode the running statistics normalise.
    """

    mixes_batch = True

    def __init__(self, features: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__(features, eps)
        if not (errors.is_number(momentum) and 0 <= momentum <= 1):
            raise ValueError(f"BatchNorm: momentum must be in [0, 1], got "
                             f"{errors.shown(momentum)}")
        self.momentum = momentum
        self.running_mean = Tensor(default().zeros(features, "float32"))
        self.running_var = Tensor(default().ones(features, "float32"))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1:] != self.gamma.shape:
            raise ValueError(f"BatchNorm: an input of shape {x.shape} should have "
                             f"{self.gamma.size} channels, which are the last axis")
        if not self.training:
            return normalize(x, self.running_mean, self.running_var, self.gamma, self.beta,
                             self.eps)
        count = math.prod(x.shape[:-1])
        if count < 2:
            raise ValueError(f"BatchNorm: an input of shape {x.shape} has {count} value a channel; "
                             f"training needs 2 or more")
        mean, var = moments(x, tuple(range(x.ndim - 1)))
        with no_grad():
            for running, now in ((self.running_mean, mean),
                                 (self.running_var, var * (count / (count - 1)))):
                running.assign(running + (reshape(now, running.shape) - running) * self.momentum)
        return standardize(x, mean, var, self.gamma, self.beta, self.eps)


class LayerNorm(_Norm):
    """Layer normalisation over `axes` of each sample (Ba et al. 2016); gamma, beta: (features,)."""

    def __init__(self, features: int, axes: Axis = (-1,), eps: float = 1e-5) -> None:
        super().__init__(features, eps)
        if axes is not None and not errors.is_whole(axes) and not (
                isinstance(axes, (tuple, list)) and all(map(errors.is_whole, axes))):
            raise ValueError(f"LayerNorm: axes must be an int, a tuple of ints or None, got "
                             f"{errors.shown(axes)}")
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.gamma, self.beta, self.axes, self.eps)

    def describe(self) -> str:
        return f"{self.gamma.size}, axes {self.axes}"


class InstanceNorm(_Norm):
    """Instance normalisation over the pixels of each image and channel (Ulyanov et al. 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        return instance_norm(x, self.gamma, self.beta, self.eps)
