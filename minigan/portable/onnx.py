"""A generator as an ONNX file, which onnxruntime and many other programs read.

    session = onnxruntime.InferenceSession("generator.onnx")
    z = np.random.default_rng(0).standard_normal((16, 64), "float32")
    images, = session.run(None, {"z": z, "labels": np.arange(16) % 10})

What goes in and what comes out is as in minigan: images are (N, H, W, C), and N may be any number.
No package is needed to write such a file. Its opset is of 2020, older than nearly every runtime in
use.

Source: Open Neural Network Exchange, "onnx.proto", version 1.8, for the numbers of the fields.
"""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from minigan.portable.calls import Sizes, Traced
from minigan.portable.onnx_rules import TYPES, Node, Writer
from minigan.portable.protobuf import message
from minigan.portable.simplify import simplified
from minigan.version import __version__

OPSET = 13
IR_VERSION = 7  # of the file's format, the one that belongs to the opset


def onnx_file(traced: Traced, facts: Mapping[str, str], about: str) -> bytes:
    """The content of an ONNX file.

    traced: a generator as calls. facts: what the file says about itself, by name, as texts. about:
    the same for people, the docstring of the model.

    Raises:
        ValueError: an op has no counterpart in ONNX; names it and its layer.
    """
    given = ", ".join([f'"{name}": {name}' for name in traced.inputs])
    about = f"{about}\nWith onnxruntime: images, = session.run(None, {{{given}}})"
    opset = message({1: "", 2: OPSET})
    return message({
        1: IR_VERSION, 2: "minigan", 3: __version__, 6: about, 7: _graph(traced), 8: opset,
        14: [message({1: name, 2: fact}) for name, fact in facts.items()]})


def _graph(traced: Traced) -> bytes:
    fewer = simplified(traced)
    writer = Writer(fewer)
    for call in fewer.calls:
        writer.add(call)

    result = "translated" if "images" in fewer.inputs else "images"
    last = Node("Identity", (writer.result(fewer.output),), result, {})
    writer.nodes.append(last)
    return message({
        1: [_node(node) for node in writer.nodes],
        2: "generator",
        5: [_tensor(name, array) for name, array in writer.used().items()],
        11: [_declared(name, shape) for name, shape in fewer.inputs.items()],
        12: _declared(result, fewer.shape_of(fewer.output))})


def _node(node: Node) -> bytes:
    attributes = [_attribute(name, value) for name, value in node.attributes.items()]
    return message({1: node.inputs, 2: node.output, 3: node.output, 4: node.kind, 5: attributes})


def _attribute(name: str, value: Any) -> bytes:
    """An attribute: a float, an int, or ints."""
    if isinstance(value, float):
        return message({1: name, 2: value, 20: 1})
    if isinstance(value, int):
        return message({1: name, 3: value, 20: 2})
    return message({1: name, 8: [int(one) for one in value], 20: 7})


def _tensor(name: str, array: np.ndarray) -> bytes:
    """A constant, its elements in C order, the lowest byte first."""
    elements = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return message({1: array.shape, 2: TYPES[str(array.dtype)], 8: name, 9: elements})


def _declared(name: str, shape: Sizes) -> bytes:
    """An input or the output; a size that is a text may be any number."""
    sizes = [message({2 if isinstance(size, str) else 1: size}) for size in shape]
    tensor = message({1: TYPES["int64" if name == "labels" else "float32"],
                      2: message({1: sizes})})
    return message({1: name, 2: message({1: tensor})})
