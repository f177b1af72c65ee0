"""A model's settings: fields of a frozen dataclass, each with its help text and its bounds."""

from __future__ import annotations

import dataclasses
import math
from typing import Any


def setting(default: Any, help: str, choices: tuple[str, ...] = (), positive: bool = False) -> Any:
    """A field of a model's settings: its default, and what the command line says about it.

    default: an int, a float, a bool or a text; values must be of the same type. help: a few words.
    choices: the texts that are accepted. positive: for a float that must be above 0.
    """
    notes = {"help": help, "choices": choices, "positive": positive}
    return dataclasses.field(default=default, metadata=notes)


def check_settings(model: str, settings: Any) -> None:
    """Check each value of a model's settings against its field.

    model: the model's name, for the errors. settings: an instance of a dataclass.

    Raises:
        ValueError: a value is not of its default's type, not finite, or out of bounds.
    """
    for field in dataclasses.fields(settings):
        name = f"setting {field.name} of {model}"
        _check(name, field, getattr(settings, field.name))


def _check(name: str, field: dataclasses.Field, value: Any) -> None:
    choices = field.metadata.get("choices", ())
    if choices and value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")

    expected = type(field.default)
    if expected is int:
        least = 1 if field.default else 0  # 0 is allowed where it is the default
        if type(value) is not int or value < least:
            raise ValueError(f"{name} must be a whole number of {least} or more, got {value!r}")
    if expected is float:
        if type(value) not in (int, float):
            raise ValueError(f"{name} must be a number, got {value!r}")
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value!r}")
    if field.metadata.get("positive") and value <= 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")
