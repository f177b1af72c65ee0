"""The training loop: batches in, steps, and everything that a person wants to see meanwhile.

    trainer = Trainer(GAN("mlp"), minigan.data.load("digits"))
    trainer.fit(5_000)
    trainer = Trainer.resume("runs/gan-001")        # another day, from where it stopped
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Sequence

import numpy as np

from minigan.data import Batches, Images
from minigan.errors import NotFinite, check_finite
from minigan.models.checking import check_trainable
from minigan.models.identity import qualified, source_crc
from minigan.models.model import Model
from minigan.models.rebuilding import Maker
from minigan.runs import checkpoint, saved
from minigan.runs.classes import as_trained
from minigan.runs.folder import RunFolder
from minigan.runs.identity import Version, identity, version
from minigan.runs.pictures import Pictures, is_milestone
from minigan.runs.places import discard, new_run
from minigan.runs.trained import build
from minigan.system.allocator import keep_freed_memory
from minigan.system.console import warn
from minigan.system.interrupt import Signals
from minigan.system.machine import environment
from minigan.system.progress import Progress
from minigan.system.threads import guard_blas, use_threads
from minigan.training.diagnosis import explain
from minigan.training.resuming import load_state, warn_of_changes
from minigan.training.state import TrainingState
from minigan.training.symptoms import Watch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

READ_EVERY = 20           # steps between two readings of the losses: reading waits for the device
SAVE_EVERY_SECONDS = 45   # and a step: less than a minute

Callback = Callable[["Trainer", dict[str, float]], None]


class Trainer(TrainingState):
    """Trains a model on a data set and writes a run folder.

    model: an untrained model. data: images of the model's shape. batch_size: images a step, by
    default the model's `default_batch_size`, or all where there are fewer, with a warning.
    out: the run folder, by default the next free runs/MODEL-001; see `new_run` for overwrite. One
    that is open already is taken as it is.
    threads: how many threads compute, by default all cores but 4 at most.
    capture: record a step of each kind and replay it: the same bits, faster. The Python code of the
    model's `step` then runs no more, so whatever changes in it from step to step has to be the
    backend's or `kind`'s; that holds for minigan's models.
    callbacks: called as callback(trainer, metrics) each time the losses are read; one that has seen
    enough calls trainer.stop().
    """

    def __init__(self, model: Model, data: Images, batch_size: int | None = None,
                 out: str | os.PathLike[str] | RunFolder | None = None, overwrite: bool = False,
                 threads: int | None = None, callbacks: Sequence[Callback] = (),
                 capture: bool = False) -> None:
        check_trainable(model)
        if data.shape != model.shape:
            raise ValueError(f"data: images of {data.name} are {data.shape}, the model makes "
                             f"{model.shape}")
        if model.conditional and data.labels is None:
            raise ValueError(f"data: {model.name} is conditional and needs labels, {data.name} has "
                             f"none (those of a folder of pictures are its sub-folders)")
        if model.conditional and data.n_classes > model.n_classes:
            raise ValueError(f"data: {model.name} needs labels from 0 to {model.n_classes - 1}, "
                             f"{data.name} has {data.n_classes} classes")
        if batch_size is None:
            batch_size = min(model.default_batch_size, len(data))
            if batch_size < model.default_batch_size:
                warn(f"data: {data.name} has {len(data)} images, fewer than the usual batch of "
                     f"{model.default_batch_size}, so each step takes them all (batch_size, "
                     f"--batch-size in a command, says how many)")
        self.threads = use_threads(threads)
        keep_freed_memory()
        super().__init__(model, Batches(data, batch_size, model.streams["data"]), capture)
        self.data = data
        self.callbacks = list(callbacks)
        self.interrupted = False
        self.signal: int | None = None       # that asked the last `fit` to end
        self._unwritten: list[dict[str, Any]] = []  # lines that metrics.jsonl could not take
        self.config = self._config()
        self.owner = secrets.token_hex(8)    # its name among the trainers of this run
        self.version: Version | None = None  # of the checkpoint that it read or wrote last
        self.folder = self._place(out, overwrite)
        self.pictures = Pictures(self.folder, model, data, self.config)
        self.watch = Watch(data, self.pictures.preview.columns if model.conditional else 1)

    def __repr__(self) -> str:
        return (f"<Trainer of {self.model.name} {self.model.preset} on {self.data.name}, "
                f"step {self.step:,}, {self.folder}>")

    def _place(self, out: str | os.PathLike[str] | RunFolder | None, overwrite: bool) -> RunFolder:
        """The run folder, with its config.json and its id."""
        if isinstance(out, RunFolder):
            self.config["run"] = identity(out.read_config())
            return out
        folder = new_run(self.model.name, out, overwrite)
        try:
            folder.write_config(self.config)
        except BaseException:
            discard(folder)
            raise
        return folder

    def _config(self) -> dict[str, Any]:
        """What a person, `minigan.load` or `resume` needs to make this run again."""
        from minigan import __version__
        return {
            "minigan": __version__, "layout": checkpoint.LAYOUT, "run": secrets.token_hex(16),
            "model": self.model.name,
            "class": qualified(type(self.model)), "class_crc32": source_crc(type(self.model)),
            "preset": self.model.preset, "settings": dataclasses.asdict(self.model.settings),
            "shape": list(self.model.shape), "n_classes": self.model.n_classes,
            "data": self.data.name, "source": self.data.source,
            "data_crc32": saved.fingerprint(self.data), "seed": self.model.streams.seed,
            "batch_size": self.batches.batch_size, "threads": self.threads,
            "backend": self.xp.device, "precision": self.xp.precision,
            "capture": self.stepper.captured, "environment": environment(),
            "class_names": list(self.data.classes),
        }

    # Training.

    def fit(self, steps: int, quiet: bool = False) -> Trainer:
        """Train `steps` further steps; on Ctrl-C finish the step, save, and return.

        `interrupted` then says so, and `signal` which signal it was: SIGTERM and SIGHUP are
        listened to as Ctrl-C is, and so is a notebook's stop button. Who trains several models in a
        row looks at it. A second signal stops at once, and the last checkpoint stays.

        A step that ended in the middle (a second Ctrl-C, too little memory) has changed D and not
        G. The next `fit` then goes back to the checkpoint first, says so, and trains `steps` steps
        from there. After any other error, as one of a callback's, it goes on where it was.

        Pictures, the report, progress and the losses' log are extras: what fails in them is a
        warning, once. Where a checkpoint cannot be written, training ends.

        quiet: no progress; warnings are still given.

        Raises:
            FloatingPointError: a number became infinite or NaN; says where, as far as it can be
                found, and leaves the trainer at the last checkpoint.
            RuntimeError: another process trains in this run folder, another trainer has trained
                there since this one was made, or there is another run in its place now.
            FileNotFoundError: the folder was moved or deleted; says where to go on.
            OSError: a checkpoint could not be written.
        """
        if not isinstance(steps, int) or steps < 0:
            raise ValueError(f"steps must be a whole number of 0 or more, got {steps!r}")
        self._stopped, self.interrupted, self.signal = False, False, None
        try:
            with Signals(self._signalled), self.folder.locked():
                self._whole_steps()
                self.steps = self.step + steps
                with Progress(self.step, self.steps, quiet=quiet) as bar:
                    self._fit(bar)
        except NotFinite as symptom:
            raise FloatingPointError(explain(self, self.folder.checkpoint, symptom)) from None
        finally:
            self.pictures.tell = warn
        return self

    def _fit(self, bar: Progress) -> None:
        self.pictures.tell = lambda problem: bar.warn(
            f"{problem}; training goes on, and does not say it again")
        self._begin()
        while self.step < self.steps and not self._stopped:
            self.train_step()
            bar.advance()
            self._look(bar)
        self.interrupted = self.step < self.steps
        if self.step > self._saved_step:
            self.save()  # first, in case of a second Ctrl-C
        samples = self.pictures.draw_samples(self.step)
        if not is_milestone(self.step):
            self._warn(bar, self.watch.samples(self.step, samples))
        self.pictures.draw_summary(self.numbers())

    def stop(self) -> None:
        """End `fit` after the present step, as Ctrl-C does."""
        self._stopped = True

    def _signalled(self, number: int) -> None:
        self.signal = number
        self.stop()

    def _whole_steps(self) -> None:
        """Go back to the last checkpoint if a step was begun and has not ended."""
        if not self._unfinished:
            return
        self.folder.claim(self.owner, self.version, self.step)
        half = f"step {self.step + 1:,} was interrupted in the middle"
        try:
            arrays, config = checkpoint.load(self.folder.checkpoint)
        except (OSError, ValueError) as error:
            raise RuntimeError(f"{half}, and there is no checkpoint to go back to ({error})"
                               ) from None
        self.load_state(arrays, config)
        warn(f"{half}; training goes on from step {self.step:,}, that of "
             f"{self.folder.checkpoint.as_posix()}", stacklevel=3)

    def _begin(self) -> None:
        self._began = time.monotonic() - self.seconds
        self.folder.claim(self.owner, self.version, self.step)
        self.folder.go_back(self.step, _is_regular)
        self._complete_log()
        self.save()  # the first steps too can be gone back from, and `steps` may be new
        if self.step == 0:
            self.pictures.draw_samples(0)

    def _look(self, bar: Progress) -> None:
        """What there is to do after a step, apart from the next one."""
        self.seconds = time.monotonic() - self._began
        if _is_read(self.step) or self.step == self.steps:
            metrics = self._read()
            bar.show(metrics)
            self._warn(bar, self.watch.losses(metrics))
        if is_milestone(self.step):
            samples = self.pictures.draw_samples(self.step)
            self._warn(bar, self.watch.samples(self.step, samples))
        if time.monotonic() - self._saved > SAVE_EVERY_SECONDS:
            self.save()
            self.pictures.draw_samples(self.step, keep=False)
            self.pictures.draw_summary(self.numbers())

    def _read(self) -> dict[str, float]:
        metrics = self.read_losses()
        check_finite(metrics)
        self._log({"step": self.step, **metrics, "seconds": round(self.seconds, 3)})
        for callback in self.callbacks:
            callback(self, metrics)
        return metrics

    def _warn(self, bar: Progress, advice: str | None) -> None:
        """A warning about the training itself, if there is one: said, and kept in the log."""
        if advice:
            self._log({"step": self.step, "warning": advice})
            bar.warn(advice)

    def _log(self, *records: dict[str, Any]) -> None:
        """Add lines to metrics.jsonl; what it cannot take now comes with the next ones."""
        self.folder.check_place()
        self._unwritten += records
        with self.pictures.extra("metrics.jsonl"):
            while self._unwritten:
                self.folder.append_metrics(self._unwritten[0])
                del self._unwritten[0]

    def _complete_log(self) -> None:
        """Log the step where training goes on, if an error came before that was done."""
        self._unwritten = [record for record in self._unwritten
                           if record["step"] <= self.step and _is_read(record["step"])]
        logged = [record["step"] for record in (*self.folder.read_metrics(), *self._unwritten)]
        losses = self.read_losses()
        if losses and _is_read(self.step) and max(logged, default=0) < self.step:
            self._log({"step": self.step, **losses, "seconds": round(self.seconds, 3)})
        else:
            self._log()

    def samples(self) -> np.ndarray:
        """The images of the fixed inputs now, u8 (N, H, W, C); a label a column if conditional."""
        return self.pictures.preview.images()

    def curves(self) -> Figure | None:
        """The losses so far as a Figure, which a notebook shows; None before the first."""
        return self.pictures.curves()

    # Saving, and going on.

    def load_state(self, arrays: dict[str, np.ndarray], numbers: dict[str, Any]) -> None:
        """Go back, or on, to what `state` returned; further entries of both are ignored."""
        super().load_state(arrays, numbers)
        if identity(numbers) == self.config["run"]:  # it is a checkpoint of this run
            self.version = version(numbers)

    def save(self) -> Path:
        """Write the checkpoint, keeping the one before as previous.npz; returns its path.

        Raises:
            RuntimeError: another process trains in the folder, or another trainer has saved there
                since this one read or wrote its last checkpoint; or a step ended in the middle.
        """
        self._check_whole("save")
        if not self.folder.is_locked:
            with self.folder.locked():
                self.folder.claim(self.owner, self.version, self.step)
                return self.save()
        if self.folder.is_shared:
            self.folder.claim(self.owner, self.version, self.step)
        guard_blas()
        arrays, numbers = self.state()
        check_finite({**numbers["losses"], **arrays})
        new = Version(self.version.generation + 1 if self.version else 1, self.owner)
        self.folder.save(arrays, {**self.config, **numbers, **new._asdict()})
        self.version, self._saved, self._saved_step = new, time.monotonic(), self.step
        return self.folder.checkpoint

    @classmethod
    def resume(cls, run: str | os.PathLike[str] | None = None, data: Images | None = None,
               data_dir: str | os.PathLike[str] | None = None, threads: int | None = None,
               callbacks: Sequence[Callback] = (), capture: bool = False,
               model: Maker | None = None) -> Trainer:
        """The trainer of a run folder as it was at its last checkpoint; `fit` goes on exactly.

        run: the folder, by default the one below runs/ that was written to last.
        data: the images, where they are not a set that `minigan.data.load` finds again; data_dir:
        where it shall look, if not where it did. threads: as in the run, unless given.
        model: the class of a model of one's own that is not found otherwise, or a function that
        makes one; see `minigan.models.rebuilding.rebuild`.

        Raises:
            FileNotFoundError: there is no such run, or it has saved nothing.
            TypeError: `model` is no class derived from `Model`, nor a function that makes one.
            ValueError: its checkpoints are damaged, foreign, of another layout, model or version,
                or the data are not those that it was trained on; or its model's class cannot be
                found, or is another one than `model`.

        Warns:
            UserWarning: the last checkpoint is damaged and the previous one is used; or machine,
                NumPy or threads are others, so that other bits may come out; or the source text of
                a class of one's own has changed since.
        """
        folder, arrays, config = saved.find(run)
        data = (saved.data_of(folder, config, data_dir) if data is None
                else as_trained(data, config))
        saved.check_data(data, config)
        trainer = cls(build(config, folder.checkpoint, model), data, config["batch_size"], folder,
                      threads=config["threads"] if threads is None else threads,
                      callbacks=callbacks, capture=capture)
        load_state(trainer, folder.checkpoint, arrays, config)
        warn_of_changes(folder, config, trainer.config)
        return trainer


def _is_read(step: int) -> bool:
    """Steps after which the losses are read, apart from the last one."""
    return step == 1 or step % READ_EVERY == 0


def _is_regular(record: dict[str, Any]) -> bool:
    """Lines of the log that a run without a stop writes, too."""
    return _is_read(record["step"]) or "warning" in record and is_milestone(record["step"])
