"""Single ops: forward, with the gradient, and with the gradient of a gradient.

The passes include one another, as they do in a training step: "backward" is a forward and the
gradients of all inputs, "double" a forward, the recorded gradient of the first input, and the
gradients of that with respect to everything.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from minigan import ops
from minigan.backend import default
from minigan.engine import Tensor, grad, no_grad

PASSES = ("forward", "backward", "double")
STRIDED = {"stride": 2, "padding": 1}
# name -> op, shapes of its inputs without the batch (weights have none), settings
CASES: dict[str, tuple[str, list[tuple[int, ...]], dict[str, Any]]] = {
    "dense 784 to 128": ("affine", [(784,), (784, 128), (128,)], {}),
    "dense 100 to 6272": ("affine", [(100,), (100, 6272), (6272,)], {}),
    "conv 4x4/2 28x28x1 to 64": ("conv2d", [(28, 28, 1), (4, 4, 1, 64)], STRIDED),
    "conv 4x4/2 14x14x64 to 128": ("conv2d", [(14, 14, 64), (4, 4, 64, 128)], STRIDED),
    "conv 4x4/2 32x32x64 to 128": ("conv2d", [(32, 32, 64), (4, 4, 64, 128)], STRIDED),
    "conv 3x3 14x14x48 to 48": ("conv2d", [(14, 14, 48), (3, 3, 48, 48)], {"padding": 1}),
    "transposed 4x4/2 7x7x128 to 64": ("conv_transpose2d", [(7, 7, 128), (4, 4, 64, 128)], STRIDED),
    "transposed 4x4/2 16x16x128 to 64": ("conv_transpose2d", [(16, 16, 128), (4, 4, 64, 128)],
                                         STRIDED),
    "transposed 4x4/2 14x14x64 to 1": ("conv_transpose2d", [(14, 14, 64), (4, 4, 1, 64)], STRIDED),
    "batch norm 14x14x64": ("batch_norm", [(14, 14, 64), (64,), (64,)], {}),
    "layer norm 7x7x128": ("layer_norm", [(7, 7, 128), (128,), (128,)], {"axes": (1, 2, 3)}),
}


def prepare(case: str, which: str, batch: int) -> dict[str, Any]:
    """The load of a case and a pass: inputs and cotangents, normal numbers."""
    op, shapes, settings = CASES[case]
    random = np.random.Generator(np.random.Philox(2014))
    draw = random.standard_normal
    inputs = [draw((batch, *shape) if i == 0 else shape).astype("float32")
              for i, shape in enumerate(shapes)]
    with no_grad():
        y = getattr(ops, op)(*map(Tensor, inputs), **settings)
    return {"name": f"{case}, {which}", "task": "op", "op": op, "pass": which, "batch": batch,
            "inputs": inputs, "settings": settings, "cotangent": draw(y.shape).astype("float32"),
            "direction": draw(inputs[0].shape).astype("float32")}


def build(load: dict[str, Any]) -> Callable[[int], Any]:
    """One pass as a function of its number, which plays no part; it returns its results."""
    xp, function, settings = default(), getattr(ops, load["op"]), load["settings"]
    inputs = [Tensor(xp.from_host(x), requires_grad=True) for x in load["inputs"]]
    c = Tensor(xp.from_host(load["cotangent"]), requires_grad=True)
    direction = Tensor(xp.from_host(load["direction"]))

    def forward(i: int) -> tuple[Tensor, ...]:
        with no_grad():
            return (function(*inputs, **settings),)

    def backward(i: int) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = grad(function(*inputs, **settings), inputs, c)
        return found

    def double(i: int) -> tuple[Tensor, ...]:
        gx = grad(function(*inputs, **settings), inputs[0], c, create_graph=True)
        found: tuple[Tensor, ...] = grad(gx, [*inputs, c], direction, unreached="zeros")
        return found

    return {"forward": forward, "backward": backward, "double": double}[load["pass"]]
