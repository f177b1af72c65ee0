"""What decides in Python what a step computes: code that reads such a thing says so here.

A recorded step repeats what was asked of the device. A layer's slope, a network's mode or the array
that a parameter holds were read in Python when it was recorded, and a replay does not look again.
So it has to know what was read, to see whether that is still the same. Outside of a recording these
functions do nothing.

This stands below everything that reads: networks and optimizers call `reads`, streams and models
`asks`, the engine says what it writes. `minigan.capturing` listens, by setting `noting`.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Callable, Container, Protocol

Question = Callable[[], Any]


class Notes(Protocol):
    """Notes down what is read while a step is recorded."""

    def owner(self, owner: Any, live: Container[str] = ()) -> None:
        """An object's attributes; of a network those of all its layers.

        live: names of those that every replay reads again, so they may change.
        """

    def answer(self, what: str, ask: Question) -> None:
        """What a question is answered with; `what` is asked, for messages."""

    def tensor(self, tensor: Any) -> None:
        """A tensor whose array is used."""

    def writes(self, memory: Any) -> None:
        """Memory that is about to be marked as written."""


# What notes down the readings of the thread or task that records; None where no step is recorded.
noting: ContextVar[Notes | None] = ContextVar("what notes down what a step reads", default=None)

# How many blocks of evaluation mode are around what this thread or task computes.
evaluating: ContextVar[int] = ContextVar("blocks of evaluation mode", default=0)


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


def asks(what: str, ask: Question) -> None:
    """Say that the answer of ask() decides what is computed now; `what` is asked, for messages."""
    notes = noting.get()
    if notes is not None:
        notes.answer(what, ask)
