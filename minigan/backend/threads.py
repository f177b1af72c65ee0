"""One pool of threads for the whole process.

While minigan trains, BLAS computes on one thread and this pool splits large products, convolutions
and element passes into blocks, or makes several calls of a recorded step at once. The blocks of a
sum never depend on the number of threads, so neither do results. Two pools would fight: a BLAS with
threads of its own, called from this pool or beside another busy process, waits for itself.
"""

from __future__ import annotations

import os
import threading
from itertools import count
from queue import SimpleQueue
from typing import Any, Callable

LARGE_PRODUCT = 20_000_000  # multiplications, about 0.3 ms, from which a product is shared

_threads = 1
_tasks: SimpleQueue[Task | None] = SimpleQueue()  # of the helpers; None ends one of them


class Task:
    """A job for whoever has time first: a helper, or in the end nobody.

    Thirty lines instead of `concurrent.futures`, whose conditions take about 50 us more for each,
    as long as a small product: here one lock is all that two threads meet at.
    """

    def __init__(self, job: Callable[[], Any]) -> None:
        self._job = [job]  # emptied by who runs it: its arrays are not held by a queue
        self._done = threading.Lock()
        self._done.acquire()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Run the job, unless somebody has begun it or it was taken back."""
        try:
            job = self._job.pop()
        except IndexError:
            return
        try:
            job()
        except BaseException as error:
            self._error = error
        self._done.release()

    def finish(self) -> None:
        """Take the job back, or wait for its end where it has begun; its error comes out here."""
        try:
            self._job.pop()
        except IndexError:
            self._done.acquire()
        if self._error is not None:
            raise self._error


def _help(tasks: SimpleQueue[Task | None]) -> None:
    """A helper's life."""
    while (task := tasks.get()) is not None:
        task.run()
        del task


def default_threads() -> int:
    """All cores that this process may use, but 4 at most: more slow small products down."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, 4)


def use_threads(n: int | None = None) -> int:
    """From now on compute with n threads (None: `default_threads`); returns n.

    This is the one place that limits BLAS: OpenBLAS, MKL and BLIS through threadpoolctl; where it
    knows no way (Accelerate), BLAS keeps its own choice.
    """
    global _threads, _tasks
    from threadpoolctl import threadpool_limits

    n = default_threads() if n is None else n
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"threads must be a whole number of 1 or more, got {n!r}")
    threadpool_limits(1, user_api="blas")
    for _ in range(_threads - 1):
        _tasks.put(None)
    _threads, _tasks = n, SimpleQueue()
    for _ in range(n - 1):
        threading.Thread(target=_help, args=(_tasks,), name="minigan", daemon=True).start()
    return n


def threads() -> int:
    """How many threads compute now: 1 until `use_threads` is called."""
    return _threads


def assist(job: Callable[[], Any]) -> Task:
    """Let another thread run job() as soon as one has time; who asks for it has to `finish` it."""
    task = Task(job)
    _tasks.put(task)
    return task


def in_turn(job: Callable[[int], Any], n: int) -> None:
    """Run job(0) to job(n - 1) on the caller's thread."""
    for i in range(n):
        job(i)


def added_up(parts: dict[int, Any]) -> Any:
    """The sum of what jobs made, in the order of their numbers: the bits depend on no thread."""
    first, *others = sorted(parts)
    total = parts[first]
    for i in others:
        total += parts[i]
    return total


def parallel(job: Callable[[int], Any], n: int) -> None:
    """Run job(0) to job(n - 1), in any order, on all threads; the caller's is one of them."""
    if _threads < 2 or n < 2:
        return in_turn(job, n)
    turn = count()  # next() is atomic

    def work() -> None:
        while (i := next(turn)) < n:
            job(i)

    helpers = [assist(work) for _ in range(min(_threads, n) - 1)]
    errors = []
    for part in (work, *[helper.finish for helper in helpers]):
        try:
            part()
        except BaseException as error:  # all threads have to stop first
            errors.append(error)
    if errors:
        raise errors[0]
