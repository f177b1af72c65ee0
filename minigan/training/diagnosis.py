"""When a number is infinite or NaN: back to the last checkpoint, and the steps again, watched.

The repetition is exact, so it fails at the same place, now with a look at what every op makes. In
training itself nobody looks at more than the losses, which costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping

import numpy as np

from minigan.backend import of
from minigan.engine import Op, Tensor, op_hook
from minigan.training import archive
from minigan.training.progress import Progress

if TYPE_CHECKING:
    from minigan.training.trainer import Trainer


class NotFinite(FloatingPointError):
    """A number of the training is infinite or NaN."""


def check(values: Mapping[str, Any]) -> None:
    """Raise a NotFinite that names the first number or host array which is not finite all over."""
    for name, value in values.items():
        if not np.isfinite(value).all():
            bad = np.ravel(value)
            raise NotFinite(f"{name} is {bad[~np.isfinite(bad)][0]}")


def explain(trainer: Trainer, symptom: NotFinite) -> str:
    """What happened, in which step and op, with the trainer back at its last checkpoint."""
    failed = trainer.step
    what = f"{symptom} at step {failed}; training stopped"
    try:
        arrays, config = archive.load(trainer.folder.checkpoint)
    except (OSError, ValueError) as error:
        return f"{what}, and there is no checkpoint to go back to ({error})"
    trainer.load_state(arrays, config)
    trainer.stepper.captured = False  # a replay has no ops to look at; the bits are the same
    cause = _first_cause(trainer, failed)
    trainer.load_state(arrays, config)
    return (f"{what}: {cause}; {trainer.folder.checkpoint.as_posix()} is of step {trainer.step}, "
            f"before that, and a lower learning rate often helps")


def _first_cause(trainer: Trainer, failed: int) -> str:
    """Repeat the steps up to `failed`: where the first bad number came from."""
    with Progress(trainer.step, failed, "looking for the cause") as bar:
        while trainer.step < failed:
            found: list[str] = []
            with op_hook(_watch(found)):
                trainer.train_step()
            try:
                check({**trainer.read_losses(), **trainer.model.state_dict()})
            except NotFinite as symptom:
                cause = found[0] if found else f"the update made it: {symptom}, its gradient is not"
                return f"in step {trainer.step} {cause}"
            bar.advance()
    return "the same steps again do not show it, so it came from outside them (a callback?)"


def _watch(found: list[str]) -> Callable[[Op, Op | None, Callable[[], Tensor]], Tensor]:
    """A hook that describes the first op whose result is not finite."""
    def watch(op: Op, within: Op | None, run: Callable[[], Tensor]) -> Tensor:
        y = run()
        if not found and y.dtype.kind == "f":
            finite = of(y.data).isfinite(y.data)
            if not bool(finite.all()):
                where = f"in the backward rule of {within.name}" if within else "going forward"
                found.append(f"{op.name}, {where}, was the first to make such a number, in a "
                             f"result of shape {y.shape}")
        return y
    return watch
