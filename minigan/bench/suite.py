"""The measurements of `minigan bench`: cell by cell, a row for each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Callable, Iterator, Sequence

from minigan.bench import operations, workloads
from minigan.bench.cells import Cell, Missing
from minigan.bench.pairs import measure
from minigan.bench.quiet import read
from minigan.bench.records import Facts, Floor, Operation, Row, Timing, Workload
from minigan.system import machine

WARM_UP = 3  # steps before the length of a turn is decided, after those that are compared
FLOORS = 3   # times that the floor is measured, at most

# What rounding in float32 may do to the losses of the first steps: Adam's first updates move every
# weight by the learning rate, also where the gradient's sign is nothing but rounding. On
# dcgan:torch64 the losses of steps 2 and 3 are up to 5e-4 and 1.9e-3 from PyTorch's in float64;
# PyTorch's own in float32 are up to 9e-4 and 2.0e-3 from those.
# With batches of 16 PyTorch's two forms differ by 1.6e-2 in step 4.
TOLERANCES = (2e-4, 2e-3, 5e-3, 4e-2, 1e-1)


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    threads: int                # of each side
    pairs: int = 21             # quiet pairs of each cell
    turn: float = 0.3           # seconds that a side computes before the other's turn, at least
    keep_busy: bool = False     # keep pairs during which others were computing
    rivals: Path | None = None  # folder of the rivals; None: of this clone


def facts(plan: Plan) -> Facts:
    """Where and when a row is measured."""
    here = machine.environment()
    return Facts(
        date=date.today().isoformat(),
        processor=here["processor"],
        blas=here["blas"],
        python=here["python"],
        threads=plan.threads)


def steps(names: list[str], batches: list[int], sides: list[str], plan: Plan) -> Iterator[Row]:
    """Training steps: for each workload and batch size, the first side beside each of the others.
    """
    for name in names:
        for batch in batches:
            yield from compare(workloads.prepare(name, batch), sides, plan)


def ops(batch: int, sides: list[str], plan: Plan, only: str = "") -> Iterator[Row]:
    """The same for single ops: forward, backward, double. only: those with this in their name."""
    for case in operations.CASES:
        for which in operations.PASSES:
            if only in f"{case}, {which}":
                yield from compare(operations.prepare(case, which, batch), sides, plan)


def overhead(names: list[str], batch: int, sides: list[str], plan: Plan) -> Iterator[Row]:
    """What a penalty costs: for each side, its critic's update beside one without penalty."""
    for name in names:
        full = workloads.prepare(name, batch)
        plain = workloads.prepare(name + workloads.PLAIN, batch)
        for side in sides:
            row = Row(name, batch, side, side + workloads.PLAIN, facts=facts(plan))
            try:
                with Cell(side, full, plan.threads, plan.rivals) as a, Cell(
                        side, plain, plan.threads, plan.rivals) as b:
                    yield pair(row, a, b, plan)
            except (Missing, ValueError) as reason:
                yield replace(row, missing=str(reason))


def compare(workload: Workload | Operation, sides: list[str], plan: Plan) -> Iterator[Row]:
    """The rows of one workload. A side that cannot be measured has a row with the reason.

    The first side's own row comes first, with its floor; the others are measured beside it.
    """
    first, *rest = sides
    alone = Row(workload.name, workload.batch, first, facts=facts(plan))
    try:
        ours = Cell(first, workload, plan.threads, plan.rivals)
    except Missing as reason:
        yield replace(alone, missing=str(reason))
        return
    with ours:
        yield _single(alone, ours, plan)
        for rival in rest:
            row = replace(alone, rival=rival)
            try:
                with Cell(rival, workload, plan.threads, plan.rivals) as theirs:
                    apart = check_losses(ours, theirs)
                    yield replace(pair(row, ours, theirs, plan), losses_apart=apart)
            except (Missing, ValueError) as reason:
                yield replace(row, missing=str(reason))


def _single(row: Row, cell: Cell, plan: Plan) -> Row:
    """A side's own row: time, memory and floor."""
    try:
        row = replace(row, timing=time_of([cell], plan))
    except ValueError as busy:
        row = replace(row, missing=str(busy))
    memory = cell.memory()  # before the floor makes matrices of its own
    return replace(row, memory=memory, floor=_floor(cell, plan), versions=cell.versions)


def _floor(cell: Cell, plan: Plan) -> Floor | None:
    """The floor under the cell's steps: the fastest of a few quiet tries; None if there is none."""
    tries: list[Floor | None] = []

    def turn() -> float:
        tries.append(cell.floor())
        return 0.0

    quiet = measure([turn], min(FLOORS, plan.pairs), lambda: read([cell.pid]), plan.keep_busy)
    floors = [floor for floor in tries if floor is not None]
    if not quiet.kept or not floors:
        return None
    return min(floors, key=lambda floor: floor.floor_ms)


def pair(row: Row, ours: Cell, theirs: Cell, plan: Plan) -> Row:
    """A row with what two cells in turn say.

    Raises:
        ValueError: there was no quiet moment.
    """
    timing = time_of([ours, theirs], plan)
    return replace(row, timing=timing, rival_memory=theirs.memory(), versions=theirs.versions)


def time_of(cells: Sequence[Cell], plan: Plan) -> Timing:
    """The timing of one cell, or of two in turn.

    Raises:
        ValueError: there was no quiet moment.
    """
    turns = [turn_of(cell, plan.turn) for cell in cells]
    pids = [cell.pid for cell in cells]
    return measure(turns, plan.pairs, lambda: read(pids), plan.keep_busy).summary()


def turn_of(cell: Cell, seconds: float) -> Callable[[], float]:
    """A function that runs steps for so many seconds or more and returns milliseconds a step."""
    n = steps_a_turn(cell, seconds)
    return lambda: cell.seconds(n) / n * 1e3


def steps_a_turn(cell: Cell, turn: float) -> int:
    """How many steps fill a turn, after a warm-up."""
    cell.seconds(WARM_UP)
    each = cell.seconds(1)
    if each < turn / 4:  # of short steps, time a few for a better guess
        few = max(1, math.ceil(turn / 4 / max(each, 1e-6)))
        each = cell.seconds(few) / few
    return max(1, math.ceil(turn / max(each, 1e-6)))


def check_losses(ours: Cell, theirs: Cell) -> float:
    """The largest difference of the first steps' losses, relative to those above 1.

    Raises:
        ValueError: it is too large for rounding: the two compute different things.
    """
    if [len(step) for step in ours.losses] != [len(step) for step in theirs.losses]:
        raise ValueError(f"{theirs.side} returns other results than {ours.side}")
    apart = [_apart(mine, others) for mine, others in zip(ours.losses, theirs.losses)]
    for step, (difference, most) in enumerate(zip(apart, TOLERANCES), 1):
        if not difference <= most:  # NaN fails this comparison, too
            raise ValueError(f"{theirs.side} does not compute what {ours.side} does: their losses "
                             f"differ by {difference:.1e} in step {step}")
    return max(apart)


def _apart(ours: list[float], theirs: list[float]) -> float:
    return max(abs(a - b) / max(1.0, abs(a)) for a, b in zip(ours, theirs))
