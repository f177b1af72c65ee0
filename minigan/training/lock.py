"""One trainer a run folder: a lock that the system gives back, also when a process is killed."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Iterator

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FAR = 1 << 30  # Windows locks bytes, and nobody can read what is locked: lock one beyond the end


@contextmanager
def locked(path: Path, owner: str) -> Iterator[IO[bytes]]:
    """Hold an existing file's lock; the open file.

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
        yield file


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
