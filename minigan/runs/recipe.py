"""How to make a run again: the command or, if no command can, lines of Python.

These lines are part of reports, which people send to others, so folders of pictures and of data
sets are given by the last part of their path only, and a remark says so.
"""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any, Mapping

from minigan.data.places import is_folder, last_part
from minigan.models.catalog import find, names
from minigan.models.identity import is_own
from minigan.models.model import Model
from minigan.runs.records import RunConfig


def recipe(config: RunConfig, steps: int, place: str, model: type[Model]) -> list[str]:
    """Lines that train such a run, draw from it, and go on with it; remarks begin with #.

    config: the run's. steps: done so far. place: the name to use for its folder. model: its class.
    """
    source = config.source
    if source is None or not _has_command(config, model):
        return _python(config, steps, place, model)
    remarks = []
    if is_folder(source["name"]):
        remarks.append(f"# {_near(source['name'])}: the folder of pictures, from where it lies")
    if source["folder"] is not None:
        remarks.append(f"# {_near(source['folder'])}: the folder of data sets, from where it lies")
    return [
        *remarks,
        command(config, steps),
        f"minigan sample {_word(place)}",
        f"minigan resume {_word(place)} --more {max(steps, 1)}",
    ]


def _has_command(config: RunConfig, model: type[Model]) -> bool:
    """Whether `minigan train` can make such a run."""
    source = config.source
    if is_own(config) or config.model not in names():
        return False
    if not source or source["split"] != "train":
        return False
    if not model.conditional or config.class_names is None:
        return True
    return config.n_classes == len(config.class_names)  # the command always sets this


# The command.

def command(config: RunConfig, steps: int) -> str:
    """The command that trains such a run, with the options that differ from their defaults."""
    model = find(config.model)
    defaults = {
        "preset": next(iter(model.presets)),
        "batch_size": model.default_batch_size,
        "seed": 0,
        "backend": "numpy",
        "precision": "fp32",
    }
    options: dict[str, Any] = {"steps": steps}
    for name, default in defaults.items():
        value = config.get(name, default)
        if value != default:
            options[name] = value
    options.update(_data_options(config.source or {}))
    if config.preset in model.shapes:  # else the preset would choose the size
        options.setdefault("size", config.shape[0])
    options.update(_changed_settings(config, model))

    words = ["minigan", "train", config.model]
    for name, value in options.items():
        words += _option(name.replace("_", "-"), value)
    return " ".join(words)


def _data_options(source: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if is_folder(source["name"]):
        options["data"] = _near(source["name"])
    elif source["name"] != "digits":
        options["data"] = source["name"]
    if source["size"] is not None:
        options["size"] = source["size"]
    if source["folder"] is not None:
        options["data_dir"] = _near(source["folder"])
    return options


def _changed_settings(config: RunConfig, model: type[Model]) -> dict[str, Any]:
    """The settings that differ from the preset's."""
    preset = dataclasses.asdict(model.presets[config.preset])
    changed = {}
    for name, value in config.settings.items():
        usual = preset[name]
        in_json = list(usual) if isinstance(usual, tuple) else usual
        if value not in (usual, in_json):
            changed[name] = value
    return changed


def _near(path: str) -> str:
    """A folder as a path from its parent: ./NAME, which is never taken for the name of a set."""
    return f"./{last_part(path)}"


def _option(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    word = _word(value)
    if str(value).startswith("-"):
        return [f"--{flag}={word}"]
    return [f"--{flag}", word]


def _word(value: Any) -> str:
    return shlex.quote(str(value))


# Lines of Python.

def _python(config: RunConfig, steps: int, place: str, model: type[Model]) -> list[str]:
    """The same for a run that no command can make: a user's class, or images made in Python."""
    source = config.source
    name = model.__qualname__
    own = is_own(config)
    lines = ["# in Python, as no command can make this run:",
             "import minigan",
             "from minigan.training import Trainer"]

    module = model.__module__
    if own and (module == "__main__" or "." in name):
        lines.append(f"# {name}: the class, of the module {module}")
    else:
        lines.append(f"from {module} import {name}")

    if config.backend != "numpy":
        lines.append(f"minigan.use({config.backend!r}, {config.precision!r})")

    if source:
        lines.append(f"images = minigan.data.load({_load_arguments(source)})")
    else:
        size = "x".join(map(str, config.shape))
        lines.append(f"# images: {config.data!r}, {size}, made in Python")

    settings = {"streams": config.seed, "n_classes": config.n_classes,
                **_changed_settings(config, model)}
    words = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    with_model = f", model={name}" if own else ""
    with_data = "" if source else ", data=images"
    return [
        *lines,
        f"model = {name}({config.preset!r}, images.shape, {words})",
        f"Trainer(model, images, {config.batch_size}).fit({steps})",
        f"minigan.load({place!r}{with_model}).sample(64)",
        f"Trainer.resume({place!r}{with_model}{with_data}).fit({max(steps, 1)})",
    ]


def _load_arguments(source: Mapping[str, Any]) -> str:
    name = source["name"]
    words = [repr(_near(name) if is_folder(name) else name)]
    if source["split"] != "train":
        words.append(f"split={source['split']!r}")
    if source["folder"] is not None:
        words.append(f"folder={_near(source['folder'])!r}")
    if source["size"] is not None:
        words.append(f"size={source['size']}")
    return ", ".join(words)
