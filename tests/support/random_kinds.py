"""What random cases are made of: each kind draws shapes, settings and numbers for one group of ops.

A kind is a function of `Draws` to a `Case`. Functions with kinks and ties get numbers away from
them; the references are those of the op table, or NumPy's own one-line formula.
"""

from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np
import reference
from random_cases import Case, Draws, held_by_float32

from minigan import ops

KINDS: list[Callable[[Draws], Case]] = []


def kind(weight: int) -> Callable[[Callable[[Draws], Case]], Callable[[Draws], Case]]:
    """Draw this kind so many times as often as one of weight 1."""
    def register(draw: Callable[[Draws], Case]) -> Callable[[Draws], Case]:
        KINDS.extend([draw] * weight)
        return draw
    return register


def words(op: str, shapes: Any, **settings: Any) -> str:
    """A case in words."""
    told = "".join(f", {name} {value}" for name, value in settings.items())
    return f"{op} of {' and '.join(map(str, shapes))}{told}"


def shapes_of(arrays: list[np.ndarray]) -> list[tuple[int, ...]]:
    return [a.shape for a in arrays]


def some_axis(draws: Draws, ndim: int) -> Any:
    """An axis as people write it: None, one, counted from either end, or several in any order."""
    if ndim == 0 or draws.chance(0.15):
        return None
    axes = [i - ndim if draws.chance(0.3) else i for i in draws.some(ndim)]
    if len(axes) == 1 and draws.chance(0.6):
        return axes[0]
    return tuple(axes[k] for k in draws.order(len(axes)))


def broadcastable(draws: Draws, shape: tuple[int, ...], shorten: bool = True) -> tuple[int, ...]:
    """A shape that broadcasts against `shape`: some axes of size 1, some first ones left out."""
    narrowed = tuple(1 if draws.chance(0.4) else n for n in shape)
    return narrowed[draws.integer(0, len(shape)):] if shorten and draws.chance(0.5) else narrowed


# ---------------------------------------------------------------- the convolution family

def windows(draws: Draws) -> dict[str, Any]:
    """Stride, padding and dilation, each as an int or for both axes."""
    def either(low: int, high: int) -> Any:
        if draws.chance(0.5):
            return draws.integer(low, high)
        return draws.integer(low, high), draws.integer(low, high)

    padding = either(0, 2)
    if draws.chance(0.4):
        padding = tuple((draws.integer(0, 2), draws.integer(0, 2)) for _ in range(2))
    elif draws.chance(0.25):
        padding = "same"
    return {"stride": either(1, 3), "padding": padding,
            "dilation": 1 if draws.chance(0.6) else either(1, 2)}


def image_problem(draws: Draws) -> tuple[Any, ...]:
    """Images that a kernel fits into: sizes, kernel, channels and settings."""
    n, c_in, c_out = draws.integer(1, 2), draws.integer(1, 5), draws.integer(1, 5)
    kernel = draws.integer(1, 4), draws.integer(1, 4)
    settings = windows(draws)
    if draws.chance(0.3):
        kernel = (kernel[0], kernel[0])
        settings.update(stride=draws.integer(1, 2), dilation=1)
    reach = [d * (k - 1) + 1 for d, k in zip(reference.two(settings["dilation"]), kernel)]
    size = tuple(r + draws.integer(0, 2) for r in reach)
    return n, size, kernel, c_in, c_out, settings


@kind(3)
def conv2d(draws: Draws) -> Case:
    n, size, kernel, c_in, c_out, settings = image_problem(draws)
    arrays = [draws.uniform((n, *size, c_in)), draws.uniform((*kernel, c_in, c_out))]
    return Case(words("conv2d", shapes_of(arrays), **settings),
                lambda x, w: ops.conv2d(x, w, **settings), arrays,
                lambda x, w: reference.conv2d(x, w, **settings),
                lambda x, w: torch_conv2d(x, w, **settings), smooth=True,
                mixes=(0, 1))


@kind(3)
def conv2d_weight(draws: Draws) -> Case:
    n, size, kernel, c_in, c_out, settings = image_problem(draws)
    out = reference.conv_size(size, kernel, **settings)
    arrays = [draws.uniform((n, *size, c_in)), draws.uniform((n, *out, c_out))]
    return Case(words("conv2d_weight", shapes_of(arrays), kernel=kernel, **settings),
                lambda x, y: ops.conv2d_weight(x, y, kernel, **settings), arrays,
                lambda x, y: reference.conv2d_weight(x, y, kernel, **settings),
                lambda x, y: torch_conv2d_weight(x, y, kernel, **settings), smooth=True,
                mixes=(0, 1))


@kind(3)
def conv_transpose2d(draws: Draws) -> Case:
    n, size, kernel, c_in, c_out, settings = image_problem(draws)
    if settings["padding"] != "same":
        most = [max(s, d) - 1 for s, d in zip(reference.two(settings["stride"]),
                                              reference.two(settings["dilation"]))]
        settings["output_padding"] = tuple(draws.integer(0, m) for m in most)
        size = reference.conv_size(size, kernel, *[settings[name] for name in
                                                   ("stride", "padding", "dilation")])
        while min(reference.transpose_size(size, kernel, **settings)) < 1:
            size = size[0] + 1, size[1] + 1
    else:
        settings["output_padding"] = 0
    arrays = [draws.uniform((n, *size, c_out)), draws.uniform((*kernel, c_in, c_out))]
    return Case(words("conv_transpose2d", shapes_of(arrays), **settings),
                lambda y, w: ops.conv_transpose2d(y, w, **settings), arrays,
                lambda y, w: reference.conv_transpose2d(y, w, **settings),
                lambda y, w: torch_conv_transpose2d(y, w, **settings), smooth=True,
                mixes=(0, 1))


def torch_padded(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Images as PyTorch wants them, (N, C, H, W), with their padding."""
    import torch
    (top, bottom), (left, right) = reference.pads(padding, x.shape[1:3], kernel, stride, dilation)
    return torch.nn.functional.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))


def torch_conv2d(x: Any, w: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    import torch
    padded = torch_padded(x, w.shape[:2], stride, padding, dilation)
    kernels = w.permute(3, 2, 0, 1).contiguous()
    y = torch.nn.functional.conv2d(padded, kernels, stride=stride, dilation=dilation)
    return y.permute(0, 2, 3, 1)


def torch_conv2d_weight(x: Any, y: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
                        ) -> Any:
    import torch
    padded = torch_padded(x, kernel, stride, padding, dilation)
    fields = torch.nn.functional.unfold(padded, kernel, dilation, 0, stride)   # (N, C*KH*KW, L)
    w = torch.einsum("nkl,nlo->ko", fields, y.flatten(1, 2))
    return w.reshape(x.shape[3], *kernel, y.shape[3]).permute(1, 2, 0, 3)


def torch_conv_transpose2d(y: Any, w: Any, stride: Any, padding: Any, output_padding: Any,
                           dilation: Any) -> Any:
    import torch
    functional = torch.nn.functional
    height, width = size = reference.transpose_size(y.shape[1:3], w.shape[:2], stride, padding,
                                                    output_padding, dilation)
    (top, bottom), (left, right) = reference.pads(padding, size, w.shape[:2], stride, dilation)
    maps, kernels = y.permute(0, 3, 1, 2).contiguous(), w.permute(3, 2, 0, 1).contiguous()
    x = functional.conv_transpose2d(maps, kernels, stride=stride, dilation=dilation)
    missing = [max(n + before + after - m, 0) for n, before, after, m in
               zip(size, (top, left), (bottom, right), x.shape[2:])]
    x = functional.pad(x, (0, missing[1], 0, missing[0]))
    return x[:, :, top:top + height, left:left + width].permute(0, 2, 3, 1)


@kind(2)
def pooling(draws: Draws) -> Case:
    size = draws.integer(1, 3), draws.integer(1, 3)
    stride = None if draws.chance(0.4) else (draws.integer(1, 3), draws.integer(1, 3))
    shape = (draws.integer(1, 2), size[0] + draws.integer(0, 3), size[1] + draws.integer(0, 3),
             draws.integer(1, 3))
    x = draws.distinct(shape)
    op, of_window = draws.choice([("avg_pool2d", reference.mean_of), ("max_pool2d", max)])
    return Case(words(op, [shape], size=size, stride=stride),
                lambda x: getattr(ops, op)(x, size, stride), [x],
                lambda x: reference.pool(of_window, x, size, stride),
                lambda x: torch_pool(op, x, size, stride), smooth=op == "avg_pool2d")


def torch_pool(op: str, x: Any, size: Any, stride: Any) -> Any:
    import torch
    pool = getattr(torch.nn.functional, op)
    return pool(x.permute(0, 3, 1, 2), size, stride).permute(0, 2, 3, 1)


# ---------------------------------------------------------------- element by element

UNARY: dict[str, tuple[str, Any]] = {  # where its numbers are to be drawn, and NumPy's formula
    "negative": ("uniform", np.negative), "exp": ("uniform", np.exp),
    "log": ("positive", np.log), "log1p": ("positive", np.log1p), "sqrt": ("positive", np.sqrt),
    "square": ("uniform", lambda x: x * x), "abs": ("away", np.abs), "tanh": ("uniform", np.tanh),
    "sigmoid": ("uniform", reference.sigmoid), "softplus": ("uniform", reference.softplus),
    "log_sigmoid": ("uniform", reference.log_sigmoid), "relu": ("away", reference.relu)}


def elements(draws: Draws) -> tuple[int, ...]:
    """Any shape, now and then of no elements."""
    shape = draws.shape(0, 4)
    if shape and draws.chance(0.05):
        shape = (*shape[:-1], 0)
    return shape


@kind(3)
def unary(draws: Draws) -> Case:
    op = draws.choice(sorted(UNARY))
    how, formula = UNARY[op]
    x = getattr(draws, how)(elements(draws))
    return Case(words(op, [x.shape]), getattr(ops, op), [x], formula,
                lambda x: torch_unary(op, x), smooth=True)


def torch_unary(op: str, x: Any) -> Any:
    import torch
    named = {"log_sigmoid": "logsigmoid", "softplus": "softplus"}
    if op in named:
        return getattr(torch.nn.functional, named[op])(x)
    return getattr(torch, op)(x)


@kind(1)
def with_settings(draws: Draws) -> Case:
    """Leaky ReLU, clip, and powers by a number."""
    x = draws.away(elements(draws))
    op = draws.choice(["leaky_relu", "clip", "power", "number to the power"])
    if op == "leaky_relu":
        slope = draws.choice([0.0, 0.01, 0.2, 1.0])
        return Case(words(op, [x.shape], slope=slope), lambda x: ops.leaky_relu(x, slope), [x],
                    lambda x: reference.leaky_relu(x, slope), smooth=True)
    if op == "clip":
        low, high = draws.choice([(-0.2, 0.2), (-5.0, 5.0), (-5.0, 0.1)])
        return Case(words(op, [x.shape], low=low, high=high), lambda x: ops.clip(x, low, high), [x],
                    lambda x: reference.clip(x, low, high), smooth=True)
    x = held_by_float32(np.abs(x) + 0.5)
    n = draws.choice([0, 1, 2, 3, -1, -2, 0.5, -0.5, 2.5])
    if op == "power":
        return Case(words(op, [x.shape], n=n), lambda x: ops.power(x, n), [x],
                    lambda x: np.power(x, float(n)), smooth=True)
    base = draws.choice([2, 0.5, 3.0])
    return Case(words(f"{base} to the power", [x.shape]), lambda x: ops.power(base, x), [x],
                lambda x: np.power(float(base), x), smooth=True)


BINARY = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
          "power": np.power, "maximum": np.maximum, "minimum": np.minimum}


@kind(5)
def binary(draws: Draws) -> Case:
    op = draws.choice(sorted(BINARY))
    shape = elements(draws)
    shapes = [shape, broadcastable(draws, shape)][::draws.choice([1, -1])]
    if draws.chance(0.3):  # each of the two is repeated along some axis
        shapes = [broadcastable(draws, shape, shorten=False), broadcastable(draws, shape)]
    if op in ("maximum", "minimum"):
        a = draws.distinct(shapes[0])
        b = held_by_float32(draws.distinct(shapes[1]) + 0.15)     # 0.07 away from a at least
    elif op == "power":
        a, b = draws.positive(shapes[0]), draws.uniform(shapes[1])
    else:
        a, b = draws.uniform(shapes[0]), draws.away(shapes[1])
        if draws.chance(0.15):  # a constant beside the floats
            b = draws.choice([draws.integers(shapes[1], 1, 3), np.ones(shapes[1], bool)])
    return Case(words(op, shapes, types=f"{a.dtype}, {b.dtype}"), getattr(ops, op), [a, b],
                BINARY[op], lambda a, b: torch_binary(op, a, b))


def torch_binary(op: str, a: Any, b: Any) -> Any:
    import torch
    b = b.double() if b.dtype == torch.bool else b  # PyTorch subtracts no booleans
    return getattr(torch, {"power": "pow"}.get(op, op))(a, b)


@kind(1)
def arithmetic_with_numbers(draws: Draws) -> Case:
    x = draws.away(elements(draws))
    number = draws.choice([2, -3, 0.5, 1.25])
    formula = draws.choice([lambda x: number + x, lambda x: x - number, lambda x: number - x,
                            lambda x: x * number, lambda x: x / number, lambda x: number / x])
    return Case(words(f"arithmetic with {number}", [x.shape]), formula, [x], formula, formula,
                smooth=True)


@kind(1)
def where(draws: Draws) -> Case:
    shape = draws.shape(0, 3)
    condition = draws.booleans(broadcastable(draws, shape))
    a, b = draws.uniform(broadcastable(draws, shape)), draws.uniform(broadcastable(draws, shape))
    return Case(words("where", [condition.shape, a.shape, b.shape]), ops.where, [condition, a, b],
                np.where, lambda c, a, b: a * c + b * ~c)


# ---------------------------------------------------------------- reductions

REDUCTIONS: dict[str, Any] = {
    "sum": math.fsum, "mean": reference.mean_of, "var": reference.var_of, "max": max, "min": min,
    "norm": reference.norm_of, "logsumexp": reference.logsumexp_of}


@kind(5)
def reductions(draws: Draws) -> Case:
    op = draws.choice(sorted(REDUCTIONS))
    shape = draws.shape(0, 4, largest=draws.choice([3, 5]))
    if draws.chance(0.3):  # a long axis, for sums in parts
        shape = (draws.integer(6, 13), *draws.shape(0, 2))
        shape = tuple(shape[i] for i in draws.order(len(shape)))
    if op == "sum" and shape and draws.chance(0.05):
        shape = (0, *shape[1:])
    sharp = op in ("max", "min")
    x = draws.distinct(shape) if sharp else draws.away(shape)
    axis, keepdims = some_axis(draws, len(shape)), draws.chance(0.5)
    return Case(words(op, [shape], axis=axis, keepdims=keepdims),
                lambda x: getattr(ops, op)(x, axis, keepdims), [x],
                lambda x: reference.fold(REDUCTIONS[op], x, axis, keepdims),
                lambda x: torch_reduction(op, x, axis, keepdims), smooth=not sharp)


def torch_reduction(op: str, x: Any, axis: Any, keepdims: bool) -> Any:
    import torch
    axes = tuple(range(x.ndim)) if axis is None else axis
    if x.ndim == 0:
        return {"var": x * 0, "norm": abs(x)}.get(op, x * 1)
    if op == "var":
        return torch.var(x, axes, correction=0, keepdim=keepdims)
    if op == "norm":
        return torch.linalg.vector_norm(x, dim=axes, keepdim=keepdims)
    return getattr(torch, {"max": "amax", "min": "amin"}.get(op, op))(x, axes, keepdim=keepdims)


@kind(1)
def softmaxes(draws: Draws) -> Case:
    op = draws.choice(["softmax", "log_softmax"])
    x = draws.uniform(draws.shape(1, 3))
    axis = some_axis(draws, x.ndim)
    return Case(words(op, [x.shape], axis=axis), lambda x: getattr(ops, op)(x, axis), [x],
                lambda x: getattr(reference, op)(x, axis), lambda x: torch_softmax(op, x, axis),
                smooth=True)


def torch_softmax(op: str, x: Any, axis: Any) -> Any:
    import torch
    log_softmax = x - torch.logsumexp(x, tuple(range(x.ndim)) if axis is None else axis, True)
    return log_softmax if op == "log_softmax" else torch.exp(log_softmax)


# ---------------------------------------------------------------- normalisation

def scales(draws: Draws, shape: tuple[int, ...]) -> list[np.ndarray]:
    """gamma and beta, which need not be repeated along the same axes."""
    gamma, beta = broadcastable(draws, shape), broadcastable(draws, shape)
    if draws.chance(0.3):
        gamma = beta = shape[-1:]
    return [draws.away(gamma), draws.uniform(beta)]


@kind(5)
def normalisations(draws: Draws) -> Case:
    op = draws.choice(["batch_norm", "layer_norm", "layer_norm", "instance_norm"])
    if op == "instance_norm":
        shape = (draws.integer(1, 3), draws.integer(2, 3), draws.integer(1, 3), draws.integer(1, 3))
        axes: Any = (1, 2)
    else:
        shape = draws.shape(2, 4)
        axes = tuple(range(len(shape) - 1))
        if op == "batch_norm" and math.prod(shape[:-1]) == 1:
            shape = (2, *shape[1:])  # of one value a channel there are no statistics
    settings: dict[str, Any] = {"eps": draws.choice([1e-5, 0.1])}
    if op == "layer_norm":
        settings["axes"] = axes = some_axis(draws, len(shape))
    arrays = [draws.distinct(shape), *scales(draws, shape)]
    return Case(words(op, shapes_of(arrays), **settings),
                lambda x, g, b: getattr(ops, op)(x, g, b, **settings), arrays,
                lambda x, g, b: reference.norm_over(x, g, b, axes, settings["eps"]),
                lambda x, g, b: torch_norm(x, g, b, axes, settings["eps"]), mixes=(1, 2))


def torch_norm(x: Any, gamma: Any, beta: Any, axes: Any, eps: float) -> Any:
    axes = tuple(range(x.ndim)) if axes is None else axes
    mean, var = x.mean(axes, True), x.var(axes, correction=0, keepdim=True)
    return gamma * (x - mean) / (var + eps) ** 0.5 + beta


@kind(1)
def normalize(draws: Draws) -> Case:
    shape = draws.shape(1, 4)
    mean, var = draws.uniform(broadcastable(draws, shape)), draws.positive(
        broadcastable(draws, shape))
    arrays = [draws.uniform(shape), mean, var, *scales(draws, shape)]
    return Case(words("normalize", shapes_of(arrays)), ops.normalize, arrays, reference.normalize,
                lambda x, m, v, g, b: g * (x - m) / (v + 1e-5) ** 0.5 + b)


@kind(1)
def moments(draws: Draws) -> Case:
    x = draws.distinct(draws.shape(1, 4))
    axes = some_axis(draws, x.ndim)
    return Case(words("moments", [x.shape], axes=axes), lambda x: ops.moments(x, axes), [x],
                lambda x: reference.moments(x, axes), smooth=True)


# ---------------------------------------------------------------- picking and putting back

def some_index(draws: Draws, shape: tuple[int, ...]) -> tuple[list[Any], list[np.ndarray]]:
    """An index for an array of that shape; arrays are left out of it (`Ellipsis` has no such use).

    Returns its parts, with the numbers 0, 1, ... in a list where the arrays belong, and the arrays.
    """
    parts: list[Any] = []
    arrays: list[np.ndarray] = []
    common = draws.shape(0, 2, largest=3)         # of index arrays, which broadcast
    stop = draws.integer(0, len(shape))           # later axes are left out, or named by an ellipsis
    for n in shape[:stop]:
        if draws.chance(0.1):
            parts.append(None)
        way = draws.choice(["int", "slice", "slice", "array", "mask"])
        if way == "int":
            parts.append(draws.integer(-n, n - 1))
        elif way == "slice":
            parts.append(some_slice(draws, n))
        else:
            if way == "array" or arrays:
                part = draws.integers(broadcastable(draws, common), -n, n - 1)
            else:
                part = draws.booleans((n,))
                common = (int(part.sum()),)
            parts.append([len(arrays)])
            arrays.append(part)
    if draws.chance(0.3):
        parts.append(...)
        if stop < len(shape) and draws.chance(0.5):
            parts.append(some_slice(draws, shape[-1]))
    return parts, arrays


def some_slice(draws: Draws, n: int) -> slice:
    """Forwards or backwards, in steps, with bounds inside, outside or left out."""
    step = draws.choice([None, 1, 1, 2, 3, -1, -2])
    bounds = [None if draws.chance(0.4) else draws.integer(-n - 1, n + 1) for _ in range(2)]
    return slice(bounds[0], bounds[1], step)


def put_together(parts: list[Any], arrays: Any) -> Any:
    """The index: tensors or arrays in their places."""
    index = tuple(arrays[part[0]] if isinstance(part, list) else part for part in parts)
    return index[0] if len(index) == 1 else index


def index_words(parts: list[Any], arrays: list[np.ndarray]) -> str:
    return str(put_together(parts, [a.tolist() for a in arrays]))


@kind(4)
def getitem(draws: Draws) -> Case:
    x = draws.uniform(draws.shape(1, 3))
    parts, arrays = some_index(draws, x.shape)

    def slow(x: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
        places = np.arange(x.size).reshape(x.shape)[put_together(parts, arrays)]
        return np.array([x.ravel()[i] for i in np.ravel(places)]).reshape(np.shape(places))

    backwards = any(isinstance(part, slice) and (part.step or 1) < 0 for part in parts)
    return Case(words("getitem", [x.shape], index=index_words(parts, arrays)),
                lambda x, *arrays: x[put_together(parts, arrays)], [x, *arrays], slow,
                None if arrays or backwards else lambda x: x[put_together(parts, [])], smooth=True)


@kind(2)
def scatter_add(draws: Draws) -> Case:
    shape = draws.shape(1, 3)
    parts, arrays = some_index(draws, shape)
    values = draws.uniform(np.zeros(shape)[put_together(parts, arrays)].shape)
    return Case(words("scatter_add", [values.shape], index=index_words(parts, arrays), to=shape),
                lambda v, *arrays: ops.scatter_add(v, put_together(parts, arrays), shape),
                [values, *arrays],
                lambda v, *arrays: reference.scatter_add(v, put_together(parts, arrays), shape),
                smooth=True)


@kind(1)
def embedding(draws: Draws) -> Case:
    table = draws.uniform((draws.integer(1, 4), draws.integer(1, 4)))
    ids = draws.integers(draws.shape(0, 2), 0, len(table) - 1)
    return Case(words("embedding", [ids.shape, table.shape]),
                lambda table, ids: ops.embedding(ids, table), [table, ids],
                lambda table, ids: reference.embedding(ids, table), lambda table, ids: table[ids],
                smooth=True)


# ---------------------------------------------------------------- moving elements

@kind(4)
def shapes(draws: Draws) -> Case:
    x = draws.uniform(draws.shape(0, 4))
    op = draws.choice(["reshape", "transpose", "expand_dims", "squeeze", "broadcast_to", "pad"])
    if op == "reshape":
        to: Any = tuple(x.shape[i] for i in draws.order(x.ndim))
        to = draws.choice([to, -1, (x.size,), (*to, 1), (1, -1), (*to[:-1], -1) if to else -1])
        return Case(words(op, [x.shape], to=to), lambda x: ops.reshape(x, to), [x],
                    lambda x: np.array(x.ravel().tolist()).reshape(to), smooth=True)
    if op == "transpose":
        axes = tuple(i - x.ndim if draws.chance(0.2) else i for i in draws.order(x.ndim))
        return Case(words(op, [x.shape], axes=axes), lambda x: ops.transpose(x, axes), [x],
                    lambda x: np.transpose(x, axes), smooth=True)
    if op == "expand_dims":
        axis = draws.integer(-x.ndim - 1, x.ndim)
        return Case(words(op, [x.shape], axis=axis), lambda x: ops.expand_dims(x, axis), [x],
                    lambda x: np.expand_dims(x, axis), smooth=True)
    if op == "squeeze":
        axis = draws.integer(0, x.ndim)
        x = np.expand_dims(x, axis)
        return Case(words(op, [x.shape], axis=axis), lambda x: ops.squeeze(x, axis), [x],
                    lambda x: x.reshape(x.shape[:axis] + x.shape[axis + 1:]), smooth=True)
    if op == "broadcast_to":
        shape, x = x.shape, draws.uniform(broadcastable(draws, x.shape))
        return Case(words(op, [x.shape], to=shape), lambda x: ops.broadcast_to(x, shape), [x],
                    lambda x: x + np.zeros(shape), smooth=True)
    widths = [(draws.integer(0, 2), draws.integer(0, 2)) for _ in x.shape]
    value = draws.choice([0.0, 0.0, 1.5])
    return Case(words(op, [x.shape], widths=widths, value=value),
                lambda x: ops.pad(x, widths, value), [x],
                lambda x: reference.pad(x, widths, value), smooth=True)


@kind(2)
def joined(draws: Draws) -> Case:
    shape, n = draws.shape(1, 3), draws.integer(1, 4)
    axis = draws.integer(0, len(shape) - 1)
    op = draws.choice(["concatenate", "stack"])
    if op == "concatenate":
        sizes = [draws.integer(0 if draws.chance(0.1) else 1, 3) for _ in range(n)]
        parts = [draws.uniform((*shape[:axis], m, *shape[axis + 1:])) for m in sizes]
    else:
        parts = [draws.uniform(shape) for _ in range(n)]
    axis = axis - len(shape) if draws.chance(0.3) else axis
    return Case(words(op, shapes_of(parts), axis=axis), lambda *xs: getattr(ops, op)(xs, axis),
                parts, lambda *xs: getattr(np, op)(xs, axis), smooth=True,
                mixes=range(n) if op == "concatenate" and n > 1 else ())


@kind(1)
def neighbours(draws: Draws) -> Case:
    if draws.chance(0.5):
        x = draws.uniform((draws.integer(1, 2), *draws.shape(3, 3, largest=3)))
        scale = draws.integer(1, 3)
        return Case(words("upsample_nearest", [x.shape], scale=scale),
                    lambda x: ops.upsample_nearest(x, scale), [x],
                    lambda x: reference.upsample_nearest(x, scale), smooth=True)
    m = draws.integer(1, 3)
    x = draws.uniform((m * draws.integer(1, 2), *draws.shape(1, 3, largest=3)))
    return Case(words("pack", [x.shape], m=m), lambda x: ops.pack(x, m), [x],
                lambda x: reference.pack(x, m), smooth=True)


# ---------------------------------------------------------------- products

@kind(4)
def matmul(draws: Draws) -> Case:
    m, k, n = (draws.integer(1, 4) for _ in range(3))
    batch = draws.shape(0, 2, largest=3)
    stacks = [batch, broadcastable(draws, batch)][::draws.choice([1, -1])]
    if draws.chance(0.3):
        stacks = [broadcastable(draws, batch, shorten=False), broadcastable(draws, batch)]
    turn = draws.chance(0.4), draws.chance(0.4)
    shapes = [(*stacks[0], k, m) if turn[0] else (*stacks[0], m, k),
              (*stacks[1], n, k) if turn[1] else (*stacks[1], k, n)]
    if draws.chance(0.2):
        shapes[0], turn = (k,), (False, turn[1])
    if draws.chance(0.2):
        shapes[1], turn = (k,), (turn[0], False)
    arrays = [draws.uniform(shape) for shape in shapes]
    return Case(words("matmul", shapes, transposed=turn),
                lambda a, b: ops.matmul(a, b, *turn), arrays,
                lambda a, b: reference.matmul(swapped(a, turn[0]), swapped(b, turn[1])),
                lambda a, b: swapped(a, turn[0]) @ swapped(b, turn[1]), smooth=True,
                mixes=(0, 1))


def swapped(a: Any, wanted: bool) -> Any:
    return a.swapaxes(-1, -2) if wanted else a


@kind(2)
def layers(draws: Draws) -> Case:
    c_in, c_out = draws.integer(1, 4), draws.integer(1, 4)
    lead = draws.shape(1, 3)
    if draws.chance(0.5):
        arrays = [draws.uniform((*lead, c_in)), draws.uniform((c_in, c_out)),
                  draws.uniform((c_out,))]
        return Case(words("affine", shapes_of(arrays)), ops.affine, arrays,
                    lambda x, w, b: reference.matmul(x, w) + b, lambda x, w, b: x @ w + b,
                    smooth=True, mixes=(0, 1, 2))
    x = draws.distinct((*lead, c_out))
    b = held_by_float32(0.3 * draws.integers((c_out,), -3, 3))    # sums stay away from the kink
    slope = draws.choice([0.0, 0.2, 1.0])
    return Case(words("bias_leaky_relu", [x.shape, b.shape], slope=slope),
                lambda x, b: ops.bias_leaky_relu(x, b, slope), [x, b],
                lambda x, b: reference.leaky_relu(x + b, slope))


# ---------------------------------------------------------------- losses

@kind(2)
def losses(draws: Draws) -> Case:
    op = draws.choice(["binary_cross_entropy_with_logits", "softmax_cross_entropy",
                       "mean_squared_error"])
    if op == "softmax_cross_entropy":
        logits = draws.uniform((draws.integer(1, 4), draws.integer(1, 4)))
        labels = draws.integers((len(logits),), 0, logits.shape[1] - 1)
        return Case(words(op, [logits.shape]), ops.softmax_cross_entropy, [logits, labels],
                    reference.softmax_cross_entropy,
                    lambda z, labels: torch_loss("cross_entropy", z, labels), smooth=True)
    shape = draws.shape(0, 3)
    arrays = [draws.uniform(shape), draws.uniform(shape, 0.0, 1.0)]
    theirs = {"mean_squared_error": "mse_loss"}.get(op, op)
    return Case(words(op, [shape]), getattr(ops, op), arrays, getattr(reference, op),
                lambda z, target: torch_loss(theirs, z, target), smooth=True)


def torch_loss(name: str, z: Any, target: Any) -> Any:
    import torch
    return getattr(torch.nn.functional, name)(z, target)


# ---------------------------------------------------------------- small networks of ops

class Node:
    """A step of a random network: minigan's function, NumPy's, and the earlier values it takes.

    view: whether the result shares the memory of the first of these.
    """

    def __init__(self, name: str, ours: Any, slow: Any, takes: tuple[int, ...], view: bool = False
                 ) -> None:
        self.name, self.ours, self.slow, self.takes, self.view = name, ours, slow, takes, view


def some_node(draws: Draws, shapes: list[tuple[int, ...]]) -> Node:
    """The next step, given the shapes of what is there."""
    i = draws.integer(0, len(shapes) - 1)
    if draws.chance(0.5):  # what came last, for longer paths
        i = len(shapes) - 1
    shape = shapes[i]
    alike = [j for j, other in enumerate(shapes) if broadcasts(shape, other)]
    j = draws.choice(alike)
    axis = some_axis(draws, len(shape))
    kept = draws.chance(0.5)
    nodes = [
        Node("tanh", ops.tanh, np.tanh, (i,)),
        Node("sigmoid", ops.sigmoid, reference.sigmoid, (i,)),
        Node("softplus", ops.softplus, reference.softplus, (i,)),
        Node("square", lambda a: ops.square(ops.tanh(a)), lambda a: np.tanh(a) ** 2, (i,)),
        Node("times 0.7", lambda a: a * 0.7, lambda a: a * 0.7, (i,)),
        Node("add", lambda a, b: a + b, lambda a, b: a + b, (i, j)),
        Node("subtract", lambda a, b: a - b, lambda a, b: a - b, (i, j)),
        *4 * [Node("multiply", lambda a, b: a * b, lambda a, b: a * b, (i, j))],
        Node(f"mean {axis}", lambda a: ops.mean(a, axis, kept),
             lambda a: reference.fold(reference.mean_of, a, axis, kept), (i,)),
        Node(f"var {axis}", lambda a: ops.var(a, axis, kept),
             lambda a: reference.fold(reference.var_of, a, axis, kept), (i,)),
        Node(f"logsumexp {axis}", lambda a: ops.logsumexp(a, axis, kept),
             lambda a: reference.fold(reference.logsumexp_of, a, axis, kept), (i,)),
    ]
    if len(shape) > 0:
        turned = tuple(shape[k] for k in range(len(shape))[::-1])
        nodes += [
            Node("a new axis", lambda a: a[None], lambda a: a[None], (i,), view=True),
            Node("the first", lambda a: a[0], lambda a: a[0], (i,), view=True),
            Node("backwards", lambda a: a[::-1], lambda a: a[::-1], (i,), view=True),
            Node("softmax", ops.softmax, reference.softmax, (i,)),
            Node("repeated", lambda a: ops.broadcast_to(a, (2, *shape)),
                 lambda a: a + np.zeros((2, *shape)), (i,), view=True),
        ]
        if len(shape) > 1:
            nodes.append(Node("transpose", ops.transpose, np.transpose, (i,), view=True))
            if turned != shape:
                nodes.append(Node("reshape", lambda a: ops.reshape(a, turned),
                                  lambda a: a.reshape(turned), (i,), view=True))
        same = [j for j, other in enumerate(shapes) if other == shape]
        j2 = draws.choice(same)
        nodes.append(Node("concatenate", lambda a, b: ops.concatenate([a, b]),
                          lambda a, b: np.concatenate([a, b]), (i, j2)))
    fits = [j for j, other in enumerate(shapes) if len(shape) == len(other) == 2
            and shape[1] == other[0]]
    if fits:
        nodes += 3 * [Node("matmul", ops.matmul, reference.matmul, (i, draws.choice(fits)))]
    return draws.choice(nodes)


def broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1]))


@kind(9)
def networks(draws: Draws) -> Case:
    base = draws.shape(1, 3, largest=3)
    n = draws.integer(1, 3)
    leaves = [draws.uniform(broadcastable(draws, base)) for _ in range(n)]
    values: list[np.ndarray] = [*leaves]
    nodes: list[Node] = []

    def follows(node: Node) -> None:
        """Take a step, unless its result is large."""
        result = np.asarray(node.slow(*[values[i] for i in node.takes]))
        if result.size <= 60 and np.max(np.abs(result), initial=0) < 30:
            nodes.append(node)
            values.append(result)

    for _ in range(draws.integer(2, 6)):
        follows(some_node(draws, [v.shape for v in values]))
    read = {i for node in nodes for i in node.takes}
    for i in [i for i in range(len(values) - 1) if i not in read]:  # nothing is left out
        end = len(values) - 1
        if not broadcasts(values[end].shape, values[i].shape):
            follows(Node("mean", ops.mean, np.mean, (i,)))
            i = len(values) - 1
        follows(Node("multiply", lambda a, b: a * b, lambda a, b: a * b, (end, i)))
    outputs = [len(values) - 1]
    if len(nodes) > 1 and draws.chance(0.3):
        outputs.append(draws.integer(n, len(values) - 2))

    def evaluate(which: str, *inputs: Any) -> tuple[Any, ...]:
        found = [*inputs]
        for node in nodes:
            found.append(getattr(node, which)(*[found[i] for i in node.takes]))
        return tuple(found[i] for i in outputs)

    chain = "; ".join(f"{node.name} {', '.join(map(str, node.takes))}" for node in nodes)
    return Case(words("network", shapes_of(leaves), of=chain, giving=outputs),
                lambda *xs: evaluate("ours", *xs), leaves, lambda *xs: evaluate("slow", *xs),
                smooth=True, stale=lambda wanted, written: is_stale(nodes, n, outputs, wanted,
                                                                    written))


def is_stale(nodes: list[Node], n: int, outputs: list[int], wanted: Any, written: int) -> bool:
    """Whether a step between the outputs and the wanted leaves reads or makes written memory."""
    memory = [*range(n)]
    leads = [i in wanted for i in range(n)]        # from a wanted leaf to here
    for k, node in enumerate(nodes):
        memory.append(memory[node.takes[0]] if node.view else n + k)
        leads.append(any(leads[i] for i in node.takes))
    needed = {*outputs}
    for k in range(len(nodes) - 1, -1, -1):
        if n + k in needed and leads[n + k]:
            needed.update(nodes[k].takes)
            if written in (memory[n + k], *[memory[i] for i in nodes[k].takes]):
                return True
    return False
