"""Where time and memory go: a context manager on the engine's op hook.

    with profile() as costs:
        model.step(x)
    print(costs.table())
    print(costs.convolutions_table())
    plot.save(costs.picture(), "profile.png")

Every op is timed, and counted for the op it belongs to: forward for itself, backward for the op
whose rule it computes. A gradient of a gradient walks back through the ops of a backward pass, so
there the rules of `conv_transpose2d` or `gate` appear although no network called them. Time outside
ops (engine, Python) is the block's wall time minus the rows, so all rows together add up to it. On
a GPU every op is waited for, which slows the whole down but tells the ops apart.

Convolutions are also counted by their plans: which form each took (`backend/cpu/convolution`).
"""

from __future__ import annotations

import time
import weakref
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, NamedTuple

from minigan import plot
from minigan.backend import backend_of
from minigan.backend.cpu.convolution import Form, Plan, following
from minigan.engine import OPS, Op, Tensor, op_hook

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OUTSIDE = "outside of ops"  # the row of the engine, of Python, and of what else the block does


@dataclass
class Cost:
    """What an op cost in one direction.

    made: bytes of all results. held: bytes of those that were alive when most memory was in use.
    """

    seconds: float = 0.0
    calls: int = 0
    made: int = 0
    held: int = 0


@dataclass
class Row:
    """What one op cost, forward for itself and backward in its rule; or what a named block cost.

    is_op: False for a named block, such as an optimizer's step, and for the time outside of ops.
    """

    name: str
    forward: Cost = field(default_factory=Cost)
    backward: Cost = field(default_factory=Cost)
    is_op: bool = True

    seconds = property(lambda self: self.forward.seconds + self.backward.seconds)
    calls = property(lambda self: self.forward.calls + self.backward.calls)
    made = property(lambda self: self.forward.made + self.backward.made)
    held = property(lambda self: self.forward.held + self.backward.held)


@dataclass
class ConvolutionRow:
    """What one convolution of certain sizes cost, and by which plan it was computed."""

    plan: Plan
    seconds: float = 0.0
    calls: int = 0


class Holding(NamedTuple):
    """A piece of memory that is alive. cost: of the op that made it; size: in bytes."""

    reference: Any  # weak, so that the end of the memory is noticed
    cost: Cost
    size: int


class Profile:
    """The measurements of a block; read them when it has ended.

    seconds: of the whole block. peak: bytes of op results that were alive at once, at most.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.peak = 0
        self._rows: dict[str, Row] = {}
        self._convolutions: dict[Plan, ConvolutionRow] = {}
        self._plans: list[Plan] = []  # of the op that runs now
        self._inner = [0.0]  # a stack: seconds inside each open block, so that none counts twice
        self._alive: dict[int, Holding] = {}  # by the memory's id
        self._now = 0  # bytes alive

    def rows(self) -> list[Row]:
        """The most expensive first; the time outside of ops comes last."""
        rows = sorted(self._rows.values(), key=lambda row: -row.seconds)
        rest = max(0.0, self.seconds - sum(row.seconds for row in rows))
        return [*rows, Row(OUTSIDE, Cost(rest), is_op=False)]

    def convolutions(self) -> list[ConvolutionRow]:
        """The most expensive first; none on a device whose convolutions have no plan."""
        return sorted(self._convolutions.values(), key=lambda row: -row.seconds)

    # While the block runs.

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure a block, also one that raises."""
        with following() as self._plans, op_hook(self.watch):
            began = time.perf_counter()
            try:
                yield
            finally:
                self.seconds = time.perf_counter() - began

    @contextmanager
    def timed(self, name: str, backward: bool = False) -> Iterator[Cost]:
        """Count a block, such as an optimizer's step, under a name, without the ops inside it."""
        self._inner.append(0.0)
        began = time.perf_counter()
        cost = self._cost(name, backward)
        try:
            yield cost
        finally:
            spent = time.perf_counter() - began
            own = spent - self._inner.pop()
            self._inner[-1] += spent
            cost.seconds += own
            cost.calls += 1

    def watch(self, op: Op, within: Op | None, run: Callable[[], Tensor]) -> Tensor:
        """The hook: runs one op."""
        name = op.name if within is None else within.name
        backward = within is not None
        before = self._cost(name, backward).seconds
        with self.timed(name, backward) as cost:
            y = run()
            backend_of(y.data).synchronize()
        if self._plans:
            self._count_convolutions(cost.seconds - before)

        base = getattr(y.data, "base", None)
        if base is None or not op.view:  # otherwise it is a view of memory that was there before
            self._count_memory(y.data if base is None else base, cost)
        return y

    def _cost(self, name: str, backward: bool) -> Cost:
        if name not in self._rows:
            self._rows[name] = Row(name, is_op=name in OPS)
        row = self._rows[name]
        return row.backward if backward else row.forward

    def _count_convolutions(self, seconds: float) -> None:
        """Count an op's seconds for the plans that were followed in it."""
        for plan in self._plans:
            row = self._convolutions.setdefault(plan, ConvolutionRow(plan))
            row.seconds += seconds / len(self._plans)
            row.calls += 1
        self._plans.clear()

    def _count_memory(self, memory: Any, cost: Cost) -> None:
        """Note that memory is alive, until it is freed; at the peak, remember what was held."""
        key = id(memory)
        if key in self._alive:
            return
        size = getattr(memory, "nbytes", 0)
        reference = weakref.ref(memory, lambda _: self._freed(key))
        self._alive[key] = Holding(reference, cost, size)
        cost.made += size
        self._now += size
        if self._now > self.peak:
            self.peak = self._now
            self._note_the_peak()

    def _note_the_peak(self) -> None:
        for row in self._rows.values():
            row.forward.held = 0
            row.backward.held = 0
        for holding in self._alive.values():
            holding.cost.held += holding.size

    def _freed(self, key: int) -> None:
        self._now -= self._alive.pop(key).size

    # Afterwards. repeats: how many steps the block ran; what is shown are the costs of one.

    def table(self, repeats: int = 1, limit: int = 16) -> str:
        """Lines of text: the `limit` most expensive ops, and all others in one row."""
        head = (f"{'op':20} {'calls':>11} {'forward':>9} {'backward':>9} {'share':>6} {'made':>9} "
                f"{'at the peak':>11}")
        units = f"{'':20} {'fwd  back':>11} {'ms':>9} {'ms':>9} {'%':>6} {'MB':>9} {'MB':>11}"
        lines = [head, units]
        for row in folded(self.rows(), limit):
            lines.append(f"{row.name:20} {_calls(row, repeats):>11} "
                         f"{_ms(row.forward, repeats):>9} {_ms(row.backward, repeats):>9} "
                         f"{self._share(row.seconds):6.1f} {row.made / repeats / 1e6:9.2f} "
                         f"{row.held / 1e6:11.2f}")
        made = sum(row.made for row in self.rows())
        lines.append(f"{'in all':20} {'':11} {self.seconds / repeats * 1e3:19.3f} {100:6.1f} "
                     f"{made / repeats / 1e6:9.2f} {self.peak / 1e6:11.2f}")
        return "\n".join(lines)

    def convolutions_table(self, repeats: int = 1, limit: int = 16) -> str:
        """Lines of text: the form that each convolution took; "" where there are none.

        The `limit` most expensive convolutions, and then what the forms are.
        """
        rows = self.convolutions()
        if not rows:
            return ""
        wide = max(len(row.plan.layer) for row in rows[:limit])
        form = max(len(row.plan.label) for row in rows[:limit])
        lines = [f"{'convolution':17} {'sizes':{wide}} {'form':{form}} {'calls':>5} {'ms':>9} "
                 f"{'share':>6}"]
        for row in rows[:limit]:
            plan = row.plan
            lines.append(f"{plan.kind:17} {plan.layer:{wide}} {plan.label:{form}} "
                         f"{row.calls / repeats:5.0f} {row.seconds / repeats * 1e3:9.3f} "
                         f"{self._share(row.seconds):6.1f}")
        if len(rows) > limit:
            seconds = sum(row.seconds for row in rows[limit:])
            others = f"{len(rows) - limit} others"
            lines.append(f"{others:{17 + wide + form + 2}} {'':5} {seconds / repeats * 1e3:9.3f} "
                         f"{self._share(seconds):6.1f}")
        used = {one for row in rows for one in _forms(row.plan)}
        lines.append("")
        lines += [f"{one.name}: {one.value}" for one in Form if one in used]
        return "\n".join(lines)

    def picture(self, title: str = "", caption: str = "", repeats: int = 1, limit: int = 12
                ) -> Figure:
        """Two bar charts: milliseconds by op, and the memory in use at the peak.

        The caption ends with the forms of the convolutions.
        """
        rows = folded(self.rows(), limit)
        ms = 1e3 / repeats
        nothing = [0.0] * len(rows)
        forward = [row.forward.seconds * ms for row in rows]
        times = {
            "forward": [t if row.is_op else 0.0 for t, row in zip(forward, rows)],
            "backward": [row.backward.seconds * ms for row in rows],
            "not an op": [0.0 if row.is_op else t for t, row in zip(forward, rows)],
        }
        memory = {
            "forward": [row.forward.held / 1e6 for row in rows],
            "backward": [row.backward.held / 1e6 for row in rows],
            "not an op": nothing,
        }
        charts = {"ms a step": times, "MB in use at the peak": memory}
        words = " ".join(filter(None, [caption, self._forms_in_words()]))
        return plot.bars([row.name for row in rows], charts, title, words)

    def _share(self, seconds: float) -> float:
        return 100 * seconds / self.seconds if self.seconds else 0.0

    def _forms_in_words(self) -> str:
        """The share of each form in the time of all convolutions, as a sentence, or ""."""
        rows = self.convolutions()
        seconds: dict[str, float] = defaultdict(float)
        for row in rows:
            seconds[row.plan.label] += row.seconds
        total = sum(seconds.values())
        if not total:
            return ""
        largest = sorted(seconds, key=lambda label: -seconds[label])
        shares = [f"{label} {100 * seconds[label] / total:.0f} %" for label in largest]
        return f"Convolutions, by form: {', '.join(shares)} of their time."


def _calls(row: Row, repeats: int) -> str:
    if not row.calls:
        return ""
    return f"{row.forward.calls / repeats:.0f} {row.backward.calls / repeats:>5.0f}"


def _ms(cost: Cost, repeats: int) -> str:
    return f"{cost.seconds / repeats * 1e3:.3f}" if cost.seconds else ""


def _forms(plan: Plan) -> list[Form]:
    """A plan's form, and the form of the plan that it follows instead."""
    if plan.instead is None:
        return [plan.form]
    return [plan.form, plan.instead.form]


def folded(rows: list[Row], limit: int) -> list[Row]:
    """At most `limit` rows and the last one; the cheapest ops are one row together."""
    ops, last = rows[:-1], rows[-1]
    if len(ops) <= limit:
        return rows
    small = ops[limit - 1:]
    forward = _summed(row.forward for row in small)
    backward = _summed(row.backward for row in small)
    together = Row(f"{len(small)} others", forward, backward)
    return [*ops[:limit - 1], together, last]


def _summed(costs: Iterable[Cost]) -> Cost:
    total = Cost()
    for cost in costs:
        total.seconds += cost.seconds
        total.calls += cost.calls
        total.made += cost.made
        total.held += cost.held
    return total


@contextmanager
def profile() -> Iterator[Profile]:
    """Measure a block. If it raises, the hook is still removed, and the measurements stay."""
    costs = Profile()
    with costs.measuring():
        yield costs
