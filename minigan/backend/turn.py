"""Whose turn it is with a model: a training step's, or that of a sample in another thread."""

from __future__ import annotations

import os
import threading
from typing import Any


class Turn:
    """A lock, `with turn: ...`, that its holder may take again.

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
        lock = self._lock
        lock.acquire()
        if not hasattr(self._mine, "held"):
            self._mine.held = []
        self._mine.held.append(lock)

    def __exit__(self, *error: Any) -> None:
        held = getattr(self._mine, "held", None)
        if held:  # else this process was forked inside of the block
            held.pop().release()
