"""What a generator's first layer makes of its latents, found by watching the ops of one pass.

The first layer is the first product of something that depends on z with a weight. What it hands on
is what the next such product takes: bias, normalisation and activation are behind it by then. So
nothing has to be known of how a network is written.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from minigan.backend import default
from minigan.editing.drawing import Drawing
from minigan.engine import Op, Tensor, no_grad, op_hook
from minigan.nn.module import Parameter

PRODUCTS = ("matmul", "affine", "conv2d", "conv_transpose2d")
BLOCK = 250   # latents at a time


def linear_map(drawing: Drawing) -> np.ndarray:
    """The matrix A of the first layer A z + b, float64 (units, d).

    Its column i is what the layer makes of the i-th unit vector, less what it makes of 0. b holds
    the bias and, in a conditional model, what the label adds; both cancel.

    Raises:
        ValueError: no weight is multiplied by the latents.
    """
    d = drawing.latent_size
    z = np.concatenate([np.zeros((1, d)), np.eye(d)]).astype(np.float32)
    made, _ = _watched(drawing, z, np.zeros(len(z), np.int64))
    return (made[1:] - made[0]).T


def activations(drawing: Drawing, z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What the first layer hands to the next, float64 (n, units), after its activation.

    z: float32 (n, d). labels: int64 (n,), which only conditional models read.

    Raises:
        ValueError: no weight is multiplied by the latents.
    """
    starts = range(0, len(z), BLOCK)
    blocks = [_watched(drawing, z[i:i + BLOCK], labels[i:i + BLOCK])[1] for i in starts]
    return np.concatenate(blocks)


def _watched(drawing: Drawing, z: np.ndarray, labels: np.ndarray
             ) -> tuple[np.ndarray, np.ndarray]:
    """What the first layer makes of latents, before and after its activation, (n, units) each."""
    latents = Tensor(default().from_host(z))
    watch = _Watch(latents)
    with drawing.model.turn, no_grad(), op_hook(watch):
        images = drawing(latents, drawing.labels(labels, len(z)))
    if watch.product is None:
        raise ValueError(f"directions: the generator of {drawing.model.name} multiplies no latent "
                         f"by a weight, so it has no first layer")
    handed_on = images if watch.handed_on is None else watch.handed_on
    return _rows(watch.product), _rows(handed_on)


class _Watch:
    """A hook that follows what depends on the latents, up to the second product."""

    def __init__(self, latents: Tensor) -> None:
        self.product: Tensor | None = None     # of the first layer
        self.handed_on: Tensor | None = None   # to the second one
        self.dependent = [latents]

    def __call__(self, op: Op, within: Op | None, run: Callable[[], Any]) -> Any:
        inputs, _ = run.args  # type: ignore[attr-defined]  # no hook stands between
        followed = [x for x in inputs if self._depends(x)]
        multiplies = op.name in PRODUCTS and any(_is_weight(x) for x in inputs)
        if followed and multiplies and self.product is not None and self.handed_on is None:
            self.handed_on = followed[0]
        result = run()
        if followed and self.handed_on is None:
            self.dependent.append(result)
            if multiplies:
                self.product = result
        return result

    def _depends(self, x: Any) -> bool:
        return any(x is each for each in self.dependent)


def _is_weight(x: Any) -> bool:
    return isinstance(x, Parameter) and x.ndim > 1


def _rows(x: Tensor) -> np.ndarray:
    return x.numpy().reshape(len(x), -1).astype(np.float64)
