"""Collects the nodes and the constants of an ONNX graph."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from minigan.portable.calls import BATCH, Call, Sizes, Traced
from minigan.portable.packages import onnx_package


class Writer:
    """An ONNX graph to be.

    nodes: in order. constants: arrays by name. aliases: names in the graph, by those in the calls,
    where they differ. call: the one whose nodes are added now.

    Raises:
        RuntimeError: the package onnx cannot be imported.
    """

    call: Call

    def __init__(self, traced: Traced) -> None:
        self.onnx = onnx_package()
        self.traced = traced
        self.nodes: list[Any] = []
        self.constants = dict(traced.constants)
        self.aliases: dict[str, str] = {}

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node. kind: ONNX's operator. Returns the name of its result."""
        return self.named(f"{kind}{len(self.nodes) + 1}", kind, *inputs, **attributes)

    def named(self, name: str, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node whose result has that name."""
        node = self.onnx.helper.make_node(kind, inputs, [name], name, **attributes)
        self.nodes.append(node)
        return name

    def result(self, x: str | float) -> str:
        """The name of an input, a constant or a result, or of a number as a constant."""
        if isinstance(x, str):
            return self.aliases.get(x, x)
        return self.constant(np.float32(x))

    def constant(self, value: Any) -> str:
        """The name of a constant that is not a weight."""
        array = np.asarray(value)
        name = f"{array.dtype}:{json.dumps(array.tolist())}"
        self.constants[name] = array
        return name

    def integers(self, values: Any) -> str:
        """The name of a constant vector of integers."""
        return self.constant(np.array([*values], np.int64))

    def cast(self, x: str, dtype: Any) -> str:
        """x in another dtype."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.node("Cast", x, to=kind)

    def reshape(self, x: str, shape: Sizes) -> str:
        """x in another shape."""
        return self.node("Reshape", x, self.integers(numbers(shape, -1)))

    def batch(self) -> str:
        """The name of a vector with one number: how many images there are."""
        start = next(iter(self.traced.inputs))
        shape = self.node("Shape", start)
        return self.node("Slice", shape, self.integers([0]), self.integers([1]))

    def kernel(self, w: str) -> str:
        """A kernel (KH, KW, C_in, C_out) as ONNX's (C_out, C_in, KH, KW)."""
        if w not in self.constants:
            return self.node("Transpose", w, perm=(3, 2, 0, 1))
        name = f"{w}.kernel"
        self.constants[name] = self.constants[w].transpose(3, 2, 0, 1)
        return name

    def used(self) -> dict[str, np.ndarray]:
        """The constants that a node takes."""
        names = {name for node in self.nodes for name in node.input}
        return {name: array for name, array in self.constants.items() if name in names}


def numbers(shape: Sizes, batch: int) -> list[int]:
    """The sizes of a shape, with that number in place of "N"."""
    return [batch if size == BATCH else int(size) for size in shape]
