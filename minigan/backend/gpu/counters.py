"""Counters and rates that change every step: kept on the device, mirrored on the host.

A captured step repeats the numbers that it was captured with. So the number of the step, the
learning rate and the counters of random streams live on the device, and every kernel that needs one
reads it there. Each is also an attribute of its owner (`optimizer.t`, `optimizer.lr`,
`stream.counter`): the host adds what a replay counts, and writes to the device only where the two
have come apart, for instance after a checkpoint was loaded.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

from minigan.backend.base import Array

SLOTS = 1024  # numbers that a device can keep at a time


@dataclass
class Slot:
    """Where a device keeps one number: element `index` of `array`.

    there: the value that the device holds, None if it was never written.
    """

    array: Array
    index: int
    there: float | None = None

    @property
    def word(self) -> Array:
        """The number as kernels read it: an array (1,)."""
        return self.array[self.index:self.index + 1]


class Mirror:
    """The numbers of one device, found by their owner and the attribute's name.

    clocks: counters, uint64 (SLOTS,). rates: float64 (SLOTS,). A number's slot is free again when
    its owner dies.
    """

    def __init__(self, device: str, module: Any) -> None:
        self.device = device
        self.clocks = module.zeros(SLOTS, "uint64")
        self.rates = module.zeros(SLOTS, "float64")
        self._slots: Any = weakref.WeakKeyDictionary()  # owner -> name -> Slot
        self._free = list(range(SLOTS))[::-1]

    def clock(self, owner: Any, name: str) -> Slot:
        """The slot of a counter.

        Raises:
            RuntimeError: all slots are taken.
        """
        return self._slot(owner, name, self.clocks)

    def rate(self, owner: Any, name: str) -> Slot:
        """The slot of a rate.

        Raises:
            RuntimeError: all slots are taken.
        """
        return self._slot(owner, name, self.rates)

    def level(self, owner: Any, name: str) -> None:
        """Write the host's number to the device if the device holds another one."""
        slot = self._slots[owner][name]
        value = getattr(owner, name)
        if slot.there != value:
            slot.word.fill(value)
            slot.there = value

    def _slot(self, owner: Any, name: str, array: Array) -> Slot:
        if owner not in self._slots:
            self._slots[owner] = {}
            weakref.finalize(owner, self._release, self._slots[owner])
        own: dict[str, Slot] = self._slots[owner]
        if name not in own:
            if not self._free:
                raise RuntimeError(f"more than {SLOTS} counters on {self.device}; delete models "
                                   f"that are no longer needed")
            own[name] = Slot(array, self._free.pop())
        return own[name]

    def _release(self, own: dict[str, Slot]) -> None:
        self._free.extend(slot.index for slot in own.values())
