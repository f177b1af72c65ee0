"""Distances of predictions from targets, averaged; shapes must agree, nothing is broadcast."""

from __future__ import annotations

from typing import Any

from minigan import errors
from minigan.backend import backend_of
from minigan.engine import Tensor
from minigan.ops.arithmetic import negative, square
from minigan.ops.elementwise import softplus
from minigan.ops.reductions import log_softmax, mean
from minigan.ops.shape import check_ids, getitem


def _same_shape(name: str, prediction: Tensor, target: Tensor, called: str = "prediction") -> None:
    errors.check_tensors(name, **{called: prediction, "target": target})
    if prediction.shape != target.shape:
        raise ValueError(f"{name}: {called} has shape {prediction.shape} and target "
                         f"{target.shape}; losses do not broadcast")


def binary_cross_entropy_with_logits(logits: Tensor, target: Tensor) -> Tensor:
    """Mean of -t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z)) = softplus(z) - t z.

    Finite for every finite logit. logits, target: one shape; targets in [0, 1].
    """
    _same_shape("binary_cross_entropy_with_logits", logits, target, "logits")
    return mean(softplus(logits) - target * logits)


def softmax_cross_entropy(logits: Tensor, labels: Any) -> Tensor:
    """Mean of -log(softmax(z)[label]). logits: (N, K); labels: (N,) integers from 0 to K - 1."""
    errors.check_tensors("softmax_cross_entropy", logits=logits)
    data = labels.data if isinstance(labels, Tensor) else labels
    if logits.ndim != 2 or getattr(data, "shape", None) != logits.shape[:1]:
        raise ValueError(f"softmax_cross_entropy: logits must be (N, K) and labels an array (N,), "
                         f"got {logits.shape} and {getattr(data, 'shape', data)}")
    check_ids("softmax_cross_entropy: labels", data, logits.shape[1])
    rows = backend_of(logits.data).arange(logits.shape[0])
    return negative(mean(getitem(log_softmax(logits), (rows, data))))


def mean_squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of (prediction - target)^2; both of one shape."""
    _same_shape("mean_squared_error", prediction, target)
    return mean(square(prediction - target))
