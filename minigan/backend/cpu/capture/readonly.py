"""Arrays that Python may not write to while a step is recorded: no replay would repeat it."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from minigan.backend.base import Array


class ReadOnly:
    """Arrays that are read-only until `release`. They are held by weak references."""

    def __init__(self) -> None:
        self._arrays: list[Any] = []

    def protect(self, array: Any) -> None:
        """Make an array read-only, if it is an array that can be written."""
        if isinstance(array, np.ndarray) and array.flags.writeable:
            array.flags.writeable = False
            self._arrays.append(weakref.ref(array))

    def release_later(self, array: Any) -> None:
        """Let `release` make an array writeable that is read-only because it is a view of one."""
        if isinstance(array, np.ndarray) and not array.flags.writeable:
            self._arrays.append(weakref.ref(array))

    def release(self) -> None:
        """Make the arrays writeable that are still alive."""
        arrays = [reference() for reference in self._arrays]
        alive: list[Array] = [array for array in arrays if array is not None]
        self._arrays.clear()
        alive.sort(key=lambda array: array.base is not None)  # a view can follow its base only
        for array in alive:
            owner = getattr(array.base, "flags", array.flags)
            if array.base is None or owner.writeable:
                array.flags.writeable = True
