"""Imports that wait until somebody needs what they bring.

`import minigan` should be quick; most programs draw no graph, check no gradient, have no GPU.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Callable, Mapping


def attributes(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's `__getattr__` (PEP 562): some of its names are imported when first asked for.

    places: where each name is: "module:name", or "module" for the module itself.

    Raises:
        AttributeError: the function that is returned is asked for another name.
    """
    def of_package(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = _imported(places[name])
        setattr(sys.modules[package], name, value)  # Python does not ask again
        return value
    return of_package


def made_by(place: str) -> Callable[[], Any]:
    """A function that calls what is at `place`, "module:name", which it imports first."""
    def make() -> Any:
        return _imported(place)()
    return make


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    found = import_module(module)
    return getattr(found, name) if name else found
