"""The nodes of an ONNX graph that compute what a call computes: a rule for each op.

A rule takes the names of the call's inputs, and its settings by name. ONNX convolves (N, C, H, W),
so each convolution stands between two transposes; runtimes move those past the activations, where
they cancel out.

Source: Open Neural Network Exchange, "ONNX operators", https://onnx.ai/onnx/operators, opset 13.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from minigan.geometry import Geometry
from minigan.portable.calls import BATCH, Call, Sizes
from minigan.portable.onnx_writer import Writer, numbers

TO_CHANNELS_FIRST = (0, 3, 1, 2)
TO_CHANNELS_LAST = (0, 2, 3, 1)
END = np.iinfo(np.int64).max
Axes = tuple[int, ...]
Rule = Callable[..., str]  # (writer, *names of inputs, **settings) -> name of the result

RULES: dict[str, Rule] = {}  # by the name of the op
ALIKE = {  # ops that ONNX has, too
    "abs": "Abs", "add": "Add", "divide": "Div", "exp": "Exp", "log": "Log", "maximum": "Max",
    "minimum": "Min", "multiply": "Mul", "negative": "Neg", "power": "Pow", "scale": "Mul",
    "sigmoid": "Sigmoid", "sign": "Sign", "softplus": "Softplus", "sqrt": "Sqrt",
    "subtract": "Sub", "tanh": "Tanh", "to": "Identity",
}


def add_call(writer: Writer, call: Call) -> None:
    """The nodes of one call.

    Raises:
        ValueError: its op has no counterpart.
    """
    writer.call = call
    inputs = [writer.result(x) for x in call.inputs]
    if call.op in ALIKE:
        output = writer.node(ALIKE[call.op], *inputs)
    elif call.op in RULES:
        output = RULES[call.op](writer, *inputs, **call.settings)
    else:
        raise _no_counterpart(call)
    writer.aliases[call.output] = output


def _no_counterpart(call: Call) -> ValueError:
    return ValueError(f"export: {call.op} in {call.layer} has no counterpart in ONNX")


def rule(op: str) -> Callable[[Rule], Rule]:
    """Decorates the rule of an op. op: its name in `engine.OPS`."""
    def keep(function: Rule) -> Rule:
        RULES[op] = function
        return function
    return keep


# ---------------------------------------------------------------- elements

@rule("leaky_relu")
def _leaky_relu(writer: Writer, x: str, slope: float) -> str:
    if slope == 0:
        return writer.node("Relu", x)
    return writer.node("LeakyRelu", x, alpha=float(slope))


@rule("bias_leaky_relu")
def _bias_leaky_relu(writer: Writer, x: str, b: str, slope: float) -> str:
    y = writer.node("Add", x, b)
    return _leaky_relu(writer, y, slope)


@rule("square")
def _square(writer: Writer, x: str) -> str:
    return writer.node("Mul", x, x)


@rule("log1p")
def _log1p(writer: Writer, x: str) -> str:
    above = writer.node("Add", x, writer.result(1))
    return writer.node("Log", above)


@rule("clip")
def _clip(writer: Writer, x: str, low: float, high: float) -> str:
    return writer.node("Clip", x, writer.result(low), writer.result(high))


@rule("where")
def _where(writer: Writer, condition: str, a: str, b: str) -> str:
    chosen = writer.cast(condition, bool)
    return writer.node("Where", chosen, a, b)


@rule("keep")
def _keep(writer: Writer, x: str, mask: str) -> str:
    return _where(writer, mask, x, writer.result(0))


@rule("is_zero")
def _is_zero(writer: Writer, x: str) -> str:
    equal = writer.node("Equal", x, writer.result(0))
    return writer.cast(equal, np.float32)


@rule("astype")
def _astype(writer: Writer, x: str, dtype: Any) -> str:
    return writer.cast(x, dtype)


# ---------------------------------------------------------------- products and convolutions

@rule("matmul")
def _matmul(writer: Writer, a: str, b: str, ta: bool, tb: bool) -> str:
    *rest, rows, columns = range(len(writer.call.shape))
    swapped = (*rest, columns, rows)
    if ta:
        a = writer.node("Transpose", a, perm=swapped)
    if tb:
        b = writer.node("Transpose", b, perm=swapped)
    return writer.node("MatMul", a, b)


@rule("affine")
def _affine(writer: Writer, x: str, w: str, b: str) -> str:
    product = writer.node("MatMul", x, w)
    return writer.node("Add", product, b)


@rule("conv2d")
def _conv2d(writer: Writer, x: str, w: str, **geometry: Any) -> str:
    return _convolved("Conv", writer, x, w, Geometry(**geometry))


@rule("conv_transpose2d")
def _conv_transpose2d(writer: Writer, y: str, w: str, **geometry: Any) -> str:
    """`output_padding` is what is left of the size that the convolution maps to y's."""
    g = Geometry(**geometry)
    left = []
    for axis in (0, 1):
        reach = g.dilation[axis] * (g.kernel[axis] - 1) + 1
        steps = g.stride[axis] * (g.out_size[axis] - 1)
        least = steps + reach - sum(g.pads[axis])
        left.append(g.in_size[axis] - least)
    return _convolved("ConvTranspose", writer, y, w, g, output_padding=left)


def _convolved(kind: str, writer: Writer, x: str, w: str, g: Geometry, **more: Any) -> str:
    (top, bottom), (left, right) = g.pads
    pads = (top, left, bottom, right)
    images = writer.node("Transpose", x, perm=TO_CHANNELS_FIRST)
    y = writer.node(kind, images, writer.kernel(w), kernel_shape=g.kernel, strides=g.stride,
                    dilations=g.dilation, pads=pads, **more)
    return writer.node("Transpose", y, perm=TO_CHANNELS_LAST)


# ---------------------------------------------------------------- shapes

@rule("reshape")
def _reshape(writer: Writer, x: str, shape: Sizes) -> str:
    return writer.reshape(x, shape)


@rule("broadcast_to")
def _broadcast_to(writer: Writer, x: str, shape: Sizes) -> str:
    """A size of 1 keeps the size that is there; a constant is given the number of images."""
    y = writer.node("Expand", x, writer.integers(numbers(shape, 1)))
    given = writer.traced.shape_of(writer.call.names[0])
    if BATCH not in shape or BATCH in given:
        return y
    axis = shape.index(BATCH)
    before = writer.integers([1] * axis)
    after = writer.integers([1] * (len(shape) - axis - 1))
    sizes = writer.node("Concat", before, writer.batch(), after, axis=0)
    return writer.node("Expand", y, sizes)


@rule("transpose")
def _transpose(writer: Writer, x: str, axes: Axes) -> str:
    return writer.node("Transpose", x, perm=axes)


@rule("concatenate")
def _concatenate(writer: Writer, *inputs: str, axis: int) -> str:
    return writer.node("Concat", *inputs, axis=axis)


@rule("gather")
def _gather(writer: Writer, table: str, rows: str) -> str:
    return writer.node("Gather", table, rows, axis=0)


@rule("slice")
def _cut(writer: Writer, x: str, index: tuple[Any, ...]) -> str:
    """An int is a slice of one element, whose axis the last reshape drops, and adds those of None.

    ONNX takes a slice's numbers as vectors, one for all starts, and so on.
    """
    entries = [entry for entry in index if entry is not None]
    axes = [axis for axis, entry in enumerate(entries) if entry != slice(None)]
    bounds = [_bounds(entries[axis]) for axis in axes]
    vectors = [*zip(*bounds)] or [(), (), ()]
    starts, stops, steps = [writer.integers(vector) for vector in vectors]
    y = writer.node("Slice", x, starts, stops, writer.integers(axes), steps)
    return writer.reshape(y, writer.call.shape)


def _bounds(entry: slice | int) -> tuple[int, int, int]:
    """Where a slice, or an int, begins, where it ends, and its step."""
    if not isinstance(entry, slice):
        return entry, entry + 1 or END, 1
    step = 1 if entry.step is None else entry.step
    first, last = (0, END) if step > 0 else (END, -END)
    start = first if entry.start is None else entry.start
    stop = last if entry.stop is None else entry.stop
    return start, stop, step


@rule("scatter_add")
def _put(writer: Writer, x: str, index: tuple[Any, ...], shape: Sizes, repeats: bool) -> str:
    """Zeros around x: what `ops.pad` does.

    Raises:
        ValueError: elements are put elsewhere than side by side.
    """
    before = []
    after = []
    for entry, size in zip(index, numbers(shape, 0)):
        if not isinstance(entry, slice) or entry.step not in (None, 1):
            raise _no_counterpart(writer.call)
        start, stop, _ = entry.indices(size)
        before.append(start)
        after.append(size - stop)
    return writer.node("Pad", x, writer.integers([*before, *after]))


# ---------------------------------------------------------------- sums

@rule("sum")
def _sum(writer: Writer, x: str, axis: Axes, keepdims: bool) -> str:
    return writer.node("ReduceSum", x, writer.integers(axis), keepdims=int(keepdims))


@rule("mean")
def _mean(writer: Writer, x: str, axes: Axes, keepdims: bool, count: int) -> str:
    return writer.node("ReduceMean", x, axes=axes, keepdims=int(keepdims))


@rule("max")
def _max(writer: Writer, x: str, axes: Axes) -> str:
    return writer.node("ReduceMax", x, axes=axes, keepdims=0)


@rule("min")
def _min(writer: Writer, x: str, axes: Axes) -> str:
    return writer.node("ReduceMin", x, axes=axes, keepdims=0)


@rule("shift")
def _shift(writer: Writer, x: str, axes: Axes) -> str:
    return writer.node("ReduceMax", x, axes=axes, keepdims=1)


@rule("dot")
def _dot(writer: Writer, a: str, b: str, axes: Axes) -> str:
    product = writer.node("Mul", a, b)
    return _sum(writer, product, axes, True)


@rule("squares")
def _squares(writer: Writer, x: str, axes: Axes) -> str:
    return _dot(writer, x, x, axes)


@rule("variance")
def _variance(writer: Writer, x: str, mean: str, axes: Axes) -> str:
    away = writer.node("Sub", x, mean)
    square = writer.node("Mul", away, away)
    return writer.node("ReduceMean", square, axes=axes, keepdims=1)


@rule("standardize")
def _standardize(writer: Writer, x: str, gamma: str, beta: str, mean: str, var: str, eps: float
                 ) -> str:
    above = writer.node("Add", var, writer.result(eps))
    deviation = writer.node("Sqrt", above)
    scale = writer.node("Div", gamma, deviation)
    away = writer.node("Sub", x, mean)
    scaled = writer.node("Mul", away, scale)
    return writer.node("Add", scaled, beta)
