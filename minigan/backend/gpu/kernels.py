"""The CUDA sources in `cuda/`: their text, and what each kernel takes."""

from __future__ import annotations

import functools
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "cuda"
REALS = {"float32": "float", "float64": "double"}  # what REAL stands for; compiled once for each
OPTIONS = ("--std=c++17",)  # of NVRTC


@functools.lru_cache
def source() -> str:
    """All kernels as one text, the shared part first."""
    paths = [FOLDER / "common.cuh", *sorted(FOLDER.glob("*.cu"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@functools.lru_cache
def signatures() -> dict[str, tuple[str, ...]]:
    """The types that each kernel takes, by its name: "int", "word", "REAL *", "const REAL *", ...

    A pointer that is not const is where the kernel writes to.
    """
    kernels = re.findall(r"KERNEL (\w+)\(([^)]*)\)", source())
    return {name: tuple(_type_of(parameter) for parameter in parameters.split(","))
            for name, parameters in kernels}


def _type_of(parameter: str) -> str:
    """ "const REAL *x", perhaps over two lines, without the x."""
    on_one_line = " ".join(parameter.split())
    return re.sub(r"\s*\w+$", "", on_one_line)
