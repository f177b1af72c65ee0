"""A cell's process: it builds one side of one workload, then runs steps on request.

It is started as a file, not as a module, and imports nothing but NumPy before its side, so that a
rival's process holds no minigan. Its argument is the first request, in JSON; further ones come as
lines on standard input. Answers are JSON lines on standard output:

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

import numpy as np  # noqa: F401 every side needs it, so it is part of the memory after import


def main(request: dict[str, Any]) -> None:
    """Serve one cell.

    request: module (of the side, or its file), form, workload (the file that holds it), threads,
    and checked, the number of first steps whose losses are wanted.
    """
    out = sys.stdout
    sys.stdout = sys.stderr  # keep a library's prints out of the answers

    def answer(value: Any) -> None:
        print(json.dumps(value), file=out, flush=True)

    try:
        side = load_module(request["module"])
        versions = side.start(request["form"], request["threads"])
        level = resident()
        with open(request["workload"], "rb") as file:
            workload = pickle.load(file)
        step = side.build(workload, request["form"])
        first = [[side.value(loss) for loss in step(i)] for i in range(request["checked"])]
    except Exception as error:  # any error becomes the table's entry
        return answer({"missing": reason(error)})

    del workload
    gc.collect()
    forget_peak()
    answer({"losses": first, "versions": versions, "level": level})
    done = request["checked"]
    for line in sys.stdin:
        wanted, *counts = line.split()
        if wanted == "steps":
            n = int(counts[0])
            answer(seconds_of(side, step, done, n))
            done += n
        elif wanted == "memory":
            on_device = side.device_memory() if hasattr(side, "device_memory") else None
            answer({"peak": peak(), "device": on_device})
        elif wanted == "floor":
            has_floor = hasattr(side, "floor_of")
            answer(side.floor_of(step, request["threads"]) if has_floor else None)


def reason(error: Exception) -> str:
    """Why a cell is empty, in one line; an expected error is given without its class's name."""
    text = " ".join(str(error).split())[:300]
    expected = isinstance(error, (ImportError, NotImplementedError))
    return text if expected and text else f"{type(error).__name__}: {text}"


def load_module(name: str) -> Any:
    """A module by its name, or by its path where that ends in .py."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    sys.path.insert(0, str(Path(name).parent))
    return importlib.import_module(Path(name).stem)


def seconds_of(side: Any, step: Any, start: int, n: int) -> float:
    """Seconds of n steps, numbered from `start`; the last one is waited for."""
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
    """The most bytes it has held since `forget_peak`; 0 where the system does not tell."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Reset the peak, where the system can do that (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def _status(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder, whose modules are minigan.bench's
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main(json.loads(sys.argv[1]))
