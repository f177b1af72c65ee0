"""A load's layers for those whose images are (N, C, H, W): the same numbers in another order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def channels_first(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Layers whose dense weights expect, or make, flattened (C, H, W) instead of (H, W, C).

    Convolutions become (C_out, C_in, KH, KW), transposed ones (C_in, C_out, KH, KW): of both, our
    last two axes stand first, swapped.
    """
    layers = [dict(layer) for layer in layers]
    for i, layer in enumerate(layers):
        if layer["kind"] in ("Conv2d", "ConvTranspose2d"):
            layer["weight"] = np.ascontiguousarray(layer["weight"].transpose(3, 2, 0, 1))
        if layer["kind"] == "Reshape":
            before = i
            while layers[before]["kind"] != "Dense":  # what was made for pixels, back to the dense
                before -= 1
            for flat in layers[before:i]:
                for name in ("weight", "bias", "gamma", "beta"):
                    if flat.get(name) is not None:
                        flat[name] = np.ascontiguousarray(flat[name][..., _order(layer["to"])])
        if layer["kind"] == "Flatten" and len(layer["shape"]) == 3:
            dense = next(other for other in layers[i:] if other["kind"] == "Dense")
            dense["weight"] = np.ascontiguousarray(dense["weight"][_order(layer["shape"])])
    return layers


def _order(shape: tuple[int, ...]) -> np.ndarray:
    """Where each of the flattened (C, H, W) stands among the flattened (H, W, C)."""
    return np.arange(math.prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
