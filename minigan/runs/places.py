"""Run folders side by side: making a new one, and finding the one that was written to last."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from minigan.runs.contents import folders_in, is_run, last_written
from minigan.runs.folder import RunFolder
from minigan.system import files
from minigan.system.paths import exists, user_path


def new_run(model: str, out: str | os.PathLike[str] | None = None, overwrite: bool = False,
            root: str | os.PathLike[str] = "runs") -> RunFolder:
    """A fresh folder: `out`, or the next free one of root/MODEL-001, -002, ...

    The folder is made in one step: two processes that begin at once get two folders.
    overwrite: if `out` exists and holds a config.json of minigan, it is renamed to OUT.old first.

    Raises:
        FileExistsError: `out` exists, and overwrite is not given or would not be safe.
        RuntimeError: another process trains in `out`.
    """
    if out is None:
        path = _next_free(user_path(root), model)
    else:
        path = user_path(out)
        _make(path, overwrite)
    folder = RunFolder(path)
    try:
        folder.samples.mkdir()
    except OSError:
        discard(folder)
        raise
    return folder


def _next_free(root: Path, model: str) -> Path:
    """Make root/MODEL-001, or the next number that is not taken."""
    root.mkdir(parents=True, exist_ok=True)
    begin = f"{model}-"
    number = 0
    for path in root.iterdir():
        tail = path.name.removeprefix(begin)
        if path.name.startswith(begin) and tail.isdecimal():
            number = max(number, int(tail))
    while True:
        number += 1
        path = root / f"{begin}{number:03d}"
        with suppress(FileExistsError):
            path.mkdir()
            return path


def _make(path: Path, overwrite: bool) -> None:
    """Make the folder that a user has named."""
    if exists(path) or path.is_symlink():
        _make_way(path, overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
    try:
        path.mkdir()
    except FileExistsError:
        raise FileExistsError(f"--out: {path} was made by another process just now; choose "
                              f"another name") from None


def discard(folder: RunFolder) -> None:
    """Remove a folder that `new_run` made and nothing was written to."""
    for path in (folder.samples, folder.path):
        with suppress(OSError):
            path.rmdir()


def _make_way(path: Path, overwrite: bool) -> None:
    """Rename what is at `path`, if it is a run folder that may be overwritten."""
    if not overwrite:
        raise FileExistsError(f"--out: {path} exists; choose another name, or add --overwrite (in "
                              f"Python overwrite=True) to replace a run folder (the old one is "
                              f"kept as {path.name}.old)")
    if not is_run(path):
        raise FileExistsError(f"--overwrite: {path} is not a run folder of minigan (it has no "
                              f"config.json of minigan), so it is left alone")
    RunFolder(path).restore_config()
    if os.name == "posix":
        with RunFolder(path).locked():  # nobody trains there, or begins to
            _rename_to_old(path)
    else:  # no folder can be renamed while a file in it is open
        with RunFolder(path).locked():
            pass
        _rename_to_old(path)


def _rename_to_old(path: Path) -> None:
    """Rename to PATH.old, or .old2, ...: the name is taken first, so that nothing is replaced."""
    for name in files.numbered(f"{path.name}.old", lambda n: f"{path.name}.old{n}"):
        old = path.with_name(name)
        with suppress(FileExistsError):
            old.mkdir()
            break
    if os.name != "posix" or path.is_symlink():  # there, or for a link, a rename replaces no folder
        old.rmdir()
    try:
        path.rename(old)
    except OSError:
        with suppress(OSError):
            old.rmdir()
        raise


def newest_run(root: str | os.PathLike[str] = "runs") -> RunFolder:
    """The run below `root` that was written to last.

    Raises:
        FileNotFoundError: there is none.
    """
    runs = [path for path in folders_in(Path(root)) if is_run(path)]
    if not runs:
        raise FileNotFoundError(f"run: there is no run folder of minigan in {Path(root)}; "
                                f"name one")
    return RunFolder(max(runs, key=last_written))


def open_run(path: str | os.PathLike[str]) -> RunFolder:
    """An existing run folder.

    Raises:
        FileNotFoundError: there is none at that path.
    """
    folder = user_path(path)
    if not is_run(folder):
        raise FileNotFoundError(f"run: {folder} is not a run folder of minigan (it has no "
                                f"config.json of minigan)")
    return RunFolder(folder)
