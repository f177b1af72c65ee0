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
    """The BLAS libraries that are loaded: name, version, kernels and number of threads of each.

    Where none is found, the one that NumPy says it was built with; its threads are None then.
    """
    found = libraries()
    if not found:
        name, version = built_with()
        return [{"name": name, "version": version, "kernels": "unknown", "threads": None}]
    return [{"name": lib.get("internal_api"), "version": lib.get("version"),
             "kernels": lib.get("architecture"), "threads": lib.get("num_threads")}
            for lib in found]


def environment() -> dict[str, Any]:
    """What decides whether a rerun gives the same bits: versions, BLAS, processor."""
    return {"python": platform.python_version(), "numpy": np.__version__,
            "blas": ", ".join(f"{lib['name']} {lib['version']}" for lib in blas()),
            "blas_kernels": ", ".join(str(lib["kernels"]) for lib in blas()),
            "numpy_loops": numpy_loops(),
            "processor": processor(), "system": platform.system()}


def numpy_loops() -> str:
    """The processor's extensions that NumPy's loops use here, "unknown" if it does not tell.

    NPY_DISABLE_CPU_FEATURES turns some off; sums and functions then give other bits.
    """
    try:
        found: Any = np.show_config(mode="dicts")
        extensions = found["SIMD Extensions"]
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
    """How many cores other processes use now, over a short watch; None where that is unknown."""
    try:
        before, own = all_busy_seconds(), time.process_time()
        time.sleep(seconds)
        others = all_busy_seconds() - before - (time.process_time() - own)
    except OSError:
        return None
    return max(0.0, others / seconds)


def all_busy_seconds() -> float:
    """Processor time that all processes together have used since some fixed moment.

    Raises:
        OSError: the system does not tell (it is not Linux).
    """
    fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
