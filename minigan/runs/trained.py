"""From a file to pictures in two lines: `minigan.load("runs/gan-001").sample(16)`."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Iterator

import numpy as np

from minigan import data
from minigan.backend import default
from minigan.engine import Tensor
from minigan.models.identity import is_own
from minigan.models.model import Model
from minigan.models.rebuilding import Maker, rebuild
from minigan.runs import checkpoint
from minigan.runs.classes import as_trained, class_names, label_numbers
from minigan.runs.exporting import PRETRAINED, export, restore
from minigan.runs.latent import slerp
from minigan.runs.places import open_run
from minigan.runs.preview import draw_images, side_by_side
from minigan.streams import Stream
from minigan.system.files import user_path
from minigan.system.machine import memory

BLOCK = 250  # images that are generated at once


class Loaded:
    """A trained model with the config of its run."""

    def __init__(self, model: Model, config: dict[str, Any]) -> None:
        self.model, self.config = model, config

    def __repr__(self) -> str:
        return (f"<{self.config['model']} {self.config['preset']} trained on "
                f"{self.config['data']}, step {self.config['step']}>")

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of its classes in the order of the labels; () where they are not known."""
        return class_names(self.config)

    def sample(self, n: int = 64, labels: Any = None, seed: int = 0, raw: bool = False,
               images: data.Images | None = None) -> np.ndarray:
        """n generated images, u8 (n, H, W, C); the same seed gives the same images.

        labels: for conditional models, n integers or names of `class_names`, see `label_numbers`;
        left out, they go through all labels in turn.
        raw: the generator's own weights, where the model also keeps their moving average.
        images: for models that start from images, where to draw them from; left out, the data set
        of the training is loaded again.

        Raises:
            ValueError: that data set is not here, or its images have another shape; a label is no
                class.
        """
        return self._draw(n, labels, seed, raw, images)[1]

    def blocks(self, n: int, labels: Any = None, seed: int = 0, raw: bool = False,
               start: int = 0) -> Iterator[np.ndarray]:
        """What `sample` gives, BLOCK images at a time; start: how many of them to leave out.

        For models that start from latents; start is a multiple of BLOCK.
        """
        self._check_n("n", n)
        self._check_raw(raw)
        labels = self._labels(labels, n)
        inputs, _ = self.model.inputs_from(Stream(seed, "sample"), int(n), _no_images)
        return self._blocks(inputs, labels, raw, start)

    def pictures(self, n: int = 64, **settings: Any) -> np.ndarray:
        """What `sample` gives, as the trainer shows it: input, sample and truth side by side."""
        return side_by_side(*self._draw(n, **settings))

    def translated(self, n: int, seed: int = 0, raw: bool = False,
                   images: data.Images | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a model that starts from images makes of n of them: inputs, samples and truths.

        u8 (n, H, W, C) each; the samples are those of `sample`.

        Raises:
            ValueError: as `sample`; or the model starts from latents.
        """
        inputs, samples, truth = self._draw(n, None, seed, raw, images)
        if truth is None:
            raise ValueError(f"translated: {self.model.name} starts from latents, not from images")
        return data.to_bytes(inputs.numpy()), samples, data.to_bytes(truth.numpy())

    def interpolate(self, rows: int = 8, columns: int = 10, labels: Any = None, seed: int = 0,
                    raw: bool = False) -> np.ndarray:
        """Walks by `slerp`, u8 (rows, columns, H, W, C): row i from latent i to latent i + 1.

        The last row walks back to the first latent. labels: for conditional models, one a row,
        kept on the way; left out, they go through all labels in turn. raw: as in `sample`.

        Raises:
            ValueError: the model starts from images and has no latents.
        """
        _check_count("rows", rows)
        _check_count("columns", columns, 2)
        self._check_n("rows * columns", rows * columns)
        self._check_raw(raw)
        z, _ = self.model.inputs_from(Stream(seed, "sample"), rows, _no_images)
        ends = z.numpy()
        t = np.linspace(0, 1, columns, dtype=ends.dtype)[:, None]             # (columns, 1)
        walks = slerp(ends[:, None], np.roll(ends, -1, axis=0)[:, None], t)   # (rows, columns, d)
        if self.model.conditional:
            labels = self._labels(labels, rows)
            self.model.checked_labels(labels, rows)
            labels = np.repeat(labels, columns)
        z = Tensor(default().from_host(walks.reshape(rows * columns, -1)))
        images = self._generate(z, labels, raw)
        return images.reshape(rows, columns, *self.model.shape)

    def _draw(self, n: int, labels: Any = None, seed: int = 0, raw: bool = False,
              images: data.Images | None = None) -> tuple[Tensor, np.ndarray, Tensor | None]:
        self._check_n("n", n)
        self._check_raw(raw)
        labels = self._labels(labels, n)
        inputs, truth = self.model.inputs_from(
            Stream(seed, "sample"), int(n),
            lambda stream, count: draw_images(self._fitting(images), stream, count))
        return inputs, self._generate(inputs, labels, raw), truth

    def _labels(self, labels: Any, n: int) -> Any:
        """The labels as numbers; all in turn where none are given."""
        if labels is None and self.model.conditional:
            return np.arange(n) % self.model.n_classes
        return label_numbers(labels, self.class_names, self.model.n_classes)

    def _generate(self, inputs: Tensor, labels: Any, raw: bool) -> np.ndarray:
        """Images u8 (n, H, W, C) of G's inputs."""
        return np.concatenate(list(self._blocks(inputs, labels, raw)))

    def _blocks(self, inputs: Tensor, labels: Any, raw: bool, start: int = 0
                ) -> Iterator[np.ndarray]:
        """Images of G's inputs, a block at a time: 5,000 at once need gigabytes."""
        if self.model.conditional:
            labels = self.model.checked_labels(labels, len(inputs)).numpy()
        for first in range(start, len(inputs), BLOCK):
            some = slice(first, first + BLOCK)
            images = self.model.sample(inputs[some], None if labels is None else labels[some], raw)
            yield data.to_bytes(images.numpy())

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the generator alone to a small npz file, which `load` takes too; returns the path.

        Its weights are the moving average's, where the model keeps one, `rounded`.

        Raises:
            FileExistsError: there is something at that path.
        """
        path = user_path(path)
        if path.suffix != ".npz":
            raise ValueError(f"export: the path must end in .npz, got {str(path)!r}")
        if path.exists():
            raise FileExistsError(f"export: {path} exists; choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        export(self.model, self.config, path)
        return path

    def _check_n(self, name: str, n: Any) -> None:
        """Refuse a number of images that is none, or for which there is no memory."""
        _check_count(name, n)
        latent = 4 * getattr(self.model.settings, "latent_size", 0)
        needed, there = int(n) * max(latent, math.prod(self.model.shape)), memory()
        if there and needed > there / 2:
            raise ValueError(f"{name}: {n:,} images need {needed / 1e9:.1f} GB, more than half of "
                             f"this machine's {there / 1e9:.1f} GB")

    def _check_raw(self, raw: bool) -> None:
        if raw and self.config.get("holds") == "average":
            raise ValueError("raw: this file holds the moving average of the generator's weights "
                             "only")

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


def _check_count(name: str, value: Any, least: int = 1) -> None:
    if not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of {least} or more, got {value!r}")


def _no_images(stream: Stream, n: int) -> Tensor:
    raise ValueError("interpolate: this model starts from images, there is nothing between them")


def load(path: str | os.PathLike[str] | None = None, model: Maker | None = None) -> Loaded:
    """The model of a run folder, of a checkpoint or of an exported file, on the default backend.

    path: by default the small generator of digits on request that comes with the package. model:
    your own model's class, if it is not found otherwise; see `minigan.models.rebuilding.rebuild`.

    Raises:
        FileNotFoundError: there is nothing at that path, or the run has saved nothing yet.
        TypeError: `model` is no class derived from `Model`, nor a function that makes one.
        ValueError: the file is damaged, foreign, or of another layout; or its model's class cannot
            be found, or is another one than `model`.
    """
    path = PRETRAINED if path is None else user_path(path)
    folder = open_run(path) if path.is_dir() else None
    file = path if folder is None else folder.checkpoint
    try:
        arrays, config = checkpoint.load(file)
    except (checkpoint.DamagedError, FileNotFoundError) as error:
        if folder is None or not folder.previous.exists():
            raise
        raise type(error)(f"{error}; the one before is {folder.previous}") from None
    made = build(config, file, model)
    try:
        if "holds" in config:
            restore(made, arrays)
        else:
            made.load_state_dict(arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise _misfit(file, config, error) from None
    return Loaded(made, config)


def build(config: dict[str, Any], file: Any, model: Maker | None = None) -> Model:
    """The untrained model of a config that comes from `file`; model: as in `load`.

    Raises:
        TypeError: `model` is no class derived from `Model`, nor a function that makes one.
        ValueError: there is no such model here, or `model` is another one.
    """
    try:
        return rebuild(config, model)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if model is not None:
            raise
        if is_own(config):
            raise ValueError(f"{file}: {error}") from None
        raise _misfit(file, config, error) from None


def _misfit(file: Any, config: dict[str, Any], error: Exception) -> ValueError:
    what = f"the class {config['class']}" if is_own(config) else "this version of minigan"
    return ValueError(f"{file} does not fit {what} ({error})")


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
    source = config["source"]
    if folder is not None:
        own = Path(folder, source["name"])  # an exported file calls a folder of pictures ./NAME
        name = str(own if own.is_dir() else Path(folder).absolute())
        moved = {"name": name} if source["name"].startswith("./") else {"folder": folder}
        return as_trained(data.load(**{**source, **moved}), config)
    try:
        return as_trained(data.load(**source), config)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} (if they were moved, data_dir, --data-dir in a command, "
                                f"says where to)") from None
