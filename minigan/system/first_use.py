"""Imports that wait until something needs them.

`import minigan` should be quick; most programs draw no graph, check no gradient, have no GPU.
"""

from __future__ import annotations

import sys
from importlib import import_module
from threading import RLock
from typing import Any, Callable, Mapping

# One thread imports at a time: Python does not wait for a package that another thread is halfway
# through when a module inside it is wanted, and what is then found has not all of its names yet.
_importing = RLock()


def attributes(package: str,
               places: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__` (PEP 562): some names are imported when asked for.

    The package defines them where type checkers do not look, or they would take any name at all.

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

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places})
    return of_package, names


def made_by(place: str) -> Callable[[], Any]:
    """A function that imports what is at `place`, "module:name", and calls it."""
    def make() -> Any:
        return _imported(place)()
    return make


def _imported(place: str) -> Any:
    module_name, _, name = place.partition(":")
    with _importing:
        module = import_module(module_name)
    return getattr(module, name) if name else module
