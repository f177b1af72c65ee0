"""Words for a person: lines on standard output and standard error that can never end the work.

A program may have no standard streams (pythonw, a service, `2>&-`), a stream that is closed, whose
reader has gone or whose disk is full, one that cannot print a character, or in its place an object
that has `write` and nothing else. Whoever trains for hours wants none of these to be an error: what
cannot be said is left unsaid.
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
    """Meanwhile this thread or task shows no progress and says nothing by the way.

    Errors, warnings and results are shown all the same.
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
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def reason(error: BaseException) -> str:
    """Why something failed, in a few words on one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'writing'}: {error.strerror.lower()}"
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    return " ".join(str(error).split()) or type(error).__name__


class Forgiving:
    """A text stream that takes everything and raises nothing, over one that may be anything.

    stream: an object with `write`, perhaps with `flush`, `isatty` and `fileno`, or None.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.encoding = getattr(stream, "encoding", None) or "ascii"

    def write(self, text: str) -> int:
        """Write as much of it as can be written; returns how many characters were given."""
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            self._write_ascii(text)
        except Exception:  # whatever this object raises: there is no stream, or none any more
            pass
        return len(text)

    def _write_ascii(self, text: str) -> None:
        try:
            self.stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        except Exception:
            pass

    def flush(self) -> None:
        """Send what was written."""
        try:
            self.stream.flush()
        except Exception:
            pass

    def isatty(self) -> bool:
        """Whether it is a terminal; an object that cannot tell is none."""
        try:
            return bool(self.stream.isatty())
        except Exception:
            return False

    def fileno(self) -> int:
        """The file's descriptor.

        Raises:
            OSError: it has none.
        """
        try:
            return int(self.stream.fileno())
        except Exception as error:
            raise OSError("a stream without a file") from error


def standard_error() -> Forgiving:
    """Standard error as it is now, for who draws on it."""
    return Forgiving(sys.stderr)


def tell(text: str) -> None:
    """A line on standard error, if that can be."""
    stream = standard_error()
    stream.write(text + "\n")
    stream.flush()


def say(text: str) -> None:
    """A line on standard output, at once, if that can be: for words beside a result in files.

    A program that prints its result uses `print`, whose failure is one.
    """
    stream = Forgiving(sys.stdout)
    stream.write(text + "\n")
    if not can_flush(sys.stdout):
        give_up(sys.stdout)


def remark(text: str) -> None:
    """What `say` says, unless it is to be quiet: what is being done, and where it can be seen."""
    if not is_quiet():
        say(text)


def warn(text: str, stacklevel: int = 2) -> None:
    """A UserWarning, also where no stream can show it. stacklevel: as of `warnings.warn`.

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
    """Send what a stream still holds; whether that worked. None has nothing to send."""
    try:
        flush = getattr(stream, "flush", None)
        if flush is not None:
            flush()
    except Exception:
        return False
    return True


@contextmanager
def printable(stream: Any) -> Iterator[None]:
    """Meanwhile a stream shows a character that its encoding lacks as \\xe4, not as an error."""
    strict = isinstance(stream, TextIOWrapper) and stream.errors == "strict"
    if strict:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        if strict and not stream.closed:
            stream.reconfigure(errors="strict")


def give_up(stream: Any) -> None:
    """Let a broken stream lead nowhere, so that what it still holds is no error at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
    except Exception:  # it is no file
        pass
