"""Paths as people write them, what is at them, and errors that name them."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path that a user wrote: ~ and ~NAME at its beginning stand for home folders, as in a shell.

    A shell expands them itself, but not in --out=~/runs nor in a Python string, and without this
    the files would go to a folder that is called ~. A file of such a name is ./~name.

    Raises:
        ValueError: it begins with ~NAME, and there is no user of that name.
    """
    text = os.fspath(path)
    expanded = os.path.expanduser(text)
    if expanded.startswith("~"):
        raise ValueError(f"path {text!r}: {Path(text).parts[0]} is not a user's home folder; a "
                         f"file or folder of that name is ./{text}")
    result = Path(expanded)
    if result.parts[:1] and result.parts[0].startswith("~"):  # Path makes ~name of ./~name
        return result.absolute()
    return result


def exists(path: Path) -> bool:
    """Whether there is something at a path, links followed.

    In some versions of Python, Path.exists returns False for a disk that does not answer; writing a
    new file then would lose what was there.

    Raises:
        OSError: the disk does not tell.
    """
    return _mode(path) is not None


def is_file(path: Path) -> bool:
    """Whether there is a file at a path, not a folder or a device; links are followed.

    Raises:
        OSError: the disk does not tell.
    """
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def check_writable(path: Path) -> None:
    """Check that a new file can be made there, before what it shall hold is computed.

    Its folder may not exist yet. Writing can fail all the same: a disk may be full.

    Raises:
        OSError: no file can be made there.
    """
    folder = path.absolute().parent
    while not exists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError inside name the file; the system's own does not when reading or writing."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _mode(path: Path) -> int | None:
    """The mode of what is at a path, None if nothing is there."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
