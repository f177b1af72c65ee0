"""Three ways to tell a network a label: beside its inputs, through a branch, or at its end."""

from __future__ import annotations

from typing import Any

from minigan.backend import backend_of
from minigan.engine import Tensor
from minigan.nn import init
from minigan.nn.layers import Dense, Embedding
from minigan.nn.module import Module, Sequential
from minigan.ops import broadcast_to, concatenate, getitem, reshape, sum
from minigan.ops.shape import check_ids
from minigan.streams import Stream


def one_hot(labels: Tensor, n_classes: int, dtype: Any) -> Tensor:
    """1 at each label, else 0: (N,) integers -> (N, n_classes) of a float dtype."""
    check_ids("labels", labels.data, n_classes)
    return getitem(Tensor(backend_of(labels.data).eye(n_classes, dtype=dtype)), labels)


def join(x: Tensor, y: Tensor) -> Tensor:
    """x with y (N, K) as K more features: of a vector, or of every pixel (constant maps)."""
    maps = y if x.ndim == 2 else broadcast_to(reshape(y, (len(y), 1, 1, y.shape[1])),
                                              x.shape[:-1] + y.shape[1:])
    return concatenate([x, maps], axis=-1)


class Joined(Module):
    """Stages, each of which is given the one-hot label beside the output of the one before."""

    def __init__(self, n_classes: int, *stages: Module) -> None:
        self.stages, self.n_classes = list(stages), n_classes

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        y = one_hot(labels, self.n_classes, x.dtype)
        for stage in self.stages:
            x = stage(join(x, y))
        return x


class Branches(Module):
    """joint(of_x(x), of_y(y)): x and the one-hot label y first through layers of their own."""

    def __init__(self, n_classes: int, of_x: Module, of_y: Module, joint: Module) -> None:
        self.of_x, self.of_y, self.joint, self.n_classes = of_x, of_y, joint, n_classes

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        y = one_hot(labels, self.n_classes, x.dtype)
        return self.joint(join(self.of_x(x), self.of_y(y)))


class Projection(Module):
    """psi(h) + <V[y], h> with h = phi(x): any discriminator, told the label y at its end.

    Source: Miyato and Koyama 2018, "cGANs with projection discriminator", section 3 and figure 1d.
    network: its last layer, a Dense (size, 1), becomes psi, the others phi: (N, ...) -> (N, size).
    V: (n_classes, size), by default from Glorot's uniform as in the authors' code.
    x, labels: (N, ...), (N,) -> (N, 1).
    """

    def __init__(self, network: Sequential, n_classes: int,
                 weight_init: init.Init = init.glorot_uniform, rng: Stream | None = None) -> None:
        *phi, psi = network.layers or [network]
        if not isinstance(psi, Dense) or psi.weight.shape[1] != 1:
            raise ValueError(f"Projection: network must end in a Dense layer with one output, not "
                             f"in {psi!r}")
        self.phi, self.psi = Sequential(*phi), psi
        self.classes = Embedding(n_classes, psi.weight.shape[0], weight_init, rng)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        h, v = self.phi(x), self.classes(labels)                               # (N, size) each
        if h.shape != v.shape:
            raise ValueError(f"Projection: x and labels give vectors of {h.shape} and {v.shape}")
        return self.psi(h) + sum(v * h, axis=1, keepdims=True)                 # (N, 1)
