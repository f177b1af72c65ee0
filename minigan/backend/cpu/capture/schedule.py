"""Calls of a program on several threads, by critical path: what waits for what, what goes first.

Two threads inside of one op meet at its end and at every block, and Python lets one of them pass at
a time. In different ops they seldom meet. A GAN's step has such ops: real and generated images go
through D side by side, and each layer has a gradient for its weights and one for its input. Where
there is only one call to make, its blocks are shared as always.

    calls -> dependencies -> groups: a heavy call and the light ones that follow from it alone
          -> rank: seconds from a group to the end of the step, on the longest way

The order of the calls changes no bit: what reads or writes the same memory keeps its order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Sequence

from minigan.backend.cpu.capture.program import Call, Memory, Program, Slot
from minigan.system.threads import threads

HEAVY = 1e-4  # seconds of a call for which another thread is woken
LONG = 2e-4   # seconds of a call; a schedule pays where such calls take half of a step's time


@dataclass(frozen=True)
class Group:
    """Calls that one thread makes in a row.

    after: the groups that wait for this one. waits: how many groups this one waits for.
    rank: seconds from its beginning to the end of the step, on the longest way. heavy: whether its
    first call is worth another thread. reads: its slots that are freed when all readers are done.
    """

    calls: tuple[Call, ...]
    after: tuple[int, ...]
    waits: int
    rank: float
    heavy: bool
    reads: tuple[Slot, ...]


@dataclass(frozen=True)
class Schedule:
    """Groups of calls in an order in which they could be made one by one.

    readers: how many groups read a slot that is to be freed. long_share: how much of the time is
    spent in calls that are long.
    """

    groups: tuple[Group, ...]
    readers: Counter[Slot]
    long_share: float

    def pays(self) -> bool:
        """Whether several threads are faster than one call after another."""
        return self.long_share >= 0.5 and threads() > 1


def schedule(program: Program, seconds: Sequence[float]) -> Schedule:
    """The schedule of a program whose calls take so many seconds."""
    calls = program.calls
    heavy = [s >= HEAVY for s in seconds]
    members, after = group_calls(dependencies(program), heavy)
    rank = _ranks(members, after, seconds)
    freed = {slot for call in calls for slot in call.frees}

    waits = [0] * len(members)
    for following in after:
        for g in following:
            waits[g] += 1

    groups = []
    for g, group in enumerate(members):
        read = {slot for i in group for slot in calls[i].inputs}
        groups.append(Group(calls=tuple(calls[i] for i in group),
                            after=tuple(after[g]),
                            waits=waits[g],
                            rank=rank[g],
                            heavy=heavy[group[0]],
                            reads=tuple(read & freed)))

    readers = Counter(slot for group in groups for slot in group.reads)
    total = sum(seconds)
    long = sum(s for s in seconds if s >= LONG)
    return Schedule(tuple(groups), readers, long_share=long / total if total else 0.0)


def _ranks(groups: Sequence[Sequence[int]], after: Sequence[Sequence[int]],
           seconds: Sequence[float]) -> list[float]:
    """For each group, seconds from its beginning to the end of the step, on the longest way."""
    ranks = [0.0] * len(groups)
    for g in reversed(range(len(groups))):
        own = sum(seconds[i] for i in groups[g])
        ranks[g] = own + max((ranks[h] for h in after[g]), default=0.0)
    return ranks


def dependencies(program: Program) -> list[list[int]]:
    """For each call, those that wait for it: they read its result, or memory in turn with it.

        >>> import numpy as np
        >>> program = Program([Call("exp", np.exp, (0,), output=1),
        ...                    Call("sin", np.sin, (0,), output=2),
        ...                    Call("add", np.add, (1, 2), output=3)], inputs={0: np.ones(2)})
        >>> dependencies(program)
        [[2], [2], []]
    """
    memory = program.memory()
    after: list[set[int]] = [set() for _ in program.calls]
    maker: dict[Slot, int] = {}
    writer: dict[Memory, int] = {}
    readers: dict[Memory, list[int]] = defaultdict(list)
    for i, call in enumerate(program.calls):
        for slot in call.inputs:
            if slot in maker:
                after[maker[slot]].add(i)

        read = [*call.effects.reads, *[memory[slot] for slot in call.inputs]]
        for piece in read:
            if piece in writer:
                after[writer[piece]].add(i)
            readers[piece].append(i)

        written = [*call.effects.writes]
        if call.reused is not None:
            written.append(memory[call.reused])
        for piece in written:
            before = readers.pop(piece, [])
            if piece in writer:
                before.append(writer[piece])
            for j in before:
                if j != i:
                    after[j].add(i)
            writer[piece] = i

        if call.output is not None:
            maker[call.output] = i
    return [sorted(waiting) for waiting in after]


def group_calls(after: Sequence[Sequence[int]], heavy: Sequence[bool]
                ) -> tuple[list[list[int]], list[list[int]]]:
    """Put calls into groups: a light call joins the group that is the last one it waits for.

    It begins a group if there is no such last one. after: for each call, those that wait for it;
    what is returned says the same of the groups. A group's first call may be heavy.

        >>> group_calls([[1], [2], []], heavy=[True, False, True])  # 0, then 1, then 2
        ([[0, 1], [2]], [[1], []])
    """
    groups: list[list[int]] = []
    waits_for: list[set[int]] = [set() for _ in after]  # groups
    earlier: list[set[int]] = []                        # groups that a group waits for, and itself
    for i, waiting in enumerate(after):
        last = [g for g in waits_for[i] if waits_for[i] <= earlier[g]]
        if last and not heavy[i]:
            (g,) = last
        else:
            g = len(groups)
            groups.append([])
            earlier.append({g}.union(*[earlier[before] for before in waits_for[i]]))
        groups[g].append(i)
        for j in waiting:
            waits_for[j].add(g)

    following: list[set[int]] = [set() for _ in groups]
    for g, group in enumerate(groups):
        waited = set().union(*[waits_for[i] for i in group])
        for before in waited - {g}:
            following[before].add(g)
    return groups, [sorted(waiting) for waiting in following]
