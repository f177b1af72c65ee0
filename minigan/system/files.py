"""Files that are never half written, and that replace nothing by accident.

    with replacing(path) as file:
        file.write(content)

A new file is written next to its destination, under a name that no other writer has, and is renamed
when it is complete: a reader finds the old file or the new one, whole. No other code of minigan
writes a file and renames it. The temporary file is made by the system's exclusive creation, so that
a link planted under its name is not followed.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Callable, Iterable, Iterator

from minigan.system.paths import exists

TEMPORARY = ".minigan-"  # how the names of temporary files begin
PART = ".part"           # and end
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK,
            errno.EINVAL, errno.EACCES}  # what file systems without hard links answer
NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


@contextmanager
def replacing(path: Path, mark: str = "", keep: Path | None = None, exclusive: bool = False
              ) -> Iterator[IO[bytes]]:
    """A binary file to write to, which becomes `path` only when everything is written.

    It can also be read, and its position be moved. When the block has ended, the content is on the
    disk even if the power fails.

    mark: a part of the temporary file's name, by which `leftovers` finds it after a kill.
    keep: a new name for the file that was at `path`, which is lost otherwise. It is linked there,
    or copied, before the rename: `path` exists all the time.
    exclusive: refuse to replace a file.

    Raises:
        FileExistsError: `path` exists, and `exclusive` was asked for; it stays as it is.
        OSError: naming `path`, where the error itself does not say (a full disk).
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        file, temporary = _create(path.parent, mark)
        with file:
            yield file
            file.flush()
            _sync(file.fileno())
        if keep is not None:
            _keep(path, keep, mark)
        if exclusive:
            _publish_new(temporary, path)
        else:
            os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        if error.filename is None or Path(error.filename).name.startswith(TEMPORARY):
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        if temporary is not None:
            _remove(temporary)


def write(path: Path, content: bytes, mark: str = "") -> None:
    """Replace a file's content.

    Raises:
        OSError: as `replacing`.
    """
    with replacing(path, mark) as file:
        file.write(content)


def leftovers(folder: Path, mark: str) -> list[Path]:
    """Temporary files with this mark: their writers were killed, or are still writing."""
    name = re.compile(re.escape(f"{TEMPORARY}{mark}-") + "[0-9a-f]{16}" + re.escape(PART))
    paths = [path for path in folder.iterdir() if name.fullmatch(path.name)]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


# ---------------------------------------------------------------- names that are free

def move_aside(path: Path, names: Iterable[str]) -> Path:
    """Rename a file to the first of these names that is free in its folder; returns its new path.

    Taking a name is one step: two processes never take the same, and nothing is replaced.

    Raises:
        FileExistsError: none of the names is free.
    """
    for name in names:
        aside = path.with_name(name)
        try:
            os.link(path, aside)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if not claim(aside):
                continue
            os.replace(path, aside)
            return aside
        os.unlink(path)
        return aside
    raise FileExistsError(errno.EEXIST, "no free name to move it to", str(path))


def numbered(name: str, following: Callable[[int], str]) -> Iterator[str]:
    """The names `name`, following(2), following(3), ..."""
    yield name
    n = 2
    while True:
        yield following(n)
        n += 1


def claim(path: Path) -> bool:
    """Make an empty file unless something is there; returns whether it was made."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        return False
    return True


# ---------------------------------------------------------------- the system's calls

def sync_folder(folder: Path) -> None:
    """Have the system write a folder's new names to the disk, where it can (POSIX)."""
    if os.name != "posix":
        return
    with suppress(OSError):  # the files are in place; this is against a loss of power only
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _temporary(folder: Path, mark: str) -> Path:
    """A path that no other writer chooses."""
    return folder / f"{TEMPORARY}{mark}-{secrets.token_hex(8)}{PART}"


def _create(folder: Path, mark: str) -> tuple[IO[bytes], Path]:
    """Create a temporary file in the folder, with the permissions of any new file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_BINARY", 0)  # Windows
    while True:
        temporary = _temporary(folder, mark)
        with suppress(FileExistsError):
            number = os.open(temporary, flags, 0o666)  # less what the umask takes away
            try:
                return os.fdopen(number, "w+b"), temporary
            except BaseException:
                os.close(number)
                _remove(temporary)
                raise


def _sync(number: int) -> None:
    """Have the system write an open file to the disk, where it can."""
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def _keep(path: Path, keep: Path, mark: str) -> None:
    """Make `keep` a second name of the file at `path`, or a copy where there are no links."""
    if not exists(path):
        return
    temporary = _temporary(path.parent, mark)
    try:
        try:
            os.link(path, temporary)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            temporary = _copy(path, mark)
        os.replace(temporary, keep)
    finally:
        _remove(temporary)  # it is still there if both names were the same file already


def _copy(path: Path, mark: str) -> Path:
    """Copy a file to a temporary one in its folder."""
    file, temporary = _create(path.parent, mark)
    try:
        with file, open(path, "rb") as before:
            shutil.copyfileobj(before, file, 1 << 20)
            file.flush()
            _sync(file.fileno())
    except BaseException:
        _remove(temporary)
        raise
    return temporary


def _publish_new(temporary: Path, path: Path) -> None:
    """Give a complete file its name, unless something has that name."""
    try:
        os.link(temporary, path)
        return
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if claim(path):
            os.replace(temporary, path)
            return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _remove(temporary: Path) -> None:
    """Remove a temporary file of ours, if possible."""
    with suppress(OSError):
        os.unlink(temporary)
