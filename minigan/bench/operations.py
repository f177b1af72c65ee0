"""Single ops: forward, with the gradient, and with the gradient of a gradient.

The passes include one another, as they do in a training step: "backward" is a forward and the
gradients of all inputs, "double" a forward, the recorded gradient of the first input, and the
gradients of that with respect to everything.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import numpy as np

from minigan import ops
from minigan.backend import default
from minigan.bench.records import Operation
from minigan.engine import Tensor, grad, no_grad

PASSES = ("forward", "backward", "double")


class Case(NamedTuple):
    """An op and the shapes of its inputs; the first is without the batch, weights have none."""

    op: str
    shapes: list[tuple[int, ...]]
    settings: dict[str, Any] = {}


HALVED = {"stride": 2, "padding": 1}
CASES = {
    "dense 784 to 128": Case("affine", [(784,), (784, 128), (128,)]),
    "dense 100 to 6272": Case("affine", [(100,), (100, 6272), (6272,)]),
    "conv 4x4/2 28x28x1 to 64": Case("conv2d", [(28, 28, 1), (4, 4, 1, 64)], HALVED),
    "conv 4x4/2 14x14x64 to 128": Case("conv2d", [(14, 14, 64), (4, 4, 64, 128)], HALVED),
    "conv 4x4/2 32x32x64 to 128": Case("conv2d", [(32, 32, 64), (4, 4, 64, 128)], HALVED),
    "conv 3x3 14x14x48 to 48": Case("conv2d", [(14, 14, 48), (3, 3, 48, 48)], {"padding": 1}),
    "transposed 4x4/2 7x7x128 to 64": Case(
        "conv_transpose2d", [(7, 7, 128), (4, 4, 64, 128)], HALVED),
    "transposed 4x4/2 16x16x128 to 64": Case(
        "conv_transpose2d", [(16, 16, 128), (4, 4, 64, 128)], HALVED),
    "transposed 4x4/2 14x14x64 to 1": Case(
        "conv_transpose2d", [(14, 14, 64), (4, 4, 1, 64)], HALVED),
    "batch norm 14x14x64": Case("batch_norm", [(14, 14, 64), (64,), (64,)]),
    "layer norm 7x7x128": Case("layer_norm", [(7, 7, 128), (128,), (128,)], {"axes": (1, 2, 3)}),
}


def prepare(name: str, which: str, batch: int) -> Operation:
    """A case's op and pass, with inputs and cotangents of normal numbers."""
    case = CASES[name]
    draw = np.random.Generator(np.random.Philox(2014)).standard_normal
    first, *weights = case.shapes
    shapes = [(batch, *first), *weights]
    inputs = [draw(shape).astype("float32") for shape in shapes]
    with no_grad():
        y = getattr(ops, case.op)(*map(Tensor, inputs), **case.settings)
    return Operation(
        name=f"{name}, {which}",
        op=case.op,
        which=which,
        batch=batch,
        inputs=inputs,
        settings=case.settings,
        cotangent=draw(y.shape).astype("float32"),
        direction=draw(inputs[0].shape).astype("float32"))


def build(operation: Operation) -> Callable[[int], tuple[Tensor, ...]]:
    """One pass as a function of its number, which it ignores; it returns its results."""
    xp = default()
    function = getattr(ops, operation.op)
    settings = operation.settings
    inputs = [Tensor(xp.from_host(x), requires_grad=True) for x in operation.inputs]
    c = Tensor(xp.from_host(operation.cotangent), requires_grad=True)
    direction = Tensor(xp.from_host(operation.direction))

    def forward(i: int) -> tuple[Tensor, ...]:
        with no_grad():
            return (function(*inputs, **settings),)

    def backward(i: int) -> tuple[Tensor, ...]:
        gradients: tuple[Tensor, ...] = grad(function(*inputs, **settings), inputs, c)
        return gradients

    def double(i: int) -> tuple[Tensor, ...]:
        gx = grad(function(*inputs, **settings), inputs[0], c, create_graph=True)
        gradients: tuple[Tensor, ...] = grad(gx, [*inputs, c], direction, unreached="zeros")
        return gradients

    return {"forward": forward, "backward": backward, "double": double}[operation.which]
