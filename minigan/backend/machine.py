"""What this machine is, for `minigan info`, for config.json and for benchmarks."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np


def blas() -> list[dict[str, Any]]:
    """The BLAS libraries that are loaded: name, version and number of threads of each."""
    from threadpoolctl import threadpool_info
    return [{"name": found.get("internal_api"), "version": found.get("version"),
             "threads": found.get("num_threads")}
            for found in threadpool_info() if found.get("user_api") == "blas"]


def environment() -> dict[str, Any]:
    """What decides whether a rerun gives the same bits: versions, BLAS, processor."""
    return {"python": platform.python_version(), "numpy": np.__version__,
            "blas": ", ".join(f"{lib['name']} {lib['version']}" for lib in blas()),
            "processor": processor(), "system": platform.system()}


def processor() -> str:
    """The processor's name as its maker writes it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def busy_cores(seconds: float = 0.3) -> float | None:
    """How many cores other processes use now, over a short watch; None where that is unknown."""
    before = _busy_seconds()
    time.sleep(seconds)
    after = _busy_seconds()
    if before is None or after is None:
        return None
    (all_before, own_before), (all_after, own_after) = before, after
    return max(0.0, ((all_after - all_before) - (own_after - own_before)) / seconds)


def _busy_seconds() -> tuple[float, float] | None:
    """Processor time of all processes, and of this one, in seconds since some fixed moment."""
    try:
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
        user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    except (OSError, ValueError):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / ticks, time.process_time()
