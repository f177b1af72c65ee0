"""Times of calls and of steps, on a device that works while the host goes on."""

from __future__ import annotations

import statistics
import time
from typing import Any, Callable

from minigan.backend import get_backend

Job = Callable[[], Any]
ROUNDS = 5


def device() -> Any:
    """The GPU's backend."""
    return get_backend("cupy")


def host_microseconds(job: Job, calls: int = 300) -> float:
    """What one call costs the host, the device being idle at first."""
    return _microseconds(job, calls, waiting=False)


def device_microseconds(job: Job, calls: int = 50) -> float:
    """What one call costs the device when calls follow one another."""
    return _microseconds(job, calls, waiting=True)


def _microseconds(job: Job, calls: int, waiting: bool) -> float:
    """The median of five rounds, per call. waiting: stop the clock when the device is done."""
    xp = device()
    for _ in range(10):
        job()
    rounds = []
    for _ in range(ROUNDS):
        xp.synchronize()
        began = time.perf_counter()
        for _ in range(calls):
            job()
        if waiting:
            xp.synchronize()
        rounds.append((time.perf_counter() - began) / calls * 1e6)
        xp.synchronize()
    return statistics.median(rounds)


def milliseconds(step: Job, wait: Job, seconds: float = 4.0) -> dict[str, Any]:
    """Median and range of five rounds, each of as many steps as fit into a fifth of the seconds."""
    for _ in range(12):  # past the first captures of every kind of step
        step()
    wait()
    each = _seconds(step, wait, 10) / 10
    fitting = int(seconds / ROUNDS / each)
    count = max(10, fitting // 10 * 10)  # whole rounds of a critic's turns
    rounds = [_seconds(step, wait, count) / count * 1e3 for _ in range(ROUNDS)]
    return {"ms": statistics.median(rounds), "low": min(rounds), "high": max(rounds),
            "steps": ROUNDS * count}


def _seconds(step: Job, wait: Job, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        step()
    wait()
    return time.perf_counter() - began
