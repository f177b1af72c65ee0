"""Pictures in latent space, and what can be changed about them there.

    edit = minigan.load(run).edit(images, labels)    # real pictures, inverted
    edit.move(slant=-1, boldness=2).images           # straighter and bolder
    edit.relabel(range(10)).grid()                   # the same hand writes the other digits
    edit.mix(0, 1).images                            # a walk from the first picture to the second
"""

from __future__ import annotations

import math
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Sequence, Union

import numpy as np

from minigan import checks, plot
from minigan.data import to_model
from minigan.editing import latents_file
from minigan.editing.directions.record import Directions
from minigan.editing.drawing import Drawing
from minigan.editing.inversion import Inversion, rms_error
from minigan.editing.latent import slerp
from minigan.editing.latents_file import Latents
from minigan.errors import shown
from minigan.models.model import Model
from minigan.system.notebook import or_text
from minigan.system.paths import user_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Known = Union[Directions, Callable[[], Union[Directions, None]], None]

WIDTH = 72     # screen pixels of an image in a grid, at least
ROWS = 50      # of a grid, at most
FAR = 1000     # a move, at most: latents have lengths of about 10


class Edit:
    """Latents and what the model draws from them, beside the pictures that they were found for.

    z: float32 (n, latent_size). labels: int64 (n,), of a conditional model, else None.
    originals: uint8 (n, H, W, C), the pictures that were inverted, if any.
    directions: what `move` moves along, or a function that finds them when they are asked for.
    class_names: in the order of the labels, for captions; a label without a name is its number.

    inversion: how the latents were found, if they were looked for, see `invert`. notes: what was
    done to each picture before that, in words.

    An edit is never changed: `move`, `relabel` and `mix` return another one.

    Raises:
        ValueError: the model starts from images, labels are missing, or an argument has another
            shape.
    """

    def __init__(self, model: Model, z: np.ndarray, labels: Any = None,
                 originals: np.ndarray | None = None, directions: Known = None,
                 class_names: Sequence[str] = ()) -> None:
        if originals is not None:
            originals = np.asarray(originals)
        latents = Latents(np.asarray(z), labels, originals)
        latents_file.check("edit", latents, model)
        self.model = model
        self.z = latents.z
        self.labels = model.checked_labels(labels, len(z)).numpy() if model.conditional else None
        self.originals = originals
        self.class_names = tuple(class_names)
        self.inversion: Inversion | None = None
        self.notes: tuple[str, ...] = ()
        self._directions = directions
        self._base: Edit | None = None          # the pictures as they were found
        self._captions: tuple[str, ...] = ()    # of the images of a row
        self._ends: tuple[np.ndarray, ...] = ()  # the two pictures that a walk lies between

    def __repr__(self) -> str:
        return f"<{len(self)} latents of {self.model.name}>"

    def __len__(self) -> int:
        return len(self.z)

    @property
    def directions(self) -> Directions | None:
        """What `move` moves along; None where none were measured."""
        if callable(self._directions):
            self._directions = self._directions()
        return self._directions

    # What it looks like.

    @cached_property
    def images(self) -> np.ndarray:
        """What the model draws, uint8 (n, H, W, C)."""
        return Drawing(self.model).pixels(self.z, self.labels)

    @property
    def error(self) -> np.ndarray | None:
        """How far each image is from its original: the root of the mean square on [-1, 1].

        float32 (n,); None without originals.
        """
        if self.originals is None:
            return None
        return rms_error(to_model(self.images), to_model(self.originals))

    # What can be changed.

    def move(self, **amounts: float) -> Edit:
        """Move every latent along directions: z + amount * vector, by name.

        An amount of 1 is a distance of 1 in z, whose numbers are usually standard normal.

        Raises:
            ValueError: a direction is unknown, or none were measured; or an amount is not a number
                from -1000 to 1000.
        """
        z = self.z.astype(np.float64)
        directions = self.directions
        check_moves(directions, amounts)
        for name, amount in amounts.items():
            assert directions is not None
            z = z + float(amount) * directions[name]
        result = self._next(z.astype(np.float32), self.labels, self.originals)
        if self._captions:
            result._captions = self._captions
        else:
            words = [f"{name} {amount:+g}" for name, amount in amounts.items()]
            result._captions = (words[0] if len(words) == 1 else "moved",)
        result._ends = self._ends
        return result

    def relabel(self, labels: Iterable[int] | None = None) -> Edit:
        """Every latent under each of k labels, all by default: (n * k), row by row.

        The first k are the first latent under each label, so one hand writes k digits.

        Raises:
            ValueError: the model takes no labels, one of them is not a class, or there are none.
        """
        if self.labels is None:
            raise ValueError(f"relabel: {self.model.name} takes no labels")
        wanted = np.arange(self.model.n_classes) if labels is None else np.asarray(list(labels))
        k = len(wanted)
        if not k:
            raise ValueError("relabel: give one label or more, got none")
        wanted = self.model.checked_labels(wanted, k).numpy()
        originals = None if self.originals is None else self.originals.repeat(k, axis=0)
        result = self._next(self.z.repeat(k, axis=0), np.tile(wanted, len(self)), originals)
        result._captions = tuple(f"as {self._class(label)}" for label in wanted)
        if len(self._captions) > 1:  # each image of a row begins a row of its own
            result._base = self
        return result

    def mix(self, a: int, b: int, steps: int = 10) -> Edit:
        """A walk of `steps` latents by `slerp`, from number a to number b, both counted from 0.

        Where their labels differ, the first half of the walk has a's and the second half has b's.

        Raises:
            ValueError: a or b is not one of them, or steps is not a whole number of 2 or more.
        """
        for name, number in (("a", a), ("b", b)):
            if not checks.is_whole(number) or not 0 <= number < len(self):
                raise ValueError(f"mix: {name} must be a number from 0 to {len(self) - 1}, got "
                                 f"{number!r}")
        if not checks.is_whole(steps) or steps < 2:
            raise ValueError(f"mix: steps must be a whole number of 2 or more, got {steps!r}")
        t = np.linspace(0, 1, steps, dtype=self.z.dtype)
        z = slerp(self.z[a], self.z[b], t[:, None])
        labels = None
        if self.labels is not None:
            labels = np.where(t < 0.5, self.labels[a], self.labels[b])
        result = self._next(z, labels, None)
        result._base = None
        result._captions = tuple(f"{100 * part:.0f} %" for part in t)
        if self.originals is not None:
            result._ends = (self.originals[a], self.originals[b])
        return result

    def _next(self, z: np.ndarray, labels: Any, originals: np.ndarray | None) -> Edit:
        """Another edit of the same pictures."""
        result = Edit(self.model, z, labels, originals, self._directions, self.class_names)
        result._base = self._base or self
        return result

    def _class(self, label: int) -> str:
        return self.class_names[label] if label < len(self.class_names) else str(label)

    # What is shown and kept.

    def grid(self, rows: int = ROWS) -> Figure:
        """A row for each picture: the original, as it was found, as it was edited.

        rows: how many of them, at most.

        Raises:
            ValueError: rows is not a whole number of 1 or more.
        """
        rows = checks.whole("grid: rows", rows)
        columns = self._columns()
        shown = min(rows, len(columns[0][1]))
        sheet = np.stack([images[:shown] for _, images in columns], axis=1)
        images = sheet.reshape(-1, *self.model.shape)
        scale = max(1, math.ceil(WIDTH / self.model.shape[1]))
        return plot.image_grid(images, len(columns), [name for name, _ in columns], scale=scale)

    def _columns(self) -> list[tuple[str, np.ndarray]]:
        """The columns of the grid: a caption and images uint8 (rows, H, W, C) each."""
        base = self._base or self
        columns = []
        if self._ends:
            columns.append(("first", self._ends[0][None]))
        elif base.originals is not None:
            columns.append(("original", base.originals))
        captions = self._captions
        if not captions:
            captions = ("inverted",) if self.originals is not None else ("drawn",)
        elif base is not self and not self._ends:
            columns.append(("inverted", base.images))
        k = len(captions)
        columns += [(caption, self.images[i::k]) for i, caption in enumerate(captions)]
        if self._ends:
            columns.append(("second", self._ends[1][None]))
        return columns

    @or_text
    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return plot.png(self.grid())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write z, labels and originals to an npz file, with the generator's fingerprint.

        `minigan sample` and `Loaded.sample` take it as `latents`. Returns the path.

        Raises:
            FileExistsError: there is something at that path.
            ValueError: the path does not end in .npz.
        """
        path = user_path(path)
        if path.suffix != ".npz":
            raise ValueError(f"save: the path must end in .npz, got {str(path)!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        latents_file.write(path, self.model, Latents(self.z, self.labels, self.originals))
        return path


def check_moves(directions: Directions | None, amounts: Mapping[str, float]) -> None:
    """Check that one can move along all of these directions, by these amounts.

    Raises:
        ValueError: a direction is unknown, or none were measured; or an amount is not a number from
            -1000 to 1000.
    """
    for name, amount in amounts.items():
        if not checks.is_number(amount) or not -FAR <= amount <= FAR:  # nor NaN
            raise ValueError(f"move: {name} must be a number from {-FAR} to {FAR}, got "
                             f"{shown(amount)}")
        if directions is None:
            raise ValueError(f"move: no directions were measured for this generator, so {name!r} "
                             f"is unknown; `minigan directions RUN` measures them (in Python, "
                             f"minigan.editing.find_directions)")
        if name not in directions.names:
            raise ValueError(f"move: {name!r} is not a direction; known are "
                             f"{', '.join(directions.names)}")
