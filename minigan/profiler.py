"""Where time and memory go: a context manager on the engine's op hook.

    with profile() as found:
        model.step(x)
    print(found.table())
    plot.save(found.picture(), "profile.png")

Every op is timed, and counted for the op it belongs to: forward for itself, backward for the op
whose rule it computes. A gradient of a gradient walks back through the ops of a backward pass, so
there the rules of `conv_transpose2d` or `gate` appear that no network called. What is no op, the
engine's and Python's own work, is the difference to the clock around the block, so the rows add up
to it. On a GPU every op is waited for, which slows the whole but tells the parts apart.
"""

from __future__ import annotations

import time
import weakref
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Iterator

from minigan import plot
from minigan.backend import backend_of
from minigan.engine import OPS, Op, Tensor, op_hook

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORWARD, BACKWARD = 0, 1
OUTSIDE = "outside of ops"  # the row of the engine, of Python, and of what else the block does


@dataclass
class Row:
    """What one op cost: seconds, calls and bytes, each for [forward, backward]."""

    name: str
    seconds: list[float]
    calls: list[int]
    made: list[int]    # bytes of all its results
    held: list[int]    # bytes of those that were alive when most memory was in use
    is_op: bool = True

    @property
    def total(self) -> float:
        """Seconds, forward and backward."""
        return sum(self.seconds)


class Profile:
    """The measurements of a block; read them when it has ended."""

    def __init__(self) -> None:
        self.seconds = 0.0  # of the whole block
        self.peak = 0       # bytes of op results that were alive at once, at most
        self._rows: dict[str, Row] = defaultdict(lambda: Row("", [0, 0], [0, 0], [0, 0], [0, 0]))
        self._inner = [0.0]  # seconds of what ran inside the call on top, so that none counts twice
        self._alive: dict[int, tuple[Any, str, int, int]] = {}  # memory by id: who made it, bytes
        self._now = 0

    def rows(self) -> list[Row]:
        """The most expensive first; the row of what is no op comes last."""
        rows = [replace(row, name=name) for name, row in self._rows.items()]
        rows.sort(key=lambda row: -row.total)
        rest = max(0.0, self.seconds - sum(row.total for row in rows))
        return [*rows, Row(OUTSIDE, [rest, 0], [0, 0], [0, 0], [0, 0], False)]

    # While the block runs.

    @contextmanager
    def timed(self, name: str, phase: int = FORWARD) -> Iterator[None]:
        """Count a block under a name of its own, without the ops in it: an optimizer's step."""
        self._inner.append(0.0)
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            own = spent - self._inner.pop()
            self._inner[-1] += spent
            row = self._rows[name]
            row.seconds[phase] += own
            row.calls[phase] += 1
            row.is_op = name in OPS

    def watch(self, op: Op, within: Op | None, run: Callable[[], Tensor]) -> Tensor:
        """The hook: runs one op."""
        name, phase = (op.name, FORWARD) if within is None else (within.name, BACKWARD)
        with self.timed(name, phase):
            y = run()
            backend_of(y.data).synchronize()
        base = getattr(y.data, "base", None)
        if base is None or not op.view:  # otherwise it is a view of memory that was there before
            self._made(y.data if base is None else base, name, phase)
        return y

    def _made(self, memory: Any, name: str, phase: int) -> None:
        """Note that memory is alive, until it is freed; remember who held what at the peak."""
        key, size = id(memory), getattr(memory, "nbytes", 0)
        if key in self._alive:
            return
        self._alive[key] = (weakref.ref(memory, lambda _: self._freed(key)), name, phase, size)
        self._rows[name].made[phase] += size
        self._now += size
        if self._now > self.peak:
            self.peak = self._now
            for row in self._rows.values():
                row.held = [0, 0]
            for _, holder, when, held in self._alive.values():
                self._rows[holder].held[when] += held

    def _freed(self, key: int) -> None:
        self._now -= self._alive.pop(key)[3]

    # Afterwards.

    def table(self, repeats: int = 1, limit: int = 16) -> str:
        """Lines of text; repeats: how many steps the block made, to show the costs of one."""
        head = (f"{'op':20} {'calls':>11} {'forward':>9} {'backward':>9} {'share':>6} {'made':>9} "
                f"{'at the peak':>11}")
        units = f"{'':20} {'fwd  back':>11} {'ms':>9} {'ms':>9} {'%':>6} {'MB':>9} {'MB':>11}"
        lines = [head, units]
        for row in folded(self.rows(), limit):
            calls = "{:.0f} {:>5.0f}".format(*(n / repeats for n in row.calls))
            lines.append(
                f"{row.name:20} {calls if any(row.calls) else '':>11} "
                + " ".join(f"{s / repeats * 1e3:9.3f}" if s else " " * 9 for s in row.seconds)
                + f" {100 * row.total / self.seconds if self.seconds else 0:6.1f}"
                + f" {sum(row.made) / repeats / 1e6:9.2f} {sum(row.held) / 1e6:11.2f}")
        lines.append(f"{'in all':20} {'':11} {self.seconds / repeats * 1e3:19.3f} {100:6.1f} "
                     f"{sum(sum(r.made) for r in self.rows()) / repeats / 1e6:9.2f} "
                     f"{self.peak / 1e6:11.2f}")
        return "\n".join(lines)

    def record(self, repeats: int = 1) -> dict[str, Any]:
        """The same for a JSON file, of one of `repeats` steps; pairs are [forward, backward]."""
        rows: list[dict[str, Any]] = [{
            "name": row.name,
            "is_op": row.is_op,
            "calls": [calls / repeats for calls in row.calls],
            "ms": [seconds / repeats * 1e3 for seconds in row.seconds],
            "made_mb": [made / repeats / 1e6 for made in row.made],
            "held_mb": [held / 1e6 for held in row.held],
        } for row in self.rows()]
        return {
            "ms": self.seconds / repeats * 1e3,
            "made_mb": sum(sum(row["made_mb"]) for row in rows),
            "peak_mb": self.peak / 1e6,
            "rows": rows,
        }

    def picture(self, title: str = "", caption: str = "", repeats: int = 1, limit: int = 12
                ) -> Figure:
        """Two bar charts: milliseconds by op, and the memory in use at the peak."""
        rows = folded(self.rows(), limit)
        ms = [[s / repeats * 1e3 for s in row.seconds] for row in rows]
        charts: dict[str, dict[str, list[float]]] = {
            "ms a step": {
                "forward": [m[0] * row.is_op for m, row in zip(ms, rows)],
                "backward": [m[1] for m in ms],
                "no op": [m[0] * (not row.is_op) for m, row in zip(ms, rows)]},
            "MB in use at the peak": {
                "forward": [row.held[0] / 1e6 for row in rows],
                "backward": [row.held[1] / 1e6 for row in rows], "no op": [0.0] * len(rows)}}
        return plot.bars([row.name for row in rows], charts, title, caption)


def folded(rows: list[Row], limit: int) -> list[Row]:
    """At most `limit` rows and the last; the cheapest ops are one row together."""
    ops, last = rows[:-1], rows[-1]
    if len(ops) <= limit:
        return rows
    small = ops[limit - 1:]

    def total(column: str) -> list[Any]:
        return [sum(values) for values in zip(*(getattr(row, column) for row in small))]

    together = Row(f"{len(small)} others", total("seconds"), total("calls"), total("made"),
                   total("held"))
    return [*ops[:limit - 1], together, last]


@contextmanager
def profile() -> Iterator[Profile]:
    """Measure a block. It may fail: the hook leaves all the same."""
    found = Profile()
    with op_hook(found.watch):
        began = time.perf_counter()
        try:
            yield found
        finally:
            found.seconds = time.perf_counter() - began
