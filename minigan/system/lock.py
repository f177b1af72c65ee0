"""One trainer for each run folder: a lock that the system releases even when a process is killed.

It is ours and not the `filelock` package's, because it locks the run's own config.json: there is no
extra file to be copied or moved with the folder. filelock cannot do that. On Windows it locks the
first byte, so nobody can read the file; its releases for Python 3.10 empty the file; and it fails
on a file system that has no locks, where we train without one.
"""

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
FAR = 1 << 30  # Windows locks bytes, which nobody can read then: lock one beyond the file's end


@contextmanager
def locked(path: Path, owner: str) -> Iterator[IO[bytes]]:
    """Hold the lock of an existing file; yields the open file.

    owner: whose lock it is, for the error, such as the run folder. A process that is forked inside
    the block does not hold the lock, and its file is closed. On a file system without locks the
    block runs without one.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: another process holds the lock; says that `owner` is being trained.
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


def _lock(file: IO[Any]) -> None:
    """Lock an open file.

    Raises:
        BlockingIOError: somebody else holds its lock.
        OSError: it cannot be locked.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    import msvcrt
    file.seek(FAR)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError as error:
        raise BlockingIOError from error


def _close_inherited() -> None:
    """In a forked process: a lock is held until every process that has the file has closed it."""
    while _held:
        _held.pop().close()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_close_inherited)
