"""Signals that ask a program to end: Ctrl-C, SIGTERM (Slurm, docker stop), SIGHUP (a closed
terminal).

All three end a training in the same way: at the end of a step, since a stop between D's update and
G's would leave a state that no run can resume from.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import Any, Callable

from minigan.system.starting import PROGRAM

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")
               if hasattr(signal, name))  # Windows has no SIGHUP
BURST_SECONDS = 1.0  # signals that follow an interrupt so soon belong to it


class Interrupted(KeyboardInterrupt):
    """A KeyboardInterrupt for signals other than Ctrl-C. number: of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_status(interruption: BaseException | int | None) -> int:
    """The exit status of a program that a signal ended, as in a shell: 128 + its number.

    interruption: an exception or a number; anything else means Ctrl-C.
    """
    number = getattr(interruption, "number", interruption)
    if not isinstance(number, int):
        number = int(signal.SIGINT)
    return 128 + number


class Signals:
    """Inside `with Signals(stop):` the first signal calls stop(number), a second one interrupts.

    stop: called with the signal's number; without it the first signal interrupts already. To
    interrupt is to raise KeyboardInterrupt for Ctrl-C and `Interrupted` for other signals, once:
    more signals within a second, such as an impatient person sends, do not disturb the cleaning up
    that follows. This holds in a program and for a notebook's stop button.

    Only signals that have Python's handler or the system's are handled. One that is ignored (by
    nohup, or by a shell that starts something in the background) stays ignored, a handler that
    somebody else has installed stays, and afterwards all handlers are as they were. Only the main
    thread gets signals; in others this does nothing.

    last: the program ends after the block; signals that come then are too late and change nothing.

    Attributes:
        number: the first signal that came, or None.
    """

    def __init__(self, stop: Callable[[int], None] | None = None, last: bool = False) -> None:
        self.stop = stop
        self.last = last
        self.number: int | None = None
        self._interrupted_at: float | None = None
        self._ignoring = False
        self._before: dict[int, Any] = {}  # the handlers to put back, by signal

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
        if self._ignoring:
            return
        if first and self.stop is not None:
            self.stop(number)
            return

        now = time.monotonic()
        if self._interrupted_at is not None and now - self._interrupted_at < BURST_SECONDS:
            return
        self._interrupted_at = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Interrupted(number)

    def ignore(self) -> None:
        """Ignore all further signals: what the first one asked for is being done."""
        self._ignoring = True

    def __exit__(self, *error: Any) -> None:
        if self.last:
            self.ignore()
            return
        for number, handler in self._before.items():
            outer = getattr(handler, "__self__", None)
            if isinstance(outer, Signals):  # what came here belongs to its burst, too
                outer._interrupted_at = outer._interrupted_at or self._interrupted_at
                outer.number = outer.number or self.number
            signal.signal(number, handler)
        self._before.clear()


def _is_default(number: int, handler: Any) -> bool:
    """Whether Python, the system or a `Signals` of ours handles a signal, and nobody else."""
    if isinstance(getattr(handler, "__self__", None), Signals):
        return True
    if number == signal.SIGINT and not PROGRAM:  # SIG_DFL is a script's own choice to be killed
        return handler is signal.default_int_handler
    return handler in (signal.SIG_DFL, signal.default_int_handler)
