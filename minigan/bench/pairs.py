"""Two sides in turn, A B A B: only the ratio within a pair counts, and only quiet pairs do."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Callable, Sequence

from minigan.bench.quiet import QUIET, Reading, cores_of_others
from minigan.bench.records import Timing, Versus

PATIENCE = 3  # discarded pairs for each pair that is wanted, before it gives up


@dataclass
class Pairs:
    """Milliseconds a step of one side or two, pair by pair."""

    kept: list[tuple[float, ...]] = field(default_factory=list)
    others: list[float] = field(default_factory=list)  # cores used by others, of each kept pair
    discarded: int = 0
    busy: int = 0         # pairs kept although others were computing
    watched: bool = True  # False where the system does not tell what others compute

    def summary(self) -> Timing:
        """Medians, the range of the ratio (first side over second), and how many pairs count.

        Raises:
            ValueError: no pair was kept.
        """
        if not self.kept:
            raise ValueError(f"no quiet moment in {self.discarded} tries: other processes keep "
                             f"this machine busy (--keep-busy measures anyway)")
        return Timing(
            pairs=len(self.kept),
            ms=statistics.median(times[0] for times in self.kept),
            discarded=self.discarded,
            busy=self.busy,
            others=round(statistics.median(self.others), 3) if self.watched else None,
            versus=self._versus())

    def _versus(self) -> Versus | None:
        if len(self.kept[0]) == 1:
            return None
        ratios = [ours / theirs for ours, theirs in self.kept]
        return Versus(
            rival_ms=statistics.median(theirs for _, theirs in self.kept),
            ratio=statistics.median(ratios),
            low=min(ratios),
            high=max(ratios))


def measure(turns: Sequence[Callable[[], float]], pairs: int, read: Callable[[], Reading],
            keep_busy: bool = False) -> Pairs:
    """Let one or two sides take turns until there are `pairs` quiet pairs.

    turns: functions that compute and return milliseconds a step. read: reads the clocks, before
    and after each pair. keep_busy: keep busy pairs and mark them, instead of discarding them.
    """
    measured = Pairs()
    while len(measured.kept) < pairs and measured.discarded < PATIENCE * pairs:
        before = read()
        times = tuple(turn() for turn in turns)
        others = cores_of_others(before, read())

        if others is None:
            measured.watched = False
        busy = others is not None and others > QUIET
        if busy and not keep_busy:
            measured.discarded += 1
            continue

        measured.busy += busy
        measured.kept.append(times)
        measured.others.append(others or 0.0)
    return measured
