"""A workload's layers for rivals whose images are (N, C, H, W): the same numbers, reordered."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np


def channels_first(layers: list[Any]) -> list[Any]:
    """Layers whose dense weights expect, or make, flattened (C, H, W) instead of (H, W, C).

    Convolutions become (C_out, C_in, KH, KW), transposed ones (C_in, C_out, KH, KW): in both, our
    last two axes come first, swapped.
    """
    layers = [copy.copy(layer) for layer in layers]
    for i, layer in enumerate(layers):
        if layer.kind in ("Conv2d", "ConvTranspose2d"):
            layer.weight = np.ascontiguousarray(layer.weight.transpose(3, 2, 0, 1))
        if layer.kind == "Reshape":
            before = i
            while layers[before].kind != "Dense":  # what makes these pixels begins there
                before -= 1
            for flat in layers[before:i]:
                for name in ("weight", "bias", "gamma", "beta"):
                    array = getattr(flat, name)
                    if array is not None:
                        setattr(flat, name, np.ascontiguousarray(array[..., _order(layer.to)]))
        if layer.kind == "Flatten" and len(layer.shape) == 3:
            dense = next(other for other in layers[i:] if other.kind == "Dense")
            dense.weight = np.ascontiguousarray(dense.weight[_order(layer.shape)])
    return layers


def _order(shape: tuple[int, ...]) -> np.ndarray:
    """The index in the flattened (H, W, C) of each number of the flattened (C, H, W)."""
    return np.arange(math.prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
