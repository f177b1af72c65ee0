"""Is anybody else computing? Timings on a busy machine say nothing, so they are thrown away."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from minigan.system import machine

QUIET = 0.1  # cores that other processes may use during a measurement


@dataclass(frozen=True)
class Reading:
    """Seconds: wall clock, processor time of all processes, processor time of ours."""

    clock: float
    everybody: float | None  # None where the system does not tell
    ours: float


def read(pids: Sequence[int] = ()) -> Reading:
    """Read the clock, and the processor time of this process and of those with these ids."""
    try:
        everybody: float | None = machine.all_busy_seconds()
    except OSError:
        everybody = None
    own = sum(of_process(pid) for pid in pids) + time.process_time()
    return Reading(time.perf_counter(), everybody, own)


def of_process(pid: int) -> float:
    """Processor seconds of a process and of its children that have ended; 0 if not known.

    Source: proc(5), /proc/PID/stat, fields 14 to 17, counted after the name in brackets.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    fields = status.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def cores_of_others(before: Reading, after: Reading) -> float | None:
    """How many cores others used between two readings; None where that is unknown."""
    if before.everybody is None or after.everybody is None:
        return None
    of_all = after.everybody - before.everybody
    of_ours = after.ours - before.ours
    seconds = after.clock - before.clock
    return max(0.0, (of_all - of_ours) / max(seconds, 1e-9))
