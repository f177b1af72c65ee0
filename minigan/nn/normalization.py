"""Normalising layers: batch, layer and instance norm.

Each computes y = gamma * (x - mean) / sqrt(var + eps) + beta, with a gamma and a beta for each
channel (the last axis). They differ in the values that mean and variance are taken over:

    BatchNorm       the batch and the pixels   (N, H, W)   for each channel
    LayerNorm       axes of one sample         (C), or (H, W, C)
    InstanceNorm    the pixels of one image    (H, W)      for each channel
"""

from __future__ import annotations

import math

from minigan import checks
from minigan.backend import default
from minigan.engine import Tensor, no_grad
from minigan.nn.module import Module, Parameter
from minigan.ops import instance_norm, layer_norm, moments, normalize, reshape
from minigan.ops.arguments import Axis
from minigan.ops.normalization import standardize


class _Norm(Module):
    """gamma (features,), ones at first, and beta (features,), zeros; both float32."""

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        name = type(self).__name__
        features = checks.whole(f"{name}: features", features)
        checks.check_eps(f"{name}: eps", eps)
        self.eps = eps
        self.gamma = Parameter(default().ones(features, "float32"), "gain")
        self.beta = Parameter(default().zeros(features, "float32"), "bias")

    def describe(self) -> str:
        return str(self.gamma.size)


class BatchNorm(_Norm):
    """Batch normalisation over all axes but the last; x and the result: (N, ..., features).

    Source: Ioffe and Szegedy 2015, "Batch normalization", algorithms 1 and 2.

    In training mode the batch's own mean and population variance normalise it, and every call moves
    the running statistics: running <- running + momentum * (the batch's - running), with the
    batch's unbiased variance, as in PyTorch. In evaluation mode the running statistics normalise.

    features: channels, 1 or more. momentum: in [0, 1], the weight of the batch's value, as in
    PyTorch; Keras's momentum is the weight of the old value. eps: 0 or more, added to the variance.

    gamma, beta: (features,), trained. running_mean, running_var: (features,), buffers; zeros and
    ones at first. Samples of a batch affect each other, so gradient penalties refuse this layer.

    Raises:
        ValueError: a number is out of range.
    """

    mixes_batch = True

    def __init__(self, features: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__(features, eps)
        checks.check_momentum("BatchNorm: momentum", momentum)
        self.momentum = momentum
        self.running_mean = Tensor(default().zeros(features, "float32"))
        self.running_var = Tensor(default().ones(features, "float32"))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x, (N, ..., features); in training mode, move the running statistics.

        Raises:
            ValueError: x has another number of channels, or in training mode fewer than 2 values a
                channel.
        """
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
        mean, var = moments(x, tuple(range(x.ndim - 1)))          # (1, ..., 1, features) each
        with no_grad():
            self._move(self.running_mean, mean)
            self._move(self.running_var, var * (count / (count - 1)))
        return standardize(x, mean, var, self.gamma, self.beta, self.eps)

    def _move(self, running: Tensor, now: Tensor) -> None:
        """Move a running statistic towards the batch's, by `assign`: a replay repeats that."""
        now = reshape(now, running.shape)
        running.assign(running + (now - running) * self.momentum)


class LayerNorm(_Norm):
    """Layer normalisation of each sample by itself; x and the result: (N, ..., features).

    Source: Ba et al. 2016, "Layer normalization", eq. 3.

    features: size of the last axis, 1 or more. axes: the axes that mean and variance are taken
    over, an int or a tuple of ints; (-1,) by default; (1, 2, 3) for whole images; None for all
    axes, the batch included. eps: 0 or more, added to the variance.

    gamma, beta: (features,), whatever `axes` is. Training and evaluation mode are the same.

    Raises:
        ValueError: a number is out of range, or axes is something else; in a call, x does not have
            such axes or channels.
    """

    def __init__(self, features: int, axes: Axis = (-1,), eps: float = 1e-5) -> None:
        super().__init__(features, eps)
        checks.check_axes("LayerNorm: axes", axes)
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.gamma, self.beta, self.axes, self.eps)

    def describe(self) -> str:
        return f"{self.gamma.size}, axes {self.axes}"


class InstanceNorm(_Norm):
    """Instance normalisation over the pixels of each image and channel.

    x and the result: (N, H, W, features). Source: Ulyanov et al. 2016, "Instance normalization".
    features: channels, 1 or more. eps: 0 or more, added to the variance.

    gamma, beta: (features,). Training and evaluation mode are the same: there are no running
    statistics.

    Raises:
        ValueError: a number is out of range; in a call, x is not (N, H, W, features), or has one
            pixel.
    """

    def forward(self, x: Tensor) -> Tensor:
        return instance_norm(x, self.gamma, self.beta, self.eps)
