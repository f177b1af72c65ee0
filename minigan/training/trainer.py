"""The training loop: batches in, steps, and everything that a person wants to see meanwhile.

    trainer = Trainer(GAN("mlp"), minigan.data.load("digits"))
    trainer.fit(5_000)
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np

from minigan import plot
from minigan.backend import Stream, of
from minigan.backend.allocator import keep_freed_memory
from minigan.backend.machine import environment
from minigan.backend.threads import use_threads
from minigan.data import Batches, Images, to_bytes
from minigan.engine import Tensor
from minigan.models.model import Model
from minigan.training import archive
from minigan.training.folder import RunFolder, new_run
from minigan.training.sampling import draw_images, side_by_side

ROWS = 8                  # of a sample grid; as many columns, or one for each label
READ_EVERY = 20           # steps between two readings of the losses: reading waits for the device
SAVE_EVERY_SECONDS = 60

Callback = Callable[["Trainer", dict[str, float]], None]


class Trainer:
    """Trains a model on a data set and writes a run folder.

    model: an untrained model. data: images of the model's shape.
    out: the run folder, by default the next free runs/MODEL-001; see `new_run` for overwrite.
    threads: how many threads compute, by default all cores but 4 at most.
    callbacks: called as callback(trainer, metrics) each time the losses are read.
    """

    def __init__(self, model: Model, data: Images, batch_size: int = 64,
                 out: str | os.PathLike[str] | None = None, overwrite: bool = False,
                 threads: int | None = None, callbacks: Sequence[Callback] = ()) -> None:
        if data.shape != model.shape:
            raise ValueError(f"data: images of {data.name} are {data.shape}, the model makes "
                             f"{model.shape}")
        if model.conditional and data.labels is None:
            raise ValueError(f"data: {model.name} is conditional and needs labels, {data.name} has "
                             f"none (those of a folder of pictures are its sub-folders)")
        if model.conditional and data.n_classes > model.n_classes:
            raise ValueError(f"data: {model.name} needs labels from 0 to {model.n_classes - 1}, "
                             f"{data.name} has {data.n_classes} classes")
        self.model, self.data, self.callbacks = model, data, list(callbacks)
        self.batches = Batches(data, batch_size, model.streams["data"])
        self.threads = use_threads(threads)
        keep_freed_memory()
        self.step = 0
        self.seconds = 0.0        # spent training so far
        self.interrupted = False
        self.xp = of(model.generator.parameters()[0].data)
        # Previews have a stream of their own: looking does not change what is learned.
        self.columns = model.n_classes if model.conditional else ROWS
        self.preview, self.truth = model.inputs_from(
            Stream(model.streams.seed, "preview"), ROWS * self.columns, partial(draw_images, data))
        self.labels = np.tile(np.arange(self.columns), ROWS) if model.conditional else None
        self.folder: RunFolder = new_run(model.name, out, overwrite)
        self.folder.write_config(self.config())

    def config(self) -> dict[str, Any]:
        """What a person or `minigan.load` needs to make this run again."""
        from minigan import __version__
        return {
            "minigan": __version__, "layout": archive.LAYOUT, "model": self.model.name,
            "preset": self.model.preset, "settings": dataclasses.asdict(self.model.settings),
            "shape": list(self.model.shape), "n_classes": self.model.n_classes,
            "data": self.data.name, "source": self.data.source, "seed": self.model.streams.seed,
            "batch_size": self.batches.batch_size,
            "threads": self.threads, "backend": self.xp.device, "environment": environment(),
        }

    def fit(self, steps: int) -> Trainer:
        """Train `steps` further steps; on Ctrl-C save and return, with `interrupted` set.

        Raises:
            FloatingPointError: a loss is not finite; the last checkpoint is left as it was.
        """
        from tqdm import tqdm
        if not isinstance(steps, int) or steps < 0:
            raise ValueError(f"steps must be a whole number of 0 or more, got {steps!r}")
        end, self.interrupted = self.step + steps, False
        began = saved = time.monotonic()
        before = self.seconds
        bar = tqdm(total=end, initial=self.step, unit="step", ascii=True, disable=None,
                   mininterval=0.2, dynamic_ncols=True, file=sys.stderr)
        losses: dict[str, Tensor] = {}
        try:
            if self.step == 0:
                self.draw_samples()
            while self.step < end:
                losses = {**losses, **self._train_step()}  # a WGAN's G moves every fifth step only
                bar.update()
                if self.step % READ_EVERY == 0 or self.step in (1, end):
                    self.seconds = before + time.monotonic() - began
                    metrics = self._read(losses)
                    bar.set_postfix({k: f"{v:.3f}" for k, v in metrics.items()}, refresh=False)
                    if time.monotonic() - saved > SAVE_EVERY_SECONDS:  # losses known to be finite
                        self.save()
                        saved = time.monotonic()
                if _is_milestone(self.step):
                    self.draw_samples()
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            bar.close()
        self.seconds = before + time.monotonic() - began
        self.save()  # first, in case of a second Ctrl-C
        self.draw_samples()
        self.draw_losses()
        return self

    @np.errstate(all="ignore")  # what is not finite is reported once, by `_read`
    def _train_step(self) -> dict[str, Tensor]:
        x, labels = next(self.batches)
        losses = self.model.step(Tensor(self.xp.from_host(x)),
                                 None if labels is None else Tensor(self.xp.from_host(labels)))
        self.step += 1
        return losses

    def _read(self, losses: dict[str, Tensor]) -> dict[str, float]:
        metrics = {name: float(value.item()) for name, value in losses.items()}
        for name, value in metrics.items():
            if not math.isfinite(value):
                saved = (f"{self.folder.checkpoint.as_posix()} is of an earlier step"
                         if self.folder.checkpoint.exists() else "nothing was saved yet")
                raise FloatingPointError(f"{name} is {value} at step {self.step}; training "
                                         f"stopped, {saved}")
        self.folder.append_metrics({"step": self.step, **metrics,
                                    "seconds": round(self.seconds, 3)})
        for callback in self.callbacks:
            callback(self, metrics)
        return metrics

    def samples(self) -> np.ndarray:
        """The images of the fixed inputs now, u8 (N, H, W, C); a label a column if conditional."""
        return to_bytes(self.model.sample(self.preview, self.labels).numpy())

    def draw_samples(self) -> None:
        """Write samples/STEP.png and samples/latest.png; input and truth beside what has them."""
        grid = plot.tile(side_by_side(self.preview, self.samples(), self.truth), self.columns)
        for name in (f"{self.step:06d}.png", "latest.png"):
            plot.save(grid, self.folder.samples / name, scale=2)

    def draw_losses(self) -> None:
        """Write losses.png from metrics.jsonl."""
        series: dict[str, tuple[list[int], list[float]]] = {}
        for record in self.folder.read_metrics():
            for name in record.keys() - {"step", "seconds"}:  # not every step updates G
                steps, values = series.setdefault(name, ([], []))
                steps.append(record["step"])
                values.append(record[name])
        if series:
            plot.save(plot.loss_curves(dict(sorted(series.items())), self.model.normal_curve,
                                       f"{self.model.name} {self.model.preset}"),
                      self.folder.losses)

    def save(self) -> Path:
        """Write the checkpoint; returns its path."""
        batches = {f"batches/{k}": np.asarray(v) for k, v in self.batches.state().items()}
        config = {**self.config(), "step": self.step, "seconds": round(self.seconds, 3),
                  "streams": self.model.streams.state()}
        archive.save(self.folder.checkpoint, {**self.model.state_dict(), **batches}, config)
        return self.folder.checkpoint


def _is_milestone(step: int) -> bool:
    """100, 300, 1000, 3000, ...: steps at which a grid is kept."""
    tens = 10 ** int(math.log10(step))
    return step >= 100 and step in (tens, 3 * tens)
