"""Rows as Markdown tables, with notes under them."""

from __future__ import annotations

from dataclasses import fields
from typing import Sequence

from minigan.bench.records import Row
from minigan.bench.rows import latest
from minigan.bench.workloads import PLAIN
from minigan.system.console import plural

Notes = dict[str, list[str]]  # why something was not measured, and the sides it concerns


def table(rows: list[Row]) -> str:
    """Rows of one kind of measurement as a table, and what they share as notes."""
    rows = latest(rows)
    notes: Notes = {}
    if any(row.long_run for row in rows):
        lines = _of_long_runs(rows, notes)
    elif any(row.start for row in rows):
        lines = _of_starts(rows, notes)
    elif any(row.rival and row.rival.endswith(PLAIN) for row in rows):
        lines = _of_penalties(rows, notes)
    else:
        lines = _of_steps(rows, notes)
    said = [f"-: {', '.join(sides)}: {reason}" for reason, sides in notes.items()]
    return "\n".join([*lines, "", *legend(rows), *said])


def markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = [head, ["---"] * len(head), *body]
    return ["| " + " | ".join(line) + " |" for line in lines]


def by_workload(rows: list[Row]) -> dict[tuple[str, int], dict[str | None, Row]]:
    """Rows by workload and batch size, then by rival; None is the side alone."""
    workloads: dict[tuple[str, int], dict[str | None, Row]] = {}
    for row in rows:
        workloads.setdefault((row.workload, row.batch), {})[row.rival] = row
    return workloads


def rivals_of(rows: list[Row]) -> list[str]:
    """The rivals of some rows, in their order."""
    return list(dict.fromkeys(row.rival for row in rows if row.rival))


def _of_steps(rows: list[Row], notes: Notes) -> list[str]:
    """The first side's time and floor, its ratio to each rival, and memory."""
    side = rows[0].side
    rivals = rivals_of(rows)
    head = ["workload", "batch", f"{side}, ms", "floor, ms",
            *[f"{side} / {rival}" for rival in rivals], "MB above import"]
    body = []
    for (name, batch), by_rival in by_workload(rows).items():
        own = by_rival.get(None)
        ratios = [ratio(by_rival.get(rival), notes) for rival in rivals]
        body.append([name, str(batch), _time(own, notes), floor(own), *ratios, memory(by_rival)])
    return markdown(head, body)


def _of_penalties(rows: list[Row], notes: Notes) -> list[str]:
    """A critic's update with the penalty beside one without it, a column a side."""
    rivals = rivals_of(rows)
    head = ["workload", "batch",
            *[f"{rival.removesuffix(PLAIN)}: penalty / plain" for rival in rivals]]
    body = [[name, str(batch), *[ratio(by_rival.get(rival), notes) for rival in rivals]]
            for (name, batch), by_rival in by_workload(rows).items()]
    return markdown(head, body)


def _of_starts(rows: list[Row], notes: Notes) -> list[str]:
    """From a new process to the first step."""
    head = ["workload", "import of NumPy, ms", "+ minigan", "to the first step's end"]
    body = []
    for row in rows:
        if row.start and row.timing:
            numbers = (row.start.numpy_import_ms, row.start.import_ms, row.timing.ms)
            body.append([row.workload, *[f"{number:.0f}" for number in numbers]])
        else:
            body.append([row.workload, "", "", missing(row, notes)])
    return markdown(head, body)


def _of_long_runs(rows: list[Row], notes: Notes) -> list[str]:
    """The last quarter of a run beside the second."""
    head = ["workload", "steps", "ms a step", "last / second quarter",
            "MB gained after the first"]
    body = []
    for row in rows:
        run = row.long_run
        if run:
            numbers = [f"{run.ms_of_blocks[-1]:.3g}", f"{run.time_growth:.3f}",
                       f"{run.memory_growth_mb:.1f}"]
        else:
            numbers = [missing(row, notes), "", ""]
        body.append([row.workload, str(row.steps), *numbers])
    return markdown(head, body)


# Cells.

def _time(row: Row | None, notes: Notes) -> str:
    if row is None or row.timing is None:
        return missing(row, notes)
    return f"{row.timing.ms:.3g}" + _star(row)


def floor(row: Row | None) -> str:
    """A floor and its share of the step, as 0.64 (32%)."""
    if row is None or row.floor is None or row.timing is None:
        return "-"
    return f"{row.floor.floor_ms:.3g} ({row.floor.floor_ms / row.timing.ms:.0%})"


def ratio(row: Row | None, notes: Notes) -> str:
    """A ratio and its range, as 0.84 (0.80 to 0.90)."""
    if row is None:
        return ""
    if row.versus is None:
        return missing(row, notes)
    versus = row.versus
    return f"{versus.ratio:.2f} ({versus.low:.2f} to {versus.high:.2f})" + _star(row)


def memory(by_rival: dict[str | None, Row]) -> str:
    """Megabytes above import: the side's own, then each rival's."""
    cells = []
    for rival, row in by_rival.items():
        measured = row.rival_memory if rival else row.memory
        if measured and measured.above_mb is not None:
            cells.append(f"{rival or ''} {measured.above_mb:.0f}".strip())
    return ", ".join(cells) or "-"


def missing(row: Row | None, notes: Notes) -> str:
    """The cell of what was not measured; its reason goes to the notes."""
    if row is not None:
        sides = notes.setdefault(row.missing or "not measured", [])
        side = row.rival or row.side
        if side not in sides:
            sides.append(side)
    return "-"


def _star(row: Row) -> str:
    return "*" if row.busy else ""


# Notes.

def legend(rows: list[Row]) -> list[str]:
    """What all rows share, and how they were measured."""
    lines = [_facts(rows)]
    timings = [row.timing for row in rows if row.timing]
    if timings:
        lines.append(_turns(rows))
    square = [row.floor.square_gflops for row in rows if row.floor]
    if square:
        lines.append(f"Floor: the workload's own matrix products alone, and its share of a step; "
                     f"a product of 2048 x 2048 makes {max(square):.0f} GFLOP/s here")
    if any(row.busy for row in rows):
        lines.append("*: measured while others were computing (--keep-busy)")
    return lines


def _facts(rows: list[Row]) -> str:
    """Processor, threads, BLAS, Python and packages."""
    known: dict[str, str] = {}
    for name in (field.name for field in fields(rows[0].facts)):
        values = {str(getattr(row.facts, name)) for row in rows
                  if getattr(row.facts, name) is not None}
        known[name] = ", ".join(sorted(values))
    versions: dict[str, str] = {}
    for row in rows:
        versions.update(row.versions)
    packages = [f"{name} {version}" for name, version in versions.items()]
    return "; ".join([known["processor"], f"threads: {known['threads']}", f"BLAS: {known['blas']}",
                      f"Python {known['python']}", *packages])


def _turns(rows: list[Row]) -> str:
    """How many pairs count, and how many do not."""
    timings = [row.timing for row in rows if row.timing]
    pairs = [timing.pairs for timing in timings]
    discarded = sum(timing.discarded for timing in timings)
    others = [timing.others for timing in timings if timing.others is not None]
    least = f"{min(pairs)} to " if max(pairs) > min(pairs) else ""
    text = (f"Medians of {least}{plural(max(pairs), 'pair')} in turn, ranges of the ratio in "
            f"brackets; {plural(discarded, 'pair')} discarded because others were computing")
    if others:
        text += f"; others used {max(others):.2f} cores at most (median of a row)"
    return text
