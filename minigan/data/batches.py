"""Endless batches, in an order that a seeded stream decides and a checkpoint can keep."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from minigan.data.images import Images
from minigan.data.ranges import to_model


class Shuffler(Protocol):
    """What `Batches` needs of a random stream."""

    def permutation(self, n: int, /) -> NDArray[np.int64]:
        """The numbers from 0 to n - 1 in random order, int64 (n,)."""


class Batches:
    """An endless iterator of batches: each epoch is one shuffle of the set, cut into batches.

        for x, labels in Batches(images, 64, stream): ...

    x: float32 (batch_size, H, W, C) in [-1, 1]; labels: int64 (batch_size,), or None. Both are new
    arrays. If fewer images than a batch are left at an epoch's end, they are dropped, so that batch
    norm's statistics always come from the same number of images; the next epoch shuffles them in
    again.

    images: the data set. batch_size: images in a batch, at least 1. rng: the random stream; one
    permutation is drawn from it when an epoch begins, none before.

    order: the current epoch's, int64 (N,); a new array for each epoch. position: how many of its
    images have been used.

    Raises:
        ValueError: batch_size is below 1, or the set has fewer images than that.
    """

    def __init__(self, images: Images, batch_size: int, rng: Shuffler) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size: {batch_size}, expected at least 1")
        if len(images) < batch_size:
            raise ValueError(f"data: {len(images)} images, batch_size {batch_size}: "
                             "a batch cannot be larger than the data set")
        self.images = images
        self.batch_size = batch_size
        self._rng = rng
        # As at an epoch's end, so that the first batch needs no special case.
        self.order = np.arange(len(images), dtype=np.int64)
        self.position = len(images)

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
        self.renew()
        end = self.position + self.batch_size
        chosen = self.order[self.position:end]
        self.position = end
        x = to_model(self.images.images[chosen])
        labels = self.images.labels
        if labels is not None:
            labels = labels[chosen]
        return x, labels

    def renew(self) -> None:
        """Begin the next epoch, if the current one has no batch left."""
        if self.position + self.batch_size > len(self.images):
            self.order = self._rng.permutation(len(self.images))
            self.position = 0

    @property
    def per_epoch(self) -> int:
        """Batches per epoch."""
        return len(self.images) // self.batch_size

    def state(self) -> dict[str, Any]:
        """Where the epoch stands: "permutation", int64 (N,), is its order, "position" an int.

        Together with the stream's state at the same moment, it decides all batches to come.
        """
        return {"permutation": self.order.copy(), "position": self.position}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken; the stream's state is loaded by its owner.

        state: what `state()` returned, for a set of the same size.

        Raises:
            KeyError: an entry is missing.
            ValueError: the order is not a permutation of this many images, or the position is
                outside it.
        """
        order = np.asarray(state["permutation"])
        position = int(state["position"])
        count = len(self.images)
        if order.shape != (count,) or not np.array_equal(np.sort(order), np.arange(count)):
            raise ValueError(f"state: its permutation, {order.shape}, is not a permutation of the "
                             f"{count} images of {self.images.name}")
        if not 0 <= position <= count:
            raise ValueError(f"state: position {position}, expected 0 to {count}")
        self.order = order.astype(np.int64)
        self.position = position
