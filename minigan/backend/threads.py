"""One pool of threads for the whole process.

While minigan trains, BLAS computes on one thread and this pool splits large products, convolutions
and element passes into blocks, or makes several calls of a recorded step at once. A block's size
never depends on the number of threads, so neither do the results. Two pools would fight: a BLAS
with threads of its own, called from this pool or beside another busy process, waits for itself.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import count
from typing import Any, Callable

_threads = 1
_pool: ThreadPoolExecutor | None = None


def default_threads() -> int:
    """All cores that this process may use, but 4 at most: more slow small products down."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, 4)


def use_threads(n: int | None = None) -> int:
    """From now on compute with n threads (None: `default_threads`); returns n.

    This is the one place that limits BLAS: OpenBLAS, MKL and BLIS through threadpoolctl; where it
    knows no way (Accelerate), BLAS keeps its own choice.
    """
    global _threads, _pool
    from threadpoolctl import threadpool_limits

    n = default_threads() if n is None else n
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"threads must be a whole number of 1 or more, got {n!r}")
    threadpool_limits(1, user_api="blas")
    if _pool is not None:
        _pool.shutdown()
    _threads, _pool = n, ThreadPoolExecutor(n - 1, "minigan") if n > 1 else None
    return n


def threads() -> int:
    """How many threads compute now: 1 until `use_threads` is called."""
    return _threads


def assist(job: Callable[[], Any]) -> Future[Any]:
    """Let another thread run job() as soon as one has time; there must be more than one."""
    assert _pool is not None, "one thread cannot assist itself"
    return _pool.submit(job)


def in_turn(job: Callable[[int], Any], n: int) -> None:
    """Run job(0) to job(n - 1) on the caller's thread."""
    for i in range(n):
        job(i)


def parallel(job: Callable[[int], Any], n: int) -> None:
    """Run job(0) to job(n - 1), in any order, on all threads; the caller's is one of them."""
    if _pool is None or n < 2:
        return in_turn(job, n)
    turn = count()  # next() is atomic

    def work() -> None:
        while (i := next(turn)) < n:
            job(i)

    # A busy thread's queue keeps what was cancelled until its turn comes: so it gets a list, to be
    # emptied, instead of the work, which holds arrays.
    task = [work]
    helpers: list[Future[None]] = [_pool.submit(lambda: task[0]())
                                   for _ in range(min(_threads, n) - 1)]
    try:
        work()
    finally:  # who has not begun yet is not waited for, so a job may be parallel itself
        begun = [helper for helper in helpers if not helper.cancel()]
        wait(begun)
        task.clear()
    for helper in begun:
        helper.result()
