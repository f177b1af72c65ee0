"""What this machine is, for `minigan info`, for config.json and for benchmarks."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from minigan.system.blas import built_with, libraries


def blas() -> list[dict[str, Any]]:
    """The BLAS libraries that are loaded: "name", "version", "kernels" and "threads" of each.

    Where none is found, the one that NumPy says it was built with; its threads are None then.
    """
    loaded = libraries()
    if not loaded:
        name, version = built_with()
        return [{"name": name, "version": version, "kernels": "unknown", "threads": None}]
    return [_described(library) for library in loaded]


def _described(library: dict[str, Any]) -> dict[str, Any]:
    """What `blas` says of a library that threadpoolctl has found."""
    return {
        "name": library.get("internal_api"),
        "version": library.get("version"),
        "kernels": library.get("architecture"),
        "threads": library.get("num_threads"),
    }


def environment() -> dict[str, Any]:
    """What decides whether a rerun gives the same bits: versions, BLAS, processor."""
    loaded = blas()
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": ", ".join(f"{library['name']} {library['version']}" for library in loaded),
        "blas_kernels": ", ".join(str(library["kernels"]) for library in loaded),
        "numpy_loops": numpy_loops(),
        "processor": processor(),
        "system": platform.system(),
    }


def numpy_loops() -> str:
    """The processor's extensions that NumPy's loops use here; "unknown" if NumPy does not say.

    NPY_DISABLE_CPU_FEATURES turns some off; sums and functions then give other bits.
    """
    try:
        config: Any = np.show_config(mode="dicts")
        extensions = config["SIMD Extensions"]
    except (KeyError, TypeError, AttributeError):
        return "unknown"
    return " ".join([*extensions.get("baseline", ()), *extensions.get("found", ())])


def processor() -> str:
    """The processor's name as its maker writes it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory() -> int | None:
    """The machine's memory in bytes, used or not; None where that is unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def busy_cores(seconds: float = 0.3) -> float | None:
    """How many cores other processes use, measured for some seconds; None where that is unknown."""
    try:
        all_before = all_busy_seconds()
        own_before = time.process_time()
        time.sleep(seconds)
        everybody = all_busy_seconds() - all_before
    except OSError:
        return None
    own = time.process_time() - own_before
    return max(0.0, (everybody - own) / seconds)


def all_busy_seconds() -> float:
    """Processor time that all processes together have used since some fixed moment.

    Raises:
        OSError: the system does not tell (it is not Linux).
    """
    first_line = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0]
    _, *fields = first_line.split()  # "cpu", then times in ticks
    user, nice, system, _idle, _waiting, irq, softirq = map(int, fields[:7])
    busy = user + nice + system + irq + softirq
    return busy / os.sysconf("SC_CLK_TCK")
