"""All differentiable functions, by NumPy's name where NumPy has one.

Read in this order: `masks` (how a gradient is stopped), `arithmetic`, `elementwise` (activations,
choices), `shape`, `reductions`, `linear` (matrix products), `normalization`, `conv`, `criteria`.
`arguments` has the checks of what they are given.
"""

from minigan.ops.arithmetic import (abs, add, divide, exp, log, log1p, multiply, negative, power,
                                    sqrt, square, subtract)
from minigan.ops.conv import avg_pool2d, conv2d, conv2d_weight, conv_transpose2d, max_pool2d
from minigan.ops.criteria import (binary_cross_entropy_with_logits, mean_squared_error,
                                  softmax_cross_entropy)
from minigan.ops.elementwise import (clip, dropout, leaky_relu, log_sigmoid, maximum, minimum, relu,
                                     sigmoid, softplus, tanh, where)
from minigan.ops.linear import affine, bias_leaky_relu, matmul
from minigan.ops.normalization import batch_norm, instance_norm, layer_norm, moments, normalize
from minigan.ops.reductions import log_softmax, logsumexp, max, mean, min, norm, softmax, sum, var
from minigan.ops.shape import (broadcast_to, concatenate, embedding, expand_dims, getitem, pack,
                               pad, reshape, scatter_add, squeeze, stack, transpose,
                               upsample_nearest)

__all__ = [
    "abs", "add", "affine", "avg_pool2d", "batch_norm", "bias_leaky_relu",
    "binary_cross_entropy_with_logits", "broadcast_to", "clip", "concatenate", "conv2d",
    "conv2d_weight", "conv_transpose2d", "divide", "dropout", "embedding", "exp", "expand_dims",
    "getitem", "instance_norm", "layer_norm", "leaky_relu", "log", "log1p", "log_sigmoid",
    "log_softmax", "logsumexp", "matmul", "max", "max_pool2d", "maximum", "mean",
    "mean_squared_error", "min", "minimum", "moments", "multiply", "negative", "norm",
    "normalize", "pack", "pad", "power", "relu", "reshape", "scatter_add", "sigmoid", "softmax",
    "softmax_cross_entropy", "softplus", "sqrt", "square", "squeeze", "stack", "subtract",
    "sum", "tanh", "transpose", "upsample_nearest", "var", "where",
]
