"""The run folder while a trainer writes there: whole files, one trainer at a time.

What a person puts into the folder stays: a trainer removes or replaces only its own files, which it
recognises by their names, and grids by their stamps. `contents` says which file is what.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Callable, ContextManager, Iterator, Mapping

import numpy as np

from minigan.runs import cell, checkpoint, log
from minigan.runs.contents import (RunContents, content_of, folders_in, is_run, last_written,
                                   run_id_of)
from minigan.runs.records import RunConfig, Version
from minigan.runs.stamps import is_stamped, stamped
from minigan.system import files
from minigan.system.console import plural, warn
from minigan.system.lock import locked
from minigan.system.notebook import or_text
from minigan.system.paths import exists, is_file


class RunFolder(RunContents):
    """The files of one run, and the lock that its trainer holds."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.run = ""       # the run's id, once the config has been written or read
        self.settings = ""  # the id of its settings, likewise
        self._held: os.stat_result | None = None  # config.json, while it is locked

    def __repr__(self) -> str:
        return f"<RunFolder {self}>"

    @or_text
    def _repr_html_(self) -> str:
        """The run for a notebook: the latest samples, the losses, where the report is."""
        return cell.of_run(self)

    # Writing.

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.json."""
        config = RunConfig.from_json(config)
        self._set_ids(config)
        text = json.dumps(config.to_json(), indent=1)
        files.write(self.config, text.encode(), self.run)
        self._be_newest(self.config)

    def replacing(self, path: Path) -> ContextManager[IO[bytes]]:
        """A file of this folder to write to, as `files.replacing`.

        If a kill leaves part of it, this run removes that part when it goes on.
        """
        self.check_place()
        return files.replacing(path, self.run)

    def save(self, arrays: dict[str, np.ndarray], content: dict[str, Any]) -> None:
        """Write the checkpoint; the one before becomes previous.npz.

        content: the run's config with the numbers and the version of the checkpoint.
        """
        self.check_place()
        checkpoint.save(self.checkpoint, arrays, content, keep=self.previous, mark=self.run)
        self._be_newest(self.checkpoint)

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl, or nothing."""
        self.check_place()
        log.append(self.metrics, record)

    def write_grid(self, step: int, png: bytes, keep: bool) -> None:
        """Write samples/latest.png and, to keep, samples/STEP.png, from a PNG file's bytes.

        A picture there that this run has not drawn is kept as kept-STEP.png.
        """
        content = stamped(png, self.settings, step)
        if keep:
            path = self.grid(step)
            if exists(path) and not self._is_own(step) and path.read_bytes() != png:
                name = f"kept-{path.stem}"
                files.move_aside(path, files.numbered(f"{name}.png", lambda n: f"{name}-{n}.png"))
            with self.replacing(path) as file:
                file.write(content)
        with self.replacing(self.samples / "latest.png") as file:
            file.write(content)

    def _is_own(self, step: int) -> bool:
        """Whether the grid of that step is just as this run drew it."""
        return is_stamped(content_of(self.grid(step)), self.settings, step)

    def _be_newest(self, path: Path) -> None:
        """Give a file that was just written a later time than that of every other run beside it.

        So runs are in the order of their writing even if the clock was set back.
        """
        with suppress(OSError):
            own = path.stat().st_mtime_ns
            others = self._last_written_beside()
            if own <= others:
                os.utime(path, ns=(time.time_ns(), others + 1_000_000))

    def _last_written_beside(self) -> int:
        """When another run in the same folder was written to last, in nanoseconds."""
        latest = 0
        for other in folders_in(self.path.parent):
            if other.name != self.path.name:
                with suppress(OSError):
                    latest = max(latest, last_written(other))
        return latest

    # The config.

    def read_config(self) -> RunConfig:
        """What config.json holds; if it is damaged or gone, the copy of it in the checkpoint.

        Raises:
            ValueError: there is no config in either.
        """
        config = super().read_config()
        self._set_ids(config)
        return config

    def _set_ids(self, config: RunConfig) -> None:
        self.run = config.run_id
        self.settings = config.settings_id

    def restore_config(self) -> None:
        """Write config.json again if it is damaged or gone, and say so; what is left is kept.

        Raises:
            RuntimeError: another process trains here.
        """
        with suppress(FileNotFoundError, ValueError):
            self.recorded_config()
            return

        config = self.read_config()
        aside = ""
        if exists(self.config):
            with locked(self.config, str(self)):
                moved = files.move_aside(self.config, _damaged("config", ".json"))
                aside = f", what was there is {moved.name} now"
                self.write_config(config)
        else:
            self.write_config(config)
        warn(f"{self.config} was damaged or gone and has been written again from the "
             f"checkpoint{aside}", stacklevel=5)

    # One trainer at a time.

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, so that no other trainer writes here.

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
                if self.run and run_id_of(self.path) != self.run:
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

        What is locked is the file that was config.json; an editor that saves config.json may have
        put another file in its place.
        """
        if self._held is None:
            return False
        try:
            return not os.path.samestat(self._held, os.stat(self.config))
        except OSError:
            return True

    def check_place(self) -> None:
        """Make sure, while the lock is held, that the run is still in this folder.

        Raises:
            FileNotFoundError: the folder was moved or deleted; says where it is, if it is near.
            RuntimeError: there is another run in its place.
        """
        if self.is_shared and run_id_of(self.path) != self.run:
            raise self._gone()

    def _gone(self) -> OSError | RuntimeError:
        """The error for a folder that no longer holds this run; says where the run is."""
        moved_to = self._found_beside()
        if moved_to:
            where = (f"it is {moved_to} now, and `minigan resume {moved_to}` (Trainer.resume) goes "
                     f"on with it")
        else:
            where = ("`minigan resume FOLDER` (Trainer.resume) goes on from its last checkpoint, "
                     "wherever it is now")
        if is_run(self.path):
            return RuntimeError(f"{self} holds another run now: that of this trainer was moved, "
                                f"renamed or deleted; {where}")
        return FileNotFoundError(f"{self} is gone: the run folder was moved or deleted while its "
                                 f"trainer was at work; {where}")

    def _found_beside(self) -> str:
        """The folder beside this one where its run is now; empty if it is not there."""
        if not self.run:
            return ""
        for path in folders_in(self.path.parent):
            if path != self.path and run_id_of(path) == self.run:
                return path.as_posix()
        return ""

    def claim(self, owner: str, known: Version | None, step: int) -> None:
        """Before a trainer writes, with the lock held: make sure that its state is the newest.

        owner: the trainer's name for itself. known: the version that it read or wrote last, None
        if there is none. step: the step that it is at. If the folder holds an older version than
        `known`, a person has put that back, and it may be replaced. A damaged checkpoint is put
        aside, because the next save would make it previous.npz, in the good one's place.

        Raises:
            RuntimeError: another trainer has saved since then; going on would lose its work.
        """
        newest = self._newest_checkpoint()
        if newest is None:
            return
        version = Version.from_json(newest)
        own = owner != "" and version.owner == owner
        if own or version == known:
            return
        if known is None or version.generation >= known.generation:
            raise RuntimeError(
                f"{self} was trained on by another trainer, to step {newest.get('step', 0):,}, "
                f"since this one, at step {step:,}, was made; go on with "
                f"Trainer.resume({str(self)!r})")

    def _newest_checkpoint(self) -> dict[str, Any] | None:
        """The config of the newest checkpoint, None if there is none."""
        try:
            _, content = checkpoint.load(self.checkpoint)
            return content
        except FileNotFoundError:
            pass
        except checkpoint.DamagedError:
            self.put_aside()

        with suppress(FileNotFoundError, checkpoint.DamagedError):
            return checkpoint.load_config(self.previous)
        return None

    def put_aside(self) -> str:
        """Rename a damaged checkpoint.npz, so that nothing overwrites it; returns its new name."""
        return files.move_aside(self.checkpoint, _damaged("", ".npz")).name

    # Going back to a checkpoint.

    def go_back(self, step: int, regular: Callable[[dict[str, Any]], bool]) -> None:
        """Forget what a run wrote after `step`, and the lines of its log that are not regular.

        Training goes on from a checkpoint of that step, and will write all that again. A line is
        irregular if it was written only because its step was the last, which it no longer is.
        Damaged lines are left out, with a warning, and the file as it was is kept.

        Grids with this run's stamp are removed, and what a kill left of this run's files, but
        nothing that a person has put there.
        """
        if is_file(self.metrics):
            self._shorten_log(step, regular)
        for later in self.grids():
            if later > step and self._is_own(later):
                self.grid(later).unlink()
        self.samples.mkdir(exist_ok=True)
        for folder in (self.path, self.samples):
            for left in files.leftovers(folder, self.run):
                left.unlink()

    def _shorten_log(self, step: int, regular: Callable[[dict[str, Any]], bool]) -> None:
        """Keep the regular lines of metrics.jsonl up to `step`."""
        records, damaged = log.read(self.metrics)
        kept = [record for record in records if record["step"] <= step and regular(record)]
        aside = self._copy_for(self.metrics) if damaged else None
        with files.replacing(self.metrics, self.run, keep=aside) as file:
            file.writelines(json.dumps(record).encode() + b"\n" for record in kept)
        if aside:
            warn(f"{self.metrics}: {plural(damaged, 'damaged line')} left out; the file as it "
                 f"was is {aside.name}", stacklevel=5)

    def _copy_for(self, path: Path) -> Path:
        """A free name for a damaged file, claimed so that no other process takes it."""
        for name in _damaged(path.stem, path.suffix):
            aside = path.with_name(name)
            if files.claim(aside):
                return aside
        raise AssertionError("the names have no end")


def _damaged(name: str, suffix: str) -> Iterator[str]:
    """damaged.npz, damaged-2.npz, ... or damaged-config.json, damaged-config-2.json, ..."""
    stem = f"damaged-{name}" if name else "damaged"
    return files.numbered(f"{stem}{suffix}", lambda n: f"{stem}-{n}{suffix}")
