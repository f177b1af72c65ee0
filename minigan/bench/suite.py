"""The measurements of `minigan bench`: cell by cell, a row of facts each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Iterator

from minigan.bench import operations, workloads
from minigan.bench.cells import Cell, Missing
from minigan.bench.pairs import measure
from minigan.bench.quiet import read
from minigan.system import machine

WARM_UP = 3        # steps before the length of a turn is decided, beside those that are compared
FLOORS = 3         # times that the floor is measured, at most

# What rounding in float32 may do to the losses of the first steps: Adam's first updates move every
# weight by the learning rate, also where the gradient's sign is nothing but rounding. On
# dcgan:torch64 the losses of steps 2 and 3 are up to 5e-4 and 1.9e-3 from PyTorch's in float64;
# PyTorch's own in float32 are up to 9e-4 and 2.0e-3 from those.
# With batches of 16 PyTorch's two forms differ by 1.6e-2 in step 4.
TOLERANCES = (2e-4, 2e-3, 5e-3, 4e-2, 1e-1)


@dataclass(frozen=True)
class Plan:
    """How to measure. turn: seconds that a side computes before it is the other's turn, at least.
    """

    threads: int
    pairs: int = 21
    turn: float = 0.3
    keep_busy: bool = False
    rivals: Path | None = None


def facts(plan: Plan) -> dict[str, Any]:
    """What every row says of where and when it was measured."""
    where = machine.environment()
    return {"date": date.today().isoformat(), "processor": where["processor"],
            "blas": where["blas"], "python": where["python"], "threads": plan.threads}


def steps(names: list[str], batches: list[int], sides: list[str], plan: Plan
          ) -> Iterator[dict[str, Any]]:
    """A row for each workload, batch and rival: the first side over each of the others."""
    for name in names:
        for batch in batches:
            yield from compare(workloads.prepare(name, batch), sides, plan)


def ops(batch: int, sides: list[str], plan: Plan, only: str = "") -> Iterator[dict[str, Any]]:
    """The same for single ops, each forward, backward and double. only: names with this in them."""
    for case in operations.CASES:
        for which in operations.PASSES:
            if only in f"{case}, {which}":
                yield from compare(operations.prepare(case, which, batch), sides, plan)


def overhead(names: list[str], batch: int, sides: list[str], plan: Plan
             ) -> Iterator[dict[str, Any]]:
    """What a penalty costs: for each side its critic's update over the same without penalty."""
    for name in names:
        full, plain = (workloads.prepare(which, batch) for which in (name, name + workloads.PLAIN))
        for side in sides:
            row = {"workload": name, "batch": batch, "side": side, "rival": side + workloads.PLAIN}
            try:
                with Cell(side, full, plan.threads, plan.rivals) as a, Cell(
                        side, plain, plan.threads, plan.rivals) as b:
                    yield {**row, **pair([a, b], plan), **facts(plan)}
            except (Missing, ValueError) as reason:
                yield {**row, "missing": str(reason), **facts(plan)}


def compare(load: dict[str, Any], sides: list[str], plan: Plan) -> Iterator[dict[str, Any]]:
    """The rows of one load. A side that cannot be measured has a row with the reason.

    The first side's own row comes first, with its floor; the others are measured against it.
    """
    first, *rest = sides
    row = {"workload": load["name"], "batch": load["batch"], "side": first, "rival": None}
    try:
        ours = Cell(first, load, plan.threads, plan.rivals)
    except Missing as reason:
        yield {**row, "missing": str(reason), **facts(plan)}
        return
    with ours:
        yield {**row, **_alone(ours, plan), **facts(plan)}
        for rival in rest:
            row["rival"] = rival
            try:
                with Cell(rival, load, plan.threads, plan.rivals) as theirs:
                    apart = check_losses(ours, theirs)
                    yield {**row, "losses_apart": apart, **pair([ours, theirs], plan),
                           **facts(plan)}
            except (Missing, ValueError) as reason:
                yield {**row, "missing": str(reason), **facts(plan)}


def _alone(cell: Cell, plan: Plan) -> dict[str, Any]:
    """A side's own numbers: its time, memory and floor."""
    try:
        row = pair([cell], plan)
    except ValueError as busy:
        row = {"missing": str(busy)}
    row.update(cell.memory())  # before the floor makes matrices of its own
    return {**row, **_floor(cell, plan), "versions": cell.versions}


def _floor(cell: Cell, plan: Plan) -> dict[str, Any]:
    """The floor under the cell's steps: of a few quiet tries the fastest; {} if there is none."""
    tries: list[dict[str, float]] = []

    def turn() -> float:
        tries.append(cell.ask("floor") or {})
        return 0.0

    quiet = measure([turn], min(FLOORS, plan.pairs), lambda: read([cell.pid]), plan.keep_busy)
    if not quiet.kept or not tries[-1]:
        return {}
    return min(tries, key=lambda found: found["floor_ms"])


def pair(cells: list[Cell], plan: Plan) -> dict[str, Any]:
    """Measure one cell, or two in turn.

    Raises:
        ValueError: there was no quiet moment.
    """
    counts = [steps_a_turn(cell, plan.turn) for cell in cells]
    turns = [lambda cell=cell, n=n: cell.seconds(n) / n * 1e3
             for cell, n in zip(cells, counts)]
    pids = [cell.pid for cell in cells]
    found = measure(turns, plan.pairs, lambda: read(pids), plan.keep_busy).summary()
    if len(cells) > 1:
        found.update({f"rival_{name}": value for name, value in cells[1].memory().items()})
        found["versions"] = cells[1].versions
    return found


def steps_a_turn(cell: Cell, turn: float) -> int:
    """How many steps fill a turn, after a warm-up."""
    cell.seconds(WARM_UP)
    each = cell.seconds(1)
    if each < turn / 4:  # short steps: a better guess needs a few
        few = max(1, math.ceil(turn / 4 / max(each, 1e-6)))
        each = cell.seconds(few) / few
    return max(1, math.ceil(turn / max(each, 1e-6)))


def check_losses(ours: Cell, theirs: Cell) -> float:
    """The largest difference of the first steps' losses, relative to those above 1.

    Raises:
        ValueError: it is too large for rounding: the two compute something else.
    """
    if [len(step) for step in ours.losses] != [len(step) for step in theirs.losses]:
        raise ValueError(f"{theirs.side} returns other results than {ours.side}")
    apart = [max(abs(a - b) / max(1.0, abs(a)) for a, b in zip(mine, others))
             for mine, others in zip(ours.losses, theirs.losses)]
    for step, (found, most) in enumerate(zip(apart, TOLERANCES)):
        if not found <= most:  # NaN is none either
            raise ValueError(f"{theirs.side} computes something else than {ours.side}: their "
                             f"losses differ by {found:.1e} in step {step + 1}")
    return max(apart)
