"""When a number is infinite or NaN: repeat the steps since the last checkpoint, and check every op.

The repetition is exact, so it fails at the same place. While training goes on, only the losses are
checked, which costs nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from minigan.backend import backend_of
from minigan.engine import Op, Tensor, op_hook
from minigan.errors import NotFinite, check_finite
from minigan.runs import checkpoint
from minigan.runs.records import Saved
from minigan.system.progress import Progress
from minigan.training.state import TrainingState


def explain(state: TrainingState, path: Path, symptom: NotFinite) -> str:
    """A sentence that says what was found, in which step, and which op made the first such number.

    state: the training; it is back at its last checkpoint afterwards. path: that checkpoint.
    symptom: the error that was raised.
    """
    failed = state.step
    end = f"{symptom} at step {failed}; training stopped"
    try:
        saved = Saved.from_file(*checkpoint.load(path))
    except (OSError, ValueError) as error:
        return f"{end}, and there is no checkpoint to go back to ({error})"

    state.restore(saved)
    state.stepper.captured = False  # a replay has no ops to look at; the bits are the same
    cause = _first_cause(state, failed)
    state.restore(saved)
    return (f"{end}: {cause}; {path.as_posix()} is of step {state.step}, before that, and a "
            f"lower learning rate often helps")


def _first_cause(state: TrainingState, failed: int) -> str:
    """Repeat the steps up to `failed`; says where the first non-finite number came from."""
    with Progress(state.step, failed, "looking for the cause") as bar:
        while state.step < failed:
            first = FirstNonFinite()
            with op_hook(first):
                state.train_step()
            try:
                check_finite({**state.read_losses(), **state.model.state_dict()})
            except NotFinite as symptom:
                if first.origin:
                    return (f"in step {state.step} the first non-finite value came from "
                            f"{first.origin}")
                return (f"in step {state.step} the update itself made it: {symptom}, while all "
                        f"results of ops are finite")
            bar.advance()
    return "the same steps, repeated, do not show it, so it came from outside them (a callback?)"


class FirstNonFinite:
    """A hook that remembers which op made the first infinite or NaN result.

    Attributes:
        origin: "matmul in the forward pass, shape (8, 784)"; empty while all results are finite.
    """

    def __init__(self) -> None:
        self.origin = ""

    def __call__(self, op: Op, within: Op | None, run: Callable[[], Tensor]) -> Tensor:
        """Run an op and check its result. within: the op whose backward rule runs it, if any."""
        y = run()
        if self.origin or y.dtype.kind != "f":
            return y
        finite = backend_of(y.data).isfinite(y.data)
        if not bool(finite.all()):
            where = f"the backward rule of {within.name}" if within else "the forward pass"
            self.origin = f"{op.name} in {where}, shape {y.shape}"
        return y
