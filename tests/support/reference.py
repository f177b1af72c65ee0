"""Slow and plain NumPy references, each written from its definition, for the op table.

Nothing here imports minigan, and nothing here uses its algorithms: where an op gathers patches and
multiplies matrices, its reference walks over pixels and taps; where an op shifts by the largest
element, its reference exponentiates as the formula says. Arguments and results have the shapes and
dtypes of the op of that name.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, Iterator

import numpy as np

# ---------------------------------------------------------------- elementwise


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log(1 + np.exp(x))


def log_sigmoid(x):
    return np.log(sigmoid(x))


def relu(x):
    return leaky_relu(x, 0.0)


def leaky_relu(x, slope=0.01):
    return each(lambda v: v if v > 0 else slope * v, x)


def clip(x, low, high):
    return each(lambda v: low if v < low else high if v > high else v, x)


def where(condition, a, b):
    return each(lambda c, u, v: u if c else v, condition, a, b)


def each(function, *arrays):
    """A function of Python numbers, element by element, broadcast; the last array's dtype."""
    broadcast = np.broadcast_arrays(*arrays)
    out = np.empty(broadcast[0].shape, np.asarray(arrays[-1]).dtype)
    for place in np.ndindex(out.shape):
        out[place] = function(*(array[place].item() for array in broadcast))
    return out


# ---------------------------------------------------------------- reductions


def fold(function, x, axis=None, keepdims=False):
    """`function` of the flat list of elements over `axis`, for each place on the other axes."""
    axes = [int(i) % x.ndim for i in (range(x.ndim) if axis is None else np.atleast_1d(axis))]
    kept = [i for i in range(x.ndim) if i not in axes]
    out = np.empty([x.shape[i] for i in kept], x.dtype)
    for place in np.ndindex(out.shape):
        index: list[Any] = [slice(None)] * x.ndim
        for i, where_on_it in zip(kept, place):
            index[i] = where_on_it
        out[place] = function(x[tuple(index)].ravel().tolist())
    return np.expand_dims(out, tuple(axes)) if keepdims else out


def mean_of(values):
    return math.fsum(values) / len(values)


def var_of(values):
    centre = mean_of(values)
    return math.fsum((v - centre) ** 2 for v in values) / len(values)


def norm_of(values):
    return math.sqrt(math.fsum(v * v for v in values))


def logsumexp_of(values):
    return math.log(math.fsum(map(math.exp, values)))


def softmax(x, axis=-1):
    return np.exp(x - fold(logsumexp_of, x, axis, keepdims=True))


def log_softmax(x, axis=-1):
    return x - fold(logsumexp_of, x, axis, keepdims=True)


# ---------------------------------------------------------------- shape, matrix product


def matmul(a, b):
    if a.ndim == 1:
        return matmul(a[None], b)[..., 0, :] if b.ndim > 1 else matmul(a[None], b)[0]
    if b.ndim == 1:
        return matmul(a, b[:, None])[..., 0]
    return (a[..., None] * b[..., None, :, :]).sum(-2)          # (..., M, K, N) -> (..., M, N)


def pad(x, widths, value=0.0):
    out = np.full([before + n + after for n, (before, after) in zip(x.shape, widths)], value,
                  x.dtype)
    for place in np.ndindex(x.shape):
        out[tuple(i + before for i, (before, _) in zip(place, widths))] = x[place]
    return out


def scatter_add(values, index, shape):
    """Element by element: numbering the target's places says where each value goes."""
    places = np.arange(math.prod(shape)).reshape(shape)[index]
    out = np.zeros(math.prod(shape), values.dtype)
    for place in np.ndindex(values.shape):
        out[places[place] if values.ndim else places] += values[place]
    return out.reshape(shape)


def embedding(ids, table):
    out = np.empty((*ids.shape, table.shape[1]), table.dtype)
    for place in np.ndindex(ids.shape):
        out[place] = table[ids[place].item()]
    return out


def pack(x, m):
    out = np.empty((len(x) // m, *x.shape[1:-1], m * x.shape[-1]), x.dtype)
    for i, sample in enumerate(x):
        start = i % m * x.shape[-1]
        out[i // m, ..., start:start + x.shape[-1]] = sample
    return out


def upsample_nearest(x, scale=2):
    n, h, w, c = x.shape
    out = np.empty((n, h * scale, w * scale, c), x.dtype)
    for i, j in np.ndindex(h * scale, w * scale):
        out[:, i, j] = x[:, i // scale, j // scale]
    return out


# ---------------------------------------------------------------- the convolution family


def two(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def pads(padding, size, kernel, stride, dilation):
    """((top, bottom), (left, right)); "same" by the rule in Keras's documentation.

    The pad of an axis is max(reach - s, 0) where s divides the size, else max(reach - size % s, 0),
    and the odd pixel goes to the end.
    """
    if padding == "same":
        found = []
        for n, k, s, d in zip(size, two(kernel), two(stride), two(dilation)):
            reach = d * (k - 1) + 1
            total = max(reach - s, 0) if n % s == 0 else max(reach - n % s, 0)
            found.append((total // 2, total - total // 2))
        return tuple(found)
    vertical, horizontal = two(padding)
    return (two(vertical), two(horizontal))


def stops(n, k, s, before, after, d):
    """Where the kernel's first tap comes to lie while all taps stay inside the padded axis."""
    at, found = -before, []
    while at + d * (k - 1) <= n - 1 + after:
        found.append(at)
        at += s
    return found


def taps(size, kernel, stride, padding, dilation) -> Iterator[tuple[int, ...]]:
    """Every (i, j, p, q, row, column): output pixel, tap of the kernel, pixel that it reads."""
    d, (vertical, horizontal) = two(dilation), pads(padding, size, kernel, stride, dilation)
    rows = stops(size[0], kernel[0], two(stride)[0], *vertical, d[0])
    columns = stops(size[1], kernel[1], two(stride)[1], *horizontal, d[1])
    for (i, top), (j, left), p, q in product(enumerate(rows), enumerate(columns), range(kernel[0]),
                                             range(kernel[1])):
        row, column = top + p * d[0], left + q * d[1]
        if 0 <= row < size[0] and 0 <= column < size[1]:
            yield i, j, p, q, row, column


def conv_size(size, kernel, stride, padding, dilation):
    edges = pads(padding, size, kernel, stride, dilation)
    return tuple(len(stops(n, k, s, *edge, d)) for n, k, s, edge, d
                 in zip(size, kernel, two(stride), edges, two(dilation)))


def conv2d(x, w, stride=1, padding=0, dilation=1):
    size, kernel = x.shape[1:3], w.shape[:2]
    out = np.zeros((len(x), *conv_size(size, kernel, stride, padding, dilation), w.shape[3]),
                   x.dtype)
    for i, j, p, q, row, column in taps(size, kernel, stride, padding, dilation):
        out[:, i, j] += (x[:, row, column, :, None] * w[p, q]).sum(1)
    return out


def transpose_size(size, kernel, stride, padding, output_padding, dilation):
    if padding == "same":
        return tuple(n * s for n, s in zip(size, two(stride)))
    edges = pads(padding, size, kernel, stride, dilation)
    return tuple((n - 1) * s - sum(edge) + d * (k - 1) + more + 1 for n, s, edge, d, k, more in
                 zip(size, two(stride), edges, two(dilation), kernel, two(output_padding)))


def conv_transpose2d(y, w, stride=1, padding=0, output_padding=0, dilation=1):
    size = transpose_size(y.shape[1:3], w.shape[:2], stride, padding, output_padding, dilation)
    out = np.zeros((len(y), *size, w.shape[2]), y.dtype)
    for i, j, p, q, row, column in taps(size, w.shape[:2], stride, padding, dilation):
        if i < y.shape[1] and j < y.shape[2]:                   # output padding can add a stop
            out[:, row, column] += (y[:, i, j, None, :] * w[p, q]).sum(2)
    return out


def conv2d_weight(x, y, kernel_size, stride=1, padding=0, dilation=1):
    kernel = two(kernel_size)
    out = np.zeros((*kernel, x.shape[3], y.shape[3]), x.dtype)
    for i, j, p, q, row, column in taps(x.shape[1:3], kernel, stride, padding, dilation):
        out[p, q] += (x[:, row, column, :, None] * y[:, i, j, None, :]).sum(0)
    return out


def pool(function, x, size=2, stride=None):
    """`function` of the flat list of elements of each window, for each image and channel."""
    size, stride = two(size), two(size if stride is None else stride)
    n, c = x.shape[0], x.shape[3]
    out = np.empty((n, *conv_size(x.shape[1:3], size, stride, 0, 1), c), x.dtype)
    for b, i, j, o in np.ndindex(out.shape):
        top, left = i * stride[0], j * stride[1]
        out[b, i, j, o] = function(x[b, top:top + size[0], left:left + size[1], o].ravel().tolist())
    return out


# ---------------------------------------------------------------- normalisation and losses


def moments(x, axes):
    return fold(mean_of, x, axes, keepdims=True), fold(var_of, x, axes, keepdims=True)


def normalize(x, mean, var, gamma, beta, eps=1e-5):
    return each(lambda m, v, g, b, u: g * (u - m) / math.sqrt(v + eps) + b,
                mean, var, gamma, beta, x)


def norm_over(x, gamma, beta, axes, eps=1e-5):
    return normalize(x, *moments(x, axes), gamma, beta, eps)


def binary_cross_entropy_with_logits(logits, target):
    share = sigmoid(logits)
    losses = -(target * np.log(share) + (1 - target) * np.log(1 - share))
    return np.asarray(mean_of(losses.ravel().tolist()), logits.dtype)


def softmax_cross_entropy(logits, labels):
    losses = [logsumexp_of(z.tolist()) - z[label] for z, label in zip(logits, labels)]
    return np.asarray(mean_of(losses), logits.dtype)


def mean_squared_error(prediction, target):
    squares = [(p - t) ** 2 for p, t in zip(prediction.ravel().tolist(), target.ravel().tolist())]
    return np.asarray(mean_of(squares), prediction.dtype)
