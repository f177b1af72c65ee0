"""Layers of vectors with weights: dense, maxout, embedding."""

from __future__ import annotations

from typing import Any

from minigan.checks import whole
from minigan.engine import Tensor
from minigan.nn.init import Init, glorot_uniform, normal, zeros
from minigan.nn.module import Module, Parameter
from minigan.ops import affine, bias_leaky_relu, embedding, leaky_relu, matmul, max, reshape
from minigan.streams import Stream, stream_or_default


def activated(y: Tensor, bias: Tensor | None, slope: float) -> Tensor:
    """leaky_relu(y + bias, slope) in one pass; bias may be left out."""
    if bias is None:
        return leaky_relu(y, slope)
    return bias_leaky_relu(y, bias, slope)


def bias_note(layer: Any) -> str:
    """The note in `repr` on a layer without a bias; else an empty text."""
    return ", no bias" if layer.bias is None else ""


class Dense(Module):
    """A fully connected layer: y = x W + b. x: (..., n_in) -> (..., n_out).

    n_in, n_out: numbers of features, 1 or more. bias: whether there is a b.
    weight_init, bias_init: initial values, see `nn.init`; by default Glorot's uniform, and zeros.
    rng: the stream that draws them; by default `minigan.stream("init")`.

    weight: (n_in, n_out). bias: (n_out,), or None. Both float32; `astype` converts.

    Raises:
        ValueError: n_in or n_out is not a whole number of 1 or more.
        TypeError: rng is not a stream.
    """

    def __init__(self, n_in: int, n_out: int, bias: bool = True,
                 weight_init: Init = glorot_uniform, bias_init: Init = zeros,
                 rng: Stream | None = None) -> None:
        n_in = whole("Dense: n_in", n_in)
        n_out = whole("Dense: n_out", n_out)
        rng = stream_or_default("Dense", rng, "init")
        self.weight = Parameter(weight_init((n_in, n_out), n_in, n_out, rng))
        self.bias = Parameter(bias_init((n_out,), n_in, n_out, rng), "bias") if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is None:
            return matmul(x, self.weight)
        return affine(x, self.weight, self.bias)

    def then_leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """leaky_relu(self(x), slope)."""
        return activated(matmul(x, self.weight), self.bias, slope)

    def describe(self) -> str:
        n_in, n_out = self.weight.shape
        return f"{n_in} -> {n_out}{bias_note(self)}"


class Maxout(Module):
    """The largest of several dense layers, unit by unit (Goodfellow et al. 2013, section 3).

    x: (..., n_in) -> (..., n_out).
    pieces: how many layers, 1 or more. settings: keyword arguments of the one `Dense` that holds
    them all, with n_out * pieces units; it is `maxout.dense`.

    Raises:
        ValueError, TypeError: pieces is not a whole number of 1 or more; and those of `Dense`.
    """

    def __init__(self, n_in: int, n_out: int, pieces: int, **settings: Any) -> None:
        self.dense = Dense(n_in, n_out * whole("Maxout: pieces", pieces), **settings)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        y = self.dense(x)                                         # (..., n_out * pieces)
        y = reshape(y, (*y.shape[:-1], -1, self.pieces))          # (..., n_out, pieces)
        return max(y, axis=-1)                                    # (..., n_out)


class Embedding(Module):
    """A learned vector for each id: ids (...) -> (..., size).

    count: how many ids there are; they are 0 to count - 1. size: of each vector. Both 1 or more.
    weight_init: initial values, by default N(0, 1), as PyTorch. rng: the stream that draws them; by
    default `minigan.stream("init")`. ids: an array or tensor of integers.

    weight: (count, size), float32; row i is the vector of id i.

    Raises:
        ValueError: count or size is not a whole number of 1 or more; in a call, an id is out of
            range (on a GPU ids are not checked, as that would wait for the device).
        TypeError: rng is not a stream; in a call, ids are not integers.
    """

    def __init__(self, count: int, size: int, weight_init: Init = normal(1.0),
                 rng: Stream | None = None) -> None:
        rows = whole("Embedding: count", count)
        size = whole("Embedding: size", size)
        rng = stream_or_default("Embedding", rng, "init")
        self.weight = Parameter(weight_init((rows, size), rows, size, rng))

    def forward(self, ids: Any) -> Tensor:
        return embedding(ids, self.weight)

    def describe(self) -> str:
        rows, size = self.weight.shape
        return f"{rows} x {size}"
