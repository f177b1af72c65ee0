"""Bad inputs of all kinds: each raises in one sentence that names the function and the argument.

A row: what is called, with what, and the words that the sentence must hold; the first names the
function. Nothing here may end in NumPy's or Python's own words.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

import minigan as mg
from minigan import losses, nn, ops, optim, penalties
from minigan.engine import Tensor
from minigan.gradcheck import check_grads
from minigan.streams import Stream, Streams

x0 = Tensor(np.array(1.5, "f"))
x1 = Tensor(np.ones(3, "f"))
x2 = Tensor(np.ones((2, 3), "f"))
x3 = Tensor(np.ones((2, 3, 4), "f"))
x4 = Tensor(np.ones((2, 5, 5, 3), "f"))
none = Tensor(np.ones((2, 0), "f"))
whole = Tensor(np.array([[1, 2, 3]] * 2))
leaf = Tensor(np.ones((2, 3), "f"), requires_grad=True)
w4 = Tensor(np.ones((3, 3, 3, 2), "f"))
ids = np.array([0, 1])
array = np.ones((2, 3), "f")
rng = Stream(0, "dropout")
param = nn.Parameter

Call = Callable[[], Any]
ROWS: dict[str, tuple[Call, tuple[str, ...]]] = {}


def bad(name: str, call: Call, *words: str) -> None:
    """Add a row; `name` begins with the function's, which the sentence must hold too."""
    assert name not in ROWS, name
    ROWS[name] = call, (name.partition(",")[0], *words)


# ---------------------------------------------------------------- axes

FOLDS = ("sum", "mean", "var", "max", "min", "norm", "logsumexp", "softmax", "log_softmax")
for fold in FOLDS:
    function = getattr(ops, fold)
    bad(f"{fold}, an axis too large", lambda f=function: f(x2, axis=2), "axis", "2", "(2, 3)")
    bad(f"{fold}, an axis too small", lambda f=function: f(x2, axis=-3), "axis", "-3", "(2, 3)")
    bad(f"{fold}, an axis of a 0-d tensor", lambda f=function: f(x0, axis=0), "axis", "()")
    bad(f"{fold}, an axis twice", lambda f=function: f(x2, axis=(0, 0)), "axis", "(0, 0)")
    bad(f"{fold}, an axis twice, by two names", lambda f=function: f(x2, axis=(1, -1)), "axis")
    bad(f"{fold}, an axis of text", lambda f=function: f(x2, axis="rows"), "axis", "'rows'")
    bad(f"{fold}, half an axis", lambda f=function: f(x2, axis=0.5), "axis", "0.5")
    bad(f"{fold}, an array", lambda f=function: f(array), "tensor", "ndarray")
    bad(f"{fold}, a list", lambda f=function: f([1.0, 2.0]), "tensor", "list")
for fold in ("mean", "var", "norm", "logsumexp", "softmax", "log_softmax"):
    bad(f"{fold}, integers", lambda f=getattr(ops, fold): f(whole), "int64", "astype('float32')")
for fold in ("max", "min", "logsumexp", "softmax", "log_softmax"):
    bad(f"{fold}, of nothing", lambda f=getattr(ops, fold): f(none, axis=1), "axis", "(2, 0)")
bad("moments, an axis too large", lambda: ops.moments(x2, 2), "axes", "2")
bad("moments, integers", lambda: ops.moments(whole, 0), "astype('float32')")
bad("layer_norm, an axis too large", lambda: ops.layer_norm(x2, x1, x1, axes=(2,)), "axes", "2")
bad("layer_norm, an axis twice", lambda: ops.layer_norm(x2, x1, x1, axes=(1, 1)), "axes")

# ---------------------------------------------------------------- elementwise

bad("clip, no bounds", lambda: ops.clip(x2, None, None), "low", "None")
bad("clip, one bound", lambda: ops.clip(x2, 0.0, None), "high", "None")
bad("clip, bounds that are tensors", lambda: ops.clip(x2, x1, 2.0), "low", "minimum")
bad("clip, bounds in the wrong order", lambda: ops.clip(x2, 1, 0), "low", "high", "1", "0")
bad("clip, a bound that is NaN", lambda: ops.clip(x2, float("nan"), 1), "low", "nan")
bad("clip, a word", lambda: ops.clip(x2, "0", 1), "low", "'0'")
bad("clip, an array", lambda: ops.clip(array, 0, 1), "tensor", "ndarray")
bad("dropout, no rate", lambda: ops.dropout(x2, None, rng), "rate", "None")
bad("dropout, rate 1", lambda: ops.dropout(x2, 1.0, rng), "rate", "1.0")
bad("dropout, a word", lambda: ops.dropout(x2, "half", rng), "rate", "'half'")
bad("dropout, a tensor", lambda: ops.dropout(x2, x1, rng), "rate")
bad("dropout, no stream", lambda: ops.dropout(x2, 0.5, None), "rng", "None")
bad("dropout, a seed", lambda: ops.dropout(x2, 0.5, 7), "rng", "7")
bad("dropout, integers", lambda: ops.dropout(whole, 0.5, rng), "float")
bad("leaky_relu, a steep slope", lambda: ops.leaky_relu(x2, 2.0), "slope", "2.0")
bad("leaky_relu, no slope", lambda: ops.leaky_relu(x2, None), "slope", "None")
bad("leaky_relu, a word", lambda: ops.leaky_relu(x2, "0.2"), "slope", "'0.2'")
bad("leaky_relu, NaN", lambda: ops.leaky_relu(x2, float("nan")), "slope", "nan")
bad("leaky_relu, a tensor", lambda: ops.leaky_relu(x2, x1), "slope")
bad("relu, an array", lambda: ops.relu(array), "tensor", "ndarray")
bad("exp, integers", lambda: ops.exp(whole), "float", "astype")
bad("exp, a number", lambda: ops.exp(1.0), "tensor", "float")
bad("log_sigmoid, an array", lambda: ops.log_sigmoid(array), "tensor", "ndarray")
bad("add, a list", lambda: ops.add(x1, [1, 2, 3]), "list", "minigan.tensor")
bad("add, None", lambda: x1 + None, "NoneType", "minigan.tensor")
bad("add, two numbers", lambda: ops.add(1.0, 2.0), "tensor")
bad("add, shapes", lambda: x1 + Tensor(np.ones(4, "f")), "(3,)", "(4,)")
bad("add, a complex number", lambda: x1 + 1j, "complex")
bad("power, a word", lambda: x1 ** "2", "str")
bad("where, an array", lambda: ops.where(ids == 0, x1, x1), "ndarray", "minigan.tensor")
bad("where, two numbers", lambda: ops.where(Tensor(np.array([True])), None, 1.0), "NoneType")
bad("maximum, shapes", lambda: ops.maximum(x1, Tensor(np.ones(2, "f"))), "(3,)", "(2,)")

# ---------------------------------------------------------------- shapes

bad("reshape, sizes", lambda: ops.reshape(x2, (4, 2)), "shape", "(2, 3)", "(4, 2)")
bad("reshape, two unknowns", lambda: ops.reshape(x2, (-1, -1)), "shape", "(-1, -1)")
bad("reshape, minus two", lambda: ops.reshape(x2, (-2, 3)), "shape", "(-2, 3)")
bad("reshape, half a size", lambda: ops.reshape(x2, (3.0, 2)), "shape", "3.0")
bad("reshape, None", lambda: ops.reshape(x2, None), "shape", "None")
bad("reshape, an array", lambda: ops.reshape(array, (3, 2)), "tensor", "ndarray")
bad("transpose, too few axes", lambda: ops.transpose(x3, (0, 1)), "axes", "(0, 1)")
bad("transpose, an axis twice", lambda: ops.transpose(x3, (0, 0, 1)), "axes", "(0, 0, 1)")
bad("transpose, an axis too large", lambda: ops.transpose(x3, (0, 1, 3)), "axes", "(0, 1, 3)")
bad("transpose, an int", lambda: ops.transpose(x3, 1), "axes", "1")
bad("transpose, words", lambda: ops.transpose(x2, ("a", "b")), "axes", "'a'")
bad("broadcast_to, sizes", lambda: ops.broadcast_to(x2, (2, 4)), "shape", "(2, 3)", "(2, 4)")
bad("broadcast_to, fewer axes", lambda: ops.broadcast_to(x2, (3,)), "shape", "(3,)")
bad("broadcast_to, an int", lambda: ops.broadcast_to(x1, 3.5), "shape", "3.5")
bad("broadcast_to, less than nothing", lambda: ops.broadcast_to(x1, (-1, 3)), "shape", "(-1, 3)")
bad("squeeze, None", lambda: ops.squeeze(x2, None), "axis", "None")
bad("squeeze, an axis too large", lambda: ops.squeeze(x2, 2), "axis", "2", "(2, 3)")
bad("squeeze, a longer axis", lambda: ops.squeeze(x2, 0), "axis", "0", "(2, 3)")
bad("squeeze, a tuple", lambda: ops.squeeze(x2, (0,)), "axis", "(0,)")
bad("expand_dims, an axis too large", lambda: ops.expand_dims(x2, 4), "axis", "4", "(2, 3)")
bad("expand_dims, None", lambda: ops.expand_dims(x2, None), "axis", "None")
bad("concatenate, a tensor", lambda: ops.concatenate(x2), "tensors", "list")
bad("concatenate, nothing", lambda: ops.concatenate([]), "tensors")
bad("concatenate, numbers", lambda: ops.concatenate([1.0, 2.0]), "tensors", "float")
bad("concatenate, arrays", lambda: ops.concatenate([array, array]), "tensors", "ndarray")
bad("concatenate, an axis too large", lambda: ops.concatenate([x2, x2], 2), "axis", "2")
bad("concatenate, no axis", lambda: ops.concatenate([x2, x2], None), "axis", "None")
bad("concatenate, 0-d tensors", lambda: ops.concatenate([x0, x0]), "axis", "0")
bad("concatenate, other sizes", lambda: ops.concatenate([x2, x1]), "tensors", "(2, 3)", "(3,)")
bad("stack, numbers", lambda: ops.stack([1.0, 2.0]), "tensors", "float")
bad("stack, nothing", lambda: ops.stack([]), "tensors")
bad("stack, a tensor", lambda: ops.stack(x2), "tensors", "list")
bad("stack, shapes", lambda: ops.stack([x1, x2]), "tensors", "(3,)", "(2, 3)")
bad("stack, an axis too large", lambda: ops.stack([x1, x1], 2), "axis", "2")
bad("pad, too few widths", lambda: ops.pad(x2, ((1, 1),)), "widths", "(2, 3)")
bad("pad, an int", lambda: ops.pad(x2, 1), "widths", "1")
bad("pad, ints for pairs", lambda: ops.pad(x2, (1, 1)), "widths", "(1, 1)")
bad("pad, three for a pair", lambda: ops.pad(x2, ((1, 1, 1), (0, 0))), "widths")
bad("pad, half a width", lambda: ops.pad(x2, ((0.5, 1), (0, 0))), "widths", "0.5")
bad("pad, a negative width", lambda: ops.pad(x2, ((-1, 0), (0, 0))), "widths", "-1")
bad("pad, None", lambda: ops.pad(x2, None), "widths", "None")
bad("pad, no value", lambda: ops.pad(x2, ((1, 0), (0, 0)), None), "value", "None")
bad("pad, a tensor as value", lambda: ops.pad(x2, ((1, 0), (0, 0)), x1), "value")
bad("getitem, out of range", lambda: x2[2], "index", "(2, 3)")
bad("getitem, too many", lambda: x2[0, 0, 0], "index", "(2, 3)")
bad("index, a word", lambda: x2["a"], "index", "'a'")
bad("index, half", lambda: x2[0.5], "index", "0.5")
bad("getitem, an array out of range", lambda: x2[np.array([0, 5])], "index", "(2, 3)")
bad("index, floats", lambda: x2[np.array([0.0])], "index")
bad("getitem, a mask of another size", lambda: x2[np.ones(3, bool)], "index", "(2, 3)")
bad("scatter_add, places", lambda: ops.scatter_add(x1, slice(0, 2), (5,)), "index", "(2,)")
bad("scatter_add, out of range", lambda: ops.scatter_add(x1, np.array([0, 1, 9]), (5,)), "index",
    "(5,)")
bad("scatter_add, no shape", lambda: ops.scatter_add(x1, ids, None), "shape", "None")
bad("scatter_add, an array", lambda: ops.scatter_add(array, ids, (2, 3)), "tensor", "ndarray")
bad("embedding, a 0-d table", lambda: ops.embedding(ids, x0), "table", "()")
bad("embedding, a vector as table", lambda: ops.embedding(ids, x1), "table", "(3,)")
bad("embedding, a 3-d table", lambda: ops.embedding(ids, x3), "table", "(2, 3, 4)")
bad("embedding, an array as table", lambda: ops.embedding(ids, array), "table", "ndarray")
bad("embedding, floats", lambda: ops.embedding(np.ones(2), x2), "ids", "integer")
bad("embedding, booleans", lambda: ops.embedding(ids == 0, x2), "ids", "integer")
bad("embedding, a list", lambda: ops.embedding([0, 1], x2), "ids", "[0, 1]")
bad("embedding, ids out of range", lambda: ops.embedding(ids + 5, x2), "ids", "0 to 1", "5 to 6")
bad("embedding, an id below 0", lambda: ops.embedding(ids - 1, x2), "ids", "-1")
bad("pack, a remainder", lambda: ops.pack(x2, 3), "m", "3", "(2, 3)")
bad("pack, one axis", lambda: ops.pack(x1, 1), "x", "(3,)")
bad("pack, half", lambda: ops.pack(x2, 0.5), "m", "0.5")
bad("pack, True", lambda: ops.pack(x2, True), "m", "True")
bad("upsample_nearest, three axes", lambda: ops.upsample_nearest(x3), "x", "(2, 3, 4)")
bad("upsample_nearest, nothing", lambda: ops.upsample_nearest(x4, 0), "scale", "0")
bad("upsample_nearest, a pair", lambda: ops.upsample_nearest(x4, (2, 2)), "scale", "(2, 2)")
bad("upsample_nearest, True", lambda: ops.upsample_nearest(x4, True), "scale", "True")

# ---------------------------------------------------------------- products and convolutions

bad("matmul, inner sizes", lambda: x2 @ x2, "(2, 3)")
bad("matmul, a 0-d tensor", lambda: x2 @ x0, "()")
bad("matmul, an array", lambda: ops.matmul(x2, array.T), "ndarray", "minigan.tensor")
bad("matmul, a number", lambda: x2 @ 2.0, "float")
bad("affine, weights", lambda: ops.affine(x2, x1, x1), "w", "(3,)")
bad("affine, bias", lambda: ops.affine(x2, Tensor(np.ones((3, 4), "f")), x1), "b", "(3, 4)", "(3,)")
bad("affine, inner sizes", lambda: ops.affine(x2, Tensor(np.ones((4, 3), "f")), x1), "(2, 3)",
    "(4, 3)")
bad("affine, an array", lambda: ops.affine(x2, array.T, Tensor(np.ones(2, "f"))), "w", "ndarray")
bad("affine, no bias", lambda: ops.affine(x2, Tensor(np.ones((3, 4), "f")), None), "b", "NoneType")
bad("bias_leaky_relu, bias", lambda: ops.bias_leaky_relu(x2, Tensor(np.ones(2, "f")), 0.2), "b",
    "(2,)", "(2, 3)")
bad("bias_leaky_relu, slope", lambda: ops.bias_leaky_relu(x2, x1, -1), "slope", "-1")
bad("bias_leaky_relu, no bias", lambda: ops.bias_leaky_relu(x2, None, 0.2), "b", "NoneType")
bad("conv2d, three axes", lambda: ops.conv2d(x3, w4), "x", "(2, 3, 4)", "(N, H, W, C)")
bad("conv2d, weights", lambda: ops.conv2d(x4, x2), "w", "(2, 3)")
bad("conv2d, channels", lambda: ops.conv2d(x4, Tensor(np.ones((3, 3, 4, 2), "f"))), "x", "w")
bad("conv2d, an array", lambda: ops.conv2d(x4, np.ones((3, 3, 3, 2), "f")), "w", "ndarray")
bad("conv2d, stride 0", lambda: ops.conv2d(x4, w4, stride=0), "stride", "0")
bad("conv2d, half a stride", lambda: ops.conv2d(x4, w4, stride=0.5), "stride", "0.5")
bad("conv2d, three strides", lambda: ops.conv2d(x4, w4, stride=(1, 1, 1)), "stride", "(1, 1, 1)")
bad("conv2d, no stride", lambda: ops.conv2d(x4, w4, stride=None), "stride", "None")
bad("conv2d, padding", lambda: ops.conv2d(x4, w4, padding="valid"), "padding", "'valid'")
bad("conv2d, a tensor as padding", lambda: ops.conv2d(x4, w4, padding=x1), "padding")
bad("conv2d, a tensor as stride", lambda: ops.conv2d(x4, w4, stride=x1), "stride")
bad("conv2d, negative padding", lambda: ops.conv2d(x4, w4, padding=-1), "padding", "-1")
bad("conv2d, dilation", lambda: ops.conv2d(x4, w4, dilation=3), "kernel", "dilation")
bad("conv_transpose2d, channels", lambda: ops.conv_transpose2d(x4, w4), "y", "w")
bad("conv_transpose2d, output padding", lambda: ops.conv_transpose2d(
    Tensor(np.ones((2, 5, 5, 2), "f")), w4, output_padding=1), "output_padding", "1")
bad("conv2d_weight, other sizes", lambda: ops.conv2d_weight(x4, x4, 3), "y", "(3, 3)")
bad("conv2d_weight, kernel", lambda: ops.conv2d_weight(x4, x4, None), "kernel_size", "None")
bad("avg_pool2d, three axes", lambda: ops.avg_pool2d(x3), "x", "(2, 3, 4)")
bad("avg_pool2d, size 0", lambda: ops.avg_pool2d(x4, 0), "size", "0")
bad("avg_pool2d, a window too large", lambda: ops.avg_pool2d(x4, 6), "(6, 6)", "(5, 5)")
bad("max_pool2d, half a size", lambda: ops.max_pool2d(x4, 2.5), "size", "2.5")
bad("max_pool2d, an array", lambda: ops.max_pool2d(np.ones((2, 4, 4, 3))), "x", "ndarray")

# ---------------------------------------------------------------- normalisation and losses

bad("batch_norm, gain", lambda: ops.batch_norm(x2, Tensor(np.ones(4, "f")), x1), "gamma", "(4,)")
bad("batch_norm, an array", lambda: ops.batch_norm(x2, np.ones(3, "f"), x1), "gamma", "ndarray")
bad("batch_norm, no bias", lambda: ops.batch_norm(x2, x1, None), "beta", "NoneType")
bad("batch_norm, eps", lambda: ops.batch_norm(x2, x1, x1, eps=None), "eps", "None")
bad("batch_norm, a negative eps", lambda: ops.batch_norm(x2, x1, x1, eps=-1.0), "eps", "-1.0")
bad("batch_norm, integers", lambda: ops.batch_norm(whole, x1, x1), "x", "astype")
bad("batch_norm, one value a channel", lambda: ops.batch_norm(
    Tensor(np.ones((1, 3), "f")), x1, x1), "x", "(1, 3)")
bad("batch_norm, a vector", lambda: ops.batch_norm(x1, x1, x1), "x", "(3,)")
bad("layer_norm, bias", lambda: ops.layer_norm(x2, x1, x3), "beta", "(2, 3, 4)")
bad("instance_norm, three axes", lambda: ops.instance_norm(x3, x1, x1), "x", "(2, 3, 4)")
bad("instance_norm, one pixel", lambda: ops.instance_norm(
    Tensor(np.ones((2, 1, 1, 3), "f")), x1, x1), "x", "(2, 1, 1, 3)")
bad("mean_squared_error, shapes", lambda: ops.mean_squared_error(x1, x2), "target", "(3,)")
bad("mean_squared_error, a number", lambda: ops.mean_squared_error(x1, 1.0), "target", "float")
bad("mean_squared_error, an array", lambda: ops.mean_squared_error(array, x2), "prediction",
    "ndarray")
bad("binary_cross_entropy_with_logits, a number",
    lambda: ops.binary_cross_entropy_with_logits(x1, 1.0), "target", "float")
bad("binary_cross_entropy_with_logits, a list",
    lambda: ops.binary_cross_entropy_with_logits(x1, [1, 0, 1]), "target", "list")
bad("softmax_cross_entropy, one-hot", lambda: ops.softmax_cross_entropy(x2, whole), "labels",
    "(2, 3)")
bad("softmax_cross_entropy, floats", lambda: ops.softmax_cross_entropy(x2, np.ones(2)), "labels")
bad("softmax_cross_entropy, out of range", lambda: ops.softmax_cross_entropy(x2, ids + 2),
    "labels", "0 to 2")
bad("softmax_cross_entropy, an array", lambda: ops.softmax_cross_entropy(array, ids), "logits",
    "ndarray")
for loss in ("discriminator", "hinge_discriminator", "least_squares_discriminator",
             "wasserstein_critic", "relativistic_discriminator", "relativistic_generator"):
    bad(f"{loss}, an array", lambda f=getattr(losses, loss): f(array, x2), "real", "ndarray")
    bad(f"{loss}, a number", lambda f=getattr(losses, loss): f(x2, 1.0), "fake", "float")
for loss in ("generator", "generator_minimax", "hinge_generator", "least_squares_generator",
             "wasserstein_generator"):
    bad(f"{loss}, an array", lambda f=getattr(losses, loss): f(array), "fake", "ndarray")
bad("relativistic_discriminator, shapes", lambda: losses.relativistic_discriminator(x1, x2),
    "real", "(3,)", "(2, 3)")


# ---------------------------------------------------------------- penalties

def critic(x: Tensor) -> Tensor:
    return ops.sum(x, axis=tuple(range(1, x.ndim)))


points = Streams(0)["penalty"]
bad("gradient_penalty, shapes", lambda: penalties.gradient_penalty(critic, x2, x4, points), "real",
    "fake", "(2, 3)")
bad("gradient_penalty, an array", lambda: penalties.gradient_penalty(critic, array, x2, points),
    "real", "ndarray")
bad("gradient_penalty, no stream", lambda: penalties.gradient_penalty(critic, x2, x2, None), "rng",
    "None")
bad("gradient_penalty, no critic", lambda: penalties.gradient_penalty(None, x2, x2, points),
    "critic", "None")
bad("gradient_penalty, integers", lambda: penalties.gradient_penalty(
    critic, whole, whole, points), "real", "float")
bad("gradient_penalty, 0-d", lambda: penalties.gradient_penalty(critic, x0, x0, points), "real",
    "()")
bad("dragan, std", lambda: penalties.dragan(critic, x2, points, std=0), "std", "0")
bad("dragan, no std", lambda: penalties.dragan(critic, x2, points, std=None), "std", "None")
bad("dragan, an array", lambda: penalties.dragan(critic, array, points), "real", "ndarray")
bad("r1, an array", lambda: penalties.r1(critic, array), "real", "ndarray")
bad("r1, integers", lambda: penalties.r1(critic, whole), "real", "float")
bad("r2, integers", lambda: penalties.r2(critic, whole), "fake", "float")
bad("critic, one that returns a number", lambda: penalties.r1(lambda x: 1.0, x2), "tensor", "1.0")
bad("critic, one that reads no image", lambda: penalties.r1(lambda x: x1 * 2, x2), "images")

# ---------------------------------------------------------------- a tensor, and gradients

bad("tensor, words", lambda: mg.tensor(["a"]), "data")
bad("tensor, a ragged list", lambda: mg.tensor([[1.0], [1.0, 2.0]]), "data")
bad("tensor, None", lambda: mg.tensor(None), "data")
bad("tensor, complex numbers", lambda: mg.tensor([1j]), "data", "1j")
bad("data, half precision", lambda: mg.tensor(np.ones(2, "float16")), "float32", "float16")
bad("tensor, a dtype that is none", lambda: mg.tensor([1.0], dtype="floaty"), "dtype", "'floaty'")
bad("tensor, tensors in a list", lambda: mg.tensor([x1, x1]), "data", "stack")
bad("requires_grad, of integers", lambda: mg.tensor([1, 2], requires_grad=True), "float", "int64")
bad("data, a list", lambda: Tensor([1.0]), "list")
bad("item, of many", lambda: x2.item(), "(2, 3)")
bad("item, of nothing", lambda: none.item(), "(2, 0)")
bad("assign, a shape", lambda: x2.assign(np.ones((3, 2), "f")), "value", "(3, 2)", "(2, 3)")
bad("assign, a dtype", lambda: x2.assign(np.ones((2, 3))), "value", "float64")
bad("assign, None", lambda: x2.assign(None), "value", "None")
bad("assign, a list", lambda: x2.assign([1.0]), "value", "list")
bad("astype, a word", lambda: x2.astype("floaty"), "dtype", "'floaty'")
bad("astype, half precision", lambda: x2.astype("float16"), "float16")
bad("grad, an array", lambda: mg.grad(array, x2), "outputs")
bad("grad, inputs", lambda: mg.grad(x0, array), "inputs")
bad("grad, many outputs", lambda: mg.grad(leaf * 2, leaf), "grad_outputs", "(2, 3)")
bad("grad, a shape", lambda: mg.grad(leaf * 2, leaf, x1), "grad_outputs", "(3,)")
bad("grad, too many cotangents", lambda: mg.grad(leaf * 2, leaf, [x2, x2]), "grad_outputs", "2")
bad("grad, a number as cotangent", lambda: mg.grad(ops.sum(leaf), leaf, 1.0), "grad_outputs")
bad("grad, unreached", lambda: mg.grad(ops.sum(leaf), x2), "inputs[0]", "require")
bad("grad, a choice", lambda: mg.grad(ops.sum(leaf), leaf, unreached="none"), "unreached", "'none'")
bad("backward, of many", lambda: (leaf * 2).backward(), "cotangent", "(2, 3)")
bad("backward, a number", lambda: (leaf * 2).backward(1.0), "grad")
bad("check_grads, float32", lambda: check_grads(ops.exp, [x2]), "inputs[0]", "float64")
bad("check_grads, an array", lambda: check_grads(ops.exp, [array]), "inputs[0]", "ndarray")
bad("check_grads, a tensor", lambda: check_grads(ops.exp, Tensor(np.ones(2))), "inputs", "list")
bad("check_grads, order 0", lambda: check_grads(ops.exp, [Tensor(np.ones(2))], order=0), "order",
    "0")

# ---------------------------------------------------------------- layers

bad("Dense, n_in", lambda: nn.Dense(0, 2), "n_in", "0")
bad("Dense, n_out", lambda: nn.Dense(2, 2.5), "n_out", "2.5")
bad("Dense, True", lambda: nn.Dense(True, 2), "n_in", "True")
bad("affine, of a layer", lambda: nn.Dense(4, 2)(x2), "(2, 3)", "4")
bad("affine, of a layer, an array", lambda: nn.Dense(3, 2)(array), "x", "ndarray")
bad("Dense, a seed", lambda: nn.Dense(2, 2, rng=7), "rng", "7")
bad("Conv2d, kernel", lambda: nn.Conv2d(3, 2, 0), "kernel_size", "0")
bad("Conv2d, stride", lambda: nn.Conv2d(3, 2, 3, stride=None), "stride", "None")
bad("Conv2d, padding", lambda: nn.Conv2d(3, 2, 3, padding=-1), "padding", "-1")
bad("Conv2d, padding, a word", lambda: nn.Conv2d(3, 2, 3, padding="valid"), "padding", "'valid'")
bad("Conv2d, dilation", lambda: nn.Conv2d(3, 2, 3, dilation=0), "dilation", "0")
bad("conv2d, of a layer", lambda: nn.Conv2d(4, 2, 3)(x4), "(2, 5, 5, 3)", "4")
bad("ConvTranspose2d, output padding", lambda: nn.ConvTranspose2d(3, 2, 3, output_padding=-1),
    "output_padding", "-1")
bad("Embedding, count", lambda: nn.Embedding(0, 3), "count", "0")
bad("Maxout, pieces", lambda: nn.Maxout(3, 2, 0), "pieces", "0")
bad("BatchNorm, features", lambda: nn.BatchNorm(0), "features", "0")
bad("BatchNorm, momentum", lambda: nn.BatchNorm(3, momentum=2), "momentum", "2")
bad("BatchNorm, no momentum", lambda: nn.BatchNorm(3, momentum=None), "momentum", "None")
bad("BatchNorm, eps", lambda: nn.BatchNorm(3, eps=-1.0), "eps", "-1.0")
bad("BatchNorm, channels", lambda: nn.BatchNorm(4)(x2), "(2, 3)", "4")
bad("LayerNorm, axes", lambda: nn.LayerNorm(3, axes="last"), "axes", "'last'")
bad("LayerNorm, eps", lambda: nn.LayerNorm(3, eps=None), "eps", "None")
bad("instance_norm, of a layer", lambda: nn.InstanceNorm(3)(Tensor(np.ones((2, 1, 1, 3), "f"))),
    "(2, 1, 1, 3)")
bad("Dropout, rate", lambda: nn.Dropout(1.0), "rate", "1.0")
bad("Dropout, a seed", lambda: nn.Dropout(0.5, 7), "rng", "7")
bad("Dropout, no rate", lambda: nn.Dropout(None), "rate", "None")
bad("LeakyReLU, slope", lambda: nn.LeakyReLU(-0.1), "slope", "-0.1")
bad("LeakyReLU, no slope", lambda: nn.LeakyReLU(None), "slope", "None")
bad("Upsample, scale", lambda: nn.Upsample(0), "scale", "0")
bad("AvgPool2d, size", lambda: nn.AvgPool2d(0), "size", "0")
bad("AvgPool2d, stride", lambda: nn.AvgPool2d(2, -1), "stride", "-1")
bad("Reshape, sizes", lambda: nn.Reshape(2.0, 3), "2.0")
bad("Reshape, a tuple", lambda: nn.Reshape((2, 3)), "(2, 3)")
bad("Sequential, a list", lambda: nn.Sequential([nn.ReLU()]), "layer 0", "ReLU")
bad("Sequential, a function", lambda: nn.Sequential(ops.relu), "layer 0")
bad("Projection, its end", lambda: nn.Projection(nn.Sequential(nn.ReLU()), 3), "Dense")
bad("Projection, nothing", lambda: nn.Projection(nn.Sequential(), 3), "Dense")
bad("load_state_dict, of a network", lambda: nn.Dense(2, 2).load_state_dict({}), "weight",
    "missing")
bad("astype, of a network", lambda: nn.Dense(2, 2).astype("int64"), "int64")

# ---------------------------------------------------------------- optimizers


def weights() -> list[Any]:
    return nn.Dense(2, 2).parameters()


for rule in [value for value in vars(optim).values() if isinstance(value, type)
             and issubclass(value, optim.Optimizer) and value is not optim.Optimizer]:
    of = rule.__name__
    bad(f"{of}, no parameters", lambda f=rule: f([], 0.1), "parameters", "empty")
    bad(f"{of}, tensors", lambda f=rule: f([x1], 0.1), "parameters[0]", "Parameter")
    bad(f"{of}, one parameter", lambda f=rule: f(weights()[0], 0.1), "parameters", "list")
    bad(f"{of}, a rate below 0", lambda f=rule: f(weights(), -1), "lr", "-1")
    bad(f"{of}, no rate", lambda f=rule: f(weights(), None), "lr", "None")
    bad(f"{of}, a rate of NaN", lambda f=rule: f(weights(), float("nan")), "lr", "nan")
    bad(f"{of}, an infinite rate", lambda f=rule: f(weights(), float("inf")), "lr", "inf")
    bad(f"{of}, a word", lambda f=rule: f(weights(), "fast"), "lr", "'fast'")
bad("SGD, a rate that is set to None", lambda: setattr(optim.SGD(weights(), 0.1), "lr", None), "lr",
    "None")
bad("Adam, a rate that is set to NaN", lambda: setattr(optim.Adam(weights()), "lr", float("nan")),
    "lr", "nan")
bad("SGD, momentum", lambda: optim.SGD(weights(), 0.1, 1.0), "momentum", "1.0")
bad("SGD, no momentum", lambda: optim.SGD(weights(), 0.1, None), "momentum", "None")
bad("RMSprop, alpha", lambda: optim.RMSprop(weights(), 0.1, -1), "alpha", "-1")
bad("RMSprop, eps", lambda: optim.RMSprop(weights(), 0.1, eps=-1), "eps", "-1")
bad("Adam, betas", lambda: optim.Adam(weights(), 0.1, (0.9, 1.0)), "beta2", "1.0")
bad("Adam, one beta", lambda: optim.Adam(weights(), 0.1, 0.9), "betas", "0.9")
bad("Adam, three betas", lambda: optim.Adam(weights(), 0.1, (0.1, 0.2, 0.3)), "betas", "(0.1, 0.2")
bad("Adam, eps", lambda: optim.Adam(weights(), 0.1, eps=None), "eps", "None")
bad("EMA, decay", lambda: optim.EMA(nn.Dense(2, 2), 1.0), "decay", "1.0")
bad("EMA, no network", lambda: optim.EMA(None), "network", "None")
bad("EMA, a network without weights", lambda: optim.EMA(nn.ReLU()), "network", "ReLU")
bad("clip_weights, limit", lambda: optim.clip_weights(weights(), 0), "limit", "0")
bad("clip_weights, no limit", lambda: optim.clip_weights(weights(), None), "limit", "None")
bad("clip_weights, tensors", lambda: optim.clip_weights([x1], 0.1), "parameters", "Parameter")
bad("step, too few gradients", lambda: optim.Adam(weights()).step([x1]), "1", "2", "gradients")
bad("step, arrays", lambda: optim.Adam(weights()).step([array, array]), "gradient", "ndarray")
bad("step, no gradient", lambda: optim.Adam(weights()).step(), "gradient", "missing")


small = mg.tensor(np.array([1], np.uint8))
bad("multiply, a number that the integers cannot hold", lambda: small * 300, "300", "uint8")
bad("normal, a negative size", lambda: points.normal((-1,)), "shape", "(-1,)")
bad("normal, a size that is not a tuple", lambda: points.normal(4), "shape", "4")
bad("uniform, a negative size", lambda: points.uniform((2, -3)), "shape", "(2, -3)")
bad("uniform, a text", lambda: points.uniform("ab"), "shape", "'ab'")


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_input_raises_one_sentence_that_names_the_function_and_the_argument(name: str):
    call, words = ROWS[name]
    before = [t.data.copy() for t in (x0, x1, x2, x4, leaf)]
    with pytest.raises((ValueError, TypeError, IndexError)) as caught:
        call()
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert "\n" not in message and len(message) < 400
    for t, values in zip((x0, x1, x2, x4, leaf), before):
        np.testing.assert_array_equal(t.data, values)
