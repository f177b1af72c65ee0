"""What a model must have before a run folder is made for it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from minigan.models.model import Model

# What `Model.__init__` and `build` set.
MADE = ("preset", "settings", "shape", "n_classes", "streams", "generator", "discriminator",
        "optimizers")


def check_trainable(model: Any) -> None:
    """Check that a model can be trained, and its run resumed.

    Raises:
        TypeError: it is not a `Model`, or lacks something that `Model` makes, or `optimizers` lacks
            one that its networks have.
        ValueError: it defines no step; its name cannot be a folder's; its class has no preset of
            that name; or a setting could not be read back from config.json.
    """
    if not isinstance(model, Model):
        given = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise TypeError(f"model must be an instance of a class derived from Model, got {given}")
    cls = type(model)
    for name in MADE:
        if not hasattr(model, name):
            raise TypeError(f"model: {cls.__name__} has no {name}; its __init__ must call Model's, "
                            f"and build must make generator, discriminator and optimizers")
    known = [id(optimizer) for optimizer in model.optimizers.values()]
    for network in (model.generator, model.discriminator):
        for p in network.parameters():
            owner = p.owner and p.owner()
            if owner is not None and id(owner) not in known:
                raise TypeError(f"model: optimizers of {cls.__name__} lacks the "
                                f"{type(owner).__name__} of {p.name}, so a run could not be "
                                f"resumed")
    if cls.step is Model.step:
        raise ValueError(f"model: {cls.__name__} defines no step")
    if not _names_folders(cls.name):
        raise ValueError(f"model: the name of {cls.__name__}, {cls.name!r}, names folders: it "
                         f"must begin with a letter or digit and have letters, digits, -, _ and "
                         f". only")
    if model.preset not in cls.presets:
        raise ValueError(f"model: preset {model.preset!r} of this {cls.name} is not one of its "
                         f"class, {', '.join(cls.presets)}, so a run could not be resumed")
    for field in dataclasses.fields(model.settings):
        value = getattr(model.settings, field.name)
        if not _survives_json(value):
            raise ValueError(f"model: setting {field.name} of {cls.name} is {value!r}, which "
                             f"config.json cannot keep; use numbers, texts, booleans, or tuples "
                             f"of them")


def _names_folders(name: Any) -> bool:
    if not isinstance(name, str) or not name[:1].isalnum():
        return False
    return all(letter.isalnum() or letter in "-_." for letter in name)


def _survives_json(value: Any) -> bool:
    """Whether a value reads back from JSON as it was; a tuple may become a list."""
    try:
        read = json.loads(json.dumps(value))
        return bool(read == (list(value) if isinstance(value, tuple) else value))
    except (TypeError, ValueError):
        return False
