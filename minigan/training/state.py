"""Everything that decides how training goes on, and one step of it."""

from __future__ import annotations

import numpy as np

from minigan.backend import backend_of
from minigan.data import Batches
from minigan.engine import Tensor
from minigan.errors import shown
from minigan.models.model import Model
from minigan.runs.records import Numbers, Saved
from minigan.training.stepping import Stepper


class TrainingState:
    """A model in training: its batches, how far it is, its latest losses.

    model: an untrained model, which is trained in place. batches: where its images come from.
    capture: record a step of each phase and replay it; see `Stepper`.

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

        self.step = 0           # done
        self.steps = 0          # to do in all
        self.seconds = 0.0      # spent training so far
        self.losses: dict[str, float | Tensor] = {}  # the latest: not every step updates G
        self._unfinished = False  # a step has begun and has not ended

    @np.errstate(all="ignore")  # non-finite numbers are found when losses are read, and in `save`
    def train_step(self) -> None:
        """One step on the next batch; `fit` does nothing else to the model.

        Raises:
            RuntimeError: the step before ended in the middle.
            TypeError: the model's step returns no dict of losses.
        """
        self._check_whole("train_step")
        self._unfinished = True
        try:
            losses = self.stepper()
        except MemoryError as error:
            raise MemoryError(f"{error}, at batch size {self.batches.batch_size}") from None
        if not isinstance(losses, dict):
            raise TypeError(f"step of {type(self.model).__name__} must return its losses by name, "
                            f"a dict of tensors, got {shown(losses)}")
        self.losses = {**self.losses, **losses}
        self.step += 1
        self._unfinished = False

    def _check_whole(self, method: str) -> None:
        if self._unfinished:
            raise RuntimeError(f"{method}: step {self.step + 1:,} was interrupted in the middle, "
                               f"and may have changed D and not G; `fit` goes back to the last "
                               f"checkpoint first")

    def read_losses(self) -> dict[str, float]:
        """The latest loss of each kind, as numbers; waits for the device."""
        losses = {}
        for name, value in self.losses.items():
            losses[name] = float(value.item() if isinstance(value, Tensor) else value)
        self.losses = {**losses}
        return losses

    # To a checkpoint and back.

    def state(self) -> tuple[dict[str, np.ndarray], Numbers]:
        """Everything that decides how training goes on."""
        arrays = dict(self.model.state_dict())
        for name, value in self.batches.state().items():
            arrays[f"batches/{name}"] = np.asarray(value)
        return arrays, self.numbers()

    def numbers(self) -> Numbers:
        """How far the training is: what a checkpoint holds beside arrays and config."""
        return Numbers(self.step, self.steps, round(self.seconds, 3), self.read_losses(),
                       self.model.streams.state())

    def load_state(self, arrays: dict[str, np.ndarray], numbers: Numbers) -> None:
        """Go back, or on, to what `state` returned; further arrays are ignored.

        Raises:
            KeyError, TypeError, ValueError: an array or a number is missing, or does not fit.
        """
        self._unfinished = True  # until all of it is loaded
        self.model.load_state_dict(arrays)
        self.batches.load_state({name: arrays[f"batches/{name}"] for name in self.batches.state()})
        self.model.streams.load_state(numbers.streams)
        self.step = numbers.step
        self.steps = numbers.steps
        self.seconds = numbers.seconds
        self.losses = {**numbers.losses}
        self._unfinished = False

    def restore(self, saved: Saved) -> None:
        """Go back, or on, to a checkpoint.

        Raises:
            KeyError, TypeError, ValueError: as `load_state`.
        """
        self.load_state(saved.arrays, saved.numbers)
