"""What a trained model needs to edit pictures: pictures, labels and latents as people give them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from minigan.data import Images, to_bytes
from minigan.editing import latents_file
from minigan.editing.edit import Edit
from minigan.editing.fingerprint import check_same, fingerprint
from minigan.editing.latents_file import Latents
from minigan.editing.originals import Originals
from minigan.errors import shown
from minigan.models.model import Model
from minigan.runs.classes import label_numbers
from minigan.system.paths import user_path


def pictures_of(images: Any, model: Model, as_is: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """Pictures as an array (n, H, W, C), and what was done to each, in words.

    images: an array, `Images`, a path of a picture or of a folder, or several of them.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: a file cannot be used, or these are arrays of several shapes.
    """
    if isinstance(images, Images):
        images = images.images[:]
    if isinstance(images, (str, os.PathLike)):
        images = [images]
    if isinstance(images, Sequence) and images and _is_path(images[0]):
        found = Originals(model, as_is).read_all(images)
        return np.stack([each.pixels for each in found]), tuple(
            "; ".join(each.done) for each in found)
    try:
        array = np.asarray(images)
    except ValueError:
        raise ValueError("images: expected one array (n, H, W, C), got arrays of several "
                         "shapes") from None
    return array, ("",) * len(array) if array.ndim else ()


def labels_of(labels: Any, n: int, names: Sequence[str], model: Model) -> Any:
    """n labels from what was given: one for all, or one for each; numbers or names of classes.

    Raises:
        ValueError: there are more or fewer, or a text is not a class; or the model takes no labels.
    """
    if labels is None:
        return None
    if not model.conditional:
        raise ValueError(f"labels: {model.name} is not conditional, so it takes none")
    if np.ndim(labels) == 0:
        labels = [labels]
    numbers = np.asarray(label_numbers(labels, names, model.n_classes))
    if len(numbers) == 1:
        numbers = numbers.repeat(n)
    if len(numbers) != n:
        raise ValueError(f"labels: {len(numbers)} for {n}; give one for each, or one for all")
    return model.checked_labels(numbers, n).numpy()


def bytes_of(images: np.ndarray) -> np.ndarray:
    """Images as uint8, which may be floats in [-1, 1]."""
    return images if images.dtype == np.uint8 else to_bytes(images)


def latents_of(latents: Any, model: Model) -> Latents:
    """Latents that an `Edit`, a file of it, or an array (n, latent_size) holds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: they do not fit the model, or are another generator's.
    """
    if isinstance(latents, (str, os.PathLike)):
        return latents_file.read(user_path(latents), model)
    if isinstance(latents, Edit):
        if latents.model is not model:
            check_same("latents: the edit", fingerprint(latents.model), model)
        found = Latents(latents.z, latents.labels, latents.originals)
    else:
        z = _numbers(latents)
        labels = np.arange(len(z)) % model.n_classes if model.conditional and z.ndim else None
        found = Latents(z, labels, None)
    latents_file.check("latents", found, model)
    return found


def _numbers(latents: Any) -> np.ndarray:
    """Latents as float32.

    Raises:
        ValueError: they are no array of numbers.
    """
    try:
        return np.asarray(latents, np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"latents: expected an Edit, the path of a file, or numbers (n, "
                         f"latent_size), got {shown(latents)}") from None


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, Path, os.PathLike))
