"""One pool of threads for the whole process.

While minigan trains, BLAS computes on one thread and this pool splits large products, convolutions
and element passes into blocks, or makes several calls of a recorded step at once. The blocks of a
sum never depend on the number of threads, so neither do results. A BLAS with threads of its own,
called from several of ours, could give wrong products (`blas` has the reason), and be slow: two
pools would fight.

Any thread may compute: the pool is for all, and who asks for help gets what is free. A forked
process, in which the pool's threads do not exist, starts new ones when it needs them.
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

LARGE_PRODUCT = 20_000_000  # multiplications, about 0.3 ms, from which a product is shared

_threads = 1
_missing = 0  # helpers that a forked process has yet to start
_tasks: SimpleQueue[Task | None] = SimpleQueue()  # of the helpers; None ends one of them
_changing = Turn()


class Task:
    """A job for whoever has time first: a helper, or in the end nobody.

    Thirty lines instead of `concurrent.futures`, whose conditions take about 50 us more for each,
    as long as a small product: here one lock is all that two threads meet at.
    """

    def __init__(self, job: Callable[[], Any]) -> None:
        here = copy_context()  # `np.errstate`, for one, holds for the job as for who asks for it
        # Emptied by who runs it: its arrays are not held by a queue.
        self._job: list[Callable[[], Any]] = [lambda: here.run(job)]
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


def _help(tasks: SimpleQueue[Task | None], limits_blas: bool) -> None:
    """A helper's life."""
    if limits_blas:
        blas.limit()
    while (task := tasks.get()) is not None:
        task.run()
        del task


def default_threads() -> int:
    """All cores that this process may use, but 4 at most: more slow small products down.

    One where BLAS could give wrong products on several: see `blas`.
    """
    if not blas.is_known():
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, 4)


def use_threads(n: int | None = None) -> int:
    """From now on compute with n threads (None: `default_threads`); returns n.

    That is for the whole process: all of its threads share the n. BLAS is limited to one thread,
    as `blas` explains: OpenBLAS, MKL and BLIS are; where no way is known (Accelerate), it keeps
    its own choice.

    Warns:
        UserWarning: n is more than one, and BLAS could give wrong products then.
    """
    global _threads, _tasks, _missing
    n = default_threads() if n is None else n
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"threads must be a whole number of 1 or more, got {n!r}")
    blas.limit()
    if n > 1 and not blas.is_known():
        warnings.warn(blas.trouble(), stacklevel=2)
    with _changing:
        for _ in range(_threads - 1):
            _tasks.put(None)  # each helper ends after what was asked for before
        _threads, _tasks, _missing = n, SimpleQueue(), n - 1
        _start_helpers()
    return n


def _start_helpers() -> None:
    global _missing
    with _changing:
        todo = _tasks, blas.is_per_thread()
        while _missing:
            _missing -= 1
            threading.Thread(target=_help, args=todo, name="minigan", daemon=True).start()


def _begin_as_a_fork() -> None:
    """In a forked process: the helpers, and what they were asked for, stayed with the parent."""
    global _tasks, _missing
    _tasks, _missing = SimpleQueue(), _threads - 1


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_begin_as_a_fork)


def guard_blas() -> None:
    """Look whether BLAS is still on one thread, and put it back.

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
    """Let another thread run job() as soon as one has time; who asks for it has to `finish` it."""
    task = Task(job)
    if _missing:
        _start_helpers()
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
