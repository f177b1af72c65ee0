"""Two sides in turn, A B A B: only the ratio within a pair counts, and only quiet pairs do."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any, Callable, Sequence

from minigan.bench.quiet import QUIET, Reading, cores_of_others

PATIENCE = 3  # discarded pairs for each that is wanted, then it gives up


@dataclass
class Pairs:
    """What was measured: milliseconds a step of each side, pair by pair."""

    kept: list[tuple[float, ...]] = field(default_factory=list)
    others: list[float] = field(default_factory=list)  # cores used by others during those kept
    discarded: int = 0
    busy: int = 0       # pairs kept although others were computing
    watched: bool = True  # False where the system does not tell who computes

    def summary(self) -> dict[str, Any]:
        """Medians, the range of the ratio (first side over second), and how it was come by.

        Raises:
            ValueError: nothing was kept.
        """
        if not self.kept:
            raise ValueError(f"no quiet moment in {self.discarded} tries: other processes keep "
                             f"this machine busy (--keep-busy measures all the same)")
        sides = list(zip(*self.kept))
        found: dict[str, Any] = {
            "pairs": len(self.kept), "discarded": self.discarded, "busy": self.busy,
            "others": round(statistics.median(self.others), 3) if self.watched else None,
            "ms": statistics.median(sides[0])}
        if len(sides) > 1:
            ratios = sorted(a / b for a, b in self.kept)
            found.update(rival_ms=statistics.median(sides[1]), ratio=statistics.median(ratios),
                         low=ratios[0], high=ratios[-1])
        return found


def measure(turns: Sequence[Callable[[], float]], pairs: int, read: Callable[[], Reading],
            keep_busy: bool = False) -> Pairs:
    """Let each of one or two sides make its turn, until `pairs` quiet pairs are there.

    turns: functions that compute and return milliseconds a step. read: reads the clock and the
    accounts, before and after each pair. keep_busy: count busy pairs instead of discarding them.
    """
    found = Pairs()
    while len(found.kept) < pairs and found.discarded < PATIENCE * pairs:
        before = read()
        times = tuple(turn() for turn in turns)
        others = cores_of_others(before, read())
        if others is None:
            found.watched = False
        busy = others is not None and others > QUIET
        if busy and not keep_busy:
            found.discarded += 1
            continue
        found.busy += busy
        found.kept.append(times)
        found.others.append(others or 0.0)
    return found
