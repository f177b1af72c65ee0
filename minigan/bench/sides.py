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
    "numpy": Side("minigan.bench.ours", "numpy captured", "minigan on NumPy, as minigan train"),
    "numpy-eager": Side("minigan.bench.ours", "numpy", "the same op by op"),
    "cupy": Side("minigan.bench.ours", "cupy", "minigan on CuPy, timed with device events"),
    "by-hand": Side("by_hand.py", "numpy", "gan:seed written by hand in NumPy, no engine"),
    "torch": Side("pytorch.py", "plain", "PyTorch as the tutorials write it"),
    "torch-tuned": Side("pytorch.py", "tuned", "PyTorch with the discriminator frozen in the "
                        "generator's step, fused Adam, and channels_last where that is faster"),
    "torch-compiled": Side("pytorch.py", "compiled", "the tuned step through torch.compile"),
    "jax": Side("jax_jit.py", "jit", "the whole step under jax.jit"),
    "autograd": Side("hips_autograd.py", "plain", "HIPS/autograd, dense networks only"),
}


def check(names: list[str]) -> None:
    """Raise a ValueError unless all names are known, and none comes twice."""
    for name in names:
        if name not in SIDES:
            raise ValueError(f"--on: {name!r} is unknown; known are {', '.join(SIDES)}")
    if len(set(names)) < len(names) or not names:
        raise ValueError(f"--on must name one side or more, each once, got {','.join(names)!r}")


def place(name: str, folder: Path | None = None) -> str:
    """The module of a side, or its file.

    Raises:
        FileNotFoundError: its file is not there; says where rivals are.
    """
    side = SIDES[name]
    if not side.module.endswith(".py"):
        return side.module
    path = (folder or RIVALS) / side.module
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there; rivals are not in the installed package: clone minigan and run "
            f"it there, or give the clone's benchmarks/rivals as --rivals")
    return str(path)
