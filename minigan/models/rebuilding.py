"""From a run's config back to its model, untrained.

A model of minigan is found by its name. A class of your own, from a script or a notebook, is found
by its qualified name, which the config records, if its module is imported already; else you pass
the class.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Callable, Mapping

from minigan.models.catalog import find
from minigan.models.identity import in_package, qualified
from minigan.models.model import Model

Maker = Callable[..., Model]  # a class, or a function with the arguments of `Model`


def rebuild(config: Mapping[str, Any], model: Maker | None = None) -> Model:
    """The untrained model of a run's config.

    model: its class, or a function that takes what `Model` takes and returns one; needed if the
    class is neither in minigan nor in a module that is imported already. The module that a config
    names is not imported for this: a run may come from somebody else, and the import would run
    whatever lies on the path under that name.

    Raises:
        TypeError: `model` is neither a subclass of Model nor a function that returns a Model.
        ValueError: the config's class is not a text or its settings are not a dict; the class
            cannot be found, or is not the one that was trained: its qualified name differs (the
            module may differ for a class of your own, which may have moved), or its `name`, or what
            it makes of preset, settings, shape and number of classes.
    """
    if model is not None and not callable(model):
        raise TypeError(f"model must be a class derived from Model, or a function that makes one, "
                        f"got {model!r}")
    _check_config(config)
    maker = _recall(config) if model is None else model
    if isinstance(maker, type):
        _check_class(config, maker)
    made = maker(config["preset"], tuple(config["shape"]), config["seed"], config["n_classes"],
                 **_settings(config, maker))
    _check_class(config, type(made))
    _check_made(config, made)
    return made


def _check_config(config: Mapping[str, Any]) -> None:
    """Raise if what a config says of its model has another type than a run writes."""
    recorded = config.get("class")
    settings = config["settings"]
    if not isinstance(recorded, str | None):
        raise ValueError(f"class must be a text such as 'module:Name', got {recorded!r}")
    if not isinstance(settings, Mapping):
        raise ValueError(f"settings must be by name, got {settings!r}")


def _recall(config: Mapping[str, Any]) -> type[Model]:
    """The class that a config names, from minigan or from a module that is imported already."""
    recorded = config.get("class")
    if recorded is None or in_package(recorded):
        return find(config["model"])
    module, _, path = recorded.partition(":")
    value: Any = sys.modules.get(module)
    for name in path.split("."):
        value = getattr(value, name, None)
    if isinstance(value, type) and issubclass(value, Model):
        return value
    raise ValueError(f"its model is the class {path} of the module {module}, which is not imported "
                     f"here: in Python, pass model={path.rpartition('.')[2]}")


def _settings(config: Mapping[str, Any], maker: Maker) -> dict[str, Any]:
    """A config's settings; a list that was a tuple before JSON is a tuple again."""
    presets = getattr(maker, "presets", {})
    preset = presets.get(config["preset"]) if isinstance(presets, Mapping) else None
    settings = dict(config["settings"])
    for name, value in settings.items():
        if isinstance(getattr(preset, name, None), tuple):
            settings[name] = tuple(value)
    return settings


def _check_class(config: Mapping[str, Any], given: type) -> None:
    """Raise unless the names of this class are those of the class that the run was trained with."""
    if not issubclass(given, Model):
        raise TypeError(f"model must be a class derived from Model, or a function that makes one, "
                        f"got {given.__qualname__}")
    recorded = config.get("class")
    own = qualified(given)
    if recorded is not None and not _may_be_same(recorded, own):
        raise ValueError(f"model: {own} is not the class that was trained, {recorded}")
    if given.name != config["model"]:
        raise ValueError(f"model: {own} has the name {given.name!r}, the run's model "
                         f"{config['model']!r}")


def _may_be_same(recorded: str, own: str) -> bool:
    """Whether two qualified names may be one class that has moved to another module."""
    if in_package(recorded) != in_package(own):
        return False
    return _class_name(recorded) == _class_name(own)


def _class_name(qualified_name: str) -> str:
    return qualified_name.replace(":", ".").rpartition(".")[2]


def _check_made(config: Mapping[str, Any], made: Model) -> None:
    """Raise unless a model is the one that the config describes."""
    for name in ("preset", "shape", "n_classes"):
        given = getattr(made, name)
        recorded = tuple(config[name]) if name == "shape" else config[name]
        if given != recorded:
            raise ValueError(f"model: {name} of the model that it makes is {given!r}, the run's is "
                             f"{recorded!r}")
    for name, value in config["settings"].items():
        given = getattr(made.settings, name)
        if json.loads(json.dumps(given)) != value:
            raise ValueError(f"model: setting {name} of the model that it makes is {given!r}, the "
                             f"run's is {value!r}")
