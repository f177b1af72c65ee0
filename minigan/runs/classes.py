"""The names of a run's classes: which label is which, for people and for what they ask for."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np

from minigan.data.images import Images
from minigan.data.places import is_folder
from minigan.data.sets import SETS
from minigan.engine import Tensor
from minigan.models.model import Model
from minigan.runs.preview import COLUMNS

LISTED = 100  # characters of a list of names that is shown


def class_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a run's classes in the order of its labels, () where nobody knows them.

    Runs of earlier versions did not record them; those of known sets are known all the same.
    """
    if "class_names" in config:
        return tuple(config["class_names"])
    known = SETS.get(config["data"]) if config["source"] else None
    return known.classes if known and len(known.classes) == config["n_classes"] else ()


def label_numbers(labels: Any, names: Sequence[str], n_classes: int) -> Any:
    """Labels in which names of classes, and numbers as text, have become numbers.

    A text is a name first, then a number: where folders are called "1" to "9", label "1" is that of
    folder "1", which is 0. Capitals do not matter where only one name fits. Labels without a text
    are returned as they are.

    Raises:
        ValueError: a text is neither a class's name nor a number from 0 to n_classes - 1.
    """
    if labels is None or isinstance(labels, Tensor):
        return labels
    given = [labels] if isinstance(labels, str) else list(labels)
    if not any(isinstance(label, str) for label in given):
        return labels
    return np.array([_number(label, names, n_classes) if isinstance(label, str) else label
                     for label in given])


def _number(text: str, names: Sequence[str], n_classes: int) -> int:
    if text in names:
        return list(names).index(text)
    alike = [i for i, name in enumerate(names) if name.casefold() == text.casefold()]
    if len(alike) == 1:
        return alike[0]
    if text.isdecimal() and int(text) < n_classes:
        return int(text)
    known = f"one of the classes {listed(names)}" if names else "the name of a class"
    raise ValueError(f"labels: {text!r} is neither {known}, nor a number from 0 to {n_classes - 1}")


def listed(names: Sequence[str]) -> str:
    """Names separated by commas, cut short where they would fill more than a line.

    One that holds a comma stands in double quotes, as --labels takes it.
    """
    text = ", ".join(_quoted(name) for name in names)
    if len(text) <= LISTED:
        return text
    return f"{text[:LISTED].rpartition(', ')[0] or text[:LISTED]}, ..."


def _quoted(name: str) -> str:
    if "," not in name:
        return name
    inner = name.replace('"', '""')
    return f'"{inner}"'


def columns(names: Sequence[str], n_classes: int) -> str:
    """What the columns of a conditional model's sample grids are."""
    shown = min(n_classes, COLUMNS)
    what = listed([*names, *map(str, range(len(names), shown))][:shown])
    return what if shown == n_classes else f"the first {shown} of {n_classes:,} classes: {what}"


def described(model: Model, images: Images) -> str | None:
    """A line about the classes that a model is trained on; None if it is told no labels."""
    if not model.conditional:
        return None
    if model.n_classes <= COLUMNS:
        return f"{model.n_classes} columns: {columns(images.classes, model.n_classes)}"
    return f"the grids show {columns(images.classes, model.n_classes)}"


def as_trained(images: Images, config: Mapping[str, Any]) -> Images:
    """Images of a folder with the labels that their classes had in the run.

    Versions that recorded no names numbered folders as words, 10 before 2. Images of other classes
    are returned as they are.
    """
    if images.labels is None or not images.source or not is_folder(images.source["name"]):
        return images
    names = config.get("class_names", sorted(images.classes))
    return images.ordered(names) if sorted(names) == sorted(images.classes) else images
