"""Distances of predictions from targets, averaged; shapes must agree, nothing is broadcast."""

from __future__ import annotations

from typing import Any

from minigan.backend import backend_of
from minigan.checks import check_classes, check_one_shape
from minigan.engine import Tensor
from minigan.ops.arguments import of_tensors
from minigan.ops.arithmetic import negative, square
from minigan.ops.elementwise import softplus
from minigan.ops.reductions import log_softmax, mean
from minigan.ops.shape import check_ids, getitem


@of_tensors
def binary_cross_entropy_with_logits(logits: Tensor, target: Tensor) -> Tensor:
    """Mean of -t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z)) = softplus(z) - t z, a scalar.

    Finite for every finite logit. logits, target: floats of one shape; targets in [0, 1].

    Raises:
        NotTensorError: one of them is not a tensor.
        ValueError: their shapes differ.
    """
    check_one_shape("binary_cross_entropy_with_logits", logits=logits, target=target)
    return mean(softplus(logits) - target * logits)


@of_tensors
def softmax_cross_entropy(logits: Tensor, labels: Any) -> Tensor:
    """Mean of -log(softmax(z)[label]), a scalar.

    logits: (N, K) floats; labels: (N,), an array or a tensor of integers from 0 to K - 1.

    Raises:
        NotTensorError: logits are not a tensor.
        ValueError: a shape is another, or a label (on the host) is below 0 or above K - 1.
        TypeError: labels are not integers.
    """
    ids = labels.data if isinstance(labels, Tensor) else labels
    check_classes("softmax_cross_entropy", logits.shape, ids)
    n, k = logits.shape
    check_ids("softmax_cross_entropy: labels", ids, k)
    rows = backend_of(logits.data).arange(n)
    right = getitem(log_softmax(logits), (rows, ids))                 # (N,)
    return negative(mean(right))


@of_tensors
def mean_squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of (prediction - target)^2, a scalar; both of one shape.

    Raises:
        NotTensorError: one of them is not a tensor.
        ValueError: their shapes differ.
    """
    check_one_shape("mean_squared_error", prediction=prediction, target=target)
    return mean(square(prediction - target))
