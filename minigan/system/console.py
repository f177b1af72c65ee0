"""Messages to people: lines on standard output and standard error that can never end the work.

A program may have no standard streams (pythonw, a service, `2>&-`), a stream that is closed, whose
reader has gone or whose disk is full, one that cannot print a character, or an object in its place
that has `write` and nothing else. None of these should end a training of hours: what cannot be said
is left unsaid.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from io import TextIOWrapper
from typing import Any, Iterator

_quiet: ContextVar[bool] = ContextVar("minigan_quiet", default=False)


@contextmanager
def quiet(wanted: bool = True) -> Iterator[None]:
    """Inside the block this thread or task shows no progress and makes no remarks.

    wanted: False switches both on again. Errors, warnings and results are always shown.
    """
    before = _quiet.set(wanted)
    try:
        yield
    finally:
        _quiet.reset(before)


def is_quiet() -> bool:
    """Whether only errors, warnings and results are wanted."""
    return _quiet.get()


def plural(number: int, word: str) -> str:
    """A number and what is counted: "1 step", "2,000 steps"."""
    ending = "" if number == 1 else "s"
    return f"{number:,} {word}{ending}"


def reason(error: BaseException) -> str:
    """Why something failed, in a few words on one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'writing'}: {error.strerror.lower()}"
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    return " ".join(str(error).split()) or type(error).__name__


class Forgiving:
    """A text stream that takes everything and never raises, around one that may be anything.

    stream: an object with `write`, perhaps with `flush`, `isatty` and `fileno`, or None.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.encoding = getattr(stream, "encoding", None) or "ascii"

    def write(self, text: str) -> int:
        """Write as much of a text as can be written; returns how many characters it has."""
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            self._write_ascii(text)
        except Exception:  # the stream is missing, closed, or an object that may raise anything
            pass
        return len(text)

    def _write_ascii(self, text: str) -> None:
        """Write a text with the characters that are not ASCII escaped, as \\xe4."""
        escaped = text.encode("ascii", "backslashreplace")
        try:
            self.stream.write(escaped.decode("ascii"))
        except Exception:
            pass

    def flush(self) -> None:
        """Send what was written to its destination."""
        try:
            self.stream.flush()
        except Exception:
            pass

    def isatty(self) -> bool:
        """Whether it is a terminal; False for an object that cannot tell."""
        try:
            return bool(self.stream.isatty())
        except Exception:
            return False

    def fileno(self) -> int:
        """The file's descriptor.

        Raises:
            OSError: the stream has none.
        """
        try:
            return int(self.stream.fileno())
        except Exception as error:
            raise OSError("a stream without a file") from error


def standard_error() -> Forgiving:
    """Standard error as it is now, for drawing a progress bar on it."""
    return Forgiving(sys.stderr)


def tell(text: str) -> None:
    """Write a line to standard error, if possible."""
    stream = standard_error()
    stream.write(text + "\n")
    stream.flush()


def say(text: str) -> None:
    """Write a line to standard output at once, if possible: for words that go with files.

    A program whose result is what it prints uses `print`: if that fails, the program has failed.
    """
    stream = Forgiving(sys.stdout)
    stream.write(text + "\n")
    if not can_flush(sys.stdout):
        give_up(sys.stdout)


def remark(text: str) -> None:
    """`say`, except inside `quiet`: what is being done, and where its results are."""
    if not is_quiet():
        say(text)


def warn(text: str, stacklevel: int = 2) -> None:
    """Give a UserWarning, also where no stream can show it. stacklevel: as in `warnings.warn`.

    Raises:
        UserWarning: where the warnings filter turns warnings into errors.
    """
    try:
        warnings.warn(text, stacklevel=stacklevel + 1)
    except Warning:
        raise
    except Exception:  # a closed stream, or an object in its place that raises
        pass


def can_flush(stream: Any) -> bool:
    """Send what a stream still holds; returns whether that worked. None has nothing to send."""
    try:
        flush = getattr(stream, "flush", None)
        if flush is not None:
            flush()
    except Exception:
        return False
    return True


@contextmanager
def printable(stream: Any) -> Iterator[None]:
    """Inside the block a stream escapes what its encoding lacks, as \\xe4, without an error."""
    strict = isinstance(stream, TextIOWrapper) and stream.errors == "strict"
    if strict:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        if strict and not stream.closed:
            stream.reconfigure(errors="strict")


def give_up(stream: Any) -> None:
    """Point a broken stream at the null device, so what it still holds is no error at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
    except Exception:  # it is not a file
        pass
