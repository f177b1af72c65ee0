"""Whether dicts, lists and sets are still what they were, and if not, how they differ in words."""

from __future__ import annotations

from typing import Any, Iterator

MISSING = object()  # in place of a value where there is none
PLAIN = (bool, int, float, complex, str, bytes, type(None))
CONTAINERS = (list, tuple, dict, set)
LONGEST = 60        # characters of a value that is shown as it is


class Compared:
    """Dicts, lists and sets that should stay what they are, beside copies of what they were.

    places: what to call each, and whose attributes a dict holds, None where it is only a dict.
    """

    def __init__(self) -> None:
        self.live: list[Any] = []
        self.copies: list[Any] = []
        self.places: list[tuple[str, Any]] = []

    def add(self, name: str, container: Any, owner: Any = None) -> None:
        """One more."""
        self.live.append(container)
        self.copies.append(_copy(container))
        self.places.append((name, owner))

    def changes(self) -> Iterator[str]:
        """How they differ from their copies, a clause each.

        A copy that differs in nothing that counts is made anew, so that `live == copies` again.
        """
        for i, (name, owner) in enumerate(self.places):
            before, now = self.copies[i], self.live[i]
            if owner is None:
                clauses = list(_entries_changed(name, before, now))
            else:
                clauses = list(_attributes_changed(name, owner, before, now))
            yield from clauses
            if not clauses:
                self.copies[i] = _copy(now)


def change(what: str, old: Any, new: Any) -> list[str]:
    """A clause that says how a value has changed; none if it has not."""
    if equal(old, new):
        return []
    before, after = _look(old), _look(new)
    if before == after:
        return [f"{what} is another {after}"]
    return [f"{what} was {before} and is {after}"]


def _attributes_changed(name: str, owner: Any, before: dict[str, Any], now: dict[str, Any]
                        ) -> Iterator[str]:
    """How an object's attributes differ; where it has none itself, its class's counts."""
    for key in {**before, **now}:
        default = getattr(type(owner), str(key), MISSING)
        old = before.get(key, default)
        if old is not MISSING:  # else nobody can have read it
            yield from change(f"{key} of {name}", old, now.get(key, default))


def _entries_changed(name: str, before: Any, now: Any) -> Iterator[str]:
    """How a dict, list or set differs."""
    if isinstance(now, dict):
        for key in {**before, **now}:
            old = before.get(key, MISSING)
            if old is not MISSING or type(now) is dict:  # of others, reading may make an entry
                yield from change(f"{name}[{key!r}]", old, now.get(key, MISSING))
    elif isinstance(now, list) and len(now) == len(before):
        for i, (old, new) in enumerate(zip(before, now)):
            yield from change(f"{name}[{i}]", old, new)
    elif not equal(before, now):
        yield f"{name} had {len(before)} entries and has {len(now)}"


def _copy(container: Any) -> Any:
    """A list, dict or set as it is now; a class of one's own may copy otherwise."""
    kind = next(kind for kind in CONTAINERS if isinstance(container, kind))
    return kind(container)


def equal(old: Any, new: Any) -> bool:
    """Whether they are the same thing, or can be compared and are equal."""
    if old is new:
        return True
    try:
        return bool(old == new)
    except Exception:  # of things that cannot be compared, such as two arrays
        return False


def _look(value: Any) -> str:
    """A value as it is if it is plain and short, else what kind of thing it is."""
    if value is MISSING:
        return "missing"
    text = repr(value) if isinstance(value, PLAIN) else ""
    return text if 0 < len(text) <= LONGEST else type(value).__name__
