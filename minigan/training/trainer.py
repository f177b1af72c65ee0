"""The training loop: batches, steps, and everything that a person wants to see meanwhile.

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
from typing import TYPE_CHECKING, Callable, Sequence

import numpy as np

from minigan.data import Batches, Images
from minigan.errors import NotFinite, check_finite
from minigan.models.checking import check_trainable
from minigan.models.model import Model
from minigan.models.rebuilding import Maker
from minigan.runs import cell, checkpoint
from minigan.runs import saved as checkpoints
from minigan.runs.folder import RunFolder
from minigan.runs.loading import build
from minigan.runs.log import Reading
from minigan.runs.pictures import Pictures, is_milestone
from minigan.runs.places import discard, new_run
from minigan.runs.records import Saved, Version
from minigan.runs.training_data import as_trained, check_data, load_data_of
from minigan.system import notebook
from minigan.system.allocator import keep_freed_memory
from minigan.system.console import warn
from minigan.system.interrupt import Signals
from minigan.system.progress import Progress
from minigan.system.threads import guard_blas, use_threads
from minigan.training.description import describe
from minigan.training.diagnosis import explain
from minigan.training.metrics_log import MetricsLog, is_read, is_regular
from minigan.training.resuming import restore, warn_of_changes
from minigan.training.state import TrainingState
from minigan.training.symptoms import Watch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAVE_EVERY_SECONDS = 45  # plus a step, so that a kill loses less than a minute

Callback = Callable[["Trainer", dict[str, float]], None]


class Trainer(TrainingState):
    """Trains a model on a data set and writes a run folder.

    It is a `TrainingState`, which has `step`, `losses` and `train_step`, and also writes and shows;
    code that only needs the state (diagnosis, resuming) knows nothing of a trainer.

    model: an untrained model. data: images of the model's shape. batch_size: images a step, by
    default the model's `default_batch_size`, or all if there are fewer, with a warning.
    out: the run folder, by default the next free runs/MODEL-001; see `new_run` for overwrite. An
    open RunFolder is used as given.
    threads: how many threads compute, by default as many as there are cores, 4 at most.
    capture: record a step of each phase and replay it: the same bits, faster. From then on `step`'s
    Python code does not run: anything that changes between steps must come from the backend or
    select another `phase`, as in minigan's models.
    callbacks: called as callback(trainer, metrics) each time the losses are read; trainer.stop()
    ends the training.

    Raises:
        TypeError, ValueError: the model cannot be trained, see `check_trainable`.
        ValueError: data and model do not fit, or the model's backend cannot capture steps.
        FileExistsError, RuntimeError: as `new_run`.
    """

    def __init__(self, model: Model, data: Images, batch_size: int | None = None,
                 out: str | os.PathLike[str] | RunFolder | None = None, overwrite: bool = False,
                 threads: int | None = None, callbacks: Sequence[Callback] = (),
                 capture: bool = False) -> None:
        check_trainable(model)
        _check_fit(model, data)
        if batch_size is None:
            batch_size = _usual_batch_size(model, data)
        self.threads = use_threads(threads)
        keep_freed_memory()
        super().__init__(model, Batches(data, batch_size, model.streams["data"]), capture)

        self.data = data
        self.callbacks = list(callbacks)
        self.interrupted = False
        self.signal: int | None = None       # that asked the last `fit` to end
        self._stopped = False
        self._began = 0.0                    # when a training without stops would have begun

        self.owner = secrets.token_hex(8)    # its name among the trainers of this run
        self.version: Version | None = None  # of the checkpoint that it read or wrote last
        self._saved_at = 0.0                 # by the clock
        self._saved_step = 0
        self._shown_in: int | None = None    # the notebook's cell that shows the run already

        self.config = describe(self, data, self.threads)
        self.folder = self._place(out, overwrite)
        self.pictures = Pictures(self.folder, model, data, self.config)
        self.log = MetricsLog(self.folder, self.pictures.extra)
        self.watch = Watch(data, self.pictures.preview.columns if model.conditional else 1)

    def __repr__(self) -> str:
        return (f"<Trainer of {self.model.name} {self.model.preset} on {self.data.name}, "
                f"step {self.step:,}, {self.folder}>")

    @notebook.or_text
    def _repr_html_(self) -> str | None:
        """The run for a notebook; nothing if `fit` has just shown it in the same cell."""
        if self._shown_in is not None and self._shown_in == notebook.cell():
            return None
        return cell.of_run(self.folder)

    def _place(self, out: str | os.PathLike[str] | RunFolder | None, overwrite: bool) -> RunFolder:
        """The run folder, with its config.json and its id."""
        if isinstance(out, RunFolder):
            self.config = dataclasses.replace(self.config, run=out.read_config().run_id)
            return out
        folder = new_run(self.model.name, out, overwrite)
        try:
            folder.write_config(self.config)
        except BaseException:
            discard(folder)
            raise
        return folder

    # Training.

    def fit(self, steps: int, quiet: bool = False) -> Trainer:
        """Train `steps` further steps; on Ctrl-C finish the step, save, and return.

        `interrupted` is True then, and `signal` is the signal's number: SIGTERM, SIGHUP and a
        notebook's stop button do what Ctrl-C does. A program that trains several models in a row
        should check `interrupted`. A second signal stops at once and leaves the last checkpoint.

        A step that ended in the middle (a second Ctrl-C, too little memory) may have changed D and
        not G. The next `fit` then goes back to the checkpoint first, says so, and trains `steps`
        steps from there. After any other error, such as a callback's, it goes on where it was.

        In a notebook the cell shows the bar, below it the newest samples, and in their place, at
        the end, how they came about, the losses and the report's path.

        Pictures, the report, progress and the log of losses are extras: a failure in one of them is
        a warning, given once. If a checkpoint cannot be written, training ends.

        quiet: show no progress; warnings are still given.

        Raises:
            ValueError: steps is not a whole number of 0 or more.
            FloatingPointError: a number became infinite or NaN; says where, if that can be found,
                and leaves the trainer at the last checkpoint.
            RuntimeError: another process trains in this run folder, another trainer has trained
                there since this one was made, or the folder holds another run now.
            FileNotFoundError: the folder was moved or deleted; says where to go on.
            OSError: a checkpoint could not be written.
        """
        if not isinstance(steps, int) or steps < 0:
            raise ValueError(f"steps must be a whole number of 0 or more, got {steps!r}")
        self._stopped = False
        self.interrupted = False
        self.signal = None
        try:
            with Signals(self._signalled), self.folder.locked():
                self._undo_half_step()
                self.steps = self.step + steps
                with Progress(self.step, self.steps, quiet=quiet) as bar:
                    self._begin(bar)
                    while self.step < self.steps and not self._stopped:
                        self.train_step()
                        bar.advance()
                        self._look(bar)
                    self._end(bar)
        except NotFinite as symptom:
            raise FloatingPointError(explain(self, self.folder.checkpoint, symptom)) from None
        finally:
            self.pictures.tell = warn
        return self

    def stop(self) -> None:
        """End `fit` after the present step, as Ctrl-C does."""
        self._stopped = True

    def _signalled(self, number: int) -> None:
        self.signal = number
        self.stop()

    def _undo_half_step(self) -> None:
        """Go back to the last checkpoint if a step has begun and has not ended."""
        if not self._unfinished:
            return
        self.folder.claim(self.owner, self.version, self.step)
        half = f"step {self.step + 1:,} was interrupted in the middle"
        try:
            saved = Saved.from_file(*checkpoint.load(self.folder.checkpoint))
        except (OSError, ValueError) as error:
            raise RuntimeError(f"{half}, and there is no checkpoint to go back to ({error})"
                               ) from None
        self.restore(saved)
        warn(f"{half}; training goes on from step {self.step:,}, that of "
             f"{self.folder.checkpoint.as_posix()}", stacklevel=3)

    def _begin(self, bar: Progress) -> None:
        """Before the first step: the folder as it was at this step, and a checkpoint."""
        def tell(problem: str) -> None:
            bar.warn(f"{problem}; training goes on, and does not say it again")

        self.pictures.tell = tell
        self._began = time.monotonic() - self.seconds
        self.folder.claim(self.owner, self.version, self.step)
        self.folder.go_back(self.step, is_regular)
        self.log.complete(Reading(self.step, self.read_losses(), self.seconds))
        self.save()  # so that the first steps can be undone, too; and `steps` may be new
        if self.step == 0:
            self._draw_samples(bar)

    def _look(self, bar: Progress) -> None:
        """After a step: read losses, draw samples and save, whichever of these are due."""
        self.seconds = time.monotonic() - self._began
        if is_read(self.step) or self.step == self.steps:
            metrics = self._read()
            bar.show(metrics)
            self._advise(bar, self.watch.losses(metrics))
        if is_milestone(self.step):
            samples = self._draw_samples(bar)
            self._advise(bar, self.watch.samples(self.step, samples))
        if time.monotonic() - self._saved_at > SAVE_EVERY_SECONDS:
            self.save()
            self._draw_samples(bar, keep=False)
            self.pictures.draw_summary(self.numbers())

    def _end(self, bar: Progress) -> None:
        """After the last step: a checkpoint, then the pictures."""
        self.interrupted = self.step < self.steps
        if self.step > self._saved_step:
            self.save()  # first, in case of a second Ctrl-C
        samples = self._draw_samples(bar)
        if not is_milestone(self.step):  # else `_look` has watched them
            self._advise(bar, self.watch.samples(self.step, samples))
        self.pictures.draw_summary(self.numbers())
        if bar.below(lambda: cell.of_run(self.folder, film=True), str(self.folder.report)):
            self._shown_in = notebook.cell()

    def _draw_samples(self, bar: Progress, keep: bool = True) -> np.ndarray | None:
        """Write the samples, show them in a notebook; returns them, if they could be drawn."""
        samples = self.pictures.draw_samples(self.step, keep)
        if samples is not None:
            words = f"samples at step {self.step:,}"
            bar.below(lambda: notebook.captioned(self.pictures.newest, words), words)
        return samples

    def _read(self) -> dict[str, float]:
        """The losses now: checked, logged, and given to the callbacks."""
        metrics = self.read_losses()
        check_finite(metrics)
        self.log.add(Reading(self.step, metrics, self.seconds))
        for callback in self.callbacks:
            callback(self, metrics)
        return metrics

    def _advise(self, bar: Progress, advice: str | None) -> None:
        """Show and log a warning about the training itself, if there is one."""
        if advice:
            self.log.warn(self.step, advice)
            bar.warn(advice)

    def samples(self) -> np.ndarray:
        """The images of the fixed inputs now, uint8 (N, H, W, C), as the sample grids show them."""
        return self.pictures.preview.images()

    def curves(self) -> Figure | None:
        """The losses so far as a Figure, which a notebook shows; None before the first."""
        return self.pictures.curves()

    # Saving, and going on.

    def save(self) -> Path:
        """Write the checkpoint, keeping the one before as previous.npz; returns its path.

        Raises:
            RuntimeError: another process trains in the folder, another trainer has saved there
                since this one read or wrote its last checkpoint, or a step ended in the middle.
            NotFinite: a loss or a weight is infinite or NaN.
            OSError: it cannot be written.
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
        check_finite({**numbers.losses, **arrays})
        generation = self.version.generation + 1 if self.version else 1
        version = Version(generation, self.owner)
        self.folder.save(arrays, {**self.config, **numbers.to_json(), **version._asdict()})

        self.version = version
        self._saved_at = time.monotonic()
        self._saved_step = self.step
        return self.folder.checkpoint

    def restore(self, saved: Saved) -> None:
        """Go back, or on, to a checkpoint; its version is known from then on.

        Raises:
            KeyError, TypeError, ValueError: an entry is missing, or does not fit.
        """
        super().restore(saved)
        if saved.config.run_id == self.config.run:  # it is a checkpoint of this run
            self.version = saved.version

    @classmethod
    def resume(cls, run: str | os.PathLike[str] | None = None, data: Images | None = None,
               data_dir: str | os.PathLike[str] | None = None, threads: int | None = None,
               callbacks: Sequence[Callback] = (), capture: bool = False,
               model: Maker | None = None) -> Trainer:
        """The trainer of a run folder as it was at its last checkpoint; `fit` goes on exactly.

        run: the folder, by default the one below runs/ that was written to last.
        data: the images, if `minigan.data.load` cannot find them again. data_dir: where their files
        are now, if not where they were. threads: as in the run, unless given. callbacks, capture:
        as in `Trainer`. model: the class of your own model, if it is not found otherwise, or a
        function that makes one; see `minigan.models.rebuilding.rebuild`.

        Raises:
            FileNotFoundError: there is no such run, or it has saved nothing.
            TypeError: `model` is not a class derived from `Model`, nor a function that makes one.
            ValueError: its checkpoints are damaged, foreign, of another layout, model or version,
                or the data are not those that it was trained on; or its model's class cannot be
                found, or is another one than `model`.

        Warns:
            UserWarning: the last checkpoint is damaged and the previous one is used; machine, NumPy
                or threads are not the same, so the bits may differ; or the source text of your own
                class has changed since.
        """
        folder, saved = checkpoints.find(run)
        config = saved.config
        if data is None:
            data = load_data_of(folder, config, data_dir)
        else:
            data = as_trained(data, config)
        check_data(data, config)

        made = build(config, folder.checkpoint, model)
        trainer = cls(made, data, config.batch_size, folder,
                      threads=config.threads if threads is None else threads,
                      callbacks=callbacks, capture=capture)
        restore(trainer, saved, folder.checkpoint)
        warn_of_changes(folder, config, trainer.config)
        return trainer


def _check_fit(model: Model, data: Images) -> None:
    """Raise unless the model can be trained on these images."""
    if data.shape != model.shape:
        raise ValueError(f"data: images of {data.name} are {data.shape}, the model makes "
                         f"{model.shape}")
    if not model.conditional:
        return
    if data.labels is None:
        raise ValueError(f"data: {model.name} is conditional and needs labels, {data.name} has "
                         f"none (those of a folder of pictures are its sub-folders)")
    if data.n_classes > model.n_classes:
        raise ValueError(f"data: {model.name} needs labels from 0 to {model.n_classes - 1}, "
                         f"{data.name} has {data.n_classes} classes")


def _usual_batch_size(model: Model, data: Images) -> int:
    """The model's own, or as many images as there are, with a warning."""
    usual = model.default_batch_size
    if len(data) >= usual:
        return usual
    warn(f"data: {data.name} has {len(data)} images, fewer than the usual batch of {usual}, so "
         f"each step takes them all (batch_size, --batch-size in a command, says how many)",
         stacklevel=3)
    return len(data)
