"""Two questions about time that no ratio answers: how soon it begins, and whether it stays flat."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import minigan
from minigan.bench import workloads
from minigan.bench.cells import LIMITS, Cell, Missing
from minigan.bench.pairs import measure
from minigan.bench.quiet import read
from minigan.bench.suite import Plan, facts

BLOCKS = 20  # measurements of a long run

CODE = """
import time
began = time.perf_counter()
import numpy
after_numpy = time.perf_counter()
import minigan
after_import = time.perf_counter()
from minigan.bench import ours
ours.start("numpy", {threads})
from minigan.bench.workloads import build, images
model = build({name!r})
x = minigan.tensor(images({batch}, *model.shape))
(model.critic_step if hasattr(model, "critic_step") else model.step)(x)
print(after_numpy - began, after_import - began, time.perf_counter() - began)
"""


def start(names: list[str], batch: int, plan: Plan) -> Iterator[dict[str, Any]]:
    """Seconds from the first line of a new process to the import and to the first step's end.

    NumPy's own import is in it, and told apart.
    """
    for name in names:
        workloads.split(name)
        code = CODE.format(threads=plan.threads, name=name, batch=batch)
        splits: list[list[float]] = []

        def turn() -> float:
            splits.append(_run(code, plan.threads))
            return splits[-1][2] * 1e3

        turn()  # compiles what was not compiled, reads the files into memory
        row = {"workload": name, "batch": batch, "side": "minigan", "rival": None}
        try:
            found = measure([turn], plan.pairs, _with_children, plan.keep_busy).summary()
        except ValueError as busy:
            yield {**row, "missing": str(busy), **facts(plan)}
            continue
        numpy_ms, import_ms = (statistics.median(s[i] for s in splits[1:]) * 1e3 for i in (0, 1))
        yield {**row, "numpy_import_ms": numpy_ms, "import_ms": import_ms,
               "first_step_ms": found.pop("ms"), **found, **facts(plan)}


def _with_children() -> Any:
    """A reading that counts the processes that were started here and have ended."""
    reading, times = read(), os.times()
    return type(reading)(reading.clock, reading.everybody,
                         reading.ours + times.children_user + times.children_system)


def _run(code: str, threads: int) -> list[float]:
    root = str(Path(minigan.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={
        **os.environ, **{name: str(threads) for name in LIMITS}, "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": ""})  # modules are compiled once, as an installation does
    if done.returncode:
        raise RuntimeError(f"a new process failed: {done.stderr.strip().splitlines()[-1]}")
    return [float(number) for number in done.stdout.split()]


def flat(names: list[str], batch: int, side: str, steps: int, plan: Plan
         ) -> Iterator[dict[str, Any]]:
    """Milliseconds and memory over a long run, in blocks, and how the last quarter compares.

    time_growth: median of the last quarter of blocks over that of the second (the first warms up);
    memory_growth: megabytes of the peak gained since the end of the first quarter.
    """
    for name in names:
        row = {"workload": name, "batch": batch, "side": side, "rival": None, "steps": steps}
        try:
            with Cell(side, workloads.prepare(name, batch), plan.threads, plan.rivals) as cell:
                block = max(1, steps // BLOCKS)
                at, ms, mb, others = [], [], [], []
                for i in range(BLOCKS):
                    found = measure([lambda: cell.seconds(block) / block * 1e3], 1,
                                    lambda: read([cell.pid]), keep_busy=True)
                    at.append((i + 1) * block)
                    ms.append(found.kept[0][0])
                    others.append(round(found.others[0], 3))
                    mb.append(cell.memory()["peak_mb"])
        except Missing as reason:
            yield {**row, "missing": str(reason), **facts(plan)}
            continue
        quarter = BLOCKS // 4
        yield {**row, "at": at, "ms_of_blocks": ms, "mb_of_blocks": mb, "others_of_blocks": others,
               "time_growth": (statistics.median(ms[-quarter:])
                               / statistics.median(ms[quarter:2 * quarter])),
               "memory_growth_mb": mb[-1] - mb[quarter - 1], **facts(plan)}
