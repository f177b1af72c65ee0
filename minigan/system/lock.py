"""One trainer a run folder: a lock that the system gives back, also when a process is killed."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Iterator

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_held: set[IO[bytes]] = set()  # files that this process has locked
FAR = 1 << 30  # Windows locks bytes, and nobody can read what is locked: lock one beyond the end


@contextmanager
def locked(path: Path, owner: str) -> Iterator[IO[bytes]]:
    """Hold an existing file's lock; the open file.

    A process that is forked inside of the block does not hold the lock, and its file is closed.

    Raises:
        RuntimeError: another process holds it; says that `owner` is being trained.
    """
    with open(path, "r+b") as file:
        try:
            _lock(file)
        except BlockingIOError:
            raise RuntimeError(f"{owner} is being trained by another process; wait until it ends, "
                               f"or train into another folder") from None
        except OSError:  # a file system that has no locks
            pass
        _held.add(file)
        try:
            yield file
        finally:
            _held.discard(file)


def _let_go() -> None:
    """In a forked process: a lock goes back when all who have inherited its file have closed it."""
    while _held:
        _held.pop().close()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_let_go)


def _lock(file: IO[Any]) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    import msvcrt
    file.seek(FAR)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError as error:
        raise BlockingIOError from error
