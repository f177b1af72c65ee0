"""From a file to pictures in two lines: `minigan.load("runs/gan-001").sample(16)`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from minigan import data
from minigan.backend import Stream
from minigan.engine import Tensor
from minigan.models.catalog import find
from minigan.models.model import Model
from minigan.training import archive
from minigan.training.folder import open_run
from minigan.training.sampling import draw_images, side_by_side


class Loaded:
    """A trained model with the config of its run."""

    def __init__(self, model: Model, config: dict[str, Any]) -> None:
        self.model, self.config = model, config

    def __repr__(self) -> str:
        return (f"<{self.config['model']} {self.config['preset']} trained on "
                f"{self.config['data']}, step {self.config['step']}>")

    def sample(self, n: int = 64, labels: Any = None, seed: int = 0, raw: bool = False,
               images: data.Images | None = None) -> np.ndarray:
        """n generated images, u8 (n, H, W, C); the same seed gives the same images.

        labels: for conditional models, n integers; left out, they go through all labels in turn.
        raw: the generator's own weights, where the model also keeps their moving average.
        images: for models that start from images, where to draw them from; left out, the data set
        of the training is loaded again.

        Raises:
            ValueError: that data set is not here, or its images have another shape.
        """
        return self._draw(n, labels, seed, raw, images)[1]

    def pictures(self, n: int = 64, **settings: Any) -> np.ndarray:
        """What `sample` gives, as the trainer shows it: input, sample and truth side by side."""
        return side_by_side(*self._draw(n, **settings))

    def _draw(self, n: int, labels: Any = None, seed: int = 0, raw: bool = False,
              images: data.Images | None = None) -> tuple[Tensor, np.ndarray, Tensor | None]:
        if not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"n must be a whole number of 1 or more, got {n!r}")
        if labels is None and self.model.conditional:
            labels = np.arange(n) % self.model.n_classes
        inputs, truth = self.model.inputs_from(
            Stream(seed, "sample"), int(n),
            lambda stream, count: draw_images(self._fitting(images), stream, count))
        samples = data.to_bytes(self.model.sample(inputs, labels=labels, raw=raw).numpy())
        return inputs, samples, truth

    def _fitting(self, images: data.Images | None) -> data.Images:
        """The given images, or the data set of the training, after a look at their shape."""
        if images is None:
            try:
                images = load_data(self.config)
            except (OSError, ValueError) as error:
                raise ValueError(f"images: {self.model.name} starts from images, and its data set "
                                 f"{self.config['data']!r} is not here ({error})") from None
        if images.shape != self.model.shape:
            raise ValueError(f"images: those of {images.name} are {images.shape}, the model makes "
                             f"{self.model.shape}")
        return images


def load(path: str | os.PathLike[str]) -> Loaded:
    """The model of a run folder or of a checkpoint file, on the default backend.

    Raises:
        FileNotFoundError: there is nothing at that path, or the run has saved nothing yet.
        ValueError: the file is damaged, foreign, or of another layout.
    """
    folder = open_run(path) if Path(path).is_dir() else None
    file = Path(path) if folder is None else folder.checkpoint
    try:
        arrays, config = archive.load(file)
    except (archive.DamagedError, FileNotFoundError) as error:
        if folder is None or not folder.previous.exists():
            raise
        raise type(error)(f"{error}; the one before is {folder.previous}") from None
    model = build(config, file)
    try:
        model.load_state_dict(arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise _misfit(file, error) from None
    return Loaded(model, config)


def build(config: dict[str, Any], file: Any) -> Model:
    """The untrained model of a config that comes from `file`.

    Raises:
        ValueError: this version of minigan has no such model.
    """
    try:
        return find(config["model"])(config["preset"], tuple(config["shape"]), config["seed"],
                                     config["n_classes"], **config["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise _misfit(file, error) from None


def _misfit(file: Any, error: Exception) -> ValueError:
    return ValueError(f"{file} does not fit this version of minigan ({error})")


def load_data(config: dict[str, Any], folder: str | os.PathLike[str] | None = None) -> data.Images:
    """The data set of a run again.

    folder: where its files are now, if not where they were.

    Raises:
        ValueError: it came from no set that has a name.
        FileNotFoundError: its files are not here.
    """
    if not config["source"]:
        raise ValueError(f"data: the run was trained on images that were made in Python, "
                         f"{config['data']!r}; only Python can give them again")
    more = {} if folder is None else {"folder": folder}
    return data.load(**{**config["source"], **more})
