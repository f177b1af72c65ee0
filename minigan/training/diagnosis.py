"""When a number is infinite or NaN: back to the last checkpoint, and the steps again, watched.

The repetition is exact, so it fails at the same place, now with a look at what every op makes. In
training itself nobody looks at more than the losses, which costs nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from minigan.backend import backend_of
from minigan.engine import Op, Tensor, op_hook
from minigan.errors import NotFinite, check_finite
from minigan.runs import checkpoint
from minigan.system.progress import Progress
from minigan.training.state import TrainingState


def explain(state: TrainingState, path: Path, symptom: NotFinite) -> str:
    """What happened, in which step and op; the training is back at its last checkpoint then.

    path: that checkpoint.
    """
    failed = state.step
    what = f"{symptom} at step {failed}; training stopped"
    try:
        arrays, config = checkpoint.load(path)
    except (OSError, ValueError) as error:
        return f"{what}, and there is no checkpoint to go back to ({error})"
    state.load_state(arrays, config)
    state.stepper.captured = False  # a replay has no ops to look at; the bits are the same
    cause = _first_cause(state, failed)
    state.load_state(arrays, config)
    return (f"{what}: {cause}; {path.as_posix()} is of step {state.step}, before "
            f"that, and a lower learning rate often helps")


def _first_cause(state: TrainingState, failed: int) -> str:
    """Repeat the steps up to `failed`: where the first bad number came from."""
    with Progress(state.step, failed, "looking for the cause") as bar:
        while state.step < failed:
            found: list[str] = []
            with op_hook(_watch(found)):
                state.train_step()
            try:
                check_finite({**state.read_losses(), **state.model.state_dict()})
            except NotFinite as symptom:
                cause = found[0] if found else f"the update made it: {symptom}, its gradient is not"
                return f"in step {state.step} {cause}"
            bar.advance()
    return "the same steps again do not show it, so it came from outside them (a callback?)"


def _watch(found: list[str]) -> Callable[[Op, Op | None, Callable[[], Tensor]], Tensor]:
    """A hook that describes the first op whose result is not finite."""
    def watch(op: Op, within: Op | None, run: Callable[[], Tensor]) -> Tensor:
        y = run()
        if not found and y.dtype.kind == "f":
            finite = backend_of(y.data).isfinite(y.data)
            if not bool(finite.all()):
                where = f"in the backward rule of {within.name}" if within else "going forward"
                found.append(f"{op.name}, {where}, was the first to make such a number, in a "
                             f"result of shape {y.shape}")
        return y
    return watch
