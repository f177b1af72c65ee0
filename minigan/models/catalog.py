"""Finding models by name: every file of this folder that defines a `Model` is one."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from minigan.models.model import Model

PAPERS = ("gan", "dcgan", "cgan", "wgan", "wgan-gp")  # these come first
# The files that define no model.
TOOLS = {"catalog", "checking", "identity", "model", "rebuilding", "settings", "sizes"}


def names() -> list[str]:
    """The models' names: the five papers in their order, then the others by name."""
    files = pkgutil.iter_modules([str(Path(__file__).parent)])
    models = [file.name.replace("_", "-") for file in files if file.name not in TOOLS]
    return sorted(models, key=_rank)


def _rank(name: str) -> tuple[int, str]:
    rank = PAPERS.index(name) if name in PAPERS else len(PAPERS)
    return rank, name


def find(name: str) -> type[Model]:
    """The model of that name.

    Raises:
        ValueError: there is none; lists the known ones.
        TypeError: its file does not define one subclass of `Model`, of that name.
    """
    if name not in names():
        raise ValueError(f"model {name!r} is unknown; known are {', '.join(names())}")
    module = importlib.import_module(f"minigan.models.{name.replace('-', '_')}")
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    own = [value for value in classes
           if issubclass(value, Model) and value.__module__ == module.__name__]
    if [model.name for model in own] != [name]:
        found = ", ".join(f"{model.__name__} with the name {model.name!r}" for model in own)
        raise TypeError(f"{module.__name__} must define one subclass of Model, with the name "
                        f"{name!r}, got {found or 'none'}; a file that defines no model goes into "
                        f"catalog.TOOLS")
    return own[0]
