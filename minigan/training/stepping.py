"""From batches to steps: op by op, or captured, one recording for each phase of the model."""

from __future__ import annotations

import numpy as np

from minigan.backend import Backend
from minigan.capturing import Captured, ChangedError, Results, capture
from minigan.data import Batches
from minigan.engine import Tensor
from minigan.models.model import Model


class Feed:
    """Batches as tensors of a device.

    If the device picks batches itself, the whole data set is there, as bytes, and a step sends
    nothing; the order of an epoch is sent when it begins. Otherwise, and for sets whose images are
    made on demand (stacked digits), every batch is written into the same tensors.
    """

    def __init__(self, batches: Batches, xp: Backend) -> None:
        self.batches = batches
        self.xp = xp
        self.tensors: list[Tensor] = []  # the present batch: x, and labels if there are any
        self.resident = xp.picks_batches and isinstance(batches.images.images, np.ndarray)
        if self.resident:
            images = batches.images.images
            labels = batches.images.labels
            self._images = xp.from_host(images)
            self._labels = None if labels is None else xp.from_host(labels.astype("int64"))
            self._order = xp.from_host(batches.order)
            self._sent = batches.order  # the order that the device has

    def prepare(self) -> None:
        """Before a step: begin the next epoch if one is used up, and send what the step needs."""
        self.batches.renew()
        if self.resident:
            if self._sent is not self.batches.order:
                self.xp.write(self._order, self.batches.order)
                self._sent = self.batches.order
            return

        x, labels = next(self.batches)
        arrays = [self.xp.from_host(x)]
        if labels is not None:
            arrays.append(self.xp.from_host(labels))
        if not self.tensors:
            self.tensors = [Tensor(array) for array in arrays]
        for tensor, array in zip(self.tensors, arrays):
            if tensor.data is not array:
                tensor.assign(array)

    def batch(self) -> list[Tensor]:
        """The batch of this step: x (N, H, W, C) in [-1, 1] and, if there are any, labels (N,)."""
        if not self.resident:
            return self.tensors
        size = self.batches.batch_size
        x, labels = self.xp.batch(self._images, self._labels, self._order, self.batches, size)
        self.xp.advance(self.batches, "position", size)
        return [Tensor(array) for array in (x, labels) if array is not None]


class Stepper:
    """Trains a model by one step a call.

    captured: the first step of each phase runs op by op, the second is recorded, and all later ones
    are replays, with the same bits. If something changes that the recorded steps have read, such as
    a layer's setting, they are recorded again.
    """

    def __init__(self, model: Model, batches: Batches, xp: Backend, captured: bool = False) -> None:
        self.model = model
        self.captured = captured
        self.feed = Feed(batches, xp)
        self.graphs: dict[str, Captured | None] = {}  # by phase; None: it ran once, op by op

    def __call__(self) -> Results:
        with self.model.turn:
            return self._step()

    def _step(self) -> Results:
        self.feed.prepare()
        phase = self.model.phase()
        if not self.captured or phase not in self.graphs:
            self.graphs[phase] = None
            return self.run()

        graph = self.graphs[phase]
        if graph is None:
            graph = capture(self.run, [*self.model.tensors(), *self.feed.tensors])
            self.graphs[phase] = graph
        try:
            return graph()
        except ChangedError:
            self.graphs = {phase: None}
            return self.run()

    def run(self) -> Results:
        """One step, op by op."""
        return self.model.step(*self.feed.batch())
