"""The run folder: where a training run writes.

    config.json      what was run: model, settings, data, seed, machine, versions, and the run's id
    metrics.jsonl    one JSON object a line: step, losses, seconds
    samples/         000000.png, 000010.png, ... from fixed latents; latest.png
    samples.gif      the same, moving
    losses.png       the loss curves
    report.html      all of it on one page
    checkpoint.npz   everything that training changed, and the config
    previous.npz     the checkpoint before that
    damaged*         what could not be read, kept for a person to look at

A folder holds no path of its own and can be moved. What a person puts there stays: a trainer
removes or replaces its own files only, which it knows by their names, and grids by their stamps.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Callable, ContextManager, Iterator

import numpy as np

from minigan.runs import checkpoint, log
from minigan.runs.identity import NUMBERS, Version, identity, settings_id, version
from minigan.runs.stamps import is_stamped, is_whole, stamped
from minigan.system import files
from minigan.system.console import plural, warn
from minigan.system.lock import locked


class RunFolder:
    """Paths of one run, and the files that are written a line or a picture at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples"
        self.animation = path / "samples.gif"
        self.losses = path / "losses.png"
        self.report = path / "report.html"
        self.checkpoint = path / "checkpoint.npz"
        self.previous = path / "previous.npz"
        self.run = self.settings = ""  # ids; known when the config was written or read
        self._held: os.stat_result | None = None  # config.json, while it is locked

    def __str__(self) -> str:
        return self.path.as_posix()

    # Writing.

    def write_config(self, config: dict[str, Any]) -> None:
        """Write config.json."""
        self._know(config)
        files.write(self.config, json.dumps(config, indent=1).encode(), self.run)
        self._be_newest(self.config)

    def replacing(self, path: Path) -> ContextManager[IO[bytes]]:
        """A file of this folder to write to, as `files.replacing`; this run removes what a kill
        leaves of it."""
        self.check_place()
        return files.replacing(path, self.run)

    def save(self, arrays: dict[str, np.ndarray], config: dict[str, Any]) -> None:
        """Write the checkpoint; the one before is previous.npz from then on."""
        self.check_place()
        checkpoint.save(self.checkpoint, arrays, config, keep=self.previous, mark=self.run)
        self._be_newest(self.checkpoint)

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl, or nothing."""
        self.check_place()
        log.append(self.metrics, record)

    def write_grid(self, step: int, png: bytes, keep: bool) -> None:
        """Write samples/latest.png and, to keep, samples/STEP.png, from a PNG file's bytes.

        Another's picture of that name is kept as kept-STEP.png.
        """
        content = stamped(png, self.settings, step)
        if keep:
            path = self._grid(step)
            if files.exists(path) and not self._is_own(step) and path.read_bytes() != png:
                name = f"kept-{path.stem}"
                files.move_aside(path, files.numbered(f"{name}.png", lambda n: f"{name}-{n}.png"))
            with self.replacing(path) as file:
                file.write(content)
        with self.replacing(self.samples / "latest.png") as file:
            file.write(content)

    # Reading.

    def read_config(self) -> dict[str, Any]:
        """What config.json holds; where it is damaged or gone, what the checkpoint says of it.

        Raises:
            ValueError: there is no config in either.
        """
        try:
            config = files.read_json(self.config)
            if not _is_config(config):
                raise ValueError(f"{self.config} is not a config of minigan")
        except (FileNotFoundError, ValueError) as error:
            found = self._saved_config()
            if found is None:
                raise ValueError(f"{error}, and no checkpoint says what it was") from None
            config = {name: value for name, value in found.items() if name not in NUMBERS}
        self._know(config)
        return dict(config)

    def restore_config(self) -> None:
        """Write config.json again if it is damaged or gone, and say so; what is left is kept.

        Raises:
            RuntimeError: another process trains here.
        """
        with suppress(FileNotFoundError, ValueError):
            if _is_config(files.read_json(self.config)):
                return
        config, aside = self.read_config(), ""
        if files.exists(self.config):
            with locked(self.config, str(self)):
                moved = files.move_aside(self.config, _damaged("config", ".json"))
                aside = f", what was there is {moved.name} now"
                self.write_config(config)
        else:
            self.write_config(config)
        warn(f"{self.config} was damaged or gone and is written anew from the checkpoint{aside}",
             stacklevel=5)

    def read_metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl; one that is cut short or damaged is left out."""
        return log.read(self.metrics)[0]

    def grids(self) -> dict[int, Path]:
        """The pictures in samples/ by step, in order; what is no whole PNG is left out."""
        steps = sorted(int(path.stem) for path in self.samples.glob("*.png")
                       if path.stem.isascii() and path.stem.isdecimal())
        found = {step: self._grid(step) for step in steps}
        return {step: path for step, path in found.items() if is_whole(_content(path))}

    # While a trainer trains.

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While it is held no other trainer can write here.

        Raises:
            RuntimeError: another process holds it, or the folder holds another run now.
            FileNotFoundError: the folder is gone.
        """
        with ExitStack() as lock:
            try:
                file = lock.enter_context(locked(self.config, str(self)))
            except FileNotFoundError:
                raise self._gone() from None
            try:
                self._held = os.fstat(file.fileno())
                self.check_place()
                if self.run and _identity(self.path) != self.run:
                    raise self._gone()
                yield
            finally:
                self._held = None

    @property
    def is_locked(self) -> bool:
        """Whether this trainer holds the lock."""
        return self._held is not None

    @property
    def is_shared(self) -> bool:
        """Whether another trainer may write here although this one holds the lock.

        The lock is that of config.json as it was; an editor that saves it puts another file there.
        """
        if self._held is None:
            return False
        try:
            return not os.path.samestat(self._held, os.stat(self.config))
        except OSError:
            return True

    def check_place(self) -> None:
        """While it is locked: raise unless the run is still here, where writing would go on.

        Raises:
            FileNotFoundError: the folder was moved or deleted; says where it is, if it is near.
            RuntimeError: there is another run in its place.
        """
        if self.is_shared and _identity(self.path) != self.run:
            raise self._gone()

    def _gone(self) -> OSError | RuntimeError:
        """What became of a folder that does not hold this run any more."""
        near = [path for path in folders_in(self.path.parent) if path != self.path
                and self.run and _identity(path) == self.run]
        where = (f"it is {near[0].as_posix()} now, where `minigan resume {near[0].as_posix()}` "
                 f"(Trainer.resume) goes on" if near else "where it is now, `minigan resume "
                 "FOLDER` (Trainer.resume) goes on with its last checkpoint")
        if is_run(self.path):
            return RuntimeError(f"{self} holds another run now: that of this trainer was moved, "
                                f"renamed or deleted; {where}")
        return FileNotFoundError(f"{self} is gone: the run folder was moved or deleted while its "
                                 f"trainer was at work; {where}")

    def claim(self, owner: str, known: Version | None, step: int) -> None:
        """Before a trainer writes, with the lock held: make sure that its state is the newest.

        owner: the trainer's name for itself. known: the version that it read or wrote last, None
        for a trainer that knows none. step: where it is. An older version than that one was put
        back by a person, and may be replaced. A damaged checkpoint is put aside, as the next one
        would take the good one's place.

        Raises:
            RuntimeError: another trainer has saved since then; going on would lose its work.
        """
        newest = self._newest()
        if newest is None:
            return
        there = version(newest)
        if there.owner == owner != "" or there == known:
            return
        if known is None or there.generation >= known.generation:
            raise RuntimeError(
                f"{self} was trained on by another trainer, to step {newest.get('step', 0):,}, "
                f"since this one, at step {step:,}, was made; go on with "
                f"Trainer.resume({str(self)!r})")

    def _newest(self) -> dict[str, Any] | None:
        """The config of the newest checkpoint, None if there is none."""
        try:
            return checkpoint.load(self.checkpoint)[1]
        except FileNotFoundError:
            pass
        except checkpoint.DamagedError:
            self.put_aside()
        with suppress(FileNotFoundError, checkpoint.DamagedError):
            return checkpoint.load_config(self.previous)
        return None

    def put_aside(self) -> str:
        """Rename a damaged checkpoint.npz, so that nothing overwrites it; its new name."""
        return files.move_aside(self.checkpoint, _damaged("", ".npz")).name

    def go_back(self, step: int, regular: Callable[[dict[str, Any]], bool]) -> None:
        """Forget what a run wrote after `step`, and the lines that are not regular.

        A checkpoint of that step is where training goes on: it will write all that again. An
        irregular line is that of a last step which is not the last any more. Damaged lines are left
        out, with a warning, and the file as it was is kept.

        Removed are grids with this run's stamp and what a kill left of this run's files; not what
        a person has put there.
        """
        records, damaged = log.read(self.metrics)
        kept = [record for record in records if record["step"] <= step and regular(record)]
        if files.is_file(self.metrics):
            aside = self._copy_for(self.metrics) if damaged else None
            with files.replacing(self.metrics, self.run, keep=aside) as file:
                file.writelines(json.dumps(record).encode() + b"\n" for record in kept)
            if aside:
                warn(f"{self.metrics}: {plural(damaged, 'damaged line')} left out; the file as it "
                     f"was is {aside.name}", stacklevel=4)
        for later in self.grids():
            if later > step and self._is_own(later):
                self._grid(later).unlink()
        self.samples.mkdir(exist_ok=True)
        for folder in (self.path, self.samples):
            for part in files.leftovers(folder, self.run):
                part.unlink()

    # Inside.

    def _know(self, config: dict[str, Any]) -> None:
        self.run, self.settings = identity(config), settings_id(config)

    def _saved_config(self) -> dict[str, Any] | None:
        """The config of the last checkpoint that can be read, None if there is none."""
        for path in (self.checkpoint, self.previous):
            with suppress(OSError, ValueError):
                return checkpoint.load_config(path)
        return None

    def _copy_for(self, path: Path) -> Path:
        """A free name for a damaged file; it is taken, so that no other process takes it."""
        for name in _damaged(path.stem, path.suffix):
            aside = path.with_name(name)
            if files.claim(aside):
                return aside
        raise AssertionError("the names have no end")

    def _grid(self, step: int) -> Path:
        return self.samples / f"{step:06d}.png"

    def _is_own(self, step: int) -> bool:
        """Whether the grid of that step is just as this run drew it."""
        return is_stamped(_content(self._grid(step)), self.settings, step)

    def _be_newest(self, path: Path) -> None:
        """Give a file that was written just now a time after that of every other run beside it.

        So the order of runs is that of their writing also where the clock went back.
        """
        with suppress(OSError):
            own, others = path.stat().st_mtime_ns, 0
            for other in folders_in(self.path.parent):
                if other.name != self.path.name:
                    with suppress(OSError):
                        others = max(others, last_written(other))
            if own <= others:
                os.utime(path, ns=(time.time_ns(), others + 1_000_000))


def _damaged(name: str, suffix: str) -> Iterator[str]:
    """damaged.npz, damaged-2.npz, ... or damaged-config.json, damaged-config-2.json, ..."""
    stem = f"damaged-{name}" if name else "damaged"
    return files.numbered(f"{stem}{suffix}", lambda n: f"{stem}-{n}{suffix}")


def _is_config(config: Any) -> bool:
    return isinstance(config, dict) and "minigan" in config


def is_run(path: Path) -> bool:
    """Whether a folder has a config.json of minigan or, where that is damaged, a checkpoint."""
    try:
        RunFolder(path).read_config()
    except (OSError, ValueError):
        return False
    return True


def _identity(path: Path) -> str | None:
    try:
        return identity(RunFolder(path).read_config())
    except (OSError, ValueError):
        return None


def folders_in(root: Path) -> list[Path]:
    """The folders in a folder, by name; none where it cannot be read."""
    try:
        with os.scandir(root) as found:
            return sorted(Path(entry.path) for entry in found if entry.is_dir())
    except OSError:
        return []


def _content(path: Path) -> bytes:
    """A file's bytes, none if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def last_written(path: Path) -> int:
    """When the last checkpoint was written, else the config, in nanoseconds.

    Raises:
        OSError: there is none.
    """
    try:
        return (path / "checkpoint.npz").stat().st_mtime_ns
    except FileNotFoundError:
        return (path / "config.json").stat().st_mtime_ns
