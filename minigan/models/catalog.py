"""Finding models: every file of this folder that defines a `Model` is one, under its own name.

A model of one's own, in a script or a notebook, is trained like these. Its run's config has the
class's qualified name, and `rebuild` finds the class by that, or is given it.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import pkgutil
import sys
import textwrap
import zlib
from pathlib import Path
from typing import Any, Callable, Mapping

from minigan.models.model import Model

PAPERS = ("gan", "dcgan", "cgan", "wgan", "wgan-gp")  # these stand first
PACKAGE = __name__.partition(".")[0]

Maker = Callable[..., Model]  # a class, or a function with the arguments of `Model`


def names() -> list[str]:
    """The models' names, the five papers first."""
    files = pkgutil.iter_modules([str(Path(__file__).parent)])
    found = [f.name.replace("_", "-") for f in files if f.name not in ("catalog", "model")]
    return sorted(found, key=lambda name: (PAPERS.index(name) if name in PAPERS else len(PAPERS),
                                           name))


def find(name: str) -> type[Model]:
    """The model of that name.

    Raises:
        ValueError: there is none; lists the known ones.
    """
    if name not in names():
        raise ValueError(f"model {name!r} is unknown; known are {', '.join(names())}")
    module = importlib.import_module(f"minigan.models.{name.replace('-', '_')}")
    (model,) = [value for value in vars(module).values() if isinstance(value, type)
                and issubclass(value, Model) and value.__module__ == module.__name__]
    return model


# ---------------------------------------------------------------- models of one's own

def qualified(model: type) -> str:
    """A class's name as a run's config has it: "minigan.models.gan:GAN", "__main__:MyGAN"."""
    return f"{model.__module__}:{model.__qualname__}"


def is_own(config: Mapping[str, Any]) -> bool:
    """Whether a run's class lies outside of minigan, so that no command of minigan knows it."""
    return not _in_package(config.get("class"))


def rebuild(config: Mapping[str, Any], model: Maker | None = None) -> Model:
    """The untrained model of a run's config.

    model: its class, or a function that takes what `Model` takes and returns one; needed where
    nothing else leads to the class. Left out, a model of minigan is found by its name, and a class
    of one's own in the module that the config names, if that is imported already. It is not
    imported for this: a run may come from somebody else, and importing the module that a file
    names would run whatever lies on the path under that name.

    Raises:
        TypeError: `model` is no such class or function, or the function returns no `Model`.
        ValueError: the class cannot be found, or is not the one that was trained: its qualified
            name is another one (one's own class may have moved to another module), its `name`, or
            what it makes of preset, settings, shape and number of classes.
    """
    if model is not None and not callable(model):
        raise TypeError(f"model must be a class derived from Model, or a function that makes one, "
                        f"got {model!r}")
    maker = _recall(config) if model is None else model
    if isinstance(maker, type):
        _check_class(config, maker)
    made = maker(config["preset"], tuple(config["shape"]), config["seed"], config["n_classes"],
                 **_settings(config, maker))
    _check_class(config, type(made))
    for name in ("preset", "shape", "n_classes"):
        given = getattr(made, name)
        due = tuple(config[name]) if name == "shape" else config[name]
        if given != due:
            raise ValueError(f"model: {name} of what it makes is {given!r}, the run's is {due!r}")
    for name, value in config["settings"].items():
        given = getattr(made.settings, name)
        if _as_json(given) != value:
            raise ValueError(f"model: setting {name} of what it makes is {given!r}, the run's is "
                             f"{value!r}")
    return made


def _recall(config: Mapping[str, Any]) -> type[Model]:
    """The class that a config names, from minigan or from a module that is imported already."""
    recorded = config.get("class")
    if recorded is None or _in_package(recorded):
        return find(config["model"])
    module, _, path = recorded.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Model):
        return found
    raise ValueError(f"its model is the class {path} of the module {module}, which is not imported "
                     f"here: in Python, model={path.rpartition('.')[2]} gives it")


def _in_package(recorded: str | None) -> bool:
    """Whether a class belongs to minigan; runs of versions that did not record it do."""
    return recorded is None or recorded.startswith(f"{PACKAGE}.")


def _check_class(config: Mapping[str, Any], given: type) -> None:
    """Raise unless this is the class that the run was trained with, as far as names tell."""
    if not issubclass(given, Model):
        raise TypeError(f"model must be a class derived from Model, or a function that makes one, "
                        f"got {given.__qualname__}")
    recorded, own = config.get("class"), qualified(given)
    same = recorded in (None, own)
    if recorded is not None and _in_package(recorded) == _in_package(own):  # it may have moved
        same = _last(recorded) == _last(own)
    if not same:
        raise ValueError(f"model: {own} is not the class that was trained, {recorded}")
    if given.name != config["model"]:
        raise ValueError(f"model: {own} has the name {given.name!r}, the run's model "
                         f"{config['model']!r}")


def _last(qualified_name: str) -> str:
    return qualified_name.replace(":", ".").rpartition(".")[2]


def _settings(config: Mapping[str, Any], maker: Maker) -> dict[str, Any]:
    """A config's settings; those that are tuples in the preset are tuples again, not lists."""
    presets = getattr(maker, "presets", {})
    usual = presets.get(config["preset"]) if isinstance(presets, Mapping) else None
    return {name: tuple(value) if isinstance(getattr(usual, name, None), tuple) else value
            for name, value in config["settings"].items()}


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def source_crc(model: type) -> int | None:
    """A check sum of a class's source text, that of its bases outside of minigan included.

    Comments, docstrings and layout do not count. None for minigan's own models, whose version is
    recorded, and where Python has no source, as for some classes of notebooks.
    """
    own = [base for base in model.__mro__
           if base is not object and not base.__module__.startswith(f"{PACKAGE}.")]
    crc = 0
    for base in own:
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            return None
        crc = zlib.crc32(_bare(tree).encode(), crc)
    return crc if own else None


def _bare(tree: ast.Module) -> str:
    """Source text without comments and docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def check_trainable(model: Any) -> None:
    """Look at a model before a run folder is made for it.

    Raises:
        TypeError: it is no `Model`, or lacks what `Model` makes, or its settings are no dataclass.
        ValueError: it defines no step; has no usable name; its preset is not one of its class; or
            a setting could not be read back from config.json.
    """
    if not isinstance(model, Model):
        given = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise TypeError(f"model must be an instance of a class derived from Model, got {given}")
    kind = type(model)
    for name in ("preset", "settings", "shape", "n_classes", "streams", "generator",
                 "discriminator", "optimizers"):
        if not hasattr(model, name):
            raise TypeError(f"model: {kind.__name__} has no {name}; its __init__ must call that of "
                            f"Model, and build must make generator, discriminator and optimizers")
    if kind.step is Model.step:
        raise ValueError(f"model: {kind.__name__} defines no step")
    if not (isinstance(kind.name, str) and kind.name
            and all(letter.isalnum() or letter in "-_." for letter in kind.name)
            and kind.name[0].isalnum()):
        raise ValueError(f"model: the name of {kind.__name__}, {kind.name!r}, names folders: it "
                         f"must have letters, digits, - and _ only")
    if model.preset not in kind.presets:
        raise ValueError(f"model: preset {model.preset!r} of this {kind.name} is none of its "
                         f"class, {', '.join(kind.presets)}, so a run could not be resumed")
    for name in (field.name for field in dataclasses.fields(model.settings)):
        value = getattr(model.settings, name)
        try:
            same = _as_json(value) == (list(value) if isinstance(value, tuple) else value)
        except (TypeError, ValueError):
            same = False
        if not same:
            raise ValueError(f"model: setting {name} of {kind.name} is {value!r}, which "
                             f"config.json cannot keep; take numbers, texts, booleans, or tuples "
                             f"of them")
