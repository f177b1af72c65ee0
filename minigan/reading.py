"""Code that reads something in Python which decides what a step computes reports it here.

A recorded step repeats what was asked of the device. A layer's slope, a network's mode or the array
that a parameter holds were read in Python when it was recorded, and a replay does not read them
again. So a recording has to know what was read, to see whether that is still the same. While no
step is recorded, these functions do nothing.

This module is below everything that reads: networks and optimizers call `reads`, streams and models
call `asks`, the engine reports what it writes. `minigan.capturing` listens, by setting `noting`.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Callable, Container, Protocol

Question = Callable[[], Any]


class Notes(Protocol):
    """Notes down what is read while a step is recorded."""

    def owner(self, owner: Any, live: Container[str] = ()) -> None:
        """Note an object's attributes; of a network, those of all its layers.

        live: names of those that every replay reads again, so they may change.
        """

    def answer(self, name: str, ask: Question) -> None:
        """Note the answer of ask(). name: what is asked, for messages."""

    def tensor(self, tensor: Any) -> None:
        """Note a tensor whose array is used."""

    def writes(self, memory: Any) -> None:
        """Note memory that is about to be marked as written."""


# What notes down the readings of the thread or task that records; None while no step is recorded.
noting: ContextVar[Notes | None] = ContextVar("what notes down what a step reads", default=None)


class _Settings:
    """How often an attribute of any network was set."""

    count = 0


settings = _Settings()


class _Everything:
    """All names."""

    def __contains__(self, name: object) -> bool:
        return True


EVERYTHING = _Everything()


def reads(owner: Any, live: Container[str] = ()) -> None:
    """Say that the attributes of `owner` decide what is computed now.

    live: names of those that every replay reads again, so they may change.
    """
    notes = noting.get()
    if notes is not None:
        notes.owner(owner, live)


def asks(name: str, ask: Question) -> None:
    """Say that the answer of ask() decides what is computed now.

    name: what is asked, for messages.
    """
    notes = noting.get()
    if notes is not None:
        notes.answer(name, ask)
