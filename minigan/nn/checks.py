"""What layers ask of their arguments, and the types of those that come in several forms."""

from __future__ import annotations

from typing import Any

from minigan import checks, errors
from minigan.streams import Stream, stream

Size = int | tuple[int, int]  # for both directions, or (height, width)
Padding = str | int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]


def whole(what: str, value: Any) -> int:
    """A number of channels, units or ids, as an int.

    Raises:
        ValueError: it is not a whole number of 1 or more; `what` is named.
    """
    if not checks.is_whole(value) or value < 1:
        raise ValueError(f"{what} must be a whole number of 1 or more, got {errors.shown(value)}")
    return int(value)


def stream_or_default(layer: str, rng: Any, name: str) -> Stream:
    """The stream that a layer draws from: the given one, or the default stream of that name.

    Raises:
        TypeError: rng is neither a stream nor None.
    """
    if rng is None:
        return stream(name)
    if not isinstance(rng, Stream):
        raise TypeError(f"{layer}: rng must be a stream, as minigan.stream({name!r}) is, got "
                        f"{errors.shown(rng)}")
    return rng
