"""What is compared: minigan's backends, and the rivals in a clone's `benchmarks/rivals/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import minigan

# Where a clone has them; a wheel contains none.
RIVALS = Path(minigan.__file__).resolve().parents[1] / "benchmarks" / "rivals"


@dataclass(frozen=True)
class Side:
    """One of those that compute a workload.

    module: a module of minigan, or the name of a rival's file in RIVALS. form: which of the
    module's forms of a step. about: what it is, for the help.
    """

    module: str
    form: str
    about: str


SIDES = {
    "minigan": Side("minigan.bench.ours", "numpy captured",
                    "on NumPy, as minigan train does it"),
    "minigan-eager": Side("minigan.bench.ours", "numpy", "the same op by op"),
    "minigan-cupy": Side("minigan.bench.ours", "cupy", "on CuPy, timed with device events"),
    "by-hand": Side("by_hand.py", "numpy", "gan:seed written by hand in NumPy, no engine"),
    "torch": Side("pytorch.py", "plain", "PyTorch as the tutorials write it"),
    "torch-tuned": Side("pytorch.py", "tuned",
                        "PyTorch with the discriminator frozen in the generator's step, fused "
                        "Adam, and channels_last where that is faster"),
    "torch-compiled": Side("pytorch.py", "compiled", "the tuned step through torch.compile"),
    "jax": Side("jax_jit.py", "jit", "the whole step under jax.jit"),
    "autograd": Side("hips_autograd.py", "plain", "HIPS/autograd, dense networks only"),
}

# Old names of minigan's sides, in results that are kept, and the present ones.
EARLIER = {"numpy": "minigan", "numpy-eager": "minigan-eager", "cupy": "minigan-cupy"}


def check(names: list[str]) -> None:
    """Check a list of sides.

    Raises:
        ValueError: a name is unknown or given twice, or the list is empty.
    """
    for name in names:
        if name not in SIDES:
            raise ValueError(f"--on: {name!r} is unknown; known are {', '.join(SIDES)}")
    if len(set(names)) < len(names) or not names:
        raise ValueError(f"--on must name one side or more, each once, got {','.join(names)!r}")


def current_name(name: str) -> str:
    """The present name of a side, which may have an ending as in "numpy+plain"."""
    side, plus, ending = name.partition("+")
    return EARLIER.get(side, side) + plus + ending


def is_rival(name: str) -> bool:
    """Whether a side is not minigan's own; a rival's code is a file of its own."""
    return SIDES[name].module.endswith(".py")


def module_of(name: str, folder: Path | None = None) -> str:
    """The module of a side of ours, or the path of a rival's file.

    folder: where the rivals are; None: in this clone.

    Raises:
        FileNotFoundError: the rival's file is not there; says where rivals are.
    """
    side = SIDES[name]
    if not is_rival(name):
        return side.module
    path = (folder or RIVALS) / side.module
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there; rivals are not in the installed package: clone minigan and run "
            f"it there, or give the clone's benchmarks/rivals as --rivals")
    return str(path)
