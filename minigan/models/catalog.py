"""Finding models: every file of this folder that defines a `Model` is one, under its own name."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from minigan.models.model import Model

PAPERS = ("gan", "dcgan", "cgan", "wgan", "wgan-gp")  # these stand first


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
