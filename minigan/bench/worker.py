"""A cell's process: builds one side of one workload, then runs steps when it is told to.

It is started as a file, not as a module, and imports nothing but NumPy before its side: a rival's
process holds no minigan. Orders come as lines on standard input, answers go as JSON lines to
standard output:

    steps N -> seconds;   memory -> bytes;   floor -> the floor's numbers, or null
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np  # noqa: F401 every side needs it, so it is part of the level after import


def main(order: dict[str, Any]) -> None:
    """Serve one cell. order: side's module or file, its form, the load's file, threads."""
    out, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer

    def answer(value: Any) -> None:
        print(json.dumps(value), file=out, flush=True)

    try:
        side = load_module(order["module"])
        versions = side.start(order["form"], order["threads"])
        level = resident()
        with open(order["load"], "rb") as file:
            load = pickle.load(file)
        step = side.build(load, order["form"])
        first = [[side.value(loss) for loss in step(i)] for i in range(order["checked"])]
    except Exception as error:  # whatever it is, it belongs into the table
        return answer({"missing": reason(error)})
    del load
    gc.collect()
    forget_peak()
    answer({"losses": first, "versions": versions, "level": level})
    number = order["checked"]
    for line in sys.stdin:
        what, *counts = line.split()
        if what == "steps":
            n = int(counts[0])
            answer(run(side, step, number, n))
            number += n
        elif what == "memory":
            answer({"peak": peak(), "device": getattr(side, "device_memory", lambda: None)()})
        elif what == "floor":
            answer(side.floor_of(step, order["threads"]) if hasattr(side, "floor_of") else None)


def reason(error: Exception) -> str:
    """Why a cell is empty, in one line; what was to be expected needs no name."""
    text = " ".join(str(error).split())[:300]
    expected = isinstance(error, (ImportError, NotImplementedError))
    return text if expected and text else f"{type(error).__name__}: {text}"


def load_module(name: str) -> Any:
    """A module by its name, or by its path where that ends in .py."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    sys.path.insert(0, str(Path(name).parent))
    return importlib.import_module(Path(name).stem)


def run(side: Any, step: Any, start: int, n: int) -> float:
    """Seconds of n steps, the last of which is waited for."""
    def job() -> None:
        for i in range(start, start + n):
            losses = step(i)
        for loss in losses:
            side.value(loss)

    if hasattr(side, "seconds"):  # it knows a better clock
        return float(side.seconds(job))
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def resident() -> int:
    """Bytes of memory that this process holds now; 0 where the system does not tell."""
    return _status("VmRSS")


def peak() -> int:
    """Bytes that it has held at most since `forget_peak`; 0 where the system does not tell."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Let the peak start anew, where the system can do that (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def _status(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder, whose modules are minigan.bench's
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main(json.loads(sys.argv[1]))
