"""The nodes of an ONNX graph that compute what a call computes: a rule for each op.

ONNX convolves (N, C, H, W), so each convolution stands between two transposes; runtimes move those
past the activations, where they cancel out.

Source: Open Neural Network Exchange, "ONNX operators", https://onnx.ai/onnx/operators, opset 13.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from minigan.geometry import Geometry
from minigan.portable.calls import BATCH, Call, Sizes, Traced

TO_CHANNELS_FIRST = (0, 3, 1, 2)
TO_CHANNELS_LAST = (0, 2, 3, 1)
TYPES = {"float32": 1, "uint8": 2, "int64": 7, "bool": 9, "float64": 11}  # ONNX's numbers of them
END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Node:
    """A node of the graph. kind: ONNX's operator. output: its name, and that of the result."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


class Writer:
    """Collects an ONNX graph; a rule adds the nodes of one call.

    nodes: in order. constants: arrays by name. aliases: names in the graph, by those in the calls,
    where they differ.
    """

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        self.nodes: list[Node] = []
        self.constants = dict(traced.constants)
        self.aliases: dict[str, str] = {}
        self.kernels: dict[str, str] = {}

    def add(self, call: Call) -> None:
        """The nodes of one call.

        Raises:
            ValueError: its op has no counterpart.
        """
        rule = RULES.get(call.op)
        if rule is None:
            raise _no_counterpart(call)
        inputs = [self.result(x) for x in call.inputs]
        self.aliases[call.output] = rule(self, call, *inputs)

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

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its result."""
        name = f"{kind}{len(self.nodes) + 1}"
        self.nodes.append(Node(kind, inputs, name, attributes))
        return name

    def integers(self, values: Any) -> str:
        """The name of a constant vector of integers."""
        return self.constant(np.array([int(value) for value in values], np.int64))

    def batch(self) -> str:
        """The name of a vector with one number: how many images there are."""
        start = next(iter(self.traced.inputs))
        return self.node("Slice", self.node("Shape", start), self.integers([0]), self.integers([1]))

    def reshape(self, x: str, shape: Sizes) -> str:
        """x in another shape."""
        sizes = [-1 if size == BATCH else size for size in shape]
        return self.node("Reshape", x, self.integers(sizes))

    def kernel(self, w: str) -> str:
        """A kernel (KH, KW, C_in, C_out) as ONNX's (C_out, C_in, KH, KW)."""
        if w not in self.constants:
            return self.node("Transpose", w, perm=(3, 2, 0, 1))
        if w not in self.kernels:
            self.kernels[w] = f"{w}.kernel"
            self.constants[self.kernels[w]] = self.constants[w].transpose(3, 2, 0, 1)
        return self.kernels[w]

    def used(self) -> dict[str, np.ndarray]:
        """The constants that a node takes."""
        names = {name for node in self.nodes for name in node.inputs}
        return {name: array for name, array in self.constants.items() if name in names}


def _no_counterpart(call: Call) -> ValueError:
    return ValueError(f"export: {call.op} in {call.layer} has no counterpart in ONNX")


Rule = Callable[..., str]  # (writer, call, *names of inputs) -> name of the result


def alike(kind: str) -> Rule:
    """The rule of an op that ONNX has, too."""
    def rule(writer: Writer, call: Call, *inputs: str) -> str:
        return writer.node(kind, *inputs)
    return rule


# ---------------------------------------------------------------- elements

def _leaky_relu(writer: Writer, call: Call, x: str) -> str:
    slope = call.settings["slope"]
    return writer.node("LeakyRelu", x, alpha=slope) if slope else writer.node("Relu", x)


def _bias_leaky_relu(writer: Writer, call: Call, x: str, b: str) -> str:
    return _leaky_relu(writer, call, writer.node("Add", x, b))


def _square(writer: Writer, call: Call, x: str) -> str:
    return writer.node("Mul", x, x)


def _log1p(writer: Writer, call: Call, x: str) -> str:
    return writer.node("Log", writer.node("Add", x, writer.result(1)))


def _clip(writer: Writer, call: Call, x: str) -> str:
    low, high = [writer.result(call.settings[name]) for name in ("low", "high")]
    return writer.node("Clip", x, low, high)


def _where(writer: Writer, call: Call, condition: str, a: str, b: str) -> str:
    return writer.node("Where", writer.node("Cast", condition, to=TYPES["bool"]), a, b)


def _keep(writer: Writer, call: Call, x: str, mask: str) -> str:
    return _where(writer, call, mask, x, writer.result(0))


def _is_zero(writer: Writer, call: Call, x: str) -> str:
    return writer.node("Cast", writer.node("Equal", x, writer.result(0)), to=TYPES["float32"])


def _astype(writer: Writer, call: Call, x: str) -> str:
    return writer.node("Cast", x, to=TYPES[str(call.settings["dtype"])])


# ---------------------------------------------------------------- products and convolutions

def _matmul(writer: Writer, call: Call, a: str, b: str) -> str:
    rank = len(call.shape)
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    if call.settings["ta"]:
        a = writer.node("Transpose", a, perm=swapped)
    if call.settings["tb"]:
        b = writer.node("Transpose", b, perm=swapped)
    return writer.node("MatMul", a, b)


def _affine(writer: Writer, call: Call, x: str, w: str, b: str) -> str:
    return writer.node("Add", writer.node("MatMul", x, w), b)


def _conv2d(writer: Writer, call: Call, x: str, w: str) -> str:
    images = writer.node("Transpose", x, perm=TO_CHANNELS_FIRST)
    y = writer.node("Conv", images, writer.kernel(w), **_sliding(call))
    return writer.node("Transpose", y, perm=TO_CHANNELS_LAST)


def _conv_transpose2d(writer: Writer, call: Call, y: str, w: str) -> str:
    """`output_padding` is what is left of the size that the convolution maps to y's."""
    g = Geometry(**call.settings)
    more = []
    for axis in (0, 1):
        reach = g.dilation[axis] * (g.kernel[axis] - 1) + 1
        least = g.stride[axis] * (g.out_size[axis] - 1) + reach - sum(g.pads[axis])
        more.append(g.in_size[axis] - least)
    images = writer.node("Transpose", y, perm=TO_CHANNELS_FIRST)
    x = writer.node("ConvTranspose", images, writer.kernel(w), output_padding=more,
                    **_sliding(call))
    return writer.node("Transpose", x, perm=TO_CHANNELS_LAST)


def _sliding(call: Call) -> dict[str, Any]:
    """How a kernel moves, as ONNX says it."""
    g = Geometry(**call.settings)
    (top, bottom), (left, right) = g.pads
    return {"kernel_shape": g.kernel, "strides": g.stride, "dilations": g.dilation,
            "pads": (top, left, bottom, right)}


# ---------------------------------------------------------------- shapes

def _reshape(writer: Writer, call: Call, x: str) -> str:
    return writer.reshape(x, call.shape)


def _broadcast_to(writer: Writer, call: Call, x: str) -> str:
    """A size of 1 keeps the size that is there; a constant is given the number of images."""
    sizes = [1 if size == BATCH else size for size in call.shape]
    y = writer.node("Expand", x, writer.integers(sizes))
    if BATCH not in call.shape or BATCH in writer.traced.shape_of(call.names[0]):
        return y
    axis = call.shape.index(BATCH)
    parts = [writer.integers([1] * axis), writer.batch(),
             writer.integers([1] * (len(sizes) - axis - 1))]
    return writer.node("Expand", y, writer.node("Concat", *parts, axis=0))


def _transpose(writer: Writer, call: Call, x: str) -> str:
    return writer.node("Transpose", x, perm=call.settings["axes"])


def _concatenate(writer: Writer, call: Call, *inputs: str) -> str:
    return writer.node("Concat", *inputs, axis=call.settings["axis"])


def _gather(writer: Writer, call: Call, table: str, rows: str) -> str:
    return writer.node("Gather", table, rows, axis=0)


def _cut(writer: Writer, call: Call, x: str) -> str:
    """An int is a slice of one element, whose axis the last reshape drops."""
    axes, starts, stops, steps = [], [], [], []
    entries = [entry for entry in call.settings["index"] if entry is not None]
    for axis, entry in enumerate(entries):
        if entry == slice(None):
            continue
        if not isinstance(entry, slice):
            entry = slice(entry, entry + 1 or None)
        step = 1 if entry.step is None else entry.step
        first, last = (0, END) if step > 0 else (END, -END)
        axes.append(axis)
        starts.append(first if entry.start is None else entry.start)
        stops.append(last if entry.stop is None else entry.stop)
        steps.append(step)
    y = writer.node("Slice", x, *map(writer.integers, (starts, stops, axes, steps)))
    return writer.reshape(y, call.shape)


def _put(writer: Writer, call: Call, x: str) -> str:
    """Zeros around x: what `ops.pad` does.

    Raises:
        ValueError: elements are put elsewhere than side by side.
    """
    before, after = [], []
    for entry, size in zip(call.settings["index"], call.shape):
        if not isinstance(entry, slice) or entry.step not in (None, 1):
            raise _no_counterpart(call)
        start, stop, _ = (0, 0, 1) if size == BATCH else entry.indices(int(size))
        before.append(start)
        after.append(0 if size == BATCH else int(size) - stop)
    return writer.node("Pad", x, writer.integers([*before, *after]))


# ---------------------------------------------------------------- sums

def _total(writer: Writer, call: Call, x: str) -> str:
    return _sum(writer, x, call.settings["axis"], call.settings["keepdims"])


def _mean(writer: Writer, call: Call, x: str) -> str:
    s = call.settings
    return writer.node("ReduceMean", x, axes=s["axes"], keepdims=int(s["keepdims"]))


def extreme(kind: str, keepdims: int = 0) -> Rule:
    """The rule of the largest or the smallest."""
    def rule(writer: Writer, call: Call, x: str) -> str:
        return writer.node(kind, x, axes=call.settings["axes"], keepdims=keepdims)
    return rule


def _dot(writer: Writer, call: Call, a: str, b: str) -> str:
    return _sum(writer, writer.node("Mul", a, b), call.settings["axes"], True)


def _squares(writer: Writer, call: Call, x: str) -> str:
    return _dot(writer, call, x, x)


def _variance(writer: Writer, call: Call, x: str, mean: str) -> str:
    away = writer.node("Sub", x, mean)
    return writer.node("ReduceMean", _square(writer, call, away), axes=call.settings["axes"],
                       keepdims=1)


def _standardize(writer: Writer, call: Call, x: str, gamma: str, beta: str, mean: str, var: str
                 ) -> str:
    above = writer.node("Add", var, writer.result(call.settings["eps"]))
    scale = writer.node("Div", gamma, writer.node("Sqrt", above))
    away = writer.node("Sub", x, mean)
    return writer.node("Add", writer.node("Mul", away, scale), beta)


def _sum(writer: Writer, x: str, axes: Any, keepdims: bool) -> str:
    return writer.node("ReduceSum", x, writer.integers(axes), keepdims=int(keepdims))


RULES: dict[str, Rule] = {
    "abs": alike("Abs"), "add": alike("Add"), "divide": alike("Div"), "exp": alike("Exp"),
    "log": alike("Log"), "maximum": alike("Max"), "minimum": alike("Min"),
    "multiply": alike("Mul"), "negative": alike("Neg"), "power": alike("Pow"),
    "scale": alike("Mul"), "sigmoid": alike("Sigmoid"), "sign": alike("Sign"),
    "softplus": alike("Softplus"), "sqrt": alike("Sqrt"), "subtract": alike("Sub"),
    "tanh": alike("Tanh"), "to": alike("Identity"),
    "leaky_relu": _leaky_relu, "bias_leaky_relu": _bias_leaky_relu, "square": _square,
    "log1p": _log1p, "clip": _clip, "where": _where, "keep": _keep, "is_zero": _is_zero,
    "astype": _astype,
    "matmul": _matmul, "affine": _affine, "conv2d": _conv2d, "conv_transpose2d": _conv_transpose2d,
    "reshape": _reshape, "broadcast_to": _broadcast_to, "transpose": _transpose,
    "concatenate": _concatenate, "gather": _gather, "slice": _cut, "scatter_add": _put,
    "sum": _total, "mean": _mean, "max": extreme("ReduceMax"), "min": extreme("ReduceMin"),
    "shift": extreme("ReduceMax", 1), "dot": _dot, "squares": _squares, "variance": _variance,
    "standardize": _standardize,
}
