"""One pool of threads for the whole process.

While minigan trains, BLAS computes on one thread, and this pool splits large products, convolutions
and element passes into blocks, or makes several calls of a recorded step at once. The blocks of a
sum never depend on the number of threads, so neither do results. A BLAS with threads of its own,
called from several of ours, could give wrong products (see `blas`), and would be slow: two pools
would fight over the cores.

All threads of a program share the pool, and each caller gets the helpers that are free. A forked
process, which has no threads of the pool, starts new ones when it needs them.
"""

from __future__ import annotations

import os
import threading
import warnings
from contextvars import copy_context
from itertools import count
from queue import SimpleQueue
from typing import Any, Callable

from minigan.system import blas
from minigan.system.turn import Turn

LARGE_PRODUCT = 20_000_000  # multiplications, about 0.3 ms; a product of so many is shared

_threads = 1
_missing = 0  # helpers that a forked process has yet to start
_tasks: SimpleQueue[Task | None] = SimpleQueue()  # for the helpers; None ends one of them
_changing = Turn()


class Task:
    """A job that runs once: in the first helper that has time, or not at all if none has.

    These thirty lines are here because `concurrent.futures` takes about 50 us more for each job, as
    long as a small product: it has condition variables where two threads need a single lock.
    """

    def __init__(self, job: Callable[[], Any]) -> None:
        context = copy_context()  # the job sees the caller's `np.errstate`, for one
        # Emptied by the thread that runs it, so that no queue holds on to its arrays.
        self._job: list[Callable[[], Any]] = [lambda: context.run(job)]
        self._done = threading.Lock()
        self._done.acquire()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Run the job, unless another thread has started it or the caller has taken it back."""
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
        """Take the job back, or wait for its end if it has started.

        Raises:
            BaseException: whatever the job raised.
        """
        try:
            self._job.pop()
        except IndexError:
            self._done.acquire()
        if self._error is not None:
            raise self._error


def _help(tasks: SimpleQueue[Task | None], limits_blas: bool) -> None:
    """Run tasks from the queue until None arrives."""
    if limits_blas:
        blas.limit()
    while (task := tasks.get()) is not None:
        task.run()
        del task


def default_threads() -> int:
    """The number of cores that this process may use, at most 4: more would slow small products.

    1 where BLAS could give wrong products on several threads: see `blas`.
    """
    if not blas.is_known():
        return 1
    if hasattr(os, "sched_getaffinity"):
        cores: int | None = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count()
    return min(cores or 1, 4)


def use_threads(n: int | None = None) -> int:
    """Compute with n threads from now on; returns n.

    n: an int of 1 or more; None means `default_threads()`. This is a setting of the whole process:
    all of its threads share these n. BLAS is limited to one thread, as `blas` explains, if it is
    OpenBLAS, MKL or BLIS; Accelerate cannot be limited and keeps its own choice.

    Raises:
        ValueError: n is not a whole number of 1 or more.

    Warns:
        UserWarning: n is more than one, and BLAS could give wrong products then.
    """
    global _threads, _tasks, _missing
    if n is None:
        n = default_threads()
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"threads must be a whole number of 1 or more, got {n!r}")

    blas.limit()
    if n > 1 and not blas.is_known():
        warnings.warn(blas.trouble(), stacklevel=2)
    with _changing:
        for _ in range(_threads - 1):
            _tasks.put(None)  # each helper ends after the tasks that were queued before
        _threads = n
        _tasks = SimpleQueue()
        _missing = n - 1
        _start_helpers()
    return n


def _start_helpers() -> None:
    """Start the helpers that are missing."""
    global _missing
    with _changing:
        arguments = (_tasks, blas.is_per_thread())
        while _missing:
            _missing -= 1
            threading.Thread(target=_help, args=arguments, name="minigan", daemon=True).start()


def _begin_as_a_fork() -> None:
    """In a forked process: the helpers and their tasks stayed with the parent."""
    global _tasks, _missing
    _tasks = SimpleQueue()
    _missing = _threads - 1


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_begin_as_a_fork)


def guard_blas() -> None:
    """Check that BLAS is still on one thread, and put it back if it is not.

    Warns:
        UserWarning: it was not.
    """
    sentence = blas.guard()
    if sentence:
        warnings.warn(sentence, stacklevel=3)


def threads() -> int:
    """How many threads compute now: 1 until `use_threads` is called."""
    return _threads


def assist(job: Callable[[], Any]) -> Task:
    """Queue job() for the next free thread; the caller must call `finish` on the result."""
    task = Task(job)
    if _missing:
        _start_helpers()
    _tasks.put(task)
    return task


def in_turn(job: Callable[[int], Any], n: int) -> None:
    """Run job(0) to job(n - 1) in the calling thread."""
    for i in range(n):
        job(i)


def added_up(parts: dict[int, Any]) -> Any:
    """The sum of the results of jobs, in the order of their numbers.

    parts: job's number -> its result. The first is added to in place. The bits do not depend on
    which thread finished first.
    """
    first, *others = sorted(parts)
    total = parts[first]
    for i in others:
        total += parts[i]
    return total


def parallel(job: Callable[[int], Any], n: int) -> None:
    """Run job(0) to job(n - 1), in any order, on all threads, the caller's being one of them.

    Raises:
        BaseException: the first of the jobs' errors, after all threads have stopped.
    """
    if _threads < 2 or n < 2:
        return in_turn(job, n)
    numbers = count()  # next() is atomic

    def work() -> None:
        while (i := next(numbers)) < n:
            job(i)

    helpers = [assist(work) for _ in range(min(_threads, n) - 1)]
    errors = []
    for share in (work, *[helper.finish for helper in helpers]):
        try:
            share()
        except BaseException as error:  # all threads have to stop first
            errors.append(error)
    if errors:
        raise errors[0]
