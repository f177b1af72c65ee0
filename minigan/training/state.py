"""Everything that decides how training goes on, and one step of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigan.backend import backend_of
from minigan.data import Batches
from minigan.engine import Tensor
from minigan.models.model import Model
from minigan.training.stepping import Stepper


class TrainingState:
    """A model in training: its batches, how far it is, its latest losses.

    model: an untrained model, which is trained in place. batches: where its images come from.
    capture: record a step of each kind and replay it; see `Stepper`.

    Raises:
        ValueError: capture is wanted, and the model's backend cannot capture steps.
    """

    def __init__(self, model: Model, batches: Batches, capture: bool = False) -> None:
        self.model = model
        self.batches = batches
        self.xp = backend_of(model.generator.parameters()[0].data)
        if capture and not self.xp.capturable:
            raise ValueError(f"capture: the model's backend, {self.xp.device!r}, cannot capture "
                             f"steps")
        self.stepper = Stepper(model, batches, self.xp, capture)

        self.step = 0                     # done
        self.steps = 0                    # to do in all
        self.losses: dict[str, Any] = {}  # the latest: a WGAN's G moves every fifth step only
        self.seconds = 0.0                # spent training so far
        self._unfinished = False          # a step was begun and has not ended

    @np.errstate(all="ignore")  # what is not finite is found by `_read` and `save`
    def train_step(self) -> None:
        """One step on the next batch; `fit` does nothing else to the model.

        Raises:
            RuntimeError: the step before ended in the middle.
        """
        self._check_whole("train_step")
        self._unfinished = True
        try:
            losses = self.stepper()
        except MemoryError as error:
            raise MemoryError(f"{error}, at batch size {self.batches.batch_size}") from None
        self.losses = {**self.losses, **losses}
        self.step += 1
        self._unfinished = False

    def _check_whole(self, who: str) -> None:
        if self._unfinished:
            raise RuntimeError(f"{who}: step {self.step + 1:,} was interrupted in the middle, and "
                               f"has changed D and not G, perhaps; `fit` goes back to the last "
                               f"checkpoint first")

    def read_losses(self) -> dict[str, float]:
        """The latest loss of each kind, as numbers; waits for the device."""
        self.losses = {name: float(value.item() if isinstance(value, Tensor) else value)
                       for name, value in self.losses.items()}
        return dict(self.losses)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Everything that decides how training goes on: arrays, and `numbers`."""
        batches = {f"batches/{k}": np.asarray(v) for k, v in self.batches.state().items()}
        return {**self.model.state_dict(), **batches}, self.numbers()

    def numbers(self) -> dict[str, Any]:
        """What a checkpoint holds beside arrays and config."""
        return {"step": self.step, "steps": self.steps, "seconds": round(self.seconds, 3),
                "losses": self.read_losses(), "streams": self.model.streams.state()}

    def load_state(self, arrays: dict[str, np.ndarray], numbers: dict[str, Any]) -> None:
        """Go back, or on, to what `state` returned; further entries of both are ignored."""
        self._unfinished = True  # until all of it is there
        self.model.load_state_dict(arrays)
        self.batches.load_state({name: arrays[f"batches/{name}"] for name in self.batches.state()})
        self.model.streams.load_state(numbers["streams"])
        self.step, self.steps = numbers["step"], numbers["steps"]
        self.seconds, self.losses = numbers["seconds"], dict(numbers["losses"])
        self._unfinished = False
