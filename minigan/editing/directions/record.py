"""Directions in a generator's latent space: names, unit vectors, and what was seen along them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from minigan.editing.arrays_file import packed, unpacked
from minigan.editing.directions.effects import AMOUNTS
from minigan.editing.fingerprint import check_same
from minigan.models.model import Model
from minigan.system import files

SHIPPED = Path(__file__).with_name("pretrained-directions.npz")  # of the generator in the package
TEXTS = ("names", "kinds", "attributes")
KINDS_OF_ARRAYS = {  # of a file: text "U", float "f" or bytes "u", and how many axes there are
    "names": ("U", 1), "kinds": ("U", 1), "attributes": ("U", 1), "vectors": ("f", 2),
    "strength": ("f", 1), "in_sample": ("f", 1), "change": ("f", 1), "means": ("f", 3),
    "spread": ("f", 1), "fingerprint": ("u", 4)}


@dataclass(frozen=True, eq=False)
class Directions:
    """k directions of a generator whose latents have d numbers; a were measured along them.

    names: "slant", ..., "pca1", ..., "weight1", .... kinds: how each was found, "attributes", "pca"
    or "weights". vectors: float32 (k, d), of length 1: to move by an amount is to add so many of
    them to a latent.

    strength: float32 (k,). Of attributes: the correlation of what the regression predicts from z
    with what is measured, within classes, on draws that it has not seen. Of pca: the component's
    share of the variance. Of weights: the singular value.
    in_sample: float32 (k,): that correlation on the draws of the regression; NaN for other kinds.
    change: float32 (k,): how far a picture at amount -2 is from the same at 2, root mean square on
    a scale of [-1, 1].

    attributes: the names of what was measured, () where pictures show no strokes. means: float32
    (k, 5, a): their mean at the amounts -2, -1, 0, 1, 2 (`AMOUNTS`). spread: float32 (a,): their
    standard deviation over draws, within classes.

    fingerprint: of the generator, see `fingerprint`.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    vectors: np.ndarray
    strength: np.ndarray
    in_sample: np.ndarray
    change: np.ndarray
    attributes: tuple[str, ...]
    means: np.ndarray
    spread: np.ndarray
    fingerprint: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> np.ndarray:
        """The unit vector, float32 (d,), of a name.

        Raises:
            KeyError: there is no such direction; says which there are.
        """
        return self.vectors[self.index(name)]

    def __repr__(self) -> str:
        return f"<directions {', '.join(self.names)}>"

    def index(self, name: str) -> int:
        """The place of a direction.

        Raises:
            KeyError: there is no such direction; says which there are.
        """
        if name not in self.names:
            raise NoSuchDirection(f"direction {name!r} is unknown; known are "
                                  f"{', '.join(self.names)}")
        return self.names.index(name)

    def moves(self, name: str) -> dict[str, float]:
        """By how much each attribute changes from amount -2 to 2, in spreads of that attribute."""
        means = self.means[self.index(name)]                        # (5, a)
        apart = means[-1] - means[0]
        return {attribute: float(each) for attribute, each in
                zip(self.attributes, apart / np.where(self.spread > 0, self.spread, 1))}

    def only(self, kind: str) -> Directions:
        """Those of one kind."""
        return self._picked([i for i, each in enumerate(self.kinds) if each == kind])

    def updated(self, newer: Directions) -> Directions:
        """These with newer ones of the same generator, which replace all of the same kind."""
        kept = [i for i, kind in enumerate(self.kinds) if kind not in newer.kinds]
        if not kept or self.attributes != newer.attributes:
            return newer
        own = self._picked(kept)
        best = own if "attributes" in own.kinds else newer  # attributes are measured most often
        joined: dict[str, Any] = {"names": own.names + newer.names,
                                  "kinds": own.kinds + newer.kinds, "spread": best.spread}
        for name in ("vectors", "strength", "in_sample", "change", "means"):
            joined[name] = np.concatenate([getattr(own, name), getattr(newer, name)])
        return replace(newer, **joined)

    def _picked(self, places: list[int]) -> Directions:
        changed: dict[str, Any] = {}
        for name in ("names", "kinds"):
            changed[name] = tuple(getattr(self, name)[i] for i in places)
        for name in ("vectors", "strength", "in_sample", "change", "means"):
            changed[name] = getattr(self, name)[places]
        return replace(self, **changed)

    # On the disk.

    def save(self, path: Path) -> None:
        """Write them to an npz file, whole or not at all; one that is there is replaced."""
        arrays: Any = {field.name: np.array(getattr(self, field.name)) for field in fields(self)}
        files.write(Path(path), packed(arrays))

    @classmethod
    def load(cls, path: Path, model: Model | None = None) -> Directions:
        """What `save` wrote.

        model: the generator that they must be of; by default this is not checked.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, not a file of directions, or another generator's.
        """
        path = Path(path)
        arrays = unpacked(path, "directions", "minigan directions RUN")
        problem = _problem(arrays)
        if problem:
            raise ValueError(f"directions: {path} is not a file that `minigan directions` writes "
                             f"({problem})")
        for name in TEXTS:
            arrays[name] = tuple(str(text) for text in arrays[name])
        found = cls(**arrays)
        if model is not None:
            check_same(f"directions: {path}", found.fingerprint, model, "minigan directions RUN")
        return found


class NoSuchDirection(KeyError):
    """A direction has no such name. Shown as a sentence, where a KeyError shows a quoted text."""

    def __str__(self) -> str:
        return str(self.args[0])


def directions_path(source: Path | None) -> Path:
    """Where the directions of a generator are kept.

    source: a run folder, in which it is directions.npz; a file, FILE-directions.npz beside it; None
    for the generator of the package.
    """
    if source is None:
        return SHIPPED
    if source.is_dir():
        return source / "directions.npz"
    return source.with_name(f"{source.stem}-directions.npz")


def _problem(arrays: dict[str, Any]) -> str:
    """What is wrong with the arrays of a file, in words; "" if nothing is."""
    wanted = {field.name for field in fields(Directions)}
    missing = sorted(wanted - set(arrays))
    foreign = sorted(set(arrays) - wanted)
    if missing or foreign:
        return f"it lacks {', '.join(missing)}" if missing else f"it has {', '.join(foreign)}"
    for name, array in arrays.items():
        kind, ndim = KINDS_OF_ARRAYS[name]
        if array.dtype.kind != kind and array.size or array.ndim != ndim:
            return f"{name} is {array.dtype} {array.shape}"

    k = len(arrays["names"])
    a = len(arrays["attributes"])
    shapes = {"kinds": (k,), "strength": (k,), "in_sample": (k,), "change": (k,),
              "means": (k, len(AMOUNTS), a), "spread": (a,)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            return f"{name} is {arrays[name].shape}, not {shape}"
    if len(arrays["vectors"]) != k or not np.isfinite(arrays["vectors"]).all():
        return f"its vectors are not {k} finite ones"
    return ""
