"""Signals that ask a program to end: Ctrl-C, SIGTERM (Slurm, docker stop) and SIGHUP (a terminal
that was closed). All three end a training alike: between D's update and G's is no place to stop.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import Any, Callable

from minigan.system.starting import PROGRAM

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")
               if hasattr(signal, name))  # Windows has no SIGHUP
BURST_SECONDS = 1.0  # after a signal that interrupts, others are as good as part of it


class Interrupted(KeyboardInterrupt):
    """Ctrl-C by another name: the signal `number` asks the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_status(interruption: BaseException | int | None) -> int:
    """The exit status of a program that a signal ended, as shells count it: 128 and its number.

    interruption: the exception or the number; else Ctrl-C.
    """
    number = getattr(interruption, "number", interruption)
    return 128 + (number if isinstance(number, int) else int(signal.SIGINT))


class Signals:
    """Inside `with Signals(stop):` the first signal calls stop(n), the next one interrupts.

    stop: called with the signal's number; left out, the first one interrupts already. To interrupt
    is to raise KeyboardInterrupt, or `Interrupted` for other signals than Ctrl-C, and to do so
    once: more signals within a second of it, as many an impatient person sends, do not disturb what
    is put in order meanwhile.

    So it is in a program and under a notebook's stop button. Only signals whose handler is Python's
    or the system's own are listened to: one that is ignored (by nohup, or by a shell that starts
    something in the background) stays ignored, a handler that someone else has installed stays, and
    afterwards all are as they were. Threads other than the main one get no signals.

    last: the program ends afterwards; signals that come then are late, and change nothing.

    Attributes:
        number: the first signal that came, or None.
    """

    def __init__(self, stop: Callable[[int], None] | None = None, last: bool = False) -> None:
        self.stop, self.last = stop, last
        self.number: int | None = None
        self._raised_at: float | None = None
        self._deaf = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                handler = signal.getsignal(number)
                if _is_default(number, handler):
                    self._before[number] = handler
                    signal.signal(number, self._handle)
        return self

    def _handle(self, number: int, frame: Any) -> None:
        first = self.number is None
        self.number = self.number or number
        if self._deaf:
            return
        if first and self.stop is not None:
            self.stop(number)
            return
        now = time.monotonic()
        if self._raised_at is not None and now - self._raised_at < BURST_SECONDS:
            return
        self._raised_at = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Interrupted(number)

    def ignore(self) -> None:
        """Listen no more: what the signal asked for is being done."""
        self._deaf = True

    def __exit__(self, *error: Any) -> None:
        if self.last:
            self.ignore()
            return
        for number, handler in self._before.items():
            outer = getattr(handler, "__self__", None)
            if isinstance(outer, Signals):  # it is the same burst there
                outer._raised_at = outer._raised_at or self._raised_at
                outer.number = outer.number or self.number
            signal.signal(number, handler)
        self._before.clear()


def _is_default(number: int, handler: Any) -> bool:
    """Whether nobody but Python, the system or ourselves has a say in what a signal does."""
    if isinstance(getattr(handler, "__self__", None), Signals):
        return True
    if number == signal.SIGINT and not PROGRAM:  # in a script that chose to be killed by it
        return handler is signal.default_int_handler
    return handler in (signal.SIG_DFL, signal.default_int_handler)
