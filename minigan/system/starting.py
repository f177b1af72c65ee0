"""The first moments of the `minigan` command, while NumPy and the package are being imported.

This module is imported before all others. Where the program is the command, Ctrl-C ends it at once
and silently until `cli.main` handles signals: nothing has begun yet, and a traceback would show
some line of an import. In any other program it does nothing.
"""

from __future__ import annotations

import os
import signal
import sys


def is_command() -> bool:
    """Whether this program is `minigan` or `python -m minigan`."""
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":  # while Python still looks for the module to run
        given = sys.orig_argv
        return ("-m", "minigan") in zip(given, given[1:])
    name = os.path.basename(program)
    return os.path.splitext(name)[0] in ("minigan", "minigan-script")


def _hold_streams() -> None:
    """Open the null device for closed standard streams, so no file of ours gets their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _end_silently() -> None:
    """Let Ctrl-C end the program without a word, unless it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


PROGRAM = is_command()

if PROGRAM:
    _hold_streams()
    _end_silently()
