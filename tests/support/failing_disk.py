"""A disk on which any single call can fail: every test of "nothing is lost" is run over all calls.

    def prepare():                       # the state before, made anew each time; returns anything
        shutil.rmtree("run", ignore_errors=True)
        return Trainer(model, data, out="run").fit(3)

    for failure in failures(prepare, lambda run: run.save()):
        failure.call                     # ("fsync", "run/.checkpoint.npz-x1.part"), what has failed
        failure.before                   # what `prepare` returned
        failure.error                    # the exception that came out of the action, or None
        ...                              # the disk works again: look at what is left of the run

`failures` runs the action once to see what it calls, then with its first call to the file system
failing, with its second one, and so on; and all this for ENOSPC, EIO and EACCES. Calls are counted
below the working folder only (or `root`), so that lazy imports are none. Of many equal ones without
another between (the writes of a large file) only the first `repeats` and the last one fail.

    failures(prepare, action, every=7)   # of a whole `fit`: every seventh call
    failures(prepare, action, kinds=WRITING, lasting=True)   # the disk is full, and stays so

A single one, or a count:

    with FailingDisk(at=4, error=errno.EIO) as disk:   # at=None: nothing fails
        ...
    disk.calls                           # [("open", "run/x"), ("write", "run/x"), ...]
    disk.failed                          # the call that has failed, None if there were too few

What is seen: open, read and write of files that Python opens (also by descriptor), fsync, replace,
rename, link, symlink, mkdir, unlink, rmdir, chmod, truncate, utime, stat, lstat, listdir, scandir.
Not seen: closing, what C code writes past Python's file objects (Pillow into a real file), and a
file that was open before.
"""
from __future__ import annotations

import builtins
import errno
import functools
import io
import os
import pathlib
from contextlib import ExitStack
from typing import Any, Callable, Iterator, NamedTuple
from unittest import mock

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
CHANGING = ("replace", "rename", "link", "symlink", "mkdir", "unlink", "remove", "rmdir", "chmod",
            "truncate", "utime")
LOOKING = ("stat", "lstat", "listdir", "scandir")
WRITING = frozenset({"write", "open to write", "fsync", *CHANGING})  # what a full disk refuses
PATCHED = "failing disk"

Call = tuple[str, str]  # what was asked for, and of which path


class Failure(NamedTuple):
    """One run of an action during which one call failed."""

    call: Call
    before: Any
    error: BaseException | None


def failures(prepare: Callable[[], Any], action: Callable[[Any], Any], *,
             errors: tuple[int, ...] = ERRORS, every: int = 1, first: int = 0,
             kinds: frozenset[str] | None = None, lasting: bool = False, repeats: int = 3,
             root: str | None = None) -> Iterator[Failure]:
    """Run `action(prepare())` again and again, each time with another call failing; see above.

    errors: of the calls, one after another. every, first: which calls, by number. kinds: of calls
    that count, by default all. lasting: later calls of these kinds fail too. root: the folder below
    which calls count.
    """
    before = prepare()
    with FailingDisk(None, 0, kinds, lasting, root) as working:
        action(before)
    numbers = _worth_it(working.calls, repeats)
    for error in errors:
        for at in numbers[first::every]:
            before, raised = prepare(), None
            disk = FailingDisk(at, error, kinds, lasting, root)
            with disk:
                try:
                    action(before)
                except BaseException as problem:
                    raised = problem
            if disk.failed is not None:
                yield Failure(disk.failed, before, raised)
            elif raised is not None:
                raise raised  # nothing was wrong with the disk


def _worth_it(calls: list[Call], repeats: int) -> list[int]:
    """Numbers of calls without the middle of a long row of equal ones."""
    kept, length = [], 0
    for number, call in enumerate(calls):
        length = length + 1 if number and call == calls[number - 1] else 1
        last = number + 1 == len(calls) or call != calls[number + 1]
        if length <= repeats or last:
            kept.append(number)
    return kept


class FailingDisk:
    """Inside `with`, call number `at` below `root` raises an OSError of `error`."""

    def __init__(self, at: int | None = None, error: int = errno.ENOSPC,
                 kinds: frozenset[str] | None = None, lasting: bool = False,
                 root: str | None = None) -> None:
        self.at, self.error, self.kinds, self.lasting = at, error, kinds, lasting
        self.root = os.path.realpath(root or os.getcwd())
        self.calls: list[Call] = []
        self.failed: Call | None = None
        self._paths: dict[int, str] = {}  # of open descriptors
        self._patches = ExitStack()

    def __enter__(self) -> FailingDisk:
        patch = functools.partial(self._patches.enter_context)
        self._real_open, self._real_close = os.open, os.close
        for name in CHANGING + LOOKING:
            patch(mock.patch.object(os, name, self._watched(name, getattr(os, name))))
        for name in ("write", "fsync"):
            patch(mock.patch.object(os, name, self._watched(name, getattr(os, name))))
        patch(mock.patch.object(os, "open", self._open_descriptor))
        patch(mock.patch.object(os, "close", self._close_descriptor))
        for place in (builtins, io):
            patch(mock.patch.object(place, "open", self._open_file))
        accessor = getattr(pathlib, "_NormalAccessor", None)  # Python 3.10 keeps its own copies
        for name in (*CHANGING, *LOOKING, "open") if accessor else ():
            if hasattr(accessor, name):
                changed = self._open_file if name == "open" else getattr(os, name)
                patch(mock.patch.object(accessor, name, staticmethod(changed)))
        return self

    def __exit__(self, *error: Any) -> None:
        self._patches.close()

    def ask(self, name: str, place: Any) -> None:
        """Count one call, and raise if it is the one."""
        path = self._inside(place)
        if path is None or self.kinds is not None and name not in self.kinds:
            return
        number = len(self.calls)
        self.calls.append((name, path))
        if self.at is None or number < self.at or number > self.at and not self.lasting:
            return
        self.failed = self.failed or (name, path)
        raise OSError(self.error, os.strerror(self.error),
                      None if isinstance(place, int) else place)

    def _inside(self, place: Any) -> str | None:
        """The path below the root, None if it is another one."""
        if isinstance(place, int):
            return self._paths.get(place)
        try:
            path = os.path.abspath(os.fsdecode(place))
        except TypeError:
            return None
        for root in {self.root, os.path.abspath(self.root)}:
            if path == root or path.startswith(root + os.sep):
                return os.path.relpath(path, root)
        return None

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(*arguments: Any, **settings: Any) -> Any:
            self.ask(name, arguments[0] if arguments else ".")
            return real(*arguments, **settings)
        return call

    def _open_descriptor(self, path: Any, flags: int, *more: Any, **settings: Any) -> int:
        changes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        self.ask("open to write" if changes else "open", path)
        number = self._real_open(path, flags, *more, **settings)
        inside = self._inside(path)
        if inside is not None:
            self._paths[number] = inside
        return number

    def _close_descriptor(self, number: int) -> None:
        self._paths.pop(number, None)
        self._real_close(number)

    def _open_file(self, file: Any, mode: str = "r", buffering: int = -1,
                   encoding: str | None = None, errors: str | None = None,
                   newline: str | None = None, closefd: bool = True, opener: Any = None) -> Any:
        if self._inside(file) is None:
            return self._patched_out(file, mode, buffering, encoding, errors, newline, closefd,
                                     opener)
        if not isinstance(file, int):
            self.ask("open" if mode.strip("bt") == "r" else "open to write", file)
        raw = _Raw(self, file, mode.replace("b", "").replace("t", ""), closefd, opener)
        kind = (io.BufferedRandom if raw.readable() and raw.writable() else
                io.BufferedReader if raw.readable() else io.BufferedWriter)
        if "b" in mode and buffering == 0:
            return raw
        buffered = kind(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
        if "b" in mode:
            return buffered
        text = io.TextIOWrapper(buffered, encoding, errors, newline)
        text.mode = mode
        return text

    def _patched_out(self, *arguments: Any) -> Any:
        import _io
        return _io.open(*arguments)


class _Raw(io.FileIO):
    """A file whose reads, writes and closing are calls that can fail."""

    def __init__(self, disk: FailingDisk, file: Any, mode: str, closefd: bool,
                 opener: Any) -> None:
        self.disk = disk
        super().__init__(file, mode, closefd, opener)
        inside = disk._inside(file)
        if inside is not None:
            disk._paths[self.fileno()] = inside

    def write(self, content: Any) -> int:
        self.disk.ask("write", self.fileno())
        return super().write(content)

    def readinto(self, room: Any) -> int | None:
        self.disk.ask("read", self.fileno())
        return super().readinto(room)

    def readall(self) -> bytes:
        self.disk.ask("read", self.fileno())
        return super().readall()

    def close(self) -> None:
        if not self.closed:
            self.disk._paths.pop(self.fileno(), None)
        super().close()
