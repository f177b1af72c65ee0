"""Who is compared: minigan's backends, and the rivals of a clone's `benchmarks/rivals/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import minigan

# where a clone has them; a wheel brings none
RIVALS = Path(minigan.__file__).resolve().parents[1] / "benchmarks" / "rivals"


@dataclass(frozen=True)
class Side:
    """module: ours by name, a rival's by file in RIVALS; form: which of its forms; about: words."""

    module: str
    form: str
    about: str


SIDES = {
    "minigan": Side("minigan.bench.ours", "numpy captured", "on NumPy, as minigan train does it"),
    "minigan-eager": Side("minigan.bench.ours", "numpy", "the same op by op"),
    "minigan-cupy": Side("minigan.bench.ours", "cupy", "on CuPy, timed with device events"),
    "by-hand": Side("by_hand.py", "numpy", "gan:seed written by hand in NumPy, no engine"),
    "torch": Side("pytorch.py", "plain", "PyTorch as the tutorials write it"),
    "torch-tuned": Side("pytorch.py", "tuned", "PyTorch with the discriminator frozen in the "
                        "generator's step, fused Adam, and channels_last where that is faster"),
    "torch-compiled": Side("pytorch.py", "compiled", "the tuned step through torch.compile"),
    "jax": Side("jax_jit.py", "jit", "the whole step under jax.jit"),
    "autograd": Side("hips_autograd.py", "plain", "HIPS/autograd, dense networks only"),
}

# What minigan's sides were called once, in results that are kept.
EARLIER = {"numpy": "minigan", "numpy-eager": "minigan-eager", "cupy": "minigan-cupy"}


def check(names: list[str]) -> None:
    """Raise a ValueError unless all names are known, and none comes twice."""
    for name in names:
        if name not in SIDES:
            raise ValueError(f"--on: {name!r} is unknown; known are {', '.join(SIDES)}")
    if len(set(names)) < len(names) or not names:
        raise ValueError(f"--on must name one side or more, each once, got {','.join(names)!r}")


def present(name: str | None) -> str | None:
    """The present name of a side, also with an ending as in "numpy+plain"; None stays None."""
    if name is None:
        return None
    side, plus, ending = name.partition("+")
    return EARLIER.get(side, side) + plus + ending


def is_rival(name: str) -> bool:
    """Whether a side is not minigan's own; it then comes from a file of its own."""
    return SIDES[name].module.endswith(".py")


def place(name: str, folder: Path | None = None) -> str:
    """The module of a side, or its file.

    Raises:
        FileNotFoundError: its file is not there; says where rivals are.
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
