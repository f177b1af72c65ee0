"""Normalising layers: batch, layer and instance norm."""

from __future__ import annotations

import math

from minigan.backend import default
from minigan.engine import Axis, Tensor, no_grad, reshape
from minigan.nn.module import Module, Parameter
from minigan.ops import instance_norm, layer_norm, moments, normalize
from minigan.ops.normalization import standardize


class _Norm(Module):
    """A gain gamma and a bias beta for each of `features` channels, the last axis."""

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        if not isinstance(features, int) or isinstance(features, bool) or features < 1:
            raise ValueError(f"{type(self).__name__}: features must be a whole number of 1 or "
                             f"more, got {features!r}")
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
        if not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm: momentum must be in [0, 1], got {momentum!r}")
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
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.gamma, self.beta, self.axes, self.eps)

    def describe(self) -> str:
        return f"{self.gamma.size}, axes {self.axes}"


class InstanceNorm(_Norm):
    """Instance normalisation over the pixels of each image and channel (Ulyanov et al. 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        return instance_norm(x, self.gamma, self.beta, self.eps)
