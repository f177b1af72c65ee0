"""A trained model that draws: `minigan.load("runs/gan-001").sample(16)`."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Sequence, Union

import numpy as np

from minigan import data, plot
from minigan.backend import default
from minigan.data import Images
from minigan.editing.directions.record import Directions, directions_path
from minigan.editing.fingerprint import check_same
from minigan.editing.latent import slerp
from minigan.engine import Tensor
from minigan.errors import shown
from minigan.models.model import Model
from minigan.runs.classes import class_names, label_numbers
from minigan.runs.exporting import ENDINGS, export
from minigan.runs.preview import draw_images, side_by_side
from minigan.runs.records import RunConfig
from minigan.runs.training_data import load_data
from minigan.streams import Stream
from minigan.system import notebook
from minigan.system.machine import memory
from minigan.system.notebook import or_text
from minigan.system.paths import exists, user_path

if TYPE_CHECKING:  # edits are imported where they are made
    from minigan.editing.edit import Edit

BLOCK = 250  # images that are generated at once

Labels = Sequence[int | str] | np.ndarray | Tensor | str | None
Latents = Union[np.ndarray, "Edit", str, os.PathLike[str], None]


class Loaded:
    """A trained model with the config of its run.

    model: the model with its weights. config: the run's config from the file; a checkpoint's also
    has its numbers, such as `config["step"]`. path: the run folder or the file that it comes from,
    None for the generator of the package.
    """

    def __init__(self, model: Model, config: RunConfig, path: Path | None = None) -> None:
        self.model = model
        self.config = config
        self.path = path
        self._directions: Directions | None = None

    def __repr__(self) -> str:
        config = self.config
        return f"<{config.model} {config.preset} trained on {config.data}, step {config['step']}>"

    @or_text
    def _repr_html_(self) -> str:
        """A few samples, and what drew them, for a notebook."""
        model = self.model
        columns = notebook.COLUMNS
        if model.conditional:
            columns = min(model.n_classes, columns)
        if model.starts_from_images():
            columns = 2  # input, sample and truth side by side in each
        count = notebook.ROWS * columns
        labels = np.arange(count) % columns if model.conditional else None
        grid = plot.png(plot.tile(self.pictures(count, labels=labels), columns))
        return notebook.captioned(grid, repr(self))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of its classes in the order of the labels; () where they are not known."""
        return class_names(self.config)

    # Drawing.

    def sample(self, n: int | None = None, labels: Labels = None, seed: int = 0, raw: bool = False,
               images: Images | None = None, latents: Latents = None) -> np.ndarray:
        """n generated images, uint8 (n, H, W, C); the same seed gives the same images.

        n: 64 by default, or as many as there are latents.
        labels: for conditional models, n integers or names of `class_names`, see `label_numbers`;
        by default those of the latents, else all labels in turn.
        raw: use the generator's own weights where the model also keeps their moving average.
        images: for models that start from images, the set to draw them from; by default the data
        set of the training, which is loaded again.
        latents: what to draw instead of random latents: an `Edit`, a file that `Edit.save` or
        `minigan edit` wrote, or an array (n, latent_size).

        Raises:
            FileNotFoundError: there is no such file of latents.
            ValueError: that data set is not here, or its images have another shape; a label is not
                a class; or the latents are not n, or another generator's.
        """
        if latents is not None:
            return self._of_latents(latents, n, labels, raw)
        _, samples, _ = self._draw(64 if n is None else n, labels, seed, raw, images)
        return samples

    def _of_latents(self, latents: Latents, n: int | None, labels: Labels, raw: bool) -> np.ndarray:
        """What `sample` gives for latents."""
        from minigan.runs.edits import labels_of, latents_of
        self._check_raw(raw)
        z, numbers, _ = latents_of(latents, self.model)
        if n not in (None, len(z)):
            raise ValueError(f"n is {n}, but there are {len(z)} latents")
        if labels is not None:
            numbers = labels_of(labels, len(z), self.class_names, self.model)
        return self._generate(Tensor(default().from_host(z)), numbers, raw)

    def blocks(self, n: int, labels: Labels = None, seed: int = 0, raw: bool = False,
               start: int = 0) -> Iterator[np.ndarray]:
        """What `sample` gives, BLOCK images at a time, for models that start from latents.

        start: how many images to leave out, a multiple of BLOCK. The rest: as in `sample`.

        Raises:
            ValueError: as `sample`; or the model starts from images.
        """
        self._check_n("n", n)
        self._check_raw(raw)
        numbers = self._label_numbers(labels, n)
        inputs, _ = self.model.inputs_from(Stream(seed, "sample"), int(n), _no_images)
        return self._blocks(inputs, numbers, raw, start)

    def pictures(self, n: int = 64, **settings: Any) -> np.ndarray:
        """What `sample` gives without latents, as the trainer shows it: input, sample and truth
        side by side.

        Raises:
            ValueError: as `sample`.
        """
        return side_by_side(*self._draw(n, **settings))

    def translated(self, n: int, seed: int = 0, raw: bool = False, images: Images | None = None
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a model that starts from images makes of n of them: inputs, samples and truths.

        uint8 (n, H, W, C) each; the samples are those of `sample`.

        Raises:
            ValueError: as `sample`; or the model starts from latents.
        """
        inputs, samples, truth = self._draw(n, None, seed, raw, images)
        if truth is None:
            raise ValueError(f"translated: {self.model.name} starts from latents, not from images")
        return data.to_bytes(inputs.numpy()), samples, data.to_bytes(truth.numpy())

    def interpolate(self, rows: int | None = None, columns: int = 10, labels: Labels = None,
                    seed: int = 0, raw: bool = False, latents: Latents = None) -> np.ndarray:
        """Walks by `slerp`, uint8 (rows, columns, H, W, C): row i from latent i to latent i + 1.

        rows: 8 by default, or as many as there are latents. The last row walks back to the first
        latent. labels: for conditional models, one for each row; by default those of the latents,
        else all labels in turn. raw, latents: as in `sample`.

        Raises:
            FileNotFoundError: there is no such file of latents.
            ValueError: the model starts from images and has no latents; or the latents are not as
                many as rows, or another generator's.
        """
        from minigan.runs.edits import labels_of, latents_of
        given = None if latents is None else latents_of(latents, self.model)
        if rows is None:
            rows = 8 if given is None else len(given.z)
        _check_count("rows", rows)
        _check_count("columns", columns, 2)
        self._check_n("rows * columns", rows * columns)
        self._check_raw(raw)

        if given is None:
            z, _ = self.model.inputs_from(Stream(seed, "sample"), rows, _no_images)
            ends = z.numpy()                                                  # (rows, d)
        elif rows == len(given.z):
            ends = given.z
            labels = labels_of(labels, rows, self.class_names, self.model)
            labels = given.labels if labels is None else labels
        else:
            raise ValueError(f"rows is {rows}, but there are {len(given.z)} latents")
        starts = ends[:, None]
        nexts = np.roll(ends, -1, axis=0)[:, None]
        t = np.linspace(0, 1, columns, dtype=ends.dtype)[:, None]             # (columns, 1)
        walks = slerp(starts, nexts, t)                                       # (rows, columns, d)

        numbers = None
        if self.model.conditional:
            by_row = self._label_numbers(labels, rows)
            self.model.checked_labels(by_row, rows)
            numbers = np.repeat(by_row, columns)
        inputs = Tensor(default().from_host(walks.reshape(rows * columns, -1)))
        images = self._generate(inputs, numbers, raw)
        return images.reshape(rows, columns, *self.model.shape)

    # Editing.

    @property
    def directions(self) -> Directions | None:
        """The directions that were measured for this generator, None if none were; can be set.

        `minigan directions` keeps them beside the run, see `editing.directions_path`.

        Raises:
            TypeError: what is set is something else.
            ValueError: the file is damaged, or of this run before it was trained on; or what is set
                is another generator's.
        """
        if self._directions is None:
            path = directions_path(self.path)
            if exists(path):
                self._directions = Directions.load(path, self.model)
        return self._directions

    @directions.setter
    def directions(self, directions: Directions | None) -> None:
        if directions is not None:
            if not isinstance(directions, Directions):
                raise TypeError(f"directions must be Directions, as find_directions returns them, "
                                f"or None, got {shown(directions)}")
            check_same("directions: what was given", directions.fingerprint, self.model,
                       "minigan.editing.find_directions")
        self._directions = directions

    def edit(self, images: Any, labels: Labels | int = None, *, as_is: bool = False,
             **settings: Any) -> Edit:
        """Find the latents of real pictures, so that they can be changed, see `Edit`.

        images: uint8 (n, H, W, C) of the model's shape, or floats in [-1, 1]; an `Images`; the path
        of a picture or of a folder of them, or several paths. Files are cut, resized, turned to
        grey, and drawings on paper made light on dark; `Edit.notes` says what was done.
        labels: for conditional models, one for all or one for each, as numbers or names; by default
        those are looked for that fit best.
        as_is: do no more than cut, resize and turn to grey. settings: as for `editing.invert`.

        Raises:
            FileNotFoundError: there is no such picture.
            ValueError: the model starts from images; a picture has another shape or cannot be used;
                a label is not a class; or a setting is out of range.
        """
        from minigan.editing import Drawing, Edit, invert
        from minigan.runs.edits import bytes_of, labels_of, pictures_of
        Drawing(self.model)  # refuses models that have no latents
        pixels, notes = pictures_of(images, self.model, as_is)
        numbers = labels_of(labels, len(notes), self.class_names, self.model)
        found = invert(self.model, pixels, numbers, **settings)
        edit = Edit(self.model, found.z, found.labels, bytes_of(pixels),
                    directions=lambda: self.directions, class_names=self.class_names)
        edit.inversion = found
        edit.notes = notes
        return edit

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the generator alone to a small file; returns the path.

        What its name ends in says which: .npz for `load`, its weights `rounded`; .onnx for
        onnxruntime and the like; .safetensors for PyTorch and the like, the weights alone. They are
        the moving average's, where the model keeps one.

        Raises:
            FileExistsError: there is something at that path.
            RuntimeError: the package that writes such files, onnx or safetensors, cannot be
                imported.
            ValueError: the path ends in something else; or the generator cannot be written as ONNX.
        """
        path = user_path(path)
        if path.suffix not in ENDINGS:
            raise ValueError(f"export: the path must end in {', '.join(ENDINGS[:-1])} or "
                             f"{ENDINGS[-1]}, got {str(path)!r}")
        if path.exists():
            raise FileExistsError(f"export: {path} exists; choose another name")
        export(self.model, self.config, path)
        return path

    # From inputs to bytes.

    def _draw(self, n: int, labels: Labels = None, seed: int = 0, raw: bool = False,
              images: Images | None = None) -> tuple[Tensor, np.ndarray, Tensor | None]:
        """G's inputs, the samples, and the images that the inputs were made from, if any."""
        self._check_n("n", n)
        self._check_raw(raw)
        numbers = self._label_numbers(labels, n)

        def draw(stream: Stream, count: int) -> Tensor:
            return draw_images(self._fitting(images), stream, count)

        inputs, truth = self.model.inputs_from(Stream(seed, "sample"), int(n), draw)
        return inputs, self._generate(inputs, numbers, raw), truth

    def _label_numbers(self, labels: Labels, n: int) -> Any:
        """The labels as numbers; by default all in turn."""
        if labels is None and self.model.conditional:
            return np.arange(n) % self.model.n_classes
        return label_numbers(labels, self.class_names, self.model.n_classes)

    def _generate(self, inputs: Tensor, labels: Any, raw: bool) -> np.ndarray:
        """G's images of these inputs, uint8 (n, H, W, C)."""
        return np.concatenate(list(self._blocks(inputs, labels, raw)))

    def _blocks(self, inputs: Tensor, labels: Any, raw: bool, start: int = 0
                ) -> Iterator[np.ndarray]:
        """G's images of these inputs, a block at a time: 5,000 at once need gigabytes."""
        if self.model.conditional:
            labels = self.model.checked_labels(labels, len(inputs)).numpy()
        for first in range(start, len(inputs), BLOCK):
            block = slice(first, first + BLOCK)
            wanted = None if labels is None else labels[block]
            images = self.model.sample(inputs[block], wanted, raw)
            yield data.to_bytes(images.numpy())

    # Checks.

    def _check_n(self, name: str, n: Any) -> None:
        """Refuse a number of images that is not one, or for which there is no memory."""
        _check_count(name, n)
        latent = 4 * getattr(self.model.settings, "latent_size", 0)  # bytes
        needed = int(n) * max(latent, math.prod(self.model.shape))
        available = memory()
        if available and needed > available / 2:
            raise ValueError(f"{name}: {n:,} images need {needed / 1e9:.1f} GB, more than half of "
                             f"this machine's {available / 1e9:.1f} GB")

    def _check_raw(self, raw: bool) -> None:
        if raw and self.config.get("holds") == "average":
            raise ValueError("raw: this file holds the moving average of the generator's weights "
                             "only")

    def _fitting(self, images: Images | None) -> Images:
        """The given images, or the data set of the training; their shape is checked."""
        if images is None:
            try:
                images = load_data(self.config)
            except (OSError, ValueError) as error:
                raise ValueError(f"images: {self.model.name} starts from images, and its data set "
                                 f"{self.config.data!r} is not here ({error})") from None
        if images.shape != self.model.shape:
            raise ValueError(f"images: those of {images.name} are {images.shape}, the model makes "
                             f"{self.model.shape}")
        return images


def _check_count(name: str, value: Any, least: int = 1) -> None:
    if not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of {least} or more, got {value!r}")


def _no_images(stream: Stream, n: int) -> Tensor:
    raise ValueError("interpolate: this model starts from images, there is nothing between them")
