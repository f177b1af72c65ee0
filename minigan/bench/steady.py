"""Two questions that no ratio answers: how soon does it begin, and does it stay as fast?"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import replace
from typing import Iterator

import numpy as np

import minigan
from minigan.bench import workloads
from minigan.bench.cells import Cell, Missing, environment
from minigan.bench.pairs import measure
from minigan.bench.quiet import Reading, read
from minigan.bench.records import LongRun, Row, Start
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


def start(names: list[str], batch: int, plan: Plan) -> Iterator[Row]:
    """Time from the first line of a new process to its imports and to its first step's end.

    Raises:
        ValueError: there is no such workload.
        RuntimeError: a process failed.
    """
    for name in names:
        workloads.split(name)
        versions = {"minigan": minigan.__version__, "numpy": np.__version__}
        row = Row(name, batch, "minigan", versions=versions, facts=facts(plan))
        code = CODE.format(threads=plan.threads, name=name, batch=batch)
        seconds: list[list[float]] = []  # of NumPy's import, of all imports, of the first step

        def turn() -> float:
            seconds.append(_run(code, plan.threads))
            return seconds[-1][2] * 1e3

        turn()  # compiles what was not compiled, reads the files into memory
        seconds.clear()
        try:
            timing = measure([turn], plan.pairs, _with_children, plan.keep_busy).summary()
        except ValueError as busy:
            yield replace(row, missing=str(busy))
            continue
        numpy_ms = statistics.median(each[0] for each in seconds) * 1e3
        import_ms = statistics.median(each[1] for each in seconds) * 1e3
        yield replace(row, timing=timing, start=Start(numpy_ms, import_ms))


def _with_children() -> Reading:
    """A reading that counts the processes that were started here and have ended."""
    times = os.times()
    reading = read()
    return replace(reading, ours=reading.ours + times.children_user + times.children_system)


def _run(code: str, threads: int) -> list[float]:
    """The numbers that a new process prints."""
    variables = environment(threads)
    variables["PYTHONDONTWRITEBYTECODE"] = ""  # compiled once, as an installation does
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env=variables)
    if done.returncode:
        raise RuntimeError(f"a new process failed: {done.stderr.strip().splitlines()[-1]}")
    return [float(number) for number in done.stdout.split()]


def flat(names: list[str], batch: int, side: str, steps: int, plan: Plan) -> Iterator[Row]:
    """Time and memory over a long run, in blocks."""
    for name in names:
        row = Row(name, batch, side, steps=steps, facts=facts(plan))
        try:
            with Cell(side, workloads.prepare(name, batch), plan.threads, plan.rivals) as cell:
                yield replace(row, long_run=long_run(cell, steps), versions=cell.versions)
        except Missing as reason:
            yield replace(row, missing=str(reason))


def long_run(cell: Cell, steps: int) -> LongRun:
    """BLOCKS blocks of steps, one after another."""
    block = max(1, steps // BLOCKS)
    at = []
    ms = []
    mb = []
    others = []
    for i in range(BLOCKS):
        turn = measure([lambda: cell.seconds(block) / block * 1e3], 1, lambda: read([cell.pid]),
                       keep_busy=True)
        at.append((i + 1) * block)
        ms.append(turn.kept[0][0])
        mb.append(cell.memory().peak_mb or 0.0)
        others.append(round(turn.others[0], 3))

    quarter = BLOCKS // 4  # the first one warms up
    second = statistics.median(ms[quarter:2 * quarter])
    last = statistics.median(ms[-quarter:])
    return LongRun(at, ms, mb, others, time_growth=last / second,
                   memory_growth_mb=mb[-1] - mb[quarter - 1])
