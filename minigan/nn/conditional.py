"""Three ways to tell a network a label: with its inputs, through a branch, or at its end.

Each is a module of two arguments, network(x, labels), where labels are an integer tensor (N,) of
0 to n_classes - 1.
"""

from __future__ import annotations

from typing import Any

from minigan.backend import backend_of
from minigan.engine import Tensor
from minigan.nn.dense import Dense, Embedding
from minigan.nn.init import Init, glorot_uniform
from minigan.nn.module import Module, Sequential
from minigan.ops import broadcast_to, concatenate, getitem, reshape, sum
from minigan.ops.shape import check_ids
from minigan.streams import Stream


def one_hot(labels: Tensor, n_classes: int, dtype: Any) -> Tensor:
    """1 at each label, else 0: (N,) integers -> (N, n_classes) of a float dtype."""
    check_ids("labels", labels.data, n_classes)
    rows = Tensor(backend_of(labels.data).eye(n_classes, dtype=dtype))
    return getitem(rows, labels)


def join(x: Tensor, y: Tensor) -> Tensor:
    """x with y (N, K) as K more features, or as K more channels that are constant over the image.

    x: (N, C) -> (N, C + K), or (N, H, W, C) -> (N, H, W, C + K).
    """
    if x.ndim == 4:
        n, k = y.shape
        y = broadcast_to(reshape(y, (n, 1, 1, k)), (*x.shape[:-1], k))
    return concatenate([x, y], axis=-1)


class Joined(Module):
    """Stages, each of which gets the one-hot label joined to the output of the one before.

    x, labels: the first stage's input, (N, C) or (N, H, W, C), and (N,). n_classes: how many labels
    there are. stages: modules that take n_classes more features, or channels, than the stage before
    returns.

    Raises:
        TypeError, ValueError: in a call, labels are not integers of 0 to n_classes - 1.
    """

    def __init__(self, n_classes: int, *stages: Module) -> None:
        self.stages = list(stages)
        self.n_classes = n_classes

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        y = one_hot(labels, self.n_classes, x.dtype)              # (N, n_classes)
        for stage in self.stages:
            x = stage(join(x, y))
        return x


class Branches(Module):
    """joint(of_x(x), of_y(y)): x and the one-hot label y go through layers of their own first.

    x, labels: the input of of_x, (N, ...), and (N,). n_classes: how many labels there are. of_x:
    a module of x. of_y: a module of y, (N, n_classes), that returns (N, K). joint: a module of both
    outputs, joined by `join`.

    Raises:
        TypeError, ValueError: in a call, labels are not integers of 0 to n_classes - 1.
    """

    def __init__(self, n_classes: int, of_x: Module, of_y: Module, joint: Module) -> None:
        self.of_x = of_x
        self.of_y = of_y
        self.joint = joint
        self.n_classes = n_classes

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        y = one_hot(labels, self.n_classes, x.dtype)              # (N, n_classes)
        return self.joint(join(self.of_x(x), self.of_y(y)))


class Projection(Module):
    """psi(h) + <V[y], h> with h = phi(x): any discriminator, told the label y at its end.

    Source: Miyato and Koyama 2018, "cGANs with projection discriminator", section 3 and figure 1d.
    x, labels: (N, ...), (N,) -> (N, 1).

    network: its last layer, a Dense (size, 1), becomes psi, the others phi: (N, ...) -> (N, size).
    n_classes: how many labels there are. weight_init: initial values of V, (n_classes, size); by
    default Glorot's uniform, as in the authors' code. rng: the stream that draws them; by default
    `minigan.stream("init")`.

    Raises:
        ValueError: network does not end in a Dense layer with one output.
    """

    def __init__(self, network: Sequential, n_classes: int,
                 weight_init: Init = glorot_uniform, rng: Stream | None = None) -> None:
        *phi, psi = network.layers or [network]
        if not isinstance(psi, Dense) or psi.weight.shape[1] != 1:
            raise ValueError(f"Projection: network must end in a Dense layer with one output, not "
                             f"in {psi!r}")
        self.phi = Sequential(*phi)
        self.psi = psi
        self.classes = Embedding(n_classes, psi.weight.shape[0], weight_init, rng)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """The logits, (N, 1), of x (N, ...) with labels (N,).

        Raises:
            TypeError: labels are not integers.
            ValueError: a label is out of range, or there are more or fewer labels than samples.
        """
        h = self.phi(x)                                           # (N, size)
        v = self.classes(labels)                                  # (N, size)
        if h.shape != v.shape:
            raise ValueError(f"Projection: x and labels give vectors of {h.shape} and {v.shape}")
        return self.psi(h) + sum(v * h, axis=1, keepdims=True)    # (N, 1)
