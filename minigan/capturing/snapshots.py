"""Whether dicts, lists and sets are still what they were, and if not, how they differ in words."""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple

MISSING = object()  # in place of a value where there is none
PLAIN = (bool, int, float, complex, str, bytes, type(None))
CONTAINERS = (list, tuple, dict, set)
LONGEST = 60        # characters of a value that is shown as it is


class Described(NamedTuple):
    """What to call a container. owner: the object whose `__dict__` it is, or None."""

    name: str
    owner: Any


class Snapshots:
    """Dicts, lists and sets that should not change, and copies of them as they were.

    A replay asks whether live == copies and no more, so these are two lists.
    """

    def __init__(self) -> None:
        self.live: list[Any] = []
        self.copies: list[Any] = []
        self._described: list[Described] = []

    def add(self, name: str, container: Any, owner: Any = None) -> None:
        """Take a snapshot of one more container. owner: the object whose `__dict__` it is."""
        self.live.append(container)
        self.copies.append(_copy(container))
        self._described.append(Described(name, owner))

    def changes(self) -> Iterator[str]:
        """How they differ from their copies, a clause each.

        Where the difference does not count, the copy is renewed, so that `live == copies` holds.
        """
        for i, (name, owner) in enumerate(self._described):
            before = self.copies[i]
            now = self.live[i]
            if owner is None:
                clauses = list(_entries_changed(name, before, now))
            else:
                clauses = list(_attributes_changed(name, owner, before, now))
            yield from clauses
            if not clauses:
                self.copies[i] = _copy(now)


def change(name: str, old: Any, new: Any) -> list[str]:
    """A clause that says how a value has changed; none if it has not."""
    if equal(old, new):
        return []
    before = _shown(old)
    after = _shown(new)
    if before == after:
        return [f"{name} is another {after}"]
    return [f"{name} was {before} and is {after}"]


def equal(old: Any, new: Any) -> bool:
    """Whether they are the same thing, or can be compared and are equal."""
    if old is new:
        return True
    try:
        return bool(old == new)
    except Exception:  # of things that cannot be compared, such as two arrays
        return False


def _attributes_changed(name: str, owner: Any, before: dict[str, Any], now: dict[str, Any]
                        ) -> Iterator[str]:
    """How an object's attributes differ; where it lacks one, its class's attribute counts."""
    for key in {**before, **now}:
        default = getattr(type(owner), str(key), MISSING)
        old = before.get(key, default)
        if old is not MISSING:  # else nothing can have read it
            yield from change(f"{key} of {name}", old, now.get(key, default))


def _entries_changed(name: str, before: Any, now: Any) -> Iterator[str]:
    """How a dict, list or set differs."""
    if isinstance(now, dict):
        for key in {**before, **now}:
            old = before.get(key, MISSING)
            new = now.get(key, MISSING)
            if old is not MISSING or type(now) is dict:  # reading a defaultdict adds entries
                yield from change(f"{name}[{key!r}]", old, new)
    elif isinstance(now, list) and len(now) == len(before):
        for i, (old, new) in enumerate(zip(before, now)):
            yield from change(f"{name}[{i}]", old, new)
    elif not equal(before, now):
        yield f"{name} had {len(before)} entries and has {len(now)}"


def _copy(container: Any) -> Any:
    """A plain list, dict or set with the same entries; a subclass may copy itself otherwise."""
    for plain in CONTAINERS:
        if isinstance(container, plain):
            return plain(container)
    raise TypeError(f"expected a list, dict or set, got a {type(container).__name__}")


def _shown(value: Any) -> str:
    """A value as it is if it is plain and short, else its type."""
    if value is MISSING:
        return "missing"
    text = repr(value) if isinstance(value, PLAIN) else ""
    return text if 0 < len(text) <= LONGEST else type(value).__name__
