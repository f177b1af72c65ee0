"""The names of a run's classes: shown to people, and understood when they ask for labels."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from minigan.data.images import Images
from minigan.data.sets import SETS
from minigan.engine import Tensor
from minigan.models.model import Model
from minigan.runs.preview import COLUMNS
from minigan.runs.records import RunConfig

LISTED = 100  # characters of a list of names that is shown


def class_names(config: RunConfig) -> tuple[str, ...]:
    """The names of a run's classes in the order of its labels, () if they are not known.

    Early versions did not record them; then only the names of known sets are known.
    """
    if config.class_names is not None:
        return tuple(config.class_names)
    known = SETS.get(config.data) if config.source else None
    if known is None or len(known.classes) != config.n_classes:
        return ()
    return known.classes


def label_numbers(labels: Any, names: Sequence[str], n_classes: int) -> Any:
    """Labels with numbers in place of names of classes, and of numbers that are text.

    labels: a text, a sequence of texts and integers, or None. names: of the classes, in order.

    A text is a name first, then a number: where folders are called "1" to "9", label "1" is that of
    folder "1", which is 0. Case does not matter if only one name fits. Labels without a text are
    returned as they are.

    Raises:
        ValueError: a text is neither a class's name nor a number from 0 to n_classes - 1.
    """
    if labels is None or isinstance(labels, Tensor):
        return labels
    if np.ndim(labels) == 0 and not isinstance(labels, str):
        return labels  # one number, which the model refuses by name
    given = [labels] if isinstance(labels, str) else list(labels)
    if not any(isinstance(label, str) for label in given):
        return labels
    numbers = []
    for label in given:
        number = _label_number(label, names, n_classes) if isinstance(label, str) else label
        numbers.append(number)
    return np.array(numbers)


def _label_number(text: str, names: Sequence[str], n_classes: int) -> int:
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
    """Names separated by commas, cut short if they would fill more than a line.

    A name with a comma in it stands in double quotes, as --labels takes it.
    """
    text = ", ".join(_quoted(name) for name in names)
    if len(text) <= LISTED:
        return text
    start = text[:LISTED]
    whole_names = start.rpartition(", ")[0]
    return f"{whole_names or start}, ..."


def _quoted(name: str) -> str:
    if "," not in name:
        return name
    inner = name.replace('"', '""')
    return f'"{inner}"'


def names_of_all(names: Sequence[str], n_classes: int) -> list[str]:
    """A name for each label: its number, where the class has no name."""
    unnamed = map(str, range(len(names), n_classes))
    return [*names, *unnamed][:n_classes]


def columns(names: Sequence[str], n_classes: int) -> str:
    """What the columns of a conditional model's sample grids show, in words."""
    shown = min(n_classes, COLUMNS)
    labels = listed(names_of_all(names, shown))
    if shown == n_classes:
        return labels
    return f"the first {shown} of {n_classes:,} classes: {labels}"


def described(model: Model, images: Images) -> str | None:
    """A line about the classes that a model is trained on; None if it takes no labels."""
    if not model.conditional:
        return None
    shown = columns(images.classes, model.n_classes)
    if model.n_classes <= COLUMNS:
        return f"{model.n_classes} columns: {shown}"
    return f"the grids show {shown}"
