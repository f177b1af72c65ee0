"""Snapshots and guards by themselves: what holds, what differs, and in which words."""
from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest

import minigan as mg
from minigan.capturing.guards import Guards
from minigan.capturing.snapshots import Snapshots, change, equal


@pytest.mark.parametrize("old, new, clauses", [
    (1, 1, []), (1, 1.0, []), (1, 2, ["x was 1 and is 2"]), (None, "a", ["x was None and is 'a'"]),
    ("a" * 99, "b" * 99, ["x is another str"]), (int, str, ["x is another type"]),
    (np.ones(2), np.ones(2), ["x is another ndarray"])])
def test_a_change_in_words(old, new, clauses):
    assert change("x", old, new) == clauses
    assert equal(old, new) == (not clauses)


@pytest.mark.parametrize("container, write, clauses", [
    ([1, 2], lambda c: c.append(3), ["c had 2 entries and has 3"]),
    ([1, 2], lambda c: c.__setitem__(1, 5), ["c[1] was 2 and is 5"]),
    ({"a": 1}, lambda c: c.pop("a"), ["c['a'] was 1 and is missing"]),
    ({"a": 1}, lambda c: c.update(b=2), ["c['b'] was missing and is 2"]),
    (defaultdict(int), lambda c: c["b"], []),  # reading may make an entry
    ({1, 2}, lambda c: c.add(3), ["c had 2 entries and has 3"])])
def test_containers_that_have_changed(container, write, clauses):
    snapshots = Snapshots()
    snapshots.add("c", container)
    assert snapshots.live == snapshots.copies and list(snapshots.changes()) == []
    write(container)
    assert list(snapshots.changes()) == clauses
    assert (snapshots.live == snapshots.copies) == (not clauses)


def test_an_attribute_may_come_from_the_class():
    class Owner:
        slope = 0.2

    owner, snapshots = Owner(), Snapshots()
    snapshots.add("Owner", vars(owner), owner)
    owner.slope = 0.2  # the same as the class says
    assert list(snapshots.changes()) == []
    owner.slope = 0.3
    assert list(snapshots.changes()) == ["slope of Owner was 0.2 and is 0.3"]


def test_guards_hold_until_an_answer_or_an_array_changes():
    x, place = mg.tensor([1.0]), SimpleNamespace(number=1)
    kept = []
    guards = Guards(mg.tensor(0.0).tick, kept.append)
    guards.tensor(x)
    guards.answer("the number", lambda: place.number)
    assert guards.hold() and guards.changes() == "" and kept[0] is x.data
    place.number = 2
    assert not guards.hold() and guards.changes() == "the number was 1 and is 2"
    place.number, x.data = 1, x.data.copy()
    assert "holds another array" in guards.changes()


def test_only_two_changes_are_spelled_out():
    answers = [1, 2, 3, 4]
    guards = Guards(mg.tensor(0.0).tick, id)
    for i in range(4):
        guards.answer(f"number {i}", lambda i=i: answers[i])
    answers[:] = [0, 0, 0, 0]
    assert guards.changes() == "number 0 was 1 and is 0; number 1 was 2 and is 0; and 2 more"
