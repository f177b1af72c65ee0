"""How to make a run again: the command, or where no command can, lines of Python.

What stands here is sent away with a report, so folders of pictures and of data have their last part
only, and a remark says so.
"""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any, Mapping

from minigan.data.places import is_folder, last_part
from minigan.models.catalog import find, names
from minigan.models.identity import is_own
from minigan.models.model import Model


def recipe(config: Mapping[str, Any], steps: int, place: Any, model: type[Model]) -> list[str]:
    """Lines that train such a run, draw from it, and go on with it; remarks begin with #.

    config: the run's; steps: done so far; place: its folder, as it is to be called; model: its
    class.
    """
    source = config["source"]
    if not _has_command(config, model):
        return _python(config, steps, str(place), model)
    remarks = []
    if is_folder(source["name"]):
        remarks.append(f"# {_near(source['name'])}: the folder of pictures, from where it lies")
    if source["folder"] is not None:
        remarks.append(f"# {_near(source['folder'])}: the folder of data sets, from where it lies")
    return [*remarks, command(config, steps), f"minigan sample {_word(place)}",
            f"minigan resume {_word(place)} --more {max(steps, 1)}"]


def command(config: Mapping[str, Any], steps: int) -> str:
    """The command that trains such a run, with those options that are not the default."""
    model = find(config["model"])
    options: dict[str, Any] = {"steps": steps}
    for name, default in (("preset", next(iter(model.presets))),
                          ("batch_size", model.default_batch_size), ("seed", 0),
                          ("backend", "numpy"), ("precision", "fp32")):
        if config.get(name, default) != default:
            options[name] = config[name]
    options.update(_data_options(config["source"]))
    if config["preset"] in model.shapes:  # it would bring images to its own size
        options.setdefault("size", config["shape"][0])
    options.update(_changed(config, model))
    words = ["minigan", "train", config["model"]]
    for name, value in options.items():
        words += _option(name.replace("_", "-"), value)
    return " ".join(words)


def _has_command(config: Mapping[str, Any], model: type[Model]) -> bool:
    """Whether `minigan train` can make such a run."""
    source = config["source"]
    if is_own(config) or config["model"] not in names() or not source or source["split"] != "train":
        return False
    if not model.conditional or "class_names" not in config:
        return True
    return bool(config["n_classes"] == len(config["class_names"]))  # as the command has it


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


def _changed(config: Mapping[str, Any], model: type[Model]) -> dict[str, Any]:
    """The settings that are not those of the preset."""
    preset = dataclasses.asdict(model.presets[config["preset"]])
    usual = {name: list(value) if isinstance(value, tuple) else value
             for name, value in preset.items()}  # as JSON has it
    return {name: value for name, value in config["settings"].items()
            if value not in (preset[name], usual[name])}


def _near(path: str) -> str:
    """A folder as it is called from where it lies: ./NAME is a path, also where NAME is a set."""
    return f"./{last_part(path)}"


def _option(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    word = _word(value)
    return [f"--{flag}={word}"] if str(value).startswith("-") else [f"--{flag}", word]


def _word(value: Any) -> str:
    return shlex.quote(str(value))


# ---------------------------------------------------------------- in Python

def _python(config: Mapping[str, Any], steps: int, place: str, model: type[Model]) -> list[str]:
    """The same where there is no such command: a class of one's own, pictures made in Python."""
    source, own = config["source"], is_own(config)
    name, module = model.__qualname__, model.__module__
    height, width, channels = config["shape"]
    lines = ["# in Python, as no command can make this run:",
             "import minigan", "from minigan.training import Trainer"]
    if own and (module == "__main__" or "." in name):
        lines.append(f"# {name}: the class, of the module {module}")
    else:
        lines.append(f"from {module} import {name}")
    if config["backend"] != "numpy":
        lines.append(f"minigan.use({config['backend']!r}, {config.get('precision', 'fp32')!r})")
    if source:
        lines.append(f"images = minigan.data.load({_load_arguments(source)})")
    else:
        lines.append(f"# images: {config['data']!r}, {height}x{width}x{channels}, made in Python")
    settings = {"streams": config["seed"], "n_classes": config["n_classes"],
                **_changed(config, model)}
    words = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    given = (f", model={name}" if own else "") + ("" if source else ", data=images")
    drawn = f", model={name}" if own else ""
    return [*lines, f"model = {name}({config['preset']!r}, images.shape, {words})",
            f"Trainer(model, images, {config['batch_size']}).fit({steps})",
            f"minigan.load({place!r}{drawn}).sample(64)",
            f"Trainer.resume({place!r}{given}).fit({max(steps, 1)})"]


def _load_arguments(source: Mapping[str, Any]) -> str:
    name = _near(source["name"]) if is_folder(source["name"]) else source["name"]
    words = [repr(name)]
    if source["split"] != "train":
        words.append(f"split={source['split']!r}")
    if source["folder"] is not None:
        words.append(f"folder={_near(source['folder'])!r}")
    if source["size"] is not None:
        words.append(f"size={source['size']}")
    return ", ".join(words)
