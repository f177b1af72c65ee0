"""Ctrl-C that lets a step finish: between D's update and G's is no place to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any, Callable


class CtrlC:
    """Inside `with CtrlC(stop):` the first Ctrl-C calls stop(), the next one interrupts as ever.

    So it is in a program and under a notebook's stop button. Threads other than the main one get no
    signals, and a handler that someone else has installed stays: there it changes nothing.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.stop = stop

    def __enter__(self) -> CtrlC:
        self.ours = (threading.current_thread() is threading.main_thread()
                     and signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        if self.ours:
            signal.signal(signal.SIGINT, self._first)
        return self

    def _first(self, number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.stop()

    def __exit__(self, *error: Any) -> None:
        if self.ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
