"""Paths as people write them, and files that are never half written and are read within limits.

    with replacing(path) as file:
        file.write(content)

A new file is written beside its place, under a name that no other writer has, and gets its own name
by one rename when it is complete: a reader finds the old file or the new one, whole. The temporary
file is made by the system's exclusive creation, so a link that lies in wait is not followed.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Callable, Iterable, Iterator

TEMPORARY = ".minigan-"  # how the names of temporary files begin
JSON_LIMIT = 64 << 20   # bytes of a JSON file of ours: the largest holds some MB
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK,
            errno.EINVAL, errno.EACCES}  # what file systems without hard links answer
NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path that a user wrote: ~ and ~NAME at its beginning stand for home folders, as in a shell.

    A shell expands them itself, but not in --out=~/runs nor in a Python string, and without it the
    files would go to a folder that is called ~. A file that has such a name is ./~name.

    Raises:
        ValueError: it begins with ~NAME, and there is no user of that name.
    """
    text = os.fspath(path)
    expanded = os.path.expanduser(text)
    if expanded.startswith("~"):
        raise ValueError(f"path {text!r}: {Path(text).parts[0]} is no user's home folder; a file "
                         f"or folder of that name is ./{text}")
    found = Path(expanded)
    if found.parts[:1] and found.parts[0].startswith("~"):  # of ./~name Path keeps ~name
        return found.absolute()
    return found


@contextmanager
def replacing(path: Path, mark: str = "", keep: Path | None = None, exclusive: bool = False
              ) -> Iterator[IO[bytes]]:
    """A binary file to write to that becomes `path` only when everything is written.

    It can be read and sought in, too. Afterwards it is on the disk, also if the power fails.

    mark: goes into the temporary file's name; `leftovers` finds it by that after a kill.
    keep: what the file that was there is called from now on, in place of being lost. It is linked
    there, or copied, before the rename: `path` exists all the time.
    exclusive: refuse to replace a file.

    Raises:
        FileExistsError: `path` exists, and `exclusive` was asked for; it stays as it is.
        OSError: naming `path`, where the error itself does not say (a full disk).
    """
    path = Path(path)
    part: Path | None = None
    try:
        file, part = _create(path.parent, mark)
        with file:
            yield file
            file.flush()
            _sync(file.fileno())
        if keep is not None:
            _keep(path, keep, mark)
        if exclusive:
            _publish_new(part, path)
        else:
            os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        if error.filename is None or Path(error.filename).name.startswith(TEMPORARY):
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        if part is not None:
            _remove(part)


def write(path: Path, content: bytes, mark: str = "") -> None:
    """Replace a file's content, as `replacing`."""
    with replacing(path, mark) as file:
        file.write(content)


def leftovers(folder: Path, mark: str) -> list[Path]:
    """Temporary files of writers with this mark that were killed, or still write."""
    name = re.compile(rf"{re.escape(TEMPORARY + mark)}-[0-9a-f]{{16}}\.part")
    return sorted(path for path in folder.iterdir()
                  if name.fullmatch(path.name) and path.is_file() and not path.is_symlink())


def move_aside(path: Path, names: Iterable[str]) -> Path:
    """Rename a file to the first of these names in its folder that nobody has; the new path.

    Taking a name is one step: two processes never take the same, and nothing is replaced.
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


def numbered(name: str, first: Callable[[int], str]) -> Iterator[str]:
    """A name, then first(2), first(3), ..."""
    yield name
    n = 2
    while True:
        yield first(n)
        n += 1


def read_json(path: Path, limit: int = JSON_LIMIT) -> Any:
    """What a JSON file in UTF-8 holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than `limit` bytes, no UTF-8, no JSON, or nested too deeply.
    """
    with naming(path), open(path, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{path} is larger than {limit:,} bytes")
    try:
        return parse_json(content)
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error})") from None


def parse_json(content: bytes) -> Any:
    """The value of JSON text in UTF-8, with or without a byte order mark.

    Raises:
        ValueError: it is no UTF-8, no JSON, or nested too deeply.
    """
    try:
        return json.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def exists(path: Path) -> bool:
    """Whether there is something at a path, links followed.

    Path.exists says of a disk that does not answer that nothing is there, in some versions of
    Python; who then writes anew loses what was there.

    Raises:
        OSError: it cannot be told.
    """
    return _kind(path) is not None


def is_file(path: Path) -> bool:
    """Whether there is a file at a path, links followed, and no folder or device.

    Raises:
        OSError: it cannot be told.
    """
    kind = _kind(path)
    return kind is not None and stat.S_ISREG(kind)


def _kind(path: Path) -> int | None:
    """The mode of what is at a path, None if nothing is there."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError inside name the file; the system's own does not when reading or writing."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


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
    """A name that nobody else thinks of."""
    return folder / f"{TEMPORARY}{mark}-{secrets.token_hex(8)}.part"


def _create(folder: Path, mark: str) -> tuple[IO[bytes], Path]:
    """A new file with a name of its own in the folder, with the permissions of any new file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        part = _temporary(folder, mark)
        with suppress(FileExistsError):
            number = os.open(part, flags, 0o666)  # less what the umask takes away
            try:
                return os.fdopen(number, "w+b"), part
            except BaseException:
                os.close(number)
                _remove(part)
                raise


def _sync(number: int) -> None:
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def _keep(path: Path, keep: Path, mark: str) -> None:
    """Make `keep` a second name of the file at `path`, or a copy where there are no links."""
    if not exists(path):
        return
    part = _temporary(path.parent, mark)
    try:
        try:
            os.link(path, part)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            file, part = _create(path.parent, mark)
            with file, open(path, "rb") as before:
                shutil.copyfileobj(before, file, 1 << 20)
                file.flush()
                _sync(file.fileno())
        os.replace(part, keep)
    finally:
        _remove(part)  # it is still there if both names were the same file already


def _publish_new(part: Path, path: Path) -> None:
    """Give a complete file its name, unless something has that name."""
    try:
        os.link(part, path)
        return
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if claim(path):
            os.replace(part, path)
            return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def claim(path: Path) -> bool:
    """Make an empty file, unless there is something; whether it was made."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        return False
    return True


def _remove(part: Path) -> None:
    """Remove a temporary file of our own; one that stays is no reason to fail."""
    with suppress(OSError):
        os.unlink(part)
