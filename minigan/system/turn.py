"""Locks that survive a fork, and a block without warnings, which needs one."""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import contextmanager
from typing import Any, Iterator


class Turn:
    """A lock, `with turn: ...`, that its holder may take again.

    For example, it decides whose turn it is to use a model: a training step's, or that of a sample
    in another thread. A process that was forked while another thread held the lock starts with a
    new one, since the thread that would release the old one does not exist there.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._mine = threading.local()  # .held: the locks that this thread holds, the latest last

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self.__init__()  # type: ignore[misc]
        if not hasattr(self._mine, "held"):
            self._mine.held = []
        lock = self._lock
        self._mine.held.append(lock)  # before it is held, in case waiting for it is interrupted
        lock.acquire()

    def __exit__(self, *error: Any) -> None:
        held = getattr(self._mine, "held", None)
        if held:  # empty in a process that was forked inside the block
            held.pop().release()


_silent = Turn()


@contextmanager
def no_warnings() -> Iterator[None]:
    """Ignore warnings inside the block.

    Before Python 3.14 the whole process has one list of warning filters, and each block restores
    the list that it found. So threads take turns: otherwise warnings could stay ignored for good.
    """
    with _silent, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
