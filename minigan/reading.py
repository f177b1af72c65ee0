"""What decides in Python what a step computes: whoever reads such a thing says so here.

A recorded step repeats what was asked of the device. A layer's slope, a network's mode or the array
that a parameter holds were read in Python when it was recorded, and a replay does not look again.
So it has to know what was read, to see whether that is still the same. Outside of a recording these
functions do nothing.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Callable, Container, Protocol

Question = Callable[[], Any]


class Notes(Protocol):
    """Who notes down what is read."""

    def owner(self, owner: Any, anew: Container[str]) -> None:
        """An object's attributes, but those that every replay reads anew."""

    def answer(self, what: str, ask: Question) -> None:
        """What a question is answered with."""

    def tensor(self, tensor: Any) -> None:
        """A tensor whose array is used."""

    def writes(self, memory: Any) -> None:
        """Memory that is about to be marked as written."""


# Who notes for the thread or task that records; None where no step is recorded.
noting: ContextVar[Notes | None] = ContextVar("who notes what a step reads", default=None)

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


def reads(owner: Any, anew: Container[str] = ()) -> None:
    """Say that the attributes of `owner` decide what is computed now.

    anew: names of those that every replay reads anew, so that they may change.
    """
    notes = noting.get()
    if notes is not None:
        notes.owner(owner, anew)


def asks(what: str, ask: Question) -> None:
    """Say that the answer of ask() decides what is computed now; `what` is asked, for messages."""
    notes = noting.get()
    if notes is not None:
        notes.answer(what, ask)
