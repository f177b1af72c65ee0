"""matplotlib with its default settings, whatever the user's own are.

Pictures look the same everywhere: they are made and drawn with the settings that matplotlib ships.
A matplotlibrc, a style or MPLBACKEND changes nothing, and the user's settings are put back after
each call.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

_drawing = threading.RLock()  # matplotlib has one set of settings for all threads


def drawn(function: Function) -> Function:
    """Let a function make or draw its figure with matplotlib's default settings."""
    @functools.wraps(function)
    def with_default_settings(*arguments: Any, **named: Any) -> Any:
        with _default_settings():
            return function(*arguments, **named)
    return with_default_settings  # type: ignore[return-value]


def plain(text: object) -> str:
    """A text for matplotlib in which a dollar sign is itself and does not start a formula."""
    return str(text).replace("$", r"\$")


@contextmanager
def _default_settings() -> Iterator[None]:
    """Use matplotlib's default settings inside the block, and the user's again afterwards."""
    matplotlib = _matplotlib()
    with _drawing:
        present = matplotlib.rcParams
        default = matplotlib.rcParamsDefault
        changed = {}
        for name in default:
            if name != "backend" and present[name] != default[name]:
                changed[name] = default[name]
        with matplotlib.rc_context(changed):
            yield


def _matplotlib() -> Any:
    """Import matplotlib so that no setting of the user's can prevent it.

    An MPLBACKEND that is not installed would fail the import, although no backend is needed. One
    that is installed is still what pyplot will use.
    """
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]

    with _environment("MPLBACKEND", None) as chosen:
        try:
            matplotlib = importlib.import_module("matplotlib")
        except ImportError:
            raise
        except Exception:  # a matplotlibrc that cannot be read
            _forget_half_an_import()
            with _environment("MATPLOTLIBRC", _shipped_settings()):
                matplotlib = importlib.import_module("matplotlib")

    if chosen:
        try:
            matplotlib.rcParams["backend"] = chosen
        except Exception:  # no backend of that name
            pass
    return matplotlib


def _forget_half_an_import() -> None:
    """Drop the modules of matplotlib that a failed import left behind."""
    for name in list(sys.modules):
        if name.startswith("matplotlib."):
            del sys.modules[name]


def _shipped_settings() -> str | None:
    """The path of the matplotlibrc that comes with matplotlib."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).with_name("mpl-data") / "matplotlibrc")


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[str | None]:
    """Set a variable of the environment inside the block, or remove it (None); yields what it was.
    """
    before = os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
    try:
        yield before
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


def _renew_lock() -> None:
    """In a forked process: the thread that holds the lock may not exist there."""
    global _drawing
    _drawing = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_renew_lock)
