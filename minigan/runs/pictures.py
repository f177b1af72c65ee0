"""What a run shows of itself: sample grids over time, loss curves, a moving picture, a report."""

from __future__ import annotations

import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterator

import numpy as np

from minigan import plot
from minigan.data import Images
from minigan.errors import NotFinite
from minigan.models.model import Model
from minigan.runs.animation import animate
from minigan.runs.curves import curves
from minigan.runs.folder import RunFolder
from minigan.runs.log import Reading
from minigan.runs.preview import Preview
from minigan.runs.records import Numbers, RunConfig
from minigan.runs.report import write_report
from minigan.system.console import reason, warn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALE = 2  # pixels of a sample grid to a pixel of an image


class Pictures:
    """Draws the progress of a training into its run folder.

    data: the images of the training; may be None for models that start from latents.
    tell: called with a sentence about each thing that could not be drawn.
    """

    def __init__(self, folder: RunFolder, model: Model, data: Images | None, config: RunConfig
                 ) -> None:
        self.folder = folder
        self.model = model
        self.config = config
        self.preview = Preview(model, data)
        self.tell: Callable[[str], None] = warn
        self.failed: set[str] = set()  # names that a warning was given for
        self.newest = b""              # the last sample grid, a PNG file

    @contextmanager
    def extra(self, name: str) -> Iterator[None]:
        """Turn a failure in here into a warning, one for each `name`: it must not end a training.

        Samples that are not finite raise all the same, as the training itself has failed then.
        """
        try:
            yield
        except NotFinite:
            raise
        except Exception as error:
            if name not in self.failed:
                self.failed.add(name)
                self.tell(f"{name} could not be written ({reason(error)})")

    def draw_samples(self, step: int, keep: bool = True) -> np.ndarray | None:
        """Write samples/latest.png and, to keep, samples/STEP.png; returns the samples, if any."""
        images = None
        with self.extra("the samples"):
            images = self.preview.images()
            self.newest = plot.png(self.preview.grid(images), SCALE)
            self.folder.write_grid(step, self.newest, keep)
        return images

    def curves(self, last: int | None = None) -> Figure | None:
        """The losses up to now, or to the step `last`; None before the first."""
        readings = [Reading.from_json(record) for record in self.folder.read_metrics()]
        if last is not None:
            readings = [reading for reading in readings if reading.step <= last]
        return curves(self.model, readings)

    def draw_summary(self, numbers: Numbers) -> None:
        """Write losses.png, samples.gif and report.html. numbers: how far training has come."""
        grids: dict[int, Path] = {}
        with self.extra("losses.png"):
            figure = self.curves(numbers.step)
            if figure is not None:
                with self.folder.replacing(self.folder.losses) as file:
                    file.write(plot.png(figure))
        with self.extra("samples.gif"):
            grids = self._frames(numbers.step)
            if grids:
                animate(grids, self.folder.animation, SCALE)
        with self.extra("report.html"):
            paired = self.preview.truth is not None
            write_report(self.folder, self.model, self.config, numbers, grids, paired)

    def _frames(self, last: int) -> dict[int, Path]:
        """The grids that are shown of a run up to a step, by step."""
        return {step: path for step, path in self.folder.grids().items()
                if step in (0, last) or is_milestone(step) and step < last}


def is_milestone(step: int) -> bool:
    """10, 15, 20, 30, 50, 70, 100, 150, ...: steps whose grid is kept, and a frame of the GIF."""
    if step < 10:
        return False
    tens = 10 ** int(math.log10(step))
    return step in (tens, 1.5 * tens, 2 * tens, 3 * tens, 5 * tens, 7 * tens)
