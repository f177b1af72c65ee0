"""Locks that survive a fork, and what needs them."""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import contextmanager
from typing import Any, Iterator


class Turn:
    """A lock, `with turn: ...`, that its holder may take again.

    Whose turn it is with a model, say: a training step's, or that of a sample in another thread.

    A process that was forked while another thread had its turn begins with a lock of its own: the
    thread that would give the old one back does not exist there.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._mine = threading.local()  # the locks that this thread holds, the latest last

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self.__init__()  # type: ignore[misc]
        if not hasattr(self._mine, "held"):
            self._mine.held = []
        lock = self._lock
        self._mine.held.append(lock)  # first, in case that waiting is interrupted
        lock.acquire()

    def __exit__(self, *error: Any) -> None:
        held = getattr(self._mine, "held", None)
        if held:  # else this process was forked inside of the block
            held.pop().release()


_silent = Turn()


@contextmanager
def no_warnings() -> Iterator[None]:
    """Ignore warnings inside.

    Their filters are the whole process's before Python 3.14, and each block puts back what it
    found. So two threads take turns: otherwise warnings could stay ignored for good.
    """
    with _silent, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
